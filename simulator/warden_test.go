package simulator

import (
	"fmt"
	"slices"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

// warden watches a healthy mill: no value lies outside its tag's range, no limit is
// crossed for longer than its delay. It says each once.
type warden struct {
	mill   *Mill
	modes  map[string]bool // that came, "ASSET MODE"
	said   map[string]bool // tags
	last   []server.Value  // by tag
	mode   []string        // of each asset
	tagOf  []int           // of each asset's mode
	limits []watched
}

// watched is a limit of one of the mill's assets.
type watched struct {
	plant.Limit
	asset, tag int // indices
	before     float64
	over       time.Duration
}

func newWarden(m *Mill) *warden {
	w := &warden{mill: m, modes: map[string]bool{}, said: map[string]bool{}, last: make([]server.Value, len(m.works.Tags)),
		mode: make([]string, len(m.works.Assets)), tagOf: make([]int, len(m.works.Assets))}
	index := map[string]int{}
	for i, tag := range m.works.Tags {
		index[tag.Path] = i
	}
	for i := range m.works.Assets {
		a := &m.works.Assets[i]
		w.tagOf[i] = index[a.ModeTag]
		for _, l := range a.Limits {
			w.limits = append(w.limits, watched{Limit: l, asset: i, tag: index[l.Tag]})
		}
	}
	return w
}

// look gives what is wrong after a step with these values.
func (w *warden) look(vals []server.Value) (wrong []string) {
	m := w.mill
	for _, v := range vals {
		w.last[v.Var] = v
	}
	for i := range w.mode {
		if now := w.last[w.tagOf[i]].Text; now != w.mode[i] {
			w.mode[i] = now
			w.modes[m.works.Assets[i].Path+" "+now] = true
		}
	}
	say := func(tag, format string, args ...any) {
		if !w.said[tag] {
			w.said[tag] = true
			wrong = append(wrong, fmt.Sprintf("%v: %s ", m.Now(), tag)+fmt.Sprintf(format, args...))
		}
	}
	for i := range m.channels {
		c := &m.channels[i]
		if c.Value == nil || c.low >= c.high {
			continue
		}
		pyrometer := c.unit == "°C" && c.low >= 300 // shows the end of its range where nothing glows
		room := (c.high - c.low) / 200              // around a zero
		if *c.Value < c.low-room && !pyrometer || *c.Value > c.high {
			say(c.path, "is %v, its range ends at %v and %v", *c.Value, c.low, c.high)
		}
	}
	for i := range w.limits {
		l := &w.limits[i]
		x := w.last[l.tag].Number
		over := x > l.Value
		switch l.Kind {
		case plant.LimitLow, plant.LimitLowLow:
			over = x < l.Value
		case plant.LimitRate:
			over = (x-l.before)/m.StepTime().Seconds() > l.Value
		}
		l.before = x
		if !over || len(l.Modes) > 0 && !slices.Contains(l.Modes, w.mode[l.asset]) {
			l.over = 0
		} else if l.over += m.StepTime(); l.over > l.Delay {
			say(l.Tag, "is %v in mode %s, limit %s %v", x, w.mode[l.asset], l.Kind, l.Value)
		}
	}
	return wrong
}
