package autoencoder

import "golang.org/x/sys/cpu"

// dot4 is four dot products of n values, a multiple of 8 that is not 0, with x: of
// the rows at w, the next ones each stride bytes further.
//
//go:noescape
func dot4(w *float32, stride uintptr, x *float32, n uintptr, out *[4]float32)

// hasDot4 says that the processor has AVX and FMA, as all of x86-64-v3 have; small
// boxes of the Atom line do not.
func hasDot4() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }
