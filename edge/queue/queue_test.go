package queue

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"millwright/plant"
	"millwright/sparkplug"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("QUEUE_TEST_CRASH"); dir != "" {
		crashChild(dir)
		return
	}
	if step, err := strconv.ParseInt(os.Getenv("QUEUE_TEST_EIO"), 10, 64); err == nil {
		faultChild(step)
		return
	}
	if n, err := strconv.Atoi(os.Getenv("QUEUE_TEST_FLIPS")); err == nil {
		flipChild(n)
		return
	}
	// A Pebble that fails to open leaves its disk watch behind.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/cockroachdb/pebble/v2/vfs.(*diskHealthCheckingFS).startTickerLocked.func1"))
}

func open(t *testing.T, cfg Config) *Queue {
	t.Helper()
	q, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func samples(from, n int) plant.Batch {
	var b plant.Batch
	for i := range n {
		b.Samples = append(b.Samples, plant.Sample{
			Tag: plant.TagID(1 + i%7), Time: int64(from+i) * msec, Value: float64(from+i) / 3,
			Quality: plant.Quality(i%2) * plant.BadNoData,
		})
	}
	return b
}

// put appends one record and waits until it is durable.
func put(t *testing.T, q *Queue, lane Lane, b plant.Batch) *Record {
	t.Helper()
	done := make(chan error, 1)
	rs, err := q.Append([]Draft{{Lane: lane, Device: "plc", Batch: b}}, func(err error) { done <- err })
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return rs[0]
}

func all(t *testing.T, q *Queue, lane Lane) []Record {
	t.Helper()
	var out []Record
	var pos Pos
	for {
		rs, next, err := q.Backlog(lane, pos, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(rs) == 0 {
			return out
		}
		out, pos = append(out, rs...), next
	}
}

// await waits for something that happens in the background.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not %s", what)
		}
	}
}

func numbers(rs []Record) (n []uint64) {
	for _, r := range rs {
		n = append(n, r.Number)
	}
	return n
}

func TestBacklogSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Config{Dir: dir})
	first := put(t, q, Telemetry, samples(0, 10))
	finding := put(t, q, Findings, plant.Batch{
		Findings: []plant.Finding{{Asset: "A", Key: "wpca", Phase: plant.Raise, Time: 5 * msec, Score: 1.5}},
		Gaps:     []plant.Gap{{Tag: 3, From: 1 * msec, To: 9 * msec, Reason: plant.GapOverflow}},
	})
	put(t, q, Telemetry, plant.Batch{States: []plant.State{{Tag: 2, Time: 7 * msec, Value: "rolling"}}})
	epoch := q.Epoch()
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}

	q = open(t, Config{Dir: dir})
	if q.Epoch() == epoch {
		t.Fatal("the epoch did not change")
	}
	put(t, q, Telemetry, samples(100, 1))
	got := all(t, q, Telemetry)
	if !reflect.DeepEqual(numbers(got), []uint64{1, 3, 1}) {
		t.Fatalf("telemetry numbers %v", numbers(got))
	}
	if !reflect.DeepEqual(got[0], *first) {
		t.Errorf("record came back as\n%+v, was\n%+v", got[0], *first)
	}
	if f := all(t, q, Findings); len(f) != 1 || !reflect.DeepEqual(f[0], *finding) {
		t.Errorf("finding came back as %+v", f)
	}
	if got := q.Oldest(epoch); got != 1 {
		t.Errorf("oldest of the old epoch %d", got)
	}

	if n, err := q.Settle(epoch, []sparkplug.Span{{First: 1, Last: 1}, {First: 3, Last: 900}}); n != 2 || err != nil {
		t.Fatalf("settled %d, %v", n, err)
	}
	if got := q.Oldest(epoch); got != 2 {
		t.Errorf("oldest %d, want the finding's 2", got)
	}
	if n, _ := q.Settle(epoch, []sparkplug.Span{{First: 2, Last: 2}}); n != 1 {
		t.Error("finding not settled")
	}
	if got := numbers(all(t, q, Telemetry)); !reflect.DeepEqual(got, []uint64{1}) {
		t.Errorf("left %v", got)
	}
	if s := q.Stats(); s.Records != 1 || s.Bytes == 0 || s.Bytes > 60 {
		t.Errorf("stats %+v", s)
	}
}

func TestAckOvertakesCommit(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Config{Dir: dir})
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Add(1)
		rs, err := q.Append([]Draft{{Lane: Telemetry, Device: "plc", Batch: samples(i, 3)}}, func(error) { wg.Done() })
		if err != nil {
			t.Fatal(err)
		}
		if n, err := q.Settle(q.Epoch(), []sparkplug.Span{one(rs[0].Number)}); n != 1 || err != nil {
			t.Fatalf("settle %d: %d, %v", rs[0].Number, n, err)
		}
	}
	wg.Wait()
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, Config{Dir: dir})
	if left := all(t, q, Telemetry); len(left) != 0 {
		t.Errorf("%d settled records came back: %v", len(left), numbers(left))
	}
}

func TestTagsKeepTheirHandles(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Config{Dir: dir})
	tags := []plant.Tag{{Path: "a", Unit: "bar"}, {Path: "b"}}
	if err := q.Intern("plc", tags); err != nil {
		t.Fatal(err)
	}
	a, b := tags[0].ID, tags[1].ID
	put(t, q, Telemetry, samples(0, 1))
	_ = q.Close()

	q = open(t, Config{Dir: dir})
	tags = []plant.Tag{{Path: "c"}, {Path: "b", Unit: "°C"}}
	if err := q.Intern("plc", tags); err != nil {
		t.Fatal(err)
	}
	if tags[1].ID != b || tags[0].ID == a || tags[0].ID == b || a == 0 {
		t.Errorf("handles a %d b %d, then c %d b %d", a, b, tags[0].ID, tags[1].ID)
	}
	if n := len(q.Tags()); n != 3 {
		t.Errorf("%d tags while an old record is queued, want 3: a leaves with its last record", n)
	}
	old := all(t, q, Telemetry)[0]
	if _, err := q.Settle(old.Epoch, []sparkplug.Span{one(old.Number)}); err != nil {
		t.Fatal(err)
	}
	if n := len(q.Tags()); n != 2 {
		t.Errorf("%d tags after the old record went, want 2", n)
	}
}

func TestFullQueueDeclaresWhatItDrops(t *testing.T) {
	t.Parallel() // waits most of its time
	q := open(t, Config{Dir: t.TempDir(), Quotas: &Quotas{Telemetry: {Bytes: 20_000}}})
	const records, each = 60, 50
	for i := range records {
		put(t, q, Telemetry, samples(i*each, each))
	}
	await(t, "thinned", func() bool { return q.Stats().Bytes <= 30_000 })
	have := map[int64]bool{}
	for _, r := range all(t, q, Telemetry) {
		for _, s := range r.Batch.Samples {
			have[s.Time/msec*10+int64(s.Tag)] = true
		}
	}
	var gaps []plant.Gap
	for _, r := range all(t, q, Findings) {
		gaps = append(gaps, r.Batch.Gaps...)
	}
	if len(have) == records*each || len(gaps) == 0 {
		t.Fatalf("nothing was thinned: %d samples, %d gaps", len(have), len(gaps))
	}
	undeclared := 0
	for i := range records {
	next:
		for _, s := range samples(i*each, each).Samples {
			if have[s.Time/msec*10+int64(s.Tag)] {
				continue
			}
			for _, g := range gaps {
				if g.Tag == s.Tag && g.From <= s.Time && s.Time < g.To {
					continue next
				}
			}
			undeclared++
		}
	}
	if undeclared != 0 {
		t.Errorf("%d samples went without a gap", undeclared)
	}
	if s := q.Stats(); s.Bytes > 30_000 || s.Declared == 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Config{Dir: dir})
	if _, err := Open(Config{Dir: dir}); err == nil {
		t.Error("a queue that is in use was opened again")
	}
	_ = q.Close()
	if _, err := q.Append([]Draft{{}}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}

	q = open(t, Config{Dir: t.TempDir(), Reserve: math.MaxInt64})
	if _, err := q.Append([]Draft{{Lane: Telemetry, Batch: samples(0, 1)}}, nil); !errors.Is(err, ErrFull) {
		t.Errorf("append on a full disk: %v", err)
	}
	put(t, q, Findings, plant.Batch{Gaps: []plant.Gap{{Tag: 1, To: msec}}})

	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: file}); err == nil {
		t.Error("a file was opened as a folder")
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Config{Dir: dir})
	if err := q.db.Set(metaFormat, []byte{formatVersion + 1}, nil); err != nil {
		t.Fatal(err)
	}
	_ = q.Close()
	if _, err := Open(Config{Dir: dir}); err == nil {
		t.Error("a newer format was opened")
	}
}

func TestDamagedQueueIsSetAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "queue")
	q := open(t, Config{Dir: dir})
	put(t, q, Telemetry, samples(0, 3))
	_ = q.Close()
	manifests, _ := filepath.Glob(filepath.Join(dir, "MANIFEST-*"))
	if len(manifests) == 0 {
		t.Fatal("no manifest")
	}
	for _, m := range manifests {
		b, _ := os.ReadFile(m)
		for i := range b {
			b[i] ^= 0x5a
		}
		if err := os.WriteFile(m, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	q = open(t, Config{Dir: dir})
	if q.Damaged() == "" {
		t.Fatal("damage was not noticed")
	}
	if _, err := os.Stat(q.Damaged()); err != nil {
		t.Error("the damaged folder is gone:", err)
	}
	put(t, q, Telemetry, samples(0, 3))
}

func TestCut(t *testing.T) {
	s := spans{{First: 1, Last: 10}, {First: 20, Last: 30}}
	rest, gone := s.cut(sparkplug.Span{First: 5, Last: 22})
	if fmt.Sprint(rest, gone) != "[{1 4} {23 30}] [{5 10} {20 22}]" {
		t.Error(rest, gone)
	}
	if rest, gone = rest.cut(sparkplug.Span{First: 5, Last: 22}); len(gone) != 0 || rest.count() != 12 {
		t.Error(rest, gone)
	}
	if rest = rest.add(31); fmt.Sprint(rest) != "[{1 4} {23 31}]" {
		t.Error(rest)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	for _, b := range []plant.Batch{
		samples(0, 5),
		{States: []plant.State{{Tag: 1, Value: "x"}}, Gaps: []plant.Gap{{Tag: 2, To: 5 * msec, Reason: "r"}}},
		{Findings: []plant.Finding{{Asset: "A", Phase: plant.Clear}}},
		{Waveforms: []plant.Waveform{{Tag: 3, Time: 7 * msec, Rate: 100, Values: []float32{1, -2}}, {Tag: 4, Quality: plant.Bad}}},
	} {
		enc, err := appendRecord(nil, &Record{Device: "d", Created: 1e15, Batch: b})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(enc)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			return
		}
		enc, err := appendRecord(nil, &r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeRecord(enc)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(r) {
			t.Errorf("%v: %+v, was %+v", err, again, r)
		}
	})
}
