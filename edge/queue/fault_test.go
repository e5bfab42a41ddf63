package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func later() time.Time { return time.Now().Add(time.Hour) }

// many is how often a test of faults tries, more where the environment says so.
func many(t *testing.T, few int) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("MILLWRIGHT_QUEUE_FAULTS"))
	if err != nil {
		return few
	}
	return max(n, few)
}

// writes tells an operation that changes the disk.
func writes(op errorfs.Op) bool {
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpLink, errorfs.OpRemove, errorfs.OpRemoveAll, errorfs.OpRename, errorfs.OpReuseForWrite,
		errorfs.OpMkdirAll, errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		return true
	}
	return false
}

// TestPowerCut cuts the power at many steps of a queue's life: what was not synced
// is lost, or there in part, block by block.
func TestPowerCut(t *testing.T) {
	rounds := many(t, 3)
	const cuts = 8
	tried := 0
	for round := range rounds {
		rng := rand.New(rand.NewPCG(uint64(round), 7))
		mem := vfs.NewCrashableMem()
		m := newModel()
		type left struct {
			what string
			fs   *vfs.MemFS
			m    *model
		}
		var clones []left
		var mu sync.Mutex // guards what follows: Pebble writes from many goroutines
		next, step := 1+rng.IntN(60), 0
		pause := rand.New(rand.NewPCG(uint64(round), 8))
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if !writes(op) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if step++; step == next && len(clones) < cuts {
				n := step
				percent := []int{0, 50, 90}[len(clones)%3]
				clones = append(clones, left{
					what: fmt.Sprintf("round %d, power cut at step %d, %d %% of what was not synced", round, n, percent),
					m:    m.snapshot(),
					fs:   mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(n), 9))}),
				})
				next += 1 + pause.IntN(60)
			}
			return nil
		}))
		if err := m.life(Config{Dir: "/q", fs: fs}, rng); err != nil {
			t.Fatal(err)
		}
		for _, c := range clones {
			c.m.check(t, c.what, c.fs, "/q")
			tried++
		}
	}
	t.Logf("%d power cuts", tried)
}

// faultChild lives a queue's life in which one step fails with EIO, and checks
// what a power cut at the very end leaves of it.
func faultChild(step int64) {
	mem := vfs.NewCrashableMem()
	m := newModel()
	var t childTest
	end := func() {
		m.snapshot().check(&t, "after EIO", mem.CrashClone(vfs.CrashCloneCfg{}), "/q")
		if t.failed {
			os.Exit(3)
		}
		os.Exit(0)
	}
	var n atomic.Int64
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if writes(op) && n.Add(1) == step {
			fmt.Println("EIO in", op.Kind, op.Path)
			return syscall.EIO
		}
		return nil
	}))
	if err := m.life(Config{Dir: "/q", fs: fs, leave: end}, rand.New(rand.NewPCG(uint64(step), 5))); err != nil {
		fmt.Println("ended with", err)
	} else if n.Load() < step {
		fmt.Println("over")
	}
	end()
}

type childTest struct{ failed bool }

func (*childTest) Helper() {}
func (c *childTest) Errorf(format string, args ...any) {
	c.failed = true
	fmt.Printf(format+"\n", args...)
}

// TestEIO fails every seventh step, or every one where the environment asks for more: an
// fsync that failed is never taken for one that healed, so the queue calls nothing durable
// that a power cut then takes; and no step ends the process with a panic.
func TestEIO(t *testing.T) {
	t.Parallel() // waits most of its time
	every := int64(max(1, 7-many(t, 0)))
	tried := 0
	for step := int64(1); ; step += every {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), fmt.Sprint("QUEUE_TEST_EIO=", step))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("step %d: %v\n%s", step, err, out)
		}
		if strings.Contains(string(out), "over") {
			break
		}
		if !strings.Contains(string(out), "EIO in") {
			t.Fatalf("step %d failed nothing:\n%s", step, out)
		}
		tried++
	}
	if tried == 0 {
		t.Fatal("nothing failed")
	}
	t.Logf("%d steps failed", tried)
}

// TestDiskFull fills the disk at many steps: the ballast gives room, nothing that
// was taken is lost, telemetry is refused, and findings and settling go on.
func TestDiskFull(t *testing.T) {
	const few = 6
	for round := range many(t, few) {
		rng := rand.New(rand.NewPCG(uint64(round), 11))
		mem := vfs.NewCrashableMem()
		mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 40, TotalBytes: 1 << 40})
		m := newModel()
		var n atomic.Int64
		var full, dropped atomic.Bool
		var laid atomic.Bool
		at := int64(2 + rng.IntN(100))
		if round >= few {
			at = int64(2 + round - few) // and then at every step, one after the other
		}
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpRemove && strings.HasSuffix(op.Path, ballastFile) && full.Load() {
				dropped.Store(true)
				full.Store(false)
				return nil
			}
			if op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ballastFile) {
				laid.Store(true)
			}
			// An fsync that fails ends the process, whatever its error: see TestEIO. The folder is there.
			switch op.Kind {
			case errorfs.OpMkdirAll, errorfs.OpRemove, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
				return nil
			}
			if !laid.Load() || !writes(op) {
				return nil
			}
			if n.Add(1) == at {
				full.Store(true)
			}
			if full.Load() {
				return syscall.ENOSPC
			}
			return nil
		}))
		cfg := Config{Dir: "/q", fs: fs, Log: silent(), leave: func() { panic("left the process on a full disk") }}
		if err := m.life(cfg, rng); err != nil {
			t.Fatalf("full at step %d: %v", at, err)
		}
		if !dropped.Load() && round >= few && n.Load() < at {
			t.Logf("full at each of %d steps", n.Load())
			break
		}
		if !dropped.Load() {
			t.Fatalf("the disk was never full: %d steps", n.Load())
		}
		m.snapshot().check(t, fmt.Sprintf("full at step %d", at), mem.CrashClone(vfs.CrashCloneCfg{}), "/q")
	}

	mem := vfs.NewMem()
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 40, TotalBytes: 1 << 40})
	q := open(t, Config{Dir: "/q", fs: mem, Log: silent()})
	r := put(t, q, Telemetry, samples(0, 5))
	put(t, q, Waveforms, wave(3, 1000, 64))
	if _, err := mem.Stat("/q/" + ballastFile); err != nil {
		t.Fatal("no ballast:", err)
	}
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 20 << 20, TotalBytes: 1 << 40})
	await(t, "refusing telemetry", func() bool { return q.Stats().Full })
	if _, err := q.Append([]Draft{{Lane: Telemetry, Batch: samples(0, 1)}}, nil); !errors.Is(err, ErrFull) {
		t.Errorf("telemetry on a full disk: %v", err)
	}
	put(t, q, Audit, samples(0, 1))
	await(t, "giving up waveforms", func() bool { return q.Stats().Lanes[Waveforms].Records == 0 })
	if k, err := q.Settle(r.Epoch, spans{one(r.Number)}); k != 1 || err != nil {
		t.Errorf("settled %d, %v", k, err)
	}
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 40, TotalBytes: 1 << 40})
	await(t, "taking telemetry", func() bool { return !q.Stats().Full })
	put(t, q, Telemetry, samples(0, 1))
}

// slowFS holds every sync of a file back until it is let go.
type slowFS struct {
	vfs.FS
	gate atomic.Pointer[chan struct{}]
}

type slowFile struct {
	vfs.File
	fs *slowFS
}

func (f *slowFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return &slowFile{file, f}, err
}

func (f *slowFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(old, name, c)
	return &slowFile{file, f}, err
}

func (f *slowFile) wait() {
	if g := f.fs.gate.Load(); g != nil {
		<-*g
	}
}

func (f *slowFile) Sync() error     { f.wait(); return f.File.Sync() }
func (f *slowFile) SyncData() error { f.wait(); return f.File.SyncData() }

// TestSlowDisk: a disk that does not sync holds telemetry back, with bounded
// memory, and loses nothing; findings are taken all the same.
func TestSlowDisk(t *testing.T) {
	fs := &slowFS{FS: vfs.NewMem()}
	q := open(t, Config{Dir: "/q", fs: fs, Log: silent()})
	put(t, q, Telemetry, samples(0, 1))
	gate := make(chan struct{})
	fs.gate.Store(&gate)
	batch := samples(0, 1000)
	var durable atomic.Int64
	taken, refused := 0, 0
	for refused < 100 {
		_, err := q.Append([]Draft{{Lane: Telemetry, Device: "plc", Batch: batch}}, func(err error) {
			if err == nil {
				durable.Add(1)
			}
		})
		switch {
		case err == nil:
			taken++
		case errors.Is(err, ErrBusy):
			refused++
		default:
			t.Fatal(err)
		}
		if taken > 10_000 {
			t.Fatal("memory is not bounded")
		}
	}
	if _, err := q.Append([]Draft{{Lane: Findings, Batch: samples(0, 1)}}, nil); err != nil {
		t.Errorf("a finding is refused: %v", err)
	}
	if s := q.Stats(); s.Waiting > 2*maxWaiting {
		t.Errorf("%d bytes wait", s.Waiting)
	}
	fs.gate.Store(nil)
	close(gate)
	await(t, "durable", func() bool { return durable.Load() == int64(taken) })
	put(t, q, Telemetry, batch)
}
