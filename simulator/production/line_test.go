package production

import "testing"

// A line runs most of its time, goes through all modes in a month, and stands
// while the grid sheds its load.
func TestLine(t *testing.T) {
	w := NewWorldAt(5, Setting{Weak: true})
	l := NewLine(5, "test", w, Pattern{Run: 8 * 3600, Stop: 3600, Short: 0.2, Low: 0.8, High: 1, Ramp: 120, Shed: true})
	share := map[string]float64{}
	const days, dt = 60.0, 5.0
	since := 0.0
	for s := 0.0; s < days*86_400; s += dt {
		w.Step(s, dt)
		l.Step(dt)
		share[l.Mode] += dt / days / 86_400
		since += dt
		if w.Shed == 0 {
			since = 0
		}
		if since > 300 && (l.Mode != Stopped || l.Demand != 0) {
			t.Fatalf("%s at %v while the load is shed", l.Mode, l.Demand)
		}
		if l.Demand < 0 || l.Demand > 1 {
			t.Fatalf("demand %v", l.Demand)
		}
	}
	if share[Running] < 0.6 || share[Reduced] < 0.03 || share[Stopped] < 0.03 {
		t.Errorf("%v", share)
	}
}
