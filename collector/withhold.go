package collector

import (
	"math"
	"time"

	"github.com/gopcua/opcua/ua"
)

// guard says whether values of a tag are taken.
type guard uint8

const (
	gateOpen   guard = iota // its node is the one that it was
	gateDoubt               // its node may be another: values wait until it has been looked at
	gateClosed              // its node is another: values are dropped until an engineer says what it is
)

const (
	// withheldBatch is the number of the batch of a notification whose values wait:
	// it is never durable, so that it is not acknowledged.
	withheldBatch = math.MaxUint64

	// mostWithheld bounds the values that wait here, some 400 B each. More wait at
	// the server.
	mostWithheld = 50_000

	// OPC 10000-4, 7.39.1: the meaning or the structure of the value has changed.
	semanticsChanged = 0x4000
	structureChanged = 0x8000

	closedSpan = int64(time.Minute)
)

// withheld is a value that waits until its node has been looked at.
type withheld struct {
	v       *ua.DataValue
	arrived int64
	cycle   uint64
}

// gate decides about values before they are translated.
type gate struct {
	guard    []guard
	back     map[int][]withheld // by position of the tag
	waiting  int                // values in back, by their weight
	alarmed  []int              // tags whose values say that they mean something else now
	passing  bool               // values come out of back
	refused  uint64             // values of closed tags
	withheld bool               // of the notification in hand
}

func newGate(tags int) gate {
	return gate{guard: make([]guard, tags), back: map[int][]withheld{}}
}

// stop reports whether the value of tag i is not to be taken now.
func (t *translator) stop(i int, v *ua.DataValue, arrived int64) bool {
	g := &t.gate
	if g.passing {
		return false
	}
	if uint32(v.Status)&(semanticsChanged|structureChanged) != 0 {
		g.alarmed = append(g.alarmed, i)
		if g.guard[i] == gateOpen {
			g.guard[i] = gateDoubt
		}
	}
	if g.guard[i] == gateOpen {
		return false
	}
	if g.guard[i] == gateClosed {
		t.shut(i, v, arrived)
		return true
	}
	g.back[i] = append(g.back[i], withheld{v, arrived, t.cycle})
	g.waiting += weight(v)
	g.withheld = true
	return true
}

// shut drops a value. The gap so far is declared every minute: it may last for weeks.
func (t *translator) shut(i int, v *ua.DataValue, arrived int64) {
	t.gate.refused++
	at := sourceTime(v, arrived)
	if t.last[i] == noTime {
		return // nothing was ever taken of it
	}
	if at < t.last[i] {
		t.open(i, quarantined)
		t.setBack(t.tags[i].ID, i, at, arrived)
		t.last[i] = at
		return
	}
	if why := t.reason[i]; why != noGap && !why.ofIdentity() {
		t.close(i, at)
		t.last[i] = max(t.last[i], at-oneMilli)
	}
	if t.open(i, quarantined) {
		t.dirty = true
	} else if at < t.last[i]+closedSpan {
		return
	}
	t.lose(i, at+oneMilli, t.reason[i])
	t.last[i] = at
}

// endValidity declares the ms after the last value of a tag that is closed: from
// there on models have none of it, whether another comes or not.
func (t *translator) endValidity(i int) {
	if t.last[i] == noTime {
		return
	}
	t.lose(i, t.last[i]+2*oneMilli, quarantined)
	t.last[i] += oneMilli
	if t.open(i, quarantined) {
		t.dirty = true
	}
}

// pass translates what waits of tag i, into the batch in the making.
func (t *translator) pass(i int) {
	waiting := t.gate.take(i)
	cycle := t.cycle
	t.gate.passing = true
	for _, w := range waiting {
		t.cycle = w.cycle
		t.take(i, w.v, w.arrived)
	}
	t.gate.passing = false
	t.cycle = cycle
}

// latest translates the value that a node had when it was looked at, unless one has
// come by the subscription: the others come after it, and those under way would
// be taken for known if this one overtook them.
func (t *translator) latest(i int, v *ua.DataValue) {
	arrived := time.Now().UnixNano()
	if v == nil || t.last[i] != noTime && t.reason[i] == noGap {
		return
	}
	t.gate.passing = true
	t.take(i, v, arrived)
	t.gate.passing = false
}

// refuse drops what waits of tag i, which is closed.
func (t *translator) refuse(i int) {
	for _, w := range t.gate.take(i) {
		t.shut(i, w.v, w.arrived)
	}
}

// weight is how many single values a value counts for: an array takes their memory.
// So does a long text, and a structure.
func weight(v *ua.DataValue) int {
	const each = 400 // bytes
	if v.Value == nil {
		return 1
	}
	n := 1 + int(v.Value.ArrayLength())/50
	switch x := v.Value.Value().(type) {
	case string:
		n += len(x) / each
	case *ua.LocalizedText:
		if x != nil {
			n += len(x.Text) / each
		}
	case []string:
		for _, s := range x {
			n += len(s) / each
		}
	case *ua.ExtensionObject:
		if x == nil {
			break
		}
		if raw, ok := x.Value.(*rawBody); ok {
			n += len(raw.bytes) / each
		}
	}
	return n
}

// take removes what waits of tag i.
func (g *gate) take(i int) []withheld {
	w := g.back[i]
	delete(g.back, i)
	for i := range w {
		g.waiting -= weight(w[i].v)
	}
	return w
}

// forget drops all that waits: it came of a subscription that is no more, and the
// gap since the values before is open.
func (g *gate) forget() {
	clear(g.back)
	g.waiting = 0
}
