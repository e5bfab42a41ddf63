package detect

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

// eventful is a trace with everything in it: learning, modes, faults of sensors
// and of the machine, limits.
func eventful(b *bench) {
	b.asset.Limits = []plant.Limit{
		{Tag: "M/TA", Kind: plant.LimitHigh, Value: 14, Deadband: 1, Delay: 2 * time.Second},
		{Tag: "M/TB", Kind: plant.LimitRate, Value: 0.4},
	}
	b.tags[5].Cyclic, b.tags[5].Sampling = true, time.Second
	b.spoil = func(row int, x []float64, q []plant.Quality) {
		switch {
		case row < 700:
		case row < 760:
			x[0] += 4
		case row < 800:
			q[1] = plant.BadSensorFailure
		case row < 840:
			x[5] = math.Inf(-1)
		case row%97 == 0:
			x[3] += 30
		case row > 1000 && row < 1100:
			x[2] = 9
		}
	}
}

const eventfulRows = 1300

func record(b *bench) []plant.Batch {
	var all []plant.Batch
	for i := range eventfulRows {
		b.mode = "rolling"
		if i > 880 && i < 940 {
			b.mode = "idle"
		}
		in := b.next()
		all = append(all, plant.Batch{Samples: append([]plant.Sample(nil), in.Samples...), States: append([]plant.State(nil), in.States...)})
	}
	return all
}

func feed(s *Set, in []plant.Batch) plant.Batch {
	var out plant.Batch
	for _, b := range in {
		s.Observe(&out, b)
	}
	return out
}

func TestSameSamplesSameFindings(t *testing.T) {
	b := newBench(t, 8, eventful)
	in := record(b)
	want := feed(b.fresh(), in)
	if len(want.Findings) < 10 {
		t.Fatalf("the trace raises only %d findings", len(want.Findings))
	}
	if got := feed(b.fresh(), in); !reflect.DeepEqual(got, want) {
		t.Error("a second run differs")
	}
	// One sample a batch. (States of a batch are taken before its samples.)
	var single []plant.Batch
	for _, x := range in {
		single = append(single, plant.Batch{States: x.States})
		for _, s := range x.Samples {
			single = append(single, plant.Batch{Samples: []plant.Sample{s}})
		}
	}
	if got := feed(b.fresh(), single); !reflect.DeepEqual(got, want) {
		t.Error("other batches, other findings")
	}
}

func TestFindingsDoNotDependOnTheFuture(t *testing.T) {
	b := newBench(t, 8, eventful)
	in := record(b)
	all := feed(b.fresh(), in)
	for _, n := range []int{1, 500, 641, 705, 790, 1050, 1299} {
		part := feed(b.fresh(), in[:n])
		if len(part.Findings) > 0 && !reflect.DeepEqual(part.Findings, all.Findings[:len(part.Findings)]) {
			t.Errorf("the first %d rows give other findings alone than with what follows", n)
		}
		if len(part.Samples) > 0 && !reflect.DeepEqual(part.Samples, all.Samples[:len(part.Samples)]) {
			t.Errorf("the first %d rows give other scores alone than with what follows", n)
		}
	}
}

// TestSkewBetweenTagsChangesNothing publishes one tag up to 400 ms after the
// others: as long as its samples come before their row closes, the findings are
// the same.
func TestSkewBetweenTagsChangesNothing(t *testing.T) {
	b := newBench(t, 8, eventful)
	b.asset.Limits = nil // they look at samples, whose order is another
	in := record(b)
	want := feed(b.fresh(), in)
	s := b.fresh()
	var got plant.Batch
	var held []plant.Sample
	for _, x := range in {
		keep := x.Samples[:0:0]
		for _, sm := range x.Samples {
			if sm.Tag == 4 {
				held = append(held, sm)
				continue
			}
			keep = append(keep, sm)
		}
		s.Observe(&got, plant.Batch{Samples: keep, States: x.States})
		s.Observe(&got, plant.Batch{Samples: held})
		held = held[:0]
	}
	if !reflect.DeepEqual(got.Findings, want.Findings) {
		t.Errorf("%d findings, want the same %d", len(got.Findings), len(want.Findings))
	}
}

func TestOddTimesDoNoHarm(t *testing.T) {
	b := newBench(t, 4)
	b.learn()
	rng := rand.New(rand.NewPCG(1, 2))
	var out plant.Batch
	now := rowTime(b.row, time.Second)
	for range 20_000 {
		at := now
		switch rng.IntN(8) {
		case 0:
			at = now - rng.Int64N(int64(time.Hour))
		case 1:
			at = []int64{0, -1, math.MinInt64, math.MaxInt64, 1}[rng.IntN(5)]
		case 2:
			at = now + rng.Int64N(int64(time.Minute))
		}
		v := rng.NormFloat64()
		if rng.IntN(50) == 0 {
			v = []float64{math.NaN(), math.Inf(1), math.MaxFloat64, -math.MaxFloat64}[rng.IntN(4)]
		}
		b.set.Observe(&out, plant.Batch{
			Samples: []plant.Sample{{Tag: plant.TagID(rng.IntN(20)), Time: at, Value: v, Quality: plant.Quality(rng.Uint32())}},
			Gaps:    []plant.Gap{{Tag: plant.TagID(rng.IntN(20)), From: at, To: at + 1e9}},
		})
		now += rng.Int64N(1e9)
	}
	for _, f := range out.Findings {
		for _, x := range []float64{f.Score, f.Limit, f.Value} {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Fatalf("finding with a number that is not finite: %+v", f)
			}
		}
	}
}

func TestClockSetBackIsFollowed(t *testing.T) {
	b := newBench(t, 4)
	b.learn()
	b.row -= 400 // an hour zone would be 3600; any step back will do
	b.run(200)
	if got := b.set.machines[0].rows.closed; got > rowTime(b.row, time.Second) {
		t.Errorf("the grid stands in the future: %d s", rowOf(got, time.Second)-b.row)
	}
	b.spoil = func(_ int, x []float64, q []plant.Quality) { x[0] += 4 }
	expect(t, b.run(100), "wpca", plant.Raise)
}

func TestGapEndsAValue(t *testing.T) {
	b := newBench(t, 4)
	b.learn()
	b.spoil = func(_ int, x []float64, q []plant.Quality) { x[1] = math.Inf(-1) }
	b.set.Observe(&b.out, plant.Batch{Gaps: []plant.Gap{{Tag: 2, From: rowTime(b.row, time.Second), To: rowTime(b.row+100, time.Second)}}})
	if fs := b.run(100); len(fs) > 0 {
		t.Errorf("findings about a declared gap: %+v", fs)
	}
}

func TestLongSilenceRestartsTheWindow(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	b.row += 3600
	b.run(5)
	if n := b.set.machines[0].own.window.n; n > 5 {
		t.Errorf("window holds %d rows after a gap", n)
	}
}

func TestRecordingRowsAreItsOwn(t *testing.T) {
	tags := []plant.Tag{{ID: 1, Path: "REPLAY/a", Asset: "REPLAY"}, {ID: 2, Path: "REPLAY/b", Asset: "REPLAY"}}
	var rows []Row
	s, err := New(Config{
		Assets: []plant.Asset{{Path: "REPLAY", Model: plant.Model{Rows: 200}}}, Tags: tags, Speed: 50, Log: quiet(),
		Judged: func(r Row) { rows = append(rows, r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	var out plant.Batch
	at := epoch
	for i := range 50 { // ten rows a message, tag by tag
		var in plant.Batch
		for tag := range 2 {
			for r := range 10 {
				if i == 30 && tag == 1 && r == 4 {
					continue // a missing cell
				}
				in.Samples = append(in.Samples, plant.Sample{Tag: plant.TagID(tag + 1), Time: at + int64(r)*20e6, Value: rng.NormFloat64()})
			}
		}
		at += 200e6
		s.Observe(&out, in)
	}
	s.Flush(&out)
	if len(rows) != 500 {
		t.Fatalf("%d rows judged, want 500", len(rows))
	}
	for i, r := range rows {
		if r.Time != epoch+int64(i)*20e6 {
			t.Fatalf("row %d has time %d ms", i, (r.Time-epoch)/1e6)
		}
		if want := i >= 219; math.IsNaN(r.Score) == want {
			t.Fatalf("row %d: score %v, phase %s", i, r.Score, r.Phase)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	f := func(want string, c Config) {
		t.Helper()
		c.Log = quiet()
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	asset := func(a plant.Asset) []plant.Asset { a.Path = "M"; return []plant.Asset{a} }
	f("tag M/X is not known", Config{Assets: asset(plant.Asset{Limits: []plant.Limit{{Tag: "M/X"}}})})
	f("must be of kind text", Config{
		Assets: asset(plant.Asset{ModeTag: "M/X"}), Tags: []plant.Tag{{ID: 1, Path: "M/X", Asset: "M"}},
	})
	f("less than 1 ms", Config{Assets: asset(plant.Asset{}), Speed: 5000})
	f("window 500", Config{Assets: asset(plant.Asset{Model: plant.Model{Window: 500}})})
	f("speed", Config{Speed: -1})
	f("above", Config{Tags: []plant.Tag{{ID: 1 << 30, Path: "x"}}})
}

func TestRuleModes(t *testing.T) {
	b := newBench(t, 4, func(b *bench) {
		b.asset.ModeTag = ""
		b.asset.Modes = []plant.Mode{
			{Name: "running", When: []plant.Condition{{Tag: "M/TA", Op: ">", Value: 5}}},
			{Name: "stopped", Idle: true, When: []plant.Condition{{Tag: "M/TA", Op: "<=", Value: 2}}},
		}
	})
	level := 10.0
	b.spoil = func(row int, x []float64, q []plant.Quality) { x[0] = level + float64(row%2)*0.1 }
	b.run(20)
	level = 0
	b.run(4) // shorter than the dwell time
	level = 10
	b.run(10)
	level = 1
	b.run(12)
	level = 3
	b.run(12)
	var got []string
	for _, s := range b.out.States {
		if s.Tag == b.set.machines[0].mode {
			got = append(got, s.Value)
		}
	}
	if want := []string{"running", "stopped", "unknown"}; !reflect.DeepEqual(got, want) {
		t.Errorf("modes %q, want %q", got, want)
	}
}

func TestModelStateIsTold(t *testing.T) {
	b := newBench(t, 4)
	b.learn()
	var last string
	n := 0
	for _, s := range b.out.States {
		if s.Tag == b.set.machines[0].model {
			last = s.Value
			n++
		}
	}
	if n < 3 || n > 15 {
		t.Errorf("model state told %d times", n)
	}
	for _, want := range []string{`"phase":"monitoring"`, `"mode":"rolling"`, `"learned":1`, `"guess":true`, `"M/TA":[`} {
		if !strings.Contains(last, want) {
			t.Errorf("model state %s: no %s", last, want)
		}
	}
	for _, s := range b.out.Samples {
		if s.Value < 0 || s.Value > 1 {
			t.Errorf("derived sample %+v", s)
		}
	}
}

// TestFastPlantTagByTag runs at 50 plant seconds a second, so that a message of
// 200 ms holds ten rows, tag by tag: the findings are those of rows in order.
func TestFastPlantTagByTag(t *testing.T) {
	b := newBench(t, 6, func(b *bench) { b.asset.ModeTag, b.asset.Modes = "", nil })
	b.spoil = func(row int, x []float64, q []plant.Quality) {
		if row > 900 {
			x[4] += 4
		}
	}
	var in []plant.Sample
	for i := range 1200 {
		for _, s := range b.next().Samples {
			s.Time = epoch + int64(i)*20e6 + 5e6
			in = append(in, s)
		}
	}
	run := func(samples []plant.Sample) []plant.Finding {
		s, err := New(Config{Assets: []plant.Asset{b.asset}, Tags: b.tags, Speed: 50, Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		var out plant.Batch
		s.Observe(&out, plant.Batch{Samples: samples})
		s.Flush(&out)
		return out.Findings
	}
	want := run(in)
	expect(t, want, "wpca", plant.Raise)
	const message = 10 * 6
	turned := make([]plant.Sample, 0, len(in))
	for at := 0; at < len(in); at += message {
		for tag := range 6 {
			for row := range 10 {
				turned = append(turned, in[at+row*6+tag])
			}
		}
	}
	if got := run(turned); !reflect.DeepEqual(got, want) {
		t.Errorf("%d findings, want the same %d", len(got), len(want))
	}
}
