package detect

import (
	"math"
	"slices"
	"testing"
	"time"

	"millwright/plant"
)

func TestSensorFaults(t *testing.T) {
	f := func(name, key string, within int, spoil func(row int, x []float64, q []plant.Quality)) {
		t.Helper()
		b := newBench(t, 8, func(b *bench) {
			b.tags[1].MaxRate = 15
			b.tags[4].Cyclic, b.tags[4].Sampling = true, time.Second
		})
		b.learn()
		from := b.row
		b.spoil = func(row int, x []float64, q []plant.Quality) { spoil(row-from, x, q) }
		fs := b.run(within + 3)
		got := only(fs, key)
		if len(got) != 1 || got[0].Phase != plant.Raise || got[0].Class != plant.SensorFault || got[0].Tag == "" {
			t.Fatalf("%s: want one %s within %d rows, got %+v", name, key, within, fs)
		}
		none(t, fs, plant.Advisory)
		b.spoil = nil
		if got := only(b.run(320), key); len(got) != 1 || got[0].Phase != plant.Clear {
			t.Fatalf("%s: not cleared after the fault: %+v", name, got)
		}
	}
	var hold float64
	f("bad quality", "sensor/M/TA/bad", 3, func(_ int, x []float64, q []plant.Quality) { q[0] = plant.BadSensorFailure })
	f("uncertain for long", "sensor/M/TA/bad", 6, func(_ int, x []float64, q []plant.Quality) { q[0] = plant.UncertainLastUsableValue })
	f("not a number", "sensor/M/TA/bad", 3, func(_ int, x []float64, q []plant.Quality) { x[0] = math.NaN() })
	f("a cyclic tag is silent", "sensor/M/TE/dropout", 14, func(_ int, x []float64, q []plant.Quality) { x[4] = math.Inf(-1) })
	f("stuck with fresh stamps", "sensor/M/TC/stuck", 34, func(row int, x []float64, q []plant.Quality) {
		if row == 0 {
			hold = x[2]
		}
		x[2] = hold
	})
	f("silent where it always moved", "sensor/M/TC/flat", 34, func(_ int, x []float64, q []plant.Quality) { x[2] = math.Inf(-1) })
	f("spike", "sensor/M/TD/spike", 8, func(row int, x []float64, q []plant.Quality) {
		if row == 3 {
			x[3] += 40
		}
	})
	f("out of range", "sensor/M/TA/range", 8, func(_ int, x []float64, q []plant.Quality) { x[0] += 150 })
	f("impossible rate", "sensor/M/TB/rate", 8, func(row int, x []float64, q []plant.Quality) {
		if row >= 2 && row < 30 {
			x[1] += 50
		}
	})
}

func TestSilenceOfAnOrdinaryTagIsNoDropout(t *testing.T) {
	b := newBench(t, 4)
	b.run(100)
	b.spoil = func(_ int, x []float64, q []plant.Quality) { x[2] = math.Inf(-1) }
	if fs := b.run(60); len(fs) > 0 {
		t.Errorf("findings: %+v", fs)
	}
}

func TestOneUncertainRowIsNoFault(t *testing.T) {
	b := newBench(t, 4)
	b.learn()
	b.spoil = func(row int, x []float64, q []plant.Quality) {
		if row%10 == 0 {
			q[1] = plant.UncertainLastUsableValue
		}
	}
	if fs := b.run(200); len(fs) > 0 {
		t.Errorf("findings: %+v", fs)
	}
}

func TestSetPointsAndIdleModesMayStandStill(t *testing.T) {
	b := newBench(t, 4, func(b *bench) { b.tags[3].Kind = plant.SetPoint })
	b.spoil = func(_ int, x []float64, q []plant.Quality) { x[3] = 5 }
	b.learn()
	b.mode = "idle"
	if fs := b.run(2000); len(fs) > 0 {
		t.Errorf("findings: %+v", fs)
	}
}

func TestOneShockOfAllTagsIsNoSensorFault(t *testing.T) {
	b := newBench(t, 6)
	b.learn()
	from := b.row
	b.spoil = func(row int, x []float64, q []plant.Quality) {
		if row == from+5 {
			for i := range x {
				x[i] += 30
			}
		}
	}
	none(t, b.run(100), plant.SensorFault)
}

// A ramp whose noise reaches over the line and falls behind it again, because the rows
// before it have followed, is no spike: it went somewhere and did not come back. Seen
// in vibrations and flows of machines that take up load; nor is one whose rows come with
// holes, as from a host that is too slow for its mill.
func TestARampIsNoSpike(t *testing.T) {
	long(t)
	ramp := func(slope, noise float64, hole int) []plant.Finding {
		b := newBench(t, 6)
		b.learn()
		from := b.row
		b.spoil = func(row int, x []float64, q []plant.Quality) {
			if n := row - from - 30; n >= 0 && n < 60 {
				x[3] += slope * float64(n)
				if n%7 == 4 {
					x[3] += noise
				}
			}
			if row%9 < hole {
				for i := range x {
					x[i] = math.Inf(-1)
				}
			}
		}
		return b.run(120)
	}
	for _, slope := range []float64{0.3, 1, 2, 4, 8, -1, -4} {
		for _, noise := range []float64{0, 0.5, 2, -2} {
			for _, hole := range []int{0, 4} {
				if got := only(ramp(slope, noise*slope, hole), "sensor/M/TD/spike"); len(got) > 0 {
					t.Errorf("slope %v a row with noise %v and holes of %d rows: %+v", slope, noise, hole, got[0])
				}
			}
		}
	}
}

// What the network or a slow host held up comes in one piece, or in a few: tag by tag,
// each with all of its values. That is no fault of a sensor, neither then nor in the
// rows behind it, and the spike of a sensor in it is found all the same.
func TestWhatWasHeldUpIsNoSensorFault(t *testing.T) {
	const held = 30 // rows, 1.5 s at twenty times real time
	for _, parts := range []int{1, 2, 4} {
		b := newBench(t, 8, func(b *bench) {
			b.every = 50 * time.Millisecond
			for i := range b.n {
				b.tags[i].MaxRate = 6
			}
		})
		b.learn()
		together := func() (found []plant.Finding) {
			from := len(b.out.Findings)
			byTag := make([][]plant.Sample, b.n+2)
			var states []plant.State
			for range held {
				in := b.next()
				states = append(states, in.States...)
				for _, s := range in.Samples {
					byTag[s.Tag] = append(byTag[s.Tag], s)
				}
			}
			for part := range slices.Chunk(byTag[1:b.n+1], b.n/parts) {
				b.set.Observe(&b.out, plant.Batch{States: states, Samples: slices.Concat(part...)})
				states = nil
			}
			return b.out.Findings[from:]
		}
		for range 12 {
			none(t, together(), plant.SensorFault)
			none(t, b.run(40), plant.SensorFault)
		}
		if parts > 1 {
			continue
		}
		at := b.row + 5
		b.spoil = func(row int, x []float64, q []plant.Quality) {
			if row == at {
				x[3] += 40
			}
		}
		if got := only(append(together(), b.run(5)...), "sensor/M/TD/spike"); len(got) != 1 {
			t.Errorf("a spike in what was held up: %+v", got)
		}
	}
}
