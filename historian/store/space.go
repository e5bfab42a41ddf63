package store

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// space watches what is free on the disk. Pebble ends the process when its log
// cannot be written, so appends stop while there is still room for flushes and
// compactions.
type space struct {
	fs      vfs.FS
	dir     string
	reserve int64
	log     *slog.Logger
	closing chan struct{} // closed when the store is to be

	mu    sync.Mutex
	asked time.Time
	err   error
}

// How often the disk is asked, and how long a write that met a full disk stops
// all others.
const (
	spaceEvery  = 200 * time.Millisecond
	spaceFilled = 5 * time.Second
	spaceLeast  = 8 << 20 // bytes that flushes need
)

// check returns ErrDiskFull while less than the reserve is free.
func (s *space) check() error {
	if s.reserve < 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.asked) < spaceEvery {
		return s.err
	}
	s.asked = time.Now()
	u, err := s.fs.GetDiskUsage(s.dir)
	switch {
	case err != nil: // not every file system can tell
		s.err = nil
	case u.AvailBytes < uint64(s.reserve):
		s.err = fmt.Errorf("store: %w: %d MiB free in %s, %d MiB are kept in reserve: free some space",
			ErrDiskFull, u.AvailBytes>>20, s.dir, s.reserve>>20)
	default:
		s.err = nil
	}
	return s.err
}

// filled is called by the file system when a write found the disk full. The
// write is tried once more behind it, so it waits for space: Pebble would try a
// flush again without a pause, and end the process when it is its log.
func (s *space) filled() {
	s.mu.Lock()
	s.err = fmt.Errorf("store: %w: no space left in %s: free some space", ErrDiskFull, s.dir)
	s.asked = time.Now().Add(spaceFilled - spaceEvery)
	s.mu.Unlock()
	if s.room() {
		return
	}
	s.log.Error("no space left, nothing is stored until there is some: free some space", "dir", s.dir)
	tick := time.NewTicker(spaceEvery)
	defer tick.Stop()
	for !s.room() {
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
	}
	s.log.Info("there is space again", "dir", s.dir)
}

// room reports whether what Pebble writes by itself finds space.
func (s *space) room() bool {
	u, err := s.fs.GetDiskUsage(s.dir)
	return err != nil || u.AvailBytes >= spaceLeast
}
