package simulator

import "math"

// Features of a vibration signal in closed form. The signal behind them is a sum
// of shaft and gear mesh lines, Gaussian noise, and impacts that ring a
// resonance: A·exp(-ζω(t-t_i))·sin(ω(t-t_i)) at each t_i.

// Order of the outer race frequency of a spherical roller bearing with 19
// rollers and (d/D)·cos β = 0.13.
const outerRace = 8.27

const (
	resonance = 2 * math.Pi * 3200 // rad/s
	decay     = 0.05 * resonance   // ζω, 1/s
)

// ringing is the mean square of impacts of amplitude a (m/s²) at rate r (1/s):
// the energy of one of them is A²/4ζω.
func ringing(a, r float64) float64 { return a * a * r / (4 * decay) }

// peakedness is the kurtosis of such impacts alone. It falls as they get dense.
func peakedness(r float64) float64 { return math.Max(3, 1.5*decay/math.Max(r, 1e-3)) }

// impacts is what the accelerometer of a bearing sees above 2 kHz.
type impacts struct {
	square float64 // mean square of the impacts, (m/s²)²
	kurt   float64 // kurtosis of the impacts alone
}

// spall is a defect of the outer race at severity s, 1 being a spall of one
// roller pitch, at n r/min.
func spall(s, n float64) impacts {
	rate := outerRace * n / 60
	return impacts{ringing(12*s*math.Pow(n/1000, 1.2), rate), peakedness(rate)}
}

// features of a signal made of impacts and Gaussian noise of r.m.s. floor:
// r.m.s. in m/s², kurtosis, and the height in dB of the envelope's line at the
// impacts' frequency over the mean of its spectrum, which saturates.
func (i impacts) features(floor float64) (rms, kurt, line float64) {
	noise := floor * floor
	total := noise + i.square
	if total <= 0 {
		return 0, 3, 2
	}
	share := i.square / total
	q := i.square / math.Max(noise, 1e-9)
	return math.Sqrt(total), 3 + (i.kurt-3)*share*share, 20 * math.Log10(1.26+50*q/(q+0.33))
}

// velocity is the r.m.s. in mm/s of an acceleration line of r.m.s. a (m/s²) at f
// (Hz), 0 where the 10 to 1000 Hz band does not hold it.
func velocity(a, f float64) float64 {
	if f < 10 || f > 1000 {
		return 0
	}
	return 1000 * a / (2 * math.Pi * f)
}

// late is what a spall adds to the velocity once it has spread: nothing before
// severity 0.7, in mm/s.
func late(s float64) float64 {
	x := math.Max(0, s-0.7) / 0.3
	return 1.8 * x * x
}

func hypot(v ...float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}
