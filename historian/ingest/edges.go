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
	twin   int64 // when two boxes were last seen to be this edge; 0 never
	hole   int64 // when records were last found to be missing
}

// of finds or makes the view of an edge. The caller holds mu.
func (v *view) of(edge string) *edgeView {
	e := v.edges[edge]
	if e == nil {
		e = &edgeView{edge: edge}
		v.edges[edge] = e
	}
	return e
}

// twin notes that two boxes are one edge, and reports whether that is new.
func (v *view) twin(edge string, now int64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.of(edge)
	before := e.twin
	e.twin = now
	return before == 0 || now-before >= int64(twinStands)
}

// holed notes that records of an edge are missing.
func (v *view) holed(edge string, now int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.of(edge).hole = now
}

// forget drops what was no edge.
func (v *view) forget(edge string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.edges, edge)
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
	e := v.of(n.edge)
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
		kept, dropped, _ := g.unread.count(e.edge)
		out[i].Unread, out[i].UnreadDropped = kept, dropped
		out[i].PLCs = slices.Clone(e.status.PLCs)
		if g.Ledger != nil {
			out[i].Ledger = g.Ledger.Status(e.edge)
		}
	}
	return out
}
