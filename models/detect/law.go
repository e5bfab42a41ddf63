package detect

import (
	"math"
	"slices"
	"sort"
)

// knots is the resolution of a tail's body.
const knots = 48

// maxDecades is -log10 p at which a score is 1: beyond that, certainty is a word.
const maxDecades = 8

// farDecades caps a statistic before fusion, well beyond maxDecades: the fused
// value is calibrated again and must not run into a wall.
const farDecades = 40

// Law turns a statistic into -log10 of the probability that a normal row reaches
// it: empirical up to a threshold, a generalised Pareto law above.
type Law struct {
	body  [knots]float64 // quantiles at (i/knots)·(1-above)
	start float64        // threshold
	above float64        // share of calibration rows above it
	sigma float64        // scale of the excesses
	gamma float64        // shape of the excesses
	n     int32          // calibration rows
}

// NewLaw fits by probability-weighted moments (Hosking and Wallis). The shape
// is drawn towards the exponential law where excesses are few, since a wrong
// shape does more harm far out than a wrong scale.
func NewLaw(scores []float64) Law {
	s := slices.Clone(scores)
	slices.Sort(s)
	n := len(s)
	t := Law{n: int32(n)}
	if n == 0 {
		t.sigma, t.above = 1, 1
		return t
	}
	t.above = min(0.2, max(0.02, 60/float64(n)))
	k := min(n-1, int(float64(n)*(1-t.above)))
	t.start = s[k]
	for i := range t.body {
		t.body[i] = s[k*i/knots]
	}
	ex := s[k:]
	var a0, a1 float64
	for i, x := range ex {
		y := x - t.start
		a0 += y
		a1 += y * (1 - (float64(i)+0.65)/float64(len(ex)))
	}
	m := float64(len(ex))
	a0, a1 = a0/m, a1/m
	t.sigma = max(a0, 1e-9*(1+math.Abs(t.start)))
	if d := a0 - 2*a1; d > 1e-12 {
		g := (2 - a0/d) * m / (m + 200)
		t.gamma = min(0.3, max(-0.1, g))
		t.sigma = max(a0*(1-t.gamma), t.sigma/4)
	}
	return t
}

func (t *Law) Decades(x float64) float64 {
	if x > t.start {
		y := (x - t.start) / t.sigma
		d := -math.Log10(t.above)
		if math.Abs(t.gamma) < 1e-6 {
			return min(farDecades, d+y/math.Ln10)
		}
		b := 1 + t.gamma*y
		if b <= 0 { // beyond the end of a bounded law
			return farDecades
		}
		return min(farDecades, d+math.Log10(b)/t.gamma)
	}
	i := sort.SearchFloat64s(t.body[:], x)
	p := 1 - float64(i)/knots*(1-t.above)
	return -math.Log10(p)
}
