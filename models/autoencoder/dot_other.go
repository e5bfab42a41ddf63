//go:build !amd64

package autoencoder

// dot4 is of amd64 alone.
func dot4(*float32, uintptr, *float32, uintptr, *[4]float32) { panic("no dot4 on this processor") }

func hasDot4() bool { return false }
