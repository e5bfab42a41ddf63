package influx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
)

// Config of a store in InfluxDB. Zero fields take the defaults named.
type Config struct {
	URL      string        // "http://127.0.0.1:8086"
	Database string        // 1.8: "database/policy", made if it is not there; 2.x: name of a bucket that is there
	Org      string        // 2.x: name of the organisation
	Token    string        // 2.x: the token; 1.8: "user:password"; empty: none
	CA       string        // PEM file of the server's authority; empty: those of the system
	Dir      string        // folder of points that the server refused for ever; made if it is not there
	Timeout  time.Duration // for an answer, or its next piece; 30 s
	Log      *slog.Logger
}

// Store is the plant's memory in InfluxDB. One process may have a database open
// for writing: nothing in InfluxDB can hold off a second one.
type Store struct {
	server     *server
	log        *slog.Logger
	quarantine *quarantine
	faults     faults
	waves      sync.Once // tells that none are kept

	life   sync.Mutex // guards closed against a new user
	closed bool
	users  sync.WaitGroup
	ending context.Context // ends all calls under way
	end    context.CancelCauseFunc

	// Order of what is read, changed and written back: one at a time.
	metaMu sync.Mutex  // Intern, SetAssets; guards given
	given  plant.TagID // the last number that was sent
	markMu sync.Mutex
	gapMu  sync.Mutex

	mu       sync.RWMutex // guards what follows; nothing waits for the server under it
	tags     tagTable
	assets   map[string]assetList // by edge
	marks    map[markSet][]sparkplug.Span
	markDays map[markSet]int64 // days since 1970 of the last record; markMu guards it as well
	tallies  map[markSet][]plant.Tally
	last     map[plant.TagID]plant.Sample
	states   map[plant.TagID]plant.State

	stats struct {
		appended, repeated, refused, commits atomic.Uint64
	}
}

var _ store.Store = (*Store)(nil)

// Open connects to the server and reads what it must know of the plant: tags,
// assets, record numbers, last values.
func Open(cfg Config) (*Store, error) {
	if cfg.Database == "" {
		return nil, errors.New("influx: no database given")
	}
	if cfg.Dir == "" {
		return nil, errors.New("influx: no folder given")
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	v, err := newServer(&cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{
		server: v, log: cfg.Log, faults: faults{hold: holdFaults},
		assets:   map[string]assetList{},
		marks:    map[markSet][]sparkplug.Span{},
		markDays: map[markSet]int64{},
		tallies:  map[markSet][]plant.Tally{},
		last:     map[plant.TagID]plant.Sample{},
		states:   map[plant.TagID]plant.State{},
	}
	s.ending, s.end = context.WithCancelCause(context.Background())
	if s.quarantine, err = openQuarantine(cfg.Dir, cfg.Log); err == nil {
		err = s.load()
	}
	if err != nil {
		v.close()
		return nil, fmt.Errorf("influx: %w", err)
	}
	return s, nil
}

func (s *Store) load() error {
	ctx := s.ending
	start := time.Now()
	if err := s.server.connect(ctx); err != nil {
		return err
	}
	if err := s.layout(ctx); err != nil {
		return err
	}
	if err := s.loadTags(ctx); err != nil {
		return fmt.Errorf("tags: %w", err)
	}
	if err := s.loadAssets(ctx); err != nil {
		return fmt.Errorf("assets: %w", err)
	}
	head, err := s.loadMarks(ctx)
	if err != nil {
		return fmt.Errorf("record numbers: %w", err)
	}
	if err := s.loadTallies(ctx); err != nil {
		return fmt.Errorf("tallies: %w", err)
	}
	if err := s.loadMarkDays(ctx); err != nil {
		return fmt.Errorf("record numbers: %w", err)
	}
	if err := s.loadLast(ctx, head); err != nil {
		return fmt.Errorf("last values: %w", err)
	}
	s.log.Info("InfluxDB opened", "url", s.server.url, "database", s.server.bucket, "v2", s.server.v2,
		"tags", len(s.tags.byPath), "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// enter holds the store open until leave. The context that comes back ends with
// the caller's or when the store is closed.
func (s *Store) enter(ctx context.Context) (context.Context, func(), error) {
	if err := ctx.Err(); err != nil {
		return ctx, nil, err
	}
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return ctx, nil, fmt.Errorf("influx: %w", store.ErrClosed)
	}
	s.users.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ending, func() { cancel(context.Cause(s.ending)) })
	return ctx, func() {
		stop()
		cancel(nil)
		s.users.Done()
	}, nil
}

// Close ends calls under way and the connection. What was appended is in the
// database already.
func (s *Store) Close() error {
	s.life.Lock()
	if s.closed {
		s.life.Unlock()
		return nil
	}
	s.closed = true
	s.life.Unlock()
	s.end(store.ErrClosed)
	s.users.Wait()
	s.server.close()
	return nil
}

// Stats implements store.Store. What only the embedded engine has stays 0.
func (s *Store) Stats() store.Stats {
	s.mu.RLock()
	tags := len(s.tags.byPath)
	s.mu.RUnlock()
	return store.Stats{
		Tags:     tags,
		Appended: s.stats.appended.Load(),
		Repeated: s.stats.repeated.Load(),
		Refused:  s.stats.refused.Load(),
		Commits:  s.stats.commits.Load(),
	}
}

// Quarantined is how many points lie in the folder of those that the server
// refused for ever. It outlives a restart.
func (s *Store) Quarantined() uint64 { return s.quarantine.points.Load() }
