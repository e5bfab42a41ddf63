package collector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millwright/plant"
)

const (
	moveHold    = 30 * time.Second // after a move, before the next one for a better ServiceLevel
	moveConfirm = 2                // readings that say so
	lastTry     = 2 * time.Second  // for the way back to a server while a standby is ready
)

// errOutranked: the standby is in a better state than the server that is read.
var errOutranked = errors.New("the standby is in a better state")

// open gives a link with an active session: that of the standby where it is
// time for it, else to the server as before; same says that it is the old
// session.
//
// A hot standby is taken over as soon as the connection is lost: nothing is lost
// by it. A warm one has sampled nothing meanwhile; so the server is tried once
// more, whose queues may have it all.
func (e *engine) open(ctx context.Context) (l *link, same bool, err error) {
	if e.canMove() {
		s := e.standby
		e.standby = nil
		if p := s.take(ctx); p != nil {
			return p.link, false, e.adopt(p)
		}
	}
	if e.lost > 0 && e.standby != nil && e.standby.ready.Load() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lastTry)
		defer cancel()
	}
	return e.reach(ctx)
}

// canMove reports whether it is time for the standby. One without data is none.
// One that was not ready before the server was tried last has seen no more than
// the server would have: that is tried first.
func (e *engine) canMove() bool {
	if e.standby == nil {
		return false
	}
	s := e.standby.ready.Load()
	switch {
	case s == nil || rank(s.level) < 2 || s.since.After(e.attempt):
		return false
	case e.moving || e.lost > 1:
		return true
	}
	return e.lost == 1 && s.mode == StandbyHot
}

// parted notes that a connection ended, or was not made.
func (e *engine) parted(err error) {
	if errors.Is(err, errRenewed) || errors.Is(err, errMoved) {
		return // wanted, and the standby would have to do it too
	}
	e.lost++
	e.moving = errors.Is(err, errOutranked)
	state := "down"
	if e.moving {
		state = "left"
	}
	e.tellServer(-1, state, err, false)
}

// adopt makes the standby the server that is read. What stands at the one before
// is left for the next standby to clear away.
func (e *engine) adopt(p *prepared) error {
	e.log.Warn("fail-over", "from", e.hosts[e.at].url, "to", e.hosts[p.at].url, "standby", p.mode, "service_level", p.level)
	e.left = left{at: e.at, session: e.session, sub: e.sub.id}
	e.turn(p.at)
	e.sec = p.sec
	e.session, e.sub, e.mute = p.session, subscription{}, 0
	e.refusal, e.stuck = 0, 0
	if e.items.bound(p.nodes) {
		e.items = p.items
	} else {
		e.items = e.items.unmade()
	}
	e.moved, e.adopted = true, p
	e.lastMove, e.lower = time.Now(), 0
	e.tr.succeed(time.Now().UnixNano() + p.now)
	e.succeedHoles(p.peer.started)
	return e.trust(p.judged)
}

// turn makes another server the one that is read.
func (e *engine) turn(at int) {
	e.at = at
	h := e.hosts[at]
	e.limits, e.pace, e.hash = h.limits, h.pace, e.hashOf(h.url)
}

// succeedHoles says of the history of another server what is known: which tags
// have one has to be asked anew, and it does not go on across a start of this
// server. A hole with two such cuts is declared.
func (e *engine) succeedHoles(started int64) {
	b := &e.back
	clear(b.access)
	b.asked = 0
	if e.src.Budget.NoHistory {
		b.without()
	}
	for _, h := range b.holes {
		switch {
		case h.done() || started != 0 && (started <= h.from || started >= h.to):
		case started != 0 && h.cut == 0:
			h.cut = plant.Millis(started)
		default:
			h.keep(e.src.committed.Load())
			h.dirty = true
			b.touched, b.waiting = append(b.touched, h), true
			b.batch.Gaps = h.give(b.batch.Gaps, e.src.Tags[h.tag].ID)
		}
	}
}

// levels reads how the server stands, where there is another one.
func (p *pump) levels(ctx context.Context) {
	tick := time.NewTicker(levelTime)
	defer tick.Stop()
	for {
		x, err := p.link.standing(ctx)
		select {
		case p.answers <- answer{kind: gotLevel, standing: x, err: err}:
		case <-ctx.Done():
			return
		default: // the values are not taken; the next one will do
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// leveled compares the server with its standby. That it does not answer is the
// heartbeat's to judge.
func (p *pump) leveled(a answer) error {
	if a.err != nil {
		return nil
	}
	p.tellServer(int(a.standing.level), "active", nil, true)
	if p.standby == nil {
		return nil
	}
	s := p.standby.ready.Load()
	if s == nil || !better(s.level, a.standing.level) {
		p.lower = 0
		return nil
	}
	if p.lower++; p.lower < moveConfirm || time.Since(p.lastMove) < moveHold {
		return nil
	}
	return fmt.Errorf("%w: its ServiceLevel is %d, here it is %d", errOutranked, s.level, a.standing.level)
}

// tellServer puts the state of the server that is read on the board.
func (e *engine) tellServer(level int, state string, err error, active bool) {
	if len(e.hosts) < 2 {
		return
	}
	why := ""
	if err != nil {
		why = err.Error()
	}
	if e.src.servers.set(e.at, func(x *plant.ServerStatus) {
		x.ServiceLevel, x.State, x.Reason, x.Active = level, state, why, active
	}) {
		e.src.board.tell()
	}
}

// succeed prepares for the values of another server; now is its time, ns UTC.
func (t *translator) succeed(now int64) {
	t.present = now
	clear(t.overlap)
}

// repeated reports whether a value of the server that took over is one that the
// server before it has given already. Its queue holds the values around the
// change; and where it goes back that far, nothing is missing in between. Only
// that a value is no longer good is passed on, with the time that it has.
//
// A tag whose last value lies in the future of this server has its time from
// another clock: then nothing of it is a repetition.
func (t *translator) repeated(i int, at int64, good bool) bool {
	if t.reason[i] != failedOver || at > t.last[i] || t.last[i] > t.present {
		return false
	}
	t.overlap[i] = true
	return at < t.last[i] || good
}
