package ledger

import (
	"errors"
	"os"
	"sync"
)

// file is a log that is written through. The first error stays, and nothing is
// written after it, so that the log has no hole.
type file struct {
	mu  sync.Mutex
	f   *os.File
	buf []byte // reused
	err error
}

// write appends what fill appends, by one call of the system.
func (l *file) write(fill func([]byte) ([]byte, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	if l.buf, l.err = fill(l.buf[:0]); l.err == nil && len(l.buf) > 0 {
		_, l.err = l.f.Write(l.buf)
	}
}

// Broken reports whether an entry could not be written; Close says why.
func (l *file) Broken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err != nil
}

// Close closes the file and returns the first error.
func (l *file) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.err, l.f.Close())
}
