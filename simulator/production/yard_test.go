package production

import (
	"math"
	"strings"
	"testing"
)

// A month of the hot mill on slabs of the yard: every mode comes, a campaign
// falls in width, coils are of known heats, products vary, and no schedule asks
// more of F3 than its drive has.
func TestMonthOfStrip(t *testing.T) {
	heats := NewHeats(4)
	yard := NewYard(4, heats)
	l := NewStripOf(4, yard)
	seconds := map[string]float64{}
	grades, gauges, made := map[string]int{}, map[float64]int{}, map[string]bool{}
	tapped := map[string]bool{}
	coils, own, stops := 0, 0, 0
	var widths []float64
	last, mode := l.Coil.ID, ""
	const dt, days = 1.0, 30.0
	for s := 0.0; s < days*86_400; s += dt {
		heats.Step(dt)
		yard.Step(dt)
		l.Step(dt)
		seconds[l.Mode] += dt
		tapped[heats.Heat] = true
		c := &l.Coil
		if l.Mode == RollChange && mode != RollChange {
			coffin(t, widths)
			widths = widths[:0]
			stops++
		}
		mode = l.Mode
		if c.ID == last {
			continue
		}
		last = c.ID
		coils++
		if made[c.Slab] {
			t.Fatalf("the slab %s is rolled twice", c.Slab)
		}
		made[c.Slab] = true
		grades[c.Grade]++
		gauges[c.Gauge]++
		if mode != RollChange {
			widths = append(widths, c.Width)
		}
		if !strings.HasPrefix(c.Slab, c.Heat+"-") {
			t.Fatalf("slab %s of heat %s", c.Slab, c.Heat)
		}
		if tapped[c.Heat] {
			own++
		}
		p := c.Pass
		if _, m := p.Solve(); m > 750e3 || m*p.Speed*c.Zoom/0.35 > 9e6 {
			t.Errorf("%s %v × %v mm: %.0f kN·m at %.1f m/s", c.Grade, c.Gauge, c.Width, m/1e3, p.Speed)
		}
		if c.Width < 690 || c.Width > 1510 || c.Gauge < 1.6 || c.Gauge > 12 {
			t.Errorf("%v × %v mm", c.Gauge, c.Width)
		}
	}
	for _, m := range []string{Threading, Rolling, RollingHard, TailOut, Gap, Idle, RollChange, WarmUp} {
		if seconds[m] < 600 {
			t.Errorf("%.0f s of %s", seconds[m], m)
		}
	}
	if rate := float64(coils) / days / 24; rate < 10 || rate > 20 {
		t.Errorf("%.1f coils an hour", rate)
	}
	if share := float64(own) / float64(coils); share < 0.4 || share > 0.7 {
		t.Errorf("%.2f of the coils are of the works' own heats", share)
	}
	if len(grades) != 4 || len(gauges) < 10 || stops < 50 {
		t.Errorf("%d grades, %d gauges, %d changes", len(grades), len(gauges), stops)
	}
	if seconds[RollChange] < float64(stops)*600+2*4*3600 {
		t.Errorf("%.0f s of changes, too few for the backup rolls", seconds[RollChange])
	}
}

// coffin fails where a campaign widens behind its opening.
func coffin(t *testing.T, widths []float64) {
	t.Helper()
	if len(widths) < 20 {
		return
	}
	widest := math.Inf(1)
	for i, w := range widths[8:] {
		if w > widest+20 {
			t.Errorf("coil %d of a campaign widens from %.0f to %.0f mm", i+8, widest, w)
		}
		widest = math.Min(widest, w)
	}
	if widths[len(widths)-1] >= widths[8] {
		t.Errorf("a campaign from %.0f to %.0f mm", widths[8], widths[len(widths)-1])
	}
}

// While the grid sheds its load the mill draws no bar.
func TestStripHolds(t *testing.T) {
	l := NewStrip(1)
	for l.Mode != Rolling {
		l.Step(1)
	}
	l.Hold = true
	for range 600 {
		l.Step(1)
	}
	id := l.Coil.ID
	for range 3600 {
		l.Step(1)
	}
	if l.Mode != Idle || l.Coil.ID != id {
		t.Errorf("%s, coil %s after %s", l.Mode, l.Coil.ID, id)
	}
	l.Hold = false
	for range 120 {
		l.Step(1)
	}
	if l.Mode == Idle {
		t.Error("the mill does not begin again")
	}
}
