package queue

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"millwright/plant"
	"millwright/simulator"
	"millwright/sparkplug"
)

// figures is for tests that measure: MILLWRIGHT_FIGURES=1.
func figures(t *testing.T) {
	if os.Getenv("MILLWRIGHT_FIGURES") == "" {
		t.Skip("figures: set MILLWRIGHT_FIGURES=1")
	}
}

const (
	figureTags   = 5000
	figureRate   = 5000 // samples a second of the outage
	figureBlock  = 120  // seconds of the simulated works, over and over
	figureDevice = 2000 // tags of a device, and so of a record
)

// mill is a few minutes of the simulated reference works, healthy, with its sensors'
// noise and resolution: one batch for each device and second, at times from 0 on.
func mill(t *testing.T) (seconds [][]plant.Batch) {
	t.Helper()
	w, err := simulator.Reference()
	if err != nil {
		t.Fatal(err)
	}
	m, err := simulator.NewOffline(w, 7, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	begin := m.Start().UnixNano()
	kinds := m.Tags()
	number := map[int]plant.TagID{}
	for len(seconds) < figureBlock {
		m.Step()
		now := m.Start().Add(m.Now()).UnixNano()
		vals := m.Values(nil)
		m.Stamp(vals, now)
		batches := make([]plant.Batch, (figureTags+figureDevice-1)/figureDevice)
		for _, v := range vals {
			if v.Wave != nil || kinds[v.Var].Kind == plant.Text {
				continue
			}
			id := number[v.Var]
			if id == 0 {
				if len(number) == figureTags {
					continue
				}
				id = plant.TagID(len(number) + 1)
				number[v.Var] = id
			}
			b := &batches[int(id-1)/figureDevice]
			b.Samples = append(b.Samples, plant.Sample{Tag: id, Time: plant.Millis(v.Time - begin), Value: v.Number, Quality: v.Quality})
		}
		seconds = append(seconds, batches)
	}
	return seconds
}

// cpu is the process's own time.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func sizeOf(t *testing.T, dir string) (n int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.Name() != ballastFile {
			n += info.Size()
		}
	}
	return n
}

// TestFigureOutage queues what 5,000 samples a second make of an outage, as fast as
// it goes, and drains it. MILLWRIGHT_OUTAGE_HOURS=72 is all of it, 1.3e9 samples, some
// ten minutes; by default it is 12 h, scaled up, and said so.
func TestFigureOutage(t *testing.T) {
	figures(t)
	hours := 12.0
	if s := os.Getenv("MILLWRIGHT_OUTAGE_HOURS"); s != "" {
		var err error
		if hours, err = strconv.ParseFloat(s, 64); err != nil || hours <= 0 {
			t.Fatalf("MILLWRIGHT_OUTAGE_HOURS is %q", s)
		}
	}
	block := mill(t)
	dir := t.TempDir()
	q := open(t, Config{Dir: dir, Log: silent(), Quotas: &Quotas{}})
	var p packer
	begin := time.Now().UnixNano()
	samples, records := 0, 0
	before := cpu(t)
	done := make(chan error, 1)
	most := int(hours * 3600 * figureRate) // the works offers fewer a second: its seconds go on
	for s := 0; samples < most; s++ {
		shift := plant.Millis(begin) + int64(s/figureBlock)*figureBlock*int64(time.Second)
		var drafts []Draft
		for d, b := range block[s%figureBlock] {
			moved := make([]plant.Sample, len(b.Samples))
			for i, x := range b.Samples {
				x.Time += shift
				moved[i] = x
			}
			samples += len(moved)
			records++
			drafts = append(drafts, Draft{Lane: Telemetry, Device: "plc-" + strconv.Itoa(d), Batch: plant.Batch{Samples: moved}})
		}
		last := s%20 == 19
		var durable func(error)
		if last {
			durable = func(err error) { done <- err }
		}
		if _, err := q.Append(drafts, durable); err != nil {
			t.Fatal(err)
		}
		if last {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			for {
				did, err := q.packSome(&p, later())
				if err != nil {
					t.Fatal(err)
				}
				if !did {
					break
				}
			}
		}
	}
	took := cpu(t) - before
	st := q.Stats()
	size := sizeOf(t, dir)
	scale := 72 / hours
	t.Logf("%.2f h of 5,000 samples a second, from up to %d tags of the simulated reference works: %d samples in %d records, %.2f B a sample on disk (%.2f in packs), packing %.1f, %d B a record raw, CPU %.0f ns a sample, %.2f bytes written per byte queued, %d syncs",
		hours, figureTags, samples, records, float64(size)/float64(samples), float64(st.Bytes)/float64(samples), st.Packing, st.Queued/uint64(records), float64(took)/float64(samples), float64(st.Written)/float64(st.Queued), st.Syncs)
	fmt.Printf("FIGURE delivery.outage_gb %.2f GB (of %.2f h, times %.1f)\n", float64(size)*scale/1e9, hours, scale)
	fmt.Printf("FIGURE delivery.outage_written_per_byte %.2f\n", float64(st.Written)/float64(st.Queued))

	before = cpu(t)
	start := time.Now()
	var pos Pos
	got := 0
	for {
		rs, next, err := q.Backlog(Telemetry, pos, 16)
		if err != nil {
			t.Fatal(err)
		}
		if len(rs) == 0 {
			break
		}
		pos = next
		for _, r := range rs {
			got += len(r.Batch.Samples)
		}
		if _, err := q.Settle(q.Epoch(), []sparkplug.Span{{First: rs[0].Number, Last: rs[len(rs)-1].Number}}); err != nil {
			t.Fatal(err)
		}
	}
	if got != samples {
		t.Errorf("%d of %d samples came out", got, samples)
	}
	t.Logf("drained in %v, CPU %.0f ns a sample", time.Since(start).Round(time.Millisecond), float64(cpu(t)-before)/float64(samples))
	fmt.Printf("FIGURE delivery.queue_drain_ratio %.0f\n", float64(samples)/figureRate/time.Since(start).Seconds())
}

// TestFigureReopen opens a queue of 1 GB: packs of the simulated works, the same few
// over and over under other numbers, each with its index, and the records that had no
// time to be packed.
func TestFigureReopen(t *testing.T) {
	figures(t)
	block := mill(t)
	dir := t.TempDir()
	q := open(t, Config{Dir: dir, Log: silent(), Quotas: &Quotas{}})
	var records []Record
	for s := range block {
		for _, b := range block[s] {
			records = append(records, Record{Number: uint64(len(records) + 1), Created: time.Now().UnixMilli() * msec, Device: "plc", Batch: b})
		}
	}
	var p packer
	const each = 100
	pack, err := p.appendPack(nil, records[:each])
	if err != nil {
		t.Fatal(err)
	}
	packs := 1_000_000_000/len(pack) + 1
	q.number = uint64(packs * each)
	for i := range packs {
		x := indexOf(records[:each], len(pack))
		x.numbers = spans{{First: uint64(i*each + 1), Last: uint64(i*each + each)}}
		b := q.db.NewBatch()
		setPack(b, Telemetry, q.opening, &x, pack)
		if err := b.Commit(pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 {
		if _, err := q.Append([]Draft{{Lane: Telemetry, Device: "plc", Batch: records[i].Batch}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	put(t, q, Telemetry, records[0].Batch)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	start, before := time.Now(), cpu(t)
	q = open(t, Config{Dir: dir, Log: silent(), Quotas: &Quotas{}})
	took := time.Since(start)
	t.Logf("%v of CPU", cpu(t)-before)
	s := q.Stats()
	if s.Records != uint64(packs*each+101) {
		t.Errorf("%d records, want %d", s.Records, packs*each+101)
	}
	t.Logf("%.2f GB in %d packs of %d kB and 101 records", float64(s.Bytes)/1e9, packs, len(pack)/1000)
	fmt.Printf("FIGURE delivery.reopen_s %.3f s\n", took.Seconds())
}

// TestFigureWear is the normal case: everything is settled a second after it came.
func TestFigureWear(t *testing.T) {
	figures(t)
	block := mill(t)
	dir := filepath.Join(t.TempDir(), "queue")
	q := open(t, Config{Dir: dir, Log: silent()})
	n := 0
	for s := range 6 * figureBlock {
		var last uint64
		for d, b := range block[s%figureBlock] {
			rs, err := q.Append([]Draft{{Lane: Telemetry, Device: "plc-" + strconv.Itoa(d), Batch: b}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			last = rs[0].Number
			n += len(b.Samples)
		}
		done := make(chan error, 1)
		_ = q.Flushed(func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if _, err := q.Settle(q.Epoch(), []sparkplug.Span{{First: 1, Last: last}}); err != nil {
			t.Fatal(err)
		}
	}
	st := q.Stats()
	fmt.Printf("FIGURE delivery.queue_written_per_byte %.2f (%d samples, %.1f B a sample, %d syncs)\n",
		float64(st.Written)/float64(st.Queued), n, float64(st.Queued)/float64(n), st.Syncs)
}
