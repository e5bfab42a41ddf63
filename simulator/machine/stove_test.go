package machine

import (
	"math"
	"testing"

	"millwright/simulator/production"
)

func servedStove(seed uint64) *served {
	w, b := production.NewWorldAt(seed, production.Setting{Weak: true}), production.NewBlast(seed)
	s := NewStove(seed, w, b)
	return &served{s, w, b, &s.mode}
}

// stoveDay is what a day of full wind shows, cycle by cycle.
type stoveDay struct {
	blastLow, blastHigh, domeHigh, wasteHigh, wasteBlown, gas float64
	oxygen, air, lowMixer                                     float64 // mean while it burns, at the end of the blasts
}

func dayOfStove(s *served, days float64) stoveDay {
	m := s.Machine.(*Stove)
	d := stoveDay{blastLow: math.Inf(1), lowMixer: math.Inf(1)}
	var burning, blowing, since float64
	for range int(days * 86_400) {
		s.step(1)
		if s.part.(*production.Blast).Wind < 0.95 {
			since = 0
			continue
		}
		if since++; since < 3*3600 {
			continue
		}
		d.domeHigh = max(d.domeHigh, m.dome)
		switch {
		case m.mode == production.OnGas && m.gas > 5:
			d.wasteHigh = max(d.wasteHigh, m.waste)
			d.oxygen, d.gas, d.air, burning = d.oxygen+m.oxygen, d.gas+m.gas, d.air+m.air, burning+1
		case m.mode == production.OnBlast && m.blast.Since > 120:
			d.blastLow, d.blastHigh = min(d.blastLow, m.hotBlast-m.hotRef), max(d.blastHigh, m.hotBlast-m.hotRef)
			d.wasteBlown += m.waste
			d.lowMixer = min(d.lowMixer, m.mixer)
			blowing++
		}
	}
	d.oxygen, d.gas, d.air, d.wasteBlown = d.oxygen/burning, d.gas/burning, d.air/burning, d.wasteBlown/blowing
	return d
}

// Healthy: the dome below its limit, the blast at its set point to the end, waste
// gas of 150 to 400 °C, oxygen of 0.5 to 3 %. What the gas gives is what the wind
// takes and the shell loses.
func TestStoveHealthy(t *testing.T) {
	long(t)
	s := servedStove(4)
	m := s.Machine.(*Stove)
	s.run(2*86_400, 1)
	m.heatIn, m.heatOut = 0, 0
	before := m.stored()
	d := dayOfStove(s, 6)
	if d.domeHigh > 1365 || d.domeHigh < 1300 {
		t.Errorf("dome to %.0f °C", d.domeHigh)
	}
	if d.blastLow < -15 || d.blastHigh > 15 {
		t.Errorf("blast %.1f to %+.1f K about its set point", d.blastLow, d.blastHigh)
	}
	if d.wasteHigh < 250 || d.wasteHigh > 400 {
		t.Errorf("waste gas to %.0f °C", d.wasteHigh)
	}
	if d.oxygen < 0.5 || d.oxygen > 3 {
		t.Errorf("oxygen %.2f %%", d.oxygen)
	}
	loss := stoveLossKW * 1000 * 6 * 86_400
	within(t, "heat balance", m.heatOut+loss+m.stored()-before, m.heatIn, 0.02)
	within(t, "heat of a blast, GJ", m.heatOut/(6*12)/1e9, 120, 0.1) // twelve blasts a day
}

// stored is the heat in the checkers above 0 °C, J.
func (s *Stove) stored() float64 {
	sum := 0.0
	for _, t := range s.checkers {
		sum += t * checkerHeat
	}
	return sum
}

// Each fault does to the cycle what the reference says of it.
func TestStoveFaults(t *testing.T) {
	long(t)
	day := func(fault string) stoveDay {
		s := servedStove(4)
		if fault != "" {
			s.fault(fault, 1)
		}
		s.run(2*86_400, 1)
		return dayOfStove(s, 2)
	}
	well := day("")
	between := func(what string, got, low, high float64) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s: %.3g, want %v to %v", what, got, low, high)
		}
	}
	fouled := day("fouling")
	between("fouled: blast at the end, K", fouled.blastLow-well.blastLow, -45, -10)
	between("fouled: mixer at the end, %", fouled.lowMixer, 0, 1)
	lean := day("burner-drift")
	between("burner with more air: oxygen, points", lean.oxygen-well.oxygen, 0.6, 3)
	between("burner with more air: gas", lean.gas/well.gas, 1.005, 1.06)
	rich := day("burner-drift-rich")
	between("burner with less air: oxygen, points", rich.oxygen-well.oxygen, -0.5, -0.1)
	between("burner with less air: its meter for the gas", rich.air/rich.gas/(well.air/well.gas), 1.08, 1.13)
	loose := day("valve-slow")
	between("valve: waste gas on blast, K", loose.wasteBlown-well.wasteBlown, 8, 120)
}

func TestStoveSignatures(t *testing.T) {
	long(t)
	build := func(mode string) func() (*served, func() bool) {
		return func() (*served, func() bool) {
			s := servedStove(5)
			m := s.Machine.(*Stove)
			return s, func() bool { return *s.mode == mode && m.blast.Since > 900 }
		}
	}
	signatures(t, build(production.OnGas),
		"fouling DP+ F_OUT0 TRAVEL_CHM0",
		"burner-drift O2_WASTE+ F_OUT0 TRAVEL_CHM0",
		"burner-drift-rich DP0 F_OUT0 TRAVEL_CHM0",
		"element-leak F_OUT- DP0 O2_WASTE0 T_WASTE0 T_SHELL_20",
		"valve-slow TRAVEL_CHM+ TRAVEL_HBV0 DP0 O2_WASTE0 F_OUT0",
		"hot-spot T_SHELL_2+ T_SHELL_30 T_SHELL_50 T_SHELL_60 F_OUT0 O2_WASTE0",
	)
}
