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

// anomalyKey is the identity of an asset's machine finding, whichever model sees
// it, and the detector of what the asset has learned itself.
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
	by       string  // detector whose rows were beyond the limit last
	shares   []float64
	order    []int // scratch
}

// observe takes one scored row and says what changes, if anything. Rows of a model
// that may not take the finding back leave it open.
func (v *verdict) observe(decades, limit float64, mode int, mayClear bool) (plant.Phase, bool) {
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
	case mayClear && v.modes&(1<<uint(mode)) != 0: // only the modes that showed it can take it back
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
func (v *verdict) weigh(j judge, part []float64) {
	tags := j.traits().tags
	part = part[:len(tags)]
	clear(part)
	j.share(part)
	for i := range v.shares {
		v.shares[i] *= 0.98
	}
	for i, t := range tags {
		v.shares[t] += part[i]
	}
}

// rank lists the features by their share, largest first.
func (v *verdict) rank(tags []int32) []int {
	v.order = v.order[:0]
	for i := range tags {
		v.order = append(v.order, i)
	}
	slices.SortStableFunc(v.order, func(a, b int) int {
		x, y := v.shares[tags[a]], v.shares[tags[b]]
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
func (v *verdict) contributions(j judge, watched []slot) []plant.Contribution {
	tags := j.traits().tags
	order := v.rank(tags)
	order = order[:min(listed, len(order))]
	total := 0.0
	for _, i := range order {
		total += v.shares[tags[i]]
	}
	if total <= 0 {
		return nil
	}
	out := make([]plant.Contribution, 0, len(order))
	for _, i := range order {
		tag := &watched[tags[i]].tag
		value, expected, direction := j.explain(i)
		out = append(out, plant.Contribution{
			Tag: tag.Path, Share: v.shares[tags[i]] / total,
			Value: value, Expected: expected, Direction: direction, Unit: tag.Unit,
		})
	}
	return out
}
