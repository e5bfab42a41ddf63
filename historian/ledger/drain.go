package ledger

import "time"

// drain follows how fast a backlog becomes less.
type drain struct {
	seen   bool
	at     time.Time
	left   uint64
	perSec float64 // values a second that it becomes less by; negative: it grows
}

const (
	drainStep   = 10 * time.Second // shorter spans say little
	drainSmooth = 0.4              // share of the newest span
	littleLeft  = 5_000            // values: what is always under way
)

// see takes how many values are under way now.
func (d *drain) see(left uint64, now time.Time) {
	if !d.seen {
		*d = drain{seen: true, at: now, left: left}
		return
	}
	span := now.Sub(d.at)
	if span < drainStep {
		return
	}
	rate := (float64(d.left) - float64(left)) / span.Seconds()
	if d.perSec == 0 {
		d.perSec = rate
	}
	d.perSec += drainSmooth * (rate - d.perSec)
	d.at, d.left = now, left
}

// doneIn is about how many seconds are left: 0 where there is no backlog, -1 where
// it is not known or grows.
func (d *drain) doneIn() float64 {
	switch {
	case d.left < littleLeft:
		return 0
	case d.perSec <= 0:
		return -1
	}
	return float64(d.left) / d.perSec
}
