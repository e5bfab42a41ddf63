package ingest_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"millwright/historian/alarm"
	"millwright/historian/ingest"
	"millwright/historian/ledger"
	"millwright/historian/store"
	"millwright/plant"
)

// kept is a historian over folders that it keeps.
type kept struct {
	*ingest.Ingest
	store  *store.Pebble
	ledger *ledger.Ledger
	stop   func()
}

func keep(t *testing.T, url, dir string) *kept {
	t.Helper()
	st, err := store.Open(store.Config{Dir: filepath.Join(dir, "store"), Reserve: -1, Log: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	book, err := alarm.Open(filepath.Join(dir, "alarms"))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := ledger.Open(ledger.Config{Dir: filepath.Join(dir, "ledger"), Sources: []ledger.Source{st, book}, Fold: st.FoldTallies, Alarms: book, HostID: "plant", Log: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	g := &ingest.Ingest{Broker: url, HostID: "plant", Store: st, Alarms: book, Ledger: sums, Log: quiet(t), Dir: filepath.Join(dir, "ingest")}
	stop := run(t, g.Run)
	end := run(t, sums.Run)
	return &kept{g, st, sums, func() {
		stop()
		end()
		for _, err := range []error{st.Close(), book.Close(), sums.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	}}
}

// A historian that is restored from an older backup lacks what the edge has settled
// since. Every value of it lies in a declared gap, and an alarm says so.
func TestRestoredFromBackup(t *testing.T) {
	t.Parallel()
	b := newNATS(t)
	dir, backup := filepath.Join(t.TempDir(), "now"), filepath.Join(t.TempDir(), "backup")
	h := keep(t, b.url(), dir)
	e := newBox(t, t.TempDir(), b.url(), two(5))
	some := func() {
		stop := load(e, 5*time.Millisecond)
		time.Sleep(500 * time.Millisecond)
		stop()
		e.empty(30 * time.Second)
	}
	some()
	h.stop()
	if err := os.CopyFS(backup, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	h = keep(t, b.url(), dir)
	some()
	h.stop()
	h = keep(t, b.url(), backup)
	stop := load(e, 50*time.Millisecond)
	eventually(t, "what is missing is declared", 90*time.Second, func() bool { return h.Counts().Missing > 0 })
	stop()
	e.empty(30 * time.Second)
	h.stop()

	h = keep(t, b.url(), backup)
	defer h.stop()
	// What is declared is no loss that nobody knows of.
	eventually(t, "the ledger has nothing to complain of", 90*time.Second, func() bool {
		edges := h.ledger.Edges()
		if len(edges) != 1 {
			return false
		}
		s := h.ledger.Status(edges[0])
		return s != nil && s.Loss == nil && s.Classes[plant.CountMeasured].Lost == 0 && s.Classes[plant.CountMeasured].Explained > 0
	})
	tags := map[string]plant.TagID{}
	for _, tag := range h.store.Tags() {
		tags[tag.Path] = tag.ID
	}
	stored := map[sampleKey]float64{}
	gaps := map[string][]plant.Gap{}
	for path, id := range tags {
		r := plant.Range{Tag: id, To: math.MaxInt64}
		for block, err := range h.store.Scan(context.Background(), r) {
			if err != nil {
				t.Fatal(err)
			}
			for i, at := range block.Times {
				stored[sampleKey{path, at / ms}] = block.Values[i]
			}
		}
		var err error
		if gaps[path], err = h.store.Gaps(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	declared := 0
	for k, v := range e.sent {
		if got, ok := stored[k]; ok {
			if got != v {
				t.Errorf("%v is %v, sent was %v", k, got, v)
			}
			continue
		}
		declared++
		in := false
		for _, g := range gaps[k.path] {
			in = in || g.Reason == plant.GapNotStored && g.From <= k.ms*ms && k.ms*ms < g.To
		}
		if !in {
			t.Errorf("%v is lost and lies in no gap of %v", k, gaps[k.path])
		}
	}
	if declared < 100 {
		t.Errorf("%d values were lost with the historian: nothing was tested", declared)
	}
	if len(stored) != len(e.sent)-declared {
		t.Errorf("%d values are stored, %d were sent and not lost", len(stored), len(e.sent)-declared)
	}
}
