package server

import (
	"sync"
	"time"

	"millwright/plant"
)

// engine holds variables, sessions and subscriptions. It does no I/O: answers
// are handed to connections, which queue them. One lock guards everything, and
// nobody waits for a client while holding it.
type engine struct {
	limits  Limits
	offered func([]Value)

	mu       sync.Mutex
	vars     []variable
	sessions map[string]*session // by authentication token
	subs     map[uint32]*subscription
	samplers map[time.Duration]*sampler
	timers   timers
	wake     chan struct{}
	step     time.Duration // by Step
	slow     time.Duration // by Slow
	spoil    Spoil

	lastSub, lastItem uint32
	items             int // monitored items of all subscriptions
	queued            int // values in all queues
	monitored         int // variables with at least one reporting item

	batch   []Value // offered by the running call
	noItems []*item
}

type variable struct {
	last      entry
	version   uint64 // writes so far
	logged    uint64 // version last offered
	seq       uint64 // values offered so far
	items     []*item
	reporting int
	texts     bool  // its numbers are told as texts, by Retype
	past      *past // nil: it has no history
}

func newEngine(vars []Variable, limits Limits, offered func([]Value)) *engine {
	e := &engine{
		limits:   limits,
		offered:  offered,
		vars:     make([]variable, len(vars)),
		sessions: map[string]*session{},
		subs:     map[uint32]*subscription{},
		samplers: map[time.Duration]*sampler{},
		wake:     make(chan struct{}, 1),
	}
	for i := range vars {
		if n := vars[i].History; n > 0 {
			e.vars[i].past = &past{most: n}
		}
	}
	e.every(housekeeping, e.keepHouse)
	return e
}

// housekeeping is how often sessions and waiting requests are looked over.
const housekeeping = 50 * time.Millisecond

func (e *engine) keepHouse(now time.Time) {
	for _, s := range e.sessions {
		e.expirePublish(s, now)
		if now.Sub(s.active) > s.timeout {
			e.closeSession(s, false)
		}
	}
}

func (e *engine) write(vals []Value) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.stamp(time.Now()).UnixNano()
	for i := range vals {
		v := &vals[i]
		x := &e.vars[v.Var]
		last := x.as(entry{number: v.Number, text: v.Text, wave: v.Wave, source: plant.Millis(v.Time), server: now, status: v.Quality})
		if e.spoil != 0 {
			last = e.spoiled(x, last, v.Var)
		}
		x.last = last
		x.version++
		if x.past != nil {
			x.past.keep(x.last)
			e.log(v.Var, &x.last)
		}
		for _, it := range x.items {
			e.offer(it, &x.last)
		}
	}
	e.flush()
}

// flush hands on what the running call offered, before any of it can be sent.
func (e *engine) flush() {
	if len(e.batch) == 0 {
		return
	}
	e.offered(e.batch)
	clear(e.batch)
	e.batch = e.batch[:0]
}
