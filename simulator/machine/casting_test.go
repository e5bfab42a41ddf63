package machine

import (
	"math"
	"testing"

	"millwright/simulator/production"
)

// Known periods: 6 mm at 180 a minute and 1 m/min; no negative strip where the
// strand is faster than the mould ever is.
func TestNegativeStrip(t *testing.T) {
	within(t, "t_N", NegativeStrip(6, 180, 1), math.Acos(1000.0/60/(math.Pi*3*6))/(math.Pi*3), 1e-12)
	within(t, "t_N", NegativeStrip(6, 180, 1), 0.135, 0.01)
	if got := NegativeStrip(3, 60, 1); got != 0 {
		t.Errorf("a slow mould strips for %v s", got)
	}
	if got := NegativeStrip(0, 0, 1); got != 0 {
		t.Errorf("a mould at rest strips for %v s", got)
	}
	// What a stopwatch on the sine says.
	n := 0
	const steps = 200_000
	for i := range steps {
		down := math.Pi * 3 * 5.7 * math.Cos(2*math.Pi*float64(i)/steps)
		if down > 0.9*1000/60 {
			n++
		}
	}
	within(t, "t_N by counting", NegativeStrip(5.7, 180, 0.9), float64(n)/steps/3, 1e-3)
}

// At 0.92 m/min: the pressures bear the table, and the oil is what the pistons sweep.
func TestOscillatorBalance(t *testing.T) {
	c := production.NewCast(1)
	o := NewOscillator(1, production.NewWorld(1), c)
	for range 1200 {
		o.Step(0.1)
	}
	within(t, "frequency", o.freq, 1.2*c.Speed*1000/o.strokeSet, 1e-6)
	if o.strokeSet < 3 || o.strokeSet > 8 || o.freq < 80 || o.freq > 200 || o.strip < 0.10 || o.strip > 0.16 {
		t.Errorf("stroke %v mm, frequency %v a minute, negative strip %v s", o.strokeSet, o.freq, o.strip)
	}
	borne := 0.0
	for _, s := range o.sides {
		borne += (s.pressureA - s.pressureB) * 1e5 * pistonArea
	}
	within(t, "load of the cylinders", borne, tableMass*9.81, 0.08) // and what the strand drags down
	if borne < tableMass*9.81 {
		t.Errorf("the strand lifts the mould: %v N", borne)
	}
	swept := 0.0
	for _, s := range o.sides {
		swept += 2 * s.stroke / 1000 * pistonArea * o.freq * 1000
	}
	within(t, "oil", o.flow, swept+pilotFlow+2*cylinderLeak, 0.03)
	var heat float64 // MW of the whole mould, at 1.35 MW/m²
	for _, f := range o.faces {
		heat += 4180 * f.flow / 60 * f.rise / 1e6
	}
	within(t, "heat of the mould", heat/(2*(c.Thickness+c.Width)/1000*mouldLength), 1.35, 0.15)
}

// The rolls' pulls add up to what the strand needs, whatever is broken.
func TestWithdrawalBalance(t *testing.T) {
	f := func(name string, spoil func(d *Withdrawal)) {
		t.Helper()
		c := production.NewCast(1)
		d := NewWithdrawal(1, production.NewWorld(1), c)
		spoil(d)
		d.noise.grip.Sigma, d.noise.pull.Sigma = 0, 0
		for range 600 {
			d.Step(0.1)
		}
		var pull float64
		for i := range d.drives {
			pull += (d.drives[i].roll - d.drag(i, 0)) / (rollDiameter / 2)
		}
		within(t, name, pull, d.pull, 0.02)
	}
	f("healthy", func(d *Withdrawal) {})
	f("seized roll", func(d *Withdrawal) { d.seized.Severity = 0.6 })
	f("slipping coupling", func(d *Withdrawal) { d.coupling.Severity = 0.8 })
	f("lost coupling", func(d *Withdrawal) { d.coupling.Severity = 1 })
}

func BenchmarkOscillator(b *testing.B) {
	c := production.NewCast(1)
	o := NewOscillator(1, production.NewWorld(1), c)
	b.ReportAllocs()
	for b.Loop() {
		o.Step(0.05)
	}
}

func BenchmarkWithdrawal(b *testing.B) {
	c := production.NewCast(1)
	d := NewWithdrawal(1, production.NewWorld(1), c)
	b.ReportAllocs()
	for b.Loop() {
		d.Step(0.05)
	}
}
