package detect

import (
	"math"

	"millwright/plant"
)

// judge is a model of one mode and the window that it looks through: what the
// asset has learned itself (learned), or what was trained elsewhere (neural).
type judge interface {
	traits() traits
	push(x []float64, ok []bool) (sees bool) // a row of the watched tags; false: too many are masked
	full() bool                              // the window may be scored
	score() float64                          // decades of the window; NaN: the model has failed
	share(part []float64)                    // adds every feature's part in the last score; they sum to 1
	explain(i int) (value, expected float64, direction string)
	bands(watched []slot) map[string]plant.Band
}

// traits are what does not change about a judge.
type traits struct {
	id       string // of the bundle, or plant.LearnedModel
	detector string
	tags     []int32 // features: positions among the watched tags
	limit    float64 // decades beyond which a row counts
	guess    bool    // the limit lies beyond the calibration rows
}

// blind reports whether too few of the tags have a value of their own.
func blind(tags []int32, ok []bool) bool {
	masked := 0
	for _, t := range tags {
		if !ok[t] {
			masked++
		}
	}
	return 3*masked > len(tags)
}

// direction names the way in which a scaled value differs from what is expected:
// diff is that of its mean, sd its standard deviation.
func direction(diff, sd float64) string {
	switch {
	case math.Abs(diff) < 1 && sd > 2:
		return "noisy"
	case math.Abs(diff) < 1 && sd < 0.1:
		return "frozen"
	case diff < 0:
		return "low"
	}
	return "high"
}

// farthest keeps what people are shown finite, whatever a PLC sends.
const farthest = 1e12

// learned is what the asset has learned of the present mode; without a model it
// says nothing.
type learned struct {
	model  *model
	window window
	last   score
}

func (l *learned) traits() traits {
	return traits{plant.LearnedModel, anomalyKey, l.model.tags, l.model.limit, l.model.guess}
}

func (l *learned) push(x []float64, ok []bool) bool {
	if blind(l.model.tags, ok) {
		l.window.restart()
		return false
	}
	l.model.push(&l.window, x, ok)
	return true
}

func (l *learned) full() bool { return l.model != nil && l.window.full() }

func (l *learned) score() float64 {
	l.last = l.model.judge(&l.window)
	return l.last.decades
}

func (l *learned) share(part []float64) { l.model.share(&l.window, &l.last, part) }

func (l *learned) explain(i int) (value, expected float64, direction string) {
	return l.model.explain(&l.window, i)
}

func (l *learned) bands(watched []slot) map[string]plant.Band { return l.model.bands(watched) }
