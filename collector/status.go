package collector

import (
	"sync"
	"time"

	"millwright/plant"
)

// board is the status as others see it.
type board struct {
	mu      sync.Mutex
	now     plant.PLCStatus // guarded by mu; Rejected is replaced, never changed
	changed signal
}

func (b *board) channel() chan struct{} { return b.changed.channel() }

// set moves to a state. Since moves with the state, not with the reason.
func (b *board) set(state plant.PLCState, why string) (moved bool) {
	b.mu.Lock()
	moved = b.now.State != state
	same := !moved && b.now.Reason == why
	if moved {
		b.now.Since = time.Now().UnixNano()
	}
	b.now.State, b.now.Reason = state, why
	b.mu.Unlock()
	if !same {
		b.tell()
	}
	return moved
}

// update changes the figures; told says that others want to know at once.
func (b *board) update(told bool, change func(*plant.PLCStatus)) {
	b.mu.Lock()
	change(&b.now)
	b.mu.Unlock()
	if told {
		b.tell()
	}
}

func (b *board) tell() { b.changed.give() }

func (b *board) get() plant.PLCStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}
