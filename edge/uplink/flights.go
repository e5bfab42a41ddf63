package uplink

import (
	"math/rand/v2"
	"time"

	"millwright/edge/queue"
	"millwright/sparkplug"
)

// When a record is sent again, and how much may be on its way.
const (
	firstTimeout = 10 * time.Second // before anything was answered
	leastTimeout = 5 * time.Second
	mostTimeout  = 60 * time.Second
	mostDoubled  = 5 * time.Minute
	mostSends    = 20

	firstWindow = 8 // records of the backlog on their way
	mostWindow  = 256
	// findings are few and urgent, and yet there may be thousands after a night.
	findingsWindow = 64
	mostBytes      = 4 << 20
	// A historian answers telemetry five times a second at most, so that a time
	// below this says nothing about how busy it is.
	calm    = 600 * time.Millisecond
	toolong = 2 * time.Second

	// Beyond this many records without an answer the oldest are forgotten; the
	// backlog brings them back.
	mostFlights = 100_000
)

// key names a record.
type key struct{ epoch, number uint64 }

// flight is a record that was published and is not settled.
type flight struct {
	lane     queue.Lane
	sends    int
	sent     time.Time // last send
	due      time.Time
	bytes    int
	replay   bool
	waiting  bool   // on its way, neither answered nor overdue
	answered uint64 // answers seen when it was first sent
}

// flights is the book of what waits for its answer. It belongs to one goroutine
// and reads no clock.
type flights struct {
	delivery  Delivery
	list      map[key]*flight
	aside     map[key]bool // quarantined
	published []sparkplug.Span
	smooth    time.Duration // time from publish to acknowledgement
	least     time.Duration
	answered  uint64           // records acknowledged
	window    int              // of replayed telemetry
	replays   [queue.Lanes]int // on their way, by lane
	bytes     [queue.Lanes]int // of those
}

func (f *flights) init() {
	if f.list == nil {
		f.list, f.aside, f.window = map[key]*flight{}, map[key]bool{}, firstWindow
	}
}

// send notes a send and says whether it was the record's first.
func (f *flights) send(k key, lane queue.Lane, bytes int, replay bool, now time.Time) (first bool) {
	x := f.list[k]
	if x == nil {
		if len(f.list) >= mostFlights {
			f.forget()
		}
		x = &flight{lane: lane, answered: f.answered}
		f.list[k] = x
		first = true
	}
	f.land(x)
	x.sends++
	x.sent, x.due = now, now.Add(f.timeout(x.sends))
	x.bytes, x.replay, x.waiting = bytes, replay, true
	f.count(x, 1)
	return first
}

// count takes a replay into the window (n = 1) or out of it (-1).
func (f *flights) count(x *flight, n int) {
	if !x.replay {
		return
	}
	f.replays[x.lane] += n
	f.bytes[x.lane] += n * x.bytes
}

// land takes a flight out of the window.
func (f *flights) land(x *flight) {
	if x.waiting {
		f.count(x, -1)
	}
	x.waiting = false
}

func (f *flights) forget() {
	for k, x := range f.list {
		f.land(x)
		delete(f.list, k)
		return
	}
}

// timeout is when a record is due again after its n-th send, ±20 %.
func (f *flights) timeout(n int) time.Duration {
	t := firstTimeout
	if f.smooth > 0 {
		t = min(max(4*f.smooth, leastTimeout), mostTimeout)
	}
	for ; n > 1 && t < mostDoubled; n-- {
		t *= 2
	}
	t = min(t, mostDoubled)
	return t - t/5 + rand.N(2*t/5)
}

// busy reports whether the record is on its way or set aside.
func (f *flights) busy(k key) bool {
	if f.aside[k] {
		return true
	}
	x := f.list[k]
	return x != nil && x.waiting
}

// room reports whether another replay of the lane may go out.
func (f *flights) room(lane queue.Lane) bool {
	if f.delivery == ByState { // nobody answers, so nothing says how much is too much
		return len(f.list) < mostFlights
	}
	switch lane {
	case queue.Findings, queue.Audit:
		return f.replays[lane] < findingsWindow
	case queue.Waveforms:
		return f.replays[lane] < firstWindow && f.bytes[lane] < mostBytes
	}
	return f.replays[lane] < f.window && f.bytes[lane] < mostBytes
}

// acked notes an acknowledgement. The window grows by what was answered in good
// time and is halved, once for an answer, when something took too long.
func (f *flights) acked(epoch uint64, spans []sparkplug.Span, now time.Time) {
	slow, grow := false, 0
	for k, x := range f.list {
		if k.epoch != epoch || !sparkplug.Contains(spans, k.number) {
			continue
		}
		f.answered++
		if x.waiting && x.sends == 1 { // a second send's answer may belong to the first
			slow = f.measure(now.Sub(x.sent)) || slow
		}
		if x.replay {
			grow++
		}
		f.land(x)
		delete(f.list, k)
	}
	if slow {
		f.window = max(f.window/2, firstWindow)
	} else {
		f.window = min(f.window+grow, mostWindow)
	}
	for k := range f.aside {
		if k.epoch == epoch && sparkplug.Contains(spans, k.number) {
			delete(f.aside, k)
		}
	}
}

// measure takes the time from publish to answer and says whether it was long.
func (f *flights) measure(d time.Duration) (slow bool) {
	if f.smooth == 0 {
		f.smooth, f.least = d, d
	}
	f.smooth += (d - f.smooth) / 8
	f.least = min(f.least, d)
	return d > toolong || d > max(3*f.least, calm)
}

// expire marks what is overdue, so that the backlog brings it again, and says
// which lanes have some. What was sent too often without an answer while others
// were answered is set aside and returned.
func (f *flights) expire(now time.Time) (lanes [queue.Lanes]bool, aside []key) {
	lost := false
	for k, x := range f.list {
		if !x.waiting || now.Before(x.due) {
			continue
		}
		lost = lost || x.replay
		f.land(x)
		if x.sends >= mostSends && f.answered > x.answered {
			f.setAside(k)
			aside = append(aside, k)
			continue
		}
		lanes[x.lane] = true
	}
	if lost {
		f.window = max(f.window/2, firstWindow)
	}
	return lanes, aside
}

// stood takes out, by epoch, what was published before t and has been on its way
// ever since.
func (f *flights) stood(t time.Time) map[uint64][]sparkplug.Span {
	var out map[uint64][]sparkplug.Span
	for k, x := range f.list {
		if !x.waiting || !x.sent.Before(t) {
			continue
		}
		if out == nil {
			out = map[uint64][]sparkplug.Span{}
		}
		out[k.epoch] = sparkplug.AddSpan(out[k.epoch], sparkplug.Span{First: k.number, Last: k.number})
		f.land(x)
		delete(f.list, k)
	}
	return out
}

func (f *flights) setAside(k key) {
	if x := f.list[k]; x != nil {
		f.land(x)
		delete(f.list, k)
	}
	f.aside[k] = true
}

// reset makes everything due: the connection that carried it is gone.
func (f *flights) reset() {
	for _, x := range f.list {
		f.land(x)
	}
	f.window = firstWindow
}

// publish notes a number of this opening that goes out.
func (f *flights) publish(number uint64) {
	f.published = sparkplug.AddSpan(f.published, sparkplug.Span{First: number, Last: number})
}

// wasPublished reports whether all of the numbers have gone out.
func (f *flights) wasPublished(spans []sparkplug.Span) bool {
	for _, s := range spans {
		if !sparkplug.ContainsSpan(f.published, s) {
			return false
		}
	}
	return true
}
