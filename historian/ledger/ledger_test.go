package ledger_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"millwright/edge/queue"
	"millwright/historian/alarm"
	"millwright/historian/ledger"
	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
)

const name = "mill/f3"

// world is an edge's queue and a plant, without the wire between them.
type world struct {
	*testing.T
	dir    string
	queue  *queue.Queue
	store  *store.Pebble
	book   *alarm.Book
	ledger *ledger.Ledger
	stop   func()
	now    time.Time
	tags   []plant.Tag // as the queue knows them; the store has the same numbers
	rand   *rand.Rand
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, dir: t.TempDir(), now: time.Now(), rand: rand.New(rand.NewPCG(7, 8)),
		tags: []plant.Tag{{Path: "A/X"}, {Path: "A/$SCORE"}, {Path: "A/W", Kind: plant.Burst}}}
	w.openQueue(queue.Config{Dir: filepath.Join(w.dir, "queue")})
	w.openPlant()
	t.Cleanup(func() {
		_ = w.queue.Close()
		w.closePlant()
	})
	return w
}

func (w *world) openQueue(c queue.Config) {
	w.Helper()
	var err error
	c.Log = slog.New(slog.DiscardHandler)
	if w.queue, err = queue.Open(c); err == nil {
		err = w.queue.Intern("d", w.tags)
	}
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) openPlant() {
	w.Helper()
	var err error
	if w.store, err = store.Open(store.Config{Dir: filepath.Join(w.dir, "store"), Log: slog.New(slog.DiscardHandler)}); err != nil {
		w.Fatal(err)
	}
	if w.book, err = alarm.Open(filepath.Join(w.dir, "alarms")); err != nil {
		w.Fatal(err)
	}
	tags := append([]plant.Tag(nil), w.tags...)
	if err := w.store.Intern(tags); err != nil {
		w.Fatal(err)
	}
	w.ledger, err = ledger.Open(ledger.Config{Dir: filepath.Join(w.dir, "ledger"), Sources: []ledger.Source{w.store, w.book},
		Fold: w.store.FoldTallies, Alarms: w.book, HostID: "host", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.ledger.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.Error(err)
		}
	}
}

func (w *world) closePlant() {
	w.stop()
	if err := errors.Join(w.ledger.Close(), w.book.Close(), w.store.Close()); err != nil {
		w.Error(err)
	}
}

// make queues records of all kinds, and their commits.
func (w *world) make(n int) (made []*queue.Record) {
	w.Helper()
	for range n {
		d := queue.Draft{Lane: queue.Telemetry, Device: "d"}
		switch w.rand.IntN(6) {
		case 0:
			d.Lane = queue.Findings
			d.Batch.Findings = []plant.Finding{{Asset: "A", Key: "k", Phase: plant.Raise, Time: w.now.UnixNano()}}
		case 1:
			d.Lane = queue.Waveforms
			d.Batch.Waveforms = []plant.Waveform{{Tag: w.tags[2].ID, Time: w.now.UnixNano(), Values: make([]float32, 50)}}
		default:
			for range 1 + w.rand.IntN(30) {
				w.now = w.now.Add(time.Millisecond)
				d.Batch.Samples = append(d.Batch.Samples, plant.Sample{Tag: w.tags[w.rand.IntN(2)].ID, Time: plant.Millis(w.now.UnixNano())})
			}
		}
		list, err := w.queue.Append([]queue.Draft{d}, nil)
		if err != nil {
			w.Fatal(err)
		}
		made = append(made, list...)
	}
	w.flush()
	return made
}

func (w *world) flush() {
	w.Helper()
	done := make(chan error, 1)
	if err := w.queue.Flushed(func(err error) { done <- err }); err != nil {
		w.Fatal(err)
	}
	if err := <-done; err != nil {
		w.Fatal(err)
	}
}

// deliver brings a record to the plant, as ingest does.
func (w *world) deliver(r *queue.Record) {
	w.Helper()
	ctx := context.Background()
	var err error
	if len(r.Batch.Findings) > 0 {
		err = w.book.Apply(ctx, name, r.Epoch, r.Number, r.Batch.Findings)
	} else {
		counts := plant.CountOf(&r.Batch, func(id plant.TagID) bool { return id == w.tags[1].ID })
		err = w.store.Append(ctx, r.Batch, []store.Mark{{Edge: name, Epoch: r.Epoch, Number: r.Number, Counts: counts}})
	}
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) settle(r *queue.Record) {
	w.Helper()
	if _, err := w.queue.Settle(r.Epoch, []sparkplug.Span{{First: r.Number, Last: r.Number}}); err != nil {
		w.Fatal(err)
	}
}

// backlog is all that is queued.
func (w *world) backlog() (all []*queue.Record) {
	w.Helper()
	for lane := range queue.Lane(queue.Lanes) {
		list, _, err := w.queue.Backlog(lane, queue.Pos{}, 100_000)
		if err != nil {
			w.Fatal(err)
		}
		for i := range list {
			all = append(all, &list[i])
		}
	}
	return all
}

// drain delivers and settles all that is queued.
func (w *world) drain() {
	w.Helper()
	for _, r := range w.backlog() {
		w.deliver(r)
		w.settle(r)
	}
}

// state lets the edge say what it has, and returns what the ledger makes of it.
func (w *world) state() *plant.EdgeLedger {
	w.Helper()
	list, err := sparkplug.ParseAccounts(sparkplug.FormatAccounts(w.queue.Accounts()))
	if err != nil {
		w.Fatal(err)
	}
	w.ledger.State(name, list, w.now)
	return w.ledger.Status(name)
}

// fine says that there is no difference.
func (w *world) fine(s *plant.EdgeLedger) {
	w.Helper()
	if s != nil && s.Loss != nil {
		w.Fatalf("a difference where there is none: %+v in %+v", *s.Loss, s.Classes)
	}
}

// alarm waits for the alarm of the edge to be in a state; "" for none.
func (w *world) alarm(want plant.AlarmState) plant.Alarm {
	w.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		list, _, err := w.book.List(context.Background(), plant.AlarmQuery{Asset: name})
		if err != nil {
			w.Fatal(err)
		}
		if len(list) > 0 && list[0].State == want {
			return list[0]
		}
		if time.Now().After(end) {
			w.Fatalf("alarms %+v, want one that is %s", list, want)
		}
	}
}

// Whatever is sent, repeated, thinned out, killed and restarted: while all is
// delivered or declared there is never a difference, and in the end the sums agree.
func TestExact(t *testing.T) {
	w := newWorld(t)
	config := queue.Config{Dir: filepath.Join(w.dir, "queue"), Quotas: &queue.Quotas{queue.Telemetry: {Bytes: 3_000}, queue.Waveforms: {Bytes: 1_000}}}
	for range 5 {
		if err := w.queue.Close(); err != nil {
			t.Fatal(err)
		}
		w.openQueue(config)
		for range 25 {
			for _, r := range w.make(1 + w.rand.IntN(9)) {
				if w.rand.IntN(3) == 0 { // live, answered or not
					w.deliver(r)
					if w.rand.IntN(2) == 0 {
						w.settle(r)
					}
				}
			}
			w.fine(w.state())
			for _, r := range w.backlog() {
				switch w.rand.IntN(4) {
				case 0:
					w.deliver(r)
					w.deliver(r) // again
					w.settle(r)
				case 1:
					w.deliver(r) // not answered
				}
			}
			w.fine(w.state())
		}
		if w.rand.IntN(2) == 0 {
			w.closePlant()
			w.openPlant()
		}
		w.fine(w.state())
	}
	w.make(300) // more than the quota
	for end := time.Now().Add(time.Minute); w.queue.Stats().Declared == 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
		w.fine(w.state())
	}
	w.drain()
	for len(w.backlog()) > 0 { // gaps that were declared meanwhile
		w.drain()
	}
	s := w.state()
	w.fine(s)
	for _, c := range s.Classes {
		// What was stored and thinned out all the same is in both.
		if c.Sent == 0 || c.Stored > c.Sent || c.Stored+c.Declared < c.Sent || c.Lost != 0 || c.Explained != 0 {
			t.Errorf("%+v", c)
		}
	}
	if s.Classes[plant.CountMeasured].Declared == 0 {
		t.Error("nothing was thinned out")
	}
	if list, _, err := w.book.List(context.Background(), plant.AlarmQuery{Asset: name}); err != nil || len(list) > 0 {
		t.Errorf("%+v %v", list, err)
	}
}

// A record that the edge has freed and the plant never had is an alarm that names
// how much of which class; a note of an engineer ends it, for good.
func TestMissing(t *testing.T) {
	w := newWorld(t)
	w.make(100)
	w.drain()
	w.fine(w.state())
	made := w.make(20)
	var want [plant.CountClasses]int64
	lost := 0
	for _, r := range made {
		if lost < 3 && len(r.Batch.Samples) > 0 {
			w.settle(r) // and never delivered
			lost++
			for c, n := range plant.CountOf(&r.Batch, func(id plant.TagID) bool { return id == w.tags[1].ID }) {
				want[c] += int64(n)
			}
		}
	}
	w.state()
	w.drain()
	s := w.state()
	if s.Loss == nil || s.Loss.Reason != plant.LossMissing || s.Loss.Records != 3 || s.Loss.Values != want || s.Loss.Epoch != w.queue.Epoch() {
		t.Fatalf("%+v, want 3 records of %v", s.Loss, want)
	}
	a := w.alarm(plant.Unacked)
	if f := a.Finding; f.Kind != plant.KindLoss || f.Loss == nil || f.Loss.Records != 3 || f.Class != plant.SystemFault {
		t.Errorf("%+v", f)
	}
	if s.Loss.From > s.Loss.To || s.Loss.To-s.Loss.From > int64(time.Minute) {
		t.Errorf("span %v to %v", time.Unix(0, s.Loss.From), time.Unix(0, s.Loss.To))
	}

	ctx := context.Background()
	if err := w.ledger.Explain(ctx, name, "asma", ""); !errors.Is(err, ledger.ErrNote) {
		t.Errorf("without a note: %v", err)
	}
	if err := w.ledger.Explain(ctx, "mill/f9", "asma", "x"); !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("another edge: %v", err)
	}
	if err := w.ledger.Explain(ctx, name, "asma", "disk 4 failed"); err != nil {
		t.Fatal(err)
	}
	w.alarm(plant.RtnUnacked)
	if err := w.ledger.Explain(ctx, name, "asma", "again"); !errors.Is(err, ledger.ErrNothing) {
		t.Errorf("twice: %v", err)
	}
	check := func() {
		t.Helper()
		s := w.state()
		w.fine(s)
		if c := s.Classes[plant.CountMeasured]; c.Lost != 0 || c.Explained != want[plant.CountMeasured] || c.Sent != c.Stored+uint64(c.Explained) {
			t.Errorf("%+v", c)
		}
		if len(s.Notes) != 1 || s.Notes[0].Text != "disk 4 failed" || s.Notes[0].Who != "asma" || s.Notes[0].Loss.Records != 3 {
			t.Errorf("%+v", s.Notes)
		}
	}
	check()
	w.closePlant()
	w.openPlant()
	check()

	// The next loss is another one.
	for _, r := range w.make(1) {
		w.settle(r)
	}
	if s := w.state(); s.Loss == nil || s.Loss.Records != 1 || s.Loss.Reason != plant.LossMissing {
		t.Errorf("%+v", s.Loss)
	}
	w.alarm(plant.Unacked)
}

// A store that was put back from a backup has less than it had.
func TestRestored(t *testing.T) {
	w := newWorld(t)
	w.make(50)
	w.drain()
	w.fine(w.state())
	w.closePlant()
	backup := filepath.Join(w.dir, "backup")
	if err := os.CopyFS(backup, os.DirFS(filepath.Join(w.dir, "store"))); err != nil {
		t.Fatal(err)
	}
	w.openPlant()
	var want [plant.CountClasses]int64
	for _, r := range w.make(40) {
		for c, n := range plant.CountOf(&r.Batch, func(id plant.TagID) bool { return id == w.tags[1].ID }) {
			want[c] += int64(n)
		}
	}
	want[plant.CountFindings] = 0 // those are in the alarm book
	w.drain()
	w.fine(w.state())
	w.closePlant()
	if err := errors.Join(os.RemoveAll(filepath.Join(w.dir, "store")), os.Rename(backup, filepath.Join(w.dir, "store"))); err != nil {
		t.Fatal(err)
	}
	w.openPlant()
	s := w.state()
	if s.Loss == nil || s.Loss.Reason != plant.LossStore || s.Loss.Values != want {
		t.Fatalf("%+v, want %v", s.Loss, want)
	}
	w.alarm(plant.Unacked)

	// The historian declares the hole by itself: the difference is explained.
	spans, err := sparkplug.ParseSpans(s.Loss.Numbers)
	if err != nil {
		t.Fatal(err)
	}
	for s.Loss != nil {
		w.ledger.Declared(name, s.Loss.Epoch, spans)
		next := w.ledger.Status(name)
		if next.Loss != nil && next.Loss.Records == s.Loss.Records {
			t.Fatalf("still %+v", next.Loss)
		}
		if s = next; s.Loss != nil {
			spans, _ = sparkplug.ParseSpans(s.Loss.Numbers)
		}
	}
	w.alarm(plant.RtnUnacked)
	w.make(30)
	w.drain()
	w.fine(w.state())
}

// A queue that is gone with records in it is a loss, once it is certain that the
// edge does not have them any more; records that come after all mend it.
func TestGone(t *testing.T) {
	w := newWorld(t)
	w.make(30)
	w.drain()
	made := w.make(10)
	w.fine(w.state())
	if err := w.queue.Close(); err != nil {
		t.Fatal(err)
	}
	w.openQueue(queue.Config{Dir: filepath.Join(w.dir, "another disk")})
	w.make(3)
	w.drain()
	w.now = w.now.Add(10 * time.Second)
	w.fine(w.state())
	w.now = w.now.Add(2 * time.Minute)
	s := w.state()
	if s.Loss == nil || s.Loss.Reason != plant.LossGone || s.Loss.Records != uint64(len(made)) || s.Loss.Lost() == 0 {
		t.Fatalf("%+v, want %d records", s.Loss, len(made))
	}
	w.alarm(plant.Unacked)
	for _, r := range made[1:] { // of the old disk
		w.deliver(r)
	}
	if s = w.state(); s.Loss == nil || s.Loss.Records != 1 {
		t.Fatalf("%+v", s.Loss)
	}
	w.deliver(made[0])
	w.fine(w.state())
	w.alarm(plant.RtnUnacked)
}

// A record that has come, but not all that was in it.
func TestContent(t *testing.T) {
	w := newWorld(t)
	w.make(200)
	short := int64(0)
	for _, r := range w.backlog() {
		if len(r.Batch.Samples) > 3 && short == 0 {
			short = 3
			c := *r
			c.Batch.Samples = c.Batch.Samples[3:]
			for _, s := range r.Batch.Samples[:3] {
				if s.Tag != r.Batch.Samples[0].Tag { // of one class
					short = 0
				}
			}
			if short != 0 {
				r = &c
			}
		}
		w.deliver(r)
		w.settle(r)
	}
	s := w.state()
	if short == 0 || s.Loss == nil || s.Loss.Reason != plant.LossContent || s.Loss.Records != 0 || s.Loss.Lost() != short {
		t.Fatalf("%+v, want %d values", s.Loss, short)
	}
}

// What is under way is no loss, for however long.
func TestUnderWay(t *testing.T) {
	w := newWorld(t)
	w.make(300)
	for range 3 {
		w.now = w.now.Add(24 * time.Hour)
		s := w.state()
		w.fine(s)
		if c := s.Classes[plant.CountMeasured]; c.Stored != 0 || c.Sent == 0 || c.Lost != 0 {
			t.Errorf("%+v", c)
		}
	}
	w.closePlant()
	w.openPlant()
	w.fine(w.state())
	for i, r := range w.backlog() {
		if i%3 == 0 {
			w.deliver(r)
			w.settle(r)
		}
	}
	w.fine(w.state())
}

// A record that was on the wire when the edge was killed may be stored and unknown
// to the edge.
func TestUnknownToTheEdge(t *testing.T) {
	w := newWorld(t)
	made := w.make(70)
	w.drain()
	w.fine(w.state())
	ghost := *made[0]
	ghost.Number = made[len(made)-1].Number + 1
	w.deliver(&ghost)
	w.fine(w.state())
	if err := w.queue.Close(); err != nil {
		t.Fatal(err)
	}
	w.openQueue(queue.Config{Dir: filepath.Join(w.dir, "queue")})
	w.make(5)
	w.drain()
	for range 2 {
		w.fine(w.state())
		w.closePlant()
		w.openPlant()
	}
}

// Two boxes with one name, one from a copy of the other's disk, speak by turns of what
// they have sent. Each one is right about its own opening.
func TestTwins(t *testing.T) {
	w := newWorld(t)
	w.make(70)
	w.drain()
	w.fine(w.state())
	if err := os.CopyFS(filepath.Join(w.dir, "copy"), os.DirFS(filepath.Join(w.dir, "queue"))); err != nil {
		t.Fatal(err)
	}
	one := w.queue
	w.openQueue(queue.Config{Dir: filepath.Join(w.dir, "copy")})
	defer one.Close()
	for range 6 {
		w.drain()
		w.make(9 + w.rand.IntN(60))
		for _, r := range w.backlog()[3:] {
			w.deliver(r)
			w.settle(r)
		}
		w.fine(w.state()) // with three under way
		w.queue, one = one, w.queue
	}
	// What one of them loses is seen all the same.
	w.drain()
	made := w.make(40)
	for _, r := range w.backlog() {
		if r.Number != made[17].Number {
			w.deliver(r)
		}
		w.settle(r)
	}
	if s := w.state(); s.Loss == nil || s.Loss.Records != 1 {
		t.Errorf("one record is lost: %+v", s.Loss)
	}
}
