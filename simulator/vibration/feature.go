package vibration

import "math"

// OuterRace is the order of the outer race frequency of a spherical roller bearing with 19
// rollers and (d/D)·cos β = 0.13.
const OuterRace = 8.27

const (
	resonance = 2 * math.Pi * 3200 // rad/s
	decay     = 0.05 * resonance   // ζω, 1/s
)

// Ringing is the mean square of impacts of amplitude a (m/s²) at rate r (1/s):
// the energy of one of them is A²/4ζω.
func Ringing(a, r float64) float64 { return a * a * r / (4 * decay) }

// Peakedness is the kurtosis of such impacts alone. It falls as they get dense.
func Peakedness(r float64) float64 { return math.Max(3, 1.5*decay/math.Max(r, 1e-3)) }

// Hits is what impacts add to the signal above 2 kHz.
type Hits struct {
	Square float64 // mean square of the impacts, (m/s²)²
	Kurt   float64 // kurtosis of the impacts alone
}

// Spall is a defect of the outer race at severity s, 1 being a spall of one
// roller pitch, at n r/min.
func Spall(s, n float64) Hits {
	rate := OuterRace * n / 60
	return Hits{Ringing(12*s*math.Pow(n/1000, 1.2), rate), Peakedness(rate)}
}

// Features of a signal made of impacts and Gaussian noise of r.m.s. floor:
// r.m.s. in m/s², kurtosis, and the height in dB of the envelope's line at the
// impacts' frequency over the mean of its spectrum, which saturates.
func (i Hits) Features(floor float64) (rms, kurt, line float64) {
	noise := floor * floor
	total := noise + i.Square
	if total <= 0 {
		return 0, 3, 2
	}
	share := i.Square / total
	q := i.Square / math.Max(noise, 1e-9)
	return math.Sqrt(total), 3 + (i.Kurt-3)*share*share, 20 * math.Log10(1.26+50*q/(q+0.33))
}

// Velocity is the r.m.s. in mm/s of an acceleration line of r.m.s. a (m/s²) at f
// (Hz), 0 where the 10 to 1000 Hz band does not hold it.
func Velocity(a, f float64) float64 {
	if f < 10 || f > 1000 {
		return 0
	}
	return 1000 * a / (2 * math.Pi * f)
}

// Late is what a Spall adds to the Velocity once it has spread: nothing before
// severity 0.7, in mm/s.
func Late(s float64) float64 {
	x := math.Max(0, s-0.7) / 0.3
	return 1.8 * x * x
}

// Hypot is the root of the sum of squares.
func Hypot(v ...float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}
