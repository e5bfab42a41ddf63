package server

import (
	"context"
	"math"
	"slices"
	"strconv"
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

// Retype takes a variable away and puts it back with another data type, as a
// program download does. Numbers become texts where the new type is String.
func (s *Server) Retype(variable int, to DataType) {
	s.Remove(variable)
	s.trouble(func(e *engine, _ time.Time) {
		s.Variables[variable].Type = to
		x := &e.vars[variable]
		if x.past != nil { // what it held was of another type
			x.past.ring = ring{}
		}
		if x.texts {
			x.last.number, _ = strconv.ParseFloat(x.last.text, 64) // was made by as
			x.last.text = ""
		}
		x.texts = to == String && s.Variables[variable].Kind != plant.Text
		x.last = x.as(x.last)
	})
	s.Restore(variable)
}

// as is a value in the type that the variable has now.
func (x *variable) as(v entry) entry {
	if x.texts {
		v.text, v.number = strconv.FormatFloat(v.number, 'g', -1, 64), 0
	}
	return v
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

// Slow makes the subscriptions publish no more often than every d, keep-alives
// too; 0 ends it.
func (s *Server) Slow(d time.Duration) {
	s.trouble(func(e *engine, _ time.Time) { e.slow = d })
}

// Reopen starts a closed server again at the same address, with the values that it
// had and the trouble that it was in. Before that, change may set the fields anew: Namespaces, Limits.
func (s *Server) Reopen(ctx context.Context, change func(*Server)) error {
	s.mu.Lock()
	if s.listener != nil || s.engine == nil {
		s.mu.Unlock()
		return errRunning
	}
	s.Listen = s.url
	was := s.engine
	s.mu.Unlock()
	if change != nil {
		change(s)
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	s.trouble(func(e *engine, _ time.Time) {
		e.step, e.slow, e.spoil = was.step, was.slow, was.spoil
		for i := range was.vars {
			x, y := &e.vars[i], &was.vars[i]
			x.texts = y.texts
			if x.version == 0 && y.version > 0 {
				x.last, x.version = y.last, 1
			}
		}
	})
	return nil
}

// Spoil is a way to spoil what is written.
type Spoil uint8

// Spoils.
const (
	Duplicates Spoil = 1 << iota // every notification twice
	Late                         // source times an hour ago
	Future                       // source times 37 s ahead
	NotNumbers                   // every fifth number is NaN or infinite
	Bad                          // every fifth value of every third variable: Bad_DeviceFailure, or
	Uncertain                    // Uncertain_SensorNotAccurate
	Stuck                        // the last value again, with fresh source times
)

// Spoil begins or ends to spoil what is written.
func (s *Server) Spoil(what Spoil, on bool) {
	s.trouble(func(e *engine, _ time.Time) {
		if e.spoil &^= what; on {
			e.spoil |= what
		}
	})
}

const (
	lateBy   = time.Hour
	futureBy = 37 * time.Second
)

// spoiled is what a value becomes for the variable x.
func (e *engine) spoiled(x *variable, v entry, index int) entry {
	fifth := x.version%5 == 4
	if e.spoil&Stuck != 0 && x.version > 0 {
		v.number, v.text, v.wave, v.status = x.last.number, x.last.text, x.last.wave, x.last.status
	}
	if e.spoil&Late != 0 {
		v.source -= int64(lateBy)
	}
	if e.spoil&Future != 0 {
		v.source += int64(futureBy)
	}
	if e.spoil&NotNumbers != 0 && fifth && v.text == "" {
		v.number = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[index%3]
	}
	if e.spoil&Bad != 0 && fifth && index%3 == 0 {
		v.status = plant.Quality(ua.StatusBadDeviceFailure)
	}
	if e.spoil&Uncertain != 0 && fifth && index%3 == 0 {
		v.status = plant.Quality(ua.StatusUncertainSensorNotAccurate)
	}
	return v
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
