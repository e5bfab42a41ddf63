package uplink

import (
	"math/rand/v2"
	"time"

	"millwright/edge/queue"
)

// chunk is how many records are read from the backlog at once.
const chunk = 16

// Pacing of the backlog.
const (
	leastRate  = 2000.0 // samples a second
	timesLive  = 20.0   // times the edge's own rate of live samples
	burst      = 10 * leastRate
	mostDelay  = 5 * time.Second // before the first replay after births
	fullDelay  = 1 << 20         // bytes of backlog from which on the delay is drawn up to mostDelay
	sweepEvery = 5 * time.Second // records that were neither offered nor sent are found by then
	quickSweep = time.Second     // the same in the lane of findings
)

// sweep walks over the unsettled records of one lane, oldest first or newest first,
// and passes over those that are on their way.
type sweep struct {
	lane   queue.Lane
	newest bool
	pos    queue.Pos
	buf    []queue.Record
	active bool
	ended  time.Time
}

// start goes back to the first record.
func (w *sweep) start() { *w = sweep{lane: w.lane, newest: w.newest, active: true} }

// next returns the next record to be sent, or nil at the end.
func (w *sweep) next(q *queue.Queue, f *flights, now time.Time) (*queue.Record, error) {
	for w.active {
		for len(w.buf) > 0 {
			r := &w.buf[0]
			if !f.busy(key{r.Epoch, r.Number}) {
				return r, nil
			}
			w.buf = w.buf[1:]
		}
		walk := q.Backlog
		if w.newest {
			walk = q.Newest
		}
		list, pos, err := walk(w.lane, w.pos, chunk)
		if err != nil {
			return nil, err
		}
		w.buf, w.pos = list, pos
		if len(list) == 0 {
			w.active, w.ended = false, now
		}
	}
	return nil, nil
}

// pace is a token bucket of samples.
type pace struct {
	tokens float64
	at     time.Time
}

// allow reports whether n samples may go out and takes them. A bucket that
// holds anything lets one message out: a message larger than the bucket would
// wait for ever.
func (p *pace) allow(n int, live float64, now time.Time) bool {
	perSecond := max(leastRate, timesLive*live)
	if p.at.IsZero() {
		p.tokens = burst
	} else {
		p.tokens = min(max(burst, perSecond), p.tokens+perSecond*now.Sub(p.at).Seconds())
	}
	p.at = now
	if p.tokens <= 0 {
		return false
	}
	p.tokens -= float64(n)
	return true
}

// replayShare is the part of a link that replay may take together with what is
// live.
const replayShare = 0.8

// budget is a token bucket of bytes for a link of known speed. Every message takes
// from it, live ones also what is not there; replay waits until something is.
type budget struct {
	perSecond float64 // 0: the link is not known, nothing waits
	tokens    float64
	at        time.Time
}

func (b *budget) spend(n int) { b.tokens -= float64(n) }

// left reports whether replay may go out. At most half a second is saved up, and a
// debt of more than two is forgiven.
func (b *budget) left(now time.Time) bool {
	if b.perSecond == 0 {
		return true
	}
	if !b.at.IsZero() {
		b.tokens += b.perSecond * now.Sub(b.at).Seconds()
	}
	b.tokens = min(max(b.tokens, -2*b.perSecond), b.perSecond/2)
	b.at = now
	return b.tokens > 0
}

// delay is how long an edge waits after its births before it replays, so that a
// hundred edges do not start in step: up to 5 s, less for a small backlog.
func delay(backlog uint64) time.Duration {
	most := time.Duration(float64(mostDelay) * min(1, float64(backlog)/fullDelay))
	if most <= 0 {
		return 0
	}
	return rand.N(most)
}
