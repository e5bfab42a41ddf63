package machine

import (
	"math"
	"testing"

	"millwright/simulator/production"
)

// At full wind: 150 kNm³/h against 2.5 bar above atmosphere with about 9 MW; the
// energy balance over the air holds, and a turbine of this kind takes 4 to 5 kg
// of steam for a kilowatt-hour.
func TestBlowerRated(t *testing.T) {
	s := servedBlower(1)
	m := s.Machine.(*Blower)
	s.run(3*3600, 1)
	within(t, "flow", m.flow, 150, 0.03)
	within(t, "discharge pressure", m.discharge, 2.55, 0.06)
	within(t, "power", m.power, 9, 0.08)
	within(t, "speed", m.speed, 3040, 0.03)
	within(t, "steam, kg/kWh", m.steam/m.power, 4.5, 0.06)
	heat := m.flow / 3.6 * windDensity * windHeat / 1e6 * (m.dischargeT - m.suctionT)
	within(t, "heat into the air", heat, m.power-0.18, 0.02)
	if margin := m.air.x/surgeAt(m.air.y, m.open()) - 1; margin < 0.15 || margin > 0.3 {
		t.Errorf("%.0f %% to the surge line", 100*margin)
	}
}

// Throttled to a quarter with the antisurge valve stuck shut, the blower surges
// at 0.7 to 1.5 Hz: the flow collapses in less than half a second, and reverses.
func TestSurgeCycles(t *testing.T) {
	c := greitzer{x: 0.87, y: 1, fast: 1}
	s := mapAt(0.95, 0.96, 0)
	const h = 0.01
	low, high := math.Inf(1), math.Inf(-1)
	collapses, seconds, above := 0, 0.0, 0.0
	falling := math.Inf(1)
	for i := range 6000 {
		was := c.x
		c.move(s, 0.25*math.Sqrt(c.y), h)
		if i < 1000 {
			continue
		}
		seconds += h
		low, high = min(low, c.x), max(high, c.x)
		if was >= 0.6 && c.x < 0.6 {
			collapses, above = collapses+1, 0
		}
		above += h
		if was > 0.1 && c.x <= 0.1 {
			falling = min(falling, above)
		}
	}
	f := float64(collapses) / seconds
	if f < 0.7 || f > 1.5 {
		t.Errorf("surge at %.2f Hz", f)
	}
	if low > 0 || high < 0.7 {
		t.Errorf("flow swings from %.2f to %.2f of the rated one", low, high)
	}
	if falling > 0.5 {
		t.Errorf("the flow takes %.2f s to collapse", falling)
	}
}

// Right of the surge line the same oscillator is damped.
func TestNoSurgeInFrontOfTheLine(t *testing.T) {
	c := greitzer{x: 0.8, y: 1.1, fast: 1}
	s := mapAt(0.95, 0.96, 0)
	for range 3000 {
		c.move(s, 0.87*math.Sqrt(c.y), 0.01)
	}
	x := c.x
	for range 300 {
		c.move(s, 0.87*math.Sqrt(c.y), 0.01)
		within(t, "settled flow", c.x, x, 1e-6)
	}
}

// Surge is a consequence: a furnace that hangs while its wind is cut makes a
// fouled blower surge and the antisurge valve open, and a clean one not.
func TestFoulingEndsInSurge(t *testing.T) {
	cut := func(fouling float64) (surges int, valve, axial float64) {
		w, b := production.NewWorld(2), &production.Blast{Mode: production.NormalWind, Wind: 1, Resistance: 1}
		m := NewBlower(2, w, b)
		m.fouling.Severity = fouling
		for i := range 40 * 600 {
			if i > 6000 {
				b.Wind = math.Max(0.64, b.Wind-0.1/600)
				b.Resistance = math.Min(1.12, b.Resistance+0.02/600)
			}
			m.Step(0.1)
			valve, axial = max(valve, m.antisurge), max(axial, math.Abs(m.axial))
		}
		return m.surges, valve, axial
	}
	if n, valve, axial := cut(0); n != 0 || axial > 0.35 {
		t.Errorf("clean: %d surges, valve to %.0f %%, axial position to %.2f mm", n, valve, axial)
	}
	if n, valve, axial := cut(1); n < 1 || n > 60 || valve < 99 || axial < 0.35 {
		t.Errorf("fouled: %d surges, valve to %.0f %%, axial position to %.2f mm", n, valve, axial)
	}
}

// Fouled blades take three to six points of efficiency, as discharge temperature
// and pressures tell it, which is far beyond its scatter, and 3 to 9 K.
func TestFoulingCostsEfficiency(t *testing.T) {
	run := func(fouling float64) (eta, sd, hot float64) {
		s := servedBlower(5)
		m := s.Machine.(*Blower)
		m.fouling.Severity = fouling
		s.run(3*3600, 1)
		var n, x, xx, sum float64
		for range 5 * 3600 {
			s.step(1)
			if *s.mode != production.NormalWind {
				continue
			}
			ratio := (m.discharge + 1.013) / (1.013 + m.suction/1000)
			e := (math.Pow(ratio, 0.2857) - 1) / ((m.dischargeT+273.15)/(m.suctionT+273.15) - 1)
			n, x, xx, sum = n+1, x+e, xx+e*e, sum+m.dischargeT
		}
		return x / n, math.Sqrt(xx/n - x/n*x/n), sum / n
	}
	clean, sd, cool := run(0)
	fouled, _, hot := run(1)
	if d := clean - fouled; d < 0.03 || d > 0.06 || d < 4*sd {
		t.Errorf("efficiency %.3f ± %.4f → %.3f", clean, sd, fouled)
	}
	if d := hot - cool; d < 3 || d > 9 {
		t.Errorf("discharge %.1f → %.1f °C", cool, hot)
	}
}

func TestBlowerSignatures(t *testing.T) {
	long(t)
	build := func() (*served, func() bool) {
		s := servedBlower(5)
		return s, func() bool { return *s.mode == production.NormalWind }
	}
	signatures(t, build,
		"fouling SHAFT_2X0 AX_POS0 LUBE_P0 GAP_Y0 WIND0",
		"journal-wear:0.5 SHAFT_SUB+ GAP_Y- SHAFT_1X0 SHAFT_2X0 T_DIS0 BRG_T30",
		"journal-wear SHAFT_SUB+ SHAFT_X+ SHAFT_Y+ GAP_Y- BRG_T1+ SHAFT_1X0 SHAFT_2X0 T_DIS0 BRG_T40",
		"misalignment SHAFT_2X+ BRG_T2+ BRG_T3+ SHAFT_SUB0 SHAFT_1X0 BRG_T10 T_DIS0",
		"dust SHAFT_1X+ SHAFT_X+ SHAFT_2X0 SHAFT_SUB0 GAP_Y0 T_DIS0",
		"filter-blocking LUBE_DP+ LUBE_P- BRG_T3+ SHAFT_1X0 T_DIS0 LUBE_T0",
	)
}
