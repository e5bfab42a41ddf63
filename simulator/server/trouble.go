package server

import (
	"slices"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// What goes wrong with real servers, on demand. Each of it is safe at any time;
// before Start and after Close it does nothing.

// Remove takes a variable out of the address space, as a program download does.
// Its monitored items say Bad_NodeIdUnknown once and are dead from then on.
func (s *Server) Remove(variable int) {
	s.trouble(func(e *engine, now time.Time) {
		n := s.space.variable(s.Variables[variable].Path)
		if n == nil {
			return
		}
		delete(s.space.nodes, keyOf(n.id))
		for _, r := range n.refs {
			if r.kind == id.HasProperty && r.forward {
				delete(s.space.nodes, keyOf(r.to.id))
			}
			r.to.refs = slices.DeleteFunc(r.to.refs, func(back reference) bool { return back.to == n })
		}
		ns := e.stamp(now).UnixNano()
		for _, sub := range e.subs {
			for _, it := range sub.items {
				if it.variable == variable {
					e.unwatch(it)
					it.static = true
					e.enqueue(it, &entry{null: true, status: plant.Quality(ua.StatusBadNodeIDUnknown), source: ns, server: ns})
				}
			}
		}
	})
}

// Restore puts a removed variable back, with its last value.
func (s *Server) Restore(variable int) {
	s.trouble(func(*engine, time.Time) {
		v := &s.Variables[variable]
		if s.space.variable(v.Path) == nil {
			s.space.place(v, variable)
		}
	})
}

// Starve ends all publishing of the subscriptions of this moment, keep-alives
// too, while other services are answered; false lets them go on.
func (s *Server) Starve(on bool) {
	s.trouble(func(e *engine, _ time.Time) {
		for _, sub := range e.subs {
			sub.starved = on
		}
	})
}

// Drop ends all subscriptions, as their lifetime would.
func (s *Server) Drop() {
	s.trouble(func(e *engine, _ time.Time) {
		for _, sub := range e.subs {
			e.endSubscription(sub, ua.StatusBadTimeout)
		}
	})
}

// Expel ends all sessions with their subscriptions.
func (s *Server) Expel() {
	s.trouble(func(e *engine, _ time.Time) {
		for _, ses := range e.sessions {
			e.closeSession(ses, true)
		}
	})
}

// Forget loses what is kept for Republish.
func (s *Server) Forget() {
	s.trouble(func(e *engine, _ time.Time) {
		for _, sub := range e.subs {
			if sub.session != nil {
				sub.session.release(sub.kept)
			}
			sub.kept = nil
		}
	})
}

// Block holds up all services and writes for d, as a server does that computes
// something else, and returns then.
func (s *Server) Block(d time.Duration) {
	s.trouble(func(*engine, time.Time) { time.Sleep(d) })
}

// Step sets the clock that the server shows forward by d, or back. The source
// times of values are the caller's.
func (s *Server) Step(d time.Duration) {
	s.trouble(func(e *engine, _ time.Time) { e.step += d })
}

// stamp is the time that the server shows.
func (e *engine) stamp(now time.Time) time.Time { return now.Add(e.step) }

func (s *Server) trouble(do func(e *engine, now time.Time)) {
	if e := s.running(); e != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		do(e, time.Now())
	}
}
