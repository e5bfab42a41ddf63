package bundle

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// bins of a reference histogram: tenths of the calibration scores.
const bins = 10

// minShare keeps an empty bin from making the index infinite.
const minShare = 1e-4

// minWidth of a bin. Edges tell a score where it has moved by 0.02: what is finer
// than that is not known of live scores.
const minWidth = 0.04

// Scores is how a mode's scores (0 to 1, as the tag $SCORE has them) were spread
// in calibration: the reference that live scores are held against.
type Scores struct {
	Edges  []float64 `json:"edges"`  // between the bins, ascending; a score equal to an edge lies below it
	Shares []float64 `json:"shares"` // of each bin; one more than Edges
	Rows   int64     `json:"rows"`
}

// NewScores makes the reference of calibration scores, one per row: tenths of
// them, where these are not too narrow.
func NewScores(scores []float64) Scores {
	s := slices.Clone(scores)
	slices.Sort(s)
	out := Scores{Rows: int64(len(s))}
	last := 0.0
	for i := 1; i < bins && len(s) > 0; i++ {
		if e := s[len(s)*i/bins]; e < s[len(s)-1] && e >= last+minWidth {
			out.Edges = append(out.Edges, e)
			last = e
		}
	}
	out.Shares = out.spread(s, nil)
	return out
}

// spread is the share of each bin. Weights may be nil: all the same.
func (s *Scores) spread(scores, weights []float64) []float64 {
	out := make([]float64, len(s.Edges)+1)
	sum := 0.0
	for i, x := range scores {
		w := 1.0
		if weights != nil {
			w = weights[i]
		}
		out[sort.SearchFloat64s(s.Edges, x)] += w
		sum += w
	}
	for i := range out {
		if sum > 0 {
			out[i] /= sum
		}
	}
	return out
}

// PSI is the population stability index of live scores, each with the time that
// it held: 0 where they are spread as in calibration, 0.1 is worth a look, 0.25
// is another machine.
func (s *Scores) PSI(scores, weights []float64) float64 {
	if len(scores) == 0 {
		return 0
	}
	psi := 0.0
	for i, a := range s.spread(scores, weights) {
		a, e := max(a, minShare), max(s.Shares[i], minShare)
		psi += (a - e) * math.Log(a/e)
	}
	return psi
}

func (s *Scores) check() error {
	if len(s.Edges) >= bins || len(s.Shares) != len(s.Edges)+1 || s.Rows < 0 {
		return fmt.Errorf("reference scores with %d edges, %d shares and %d rows", len(s.Edges), len(s.Shares), s.Rows)
	}
	sum := 0.0
	for i, x := range s.Shares {
		if !finite(x) || x < 0 || x > 1+1e-9 {
			return fmt.Errorf("reference scores: share %v", x)
		}
		sum += x
		if i < len(s.Edges) && (!finite(s.Edges[i]) || i > 0 && s.Edges[i] <= s.Edges[i-1]) {
			return fmt.Errorf("reference scores: edges %v", s.Edges)
		}
	}
	if math.Abs(sum-1) > 1e-6 && s.Rows > 0 {
		return fmt.Errorf("reference scores: shares sum to %v", sum)
	}
	return nil
}
