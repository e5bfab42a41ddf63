package simulator_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"millwright/collector"
	"millwright/plant"
	"millwright/simulator"
	"millwright/simulator/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a simulator until the test ends or stop is called.
func start(t *testing.T, s *simulator.Simulator) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Started():
	case err := <-done:
		cancel()
		t.Fatalf("the simulator ended: %v", err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("the simulator ended: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// received is what a collector has read.
type received struct {
	mu      sync.Mutex
	samples []plant.Sample
	states  []plant.State
}

func (r *received) Write(_ context.Context, b plant.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, b.Samples...)
	r.states = append(r.states, b.States...)
	return nil
}

func (r *received) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.samples) + len(r.states)
}

// collect reads tags until the test ends or stop is called.
func collect(t *testing.T, url string, tags []plant.Tag) (r *received, stop func()) {
	t.Helper()
	for i := range tags {
		tags[i].ID = plant.TagID(i + 1)
	}
	r = &received{}
	src := &collector.Source{Name: "mill", URL: url, Tags: tags}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, r) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("the collector ended: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return r, stop
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}

type key struct {
	tag  string
	time int64
}

// offers reads a sample log.
func offers(t *testing.T, path string) []ledger.Offer {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []ledger.Offer
	for o, err := range ledger.ReadSamples(path, f) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, o)
	}
	return out
}

// generate writes a bench recording of n rows at 1 Hz: repeated values, missing
// cells, equal stamps, a text and a label column. It returns the cells.
func generate(t *testing.T, n int) (path string, cells [][3]float64) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "bench.csv")
	var b strings.Builder
	b.WriteString("datetime;Current;Volume Flow RateRMS;Pressure, bar;anomaly;note\r\n")
	at := time.Date(2020, 3, 9, 10, 34, 33, 0, time.UTC)
	for i := range n {
		if i%50 != 7 { // now and then a stamp twice
			at = at.Add(time.Second)
		}
		row := [3]float64{math.Sin(float64(i) / 7), 32, float64(i%3) / 3}
		text := make([]string, 3)
		for j, v := range row {
			text[j] = fmt.Sprint(v)
		}
		if i%20 == 3 {
			row[2], text[2] = math.NaN(), []string{"", "NaN", "null"}[i%3]
		}
		cells = append(cells, row)
		fmt.Fprintf(&b, "%s;%s;%d;ok\r\n", at.Format("2006-01-02 15:04:05"), strings.Join(text, ";"), i/200%2)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, cells
}

// A replay offers each row once, all its cells with one source time, and a
// collector receives just that.
func TestReplay(t *testing.T) {
	file, cells := generate(t, 300)
	log := filepath.Join(t.TempDir(), "samples")
	sim := &simulator.Simulator{Speed: 50, Samples: log, Replay: &simulator.Replay{File: file}}
	stop := start(t, sim)
	tags, notes, err := simulator.ReplayTags(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(tags) != 3 || tags[1].Path != "REPLAY/Volume Flow RateRMS" || tags[2].Path != "REPLAY/Pressure, bar" {
		t.Fatalf("tags %+v", tags)
	}
	if len(notes) != 1 || notes[0] != `column "note" is left out: line 2: "ok" is not a number` {
		t.Errorf("notes %q", notes)
	}
	time.Sleep(200 * time.Millisecond)
	if o := offers(t, log); len(o) != 0 {
		t.Fatalf("%d values were offered before anybody monitored", len(o))
	}
	begun := time.Now()
	r, stopReading := collect(t, sim.URL(), tags)
	want := 0
	for _, row := range cells {
		for _, v := range row {
			if !math.IsNaN(v) {
				want++
			}
		}
	}
	until(t, "all rows", func() bool { return r.count() >= want })
	if d := time.Since(begun); d < 5*time.Second {
		t.Errorf("300 rows at 50 rows a second took %v", d)
	}
	time.Sleep(300 * time.Millisecond) // nothing more comes
	stopReading()
	stop()
	if n := r.count(); n != want {
		t.Errorf("received %d values, want %d", n, want)
	}

	// The log: rows by source time, in order, each cell once.
	rows := map[int64]map[string]float64{}
	var order []int64
	for _, o := range offers(t, log) {
		if rows[o.Time] == nil {
			rows[o.Time] = map[string]float64{}
			order = append(order, o.Time)
		}
		if _, twice := rows[o.Time][o.Tag]; twice {
			t.Errorf("%s was offered twice at %d", o.Tag, o.Time)
		}
		rows[o.Time][o.Tag] = o.Value
	}
	if len(order) != len(cells) {
		t.Fatalf("%d rows were offered, want %d", len(order), len(cells))
	}
	logged := map[key]float64{}
	for i, at := range order {
		if i > 0 && at-order[i-1] < 9*int64(time.Millisecond) {
			t.Errorf("row %d comes %v behind the one before", i, time.Duration(at-order[i-1]))
		}
		if at%int64(time.Millisecond) != 0 {
			t.Errorf("source time %d is not in whole ms", at)
		}
		for j, v := range cells[i] {
			got, ok := rows[at][tags[j].Path]
			if ok == math.IsNaN(v) || ok && got != v {
				t.Errorf("row %d %s: %v, want %v", i, tags[j].Path, got, v)
			}
			if ok {
				logged[key{tags[j].Path, at}] = got
			}
		}
	}
	for _, s := range r.samples {
		path := tags[s.Tag-1].Path
		if v, ok := logged[key{path, s.Time}]; !ok || v != s.Value {
			t.Errorf("received %s = %v at %d, offered %v", path, s.Value, s.Time, v)
		}
		delete(logged, key{path, s.Time})
	}
	if len(logged) > 0 {
		t.Errorf("%d offered values were not received", len(logged))
	}
}

// A looping replay goes on behind its last row.
func TestReplayLoop(t *testing.T) {
	file, cells := generate(t, 20)
	log := filepath.Join(t.TempDir(), "samples")
	sim := &simulator.Simulator{Speed: 100, Samples: log, Replay: &simulator.Replay{File: file, Loop: true}}
	stop := start(t, sim)
	tags, _, err := simulator.ReplayTags(file)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := collect(t, sim.URL(), tags)
	until(t, "three rounds", func() bool { return r.count() > 3*20*3 })
	stop()
	var got []float64
	for _, o := range offers(t, log) {
		if o.Tag == "REPLAY/Current" {
			got = append(got, o.Value)
		}
	}
	for i, v := range got {
		if v != cells[i%20][0] {
			t.Fatalf("row %d is %v, want %v", i, v, cells[i%20][0])
		}
	}
}

func TestReplayAsset(t *testing.T) {
	file, _ := generate(t, 300)
	a, err := simulator.ReplayAsset(file, 120, 50)
	if err != nil || a.Path != "REPLAY" || a.Model.Rows != 120 || a.Model.Grid != time.Second {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := simulator.ReplayAsset(filepath.Join(t.TempDir(), "none.csv"), 1, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// The served mill: every value that it offers arrives, the sample log says the
// same as the collector, a fault at run time reaches the ledger.
func TestServedMill(t *testing.T) {
	dir := t.TempDir()
	log, truths := filepath.Join(dir, "samples"), filepath.Join(dir, "ledger")
	f, err := simulator.ParseFault("HSM/FM/F3/GBX:gear-wear:0.5@5s+10s")
	if err != nil {
		t.Fatal(err)
	}
	sim := &simulator.Simulator{Seed: 1, Speed: 20, Ledger: truths, Samples: log, Faults: []simulator.Fault{f}}
	stop := start(t, sim)
	works, err := simulator.Demo()
	if err != nil {
		t.Fatal(err)
	}
	r, stopReading := collect(t, sim.URL(), works.Tags)
	until(t, "all tags", func() bool { return sim.Monitored() == len(works.Tags) })
	if err := sim.Inject(simulator.Fault{Asset: "BOF/C1/FAN", Name: "dust", Severity: 0.4, Growth: time.Minute}); err != nil {
		t.Error(err)
	}
	if err := sim.Inject(simulator.Fault{Asset: "BOF/C1/FAN", Name: "rust", Severity: 0.4}); err == nil {
		t.Error("an unknown fault was taken")
	}
	time.Sleep(3 * time.Second)
	if err := sim.Repair("HSM/FM/F3/GBX"); err != nil {
		t.Error(err)
	}
	time.Sleep(200 * time.Millisecond)
	from := len(offers(t, log))
	until(t, "what was offered until then", func() bool { return r.count() >= from })
	stopReading()
	stop()

	logged := map[key]ledger.Offer{}
	seq := map[string]uint64{}
	for _, o := range offers(t, log) {
		if o.Seq != seq[o.Tag]+1 {
			t.Errorf("%s: number %d behind %d", o.Tag, o.Seq, seq[o.Tag])
		}
		seq[o.Tag] = o.Seq
		logged[key{o.Tag, o.Time}] = o
	}
	if len(seq) != len(works.Tags) {
		t.Errorf("%d tags were offered, want %d", len(seq), len(works.Tags))
	}
	for _, s := range r.samples {
		o, ok := logged[key{works.Tags[s.Tag-1].Path, s.Time}]
		if !ok || o.Value != s.Value || o.IsText {
			t.Errorf("received %s = %v, offered %+v", works.Tags[s.Tag-1].Path, s.Value, o)
		}
	}
	for _, s := range r.states {
		if o := logged[key{works.Tags[s.Tag-1].Path, s.Time}]; o.Text != s.Value || !o.IsText {
			t.Errorf("received %s = %q, offered %+v", works.Tags[s.Tag-1].Path, s.Value, o)
		}
	}
	if n := len(r.samples); n < 1000 {
		t.Errorf("only %d samples in 3 s", n)
	}

	lf, err := os.Open(truths)
	if err != nil {
		t.Fatal(err)
	}
	defer lf.Close()
	var wear []ledger.Truth
	dust := false
	for n, err := range ledger.ReadTruths(truths, lf) {
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(time.Unix(0, n.Time)); d < 0 || d > time.Minute {
			t.Errorf("ledger time %v ago", d)
		}
		dust = dust || n.Fault == "dust"
		if n.Fault == "gear-wear" {
			wear = append(wear, n)
		}
	}
	if !dust || len(wear) < 5 || wear[0].PlantTime != 5*time.Second || wear[len(wear)-1].Severity != 0 {
		t.Errorf("dust %v, gear wear %+v", dust, wear)
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ragged := filepath.Join(dir, "ragged.csv")
	if err := os.WriteFile(ragged, []byte("t,a\n1,2\n3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(s *simulator.Simulator, want string) {
		t.Helper()
		err := s.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(&simulator.Simulator{Listen: "opc.tcp://" + taken.Addr().String()}, "address already in use")
	f(&simulator.Simulator{Ledger: filepath.Join(dir, "no", "ledger")}, "ledger: open")
	f(&simulator.Simulator{Samples: dir}, "samples: open")
	f(&simulator.Simulator{Replay: &simulator.Replay{File: ragged}}, ragged+":3: 1 cells, the header has 2 columns")
	f(&simulator.Simulator{Faults: []simulator.Fault{{Asset: "X", Name: "dust"}}}, "this works has no asset X")
}
