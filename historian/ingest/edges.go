package ingest

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"millwright/plant"
)

// States of an edge.
const (
	stateLive     = "live"
	stateCatching = "catching-up"
	stateDown     = "down"
)

const (
	// An edge is catching up for this long after its last historical message,
	replayShows = 2 * time.Second
	// and while its oldest record is older than this: a normal one waits for its
	// answer for less than a second.
	oldFor = 15 * time.Second
)

// view is what others may see of the edges.
type view struct {
	mu    sync.Mutex // guards edges
	edges map[string]*edgeView
}

type edgeView struct {
	status plant.EdgeStatus
	edge   string
}

// judge brings the view of a node up to date.
func (v *view) judge(n *node, now int64) {
	state := stateLive
	switch {
	case !n.session.Born():
		state = stateDown
	case n.replayed != 0 && now-n.replayed < int64(replayShows),
		n.status.Oldest != 0 && n.statusAt/1e6-n.status.Oldest/1e6 > oldFor.Milliseconds():
		state = stateCatching
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.edges[n.edge]
	if e == nil {
		e = &edgeView{edge: n.edge}
		v.edges[n.edge] = e
	}
	since := e.status.Since
	if e.status.State != state {
		since = plant.Millis(now)
	}
	e.status = n.status
	e.status.Name, e.status.State, e.status.Since, e.status.ClockMS = n.name, state, since, n.offset
	e.status.PLCs = slices.Clone(n.status.PLCs)
	if state == stateDown { // what it said last of its PLCs is no longer true
		for i := range e.status.PLCs {
			p := &e.status.PLCs[i]
			p.State, p.Reason, p.Since, p.ValuesS = plant.Stale, "edge is down", e.status.Since, 0
		}
	}
}

// Edges is every edge that was heard of since the start, by name.
func (g *Ingest) Edges() []plant.EdgeStatus {
	g.init()
	v := &g.view
	v.mu.Lock()
	defer v.mu.Unlock()
	list := make([]*edgeView, 0, len(v.edges))
	for _, e := range v.edges {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *edgeView) int {
		return cmp.Or(cmp.Compare(a.status.Name, b.status.Name), cmp.Compare(a.edge, b.edge))
	})
	out := make([]plant.EdgeStatus, len(list))
	for i, e := range list {
		out[i] = e.status
		out[i].PLCs = slices.Clone(e.status.PLCs)
		if g.Ledger != nil {
			out[i].Ledger = g.Ledger.Status(e.edge)
		}
	}
	return out
}
