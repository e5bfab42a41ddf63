package ingest

import (
	"slices"
	"sync"
	"time"

	"millwright/historian/store"
	"millwright/sparkplug"
)

// epoch names a run of record numbers.
type epoch struct {
	edge   string
	number uint64
}

// known remembers which records are durable and which are on their way to the
// disk, so that a record that comes again is neither shown nor stored twice. The
// truth is in Store and Alarms; this is read from there once for each epoch.
type known struct {
	g *Ingest

	mu   sync.Mutex // guards what follows
	sets map[epoch]*set
}

type set struct {
	durable []sparkplug.Span
	pending map[uint64]bool
	used    time.Time
}

const (
	// maxSets epochs are remembered. An edge makes one at each start.
	maxSets = 1024
	// maxSpans runs of numbers are remembered of an epoch: between two of them a
	// record is missing, and an edge sends those again.
	maxSpans = 1 << 16
)

// fate says what is known of a record.
type fate uint8

const (
	fresh   fate = iota // now noted as pending
	pending             // on its way to the disk
	durable
	refused // an edge that works has no such record
)

// meet says what is known of a record and notes a fresh one as pending.
func (k *known) meet(e epoch, number uint64, now time.Time) fate {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.of(e, now)
	switch {
	case sparkplug.Contains(s.durable, number):
		return durable
	case s.pending[number]:
		return pending
	}
	if len(s.durable)+len(s.pending) >= maxSpans && !sparkplug.Contains(s.durable, number-1) {
		return refused
	}
	s.pending[number] = true
	return fresh
}

// of returns the set of an epoch. The caller holds mu.
func (k *known) of(e epoch, now time.Time) *set {
	s := k.sets[e]
	if s == nil {
		s = &set{pending: map[uint64]bool{}}
		for _, read := range []func(string, uint64) ([]sparkplug.Span, error){k.g.Store.Committed, k.g.Alarms.Committed} {
			spans, err := read(e.edge, e.number)
			if err != nil {
				// Store and Alarms still know their own numbers when one comes again.
				k.g.Log.Error("record numbers cannot be read", "edge", e.edge, "err", err)
				continue
			}
			s.durable = sparkplug.AddSpans(s.durable, spans)
		}
		if len(k.sets) >= maxSets {
			k.forget()
		}
		k.sets[e] = s
	}
	s.used = now
	return s
}

// forget drops the set that was not used for longest, if nothing of it is on its
// way.
func (k *known) forget() {
	var oldest epoch
	var at time.Time
	for e, s := range k.sets {
		if len(s.pending) == 0 && (at.IsZero() || s.used.Before(at)) {
			oldest, at = e, s.used
		}
	}
	delete(k.sets, oldest)
}

// drop notes that a record found no room.
func (k *known) drop(e epoch, number uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.of(e, time.Now()).pending, number)
}

// settle notes that records are durable.
func (k *known) settle(marks []store.Mark) {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range marks {
		s := k.of(epoch{m.Edge, m.Epoch}, now)
		s.durable = sparkplug.AddSpan(s.durable, sparkplug.Span{First: m.Number, Last: m.Number})
		delete(s.pending, m.Number)
	}
}

// has reports whether anything of an epoch is durable or on its way.
func (k *known) has(e epoch, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.of(e, now)
	return len(s.durable)+len(s.pending) > 0
}

// missing returns the numbers below n that are neither durable nor on their way.
func (k *known) missing(e epoch, n uint64, now time.Time) []sparkplug.Span {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.of(e, now)
	if n <= 1 || len(s.durable) > 0 && s.durable[0].First == 1 && s.durable[0].Last >= n-1 {
		return nil
	}
	have := slices.Clone(s.durable)
	for number := range s.pending {
		have = sparkplug.AddSpan(have, sparkplug.Span{First: number, Last: number})
	}
	return sparkplug.SpansBetween(have, 1, n)
}

// from returns the durable numbers of an epoch from number n upwards.
func (k *known) from(e epoch, n uint64, now time.Time) []sparkplug.Span {
	k.mu.Lock()
	defer k.mu.Unlock()
	return sparkplug.SpansFrom(k.of(e, now).durable, n)
}
