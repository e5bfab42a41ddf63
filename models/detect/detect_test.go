package detect

import (
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"millwright/plant"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// epoch of all traces: a whole second.
const epoch = int64(1_700_000_000_000_000_000)

func rowTime(i int, step time.Duration) int64 { return epoch + int64(i)*int64(step) }

func rowOf(t int64, step time.Duration) int { return int((t - epoch) / int64(step)) }

// bench is a small machine for tests: tags that follow a common load, each with
// noise of its own, a mode tag, and a second of plant time per row.
type bench struct {
	tb    testing.TB
	asset plant.Asset
	tags  []plant.Tag // analog tags, then MODE, then the derived ones
	n     int         // analog tags
	set   *Set
	out   plant.Batch
	rng   *rand.Rand
	load  float64
	row   int
	mode  string
	every time.Duration                                 // on the clock between rows
	spoil func(row int, x []float64, q []plant.Quality) // what is wrong with the machine
	in    plant.Batch
}

const benchLearn = 600

func newBench(tb testing.TB, n int, change ...func(*bench)) *bench {
	tb.Helper()
	b := &bench{tb: tb, n: n, rng: rand.New(rand.NewPCG(7, 11)), mode: "rolling", every: time.Second}
	b.asset = plant.Asset{
		Path: "M", ModeTag: "M/MODE", Settle: 5 * time.Second,
		Modes: []plant.Mode{{Name: "idle", Idle: true}, {Name: "rolling"}, {Name: "threading"}},
		Model: plant.Model{Learn: benchLearn * time.Second},
	}
	for i := range n {
		b.tags = append(b.tags, plant.Tag{Path: "M/T" + string(rune('A'+i)), Asset: "M", Unit: "mm/s", Low: -100, High: 100})
	}
	b.tags = append(b.tags, plant.Tag{Path: "M/MODE", Asset: "M", Kind: plant.Text})
	b.tags = append(b.tags, Derived([]plant.Asset{b.asset})...)
	for _, f := range change {
		f(b)
	}
	for i := range b.tags {
		b.tags[i].ID = plant.TagID(i + 1)
	}
	b.set = b.fresh()
	return b
}

func (b *bench) fresh() *Set {
	b.tb.Helper()
	s, err := New(Config{Assets: []plant.Asset{b.asset}, Tags: b.tags, Speed: time.Second.Seconds() / b.every.Seconds(), Log: quiet()})
	if err != nil {
		b.tb.Fatal(err)
	}
	return s
}

// next makes one row: all tags 3 ms apart, the mode first.
func (b *bench) next() plant.Batch {
	b.in.Reset()
	b.load += 0.2*(b.rng.NormFloat64()-b.load) + 0
	x := make([]float64, b.n)
	q := make([]plant.Quality, b.n)
	level := 10.0
	if b.mode == "threading" {
		level = 30
	}
	for i := range x {
		x[i] = level + float64(i)*0.3 + (1+0.2*float64(i%4))*b.load + 0.5*b.rng.NormFloat64()
	}
	if b.mode == "idle" {
		clear(x)
	}
	if b.spoil != nil {
		b.spoil(b.row, x, q)
	}
	t := rowTime(b.row, b.every)
	b.in.States = append(b.in.States, plant.State{Tag: plant.TagID(b.n + 1), Time: t, Value: b.mode})
	for i := range x {
		if math.IsInf(x[i], -1) {
			continue // silent
		}
		b.in.Samples = append(b.in.Samples, plant.Sample{Tag: plant.TagID(i + 1), Time: t + int64(i)*3e6, Value: x[i], Quality: q[i]})
	}
	b.row++
	return b.in
}

// run feeds rows and returns the findings that they made.
func (b *bench) run(rows int) []plant.Finding {
	from := len(b.out.Findings)
	for range rows {
		b.set.Observe(&b.out, b.next())
	}
	return b.out.Findings[from:]
}

// learn runs the commissioning, which must pass without findings.
func (b *bench) learn() {
	b.tb.Helper()
	for _, f := range b.run(benchLearn + 40) {
		b.tb.Fatalf("finding while learning a healthy machine: %+v", f)
	}
	if b.set.machines[0].minds[1].model == nil {
		b.tb.Fatal("no model after commissioning")
	}
}

// only returns the findings of one key.
func only(fs []plant.Finding, key string) []plant.Finding {
	var out []plant.Finding
	for _, f := range fs {
		if f.Key == key {
			out = append(out, f)
		}
	}
	return out
}

// expect checks the phases of the findings of one key.
func expect(t *testing.T, fs []plant.Finding, key string, phases ...plant.Phase) []plant.Finding {
	t.Helper()
	got := slices.DeleteFunc(only(fs, key), func(f plant.Finding) bool { return f.Phase == plant.Update })
	ok := len(got) == len(phases)
	for i := range got {
		ok = ok && got[i].Phase == phases[i]
	}
	if !ok {
		t.Fatalf("%s: want %v, got %+v (all: %d findings)", key, phases, got, len(fs))
	}
	return got
}

// none checks that there are no findings of a class.
func none(t *testing.T, fs []plant.Finding, c plant.Class) {
	t.Helper()
	for _, f := range fs {
		if f.Class == c {
			t.Fatalf("unwanted finding: %+v", f)
		}
	}
}

func TestHealthyMachineStaysQuiet(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	for _, f := range b.run(20_000) {
		t.Errorf("finding on a healthy machine: %+v", f)
	}
}

func TestShiftOfOneTagIsExplained(t *testing.T) {
	for tag := range 8 {
		b := newBench(t, 8)
		b.learn()
		b.spoil = func(row int, x []float64, q []plant.Quality) { x[tag] += 3 }
		fs := b.run(60)
		raised := expect(t, fs, "wpca", plant.Raise)[0]
		if late := rowOf(raised.Time, time.Second) - (benchLearn + 40); late > 40 {
			t.Errorf("tag %d: raised %d rows after the fault", tag, late)
		}
		if raised.Class != plant.Advisory || raised.Kind != plant.KindAnomaly || raised.Score <= raised.Limit || raised.Score > 1 {
			t.Errorf("finding %+v", raised)
		}
		sum := 0.0
		for _, c := range raised.Contributions {
			sum += c.Share
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("shares sum to %v", sum)
		}
		top := raised.Contributions[0]
		if top.Tag != b.tags[tag].Path || top.Direction != "high" || top.Value < top.Expected+0.5 || top.Unit != "mm/s" {
			t.Errorf("tag %d: led by %+v", tag, top)
		}
		b.spoil = nil
		expect(t, b.run(120), "wpca", plant.Clear)
	}
}

func TestNoiseOfOneTagIsExplained(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	b.spoil = func(row int, x []float64, q []plant.Quality) { x[5] += 6 * (float64(row%2) - 0.5) }
	fs := b.run(60)
	raised := expect(t, fs, "wpca", plant.Raise)[0]
	if top := raised.Contributions[0]; top.Tag != b.tags[5].Path || top.Direction != "noisy" {
		t.Errorf("led by %+v", top)
	}
	none(t, fs, plant.SensorFault)
}

func TestModeChangesRaiseNothing(t *testing.T) {
	b := newBench(t, 8)
	cycle := func(times int) {
		for range times {
			for _, m := range []string{"idle", "threading", "rolling", "threading"} {
				b.mode = m
				b.run(70)
			}
		}
	}
	cycle(40)
	for _, md := range b.set.machines[0].minds[1:] {
		if md.model == nil {
			t.Fatal("a mode was not learned")
		}
	}
	cycle(30)
	for _, f := range b.out.Findings {
		t.Errorf("finding: %+v", f)
	}
	var modes int
	for _, s := range b.out.States {
		if s.Tag == b.set.machines[0].mode {
			modes++
		}
	}
	if want := 70 * 4; modes != want {
		t.Errorf("%d mode states, want %d", modes, want)
	}
}

func TestNothingIsLearnedWhileAFindingIsOpen(t *testing.T) {
	b := newBench(t, 4, func(b *bench) {
		b.asset.Limits = []plant.Limit{{Tag: "M/TA", Kind: plant.LimitHigh, Value: 30, Deadband: 5, Priority: 2}}
	})
	b.run(200)
	done := b.set.machines[0].done
	b.spoil = func(row int, x []float64, q []plant.Quality) { x[0] += 40 }
	expect(t, b.run(500), "limit/M/TA/high", plant.Raise)
	if now := b.set.machines[0].done; now > done+3 {
		t.Errorf("learned %d rows while the alarm was open", now-done)
	}
	b.spoil = nil
	expect(t, b.run(10), "limit/M/TA/high", plant.Clear)
	if now := b.set.machines[0].done; now <= done+3 {
		t.Error("learning does not go on after the alarm")
	}
}

func TestFaultDuringMonitoringIsNotLearned(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	before, err := b.set.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	was := b.set.machines[0].minds[1].model
	b.spoil = func(row int, x []float64, q []plant.Quality) { x[2] -= 4 }
	expect(t, b.run(5000), "wpca", plant.Raise)
	if b.set.machines[0].minds[1].model != was {
		t.Error("the model changed")
	}
	if len(before) == 0 {
		t.Error("empty state")
	}
}

func TestMaskedSensorRaisesNoMachineFinding(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	b.spoil = func(row int, x []float64, q []plant.Quality) { x[3], q[3] = 0, plant.BadSensorFailure }
	fs := b.run(300)
	expect(t, fs, "sensor/M/TD/bad", plant.Raise)
	none(t, fs, plant.Advisory)
	b.spoil = nil
	fs = b.run(150)
	expect(t, fs, "sensor/M/TD/bad", plant.Clear)
	none(t, fs, plant.Advisory)
}

func TestBlindWhenTooManyAreMasked(t *testing.T) {
	b := newBench(t, 6)
	b.learn()
	b.spoil = func(row int, x []float64, q []plant.Quality) {
		for i := range 3 {
			x[i], q[i] = 99, plant.BadDeviceFailure
		}
	}
	fs := b.run(100)
	none(t, fs, plant.Advisory)
	if p := b.set.machines[0].told.phase; p != "blind" {
		t.Errorf("phase %q, want blind", p)
	}
}

func TestLinkDownIsNoSensorFault(t *testing.T) {
	b := newBench(t, 6)
	b.run(50)
	b.spoil = func(row int, x []float64, q []plant.Quality) {
		for i := range x {
			q[i] = plant.BadNoCommunication
		}
	}
	none(t, b.run(50), plant.SensorFault)
}
