package main

import (
	"bytes"
	"io"
	"sync"
)

// held is a writer that keeps what it gets until it is released, so that what a
// role has to say does not run into the greeting.
type held struct {
	w io.Writer

	mu   sync.Mutex
	kept bytes.Buffer
	open bool
}

func (h *held) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open {
		return h.w.Write(b)
	}
	return h.kept.Write(b)
}

// release writes what was kept, and from now on everything at once.
func (h *held) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = true
	_, _ = h.kept.WriteTo(h.w) // a terminal that is gone is no reason to stop
}
