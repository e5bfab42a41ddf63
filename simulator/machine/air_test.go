package machine

import (
	"testing"

	"millwright/simulator/production"
)

func airRig(seed uint64, from float64, look func(a *Air) bool) func() *rig {
	return func() *rig {
		w, l := production.NewWorld(seed), production.NewStrip(seed)
		a := NewAir(seed, w, l)
		t := from
		step := func(dt float64) {
			t += dt
			w.Step(t, dt)
			l.Step(dt)
			a.Step(dt)
		}
		return &rig{Machine: a, step: step, look: func() bool { return look(a) }}
	}
}

// night is when the shops take little: two in the morning; the world starts at 14:00.
const night = 12 * 3600.0

// A compressor on load gives some 5300 Nm³/h against 7 bar with 585 kW; the net
// needs 0.11 to 0.13 kWh for a normal cubic metre.
func TestAirRatedPoint(t *testing.T) {
	r := airRig(1, 0, func(*Air) bool { return true })()
	a := r.Machine.(*Air)
	mean, _ := r.watch(4 * 3600)
	within(t, "flow of a compressor", a.set[0].flow, 5300, 0.03)
	within(t, "power of a compressor", a.set[0].power, 585, 0.03)
	within(t, "specific energy", mean["SPEC"], 0.12, 0.08)
	within(t, "behind the first stage", a.set[0].t1, 128, 0.05)
	within(t, "approach", a.set[0].approach, 8, 0.1)
}

// What comes in has gone out or is in the vessels.
func TestAirBalance(t *testing.T) {
	r := airRig(2, 0, func(*Air) bool { return true })()
	a := r.Machine.(*Air)
	in, out := 0.0, 0.0
	before := a.wet
	for range 24 * 3600 {
		r.step(1)
		in += (a.set[0].flow + a.set[1].flow + a.set[2].flow) / 3600
		out += a.flow / 3600
	}
	stored := (a.wet - before) / airAtmosphere * airVolume
	within(t, "air", in, out+stored, 0.002)
}

func TestAirFaults(t *testing.T) {
	long(t)
	first := func(a *Air) bool { return a.set[0].state == 2 && a.set[0].age > 120 }
	second := func(a *Air) bool { return a.set[1].state == 2 && a.set[1].age > 60 }
	quiet := func(a *Air) bool { return !a.sending && a.set[2].state == 0 }
	always := func(*Air) bool { return true }
	f := func(look func(*Air) bool, fault string, severity float64, want map[string]float64) {
		t.Helper()
		signature(t, airRig(3, night, look), 3600, 2*3600, fault, severity, want)
	}
	f(quiet, "air-leaks", 0.6, map[string]float64{"FLOW": 3, "FILT_DP": 3, "T_ST1_C1": 0, "APPR_C1": 0, "VIB_C2_ENV": 0})
	f(first, "fouling", 0.5, map[string]float64{"APPR_C1": 10, "T_IC_C1": 10, "P_ST_C1": 2, "APPR_C2": 0, "T_ST1_C1": 2, "FLOW": 0, "FILT_DP": 0})
	f(first, "valve-leak", 0.3, map[string]float64{"T_ST2_C1": 5, "P_ST_C1": -10, "APPR_C2": 0, "DEW": 0, "FILT_DP": 0})
	f(always, "filter-blocking", 0.5, map[string]float64{"FILT_DP": 3, "P_NET": -1.5, "P_COMP": 0, "T_ST1_C1": 0, "VIB_C2_HF": 0})
	f(second, "bearing-outer", 0.05, map[string]float64{"VIB_C2_ENV": 10, "VIB_C2_H": 0, "BRG_T_C2": 0, "POWER_C1": 0, "FLOW": 0})
	f(second, "bearing-outer", 0.8, map[string]float64{"VIB_C2_ENV": 20, "VIB_C2_HF": 10, "VIB_C2_KURT": 10, "BRG_T_C2": 10, "POWER_C1": 0})
}
