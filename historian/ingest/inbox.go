package ingest

import "sync"

// Bounds of what waits to be decoded. Decoding is far quicker than any network,
// so this fills only when the machine is overloaded.
const (
	maxInboxBytes    = 64 << 20
	maxInboxMessages = 100_000
)

// message is what arrived from the broker, or that the connection was lost.
type message struct {
	topic   string
	payload []byte
	arrived int64 // ns UTC
	broker  int   // index of the connection
	lost    bool
}

// inbox takes messages from the MQTT client's goroutine, which must never wait:
// while it does, the client answers no ping. What finds no room is dropped and
// comes again, since nobody acknowledged it.
type inbox struct {
	wake chan struct{} // buffered 1

	mu    sync.Mutex // guards what follows
	list  []message
	bytes int
}

// put takes a message and reports whether there was room.
func (b *inbox) put(m message) bool {
	b.mu.Lock()
	if !m.lost && (b.bytes+len(m.payload) > maxInboxBytes || len(b.list) >= maxInboxMessages) {
		b.mu.Unlock()
		return false
	}
	b.list = append(b.list, m)
	b.bytes += len(m.payload)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return true
}

// take returns all that waits, in order, and keeps spare for what comes.
func (b *inbox) take(spare []message) []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	clear(spare)
	b.list, b.bytes = spare[:0], 0
	return list
}
