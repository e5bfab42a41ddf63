package ingest

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
)

// ledger is an alarm book that notes what it is told, or refuses it.
type ledger struct {
	said []plant.Phase
	err  error
}

func (l *ledger) Apply(_ context.Context, _ string, _, _ uint64, f []plant.Finding) error {
	if l.err != nil {
		return l.err
	}
	l.said = append(l.said, f[0].Phase)
	return nil
}

func (l *ledger) Committed(string, uint64) ([]sparkplug.Span, error) { return nil, nil }

func TestEdgeThatStaysAwayIsTold(t *testing.T) {
	book := &ledger{}
	g := &Ingest{HostID: "plant", Alarms: book, Log: slog.New(slog.DiscardHandler)}
	g.init()
	a := &watch{g: g, epoch: 1, told: map[matter]bool{}}
	start := time.Now()
	see := func(state string, since, now time.Duration, want ...plant.Phase) {
		t.Helper()
		g.view.edges["Works/hsm"] = &edgeView{status: plant.EdgeStatus{State: state, Since: start.Add(since).UnixNano()}}
		book.said = nil
		for m, stands := range g.matters(start.Add(now)) {
			if m.key == "edge" {
				a.tell(t.Context(), m, stands, start.Add(now))
			}
		}
		if len(book.said) != len(want) || len(want) == 1 && book.said[0] != want[0] {
			t.Errorf("%s since %v at %v: %v, want %v", state, since, now, book.said, want)
		}
	}
	// At first sight: an alarm of before a restart of this host must end.
	see(stateLive, 0, time.Second, plant.Clear)
	see(stateLive, 0, time.Minute)
	see(stateDown, time.Minute, time.Minute+10*time.Second)
	see(stateDown, time.Minute, time.Minute+16*time.Second, plant.Raise)
	see(stateDown, time.Minute, 2*time.Minute)
	book.err = errors.New("disk full")
	see(stateCatching, 3*time.Minute, 3*time.Minute)
	book.err = nil
	see(stateCatching, 3*time.Minute, 3*time.Minute+time.Second, plant.Clear)
}
