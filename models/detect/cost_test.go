package detect

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"millwright/models/autoencoder"
	"millwright/plant"
)

// works is a plant of assets with eight tags each, whose rows are made in
// advance so that a benchmark measures nothing but Observe.
type works struct {
	set  *Set
	rows []plant.Batch
	out  plant.Batch
	row  int
}

func newWorks(tb testing.TB, assets int, learn time.Duration) *works {
	tb.Helper()
	var as []plant.Asset
	var tags []plant.Tag
	for i := range assets {
		a := plant.Asset{Path: fmt.Sprintf("P/A%04d", i), Model: plant.Model{Learn: learn}}
		a.Limits = []plant.Limit{{Tag: a.Path + "/T0", Kind: plant.LimitHigh, Value: 1e6}}
		as = append(as, a)
		for j := range 8 {
			tags = append(tags, plant.Tag{Path: fmt.Sprintf("%s/T%d", a.Path, j), Asset: a.Path})
		}
	}
	n := len(tags)
	tags = append(tags, Derived(as)...)
	for i := range tags {
		tags[i].ID = plant.TagID(i + 1)
	}
	set, err := New(Config{Assets: as, Tags: tags, Log: quiet()})
	if err != nil {
		tb.Fatal(err)
	}
	w := &works{set: set}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 64 {
		var b plant.Batch
		for i := range n {
			b.Samples = append(b.Samples, plant.Sample{Tag: plant.TagID(i + 1), Value: 10 + rng.NormFloat64()})
		}
		w.rows = append(w.rows, b)
	}
	return w
}

// second feeds one sample of every tag.
func (w *works) second() {
	b := w.rows[w.row%len(w.rows)]
	t := rowTime(w.row, time.Second) - 1e6
	for i := range b.Samples {
		b.Samples[i].Time = t
	}
	w.row++
	w.out.Reset()
	w.set.Observe(&w.out, b)
}

func TestNoAllocationPerSample(t *testing.T) {
	f := func(name string, warm int) {
		t.Helper()
		w := newWorks(t, 3, 400*time.Second)
		for range warm {
			w.second()
		}
		if n := testing.AllocsPerRun(200, w.second); n > 0 {
			t.Errorf("%s: %.2f allocations a row of 24 samples", name, n)
		}
		if len(w.out.Findings) > 0 {
			t.Errorf("%s: findings %+v", name, w.out.Findings)
		}
	}
	f("monitoring", 900)
}

// staffed lets trained networks of the usual size judge every asset of the
// works, and watch it in the shadow.
func (w *works) staffed(tb testing.TB, shadow bool) {
	tb.Helper()
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range w.set.machines {
		m := &w.set.machines[i]
		t := &Trained{ID: "usual", Asset: m.asset.Path, Grid: time.Second}
		d := TrainedMode{Mode: "running", Reach: 8, Limit: 7.9, Network: usual}
		var scores []float64
		for range 1000 {
			scores = append(scores, 1+rng.Float64())
		}
		d.Law = NewLaw(scores)
		for j := range 8 {
			d.Tags, d.Mean, d.Scale = append(d.Tags, m.slots[j].tag.Path), append(d.Mean, 10), append(d.Scale, 1)
		}
		t.Modes = []TrainedMode{d}
		must(tb, w.set.Promote(t))
		if shadow {
			other := *t
			other.ID = "other"
			must(tb, w.set.Shadow(&other))
		}
	}
}

// usual is the network of 60 rows of 8 tags.
var usual = func() *autoencoder.Network {
	n := &autoencoder.Network{Window: 60, Tags: 8}
	rng := rand.New(rand.NewPCG(1, 1))
	in := 480
	for i, out := range []int{64, 16, 64, 480} {
		l := autoencoder.Layer{In: in, Out: out, W: make([]float32, in*out), B: make([]float32, out), Linear: i == 3}
		for j := range l.W {
			l.W[j] = float32(0.05 * rng.NormFloat64())
		}
		n.Layers = append(n.Layers, l)
		in = out
	}
	return n
}()

func TestNoAllocationPerSampleOfTrainedModels(t *testing.T) {
	w := newWorks(t, 3, 400*time.Second)
	clock := &ticking{step: 1}
	for i := range w.set.machines {
		w.set.machines[i].watchdog = stopwatch{clock.read, 1e9}
	}
	for range 600 {
		w.second()
	}
	w.staffed(t, true)
	for range 200 {
		w.second()
	}
	if n := testing.AllocsPerRun(200, w.second); n > 0 {
		t.Errorf("%.2f allocations a row of 24 samples", n)
	}
	for _, st := range w.set.Trained() {
		if st.Running != "usual" || st.Shadow != "other" || st.Scored < 300 || st.Shadowed < 300 || st.Missed > 0 {
			t.Errorf("status %+v", st)
		}
	}
}

// TestLearningAllocatesLittle bounds the growth of the commissioning's memory.
func TestLearningAllocatesLittle(t *testing.T) {
	w := newWorks(t, 3, time.Hour)
	for range 1100 {
		w.second()
	}
	if n := testing.AllocsPerRun(200, w.second); n > 0 {
		t.Errorf("%.2f allocations a row once the memory is full", n)
	}
}

// processorTime is user and system time of the process: on a shared machine the
// wall clock says little.
func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkObserve is the usual box: 10,000 tags of 1,250 assets at 1 Hz. One
// operation is one second of the plant.
func BenchmarkObserve(b *testing.B) {
	f := func(name string, learn time.Duration, warm int) {
		b.Run(name, func(b *testing.B) {
			w := newWorks(b, 1250, learn)
			for range warm {
				w.second()
			}
			for _, m := range w.set.machines {
				if has := m.minds[0].model != nil; has != (name == "monitoring") {
					b.Fatalf("asset %s: model %v", m.asset.Path, has)
				}
			}
			b.ReportAllocs()
			n, before := 0, processorTime(b)
			for b.Loop() {
				w.second()
				n++
			}
			each := float64(processorTime(b)-before) / float64(n) / 10_000
			b.ReportMetric(each, "cpu-ns/sample")
			b.ReportMetric(each*10_000/1e9*100, "cpu-%core")
		})
	}
	f("learning", 24*time.Hour, 70)
	f("monitoring", 400*time.Second, 1200)
}

// BenchmarkFit is one commissioning: four folds and the final fit.
func BenchmarkFit(b *testing.B) {
	for _, d := range []int{8, 16, 32} {
		b.Run(fmt.Sprintf("%d tags", d), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			mem := newMemory(d)
			x, ok := make([]float64, d), make([]bool, d)
			for range 1000 {
				for i := range x {
					x[i], ok[i] = rng.NormFloat64(), true
				}
				mem.add(x, ok)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := fit(&mem, make([]plant.Tag, d), DefaultWindow, 1e-4); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRow is one row of an asset with eight tags, all detectors.
func BenchmarkRow(b *testing.B) {
	f := func(name string, staff func(*works)) {
		b.Run(name, func(b *testing.B) {
			w := newWorks(b, 1, 400*time.Second)
			for range 900 {
				w.second()
			}
			staff(w)
			for range 100 {
				w.second()
			}
			b.ReportAllocs()
			n, before := 0, processorTime(b)
			for b.Loop() {
				w.second()
				n++
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(n), "cpu-ns/row")
		})
	}
	f("learned", func(*works) {})
	f("trained", func(w *works) { w.staffed(b, false) })
	f("trained and shadow", func(w *works) { w.staffed(b, true) })
}
