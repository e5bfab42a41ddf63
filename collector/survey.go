package collector

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// locate prepares a new subscription: what waits came of the old one, every node
// is in doubt, and numeric ids, which a compiler hands out afresh, are taken from
// where the browse path of the tag leads now.
func (e *engine) locate(ctx context.Context, l *link, srv peer) error {
	e.tr.gate.forget()
	var which []int
	var paths [][]plant.BrowseName
	e.selves.mu.Lock()
	for i := range e.selves.list {
		s := &e.selves.list[i]
		if s.known() {
			e.doubt(i)
		}
		if s.shut == nil && len(s.path) > 0 && e.items.list[i].node.kind == 'i' {
			which, paths = append(which, i), append(paths, s.path)
		}
	}
	e.selves.mu.Unlock()
	at, err := newLooker(l, srv).follow(ctx, paths)
	if err != nil {
		if refusedService(err) && !sessionGone(err) {
			e.log.Warn("the server does not say where browse paths lead; node ids are taken as they are", "err", err)
			return nil
		}
		return err
	}
	for j, i := range which {
		if len(at[j]) != 1 {
			continue
		}
		if was, err := e.items.list[i].node.resolve(srv.namespaces); err != nil || was.String() != at[j][0].String() {
			e.rename(i, at[j][0], srv)
		}
	}
	return nil
}

// rename lets tag i be read from another node, with those whose values come with its.
// False: its id cannot be kept.
func (e *engine) rename(i int, n *ua.NodeID, srv peer) bool {
	text := formatNode(n, srv.namespaces)
	p, err := parseNode(text)
	if err != nil || len(text) > maxIdentityText {
		return false
	}
	for _, j := range e.items.list[i].others {
		e.rename(j, n, srv)
	}
	it := &e.items.list[i]
	it.node, it.fault = p, nil
	own, _ := parseNode(e.src.Tags[i].Node)
	e.selves.mu.Lock()
	s := &e.selves.list[i]
	s.node = text
	if p == own {
		s.node = ""
	}
	path := plant.FormatBrowse(s.path)
	e.selves.dirty = true
	e.selves.mu.Unlock()
	e.log.Info("tag found again at its browse path", "tag", e.src.Tags[i].Path, "path", path, "node", text)
	return true
}

// save writes what is known of the tags aside, where it has changed.
func (p *pump) save(now time.Time) {
	if now.Sub(p.exam.saved) < saveTime {
		return
	}
	p.exam.saved = now
	p.selves.mu.Lock()
	p.exam.voided = slices.DeleteFunc(p.exam.voided, func(i int) bool {
		told := p.durable.reason[i] == noGap // the gap that says so
		if told {
			p.selves.list[i].void, p.selves.dirty = "", true
		}
		return told
	})
	dirty := p.selves.dirty
	p.selves.mu.Unlock()
	if dirty {
		p.exam.saving.Go(func() { _ = p.selves.write() })
	}
}

// surveyed holds the server's namespaces and start against those that the items
// were made with.
func (p *pump) surveyed(a answer) error {
	p.exam.busy = false
	if a.err != nil {
		return nil // the heartbeat tells whether it lives
	}
	if t, ok := good[time.Time](a.values[1]); ok && p.started != 0 && instant(t) != p.started {
		return fmt.Errorf("the server was started anew: %w", errMoved)
	}
	spaces, ok := good[[]string](a.values[0])
	if !ok {
		return nil
	}
	return p.respace(spaces)
}

// respace takes the server's namespaces as they are now. They may grow; items of
// numbers that have got another meaning are worth nothing.
func (p *pump) respace(spaces []string) error {
	if slices.Equal(spaces, p.peer.namespaces) {
		return nil
	}
	if len(spaces) < len(p.peer.namespaces) || !slices.Equal(spaces[:len(p.peer.namespaces)], p.peer.namespaces) {
		return fmt.Errorf("the server has numbered its namespaces anew: %w", errMoved)
	}
	p.peer.namespaces = spaces
	p.reread()
	return nil
}
