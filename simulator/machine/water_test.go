package machine

import (
	"math"
	"testing"

	"millwright/simulator/physics"
	"millwright/simulator/production"
)

func waterRig(seed uint64) *rig {
	w, l := production.NewWorld(seed), production.NewStrip(seed)
	l.Steady = true
	p := NewWater(seed, w, l)
	now := 0.0
	return &rig{Machine: p, look: func() bool { return p.mode == "running" }, step: func(dt float64) {
		now += dt
		w.Step(now, dt)
		l.Step(dt)
		p.Step(dt)
	}}
}

func TestWaterRatedPoint(t *testing.T) {
	mean, _ := waterRig(1).watch(3 * 3600)
	within(t, "flow", mean["FLOW"], 3000, 0.02)
	within(t, "head", (mean["P_DIS"]-mean["P_SUC"])/waterBar, 45, 0.02)
	within(t, "power", mean["POWER"], 470, 0.04)
	within(t, "current", mean["CURRENT"], 46, 0.06)
	within(t, "velocity", mean["VIB_H"], 1.15, 0.1)
	// What the water gives the sea takes.
	heat := mean["FLOW"] * 996 * 4180 * (mean["T_IN"] - mean["T_OUT"])
	within(t, "heat", mean["F_SEA"]*1025*3990*(mean["T_SEA_OUT"]-mean["T_SEA_IN"]), heat, 0.03)
	within(t, "approach", mean["APPR"], 4, 0.15)
}

func TestCentrifugal(t *testing.T) {
	c := cooling()
	q := c.Flow(1, 1, waterStatic, waterSystem)
	within(t, "curve and system meet", c.Head(q, 1, 1), waterStatic+waterSystem*q*q, 1e-9)
	within(t, "affinity, flow", c.Flow(0.5, 1, 0, waterSystem), c.Flow(1, 1, 0, waterSystem)/2, 1e-9)
	if lack := c.Lack(20, q); lack != 0 || physics.Starved(lack) != 1 {
		t.Errorf("a suction with 20 m lacks %v", lack)
	}
	within(t, "3 % of the head where offer is need", physics.Starved(c.Lack(6, 3000)), 0.97, 0.001)
	// ANSI/HI 9.8 asks for 1.82 m over a bell of 0.9 m at 3000 m³/h.
	if lack := physics.Vortex(1.83, waterBell, waterRated); lack != 0 {
		t.Errorf("1.83 m of water lack %v", lack)
	}
	within(t, "half the water", physics.Vortex(0.91, waterBell, waterRated), 0.2, 0.01)
	within(t, "no flow", physics.Vortex(0, waterBell, 0), 0, 1e-9)
	within(t, "vapour of water at 20 °C, m", physics.NPSH(0, 20), (1.013-0.0234)*1e5/(998*9.81), 0.001)
	within(t, "equal flows", physics.Effectiveness(1, 1), 0.5, 1e-9)
	within(t, "one side boils", physics.Effectiveness(1, 0), 1-math.Exp(-1), 1e-9)
}

// Every other week, and P1 runs up in less than a minute.
func TestWaterChange(t *testing.T) {
	w, l := production.NewWorld(1), production.NewStrip(1)
	p := NewWater(1, w, l)
	f := func(at float64, mode string) {
		t.Helper()
		w.Step(at, 1)
		for range 120 {
			p.Step(1)
		}
		if p.mode != mode {
			t.Errorf("at %.0f h: %s, want %s", at/3600, p.mode, mode)
		}
	}
	f(0, "running")
	f(waterChange+1, "standby")
	if p.current != 0 || p.speed > 1 || p.flow > 10 || p.header < 4 {
		t.Errorf("standby with %.1f A, %.0f r/min, %.0f m³/h, header %.1f bar", p.current, p.speed, p.flow, p.header)
	}
	f(waterChange+waterWeek+1, "running")
	f(waterChange+2*waterWeek+1, "standby")
}

func TestWaterFaults(t *testing.T) {
	f := func(fault string, severity float64, want map[string]float64) {
		t.Helper()
		signature(t, func() *rig { return waterRig(5) }, 2*3600, 1200, fault, severity, want)
	}
	f("cavitation", 0.3, map[string]float64{"STR_DP": 20, "P_SUC": -10, "VIB_HF": 0, "T_SEA_OUT": 0, "VIB_BPFO": 0})
	f("cavitation", 1, map[string]float64{"STR_DP": 20, "P_SUC": -20, "VIB_HF": 10, "VIB_A": 4, "VIB_KURT": 0, "UNB": 0})
	f("cavitation-level", 0.3, map[string]float64{"LEVEL": -10, "P_SUC": -10, "STR_DP": 0, "VIB_HF": 0, "T_OUT": 0})
	f("cavitation-level", 1, map[string]float64{"LEVEL": -20, "P_SUC": -20, "VIB_HF": 10, "VIB_A": 4, "FLOW": -1, "STR_DP": 0, "VIB_KURT": 0, "UNB": 0})
	f("wear-rings", 0.6, map[string]float64{"P_DIS": -4, "FLOW": -2, "STR_DP": -1, "VIB_H": 0, "UNB": 0, "BRG_T_DE": 0})
	f("fouling", 0.3, map[string]float64{"APPR": 5, "T_OUT": 2, "F_SEA": 0, "FILT_DP": 0, "FLOW": 0, "VIB_H": 0})
	f("filter-blocking", 0.5, map[string]float64{"FILT_DP": 20, "F_SEA": -5, "FLOW": 0, "STR_DP": 0, "VIB_A": 0})
	f("bearing-outer", 0.05, map[string]float64{"VIB_BPFO": 10, "VIB_BPFI": 0, "VIB_H": 0, "BRG_T_DE": 0})
	f("bearing-outer", 0.6, map[string]float64{"VIB_BPFO": 20, "VIB_HF": 10, "VIB_KURT": 5, "BRG_T_DE": 5, "VIB_H": 0, "CURRENT": 0})
	f("bearing-inner", 0.3, map[string]float64{"VIB_BPFI": 10, "VIB_BPFO": 0, "VIB_H": 0, "UNB": 0})
	f("misalignment", 0.4, map[string]float64{"VIB_A": 10, "VIB_H": 3, "BRG_T_MDE": 5, "BRG_T_DE": 5, "VIB_HF": 0, "VIB_BPFO": 0})
	f("looseness", 0.5, map[string]float64{"VIB_V": 5, "VIB_H": 2, "VIB_HF": 0, "BRG_T_DE": 0, "UNB": 0})
	f("lubrication", 0.3, map[string]float64{"VIB_HF": 20, "BRG_T_DE": 10, "VIB_KURT": 0, "VIB_BPFO": 0, "BRG_T_NDE": 0})
	f("rotor-bar", 0.4, map[string]float64{"SIDEBAND": 8, "UNB": 0, "VIB_H": 0, "FLOW": 0})
	f("phase-unbalance", 0.4, map[string]float64{"UNB": 20, "MOT_T_W": 5, "SIDEBAND": 0, "VIB_H": 0})
}

// Worn rings cost energy: the pump gives less and takes more for each cubic metre.
func TestWaterWornRings(t *testing.T) {
	energy := func(worn float64) float64 {
		r := waterRig(4)
		r.Machine.(*Water).rings.Severity = worn
		mean, _ := r.watch(1200)
		return mean["POWER"] / mean["FLOW"]
	}
	if more := energy(1)/energy(0) - 1; more < 0.02 || more > 0.10 {
		t.Errorf("%.1f %% more for a cubic metre", 100*more)
	}
}

// The waveform has the r.m.s. that the tag tells.
func TestWaterBurst(t *testing.T) {
	r := waterRig(2)
	p := r.Machine.(*Water)
	p.outer.Severity, p.misaligned.Severity = 0.5, 0.5
	r.watch(600)
	for _, point := range p.Points() {
		s := point.Signal()
		burst := make([]float32, 65_536)
		s.Burst(burst, 25_600, 7)
		var square float64
		for _, x := range burst {
			square += float64(x) * float64(x)
		}
		within(t, point.Name, math.Sqrt(square/float64(len(burst))), s.Features().RMS, 0.06)
	}
}
