package queue

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Config says where the queue lies and how much it may hold.
type Config struct {
	Dir      string
	MaxBytes int64        // of record values; 0 = 4 GB. Beyond it the oldest telemetry is thinned out, declared as gaps. Waveforms have a quarter of it on top
	Reserve  int64        // bytes of the disk that telemetry leaves free; 0 = 256 MiB
	Log      *slog.Logger // nil = slog.Default()
}

// Queue is an open queue. All methods are safe for concurrent use.
type Queue struct {
	cfg     Config
	db      *pebble.DB
	epoch   uint64
	opening uint32
	damaged string        // folder of a damaged queue set aside at opening
	closing chan struct{} // closed by Close

	mu        sync.Mutex // guards what follows
	openings  []*opening // oldest first; the last is this one
	tags      tagTable
	pending   []*append1 // made, not yet handed to the committer
	flying    []*append1 // being committed
	number    uint64     // last number given out
	stats     Stats
	closed    bool
	wake      chan struct{} // buffered 1: pending is not empty, or closed
	committed sync.WaitGroup
	diskErr   error
	diskSeen  time.Time
}

// opening is what is left of one epoch.
type opening struct {
	counter uint32
	epoch   uint64
	lanes   [Lanes]lane
}

// lane is what is left of one lane of one epoch.
type lane struct {
	left   spans  // not settled; for older openings only what is on disk
	queued uint64 // value bytes ever queued by it (older openings: up to the newest record left)
	oldest struct {
		number  uint64 // the record that the two fields below describe
		cum     uint64
		created int64
	}
}

// lowest is the lowest number that is left, 0 if nothing is.
func (o *opening) lowest() (n uint64) {
	for i := range o.lanes {
		if left := o.lanes[i].left; len(left) > 0 && (n == 0 || left[0].First < n) {
			n = left[0].First
		}
	}
	return n
}

// Stats are counters since the opening, but for Bytes, Records and Oldest,
// which describe what is queued now.
type Stats struct {
	Bytes    uint64 // of record values, not settled
	Records  uint64 // not settled
	Oldest   int64  // creation time of the oldest unsettled record, ns UTC; 0 none
	Appended uint64 // records
	Settled  uint64 // records settled by the historian's word
	Declared uint64 // samples thinned out and declared as gaps
}

// ErrClosed says that the queue was closed meanwhile.
var ErrClosed = errors.New("queue is closed")

// ErrFull says that the disk has no room for telemetry; the caller keeps the
// batch and offers it again.
var ErrFull = errors.New("disk full")

const formatVersion = 2 // 1 had no lane of waveforms

// Open opens or makes the queue in cfg.Dir and draws a new epoch. A damaged
// queue is set aside (see Damaged), never deleted, and a fresh one is opened:
// an edge must start. A folder written by a newer version is refused.
func Open(cfg Config) (*Queue, error) {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 4 << 30
	}
	if cfg.Reserve == 0 {
		cfg.Reserve = 256 << 20
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("queue folder: %w", err)
	}
	q := &Queue{cfg: cfg, wake: make(chan struct{}, 1), closing: make(chan struct{})}
	if !q.space() {
		return nil, fmt.Errorf("open queue %s: %w: less than %d MiB free: free some space", cfg.Dir, ErrFull, spaceLeast>>20)
	}
	err := q.open()
	if pebble.IsCorruptionError(err) {
		aside := fmt.Sprintf("%s.damaged-%d", filepath.Clean(cfg.Dir), time.Now().Unix())
		cfg.Log.Error("edge queue is damaged and set aside", "folder", aside, "err", err.Error())
		if err := os.Rename(cfg.Dir, aside); err != nil {
			return nil, fmt.Errorf("set damaged queue aside: %w", err)
		}
		q.damaged = aside
		err = q.open()
	}
	if err != nil {
		return nil, fmt.Errorf("open queue %s: %w", cfg.Dir, err)
	}
	q.committed.Add(1)
	go q.commitLoop()
	return q, nil
}

func (q *Queue) open() error {
	opts := &pebble.Options{
		Logger:             logger{q.cfg.Log},
		FormatMajorVersion: pebble.FormatTableFormatV6,
		MemTableSize:       4 << 20,
		CacheSize:          8 << 20,
		FS:                 vfs.OnDiskFull(vfs.Default, q.waitForSpace),
	}
	opts.FlushDelayDeleteRange = 10 * time.Second
	opts.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	// The first log of a new database is written without the sync offsets that
	// tell damage in its middle from a torn end, so a new one is opened twice.
	if desc, err := pebble.Peek(q.cfg.Dir, vfs.Default); err == nil && !desc.Exists {
		db, err := pebble.Open(q.cfg.Dir, opts)
		if err != nil {
			return err
		}
		if err := db.Close(); err != nil {
			return err
		}
	}
	db, err := pebble.Open(q.cfg.Dir, opts)
	if err != nil {
		return err
	}
	q.db = db
	if err := q.load(); err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

// load checks the format, draws the epoch and finds out what is left.
func (q *Queue) load() error {
	version, err := q.get(metaFormat)
	if err != nil {
		return err
	}
	if len(version) > 0 && version[0] > formatVersion {
		return fmt.Errorf("written by a newer version of millwright: format %d, this one reads up to %d; use that version, or another folder", version[0], formatVersion)
	}
	last, err := q.get(metaOpening)
	if err != nil {
		return err
	}
	if len(last) == 4 {
		q.opening = binary.BigEndian.Uint32(last)
	}
	q.opening++
	q.epoch = newEpoch()

	b := q.db.NewBatch()
	_ = b.Set(metaFormat, []byte{formatVersion}, nil)
	_ = b.Set(metaOpening, binary.BigEndian.AppendUint32(nil, q.opening), nil)
	_ = b.Set(epochKey(q.opening), binary.BigEndian.AppendUint64(nil, q.epoch), nil)
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("begin epoch: %w", err)
	}
	if err := q.loadTags(); err != nil {
		return err
	}
	return q.loadOpenings()
}

// loadOpenings reads the keys of all records that are left, and the epochs they
// belong to; epochs with nothing left are forgotten.
func (q *Queue) loadOpenings() error {
	left := map[uint32]*opening{}
	for ln := range Lane(Lanes) {
		it, err := q.db.NewIter(&pebble.IterOptions{LowerBound: recordKey(ln, 0, 0), UpperBound: recordKey(ln+1, 0, 0)})
		if err != nil {
			return err
		}
		for it.First(); it.Valid(); it.Next() {
			_, counter, number, ok := parseRecordKey(it.Key())
			if !ok {
				continue
			}
			o := left[counter]
			if o == nil {
				o = &opening{counter: counter}
				left[counter] = o
			}
			o.lanes[ln].left = o.lanes[ln].left.add(number)
		}
		if err := it.Close(); err != nil {
			return err
		}
	}
	it, err := q.db.NewIter(&pebble.IterOptions{LowerBound: epochKey(0), UpperBound: epochKey(q.opening)})
	if err != nil {
		return err
	}
	drop := q.db.NewBatch()
	for it.First(); it.Valid(); it.Next() {
		counter := binary.BigEndian.Uint32(it.Key()[1:])
		o := left[counter]
		if o == nil {
			_ = drop.Delete(it.Key(), nil)
			continue
		}
		o.epoch = binary.BigEndian.Uint64(it.Value())
		q.openings = append(q.openings, o)
	}
	if err := it.Close(); err != nil {
		return err
	}
	if err := drop.Commit(pebble.NoSync); err != nil {
		return err
	}
	for _, o := range q.openings {
		for ln := range o.lanes {
			l := &o.lanes[ln]
			if len(l.left) == 0 {
				continue
			}
			cum, size, _, err := q.header(Lane(ln), o.counter, l.left[len(l.left)-1].Last)
			if err != nil {
				return err
			}
			l.queued = cum + uint64(size)
		}
	}
	q.openings = append(q.openings, &opening{counter: q.opening, epoch: q.epoch})
	return nil
}

// mine is this opening. The caller holds mu, or runs before others do.
func (q *Queue) mine() *opening { return q.openings[len(q.openings)-1] }

// Epoch is the random number of this opening.
func (q *Queue) Epoch() uint64 { return q.epoch }

// Damaged is the folder to which a damaged queue was set aside at this opening,
// or empty.
func (q *Queue) Damaged() string { return q.damaged }

// Close commits what is pending and closes the database. Twice is safe.
func (q *Queue) Close() error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil
	}
	q.closed = true
	close(q.closing)
	q.mu.Unlock()
	q.signal()
	q.committed.Wait()
	return q.db.Close()
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *Queue) get(key []byte) ([]byte, error) {
	v, closer, err := q.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append([]byte(nil), v...), nil
}

// newEpoch draws 1 … 2^53 − 1, which JavaScript tools show exactly.
func newEpoch() uint64 {
	for {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			panic(err) // crypto/rand never fails on Linux since Go 1.24
		}
		if e := binary.LittleEndian.Uint64(b[:]) & (1<<53 - 1); e != 0 {
			return e
		}
	}
}

// logger hands Pebble's messages to slog. Fatalf must not return: after a
// failed commit the database may not be used any more.
type logger struct{ log *slog.Logger }

func (l logger) Infof(string, ...any) {}
func (l logger) Errorf(format string, args ...any) {
	l.log.Error("queue: " + fmt.Sprintf(format, args...))
}
func (l logger) Fatalf(format string, args ...any) {
	l.log.Error("queue: the disk failed, leaving: " + fmt.Sprintf(format, args...))
	os.Exit(1)
}
