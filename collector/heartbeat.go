package collector

import (
	"context"
	"fmt"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	beatTime    = 5 * time.Second
	beatTimeout = 4 * time.Second
)

// beat is an answer to a heartbeat.
type beat struct {
	rtt  time.Duration
	time int64 // of the server, ns UTC; 0 unknown
}

// beats reads the server's clock now and then: it measures the way, and tells a
// server whose session or data engine is dead although its stack answers.
func (p *pump) beats(ctx context.Context) {
	t := time.NewTicker(beatTime)
	defer t.Stop()
	now := ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime)
	for {
		begin := time.Now()
		v, err := p.link.read(ctx, beatTimeout, ua.AttributeIDValue, now)
		if err == nil {
			err = p.recheck()
		}
		a := answer{kind: gotBeat, err: err}
		if err == nil {
			a.beat = &beat{rtt: time.Since(begin)}
			if at, ok := good[time.Time](v[0]); ok {
				a.beat.time = at.UnixNano()
			}
		}
		select {
		case p.answers <- a:
		case <-ctx.Done():
			return
		default: // the values are not taken; the read has kept the session alive
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *pump) beaten(a answer) error {
	if a.err != nil {
		if refusedService(a.err) && !sessionGone(a.err) {
			return nil // a server that does not let us read its clock is alive
		}
		return fmt.Errorf("heartbeat: %w", a.err)
	}
	p.alive = true
	if a.beat.rtt < p.rtt || p.rtt == 0 {
		p.rtt = a.beat.rtt
	} else {
		p.rtt += (a.beat.rtt - p.rtt) / 4 // a busy moment of the server is not the way
	}
	if a.beat.time != 0 && a.beat.time == p.clock {
		p.frozen++
	} else {
		p.frozen = 0
	}
	p.clock = a.beat.time
	if p.frozen == 2 {
		p.src.board.set(plant.Stale, "the server's clock stands still")
	}
	return nil
}
