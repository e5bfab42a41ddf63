package collector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	holeTime     = 50 * time.Millisecond
	mostHoles    = 256 // messages asked for again one by one
	missedTime   = 5 * time.Second
	missedMargin = int64(time.Second)
)

// repair asks again for a message that is missing although later ones exist.
// It first waits a little, because another answer on its way may hold it.
func (p *pump) repair(ctx context.Context, now time.Time) error {
	if p.hole == 0 || p.asking || now.Sub(p.since) < max(holeTime, p.window.rtt) {
		return nil
	}
	p.gaps++ // answers that have overtaken each other are none
	if p.seq.span() > mostHoles {
		return p.miss(ctx, "the numbers jump too far", p.seq.jump)
	}
	p.asking = true
	n, id := p.hole, p.sub.id
	p.do(ctx, func() answer {
		m, err := republish(ctx, p.link, id, n)
		return answer{kind: gotRepublish, again: m, number: n, err: err}
	})
	return nil
}

func (p *pump) republished(ctx context.Context, a answer) error {
	p.asking = false
	switch {
	case a.err == nil:
		p.repeated++
		p.seq.add(a.again)
		return p.drain(ctx)
	case errors.Is(a.err, ua.StatusBadMessageNotAvailable):
		if n, ok := p.seq.missing(); !ok || n != a.number {
			return p.drain(ctx) // it came after all
		}
		return p.miss(ctx, "the server no longer holds it", p.seq.skip)
	}
	return fmt.Errorf("fetching notification %d again: %w", a.number, a.err)
}

// miss gives a message up: any tag may have lost values with it.
func (p *pump) miss(ctx context.Context, why string, skip func()) error {
	p.log.Warn("a notification is lost; gaps are declared", "number", p.seq.next, "why", why)
	p.openGaps(missedMessage)
	p.alarms.refresh.lost()
	p.missedAt = time.Now()
	p.missedTo = plant.Millis(max(p.newest, p.missedAt.UnixNano())+missedMargin) + oneMilli
	skip()
	if err := p.drain(ctx); err != nil || p.hole == 0 {
		return err
	}
	p.since = time.Time{} // what was under way has come by now: the next one is asked for at once
	return p.repair(ctx, p.missedAt)
}

// closeMissed declares the gaps of tags that have been silent since a message
// was lost. Whatever was in it was older than its neighbours.
func (e *engine) closeMissed(ctx context.Context, now time.Time) error {
	if e.missedAt.IsZero() || now.Sub(e.missedAt) < missedTime {
		return nil
	}
	e.missedAt = time.Time{}
	e.tr.begin()
	for i, why := range e.tr.reason {
		if why == missedMessage {
			e.tr.close(i, e.missedTo)
		}
	}
	e.holdAcks()
	if e.tr.batch.Empty() {
		return nil
	}
	return e.write(ctx)
}
