package ingest

import (
	"context"
	"math/rand/v2"
	"time"

	"millwright/plant"
)

// edgePatience is how long an edge may be away before people are told: longer
// than a restart or a reconnect takes.
const edgePatience = 15 * time.Second

// absence raises an alarm for an edge that stays away and clears it when it is
// back. Its findings are numbered like an edge's records, under the host's name.
type absence struct {
	g      *Ingest
	epoch  uint64
	number uint64
	told   map[string]bool // by edge: the last word was a raise
}

func (a *absence) run(ctx context.Context) {
	a.epoch, a.told = 1+rand.Uint64N(1<<53-1), map[string]bool{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for edge, away := range a.g.view.away(now.UnixNano()) {
				a.tell(ctx, edge, away, now)
			}
		}
	}
}

// tell says a change once. What the book refuses is said again a second later.
func (a *absence) tell(ctx context.Context, edge string, away bool, now time.Time) {
	if told, known := a.told[edge]; told == away && known {
		return
	}
	f := plant.Finding{
		Asset: edge, Key: "edge", Kind: plant.KindEdge, Class: plant.SystemFault, Phase: plant.Clear,
		Detector: "historian", Priority: 2, Time: plant.Millis(now.UnixNano()),
	}
	if away {
		f.Phase = plant.Raise
	}
	a.number++
	if err := a.g.Alarms.Apply(ctx, a.g.HostID, a.epoch, a.number, []plant.Finding{f}); err != nil {
		if ctx.Err() == nil {
			a.g.Log.Error("the absence of an edge is not in the alarm book", "edge", edge, "err", err)
		}
		return
	}
	a.told[edge] = away
}

// away says of each edge whether it has been down for longer than people should
// wait. One that is down, but not for so long, is left out.
func (v *view) away(now int64) map[string]bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[string]bool{}
	for name, e := range v.edges {
		switch {
		case e.status.State != stateDown:
			out[name] = false
		case now-e.status.Since > int64(edgePatience):
			out[name] = true
		}
	}
	return out
}
