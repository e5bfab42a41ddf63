package wear

import (
	"math"
	"slices"
	"testing"
	"time"

	"millwright/simulator/machine"
)

func within(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s: %.4g, want %.4g ± %v %%", what, got, want, share*100)
	}
}

// life is the cells until severity 1 with a constant duty, at most most.
func life(l Law, duty Duty, most int) (cells int) {
	for d := New(l); d.Severity < 1 && cells < most; cells++ {
		d.Grow(duty)
	}
	return cells
}

func median(l Law, duty Duty, seeds int) time.Duration {
	var all []int
	for seed := range seeds {
		l.Seed = uint64(seed)
		all = append(all, life(l, duty, 1<<20))
	}
	slices.Sort(all)
	return time.Duration(all[len(all)/2]) * Grid
}

// Half of all machines fail within the P–F interval, those that carry more earlier.
func TestMedianLife(t *testing.T) {
	l := Law{Course: machine.Growing, Life: 2 * day, Most: 1}
	usual := median(l, Duty{1, 1}, 81)
	within(t, "growing, h", usual.Hours(), l.Life.Hours(), 0.10)
	within(t, "growing at a tenth more load, h", median(l, Duty{math.Pow(1.1, 10.0/3), 1.1}, 81).Hours(), usual.Hours()/math.Pow(1.1, 10.0/3), 0.10)
	l.Course = machine.Even
	within(t, "even, h", median(l, Duty{1, 1}, 81).Hours(), l.Life.Hours(), 0.10)
	within(t, "even at half the load, h", median(l, Duty{0.1, 0.5}, 81).Hours(), 2*l.Life.Hours(), 0.15)
}

// The scatter of the logarithm of severity is that of the reference: 0.15 for the
// root of a day.
func TestScatter(t *testing.T) {
	var sum, square float64
	const n = 300
	for seed := range n {
		d := New(Law{Course: machine.Growing, Life: 1000 * day, Most: 1, Seed: uint64(seed)})
		for range day / Grid {
			d.Grow(Duty{1, 1})
		}
		if d.Severity > 0.05 { // a chip broke out
			continue
		}
		x := math.Log(d.Severity / Onset)
		sum, square = sum+x, square+x*x
	}
	within(t, "standard deviation after a day", math.Sqrt(square/n-sum/n*sum/n), 0.15, 0.12)
}

// A piece breaks out now and then: one week in twenty.
func TestChips(t *testing.T) {
	chipped := 0
	const n = 600
	for seed := range n {
		l := Law{Course: machine.Growing, Life: 100 * 365 * day, Most: 1, Seed: uint64(seed)}
		d, before := New(l), Onset
		for range day / 10 / Grid {
			d.Grow(Duty{70, 70}) // a week's work in a tenth of a day
			if d.Severity-before > 0.9*chipSize {
				chipped++
			}
			before = d.Severity
		}
	}
	if chipped < 15 || chipped > 50 {
		t.Errorf("%d chips in %d weeks, want some %d", chipped, n, n/20)
	}
}

// Weibull with β = 1.5: 63 % begin by the characteristic time, 16 % by a third of
// it, and none while the machine stands.
func TestIncubation(t *testing.T) {
	begun := func(by time.Duration) (share float64) {
		const n = 2000
		for seed := range n {
			d := New(Law{Course: machine.Growing, Life: 1000 * day, Most: 1, Incubation: 60 * time.Hour, Seed: uint64(seed)})
			if d.Severity != 0 {
				t.Fatal("it begins before it has waited")
			}
			d.Grow(Duty{})
			d.Grow(Duty{by.Hours() * 360, 1}) // all of it in one cell
			if d.Severity > 0 {
				share += 1.0 / n
			}
		}
		return share
	}
	within(t, "by the characteristic time", begun(60*time.Hour), 0.632, 0.05)
	within(t, "by a third of it", begun(20*time.Hour), 1-math.Exp(-math.Pow(1.0/3, 1.5)), 0.12)
}

func TestShedding(t *testing.T) {
	d := New(Law{Course: machine.Shedding, Life: day, Most: 0.8, Seed: 1})
	lumps, most := 0, 0.0
	for range 4 * day / Grid {
		before := d.Severity
		d.Grow(Duty{1, 1})
		if d.Lumps > lumps && (d.Severity > before*0.75 || d.Severity < 0.2) {
			t.Errorf("a lump leaves %v of %v", d.Severity, before)
		}
		lumps, most = d.Lumps, math.Max(most, d.Severity)
	}
	if lumps < 4 || most > 0.8 || most < 0.7 {
		t.Errorf("%d lumps, at most %v", lumps, most)
	}
}

// What stands still does not change; what has failed stays so; a step is there at once.
func TestRest(t *testing.T) {
	d := New(Law{Course: machine.Growing, Life: day, Most: 1})
	for range 1000 {
		d.Grow(Duty{})
	}
	if d.Severity != Onset {
		t.Errorf("a machine that stands wears to %v", d.Severity)
	}
	d = New(Law{Course: machine.Growing, Life: time.Minute, Most: 0.5})
	for range 1000 {
		d.Grow(Duty{1, 1})
	}
	if d.Severity != 0.5 {
		t.Errorf("severity %v, want 0.5", d.Severity)
	}
	if d := New(Law{Course: machine.AtOnce, Most: 0.4}); d.Severity != 0.4 {
		t.Errorf("a step begins at %v", d.Severity)
	}
}

// The meter looks once a second: the same duty whatever the step of the simulation,
// to a thousandth in the severity.
func TestStepDoesNotMatter(t *testing.T) {
	severity := func(step time.Duration) float64 {
		d := New(Law{Course: machine.Growing, Life: 20 * time.Hour, Most: 1, Seed: 3})
		var m Meter
		for now := step; now <= 10*time.Hour; now += step {
			if now/time.Second != (now-step)/time.Second {
				x := now.Seconds()
				m.Look(0.6+0.5*math.Sin(x/70), 1+0.1*math.Sin(x/13))
			}
			if now/Grid != (now-step)/Grid {
				d.Grow(m.Take().Over(Duty{0.5, 0.6}))
			}
		}
		return d.Severity
	}
	want := severity(50 * time.Millisecond)
	within(t, "at 25 ms", severity(25*time.Millisecond), want, 0.001)
	within(t, "at 200 ms", severity(200*time.Millisecond), want, 0.001)
	if want < 0.03 {
		t.Errorf("the severity is only %v", want)
	}
}
