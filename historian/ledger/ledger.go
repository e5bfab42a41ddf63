package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"millwright/plant"
	"millwright/plant/sqlite"
	"millwright/sparkplug"
)

// Source is a place in which records are committed: the store, the alarm book.
type Source interface {
	// Tallies are what was counted of an epoch, of which records, at one moment: see
	// store.Store.
	Tallies(edge string, epoch uint64) (list []plant.Tally, of []sparkplug.Span, err error)
}

// Alarms takes findings; see ingest.Alarms.
type Alarms interface {
	Apply(ctx context.Context, edge string, epoch, number uint64, f []plant.Finding) error
}

// Errors that callers tell apart.
var (
	ErrNothing = errors.New("there is no difference to explain")
	ErrNote    = errors.New("a note is needed: what was lost, and why")
	ErrUnknown = errors.New("no such edge")
)

// Config of a ledger. All but Log is needed.
type Config struct {
	Dir     string   // made if it is not there
	Sources []Source // together they have all records; their records are disjoint
	Fold    func(edge string, epoch, below uint64) error
	Alarms  Alarms
	HostID  string // its findings are numbered under this name
	Log     *slog.Logger
}

// Ledger is an open ledger. All methods are safe for concurrent use.
type Ledger struct {
	cfg Config
	db  *sql.DB

	mu    sync.Mutex // guards what follows
	edges map[string]*edge

	wake chan struct{} // buffered 1: something is to be written or told
}

// edge is what is known of one.
type edge struct {
	name    string
	at      int64 // ns UTC of its last word
	whole   bool  // that named all epochs of which anything is left
	entries []*entry
	notes   []plant.LossNote
	loss    *plant.Loss
	told    *bool // the last word to the alarm book: raised, or not; nil: none
	toldOf  plant.Loss
	drain   drain
}

const schema = `
CREATE TABLE entry (
  edge  TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  body  TEXT NOT NULL,
  PRIMARY KEY (edge, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE note (
  id   INTEGER PRIMARY KEY AUTOINCREMENT,
  edge TEXT NOT NULL,
  body TEXT NOT NULL
) STRICT;
`

const (
	keepFor  = 90 * 24 * time.Hour // an epoch after its last word, where nothing is wrong with it
	goneFor  = time.Minute         // an epoch of which an edge says nothing any more is gone
	mostSaid = 10                  // notes that are shown
)

// Open opens the ledger in a folder (file ledger.db), or makes one.
func Open(cfg Config) (*Ledger, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	db, err := sqlite.Open(filepath.Join(cfg.Dir, "ledger.db"), schema)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l := &Ledger{cfg: cfg, db: db, edges: map[string]*edge{}, wake: make(chan struct{}, 1)}
	if err := l.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: %w", err), db.Close())
	}
	return l, nil
}

// Close closes the file.
func (l *Ledger) Close() error { return l.db.Close() }

// of is an edge. The caller holds mu.
func (l *Ledger) of(name string) *edge {
	e := l.edges[name]
	if e == nil {
		e = &edge{name: name}
		l.edges[name] = e
	}
	return e
}

// State takes what an edge says of its epochs: all those that it remembers.
func (l *Ledger) State(name string, list []sparkplug.Account, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.of(name)
	e.at, e.whole = now.UnixNano(), len(list) < sparkplug.MaxAccounts
	for i := range list {
		e.whole = e.whole && !list[i].More
	}
	for i, a := range list {
		x := e.entry(a.Epoch)
		last := i == len(list)-1
		if last && !x.current && x.compared {
			x.resume() // two boxes with one name speak by turns: the opening was not over
		}
		x.current = last
		if a.Last < x.Account.Last && x.Account.Queued == "" {
			// An edge never forgets a record that was on its disk, but the disk of
			// one may be put back: what it said before counts.
			continue
		}
		x.changed = x.changed || x.Account != a
		if a.Unread > x.Account.Unread { // declared, and nobody knows what was in them
			x.owe(a.Last)
		}
		x.Account, x.At = a, e.at
	}
	e.judge(l, now)
	l.signal()
}

// entry is that of an epoch.
func (e *edge) entry(epoch uint64) *entry {
	for _, x := range e.entries {
		if x.Account.Epoch == epoch {
			return x
		}
	}
	x := &entry{}
	x.Account.Epoch = epoch
	e.entries = append(e.entries, x)
	return x
}

// judge compares all epochs of an edge. The caller holds l.mu.
func (e *edge) judge(l *Ledger, now time.Time) {
	for _, x := range e.entries {
		// Nothing but its own word changes what is settled.
		if x.compared && x.fine() && !x.changed && x.Account.Queued == "" {
			continue
		}
		if err := x.compare(e, l.cfg.Sources, now); err != nil {
			l.cfg.Log.Error("edge cannot be compared with what is stored", "edge", e.name, "epoch", x.Account.Epoch, "err", err)
			continue
		}
		x.changed, x.dirty = false, true
	}
	e.loss = e.difference()
	e.drain.see(e.waiting(), now)
}

// difference is what is wrong with an edge, of all its epochs; nil: nothing.
func (e *edge) difference() *plant.Loss {
	var sum *plant.Loss
	for _, x := range e.entries {
		d := x.difference()
		if d == nil {
			continue
		}
		if sum == nil {
			sum = d
			continue
		}
		sum.From, sum.To = min(sum.From, d.From), max(sum.To, d.To)
		sum.Records += d.Records
		for c, n := range d.Values {
			sum.Values[c] += n
		}
	}
	return sum
}

// waiting is how many values are under way.
func (e *edge) waiting() (n uint64) {
	for _, x := range e.entries {
		for c := range plant.CountClasses {
			n += x.underway(c)
		}
	}
	return n
}

// Status is what the ledger says of an edge; nil: it has not said anything yet.
func (l *Ledger) Status(name string) *plant.EdgeLedger {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.edges[name]
	if e == nil || len(e.entries) == 0 {
		return nil
	}
	s := &plant.EdgeLedger{Edge: name, DoneIn: e.drain.doneIn()}
	names := plant.CountNames()
	for c := range s.Classes {
		s.Classes[c].Name = names[c]
	}
	for _, x := range e.entries {
		if began := x.Account.Began * ms; s.Since == 0 || began < s.Since {
			s.Since = began
		}
		s.At = max(s.At, x.At)
		net := x.net()
		for c := range s.Classes {
			k := &s.Classes[c]
			k.Sent += x.Account.Total[c]
			k.Stored += x.Stored[c]
			k.Declared += x.Account.TotalDeclared[c]
			k.Lost += net[c]
			k.Explained += max(0, x.Explained[c])
		}
	}
	if e.loss != nil {
		loss := *e.loss
		s.Loss = &loss
	}
	s.Notes = slices.Clone(e.notes)
	return s
}

// Explain takes an engineer's word for why there is a difference: it is none any
// more, and its alarm returns. What was lost stays in the books as explained.
func (l *Ledger) Explain(ctx context.Context, name, who, text string) error {
	if text == "" {
		return ErrNote
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.edges[name]
	if e == nil {
		return fmt.Errorf("edge %.80q: %w", name, ErrUnknown)
	}
	if e.loss == nil {
		return fmt.Errorf("edge %s: %w", name, ErrNothing)
	}
	note := plant.LossNote{At: plant.Millis(time.Now().UnixNano()), Who: who, Text: text, Loss: *e.loss}
	var after []*entry
	for _, x := range e.entries {
		c := x.clone()
		c.explain()
		after = append(after, c)
	}
	if err := l.write(ctx, name, after, &note); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	e.entries = after
	e.notes = append([]plant.LossNote{note}, e.notes[:min(len(e.notes), mostSaid-1)]...)
	e.loss = e.difference()
	l.signal()
	return nil
}

// Declared notes that records which never came are declared as gaps by the
// historian itself: they are no loss that nobody knows of.
func (l *Ledger) Declared(name string, epoch uint64, numbers []sparkplug.Span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.of(name)
	x := e.entry(epoch)
	x.excuse(numbers)
	x.changed = true
	e.judge(l, time.Now())
	l.signal()
}

func (l *Ledger) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run writes and tells what has changed until ctx ends.
func (l *Ledger) Run(ctx context.Context) error {
	t := teller{l: l, epoch: 1 + rand.Uint64N(1<<53-1)}
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			l.flush(context.WithoutCancel(ctx))
			return nil
		case now := <-tick.C:
			l.mu.Lock()
			for _, e := range l.edges {
				e.judge(l, now)
				e.forget(now)
			}
			l.mu.Unlock()
		case <-l.wake:
		}
		l.flush(ctx)
		l.fold()
		t.tell(ctx)
	}
}

// flush writes the entries that have changed. Nothing waits for the disk under mu.
func (l *Ledger) flush(ctx context.Context) {
	todo := map[string][]*entry{}
	l.mu.Lock()
	for name, e := range l.edges {
		for _, x := range e.entries {
			if x.dirty {
				x.dirty = false
				todo[name] = append(todo[name], x.clone())
			}
		}
	}
	l.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(todo)) {
		err := l.write(ctx, name, todo[name], nil)
		if err == nil {
			continue
		}
		if ctx.Err() == nil {
			l.cfg.Log.Error("ledger is not written", "edge", name, "err", err)
		}
		l.mu.Lock()
		for _, x := range todo[name] {
			l.edges[name].entry(x.Account.Epoch).dirty = true
		}
		l.mu.Unlock()
	}
}

// fold lets the stores add up what was found to be right: a difference that comes
// later is looked for behind it.
func (l *Ledger) fold() {
	type place struct {
		edge         string
		epoch, below uint64
	}
	var todo []place
	l.mu.Lock()
	for name, e := range l.edges {
		for _, x := range e.entries {
			below := slices.Min(x.Account.Through[:]) / plant.TallyBlock
			if x.compared && x.fine() && below > x.folded {
				x.folded = below
				todo = append(todo, place{name, x.Account.Epoch, below})
			}
		}
	}
	l.mu.Unlock()
	for _, p := range todo {
		if err := l.cfg.Fold(p.edge, p.epoch, p.below); err != nil {
			l.cfg.Log.Error("tallies are not folded", "edge", p.edge, "err", err)
		}
	}
}

// forget drops epochs of long ago with which nothing is wrong.
func (e *edge) forget(now time.Time) {
	e.entries = slices.DeleteFunc(e.entries, func(x *entry) bool {
		return x.At != 0 && now.UnixNano()-x.At > int64(keepFor) && x.difference() == nil
	})
}

// teller brings differences into the alarm book, as ingest does with edges that are
// away: its findings are numbered like an edge's records, under the host's name.
type teller struct {
	l             *Ledger
	epoch, number uint64
}

// tell says what has changed. What the book refuses is said again later.
func (t *teller) tell(ctx context.Context) {
	l := t.l
	l.mu.Lock()
	var todo []plant.Finding
	var edges []*edge
	for _, e := range l.edges {
		if e.at == 0 {
			continue // it has not been heard of since the start: no word about it
		}
		if f, ok := e.finding(); ok {
			todo, edges = append(todo, f), append(edges, e)
		}
	}
	l.mu.Unlock()
	for i, f := range todo {
		t.number++
		if err := l.cfg.Alarms.Apply(ctx, l.cfg.HostID, t.epoch, t.number, []plant.Finding{f}); err != nil {
			if ctx.Err() == nil {
				l.cfg.Log.Error("a loss is not in the alarm book", "edge", f.Asset, "err", err)
			}
			continue
		}
		l.mu.Lock()
		raised := f.Phase != plant.Clear
		edges[i].told = &raised
		if edges[i].toldOf = (plant.Loss{}); f.Loss != nil {
			edges[i].toldOf = *f.Loss
			l.cfg.Log.Error("values are lost between an edge and the plant", "edge", f.Asset, "reason", f.Loss.Reason, "records", f.Loss.Records, "values", f.Loss.Lost())
		}
		l.mu.Unlock()
	}
}

// finding is what the alarm book is to be told; ok is false where it knows.
func (e *edge) finding() (f plant.Finding, ok bool) {
	raised := e.loss != nil
	f = plant.Finding{
		Asset: e.name, Key: "ledger", Kind: plant.KindLoss, Class: plant.SystemFault, Phase: plant.Clear,
		Detector: "ledger", Priority: 2, Time: plant.Millis(time.Now().UnixNano()),
	}
	if raised {
		loss := *e.loss
		f.Phase, f.Loss = plant.Raise, &loss
		f.Value, f.Unit = float64(loss.Lost()), "values"
	}
	if e.told != nil && *e.told == raised && (!raised || e.toldOf == *e.loss) {
		return f, false
	}
	if e.told != nil && *e.told && raised {
		f.Phase = plant.Update
	}
	return f, true
}

// load reads entries and notes.
func (l *Ledger) load() error {
	if err := l.loadEntries(); err != nil {
		return err
	}
	return l.loadNotes()
}

// Edges are the edges in the ledger.
func (l *Ledger) Edges() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.SortedFunc(maps.Keys(l.edges), func(a, b string) int { return cmp.Compare(a, b) })
}
