package machine

import (
	"math"
	"testing"

	"millwright/simulator/production"
)

func within(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s: %.4g, want %.4g ± %v %%", what, got, want, share*100)
	}
}

// At its rated point the pump gives 400 m³/h against 180 bar with 2.5 MW.
func TestPumpRatedPoint(t *testing.T) {
	l := production.NewStrip(1)
	l.Mode = production.Rolling
	p := NewPump(1, production.NewWorld(1), l)
	for range 600 {
		p.Step(0.1)
	}
	within(t, "flow", p.flow, 400, 0.05)
	within(t, "pressure", p.discharge, 180, 0.03)
	within(t, "power", p.power, 2500, 0.06)
	within(t, "current", p.current, 262, 0.08)
}

// The laws of a fan: pressure with the square, power with the cube of the speed.
func TestFanLaws(t *testing.T) {
	at := func(n float64) *Fan {
		f := NewFan(1, production.NewWorld(1), &production.Heats{Mode: "blow", Blow: 1e9})
		f.noise.draught.Sigma, f.noise.gas.Sigma, f.noise.co.Sigma = 0, 0, 0
		for range 3000 {
			f.speed, f.speedRef = n*fanRPM, n*fanRPM
			f.Step(0.1)
		}
		return f
	}
	full, half := at(1), at(0.5)
	within(t, "pressure at half speed", half.dp/full.dp, 0.25*sq(half.speed/fanRPM/0.5)/sq(full.speed/fanRPM), 0.02)
	within(t, "power at half speed", half.power/full.power, cube(half.speed/full.speed), 0.10)
}

func sq(x float64) float64   { return x * x }
func cube(x float64) float64 { return x * x * x }
