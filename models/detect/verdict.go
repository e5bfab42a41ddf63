package detect

import (
	"math/bits"
	"slices"

	"millwright/plant"
)

// Persistence and hysteresis of a machine finding, in rows.
const (
	raiseOf    = 10
	raiseAt    = 8
	clearAfter = 30
	updateRows = 120
	surely     = 0.95 // score from which on a finding is urgent
	listed     = 10   // contributions that a finding names
)

// anomalyKey is the identity of an asset's machine finding.
const anomalyKey = "wpca"

// verdict turns scores into one finding with a life.
type verdict struct {
	open     bool
	recent   uint16  // the last rows, youngest lowest: beyond the limit
	under    int32   // rows well below the limit
	modes    uint32  // modes in which rows were beyond since the raise
	quiet    int32   // rows since the finding was last reported
	top      int32   // watched tag that led then
	priority int32   // then
	peak     float64 // score then
	shares   []float64
	order    []int // scratch
}

// observe takes one scored row and says what changes, if anything.
func (v *verdict) observe(decades, limit float64, mode int) (plant.Phase, bool) {
	over := decades > limit
	v.recent = v.recent << 1 & (1<<raiseOf - 1)
	if over {
		v.recent |= 1
	}
	if v.recent == 0 && !v.open {
		clear(v.shares)
	}
	if v.quiet < 1<<30 {
		v.quiet++
	}
	if !v.open {
		if bits.OnesCount16(v.recent) < raiseAt {
			return "", false
		}
		v.open, v.under, v.modes, v.quiet = true, 0, 1<<uint(mode), 0
		return plant.Raise, true
	}
	if over {
		v.modes |= 1 << uint(mode)
	}
	switch {
	case decades >= limit-1:
		v.under = 0
	case v.modes&(1<<uint(mode)) != 0: // only the modes that showed it can take it back
		v.under++
	}
	if v.under >= clearAfter {
		v.open, v.recent = false, 0
		clear(v.shares)
		return plant.Clear, true
	}
	return "", false
}

// weigh adds the contributions of a row beyond the limit: old rows fade.
func (v *verdict) weigh(m *model, w *window, s *score, part []float64) {
	part = part[:len(m.tags)]
	clear(part)
	m.share(w, s, part)
	for i := range v.shares {
		v.shares[i] *= 0.98
	}
	for i, t := range m.tags {
		v.shares[t] += part[i]
	}
}

// rank lists the features by their share, largest first.
func (v *verdict) rank(m *model) []int {
	v.order = v.order[:0]
	for i := range m.tags {
		v.order = append(v.order, i)
	}
	slices.SortStableFunc(v.order, func(a, b int) int {
		x, y := v.shares[m.tags[a]], v.shares[m.tags[b]]
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return v.order
}

// contributions of the finding; their shares sum to 1.
func (v *verdict) contributions(m *model, w *window, watched []slot) []plant.Contribution {
	order := v.rank(m)
	order = order[:min(listed, len(order))]
	total := 0.0
	for _, i := range order {
		total += v.shares[m.tags[i]]
	}
	if total <= 0 {
		return nil
	}
	out := make([]plant.Contribution, 0, len(order))
	for _, i := range order {
		tag := &watched[m.tags[i]].tag
		value, expected, direction := m.explain(w, i)
		out = append(out, plant.Contribution{
			Tag: tag.Path, Share: v.shares[m.tags[i]] / total,
			Value: value, Expected: expected, Direction: direction, Unit: tag.Unit,
		})
	}
	return out
}
