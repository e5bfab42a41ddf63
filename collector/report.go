package collector

import (
	"time"

	"millwright/plant"
)

// report brings the figures of the connection up to date. All but the round trip
// and the window count since Run began.
func (p *pump) report(now time.Time) {
	holes := 0
	for _, h := range p.back.holes {
		if !h.done() {
			holes++
		}
	}
	stale, first := p.stale(now)
	if stale != p.silent {
		p.log.Info("cyclic tags that are silent although the connection lives", "count", stale, "first", first)
		p.silent = stale
	}
	sent, connects := p.pace.counts()
	p.src.board.update(false, func(s *plant.PLCStatus) {
		s.Holes, s.Backfilled = holes, p.back.received
		s.RTTMS = float64(p.window.rtt.Microseconds()) / 1000
		s.InFlight, s.Window = p.outstanding, p.window.size(p.sub.publishing)
		s.SequenceGaps, s.Republished = p.gaps, p.repeated
		s.Stale, s.StaleTags = stale, first
		s.Requests, s.Connects = sent, connects
	})
}

// fail notes why a connection ended or was not made.
func (e *engine) fail(err error) {
	sent, connects := e.pace.counts()
	at := time.Now().UnixNano()
	e.src.board.update(false, func(s *plant.PLCStatus) {
		s.LastError, s.LastErrorAt = err.Error(), at
		s.InFlight, s.Window, s.RTTMS, s.ValuesS = 0, 0, 0, 0
		s.Stale, s.StaleTags = 0, nil
		s.Requests, s.Connects = sent, connects
	})
}
