package alarm

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"millwright/plant"
	"millwright/sparkplug"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("ALARM_CRASH_DIR"); dir != "" {
		crashChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// book is a Book that numbers its records by itself.
type book struct {
	*Book
	t      *testing.T
	dir    string
	number uint64
}

func newBook(t *testing.T) *book {
	b := &book{t: t, dir: filepath.Join(t.TempDir(), "alarms")}
	b.open()
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *book) open() {
	b.t.Helper()
	var err error
	if b.Book, err = Open(b.dir); err != nil {
		b.t.Fatal(err)
	}
}

func (b *book) reopen() {
	b.t.Helper()
	if err := b.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.open()
}

func (b *book) apply(f ...plant.Finding) {
	b.t.Helper()
	b.number++
	if err := b.Apply(b.t.Context(), "edge-1", 77, b.number, f); err != nil {
		b.t.Fatal(err)
	}
}

func (b *book) list(q plant.AlarmQuery) []plant.Alarm {
	b.t.Helper()
	a, _, err := b.List(b.t.Context(), q)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// one is the only alarm of an asset.
func (b *book) one(asset string) plant.Alarm {
	b.t.Helper()
	a := b.list(plant.AlarmQuery{Asset: asset})
	if len(a) != 1 {
		b.t.Fatalf("%d alarms of %s", len(a), asset)
	}
	return a[0]
}

func (b *book) ack(id int64, state plant.AlarmState) plant.Alarm {
	b.t.Helper()
	a, err := b.Ack(b.t.Context(), id, "anna", "on it", state)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func finding(asset string, phase plant.Phase, min int64) plant.Finding {
	return plant.Finding{
		Asset: asset, Key: "wpca", Kind: plant.KindAnomaly, Class: plant.Advisory, Phase: phase, Detector: "wpca",
		Time: min * minute, Score: 5.2, Limit: 3, Priority: 2,
		Contributions: []plant.Contribution{{Tag: asset + "/VIB_H", Share: 0.61, Value: 4, Expected: 2, Direction: "high"}},
	}
}

// An edge that learns an asset afresh ends what it had found there, and only there.
func TestClearAll(t *testing.T) {
	b := newBook(t)
	limit := finding("A", plant.Raise, 1)
	limit.Key = "limit/A/VIB_H/high"
	b.apply(finding("A", plant.Raise, 1), limit, finding("B", plant.Raise, 1))
	all := finding("A", plant.Clear, 2)
	all.Key = plant.AnyKey
	b.apply(all)
	for _, a := range b.list(plant.AlarmQuery{Asset: "A"}) {
		if a.State != plant.RtnUnacked || a.Returned != 2*minute || a.Finding.Key == plant.AnyKey {
			t.Errorf("not ended: %+v", a)
		}
	}
	if a := b.one("B"); a.State != plant.Unacked {
		t.Errorf("another asset's alarm was ended: %+v", a)
	}
	b.apply(all)
	if n := len(b.list(plant.AlarmQuery{})); n != 3 {
		t.Errorf("%d alarms, want 3", n)
	}
}

func TestLife(t *testing.T) {
	b := newBook(t)
	b.apply(finding("A", plant.Raise, 1))
	a := b.one("A")
	if a.State != plant.Unacked || a.Raised != minute || a.Count != 1 || a.Edge != "edge-1" || a.Seq != 1 ||
		a.Finding.Contributions[0].Share != 0.61 {
		t.Fatalf("raised: %+v", a)
	}
	id := a.ID
	b.reopen()
	newest := finding("A", plant.Update, 2)
	newest.Score = 9
	b.apply(newest)
	if a = b.one("A"); a.Finding.Score != 9 || a.Seq != 1 || a.Raised != minute {
		t.Fatalf("updated: %+v", a)
	}
	a = b.ack(id, plant.Unacked)
	if a.State != plant.Acked || a.AckedBy != "anna" || a.Note != "on it" || a.Acked == 0 || a.Seq != 2 {
		t.Fatalf("acknowledged: %+v", a)
	}
	b.apply(finding("A", plant.Clear, 3))
	if a = b.one("A"); a.State != plant.Cleared || a.Returned != 3*minute || a.Finding.Phase != plant.Update {
		t.Fatalf("cleared: %+v", a)
	}
	b.apply(finding("A", plant.Raise, 5)) // within the window: the same alarm, and nobody has taken it
	if a = b.one("A"); a.ID != id || a.State != plant.Unacked || a.Count != 2 || a.Raised != 5*minute || a.Returned != 0 || a.AckedBy != "" {
		t.Fatalf("again: %+v", a)
	}
	b.apply(finding("A", plant.Clear, 6))
	a = b.ack(id, "")
	if a.State != plant.Cleared || a.AckedBy != "anna" {
		t.Fatalf("acknowledged after its return: %+v", a)
	}
	b.apply(finding("A", plant.Raise, 60)) // long after: another one
	all := b.list(plant.AlarmQuery{})
	if len(all) != 2 || all[0].ID == id || all[0].State != plant.Unacked || all[0].Count != 1 || all[1].ID != id {
		t.Fatalf("later: %+v", all)
	}

	entries, err := b.Journal(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, fmt.Sprint(e.Event, " ", e.Who, " ", e.Note, " ", e.State))
		if age := time.Since(time.Unix(0, e.At)); age < 0 || age > time.Minute {
			t.Errorf("entry of %v ago", age)
		}
	}
	want := []string{"raise edge-1  unacked", "ack anna on it acked", "return edge-1  cleared",
		"recur edge-1  unacked", "return edge-1  rtn_unacked", "ack anna on it cleared"}
	if !slices.Equal(got, want) {
		t.Errorf("journal\n%q\nwant\n%q", got, want)
	}
	if _, err := b.Journal(t.Context(), 99); !errors.Is(err, ErrNotFound) {
		t.Errorf("journal of nothing: %v", err)
	}
	s, err := b.Stats(t.Context())
	if err != nil || s != (Stats{Unacked: 1, Cleared: 1, Journal: 7}) {
		t.Errorf("stats %+v %v", s, err)
	}
}

// A record that is delivered again, also after a restart, changes nothing.
func TestRepeated(t *testing.T) {
	b := newBook(t)
	ctx := t.Context()
	raise := []plant.Finding{finding("A", plant.Raise, 1), finding("B", plant.Raise, 1)}
	for range 2 {
		for _, n := range []uint64{5, 5, 3, 4, 9} {
			f := raise
			if n != 5 {
				f = nil
			}
			if err := b.Apply(ctx, "e", 7, n, f); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(b.list(plant.AlarmQuery{})); n != 2 {
			t.Fatalf("%d alarms", n)
		}
		got, err := b.Committed("e", 7)
		if err != nil || !slices.Equal(got, []sparkplug.Span{{First: 3, Last: 5}, {First: 9, Last: 9}}) {
			t.Fatalf("committed %v %v", got, err)
		}
		b.reopen()
	}
	if err := b.Apply(ctx, "e", 7, 6, []plant.Finding{finding("A", plant.Clear, 2)}); err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(ctx, "e", 7, 5, raise); err != nil { // the raise once more, behind its clear
		t.Fatal(err)
	}
	if a := b.one("A"); a.State != plant.RtnUnacked || a.Count != 1 {
		t.Errorf("%+v", a)
	}
	if got, err := b.Committed("x", 7); err != nil || got != nil {
		t.Errorf("committed of nobody: %v %v", got, err)
	}
	for _, n := range []uint64{0, sparkplug.MaxNumber + 1} {
		if b.Apply(ctx, "e", 7, n, nil) == nil || b.Apply(ctx, "e", n, 1, nil) == nil {
			t.Errorf("record %d was taken", n)
		}
	}
}

// An edge that lost its memory raises again what is still there: the same
// episode.
func TestRaisedAgainWhileActive(t *testing.T) {
	b := newBook(t)
	b.apply(finding("A", plant.Raise, 1))
	b.ack(b.one("A").ID, "")
	b.apply(finding("A", plant.Raise, 30))
	if a := b.one("A"); a.State != plant.Acked || a.Count != 1 || a.Raised != minute || a.Finding.Time != 30*minute {
		t.Errorf("%+v", a)
	}
}

// Records may overtake each other: a clear that comes first still closes the
// raise that it belongs to, and an old one closes nothing.
func TestOutOfOrder(t *testing.T) {
	b := newBook(t)
	b.apply(finding("A", plant.Clear, 9))
	b.reopen()
	b.apply(finding("A", plant.Raise, 5))
	if a := b.one("A"); a.State != plant.RtnUnacked || a.Raised != 5*minute || a.Returned != 9*minute {
		t.Errorf("clear before its raise: %+v", a)
	}
	b.apply(finding("A", plant.Raise, 12))
	if a := b.one("A"); a.State != plant.Unacked || a.Count != 2 {
		t.Errorf("the next raise: %+v", a)
	}
	b.apply(finding("A", plant.Clear, 9), finding("A", plant.Update, 7))
	if a := b.one("A"); a.State != plant.Unacked || a.Finding.Time != 12*minute {
		t.Errorf("old news: %+v", a)
	}
	b.apply(finding("B", plant.Update, 3))
	if a := b.one("B"); a.State != plant.Unacked || a.Raised != 3*minute {
		t.Errorf("an update without its raise: %+v", a)
	}
}

func TestAckRefused(t *testing.T) {
	b := newBook(t)
	b.apply(finding("A", plant.Raise, 1))
	id := b.one("A").ID
	if _, err := b.Ack(t.Context(), id+1, "anna", "", ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("no alarm: %v", err)
	}
	if _, err := b.Get(t.Context(), id+1); !errors.Is(err, ErrNotFound) {
		t.Errorf("no alarm: %v", err)
	}
	b.apply(finding("A", plant.Clear, 2))
	a, err := b.Ack(t.Context(), id, "anna", "", plant.Unacked)
	if !errors.Is(err, ErrChanged) || a.State != plant.RtnUnacked || a.ID != id {
		t.Errorf("changed meanwhile: %+v %v", a, err)
	}
	b.ack(id, plant.RtnUnacked)
	a, err = b.Ack(t.Context(), id, "otto", "", "")
	if err != nil || a.AckedBy != "anna" {
		t.Errorf("taken already: %+v %v", a, err)
	}
	if s, _ := b.Stats(t.Context()); s.Journal != 3 {
		t.Errorf("journal of %d entries", s.Journal)
	}
}

func TestList(t *testing.T) {
	b := newBook(t)
	for i, asset := range []string{"HSM/F3", "HSM/F3/GBX", "HSM/F30", "HSM", "BOF"} {
		b.apply(finding(asset, plant.Raise, int64(i+1)))
	}
	paths := func(q plant.AlarmQuery) []string {
		t.Helper()
		out := []string{}
		for {
			page, next, err := b.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page {
				out = append(out, a.Finding.Asset)
			}
			if next == "" {
				return out
			}
			if len(page) != q.Limit {
				t.Fatalf("page of %d", len(page))
			}
			q.After = next
		}
	}
	f := func(q plant.AlarmQuery, want ...string) {
		t.Helper()
		if got := paths(q); !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v", q, got, want)
		}
	}
	f(plant.AlarmQuery{}, "BOF", "HSM", "HSM/F30", "HSM/F3/GBX", "HSM/F3")
	f(plant.AlarmQuery{Limit: 2}, "BOF", "HSM", "HSM/F30", "HSM/F3/GBX", "HSM/F3")
	f(plant.AlarmQuery{Limit: 1, Asset: "HSM"}, "HSM", "HSM/F30", "HSM/F3/GBX", "HSM/F3")
	f(plant.AlarmQuery{Asset: "HSM/F3"}, "HSM/F3/GBX", "HSM/F3")
	f(plant.AlarmQuery{Asset: "HS"})
	f(plant.AlarmQuery{Since: 4 * minute}, "BOF", "HSM")
	f(plant.AlarmQuery{State: plant.Acked})
	b.ack(b.one("HSM/F30").ID, "")
	f(plant.AlarmQuery{State: plant.Acked}, "HSM/F30")
	f(plant.AlarmQuery{Limit: 4}, "HSM/F30", "BOF", "HSM", "HSM/F3/GBX", "HSM/F3") // what changed last comes first
	if _, _, err := b.List(t.Context(), plant.AlarmQuery{After: "x'; --"}); !errors.Is(err, ErrCursor) {
		t.Errorf("cursor: %v", err)
	}
}

func TestEvents(t *testing.T) {
	b := newBook(t)
	changed := b.Changed()
	b.apply(finding("A", plant.Raise, 1))
	select {
	case <-changed:
	default:
		t.Fatal("nobody was told of the raise")
	}
	changed = b.Changed()
	b.apply(finding("A", plant.Update, 2)) // newer evidence is no event
	b.apply()
	select {
	case <-changed:
		t.Fatal("told of nothing")
	default:
	}
	b.reopen()
	changed = b.Changed()
	b.ack(b.one("A").ID, "")
	<-changed
	b.apply(finding("A", plant.Clear, 3))
	got, err := b.Events(t.Context(), 0, 10)
	if err != nil || len(got) != 3 {
		t.Fatalf("%d events, %v", len(got), err)
	}
	for i, want := range []plant.AlarmState{plant.Unacked, plant.Acked, plant.Cleared} {
		if got[i].Seq != uint64(i+1) || got[i].State != want || got[i].ID != got[0].ID {
			t.Errorf("event %d: %+v", i, got[i])
		}
	}
	if got[1].Finding.Time != 2*minute || got[0].Finding.Time != minute {
		t.Error("events do not tell the alarm as it was")
	}
	got, err = b.Events(t.Context(), 1, 1)
	if err != nil || len(got) != 1 || got[0].Seq != 2 {
		t.Errorf("a page: %+v %v", got, err)
	}
}

// A finding with numbers that JSON cannot say does not block those behind it.
func TestNotFinite(t *testing.T) {
	b := newBook(t)
	f := finding("A", plant.Raise, 1)
	f.Score, f.Value = math.Inf(1), math.NaN()
	f.Contributions[0].Value = math.Inf(-1)
	b.apply(f)
	if a := b.one("A"); a.Finding.Score != math.MaxFloat64 || a.Finding.Value != 0 {
		t.Errorf("%+v", a.Finding)
	}
	if !math.IsInf(f.Contributions[0].Value, -1) {
		t.Error("the caller's finding was changed")
	}
}

// A book of a newer version, or what is none, is refused and left alone.
func TestForeignFile(t *testing.T) {
	b := newBook(t)
	if _, err := b.db.Exec("PRAGMA user_version = 9"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(b.dir); !errors.Is(err, ErrNewer) {
		t.Errorf("newer: %v", err)
	}
	dir := t.TempDir()
	text := []byte("this is a letter and not a database, and long enough to look like one if it tried to\n")
	if err := os.WriteFile(filepath.Join(dir, "alarms.db"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if x, err := Open(dir); err == nil {
		x.Close()
		t.Error("a letter was opened")
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "alarms.db")); string(got) != string(text) {
		t.Error("the letter was changed")
	}
	if x, err := Open(filepath.Join(dir, "alarms.db", "x")); err == nil {
		x.Close()
		t.Error("a folder below a file")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if err := b.Apply(context.Background(), "e", 1, 1, nil); err == nil {
		t.Error("a closed book took a record")
	}
}

// Commits wait for the disk.
func TestSynchronous(t *testing.T) {
	b := newBook(t)
	var mode string
	var sync int
	if err := errors.Join(row(b.db, "PRAGMA journal_mode", &mode), row(b.db, "PRAGMA synchronous", &sync)); err != nil {
		t.Fatal(err)
	}
	if mode != "wal" || sync != 2 {
		t.Errorf("journal %s, synchronous %d", mode, sync)
	}
}

func row(db *sql.DB, q string, v any) error { return db.QueryRow(q).Scan(v) }
