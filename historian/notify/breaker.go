package notify

import (
	"sync"
	"time"
)

const (
	breakAfter = 5                // failures in a row that open a circuit
	breakFor   = 30 * time.Second // before one message probes
)

// breaker keeps a server that fails from being asked all the time.
type breaker struct {
	mu      sync.Mutex // guards all below
	row     int        // failures in a row
	failing time.Time  // since the first of them
	opened  time.Time  // the circuit, or its last probe; zero: closed
	since   time.Time  // the state shown began
	probing bool
}

// blocked is how long nothing may be tried; 0: now.
func (b *breaker) blocked(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.opened.IsZero():
		return 0
	case b.probing:
		return breakFor
	}
	return max(0, b.opened.Add(breakFor).Sub(now))
}

// begin says that something is tried. While the circuit is open that is the
// probe, and nothing else is tried beside it.
func (b *breaker) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = !b.opened.IsZero()
}

// result counts a try.
func (b *breaker) result(now time.Time, failed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	if !failed {
		if b.row > 0 || b.since.IsZero() {
			b.since = now
		}
		b.row, b.failing, b.opened = 0, time.Time{}, time.Time{}
		return
	}
	if b.row == 0 {
		b.failing = now
	}
	if b.row++; b.row < breakAfter {
		return
	}
	if b.opened.IsZero() {
		b.since = now
	}
	b.opened = now
}

// failingFor is how long every try has failed.
func (b *breaker) failingFor(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failing.IsZero() {
		return 0
	}
	return now.Sub(b.failing)
}

func (b *breaker) state() (open bool, since time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.opened.IsZero(), b.since
}
