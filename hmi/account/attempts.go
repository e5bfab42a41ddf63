package account

import (
	"sync"
	"time"
)

// Attempts slows down guessing. Each key (a source address, an account name) has
// Free failures; after that each further failure closes the key for twice as
// long as the one before, from First up to Max. A key is forgotten Max after its
// last failure. An attempt counts as failed until Succeeded is called, so that
// many at once gain nothing.
type Attempts struct {
	Free       int
	First, Max time.Duration

	mu   sync.Mutex
	keys map[string]attempt
}

type attempt struct {
	failed int
	until  time.Time // closed until
	last   time.Time
}

// maxKeys bounds the memory that made-up names can take.
const maxKeys = 10_000

// Begin counts one attempt against all keys. When one of them is closed nothing
// is counted, and wait says for how long.
func (a *Attempts) Begin(now time.Time, keys ...string) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keys == nil {
		a.keys = map[string]attempt{}
	}
	for _, k := range keys {
		wait = max(wait, a.keys[k].until.Sub(now))
	}
	if wait > 0 {
		return wait
	}
	if len(a.keys) >= maxKeys {
		a.sweep(now)
	}
	for _, k := range keys {
		t := a.keys[k]
		if now.Sub(t.last) > a.Max {
			t = attempt{}
		}
		t.failed++
		t.last = now
		if over := t.failed - a.Free; over >= 0 {
			t.until = now.Add(a.closed(over))
		}
		a.keys[k] = t
	}
	return 0
}

// Succeeded forgets the failures of the account and takes this attempt back from
// the other keys: who knows one password must not get free guesses at others.
func (a *Attempts) Succeeded(account string, others ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.keys, account)
	for _, k := range others {
		if t, ok := a.keys[k]; ok {
			t.failed--
			t.until = time.Time{}
			a.keys[k] = t
		}
	}
}

func (a *Attempts) closed(over int) time.Duration {
	d := a.First
	for range over {
		if d *= 2; d >= a.Max {
			return a.Max
		}
	}
	return d
}

// sweep drops what is forgotten anyway, or else everything: under such a flood
// the bound on memory matters more than the counts of names nobody has.
func (a *Attempts) sweep(now time.Time) {
	for k, t := range a.keys {
		if now.Sub(t.last) > a.Max {
			delete(a.keys, k)
		}
	}
	if len(a.keys) >= maxKeys {
		clear(a.keys)
	}
}
