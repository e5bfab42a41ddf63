package detect

import (
	"slices"
	"time"

	"millwright/plant"
)

// rows of the slope that a rate limit looks at, where its delay does not say.
const (
	slopeRows    = 10
	slopeMaxRows = 60
)

// limit watches one tag against a fixed number.
type limit struct {
	plant.Limit
	slot  int
	key   string
	kind  string
	delay int64 // ns of source time
	open  bool
	since int64     // source time from which on the value says otherwise; 0: it does not
	past  []float64 // rate: ring of row values
	pastN int32
	next  int32
}

func newLimit(l plant.Limit, slot int, grid time.Duration, speed float64) limit {
	kinds := map[plant.LimitKind]string{
		plant.LimitHigh: plant.KindHigh, plant.LimitHighHigh: plant.KindHighHigh,
		plant.LimitLow: plant.KindLow, plant.LimitLowLow: plant.KindLowLow, plant.LimitRate: plant.KindRate,
	}
	w := limit{Limit: l, slot: slot, kind: kinds[l.Kind], key: "limit/" + l.Tag + "/" + string(l.Kind)}
	if w.Priority == 0 {
		w.Priority = 3
	}
	if l.Kind == plant.LimitRate {
		n := min(slopeMaxRows, max(slopeRows, int(l.Delay/grid)))
		w.past = make([]float64, n)
		if w.Deadband == 0 {
			w.Deadband = 0.2 * l.Value
		}
		return w
	}
	w.delay = int64(float64(l.Delay) / speed)
	return w
}

// applies reports whether the limit is active in a mode.
func (l *limit) applies(mode string) bool {
	return len(l.Modes) == 0 || slices.Contains(l.Modes, mode)
}

// beyond and back say on which side of the limit and its deadband v lies.
func (l *limit) beyond(v float64) bool {
	if l.Kind == plant.LimitLow || l.Kind == plant.LimitLowLow {
		return v < l.Value
	}
	return v > l.Value
}

func (l *limit) back(v float64) bool {
	if l.Kind == plant.LimitLow || l.Kind == plant.LimitLowLow {
		return v >= l.Value+l.Deadband
	}
	return v <= l.Value-l.Deadband
}

// look takes a value at a source time and says what changes, if anything. The
// delay holds for the return as well, so that noise about the limit is one alarm.
// In a mode that it does not apply to, a limit rests: it neither raises nor
// clears, since a machine at rest shows nothing.
func (l *limit) look(t int64, v float64, applies bool) (plant.Phase, bool) {
	turning := l.open && l.back(v) || !l.open && l.beyond(v)
	if !applies || !turning {
		l.since = 0
		return "", false
	}
	if l.since == 0 {
		l.since = t
	}
	if t-l.since < l.delay {
		return "", false
	}
	l.open, l.since = !l.open, 0
	if l.open {
		return plant.Raise, true
	}
	return plant.Clear, true
}

// slope takes a row's value; ok is false until enough rows are known. It is the
// least-squares slope per row, which bears noise that a difference does not.
func (l *limit) slope(v float64) (perRow float64, ok bool) {
	n := len(l.past)
	l.past[l.next] = v
	l.next = (l.next + 1) % int32(n)
	if int(l.pastN) < n {
		l.pastN++
	}
	if int(l.pastN) < n {
		return 0, false
	}
	mid := float64(n-1) / 2
	var xy, xx float64
	for i := range n {
		x := float64(i) - mid
		xy += x * l.past[(int(l.next)+i)%n]
		xx += x * x
	}
	return xy / xx, true
}
