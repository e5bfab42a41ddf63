package ingest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"millwright/edge/queue"
	"millwright/historian/alarm"
	"millwright/historian/ingest"
	"millwright/historian/store"
	"millwright/plant"
)

var (
	_ ingest.Store  = (*store.Pebble)(nil)
	_ ingest.Alarms = (*alarm.Book)(nil)
)

// From the edge's queue through a broker into the real store and alarm book,
// with the historian stopped and started in between.
func TestRealStore(t *testing.T) {
	eachBroker(t, func(t *testing.T, b server) {
		t.Parallel()
		dir := t.TempDir()
		start := func() (*store.Pebble, *alarm.Book, func()) {
			t.Helper()
			st, err := store.Open(store.Config{Dir: dir + "/store", Reserve: -1, Log: quiet(t)})
			if err != nil {
				t.Fatal(err)
			}
			al, err := alarm.Open(dir + "/alarm")
			if err != nil {
				t.Fatal(err)
			}
			g := &ingest.Ingest{Broker: b.url(), HostID: "plant", Store: st, Alarms: al, Log: quiet(t)}
			stop := run(t, g.Run)
			return st, al, func() {
				stop()
				if err := st.Close(); err != nil {
					t.Error(err)
				}
				if err := al.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		_, _, stop := start()
		e := newBox(t, t.TempDir(), b.url(), two(20))
		end := load(e, 3*time.Millisecond)
		for i := range 10 {
			time.Sleep(100 * time.Millisecond)
			e.finding(fmt.Sprintf("wpca-%d", i))
			if i == 3 || i == 6 {
				stop()
				_, _, stop = start()
			}
		}
		end()
		e.empty(30 * time.Second)
		stop()
		st, al, stop := start()
		defer stop()

		ids := map[string]plant.TagID{}
		for _, tag := range st.Tags() {
			ids[tag.Path] = tag.ID
		}
		got := map[sampleKey]float64{}
		for path, id := range ids {
			for block, err := range st.Scan(context.Background(), plant.Range{Tag: id, To: 1 << 62}) {
				if err != nil {
					t.Fatal(err)
				}
				for i, at := range block.Times {
					got[sampleKey{path, at / ms}] = block.Values[i]
				}
			}
		}
		if len(got) != len(e.sent) {
			t.Errorf("%d samples stored, %d sent", len(got), len(e.sent))
		}
		for k, v := range e.sent {
			if w, ok := got[k]; !ok || w != v {
				t.Fatalf("%v: %v %v, want %v", k, ok, w, v)
			}
		}
		list, _, err := al.List(context.Background(), plant.AlarmQuery{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != 10 {
			t.Errorf("%d alarms of 10 findings", len(list))
		}
		for _, a := range list {
			if a.Count != 1 || a.Edge != "mill/e1" {
				t.Errorf("%+v", a)
			}
		}
	})
}

// A whole works' tags are born, and once only where nothing changed.
func TestManyTags(t *testing.T) {
	b := newNATS(t)
	devices := map[string][]plant.Tag{}
	for i := range 5 {
		name := fmt.Sprintf("plc%d", i)
		devices[name] = tags(name, 2000)
	}
	m := newMemory()
	startHost(t, b.url(), m, nil, nil)
	at := time.Now()
	e := newBox(t, t.TempDir(), b.url(), devices)
	eventually(t, "10,000 tags", 20*time.Second, func() bool { return len(m.Tags()) == 10_000 })
	t.Log("10,000 tags known after", time.Since(at))
	for name := range devices {
		e.sample(name)
	}
	e.empty(10 * time.Second)
	complete(t, m, e)
}

// BenchmarkLine is the way from the agent's hand to a store that keeps nothing:
// queue on disk, encode, broker, decode, commit, answer, settle.
func BenchmarkLine(b *testing.B) {
	srv := newNATS(b)
	m := newMemory()
	m.null = true
	h := startHost(b, srv.url(), m, &screen{}, nil)
	e := newBox(b, b.TempDir(), srv.url(), map[string][]plant.Tag{"plc": tags("plc", 500)})
	eventually(b, "births", 5*time.Second, func() bool { return e.up.Counts().Births == 1 })
	const perRecord = 500
	d := queue.Draft{Lane: queue.Telemetry, Device: "plc", Batch: plant.Batch{Samples: make([]plant.Sample, perRecord)}}
	at := plant.Millis(time.Now().UnixNano())
	n := 0
	for b.Loop() {
		at += ms
		for i := range d.Batch.Samples {
			d.Batch.Samples[i] = plant.Sample{Tag: e.tags["plc"][i].ID, Time: at, Value: float64(n)}
		}
		e.put(d)
		n += perRecord
		for e.queue.Stats().Records > 500 { // what an edge may have on its way
			time.Sleep(time.Millisecond)
		}
	}
	eventually(b, "all settled", 60*time.Second, func() bool { return e.queue.Stats().Records == 0 })
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "samples/s")
	b.ReportMetric(float64(h.Counts().Repeated), "repeated")
	b.ReportMetric(float64(e.up.Counts().Again), "again")
}
