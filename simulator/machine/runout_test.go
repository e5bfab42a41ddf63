package machine

import (
	"slices"
	"testing"

	"millwright/simulator/production"
)

// siblings have, beside their sensors, what people reckon from them.
type siblings struct {
	*RunOut
	more []Sensor
}

func (s siblings) Sensors() []Sensor { return append(s.RunOut.Sensors(), s.more...) }

// tableRig has, beside the sensors, I_n less the median of the group.
func tableRig(seed uint64) *rig {
	w, l := production.NewWorld(seed), production.NewStrip(seed)
	l.Steady = true
	table := production.NewRunOut(l)
	m := NewRunOut(seed, w, table)
	now := 0.0
	share := make([]float64, tableRolls)
	group := siblings{RunOut: m}
	r := &rig{look: func() bool { return table.Mode == production.TableRun && table.Tail < 0 && table.Head > 100 }}
	for i, name := range []string{"DIF_1", "DIF_2", "DIF_3", "DIF_4", "DIF_5", "DIF_6", "DIF_7", "DIF_8", "DIF_9"} {
		group.more = append(group.more, Sensor{Name: name, Value: &share[i], Sigma: 0.03})
	}
	r.Machine = group
	r.step = func(dt float64) {
		now += dt
		w.Step(now, dt)
		l.Step(dt)
		table.Step(dt)
		m.Step(dt)
		var all []float64
		for i := range m.rolls {
			all = append(all, m.rolls[i].torque)
		}
		slices.Sort(all)
		for i := range share {
			share[i] = m.rolls[i].torque - all[tableRolls/2]
		}
	}
	return r
}

func TestRunOutFaults(t *testing.T) {
	f := func(fault string, severity float64, want map[string]float64) {
		t.Helper()
		signature(t, func() *rig { return tableRig(4) }, 300, 3600, fault, severity, want)
	}
	f("roll-seizure", 0.3, map[string]float64{"DIF_5": 4, "DIF_4": 0, "DIF_6": 0, "UNB": 0, "R_ISO": 0, "LAM_F": 0, "SPEED_4": 0})
	f("roll-seizure", 1, map[string]float64{"SPEED_5": -5, "I_5": 10, "SPEED_4": 0, "DIF_4": 0})
	f("coupling", 1, map[string]float64{"DIF_9": -10, "I_9": -3, "DIF_8": 0, "SPEED_9": 0, "UNB": 0})
	f("phase-unbalance", 0.5, map[string]float64{"UNB": 10, "DIF_4": 0, "R_ISO": 0})
	f("insulation", 0.3, map[string]float64{"R_ISO": -3, "UNB": 0, "DIF_3": 0, "LAM_F": 0})
}

// In the middle of a coil a roll needs some 2.5 A, a fourth of what its motor
// can; the laminar cooling takes the strip to 600 °C with some 1700 m³/h.
func TestRunOutRatedPoint(t *testing.T) {
	mean, sd := tableRig(1).watch(2 * 3600)
	within(t, "current", mean["I_6"], 2.9, 0.2)
	within(t, "coiling temperature", mean["T_COIL"], 600, 0.02)
	within(t, "laminar cooling", mean["LAM_F"], 1700, 0.1)
	if sd["DIF_5"] > 0.15 {
		t.Errorf("the siblings wander by %.3f A", sd["DIF_5"])
	}
}

// The strip that passes the table is the one that left stand F3.
func TestRunOutStrip(t *testing.T) {
	l := production.NewStrip(3)
	l.Steady = true
	table := production.NewRunOut(l)
	passed, coil, n := 0.0, *table.Strip(), 0
	for range 20 * 60 * 100 {
		l.Step(0.01)
		table.Step(0.01)
		if table.On(0) {
			coil, passed = *table.Strip(), passed+table.Speed*0.01
			continue
		}
		if passed > 0 {
			within(t, "strip", passed, coil.Length*coil.Pass.Exit/coil.Gauge, 0.01)
			n++
		}
		passed = 0
	}
	if n < 5 {
		t.Errorf("%d coils in twenty minutes", n)
	}
}
