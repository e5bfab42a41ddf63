package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"millwright/plant"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func openMem(t *testing.T, fs vfs.FS, cfg Config) *Pebble {
	t.Helper()
	cfg.Dir, cfg.fs = "store", fs
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func contents(t *testing.T, s *Pebble, tag plant.TagID) map[int64]float64 {
	t.Helper()
	out := map[int64]float64{}
	for b, err := range s.Scan(t.Context(), plant.Range{Tag: tag, From: math.MinInt64, To: math.MaxInt64}) {
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range b.Times {
			if _, twice := out[at]; twice {
				t.Fatalf("time %d twice", at)
			}
			out[at] = b.Values[i]
		}
	}
	return out
}

// The power goes at random steps of appending, cutting, deleting and opening;
// what was not synced is there in part, or not at all. Everything that was
// acknowledged is there.
func TestPowerLoss(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			fs := vfs.NewCrashableMem()
			cfg := Config{Uncut: 2000 + rng.Int64N(20_000), Age: time.Hour}
			s := openMem(t, fs, cfg)
			tags := []plant.Tag{{Path: "A"}, {Path: "B"}, {Path: "C"}}
			if err := s.Intern(tags); err != nil {
				t.Fatal(err)
			}
			want := []map[int64]float64{{}, {}, {}}
			number, now := uint64(0), int64(0)
			for step := range 150 {
				switch k := rng.IntN(20); {
				case k == 0:
					i := rng.IntN(3)
					from := rng.Int64N(now + 1)
					to := from + rng.Int64N(200*ms)
					if err := s.Delete(t.Context(), plant.Range{Tag: tags[i].ID, From: from, To: to}); err != nil {
						t.Fatal(err)
					}
					from, to = from+ms-1, to+ms-1 // keys are whole milliseconds
					maps.DeleteFunc(want[i], func(at int64, _ float64) bool {
						return at >= from/ms*ms && at < to/ms*ms
					})
				case k == 1:
					if err := s.Compact(t.Context()); err != nil {
						t.Fatal(err)
					}
				case k < 5:
					crashed := fs.CrashClone(vfs.CrashCloneCfg{
						UnsyncedDataPercent: rng.IntN(101), RNG: rand.New(rand.NewPCG(seed, uint64(step))),
					})
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					fs = crashed
					s = openMem(t, fs, cfg)
					for i := range tags {
						if got := contents(t, s, tags[i].ID); !maps.Equal(got, want[i]) {
							t.Fatalf("step %d: %d samples of %s, want %d", step, len(got), tags[i].Path, len(want[i]))
						}
					}
					spans, err := s.Committed("e", 1)
					if number > 0 && (err != nil || len(spans) != 1 || spans[0].Last != number) {
						t.Fatalf("committed %v %v, want %d", spans, err, number)
					}
				default:
					var b plant.Batch
					for range 1 + rng.IntN(300) {
						now += ms * rng.Int64N(4)
						at := now
						if rng.IntN(9) == 0 {
							at = rng.Int64N(now+1) / ms * ms
						}
						i := rng.IntN(3)
						x := plant.Sample{Tag: tags[i].ID, Time: at, Value: math.Round(rng.Float64() * 100)}
						b.Samples = append(b.Samples, x)
						want[i][at] = x.Value
					}
					number++
					if err := s.Append(t.Context(), b, []Mark{{Edge: "e", Epoch: 1, Number: number}}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// What waits for the disk is not acknowledged, whoever asks.
func TestCommittedIsDurable(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := openMem(t, fs, Config{})
	defer s.Close()
	if err := s.Append(t.Context(), plant.Batch{}, []Mark{{Edge: "e", Epoch: 1, Number: 1}}); err != nil {
		t.Fatal(err)
	}
	commit, _, err := s.apply(&plant.Batch{}, []Mark{{Edge: "e", Epoch: 1, Number: 2}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if spans, _ := s.Committed("e", 1); spans[0].Last != 1 {
		t.Errorf("committed %v before the sync", spans)
	}
	// The same record again, while the first one waits: nil only once it is down.
	if err := s.Append(t.Context(), plant.Batch{}, []Mark{{Edge: "e", Epoch: 1, Number: 2}}); err != nil {
		t.Fatal(err)
	}
	again := openMem(t, fs.CrashClone(vfs.CrashCloneCfg{}), Config{})
	defer again.Close()
	if spans, _ := again.Committed("e", 1); len(spans) != 1 || spans[0].Last != 2 {
		t.Errorf("acknowledged, but the disk has %v", spans)
	}
	if err := errors.Join(commit.SyncWait(), commit.Close()); err != nil {
		t.Fatal(err)
	}
}

// usageFS says how much is free, and can run out of space.
type usageFS struct {
	vfs.FS
	free *uint64
	full *int // writes that find no space
}

func (f usageFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: atomic.LoadUint64(f.free), TotalBytes: 1 << 40}, nil
}

func (f usageFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return usageFile{file, f.full}, err
}

type usageFile struct {
	vfs.File
	full *int
}

func (f usageFile) Write(p []byte) (int, error) {
	if *f.full > 0 {
		*f.full--
		return 0, syscall.ENOSPC
	}
	return f.File.Write(p)
}

// Below the reserve nothing is taken and nothing acknowledged; what is there
// can be read, and with space it goes on.
func TestDiskFull(t *testing.T) {
	free, full := uint64(1<<40), 0
	s := openMem(t, usageFS{vfs.NewMem(), &free, &full}, Config{Reserve: 1000})
	defer s.Close()
	tags := []plant.Tag{{Path: "A"}}
	if err := s.Intern(tags); err != nil {
		t.Fatal(err)
	}
	put := func(n int) error {
		return s.Append(t.Context(), plant.Batch{Samples: []plant.Sample{{Tag: tags[0].ID, Time: int64(n) * ms, Value: 1}}},
			[]Mark{{Edge: "e", Epoch: 1, Number: uint64(n)}})
	}
	forget := func() {
		s.space.mu.Lock()
		s.space.asked = time.Time{}
		s.space.mu.Unlock()
	}
	if err := put(1); err != nil {
		t.Fatal(err)
	}
	free = 999
	forget()
	err := put(2)
	if !errors.Is(err, ErrDiskFull) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("999 bytes free: %v", err)
	}
	if spans, _ := s.Committed("e", 1); spans[0].Last != 1 || s.Stats().Refused != 1 {
		t.Errorf("committed %v, refused %d", spans, s.Stats().Refused)
	}
	if got := contents(t, s, tags[0].ID); len(got) != 1 {
		t.Errorf("%d samples", len(got))
	}
	free = 1 << 40
	forget()
	if err := put(2); err != nil {
		t.Fatal(err)
	}
	// A write that meets a full disk between two looks is tried once more; all
	// others wait until there is space for certain.
	full = 1
	if err := put(3); err != nil {
		t.Fatal(err)
	}
	if err := put(4); !errors.Is(err, ErrDiskFull) {
		t.Errorf("right after a full disk: %v", err)
	}
	forget()
	if err := put(4); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, s, tags[0].ID); len(got) != 4 {
		t.Errorf("%d samples", len(got))
	}
}

// A write that finds not a byte waits until there is space; a store does not open
// on such a disk.
func TestNoSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free, full := uint64(1<<40), 0
		fs := usageFS{vfs.NewMem(), &free, &full}
		s := &space{fs: fs, dir: "store", reserve: 1000, log: slog.New(slog.DiscardHandler), closing: make(chan struct{})}
		atomic.StoreUint64(&free, 0)
		done := make(chan struct{})
		go func() { s.filled(); close(done) }()
		time.Sleep(time.Minute)
		select {
		case <-done:
			t.Error("the write was tried again on a full disk")
		default:
		}
		if err := s.check(); !errors.Is(err, ErrDiskFull) {
			t.Errorf("meanwhile: %v", err)
		}
		atomic.StoreUint64(&free, 1<<40)
		<-done

		atomic.StoreUint64(&free, 0)
		go func() { time.Sleep(time.Minute); close(s.closing) }()
		s.filled()
	})
	free, full := uint64(1000), 0
	if _, err := Open(Config{Dir: "store", fs: usageFS{vfs.NewMem(), &free, &full}}); !errors.Is(err, ErrDiskFull) || strings.Contains(err.Error(), "\n") {
		t.Errorf("opened on a full disk: %v", err)
	}
}

func TestNewer(t *testing.T) {
	fs := vfs.NewMem()
	s := openMem(t, fs, Config{})
	if err := s.db.Set([]byte{prefixFormat}, []byte("2"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Open(Config{Dir: "store", fs: fs}); !errors.Is(err, ErrNewer) || strings.Contains(err.Error(), "\n") {
			t.Errorf("layout of tomorrow: %v", err)
		}
	}
}

func TestFolder(t *testing.T) {
	if _, err := Open(Config{}); err == nil {
		t.Error("no folder")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: filepath.Join(file, "store")}); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("below a file: %v", err)
	}
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if os.Getuid() == 0 {
		return // nothing is unwritable for root
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: filepath.Join(closed, "store")}); err == nil {
		t.Error("not writable")
	}
}

// Batches are dropped once they are in chunks, however slow some tags are.
func TestUncutIsBounded(t *testing.T) {
	const bound = 64 << 10
	s := openMem(t, vfs.NewMem(), Config{Uncut: bound})
	tags := []plant.Tag{{Path: "fast"}, {Path: "slow"}, {Path: "once"}}
	if err := s.Intern(tags); err != nil {
		t.Fatal(err)
	}
	for i := range 400 {
		var b plant.Batch
		for k := range 100 {
			b.Samples = append(b.Samples, plant.Sample{Tag: tags[0].ID, Time: int64(i*100+k) * ms})
		}
		if i%50 == 0 {
			b.Samples = append(b.Samples, plant.Sample{Tag: tags[1].ID, Time: int64(i) * ms})
		}
		if i == 0 {
			b.Samples = append(b.Samples, plant.Sample{Tag: tags[2].ID, Time: 5 * ms, Value: 7})
		}
		if err := s.Append(t.Context(), b, nil); err != nil {
			t.Fatal(err)
		}
		if st := s.Stats(); st.UncutBytes > bound+2000 || st.UncutSamples > 2*bound/10 {
			t.Fatalf("after %d batches: %+v", i, st)
		}
	}
	n := 0
	if err := s.each(prefixIncoming, func(_, v []byte) error { n += len(v); return nil }); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); int64(n) != st.UncutBytes {
		t.Errorf("%d bytes of batches on disk, %d counted", n, st.UncutBytes)
	}
	if got := contents(t, s, tags[2].ID); len(got) != 1 || got[5*ms] != 7 {
		t.Errorf("the slow tag: %v", got)
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.UncutBytes != 0 || st.UncutSamples != 0 {
		t.Errorf("after compacting %+v", st)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// After warm-up an append allocates per batch, not per sample.
func TestAllocations(t *testing.T) {
	s := openMem(t, vfs.NewMem(), Config{})
	defer s.Close()
	tags := make([]plant.Tag, 100)
	for i := range tags {
		tags[i].Path = fmt.Sprint(i)
	}
	if err := s.Intern(tags); err != nil {
		t.Fatal(err)
	}
	var b plant.Batch
	for k := range 10 {
		for i := range tags {
			b.Samples = append(b.Samples, plant.Sample{Tag: tags[i].ID, Time: int64(k) * 100 * ms, Value: float64(i)})
		}
	}
	put := func() {
		if err := s.Append(context.Background(), b, nil); err != nil {
			t.Fatal(err)
		}
		for i := range b.Samples {
			b.Samples[i].Time += 1000 * ms
		}
	}
	for range 200 {
		put()
	}
	if n := testing.AllocsPerRun(300, put); n > float64(len(b.Samples))/20 {
		t.Errorf("%v allocations for %d samples", n, len(b.Samples))
	}
}

// Marks read back as they were added, in any order.
func TestSpans(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 50 {
		var s spans
		in := map[uint64]bool{}
		for range 200 {
			n := 1 + rng.Uint64N(150)
			if _, was := s.find(n); was != in[n] {
				t.Fatalf("%v holds %d: %v", s, n, was)
			}
			now, joined := s.add(n)
			in[n] = true
			if now.First > n || now.Last < n || joined != 0 && joined != n+1 {
				t.Fatalf("%d went to %v, joined %d", n, now, joined)
			}
		}
		var got []uint64
		for i, r := range s {
			if r.Last < r.First || i > 0 && r.First <= s[i-1].Last+1 {
				t.Fatalf("ranges %v", s)
			}
			for n := r.First; n <= r.Last; n++ {
				got = append(got, n)
			}
		}
		if want := slices.Sorted(maps.Keys(in)); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}
