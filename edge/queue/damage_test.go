package queue

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millwright/plant"
)

// worn makes a closed queue with packs in tables, records in tables and in the log,
// and everything that was promised of it.
func worn(t fataler, seed uint64) (*vfs.MemFS, *model) {
	t.Helper()
	mem := vfs.NewCrashableMem()
	m := newModel()
	rng := rand.New(rand.NewPCG(seed, 21))
	cfg := Config{Dir: "/q", fs: mem, Log: silent()}
	at := 0
	for day := range 3 {
		q, err := Open(cfg)
		if err != nil {
			t.Errorf("%v", err)
			return nil, nil
		}
		if err := m.day(q, rng, &at); err != nil {
			t.Errorf("%v", err)
			return nil, nil
		}
		packAll(t, q)
		if day < 2 {
			if err := q.db.Flush(); err != nil {
				t.Errorf("%v", err)
				return nil, nil
			}
		}
		if err := q.Close(); err != nil {
			t.Errorf("%v", err)
			return nil, nil
		}
	}
	return mem, m
}

// read is all that is in a queue, once what is damaged has been seen and declared.
func read(t fataler, q *Queue) (out []Record) {
	t.Helper()
	for before := -1; ; {
		for q.Stats().Salvage {
			time.Sleep(time.Millisecond)
		}
		out = nil
		for ln := range Lane(Lanes) {
			var pos Pos
			for {
				rs, next, err := q.Backlog(ln, pos, 50)
				if err != nil {
					t.Errorf("%v", err)
					return nil
				}
				if len(rs) == 0 {
					break
				}
				out, pos = append(out, rs...), next
			}
		}
		if len(out) == before && !q.anyBroken() {
			return out
		}
		before = len(out)
		q.call()
		time.Sleep(time.Millisecond)
	}
}

func (q *Queue) anyBroken() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range q.openings {
		for ln := range o.lanes {
			if slices.ContainsFunc(o.lanes[ln].items, func(it item) bool { return it.broken }) {
				return true
			}
		}
	}
	return false
}

// TestBitFlip turns one bit in blocks of 4 KiB, one after the other: the queue
// always opens, nothing comes back changed, and telemetry that does not come back is
// in a declared gap. Findings have no gap; that some may be gone is said. It runs in a
// process of its own: a queue that meets damage in the background ends its process.
func TestBitFlip(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), fmt.Sprint("QUEUE_TEST_FLIPS=", many(t, 5)))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// flips is what there was of the damage of all blocks.
type flips struct{ aside, left, gone, findings int }

func flipChild(n int) {
	var t childTest
	mem, m := worn(&t, 1)
	type block struct {
		file string
		at   int64
	}
	var blocks []block
	names, err := mem.List("/q")
	if err != nil {
		t.Errorf("%v", err)
	}
	for _, name := range names {
		st, err := mem.Stat("/q/" + name)
		if err != nil || name == "LOCK" || name == ballastFile {
			continue
		}
		for at := int64(0); at < st.Size(); at += 4096 {
			blocks = append(blocks, block{name, at})
		}
	}
	rng := rand.New(rand.NewPCG(3, 3))
	rng.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
	n = min(n, len(blocks))
	var f flips
	for _, b := range blocks[:n] {
		clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
		data, err := clone.UnsafeGetFileDataBuffer("/q/" + b.file)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		data[b.at+rng.Int64N(min(4096, int64(len(data))-b.at))] ^= 1 << rng.IntN(8)
		what := fmt.Sprintf("%s, block %d", b.file, b.at/4096)
		left, done := make(chan struct{}, 1), make(chan struct{})
		go func() {
			m.damaged(&t, what, clone, &f, func() {
				left <- struct{}{}
				select {} // the process has ended
			})
			close(done)
		}()
		select {
		case <-done:
		case <-left:
			f.left++
			again := clone.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
			m.damaged(&t, what+", after a restart", again, &f, func() { panic(what + ": left again") })
		}
	}
	fmt.Printf("%d of %d blocks: %d times set aside and salvaged, %d times the process ended before; of %d records each, %d declared in all, %d findings lost and said so\n",
		n, len(blocks), f.aside, f.left, len(m.durable), f.gone, f.findings)
	if t.failed || len(blocks) < 40 {
		os.Exit(1)
	}
	os.Exit(0)
}

// damaged opens a damaged queue and compares.
func (m *model) damaged(t fataler, what string, fs vfs.FS, f *flips, leave func()) {
	q, err := Open(Config{Dir: "/q", fs: fs, Log: silent(), leave: leave})
	if err != nil {
		t.Errorf("%s: the queue does not open: %v", what, err)
		return
	}
	there := map[string]bool{}
	var gaps []plant.Gap
	for _, r := range read(t, q) {
		key := name(r.Epoch, r.Number)
		if want, ok := m.made[key]; ok && fmt.Sprint(r.Batch) != fmt.Sprint(want.Batch) {
			t.Errorf("%s: record %s is not what it was", what, key)
		}
		there[key] = true
		gaps = append(gaps, r.Batch.Gaps...)
	}
	if q.Damaged() != "" {
		f.aside++
	}
	events := q.TakeEvents()
	said := slices.ContainsFunc(events, func(e Event) bool {
		return strings.Contains(e.What, "not known") || strings.Contains(e.What, "cannot be known")
	})
	for key := range m.durable {
		if there[key] || m.settled[key] {
			continue
		}
		switch r := m.made[key]; {
		case len(r.Batch.Findings) > 0 && said:
			f.findings++
		case declared(r.Batch, gaps):
			f.gone++
		default:
			t.Errorf("%s: record %s of %s is neither there nor declared (set aside: %q, %v)", what, key, r.Lane, q.Damaged(), events)
		}
	}
	if err := q.Close(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// TestSalvageAfterLostBook: without Pebble's book of its files everything that they
// hold comes back, under its epochs and numbers, with its tags' names, and the folder
// goes.
func TestSalvageAfterLostBook(t *testing.T) {
	t.Parallel() // waits most of its time
	dir := t.TempDir() + "/queue"
	q := open(t, Config{Dir: dir})
	tags := []plant.Tag{{Path: "gone"}, {Path: "a"}, {Path: "b"}}
	if err := q.Intern("plc", tags); err != nil {
		t.Fatal(err)
	}
	first := put(t, q, Telemetry, plant.Batch{Samples: []plant.Sample{{Tag: tags[1].ID, Time: 5 * msec, Value: 1}, {Tag: tags[2].ID, Time: 5 * msec, Value: 2}}})
	for i := range 60 {
		put(t, q, Findings, plant.Batch{Findings: []plant.Finding{{Asset: fmt.Sprint("A", i), Phase: plant.Raise}}})
		b := samples(i*200, 200)
		for j := range b.Samples {
			b.Samples[j].Tag = tags[j%3].ID
		}
		put(t, q, Telemetry, b)
	}
	put(t, q, Waveforms, wave(tags[2].ID, 7, 50))
	put(t, q, Audit, plant.Batch{States: []plant.State{{Tag: tags[0].ID, Time: 9 * msec, Value: "start"}}})
	epoch := q.Epoch()
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, Config{Dir: dir})
	packAll(t, q)
	if err := q.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Settle(epoch, spans{{First: 2, Last: 11}}); err != nil {
		t.Fatal(err)
	}
	want := len(read(t, q))
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	names, _ := os.ReadDir(dir)
	for _, e := range names {
		if strings.HasPrefix(e.Name(), "MANIFEST") {
			if err := os.Remove(dir + "/" + e.Name()); err != nil {
				t.Fatal(err)
			}
		}
	}

	q = open(t, Config{Dir: dir})
	if q.Damaged() == "" {
		t.Fatal("the loss was not noticed")
	}
	fresh := []plant.Tag{{Path: "b"}, {Path: "new"}, {Path: "a"}} // other handles than before
	if err := q.Intern("plc", fresh); err != nil {
		t.Fatal(err)
	}
	await(t, "salvaged", func() bool { return !q.Stats().Salvage })
	got := read(t, q)
	// What was settled inside of a pack comes back, and is recognised by its number.
	if len(got) < want || len(got) > want+10 {
		t.Errorf("%d records, want %d", len(got), want)
	}
	path := map[plant.TagID]string{}
	for _, x := range q.Tags() {
		path[x.ID] = x.Path
	}
	ok := false
	for _, r := range got {
		if r.Epoch != epoch {
			t.Errorf("record %d of epoch %d", r.Number, r.Epoch)
		}
		for _, s := range r.Batch.Samples {
			if path[s.Tag] == "" || path[s.Tag] == "new" {
				t.Fatalf("record %d has a sample of %q", r.Number, path[s.Tag])
			}
		}
		if r.Number == first.Number {
			ok = len(r.Batch.Samples) == 2 && path[r.Batch.Samples[0].Tag] == "a" && path[r.Batch.Samples[1].Tag] == "b" && r.Device == "plc"
		}
	}
	if !ok {
		t.Error("the first record did not come back as it was")
	}
	if _, err := os.Stat(q.Damaged()); err == nil {
		t.Error("the folder is still there, though all of it was read")
	}
	if k, err := q.Settle(epoch, spans{{First: 1, Last: 10_000}}); err != nil || k != len(got) {
		t.Errorf("settled %d of %d, %v", k, len(got), err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, Config{Dir: dir})
	if n := q.Stats().Records; n != 0 {
		t.Errorf("%d records after all was settled", n)
	}
}
