package production

import (
	"math"
	"testing"
)

// The shares of a year and the lengths of what repeats.
func TestBlastYear(t *testing.T) {
	long(t)
	const dt, year = 5.0, 365 * 86_400.0
	b := NewBlast(3)
	wind := map[string]float64{}
	type span struct{ n, sum, low, high float64 }
	stove := map[string]*span{}
	mode, since, calm := b.Stove, 0.0, false // calm: the mode saw full wind only
	var casts, last float64
	cast := b.Cast
	for s := 0.0; s < year; s += dt {
		b.Step(dt)
		wind[b.Mode] += dt / year
		if b.Stove != mode {
			if calm {
				a := stove[mode]
				if a == nil {
					a = &span{low: math.Inf(1)}
					stove[mode] = a
				}
				a.n, a.sum, a.low, a.high = a.n+1, a.sum+since, min(a.low, since), max(a.high, since)
			}
			mode, since, calm = b.Stove, 0, true
		}
		since += dt
		calm = calm && b.Wind > 0.9
		if b.Cast != cast {
			if h := (s - last) / 3600; casts > 0 && (h < 1.9 || h > 3.1) {
				t.Errorf("a cast after %.1f h", h)
			}
			cast, last = b.Cast, s
			casts++
		}
		if b.Wind < 0 || b.Wind > 1 || b.Resistance < 0.8 || b.Resistance > 1.25 || b.Load > 1.06 || b.Load < 0.39 {
			t.Fatalf("wind %v, resistance %v, load %v", b.Wind, b.Resistance, b.Load)
		}
	}
	near := func(what string, got, low, high float64) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s: %.3g, want %v to %v", what, got, low, high)
		}
	}
	near("full wind", wind[NormalWind], 0.96, 0.98)
	near("reduced wind", wind[ReducedWind], 0.015, 0.026)
	near("no wind", wind[NoWind], 0.006, 0.014)
	near("casts a day", casts/365, 8, 12)
	minutes := func(mode string, low, high float64) {
		t.Helper()
		near(mode+", shortest min", stove[mode].low/60, low, high)
		near(mode+", longest min", stove[mode].high/60, low, high)
	}
	minutes(OnGas, 60, 90)
	minutes(ChangeOver, 4, 6)
	minutes(OnBlast, 30, 45)
}
