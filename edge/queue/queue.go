package queue

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millwright/plant"
)

// Config says where the queue lies and how much it may hold.
type Config struct {
	Dir     string
	Quotas  *Quotas      // by lane; nil: DefaultQuotas
	Reserve int64        // bytes of the disk that telemetry leaves free; 0 = 256 MiB
	Log     *slog.Logger // nil = slog.Default()

	fs    vfs.FS // nil = the operating system's; tests have others
	leave func() // nil = ends the process
}

// Queue is an open queue. All methods are safe for concurrent use.
type Queue struct {
	cfg     Config
	quotas  Quotas
	fs      *wearFS // below Pebble, and for files of our own
	db      *pebble.DB
	lock    *pebble.Lock
	epoch   uint64
	opening uint32
	began   time.Time
	damaged string          // folder of a damaged queue set aside at opening
	closing context.Context // ends with Close
	close   func()
	wake    chan struct{} // buffered 1: a group gathers, or is due
	tend    chan struct{} // buffered 1: a lane is beyond its quota, or a value cannot be read

	committed sync.WaitGroup // the committer
	kept      sync.WaitGroup // the keeper, and salvage

	unpacked lastPack

	mu       sync.Mutex // guards what follows
	openings []*opening // oldest first; the last is this one
	books    []*book    // the same, with those of openings that have nothing left
	tags     tagTable
	pending  []*append1 // made, not yet handed to the committer
	flying   []*append1 // being committed
	dead     []dead     // to be deleted with the next group
	since    time.Time  // when the group that gathers began; zero: none does
	gathered int        // bytes in it
	urgent   bool       // it is due
	waiting  int        // bytes in pending and flying
	number   uint64     // last number given out
	stats    Stats
	rates    [Lanes]rate
	closed   bool
	failed   error // the log could not be written
	diskErr  error // no room for telemetry
	salvage  salvageState
	packedIn uint64 // bytes of records that were packed, and of their packs
	packed   uint64
	events   []Event
}

const formatVersion = 3 // 1 had no lane of waveforms, 2 no packs and no audit

// firstAfterDamage is where the openings of a fresh queue begin when there was a
// damaged one: what is salvaged of that takes the numbers below.
const firstAfterDamage = 1 << 24

var errNewer = errors.New("written by a newer version of millwright")

// Open opens or makes the queue in cfg.Dir and draws a new epoch. A damaged
// queue is set aside (see Damaged) and a fresh one is opened: an edge must start;
// what can be read of the old one comes back in the background. A folder written
// by a newer version is refused.
func Open(cfg Config) (*Queue, error) {
	q := &Queue{cfg: cfg, quotas: DefaultQuotas(), began: time.Now(), wake: make(chan struct{}, 1), tend: make(chan struct{}, 1)}
	if cfg.Quotas != nil {
		q.quotas = *cfg.Quotas
	}
	if q.cfg.Reserve == 0 {
		q.cfg.Reserve = 256 << 20
	}
	if q.cfg.Log == nil {
		q.cfg.Log = slog.Default()
	}
	if q.cfg.fs == nil {
		q.cfg.fs = vfs.Default
	}
	q.fs = &wearFS{FS: q.cfg.fs, ended: func(file string, err error) {
		q.logger().Fatalf("%s, starting anew is all that is left: %v", file, err)
	}}
	if err := q.fs.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("queue folder: %w", err)
	}
	if !q.space() {
		q.dropBallast()
	}
	if !q.space() {
		return nil, fmt.Errorf("open queue %s: %w: less than %d MiB free: free some space", cfg.Dir, ErrFull, spaceLeast>>20)
	}
	q.closing, q.close = context.WithCancel(context.Background())
	if err := q.openOrReplace(); err != nil {
		q.close()
		return nil, fmt.Errorf("open queue %s: %w", cfg.Dir, err)
	}
	q.look(time.Now())
	q.committed.Add(1)
	go q.commitLoop()
	q.kept.Add(1)
	go q.keep()
	q.salvageAll()
	return q, nil
}

// openOrReplace opens the folder, or a fresh one in its place if it is damaged.
func (q *Queue) openOrReplace() error {
	lock, err := pebble.LockDirectory(q.cfg.Dir, q.fs)
	if err != nil {
		return err
	}
	var broken error
	if q.isMarkedDamaged() {
		broken = errors.New("a damaged block was found while it ran")
	} else if broken = q.open(lock); broken == nil {
		q.lock = lock
		return nil
	}
	if !isDamage(broken) {
		return errors.Join(broken, lock.Close())
	}
	if err := lock.Close(); err != nil {
		return err
	}
	if err := q.setAside(broken); err != nil {
		return err
	}
	if lock, err = pebble.LockDirectory(q.cfg.Dir, q.fs); err != nil {
		return err
	}
	if err := q.open(lock); err != nil {
		return errors.Join(err, lock.Close())
	}
	q.lock = lock
	return nil
}

func (q *Queue) options(lock *pebble.Lock) *pebble.Options {
	opts := &pebble.Options{
		Logger:             q.logger(),
		FormatMajorVersion: pebble.FormatTableFormatV6,
		MemTableSize:       memTable,
		CacheSize:          1 << 20, // records are read once, if at all
		FS:                 vfs.OnDiskFull(q.fs, q.waitForSpace),
		Lock:               lock,
		EventListener: &pebble.EventListener{
			BackgroundError: q.backgroundError,
			// Without it Pebble ends the process at any damaged block, those of reads too:
			// again and again, if it is read at every start.
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				q.cfg.Log.Error("queue: damaged block", "what", info.String())
			},
		},
	}
	opts.FlushDelayDeleteRange = 10 * time.Second
	opts.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	return opts
}

// memTable holds the records of half a minute at 5,000 samples a second: by then they
// are settled, or packed, and few of them reach a table. Pebble keeps two of them in
// memory. With 8 MiB an outage wrote 2.2 bytes a byte queued in place of 3.1.
const memTable = 4 << 20

func (q *Queue) open(lock *pebble.Lock) error {
	// The first log of a new database is written without the sync offsets that
	// tell damage in its middle from a torn end, so a new one is opened twice.
	if desc, err := pebble.Peek(q.cfg.Dir, q.fs); err == nil && !desc.Exists {
		db, err := pebble.Open(q.cfg.Dir, q.options(lock))
		if err != nil {
			return err
		}
		if err := db.Close(); err != nil {
			return err
		}
	}
	db, err := pebble.Open(q.cfg.Dir, q.options(lock))
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
		return fmt.Errorf("%w: format %d, this one reads up to %d; use that version, or another folder", errNewer, version[0], formatVersion)
	}
	last, err := q.get(metaOpening)
	if err != nil {
		return err
	}
	q.opening, q.openings, q.books = 0, nil, nil
	switch {
	case len(last) == 4:
		q.opening = binary.BigEndian.Uint32(last)
	case q.damaged != "" || len(q.aside()) > 0:
		q.opening = firstAfterDamage
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
	if err := q.loadOpenings(); err != nil {
		return err
	}
	return q.loadBooks()
}

// each calls f for every key in [from, to).
func (q *Queue) each(from, to []byte, f func(key, value []byte) error) error {
	it, err := q.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	for it.First(); it.Valid(); it.Next() {
		v, err := it.ValueAndErr()
		if err == nil {
			err = f(it.Key(), v)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}

// loadOpenings reads the indexes of packs and the heads of records, and the
// epochs they belong to; epochs with nothing left are forgotten.
func (q *Queue) loadOpenings() error {
	left := map[uint32]*opening{}
	of := func(counter uint32) *opening {
		o := left[counter]
		if o == nil {
			o = &opening{counter: counter}
			left[counter] = o
		}
		return o
	}
	err := q.each([]byte{indexPrefix}, []byte{indexPrefix + 1}, func(key, value []byte) error {
		ln, counter, _, ok := parsePlaceKey(key)
		if !ok {
			return nil
		}
		x, err := decodeIndexOf(value, false)
		if err != nil {
			return err
		}
		l := &of(counter).lanes[ln]
		for _, s := range x.numbers {
			l.left = l.left.insert(s)
		}
		l.add(x.item())
		return nil
	})
	if err != nil {
		return err
	}
	err = q.each([]byte{recordPrefix}, []byte{recordPrefix + 1}, func(key, value []byte) error {
		ln, counter, number, ok := parsePlaceKey(key)
		if !ok {
			return nil
		}
		created, _ := createdIn(value) // one that cannot be read is declared when its turn comes
		l := &of(counter).lanes[ln]
		l.left = l.left.insert(one(number))
		l.add(item{first: number, last: number, left: 1, bytes: uint32(len(value)), created: created, newest: created})
		return nil
	})
	if err != nil {
		return err
	}
	drop := q.db.NewBatch()
	defer drop.Close()
	err = q.each(epochKey(0), epochKey(q.opening), func(key, value []byte) error {
		if len(key) != 5 || len(value) != 8 {
			return fmt.Errorf("%w: epoch", ErrDamaged)
		}
		counter := binary.BigEndian.Uint32(key[1:])
		o := left[counter]
		if o == nil {
			_ = drop.Delete(key, nil)
			return nil
		}
		o.epoch = binary.BigEndian.Uint64(value)
		q.openings = append(q.openings, o)
		return nil
	})
	if err != nil {
		return err
	}
	if !drop.Empty() {
		if err := drop.Commit(pebble.NoSync); err != nil {
			return err
		}
	}
	q.openings = append(q.openings, &opening{counter: q.opening, epoch: q.epoch})
	return nil
}

// mine is this opening. The caller holds mu, or runs before others do.
func (q *Queue) mine() *opening { return q.openings[len(q.openings)-1] }

// Epoch is the random number of this opening.
func (q *Queue) Epoch() uint64 { return q.epoch }

// Openings are the epochs of which there are records, oldest first; the last is
// that of this opening, whatever it holds.
func (q *Queue) Openings() []uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	epochs := make([]uint64, len(q.openings))
	for i, o := range q.openings {
		epochs[i] = o.epoch
	}
	return epochs
}

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
	q.mu.Unlock()
	q.close()
	q.kept.Wait() // may still declare something
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil
	}
	q.closed = true
	q.mu.Unlock()
	q.signal()
	q.committed.Wait()
	q.unpacked.forget()
	q.flush()
	return errors.Join(q.db.Close(), q.lock.Close())
}

// flush leaves nothing in the log, of whose last 32 KiB damage cannot be told from a
// torn end. It does not wait for a disk that has no room.
func (q *Queue) flush() {
	done, err := q.db.AsyncFlush()
	if err != nil {
		return
	}
	select {
	case <-done:
	case <-time.After(5 * time.Second):
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

// Event is something that the queue did by itself and that people may ask for
// later.
type Event struct {
	Time int64 // ns UTC
	What string
}

const maxEvents = 1000

// note keeps an event for TakeEvents and tells the log. The caller does not hold mu.
func (q *Queue) note(level slog.Level, what string) {
	q.cfg.Log.Log(context.Background(), level, "queue: "+what)
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) < maxEvents {
		q.events = append(q.events, Event{Time: plant.Millis(time.Now().UnixNano()), What: what})
	}
}

// TakeEvents returns what has happened since it was called last.
func (q *Queue) TakeEvents() []Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.events
	q.events = nil
	return e
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
type logger struct {
	log   *slog.Logger
	leave func()
}

func (q *Queue) logger() logger { return logger{q.cfg.Log, q.cfg.leave} }

func (l logger) Infof(string, ...any) {}
func (l logger) Errorf(format string, args ...any) {
	l.log.Error("queue: " + fmt.Sprintf(format, args...))
}
func (l logger) Fatalf(format string, args ...any) {
	l.log.Error("queue: the disk failed, leaving: " + fmt.Sprintf(format, args...))
	if l.leave != nil {
		l.leave()
	}
	os.Exit(1)
}
