package production

import "testing"

// A strand of a year: it runs nine tenths of the time, stops for minutes several
// times a week, and its fan stands about once a week.
func TestSinterYear(t *testing.T) {
	const dt, year = 5.0, 365 * 86_400.0
	s := NewSinter(3)
	share := map[string]float64{}
	repairs, blends := 0.0, 0.0
	mode, blend := s.Mode, s.Blend
	for x := 0.0; x < year; x += dt {
		s.Step(dt)
		share[s.Mode] += dt / year
		if s.Mode != mode && s.Mode == Standstill {
			repairs++
		}
		if s.Blend != blend {
			blends++
		}
		mode, blend = s.Mode, s.Blend
		if s.Running == (s.Mode == Standstill) {
			t.Fatalf("running %v in mode %s", s.Running, s.Mode)
		}
		if s.Permeability < 0.8 || s.Permeability > 1.2 || s.Speed < 0 || s.Speed > 1 {
			t.Fatalf("permeability %v, speed %v", s.Permeability, s.Speed)
		}
	}
	near := func(what string, got, low, high float64) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s: %.3g, want %v to %v", what, got, low, high)
		}
	}
	near(Sintering, share[Sintering], 0.85, 0.93)
	near(SlowSintering, share[SlowSintering], 0.02, 0.06)
	near(StrandStop, share[StrandStop], 0.01, 0.04)
	near(Standstill, share[Standstill], 0.03, 0.07)
	near("repairs a year", repairs, 44, 60)
	near("blends a year", blends, 55, 92)
}
