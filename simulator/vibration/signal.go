package vibration

// Signal is what an accelerometer sees: see Burst.
type Signal struct {
	Speed float64 // of the shaft, r/min
}
