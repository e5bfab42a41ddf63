package physics

import "math"

// Mains is the phase of the grid at plant time t in seconds, in turns. The
// frequency wanders about 50 Hz by some hundredths, so that a reader at even
// distances sees the hum as a slow beat.
func Mains(t float64) float64 {
	// The integral of 50 + 0.03·cos(2πt/47) + 0.02·cos(2πt/311).
	// The conversions keep processors from fusing what they multiply and add: after
	// weeks the last bit of the sum is a visible angle.
	turns := float64(50*t) + float64(0.03*47/(2*math.Pi)*math.Sin(2*math.Pi*t/47)) + float64(0.02*311/(2*math.Pi)*math.Sin(2*math.Pi*t/311))
	return turns - math.Floor(turns)
}
