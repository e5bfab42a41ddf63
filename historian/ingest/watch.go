package ingest

import (
	"context"
	"math/rand/v2"
	"time"

	"millwright/plant"
)

const (
	// edgePatience is how long an edge may be away before people are told: longer
	// than a restart or a reconnect takes.
	edgePatience = 15 * time.Second
	// For so long after the last sign of them these stand.
	twinStands   = 15 * time.Minute
	holeStands   = time.Hour
	unreadStands = 15 * time.Minute
)

// matter is what people are told of an edge: that it is away, that it is two
// boxes, that records of it are missing here, or that messages of it cannot be
// read. Its key is that of the condition in the alarm book.
type matter struct{ edge, key string }

// kinds of the conditions, by key.
func kindOf(key string) string {
	switch key {
	case "twin":
		return plant.KindTwin
	case "hole":
		return plant.KindHole
	case "unread":
		return plant.KindUnread
	}
	return plant.KindEdge
}

// watch raises an alarm for what people are to be told of edges, and clears it when
// that is over. Its findings are numbered like an edge's records, under the host's
// name.
type watch struct {
	g      *Ingest
	epoch  uint64
	number uint64
	told   map[matter]bool // the last word was a raise
}

func (a *watch) run(ctx context.Context) {
	a.epoch, a.told = 1+rand.Uint64N(1<<53-1), map[matter]bool{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for m, stands := range a.g.matters(now) {
				a.tell(ctx, m, stands, now)
			}
		}
	}
}

// tell says a change once. What the book refuses is said again a second later.
func (a *watch) tell(ctx context.Context, m matter, stands bool, now time.Time) {
	if told, known := a.told[m]; told == stands && known {
		return
	}
	f := plant.Finding{
		Asset: m.edge, Key: m.key, Kind: kindOf(m.key), Class: plant.SystemFault, Phase: plant.Clear,
		Detector: "historian", Priority: 2, Time: plant.Millis(now.UnixNano()),
	}
	if stands {
		f.Phase = plant.Raise
	}
	a.number++
	if err := a.g.Alarms.Apply(ctx, a.g.HostID, a.epoch, a.number, []plant.Finding{f}); err != nil {
		if ctx.Err() == nil {
			a.g.Log.Error("what is the matter with an edge is not in the alarm book", "edge", m.edge, "matter", m.key, "err", err)
		}
		return
	}
	a.told[m] = stands
}

// matters says of every edge what stands and what does not. An edge that is down,
// but not for longer than people should wait, is left out.
func (g *Ingest) matters(now time.Time) map[matter]bool {
	v, at := &g.view, now.UnixNano()
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make(map[matter]bool, 4*len(v.edges))
	for name, e := range v.edges {
		switch {
		case e.status.State != stateDown:
			out[matter{name, "edge"}] = false
		case at-e.status.Since > int64(edgePatience):
			out[matter{name, "edge"}] = true
		}
		out[matter{name, "twin"}] = e.twin != 0 && at-e.twin < int64(twinStands)
		out[matter{name, "hole"}] = e.hole != 0 && at-e.hole < int64(holeStands)
		_, _, last := g.unread.count(name)
		out[matter{name, "unread"}] = !last.IsZero() && now.Sub(last) < unreadStands
	}
	return out
}
