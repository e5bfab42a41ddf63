package store

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"millwright/plant"
	"millwright/plant/chunk"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Config of the embedded store. Zero fields take the defaults named.
type Config struct {
	Dir     string        // made if it is not there
	Reserve int64         // appends are refused when less is free on the disk; 64 MiB, negative: never
	Uncut   int64         // bytes of batches not yet in chunks; 24 MiB. It bounds the time to open
	Age     time.Duration // and how old they may become; 1 h
	Log     *slog.Logger

	fs vfs.FS // tests only
}

// Pebble is the embedded store: chunks of our own in a Pebble database.
type Pebble struct {
	dir   string
	log   *slog.Logger
	db    *pebble.DB
	space space
	uncut int64
	age   time.Duration

	// life guards against closing under a reader: readers hold users.
	life   sync.Mutex
	closed bool
	users  sync.WaitGroup

	mu     sync.RWMutex // guards what follows and the order of commits
	failed error        // after a commit that did not go through, for good
	seq    uint64       // number of the last batch
	tags   tagTable
	assets map[string][]plant.Asset // by edge
	marks  map[markSet]*markRanges
	// marksDay is the day on which epochs were looked through.
	marksDay int32
	heads    []head // by tag
	heap     heap
	last     []plant.Sample // by tag; Tag 0: none
	states   map[plant.TagID]plant.State

	incoming  []incomingBatch // those not yet dropped, oldest first
	incomingN int64           // their bytes
	tidied    int64           // incomingN after the last look for batches to drop

	// Scratch of Append and of cutting.
	full    []plant.TagID
	cols    columns
	encoder chunk.Encoder
	buf     []byte
	key     []byte

	stats struct {
		appended, repeated, refused, commits, chunks, chunkSamples, chunkBytes atomic.Uint64
	}
}

var _ Store = (*Pebble)(nil)

// incomingBatch is one not yet dropped.
type incomingBatch struct {
	seq   uint64
	bytes int64
	at    time.Time // of its arrival, or of the opening
}

// Open opens the store in a folder, or makes one. A folder that is in use
// (ErrInUse), damaged (ErrDamaged) or written by a newer version (ErrNewer) is
// left as it is.
func Open(cfg Config) (*Pebble, error) {
	s := &Pebble{
		dir: cfg.Dir, log: cfg.Log, uncut: cfg.Uncut, age: cfg.Age,
		assets: map[string][]plant.Asset{},
		marks:  map[markSet]*markRanges{},
		states: map[plant.TagID]plant.State{},
	}
	if s.dir == "" {
		return nil, errors.New("store: no folder given")
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.uncut <= 0 {
		s.uncut = 24 << 20
	}
	if s.age <= 0 {
		s.age = time.Hour
	}
	fsys := cfg.fs
	if fsys == nil {
		fsys = vfs.Default
	}
	s.space.fs, s.space.dir, s.space.reserve = fsys, s.dir, cfg.Reserve
	s.space.log, s.space.closing = s.log, make(chan struct{})
	if s.space.reserve == 0 {
		s.space.reserve = 64 << 20
	}
	// A folder that is not there yet cannot be asked; what keeps it from being made
	// is said below.
	if err := fsys.MkdirAll(s.dir, 0o700); err == nil && !s.space.room() {
		return nil, fmt.Errorf("store: %s: %w: less than %d MiB free: free some space", s.dir, ErrDiskFull, spaceLeast>>20)
	}
	start := time.Now()
	fsys = vfs.OnDiskFull(fsys, s.space.filled)
	engine := func() (*pebble.DB, error) { return openEngine(s.dir, fsys, s.log) }
	var err error
	if s.db, err = engine(); err != nil {
		return nil, err
	}
	if err = s.layout(engine); err == nil {
		err = s.load()
	}
	if err != nil {
		err = fmt.Errorf("store: %s: %w", s.dir, err)
		if s.db != nil {
			err = errors.Join(err, s.db.Close())
		}
		return nil, err
	}
	s.log.Debug("store opened", "dir", s.dir, "tags", len(s.tags.byID), "uncut", s.heap.held, "took", time.Since(start))
	return s, nil
}

// enter holds the store open until leave.
func (s *Pebble) enter() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return fmt.Errorf("store: %w", ErrClosed)
	}
	s.users.Add(1)
	return nil
}

func (s *Pebble) leave() { s.users.Done() }

// Close waits for calls under way and closes the database. What was appended is
// on the disk already.
func (s *Pebble) Close() error {
	s.life.Lock()
	if s.closed {
		s.life.Unlock()
		return nil
	}
	s.closed = true
	s.life.Unlock()
	close(s.space.closing)
	s.users.Wait()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("store: close: %w", err)
	}
	return nil
}

// Stats returns counts and sizes; cheap enough for every scrape.
func (s *Pebble) Stats() Stats {
	if s.enter() != nil {
		return Stats{}
	}
	defer s.leave()
	s.mu.RLock()
	st := Stats{
		Tags:         len(s.tags.byID),
		UncutSamples: s.heap.held,
		UncutBytes:   s.incomingN,
	}
	s.mu.RUnlock()
	st.Appended = s.stats.appended.Load()
	st.Repeated = s.stats.repeated.Load()
	st.Refused = s.stats.refused.Load()
	st.Commits = s.stats.commits.Load()
	st.Chunks = s.stats.chunks.Load()
	st.ChunkSamples = s.stats.chunkSamples.Load()
	st.ChunkBytes = s.stats.chunkBytes.Load()
	st.DiskBytes = s.db.Metrics().DiskSpaceUsage()
	return st
}
