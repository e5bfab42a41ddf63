package machine

import (
	"math"
	"testing"

	"millwright/simulator/production"
)

// fired is a furnace that has served a mill without delays for hours.
func fired(spoil func(f *Furnace)) (*Furnace, *production.Strip) {
	strip := production.NewStrip(1)
	strip.Steady = true
	f := NewFurnace(1, production.NewWorld(1), strip)
	if spoil != nil {
		spoil(f)
	}
	for range 8 * 3600 {
		strip.Step(1)
		f.Step(1)
	}
	return f, strip
}

func TestSteelHeat(t *testing.T) {
	within(t, "GJ/t to 1200 °C", steelHeat(1200), 0.82, 0.01)
	for x := 20.0; x < 1300; x += 7 {
		within(t, "temperature", steelTemp(steelHeat(x)), x, 1e-9)
	}
}

// What the fuel gives goes into slabs, water, walls, openings, stack and lining.
func TestFurnaceBalance(t *testing.T) {
	f, strip := fired(nil)
	stored := func() float64 { // MJ
		x := 0.0
		for _, z := range f.zones {
			x += z.temp * liningHeat
		}
		for _, s := range f.slabs {
			x += s.heat * s.mass * 1000
		}
		return x
	}
	var in, out, formula float64
	before, cold, slabs, tonnes := stored(), f.world.Hall, 0.0, 0.0
	const hours = 6
	for range hours * 3600 {
		last := f.slabs[furnaceSlabs-1]
		strip.Step(1)
		f.Step(1)
		if f.since == 0 { // a slab has left in this step
			out += (last.heat*last.mass - steelHeat(cold)*f.slabs[0].mass) * 1000
			slabs++
			tonnes += last.mass
		}
		in += f.power
		out += f.wall + f.open + f.stackLoss
		for _, s := range f.skids {
			out += s.loss
		}
		// The same by the usual formula: P·η = useful heat and losses.
		var fuel, air float64
		for i := range f.zones {
			fuel += f.zones[i].fuel * f.zones[i].full
			air += f.zones[i].fuel * f.zones[i].full * airNeed * f.zones[i].ratio
		}
		lambda := air / fuel / airNeed
		eta := 1 - gasHeat*(1+lambda*airNeed)*(f.flue-cold)/f.lhv + airHeat*lambda*airNeed*(f.preheat-cold)/f.lhv
		need := f.steel + f.wall + f.open
		for _, s := range f.skids {
			need += s.loss
		}
		formula += need / eta
	}
	within(t, "energy out", out+stored()-before, in, 0.02)
	within(t, "fuel by the formula", formula, in, 0.02)
	if per := in / 1000 / tonnes; per < 1.3 || per > 1.8 {
		t.Errorf("%.2f GJ/t", per)
	} else {
		within(t, "specific energy as the computer has it", f.specific, per, 0.05)
	}
	if slabs < 40 || f.discharged < 1180 || f.discharged > 1250 {
		t.Errorf("%v slabs in %v h, the last one at %.0f °C", slabs, hours, f.discharged)
	}
	within(t, "air", f.preheat, 430, 0.12)
	within(t, "oxygen", f.zones[2].o2, 20.9*(1-1/f.zones[2].ratio), 1e-9)
}

// A furnace that waits takes a quarter to a third of its fuel.
func TestFurnaceIdles(t *testing.T) {
	f, strip := fired(nil)
	full := 0.0
	for range 3600 {
		strip.Step(1)
		f.Step(1)
		full += f.power / 3600
	}
	for range 5 * 3600 {
		f.Step(1)
	}
	if share := f.power / full; share < 0.23 || share > 0.36 {
		t.Errorf("%.1f MW of %.1f MW while the mill stands", f.power, full)
	}
	if f.mode != furnaceHold {
		t.Errorf("the furnace is in %s", f.mode)
	}
}

// Faults cost fuel at equal slabs.
func TestFurnaceFuel(t *testing.T) {
	spent := func(spoil func(f *Furnace)) float64 {
		f, strip := fired(spoil)
		x := 0.0
		for range 3 * 3600 {
			strip.Step(1)
			f.Step(1)
			x += f.power
		}
		return x
	}
	healthy := spent(nil)
	more := func(name string, low, high float64, spoil func(f *Furnace)) {
		t.Helper()
		if by := spent(spoil)/healthy - 1; by < low || by > high || math.IsNaN(by) {
			t.Errorf("%s: %.2f %% more fuel, want %.1f to %.1f", name, 100*by, 100*low, 100*high)
		}
	}
	more("burner drift", 0.005, 0.06, func(f *Furnace) { f.burner.Severity = 1 })
	more("burner drift, rich", -0.03, 0.01, func(f *Furnace) { f.rich.Severity = 1 })
	more("recuperator leak", 0.01, 0.06, func(f *Furnace) { f.recuperator.Severity = 1 })
	more("skid insulation", 0.02, 0.08, func(f *Furnace) { f.skid.Severity = 1 })
}

// A mill that rolls what its yard has, with pauses: slabs of any width, hot enough
// after each pause, the specific energy of an old hot mill.
func TestFurnaceServes(t *testing.T) {
	heats := production.NewHeats(1)
	yard := production.NewYard(1, heats)
	strip := production.NewStripOf(1, yard)
	f := NewFurnace(1, production.NewWorld(1), strip)
	var spent, tonnes, coldest, hottest float64
	coldest = 2000
	slabs, sisters := map[string]bool{}, map[string]bool{}
	rolled := map[string]bool{}
	for i := range 4 * 86_400 {
		last := f.slabs[furnaceSlabs-1].mass
		heats.Step(1)
		yard.Step(1)
		strip.Step(1)
		f.Step(1)
		if i < 86_400 {
			continue
		}
		if strip.Mode == production.Gap {
			rolled[strip.Coil.Slab] = true
			sisters[f.sister] = true
		}
		spent += f.power / 1000
		if f.since == 0 {
			tonnes += last
			slabs[f.slab] = true
			coldest, hottest = math.Min(coldest, f.discharged), math.Max(hottest, f.discharged)
		}
	}
	if per := spent / tonnes; per < 1.3 || per > 1.8 {
		t.Errorf("%.2f GJ/t", per)
	}
	if coldest < 1160 || hottest > 1260 {
		t.Errorf("slabs of %.0f to %.0f °C", coldest, hottest)
	}
	for id := range rolled {
		if slabs[id] == sisters[id] && len(slabs) > 0 {
			t.Errorf("slab %s came from both furnaces or from none", id)
		}
	}
	if len(sisters) < 200 {
		t.Errorf("%d slabs of the other furnace in three days", len(sisters))
	}
	if len(slabs) < 200 {
		t.Errorf("%d slabs in three days, %.0f t", len(slabs), tonnes)
	}
}

func BenchmarkFurnace(b *testing.B) {
	f, strip := fired(nil)
	b.ReportAllocs()
	for b.Loop() {
		strip.Step(0.05)
		f.Step(0.05)
	}
}
