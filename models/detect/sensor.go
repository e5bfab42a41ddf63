package detect

import (
	"math"
	"time"

	"millwright/plant"
)

// fault is a way in which a sensor lies.
type fault uint8

// Faults, in the order in which they are reported.
const (
	faultBad fault = iota
	faultSilent
	faultFlat
	faultStuck
	faultSpike
	faultRange
	faultRate
	faults
)

// law of a fault: rows that its condition must hold, rows of rest before it
// clears (faults that come in bursts are one finding), and rows after the last
// sign of it for which the tag is masked.
type law struct {
	kind, detector   string
	need, rest, mask int32
}

func (f fault) law() law {
	switch f {
	case faultBad:
		return law{plant.KindBad, "bad", 2, 120, 1} // one row later it may be all tags: the link
	case faultSilent:
		return law{plant.KindDropout, "dropout", 2, 60, 1}
	case faultFlat:
		return law{plant.KindFlat, "flat", 1, 3, 3}
	case faultStuck:
		return law{plant.KindStuck, "stuck", 1, 3, 3}
	case faultSpike:
		return law{plant.KindSpike, "spike", 1, 300, 0} // masked by its excursion
	case faultRange:
		return law{plant.KindRange, "range", 3, 30, 10}
	}
	return law{plant.KindRange, "rate", 1, 60, 30}
}

const (
	history       = 21  // rows that a spike is compared with
	spikeWidth    = 8   // in robust standard deviations
	spikeRipple   = 8   // in mean changes between rows
	spikeWild     = 1.5 // in the widest excursion of the commissioning
	spikeRows     = 3   // rows after which an excursion is no spike but a change
	doubtRows     = 5   // rows of standstill from which on a value is not believed
	flatRows      = 30  // fewest rows that make a flat line, after commissioning
	flatLearning  = 300 // and before, when nobody knows how still the tag can be
	rangeMargin   = 0.02
	uncertainRows = 3
	silentRows    = 10 // recordings: rows without a value
	silentTime    = 10 * time.Second
)

// sensor is the state of the checks of one watched tag.
type sensor struct {
	past      [history]float64 // accepted values
	pastN     int32
	pastNext  int32
	ripple    float64 // weighted mean of the change between rows
	before    float64 // value of the row before
	wild      float64 // widest distance from the rows before while commissioning
	run       int32   // rows without a change
	runFresh  int32   // of which had a sample
	longest   int32   // longest run while commissioning
	excursion int32   // rows outside
	outside   bool    // this row lies far from the rows before
	middling  float64 // middle of the rows before, as of the last look at a row for its distance
	peak      float64 // farthest distance from it in the excursion
	sudden    bool    // the excursion began in one row, from near the middle
	jump      bool    // the excursion began faster than the quantity can move
	doubt     bool    // stands stiller than it ever did, not long enough to say so
	active    [faults]int32
	calm      [faults]int32
	open      [faults]bool
}

// check takes one row of the tag. step: seconds of plant time since the row before that
// anything arrived in; judged: the machine runs in a settled mode; learned:
// commissioning is over.
func (c *sensor) check(s *slot, step float64, judged, learned, linkDown bool) {
	t := &s.tag
	c.note(faultBad, !linkDown && (s.bad > 0 || s.uncertain > uncertainRows))
	c.note(faultSilent, !linkDown && s.patience > 0 && s.silent >= s.patience)
	if !s.ok {
		c.run, c.runFresh = 0, 0
		c.pastN = 0
		c.outside, c.doubt, c.jump = false, false, false
		return
	}
	x := s.value
	span := t.High - t.Low
	c.note(faultRange, span > 0 && (x > t.High+rangeMargin*span || x < t.Low-rangeMargin*span))
	moved := math.Abs(x - c.before)
	if c.excursion == 0 {
		c.jump = judged && t.MaxRate > 0 && c.pastN > 0 && moved > t.MaxRate*step
	}

	if moved <= t.Resolution/2 {
		if judged && !ended(t, x) {
			c.run++
			if s.fresh > 0 {
				c.runFresh++
			}
		}
	} else {
		if !learned {
			c.longest = max(c.longest, c.run)
		}
		c.run, c.runFresh = 0, 0
	}
	if !judged { // a line stays flat through a pause, it only grows no longer
		c.pastN = 0
	}
	least := int32(flatRows)
	if !learned {
		least = flatLearning
	}
	c.doubt = learned && c.run >= max(doubtRows, 3*c.longest)
	flat := c.run >= max(least, 3*c.longest)
	stuck := 2*c.runFresh > c.run
	c.note(faultFlat, flat && !stuck)
	c.note(faultStuck, flat && stuck)

	c.outside = false
	if judged && c.pastN == history && moved > 0 || c.excursion > 0 {
		if moved > 3*c.ripple || c.excursion > 0 {
			mid, mad := c.middle()
			far := math.Abs(x - mid)
			if c.excursion == 0 {
				c.peak, c.sudden = 0, math.Abs(c.before-mid) < far/2
			}
			c.middling, c.peak = mid, max(c.peak, far)
			c.outside = far > max(spikeWidth*1.4826*mad, spikeRipple*c.ripple, spikeWild*c.wild, 3*t.Resolution, 1e-9*(1+math.Abs(mid)))
			if !learned && !c.outside {
				c.wild = max(c.wild, far)
			}
		}
	}
	c.before = x
}

// ended reports whether a value stands at an end of its range: a saturated
// sensor stands still as well, and its value says something about the machine.
func ended(t *plant.Tag, x float64) bool {
	return t.High > t.Low && (x >= t.High-t.Resolution || x <= t.Low+t.Resolution)
}

// settle ends the row for the spike check. alone: no other tag of the asset is
// outside, so that it is the sensor and not the machine. Tags that are sampled
// on both sides of a row's end show one shock in two rows, so the row of the
// return counts as well. fresh: the tag has a sample in the row. How much it moves from
// row to row is learned from those alone: a value that is late, or that the network
// held up, stands still without being still.
//
// A spike leaves what is usual in one row and comes back to it. What creeps over the
// line is on its way somewhere else: the rows before it follow until it is inside
// again, though it never came back.
func (c *sensor) settle(x float64, ok, fresh, alone bool) {
	spike, jump := false, false
	switch {
	case !ok:
		c.excursion = 0
	case c.outside && alone && c.excursion < spikeRows:
		c.excursion++
	case c.outside: // a step, or all of them together
		jump = c.jump
		c.excursion, c.pastN = 0, 0
	default:
		jump = c.jump && c.excursion == 0
		spike = c.excursion > 0 && alone && c.sudden && math.Abs(x-c.middling) < c.peak/2
		c.excursion = 0
	}
	c.note(faultSpike, spike)
	c.note(faultRate, jump)
	if ok && !c.outside {
		if c.pastN > 0 && fresh {
			last := c.past[(c.pastNext+history-1)%history]
			c.ripple += 0.05 * (math.Abs(x-last) - c.ripple)
		}
		c.past[c.pastNext] = x
		c.pastNext = (c.pastNext + 1) % history
		c.pastN = min(history, c.pastN+1)
	}
}

// note counts the rows with and without a fault's condition.
func (c *sensor) note(f fault, active bool) {
	if active {
		c.active[f]++
		c.calm[f] = 0
		return
	}
	c.active[f] = 0
	if c.calm[f] < 1<<30 {
		c.calm[f]++
	}
}

// masked reports whether the machine model must not see the value.
func (c *sensor) masked() bool {
	if c.excursion > 0 || c.doubt {
		return true
	}
	for f := range faults {
		if c.open[f] && c.calm[f] < f.law().mask {
			return true
		}
	}
	return false
}

// anyOpen reports whether a fault is reported.
func (c *sensor) anyOpen() bool {
	for _, o := range c.open {
		if o {
			return true
		}
	}
	return false
}

// middle is median and median absolute deviation of the accepted values.
func (c *sensor) middle() (mid, mad float64) {
	var a [history]float64
	copy(a[:], c.past[:])
	sortSmall(a[:])
	mid = a[history/2]
	for i := range a {
		a[i] = math.Abs(a[i] - mid)
	}
	sortSmall(a[:])
	return mid, a[history/2]
}

// sortSmall sorts a few values in place.
func sortSmall(a []float64) {
	for i := 1; i < len(a); i++ {
		v := a[i]
		j := i
		for j > 0 && a[j-1] > v {
			a[j] = a[j-1]
			j--
		}
		a[j] = v
	}
}
