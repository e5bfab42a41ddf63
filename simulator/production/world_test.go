package production

import (
	"math"
	"testing"
	"time"
)

// walk steps a world by dt and looks at it every step.
func walk(w *World, days, dt float64, look func(*World)) {
	for t := dt; t < days*86_400; t += dt {
		w.Step(t, dt)
		look(w)
	}
}

// Without a setting the world is the stiff one of a spring day.
func TestWorldAtRest(t *testing.T) {
	w := NewWorld(1)
	if w.Day < 100 || w.Day > 101 || w.Hour != 14 {
		t.Errorf("day %v, hour %v", w.Day, w.Hour)
	}
	var n, volts, square float64
	walk(w, 1, 5, func(w *World) {
		n++
		volts += w.Volts
		square += (w.Volts - 1) * (w.Volts - 1)
		if w.Shed != 0 || w.Hall < 34 || w.Hall > 41 || w.Water < 27 || w.Water > 29 {
			t.Fatalf("shed %v, hall %v, water %v", w.Shed, w.Hall, w.Water)
		}
	})
	if mean, sd := volts/n, math.Sqrt(square/n); math.Abs(mean-1) > 0.001 || sd > 0.005 || sd < 0.002 {
		t.Errorf("voltage %v ± %v", mean, sd)
	}
}

// A year on the coast of Karachi.
func TestWorldYear(t *testing.T) {
	w := NewWorldAt(2, Setting{Start: time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC), Weak: true})
	type band struct{ low, high float64 }
	all := map[string]*band{}
	see := func(name string, v float64) {
		r := all[name]
		if r == nil {
			r = &band{v, v}
			all[name] = r
		}
		r.low, r.high = math.Min(r.low, v), math.Max(r.high, v)
	}
	var july, january, nj, nn float64
	walk(w, 365, 60, func(w *World) {
		see("out", w.Out)
		see("humidity", w.Humidity)
		see("sea", w.Sea)
		see("hall", w.Hall)
		see("monsoon", w.Monsoon)
		see("volts", w.Volts)
		switch {
		case w.Day < 32:
			january, nj = january+w.Sea, nj+1
		case w.Day > 181 && w.Day < 213:
			july, nn = july+w.Sea, nn+1
		}
	})
	f := func(name string, low, high, slack float64) {
		t.Helper()
		if r := all[name]; math.Abs(r.low-low) > slack || math.Abs(r.high-high) > slack {
			t.Errorf("%s: %.2f to %.2f, want %v to %v", name, r.low, r.high, low, high)
		}
	}
	f("out", 16, 37, 3.5)
	f("humidity", 25, 98, 9)
	f("sea", 20.5, 30.5, 1.2)
	f("monsoon", 0, 1, 0)
	f("volts", 0.82, 1.055, 0.03)
	if d := july/nn - january/nj; d < 8.5 || d > 10.5 {
		t.Errorf("the sea of July is %.1f K warmer than that of January", d)
	}
}

// Load-shedding comes 0.2 times a day, lasts 15 to 90 minutes and begins with a
// dip of the voltage.
func TestLoadShedding(t *testing.T) {
	long(t)
	w := NewWorldAt(3, Setting{Weak: true})
	const days = 1000
	events, since, deepest, last := 0, 0.0, 1.0, 0.0
	walk(w, days, 20, func(w *World) {
		switch {
		case w.Shed == 1 && last == 0:
			events++
			since, deepest = w.Time, w.Volts
		case w.Shed == 0 && last == 1:
			if m := (w.Time - since) / 60; m < 14.5 || m > 90.5 {
				t.Errorf("%.1f minutes", m)
			}
			if deepest > 0.9 {
				t.Errorf("the voltage fell to %.2f only", deepest)
			}
		case w.Shed == 1:
			deepest = math.Min(deepest, w.Volts)
		}
		last = w.Shed
	})
	if rate := float64(events) / days; rate < 0.15 || rate > 0.25 {
		t.Errorf("%v times a day", rate)
	}
}
