package collector

import (
	"context"
	"errors"
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
	for {
		begin := time.Now()
		at, err := p.link.clock(ctx)
		if err == nil {
			err = p.recheck()
		}
		a := answer{kind: gotBeat, err: err}
		if err == nil {
			a.beat = &beat{rtt: time.Since(begin), time: at}
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

// clock reads the server's time, ns UTC, 0 where it does not tell.
func (l *link) clock(ctx context.Context) (int64, error) {
	req := &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnNeither, NodesToRead: []*ua.ReadValueID{{
		NodeID: ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}}}}
	res, err := send[*ua.ReadResponse](ctx, l.channel, l.session.token, req, beatTimeout)
	if err != nil || len(res.Results) != 1 {
		return 0, err
	}
	t, ok := good[time.Time](res.Results[0])
	if !ok {
		return 0, nil
	}
	return instant(t), nil
}

func (p *pump) beaten(a answer) error {
	if a.err != nil {
		if refusedService(a.err) && !sessionGone(a.err) {
			return nil // a server that does not let us read its clock is alive
		}
		if late := time.Since(p.began) - time.Duration(p.spoke.Load()); errors.Is(a.err, ua.StatusBadTimeout) && p.spoken && late < p.deadline() {
			return nil // its answer waits behind values on a slow way
		}
		return fmt.Errorf("heartbeat: %w", a.err)
	}
	p.alive = true
	if w := &p.window; a.beat.rtt < w.rtt || w.rtt == 0 {
		w.rtt = a.beat.rtt
	} else {
		w.rtt += (a.beat.rtt - w.rtt) / 4 // a busy moment of the server is not the way
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
