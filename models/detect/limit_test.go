package detect

import (
	"testing"
	"time"

	"millwright/plant"
)

// watch runs one tag with one limit at one value a second.
func watch(t *testing.T, l plant.Limit, values ...float64) []plant.Finding {
	t.Helper()
	b := newBench(t, 1, func(b *bench) {
		l.Tag = "M/TA"
		b.asset.Limits = []plant.Limit{l}
	})
	b.spoil = func(row int, x []float64, q []plant.Quality) { x[0] = values[row] }
	return b.run(len(values))
}

func TestLimits(t *testing.T) {
	f := func(l plant.Limit, values []float64, key string, phases ...plant.Phase) []plant.Finding {
		t.Helper()
		return expect(t, watch(t, l, values...), key, phases...)
	}
	up, down := plant.Raise, plant.Clear
	got := f(plant.Limit{Kind: plant.LimitHigh, Value: 80, Deadband: 5, Priority: 1}, []float64{81}, "limit/M/TA/high", up)
	if g := got[0]; g.Value != 81 || g.Limit != 80 || g.Class != plant.LimitAlarm || g.Priority != 1 || g.Tag != "M/TA" || g.Unit != "mm/s" || g.Time != epoch || g.Kind != plant.KindHigh {
		t.Errorf("finding %+v", g)
	}
	f(plant.Limit{Kind: plant.LimitHigh, Value: 80, Deadband: 5}, []float64{70, 81, 79, 82, 76, 75, 70}, "limit/M/TA/high", up, down)
	f(plant.Limit{Kind: plant.LimitHighHigh, Value: 90}, []float64{80, 91, 90, 91}, "limit/M/TA/high-high", up, down, up)
	f(plant.Limit{Kind: plant.LimitLow, Value: 10, Deadband: 2}, []float64{20, 9, 11, 12}, "limit/M/TA/low", up, down)
	f(plant.Limit{Kind: plant.LimitLowLow, Value: 5}, []float64{20, 6, 4}, "limit/M/TA/low-low", up)
	f(plant.Limit{Kind: plant.LimitHigh, Value: 80, Delay: 3 * time.Second}, []float64{81, 82, 83, 70, 81, 81, 81}, "limit/M/TA/high")
	f(plant.Limit{Kind: plant.LimitHigh, Value: 80, Delay: 3 * time.Second}, []float64{81, 82, 83, 84}, "limit/M/TA/high", up)
	f(plant.Limit{Kind: plant.LimitHigh, Value: 80, Modes: []string{"threading"}}, []float64{81, 82, 83, 84}, "limit/M/TA/high")

	slow, fast := make([]float64, 60), make([]float64, 60)
	for i := range slow {
		slow[i] = 20 + 0.01*float64(i)
		fast[i] = 20 + 0.05*float64(i)
	}
	rate := plant.Limit{Kind: plant.LimitRate, Value: 2.0 / 60, Delay: 20 * time.Second}
	f(rate, slow, "limit/M/TA/rate")
	got = f(rate, fast, "limit/M/TA/rate", up)
	if g := got[0]; g.Value < 0.049 || g.Value > 0.051 || g.Unit != "mm/s/s" {
		t.Errorf("rate finding %+v", g)
	}
}

func TestDelayRunsOutWithoutANewSample(t *testing.T) {
	b := newBench(t, 2, func(b *bench) {
		b.asset.Limits = []plant.Limit{{Tag: "M/TA", Kind: plant.LimitHigh, Value: 80, Delay: 5 * time.Second}}
	})
	var in plant.Batch
	for i := range 12 {
		in.Reset()
		if i == 0 { // reported by exception: once, then never again
			in.Samples = append(in.Samples, plant.Sample{Tag: 1, Time: rowTime(0, time.Second), Value: 85})
		}
		in.Samples = append(in.Samples, plant.Sample{Tag: 2, Time: rowTime(i, time.Second), Value: float64(i)})
		b.set.Observe(&b.out, in)
	}
	expect(t, b.out.Findings, "limit/M/TA/high", plant.Raise)
}

func TestLimitRestsOutsideItsMode(t *testing.T) {
	b := newBench(t, 1, func(b *bench) {
		b.asset.Limits = []plant.Limit{{Tag: "M/TA", Kind: plant.LimitHigh, Value: 5, Modes: []string{"rolling"}}}
	})
	value := 9.0
	b.spoil = func(_ int, x []float64, q []plant.Quality) { x[0] = value }
	for range 5 { // one alarm through five coils, not five
		b.mode = "rolling"
		b.run(5)
		b.mode, value = "idle", 0
		b.run(5)
		value = 9
	}
	expect(t, b.out.Findings, "limit/M/TA/high", plant.Raise)
	b.mode, value = "rolling", 2
	b.run(5)
	expect(t, b.out.Findings, "limit/M/TA/high", plant.Raise, plant.Clear)
}

func TestReturnHasTheDelayToo(t *testing.T) {
	l := plant.Limit{Kind: plant.LimitHigh, Value: 80, Delay: 3 * time.Second}
	expect(t, watch(t, l, 81, 81, 81, 81, 79, 81, 79, 81, 79, 81, 79), "limit/M/TA/high", plant.Raise)
	expect(t, watch(t, l, 81, 81, 81, 81, 79, 79, 79, 79), "limit/M/TA/high", plant.Raise, plant.Clear)
}
