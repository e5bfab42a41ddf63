package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"millwright/historian/store"
	"millwright/historian/store/storetest"
	"millwright/plant"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("STORE_CRASH_DIR"); dir != "" {
		crashChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	crashTags   = 40
	crashRounds = 5 // samples of each tag in a record
)

// crashBatch is record n, the same whoever makes it: some data is late, some
// corrects what the record before had.
func crashBatch(ids []plant.TagID, n uint64) plant.Batch {
	var b plant.Batch
	for r := range crashRounds {
		for i, id := range ids {
			at := start + (int64(n)*crashRounds+int64(r))*second/10
			if i%8 == 7 && n%3 == 0 {
				at -= 3600 * second
			}
			b.Samples = append(b.Samples, plant.Sample{Tag: id, Time: at, Value: float64(n) + float64(i)/100})
		}
	}
	b.Samples = append(b.Samples, plant.Sample{Tag: ids[0], Time: start + int64(n-1)*crashRounds*second/10, Value: -float64(n)})
	b.States = []plant.State{{Tag: ids[1], Time: start + int64(n)*second, Value: fmt.Sprint("coil ", n)}}
	b.Gaps = []plant.Gap{{Tag: ids[2], From: start + int64(n)*second, To: start + int64(n)*second + second/2, Reason: "x"}}
	w := plant.Waveform{Tag: ids[3], Time: start + int64(n)*second, Rate: 1000, Values: make([]float32, 500)}
	for i := range w.Values {
		w.Values[i] = float32(n) + float32(i)
	}
	b.Waveforms = []plant.Waveform{w}
	return b
}

// crashChild appends records without end and says which are on the disk.
func crashChild(dir string) {
	uncut, _ := strconv.ParseInt(os.Getenv("STORE_CRASH_UNCUT"), 10, 64)
	s, err := store.Open(store.Config{Dir: dir, Uncut: uncut})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	tags := storetest.Tags(crashTags)
	if err := s.Intern(tags); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	ids := make([]plant.TagID, len(tags))
	for i := range tags {
		ids[i] = tags[i].ID
	}
	n, _ := strconv.ParseUint(os.Getenv("STORE_CRASH_FIRST"), 10, 64)
	for ; ; n++ {
		if err := s.Append(context.Background(), crashBatch(ids, n), []store.Mark{{Edge: "e", Epoch: 1, Number: n}}); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

// checkCrash holds the store against records 1 to the last committed one:
// nothing else is in it and nothing is missing. It returns that number.
func checkCrash(t *testing.T, s *store.Pebble) uint64 {
	t.Helper()
	spans, err := s.Committed("e", 1)
	if err != nil || len(spans) > 1 || len(spans) == 1 && spans[0].First != 1 {
		t.Fatalf("committed %v %v", spans, err)
	}
	var last uint64
	if len(spans) == 1 {
		last = spans[0].Last
	}
	if last == 0 {
		return 0
	}
	all := ids(t, s, crashTags)
	want := map[plant.TagID]map[int64]float64{}
	newest := map[plant.TagID]int64{}
	for _, id := range all {
		want[id] = map[int64]float64{}
	}
	for n := uint64(1); n <= last; n++ {
		for _, x := range crashBatch(all, n).Samples {
			want[x.Tag][x.Time] = x.Value
			newest[x.Tag] = max(newest[x.Tag], x.Time)
		}
	}
	ctx := t.Context()
	for _, id := range all {
		seen := 0
		for b, err := range s.Scan(ctx, plant.Range{Tag: id, From: math.MinInt64, To: math.MaxInt64}) {
			if err != nil {
				t.Fatal(err)
			}
			for i, at := range b.Times {
				if v, ok := want[id][at]; !ok || v != b.Values[i] {
					t.Fatalf("tag %d at %d: %v, want %v (%v) after %d records", id, at, b.Values[i], v, ok, last)
				}
			}
			seen += len(b.Times)
		}
		if seen != len(want[id]) {
			t.Fatalf("tag %d: %d samples, want %d after %d records", id, seen, len(want[id]), last)
		}
		l, err := s.Last(ctx, []plant.TagID{id})
		if err != nil || len(l) != 1 || l[0].Time != newest[id] || l[0].Value != want[id][newest[id]] {
			t.Fatalf("last of tag %d: %+v %v", id, l, err)
		}
	}
	states, err := s.States(ctx, plant.Range{Tag: all[1], From: 0, To: math.MaxInt64})
	if err != nil || uint64(len(states)) != last {
		t.Fatalf("%d states of %d records, %v", len(states), last, err)
	}
	gaps, err := s.Gaps(ctx, plant.Range{Tag: all[2], From: 0, To: math.MaxInt64})
	if err != nil || uint64(len(gaps)) != last {
		t.Fatalf("%d gaps of %d records, %v", len(gaps), last, err)
	}
	waves := uint64(0)
	for w, err := range s.Waveforms(ctx, plant.Range{Tag: all[3], From: 0, To: math.MaxInt64}) {
		if err != nil {
			t.Fatal(err)
		}
		if waves++; w.Time != start+int64(waves)*second || len(w.Values) != 500 || w.Values[7] != float32(waves)+7 {
			t.Fatalf("waveform %d at %d with %d values", waves, w.Time, len(w.Values))
		}
	}
	if waves != last {
		t.Fatalf("%d waveforms of %d records", waves, last)
	}
	return last
}

// A process killed at any moment loses nothing that it has acknowledged, stores
// no record by halves, and opens again unaided.
func TestKill(t *testing.T) {
	kills := 10
	if testing.Short() {
		kills = 3
	}
	for _, uncut := range []int64{20 << 10, 24 << 20} {
		t.Run(fmt.Sprint("uncut=", uncut), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			acked := uint64(0)
			for range kills {
				acked = killOnce(t, dir, uncut, acked)
				begin := time.Now()
				s := open(t, store.Config{Dir: dir, Uncut: uncut})
				if took := time.Since(begin); took > 10*time.Second {
					t.Errorf("opened in %v", took)
				}
				if last := checkCrash(t, s); last < acked {
					t.Errorf("acknowledged up to %d, there up to %d", acked, last)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// killOnce lets a child go on from the record after acked, or again from
// acked, and kills it.
func killOnce(t *testing.T, dir string, uncut int64, acked uint64) uint64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_CRASH_DIR="+dir,
		fmt.Sprint("STORE_CRASH_UNCUT=", uncut), fmt.Sprint("STORE_CRASH_FIRST=", max(1, acked)))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	left := 1 + rand.IntN(120)
	for lines.Scan() {
		n, err := strconv.ParseUint(lines.Text(), 10, 64)
		if err != nil {
			t.Error(lines.Text())
			break
		}
		acked = max(acked, n)
		if left--; left == 0 {
			if _, err := store.Open(store.Config{Dir: dir}); !errors.Is(err, store.ErrInUse) {
				t.Errorf("a folder in use: %v", err)
			}
			time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return acked
}

// copyDir copies the files of a store as a crash would leave them.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// newestLog is the log that a store writes to.
func newestLog(t *testing.T, dir string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatal("no log", err)
	}
	return slices.Max(logs)
}

// written makes a store of n records and returns its folder as it is without
// having been closed.
func written(t *testing.T, n uint64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	s := open(t, store.Config{Dir: dir})
	all := ids(t, s, crashTags)
	for k := uint64(1); k <= n; k++ {
		if err := s.Append(t.Context(), crashBatch(all, k), []store.Mark{{Edge: "e", Epoch: 1, Number: k}}); err != nil {
			t.Fatal(err)
		}
	}
	copied := copyDir(t, dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return copied
}

// A log cut anywhere, as a write that the power took, costs the records behind
// the cut and nothing else.
func TestTornLog(t *testing.T) {
	image := written(t, 30)
	info, err := os.Stat(newestLog(t, image))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 25 {
		dir := copyDir(t, image)
		cut := info.Size() - rng.Int64N(60_000)
		if err := os.Truncate(newestLog(t, dir), cut); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(store.Config{Dir: dir})
		if err != nil {
			t.Fatalf("log cut at %d of %d: %v", cut, info.Size(), err)
		}
		checkCrash(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Damage in the middle is refused, and what is there stays there.
func TestDamage(t *testing.T) {
	f := func(pattern string, dir string) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		name := slices.Max(files)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 {
			data[len(data)/3+i] ^= 0x55
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(store.Config{Dir: dir})
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v", pattern, err)
		}
		if err == nil {
			_ = s.Close()
		}
		if again, err := os.ReadFile(name); err != nil || !slices.Equal(again, data) {
			t.Errorf("%s was changed: %v", pattern, err)
		}
	}
	f("*.log", written(t, 30))
	f("MANIFEST-*", written(t, 3))
}
