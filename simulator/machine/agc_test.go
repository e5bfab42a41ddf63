package machine

import (
	"math"
	"testing"

	"millwright/simulator/physics"
	"millwright/simulator/production"
)

func agcRig(seed uint64, look func(a *AGC) bool) *rig {
	w, l := production.NewWorld(seed), production.NewStrip(seed)
	a := NewAGC(seed, w, l)
	now := 0.0
	return &rig{Machine: a, look: func() bool { return look(a) }, step: func(dt float64) {
		now += dt
		w.Step(now, dt)
		l.Step(dt)
		a.Step(dt)
	}}
}

func holding(a *AGC) bool { return a.strip.Mode == production.Rolling && a.hold > 25 }

// The strip of the check schedule presses with 14.6 MN: the cylinders hold it
// with F/A, and the valve with what leaks.
func TestAGCRatedPoint(t *testing.T) {
	r := agcRig(1, holding)
	a := r.Machine.(*AGC)
	mean, _ := r.watch(2 * 3600)
	force, _ := (&physics.Pass{Entry: 11.6, Exit: 7.6, Width: 1050, Temperature: 970, Carbon: 0.10, Hardness: 1, Radius: 350, Speed: 3.6}).Solve()
	within(t, "force, MN", mean["FORCE_DS"]+mean["FORCE_OS"], force/1e6, 0.04)
	// Piston against strip, roll balance and rod side.
	within(t, "balance of a piston", mean["P_PIST_DS"]*agcArea, (mean["FORCE_DS"]+agcBalance)*10+agcRod*agcRing, 0.001)
	within(t, "stroke under load", mean["POS_DS"], agcTravel-(7.6-force/agcMill/1e6), 0.01)
	over := mean["P_PIST_DS"] - agcRod*agcRing/agcArea
	want := agcLeak * over / (agcValve * math.Sqrt(mean["P_S"]-mean["P_PIST_DS"])) * 100
	within(t, "null command, %", mean["SV_NULL_DS"]-0.2, want, 0.05)
	within(t, "response, ms", mean["RESP_DS"], 6, 0.05)
	if a.droop < 5 || a.droop > 10 {
		t.Errorf("droop %.1f µm/s", a.droop)
	}
}

// The pump gives what the valves take.
func TestAGCBalance(t *testing.T) {
	r := agcRig(2, func(*AGC) bool { return true })
	a := r.Machine.(*AGC)
	given, taken, start := 0.0, 0.0, a.oil
	for range 6 * 3600 {
		if a.pump {
			given += agcPump * (1 - 0.06) / 60_000
		}
		r.step(1)
		taken += a.consumption / 60_000
	}
	within(t, "oil", given, taken+a.oil-start, 0.02)
}

func TestAccumulator(t *testing.T) {
	a := physics.Accumulator{Volume: 0.2, Precharge: 238}
	within(t, "pressure", a.Pressure(a.Oil(275)), 275, 1e-9)
	// p·V^1.25 is constant.
	within(t, "polytropic", 275*math.Pow(0.2-a.Oil(275), 1.25), 238*math.Pow(0.2, 1.25), 1e-9)
	if a.Oil(200) != 0 {
		t.Error("oil below the pre-charge")
	}
}

func TestAGCFaults(t *testing.T) {
	long(t)
	f := func(fault string, severity float64, want map[string]float64) {
		t.Helper()
		signature(t, func() *rig { return agcRig(6, holding) }, 3600, 3*3600, fault, severity, want)
	}
	f("leak", 0.5, map[string]float64{"SV_NULL_DS": 10, "DRAIN_F": 10, "PUMP_CYCLES": 1, "SV_NULL_OS": 0, "RESP_DS": 0, "ISO4406_4": 0, "FORCE_DS": 0})
	f("servo-silting", 0.5, map[string]float64{"RESP_DS": 10, "DITHER_DS": 10, "ISO4406_4": 3, "RESP_OS": 0, "SV_NULL_OS": 0, "P_PIST_DS": 0, "PUMP_CYCLES": 0})
	f("accumulator", 0.5, map[string]float64{"P_DIP": 1, "PUMP_CYCLES": 3, "SV_NULL_DS": 0, "RESP_DS": 0, "PUMP_DUTY": 0, "DRAIN_F": 0})
	f("filter-blocking", 0.6, map[string]float64{"FILT_DP": 5, "P_S": 0, "SV_NULL_DS": 0, "RESP_DS": 0})
	f("pump-wear", 0.6, map[string]float64{"PUMP_DRAIN": 3, "PUMP_DUTY": 3, "OIL_T": 3, "SV_NULL_DS": 0, "DRAIN_F": 0, "P_S": 0})
}

// A roll change reads the gas and the droop.
func TestAGCTests(t *testing.T) {
	r := agcRig(3, holding)
	a := r.Machine.(*AGC)
	a.gas.Severity, a.leak.Severity = 0.5, 1
	r.watch(6 * 3600)
	within(t, "pre-charge", a.precharge, agcPrecharge-45, 0.02)
	within(t, "droop", a.droop, 78, 0.15)
	a.gas.Severity = 0 // filled again: what the accumulators cannot hold goes to the tank
	r.step(1)
	if a.supply > agcRelief+0.1 {
		t.Errorf("%.0f bar above a relief valve of 300", a.supply)
	}
}
