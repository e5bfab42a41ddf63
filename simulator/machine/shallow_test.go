package machine

import (
	"math"
	"testing"

	"millwright/plant"
	"millwright/simulator/production"
)

func shallowPump(w *production.World, demand *float64, d Duty, criticality string) *Shallow {
	a := plant.Asset{Path: "WAT/X/P1", Criticality: criticality, Modes: []plant.Mode{{Name: Running}, {Name: Standby}, {Name: Stopped}}}
	tag := func(name, unit string, low, high float64) plant.Tag {
		return plant.Tag{Path: a.Path + "/" + name, Unit: unit, Low: low, High: high, Kind: plant.Analog}
	}
	return NewShallow(1, w, demand, d, a, []plant.Tag{
		{Path: a.Path + "/MODE", Kind: plant.Text}, tag("CURRENT", "A", 0, 100), tag("FLOW", "m³/h", 0, 1000), tag("P_DIS", "bar", 0, 10),
		tag("BRG_T_DE", "°C", 0, 150), tag("VIB_H", "mm/s", 0, 25), tag("LEVEL", "%", 0, 100),
	})
}

// run moves a shallow asset and gives the mean of its values by name.
func (s *Shallow) run(seconds, dt float64) map[string]float64 {
	mean, n := map[string]float64{}, 0.0
	for t := 0.0; t < seconds; t += dt {
		s.Step(dt)
		n++
		for _, sensor := range s.sensors {
			if sensor.Value != nil {
				mean[sensor.Name] += *sensor.Value
			}
		}
	}
	for name := range mean {
		mean[name] /= n
	}
	return mean
}

// What a pump carries goes with the demand of its area, and nothing of it is left
// when it stops.
func TestShallowFollowsDemand(t *testing.T) {
	w, demand := production.NewWorld(1), 1.0
	s := shallowPump(w, &demand, Duty{}, "A")
	full := s.run(600, 1)
	demand = 0.3
	s.run(4*3600, 1)
	low := s.run(600, 1)
	demand = 0
	s.run(8*3600, 1)
	off := s.run(600, 1)
	if s.mode != Stopped {
		t.Errorf("without demand: %s", s.mode)
	}
	for _, name := range []string{"CURRENT", "FLOW", "BRG_T_DE", "VIB_H"} {
		if !(full[name] > 1.1*low[name] && low[name] > off[name]) {
			t.Errorf("%s: %.4g with demand, %.4g with less, %.4g without", name, full[name], low[name], off[name])
		}
	}
	if full["FLOW"] < 500 || full["FLOW"] > 700 || off["FLOW"] > 1 || off["P_DIS"] > 0.1 {
		t.Errorf("flow %.4g, then %.4g m³/h at %.4g bar", full["FLOW"], off["FLOW"], off["P_DIS"])
	}
	within(t, "a bearing without load", off["BRG_T_DE"], w.Hall+2, 0.03)
	within(t, "the level", off["LEVEL"], full["LEVEL"], 0.2)
}

// Of three pumps one stands by, each week another.
func TestShallowTakesTurns(t *testing.T) {
	w, demand := production.NewWorld(1), 1.0
	var pumps [3]*Shallow
	for i := range pumps {
		pumps[i] = shallowPump(w, &demand, Duty{Member: i, Of: 3, Phase: 0.3}, "A")
	}
	stood := map[int]bool{}
	for day := range 21 {
		w.Time = float64(day) * 86_400
		n := 0
		for i, p := range pumps {
			p.Step(1)
			if p.mode == Standby {
				n++
				stood[i] = true
			}
		}
		if n != 1 {
			t.Errorf("day %d: %d pumps stand by", day, n)
		}
	}
	if len(stood) != 3 {
		t.Errorf("%d of 3 pumps ever stood by", len(stood))
	}
}

// While the grid sheds load, what is not essential stands.
func TestShallowInLoadShedding(t *testing.T) {
	w, demand := production.NewWorld(1), 1.0
	w.Shed = 1
	vital, spare := shallowPump(w, &demand, Duty{}, "A"), shallowPump(w, &demand, Duty{}, "C")
	vital.Step(1)
	spare.Step(1)
	if vital.mode != Running || spare.mode != Stopped {
		t.Errorf("criticality A is %s, C is %s", vital.mode, spare.mode)
	}
}

// The step of the works is not in the values.
func TestShallowStep(t *testing.T) {
	w, demand := production.NewWorld(1), 0.8
	fine, coarse := shallowPump(w, &demand, Duty{}, "A").run(3600, 0.05), shallowPump(w, &demand, Duty{}, "A").run(3600, 1)
	for name := range fine {
		if math.Abs(fine[name]-coarse[name]) > 0.01*math.Abs(coarse[name]) {
			t.Errorf("%s: %.5g at 50 ms, %.5g at 1 s", name, fine[name], coarse[name])
		}
	}
}
