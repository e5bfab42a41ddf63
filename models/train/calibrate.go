package train

import (
	"math"
	"slices"

	"millwright/models/autoencoder"
	"millwright/models/detect"
)

// How the detector raises (models/detect): raiseAt of raiseOf rows are beyond
// the limit.
const (
	raiseOf = 10
	raiseAt = 8
)

// Limits in decades between which a budget's limit is taken: the score of the
// edge ends at topDecades.
const (
	lowestLimit  = 2
	highestLimit = 7
	topDecades   = 8
)

// leastBlocks are needed to say anything about the largest of them.
const leastBlocks = 20

const week = 7 * 24 * 3600 // s

// calibration is what scores that the network was not fitted to say.
type calibration struct {
	scores  []float64 // mean squared errors
	decades []float64 // of them
	maxima  []float64 // of what decides, over blocks, in decades
	block   float64   // s of plant time
	law     detect.Law
	limit   float64
	wanted  float64 // before the bounds
	guess   bool
	alarms  int // that this limit would have raised here
}

// calibrate scores the windows of the calibration pieces and finds the limit. step
// is the plant time of a row in seconds.
func (m *material) calibrate(n *autoencoder.Network, r *rows, in []piece, budget, step float64) *calibration {
	c := &calibration{block: max(60, float64(m.window)*step)}
	run := autoencoder.NewRunner(n)
	var runs []int // scores in each run
	for _, p := range in {
		r.runs(p.from, p.to, func(from, to int) {
			before := len(c.scores)
			for at := from; at+m.window <= to; at++ {
				s, _ := run.Score(m.at(int32(at)))
				c.scores = append(c.scores, s)
			}
			if k := len(c.scores) - before; k > 0 {
				runs = append(runs, k)
			}
		})
	}
	c.law = detect.NewLaw(c.scores)
	c.set(runs, max(1, int(c.block/step)), budget)
	return c
}

// set finds the limit for scores in runs, by blocks of so many of them.
func (c *calibration) set(runs []int, block int, budget float64) {
	c.decades = make([]float64, len(c.scores))
	for i, s := range c.scores {
		c.decades[i] = c.law.Decades(s)
	}
	decide := decisive(c.decades, runs)
	c.maxima = maxima(decide, block)
	tail := detect.NewLaw(c.maxima)
	q := budget * c.block / week
	c.wanted = quantile(&tail, -math.Log10(q))
	c.limit = min(highestLimit, max(lowestLimit, c.wanted))
	c.guess = q < 1/float64(len(c.maxima)+1)
	c.alarms = raises(decide, c.limit)
}

// decisive is, for each score, the raiseAt-th largest of the last raiseOf in its
// run: a finding is raised where it is beyond the limit.
func decisive(decades []float64, runs []int) []float64 {
	out := make([]float64, 0, len(decades))
	var last [raiseOf]float64
	for _, n := range runs {
		for i := range n {
			d := decades[len(out)]
			last[i%raiseOf] = d
			if i+1 < raiseAt {
				out = append(out, 0)
				continue
			}
			sorted := last
			have := sorted[:min(i+1, raiseOf)]
			slices.Sort(have)
			out = append(out, have[len(have)-raiseAt])
		}
	}
	return out
}

// maxima over blocks of so many scores; what is left over at the end joins the
// last one.
func maxima(decide []float64, block int) []float64 {
	var out []float64
	for from := 0; from+block <= len(decide); from += block {
		to := from + block
		if to+block > len(decide) {
			to = len(decide)
		}
		out = append(out, slices.Max(decide[from:to]))
	}
	return out
}

// quantile is where the law reaches so many decades.
func quantile(l *detect.Law, decades float64) float64 {
	low, high := 0.0, 1.0
	for l.Decades(high) < decades && high < 1e6 {
		high *= 2
	}
	for range 60 {
		mid := (low + high) / 2
		if l.Decades(mid) < decades {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// raises counts findings: one lasts until the scores stay a decade below the
// limit for 30 rows.
func raises(decide []float64, limit float64) int {
	open, under, n := false, 0, 0
	for _, d := range decide {
		switch {
		case !open && d > limit:
			open, under = true, 0
			n++
		case open && d >= limit-1:
			under = 0
		case open:
			if under++; under >= 30 {
				open = false
			}
		}
	}
	return n
}
