package detect

import (
	"encoding/json"
	"errors"
	"fmt"
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

// Decades is -log10 of the probability that a normal row reaches x.
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

// Bounds of a law's shape. A fit gives -0.1 to 0.3; far beyond, the tail says
// nothing any more.
const maxShape = 0.5

// ErrLaw is the reason of every refused law.
var ErrLaw = errors.New("law")

// Check says what is wrong with the law, or nil: numbers that are not finite, and
// an order of quantiles or a tail that no fit gives.
func (t *Law) Check() error {
	for _, v := range append(t.body[:], t.start, t.above, t.sigma, t.gamma) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: %v is not finite", ErrLaw, v)
		}
	}
	switch {
	case !slices.IsSorted(t.body[:]) || t.body[knots-1] > t.start:
		return fmt.Errorf("%w: quantiles do not ascend", ErrLaw)
	case t.above <= 0 || t.above > 1:
		return fmt.Errorf("%w: share %v above the threshold; must be in (0, 1]", ErrLaw, t.above)
	case t.sigma <= 0:
		return fmt.Errorf("%w: scale %v; must be positive", ErrLaw, t.sigma)
	case math.Abs(t.gamma) > maxShape:
		return fmt.Errorf("%w: shape %v; at most %v", ErrLaw, t.gamma, maxShape)
	case t.n < 0:
		return fmt.Errorf("%w: %d calibration rows", ErrLaw, t.n)
	}
	return nil
}

// lawText is a law in JSON. Numbers are written with as many digits as it takes
// to read them back exactly.
type lawText struct {
	Body  []float64 `json:"body"`
	Start float64   `json:"start"`
	Above float64   `json:"above"`
	Sigma float64   `json:"sigma"`
	Gamma float64   `json:"gamma"`
	Rows  int32     `json:"rows"`
}

// MarshalJSON writes a law that Check passes.
func (t Law) MarshalJSON() ([]byte, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	return json.Marshal(lawText{t.body[:], t.start, t.above, t.sigma, t.gamma, t.n})
}

// UnmarshalJSON takes no law that Check does not pass.
func (t *Law) UnmarshalJSON(b []byte) error {
	var x lawText
	if err := json.Unmarshal(b, &x); err != nil {
		return fmt.Errorf("%w: %w", ErrLaw, err)
	}
	if len(x.Body) != knots {
		return fmt.Errorf("%w: %d quantiles; must be %d", ErrLaw, len(x.Body), knots)
	}
	n := Law{start: x.Start, above: x.Above, sigma: x.Sigma, gamma: x.Gamma, n: x.Rows}
	copy(n.body[:], x.Body)
	if err := n.Check(); err != nil {
		return err
	}
	*t = n
	return nil
}
