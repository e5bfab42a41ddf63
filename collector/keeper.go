package collector

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"millwright/plant/disk"
)

const keepRetry = time.Second

// keeper writes state files off the receive path, the newest one only.
type keeper struct {
	name    string // empty: nothing is kept
	log     *slog.Logger
	mu      sync.Mutex
	waiting []byte // guarded by mu; nil: nothing to write
	version uint64 // guarded by mu; of waiting
	spare   []byte // guarded by mu; a buffer to fill next
	wake    chan struct{}
	stop    chan struct{}
	done    chan struct{}
	written atomic.Uint64 // version of the newest state on disk
	failing bool          // the last write failed; run's
}

func newKeeper(name string, log *slog.Logger) *keeper {
	k := &keeper{name: name, log: log, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go k.run()
	return k
}

// put hands over a state for writing: encode appends it to an empty slice, at once.
// It never waits for the disk.
func (k *keeper) put(encode func(b []byte) []byte, version uint64) {
	if k.name == "" {
		k.written.Store(version)
		return
	}
	k.mu.Lock()
	if k.waiting != nil {
		k.spare = k.waiting
	}
	k.waiting = encode(k.spare[:0])
	k.spare = nil
	k.version = version
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) run() {
	defer close(k.done)
	for {
		select {
		case <-k.wake:
			for !k.write() {
				select {
				case <-k.stop:
					return
				case <-time.After(keepRetry):
				}
			}
		case <-k.stop:
			k.write()
			return
		}
	}
}

// write writes what is waiting. It reports false if that failed.
func (k *keeper) write() bool {
	k.mu.Lock()
	b, version := k.waiting, k.version
	k.waiting = nil
	k.mu.Unlock()
	if b == nil {
		return true
	}
	err := disk.Replace(k.name, b, secretMode)
	if err != nil && !k.failing {
		k.log.Error("the state of the subscription could not be written; acknowledgements to the server wait for it", "file", k.name, "err", err)
	}
	k.failing = err != nil
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		if k.waiting == nil {
			k.waiting, k.version = b, version
		}
		return false
	}
	k.spare = b
	k.written.Store(version)
	return true
}

// close writes what is waiting, once, and ends.
func (k *keeper) close() {
	close(k.stop)
	<-k.done
}
