package notify

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millwright/plant"
	"millwright/plant/sqlite"
)

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("no such thing at the alert desk")
	ErrChanged  = errors.New("the roster has changed meanwhile")
	ErrState    = errors.New("the message is not dead")
	ErrCursor   = errors.New("not a cursor of this list")
	ErrNewer    = sqlite.ErrNewer
)

// Alarms is the alarm book.
type Alarms interface {
	// Events returns up to max journal entries after a number, ascending: each
	// alarm as it was after the entry that is its Seq.
	Events(ctx context.Context, after uint64, max int) ([]plant.Alarm, error)
	Get(ctx context.Context, id int64) (plant.Alarm, error)
	// Ack acknowledges an alarm that is in ifState still.
	Ack(ctx context.Context, id int64, who, note string, ifState plant.AlarmState) (plant.Alarm, error)
	// Changed returns a channel that is closed when the journal grows.
	Changed() <-chan struct{}
}

// Channel hands messages over to what carries them. Send may be called from
// several goroutines; an error that is channel.ErrPermanent no retry mends.
type Channel interface {
	Name() string   // kind: "mail", "sms", "ntfy", "webhook"
	Target() string // where to, without secrets
	Send(ctx context.Context, m plant.Message) error
}

// Replies is a Channel on which people answer. Replies blocks; take gets each
// answer until it returned nil for it, and gives what to say back, if anything.
type Replies interface {
	Replies(ctx context.Context, take func(from, text string) (answer string, err error)) error
}

// Failures is a Channel that learns only later that it could not send what it
// took. Failed tells of each such message once tell returned nil for it; key is
// the message's.
type Failures interface {
	Failed(ctx context.Context, tell func(key, why string) error) error
}

// Limits of the desk. Zero fields take the defaults named.
type Limits struct {
	GroupFor  time.Duration // what joins an alarm for so long follows as one message; 30 s
	PerMinute int           // messages that a person gets in any minute, at most; 10
	LinkLife  time.Duration // of links and reply codes; 12 h
	Ended     time.Duration // nobody is told of a condition that ended longer ago; 10 min
	FallAfter time.Duration // a channel failing so long gives way to the person's next contact; 1 min
	GiveUp    time.Duration // after so long of trying a message is dead; 24 h
	Send      time.Duration // for one try; 30 s
	Parallel  int           // tries at once on a channel; 4
	Heartbeat time.Duration // length of a shift, at whose begin heartbeats go, where a team has no rotations; 8 h, negative: none go at all
	Keep      time.Duration // of messages that are done with; 90 days
}

func (l Limits) defaults() Limits {
	l.GroupFor = cmp.Or(l.GroupFor, 30*time.Second)
	l.PerMinute = cmp.Or(l.PerMinute, 10)
	l.LinkLife = cmp.Or(l.LinkLife, 12*time.Hour)
	l.Ended = cmp.Or(l.Ended, 10*time.Minute)
	l.FallAfter = cmp.Or(l.FallAfter, time.Minute)
	l.GiveUp = cmp.Or(l.GiveUp, 24*time.Hour)
	l.Send = cmp.Or(l.Send, 30*time.Second)
	l.Parallel = cmp.Or(l.Parallel, 4)
	l.Heartbeat = cmp.Or(l.Heartbeat, 8*time.Hour)
	l.Keep = cmp.Or(l.Keep, 90*24*time.Hour)
	return l
}

// Desk is the alert desk. Fill it in, Open it, Run it, Close it. Its methods may
// be called from any goroutine between Open and Close.
type Desk struct {
	Dir       string // its file is notify.db in there
	Alarms    Alarms
	Via       []Channel            // at most one of each kind
	Assets    func() []plant.Asset // for their names; may be nil
	PublicURL string               // "http://host:8080", begins the links; empty: none
	Zone      *time.Location       // of times in messages; nil: UTC
	Limits    Limits
	Log       *slog.Logger // nil: none

	db     *sql.DB
	name   string // begins the keys of messages
	secret []byte // makes the links
	lanes  []*lane
	roster atomic.Pointer[roster] // the newest
	kick   chan struct{}          // wakes the planner
	routed int64                  // revision of the roster that the planner has looked through

	writing sync.Mutex // one writer at a time; SQLite would poll

	unrouted, unreached atomic.Uint64
	saidUnrouted        sync.Once

	mu     sync.Mutex
	closed bool
}

// Open opens the file and makes the desk ready for questions; Run makes it work.
func (d *Desk) Open() error {
	d.Limits = d.Limits.defaults()
	d.Log = cmp.Or(d.Log, slog.New(slog.DiscardHandler))
	d.Zone = cmp.Or(d.Zone, time.UTC)
	d.kick = make(chan struct{}, 1)
	for _, c := range d.Via {
		if !slices.Contains(kinds, c.Name()) || d.lane(c.Name()) != nil {
			return fmt.Errorf("notify: channel %q: one of each of %q", c.Name(), kinds)
		}
		d.lanes = append(d.lanes, &lane{desk: d, channel: c, name: c.Name(), wake: make(chan struct{}, 1), circuits: map[string]*breaker{}})
	}
	db, err := sqlite.Open(filepath.Join(d.Dir, "notify.db"), schema, escalation, guesses)
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	d.db = db
	if err := d.load(); err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

func (d *Desk) load() error {
	ctx := context.Background()
	var err error
	if d.secret, err = openSecret(d.Dir); err != nil {
		return err
	}
	if err := d.db.QueryRowContext(ctx, `SELECT name FROM desk`).Scan(&d.name); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	if err := d.prune(ctx); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	newest, err := d.Roster(ctx)
	if err != nil {
		return err
	}
	r, err := read(newest)
	if err != nil {
		return fmt.Errorf("notify: the saved roster, revision %d: %w", newest.Revision, err)
	}
	d.roster.Store(r)
	return nil
}

// Run plans and sends until ctx ends. What is being handed over then gets a
// moment to finish; what does not is sent again, with its key, at the next start.
func (d *Desk) Run(ctx context.Context) error {
	if err := d.prepare(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("notify: %w", err)
	}
	var parts sync.WaitGroup
	parts.Go(func() { d.planner(ctx) })
	for _, l := range d.lanes {
		parts.Go(func() { l.run(ctx) })
		if answers, ok := l.channel.(Replies); ok {
			parts.Go(func() { d.listen(ctx, answers) })
		}
		if failures, ok := l.channel.(Failures); ok {
			parts.Go(func() { d.watch(ctx, l.name, failures) })
		}
	}
	done := make(chan struct{})
	go func() { defer close(done); parts.Wait() }()
	<-ctx.Done()
	select {
	case <-done:
	case <-time.After(1500 * time.Millisecond):
		d.Log.Warn("a channel does not let go; leaving it behind")
	}
	return nil
}

// Close closes the file.
func (d *Desk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.db == nil {
		return nil
	}
	d.closed = true
	if err := d.db.Close(); err != nil {
		return fmt.Errorf("notify: close: %w", err)
	}
	return nil
}

// lane returns the lane of a kind of channel, or nil.
func (d *Desk) lane(kind string) *lane {
	i := slices.IndexFunc(d.lanes, func(l *lane) bool { return l.name == kind })
	if i < 0 {
		return nil
	}
	return d.lanes[i]
}

func (d *Desk) able(kind string) bool { return d.lane(kind) != nil }

// write runs f in a transaction; nil means that it is on the disk.
func (d *Desk) write(ctx context.Context, f func(tx *sql.Tx) error) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	return sqlite.Update(ctx, d.db, f)
}

// wake lets somebody look who may be waiting.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (d *Desk) wakeLanes() {
	for _, l := range d.lanes {
		wake(l.wake)
	}
}

// prune forgets what has been done with for long.
func (d *Desk) prune(ctx context.Context) error {
	old := time.Now().Add(-d.Limits.Keep).UnixNano()
	return d.write(ctx, func(tx *sql.Tx) error {
		for _, q := range []string{
			`DELETE FROM message WHERE state IN ('sent', 'cancelled', 'dead') AND created < ?`,
			`DELETE FROM link WHERE expires < ?`,
			`DELETE FROM code WHERE expires < ?`,
			`DELETE FROM wrong WHERE at < ?`,
		} {
			if _, err := tx.ExecContext(ctx, q, old); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM told WHERE message NOT IN (SELECT id FROM message)`)
		return err
	})
}

// Stats counts what the desk holds. Unrouted counts alarms that no route took,
// Unreached steps that found nobody, both since the start.
type Stats struct {
	Pending, Held, Sending, Sent, Cancelled, Dead int
	Unrouted, Unreached                           uint64
	Cursor                                        uint64 // journal entry planned last
}

// Stats counts the messages in the outbox by state.
func (d *Desk) Stats(ctx context.Context) (Stats, error) {
	s := Stats{Unrouted: d.unrouted.Load(), Unreached: d.unreached.Load()}
	rows, err := d.db.QueryContext(ctx, `SELECT state, count(*) FROM message GROUP BY state UNION ALL SELECT '', cursor FROM desk`)
	if err != nil {
		return s, fmt.Errorf("notify: stats: %w", err)
	}
	defer rows.Close()
	of := map[plant.MessageState]*int{
		plant.MessagePending: &s.Pending, plant.MessageHeld: &s.Held, plant.MessageSending: &s.Sending,
		plant.MessageSent: &s.Sent, plant.MessageCancelled: &s.Cancelled, plant.MessageDead: &s.Dead,
	}
	for rows.Next() {
		var state plant.MessageState
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return s, fmt.Errorf("notify: stats: %w", err)
		}
		if p := of[state]; p != nil {
			*p = n
		} else {
			s.Cursor = uint64(n)
		}
	}
	return s, rows.Err()
}
