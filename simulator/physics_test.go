package simulator

import (
	"math"
	"testing"
)

func within(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s: %.4g, want %.4g ± %v %%", what, got, want, share*100)
	}
}

// A schedule computed by hand: 1050 mm wide, 0.10 % carbon, 32 to 3.2 mm at 9 m/s.
func TestPassSchedule(t *testing.T) {
	total := 0.0
	f := func(stand string, entry, exit, temperature, rpm, force, torque, power float64) {
		t.Helper()
		p := pass{entry: entry, exit: exit, width: 1050, temperature: temperature, carbon: 0.10, hardness: 1, radius: 350,
			speed: 9 * 3.2 / exit}
		gotForce, gotTorque := p.solve()
		within(t, stand+" r/min", p.speed/(2*math.Pi*0.350)*60, rpm, 0.03)
		within(t, stand+" force MN", gotForce/1e6, force, 0.03)
		within(t, stand+" torque kN·m", gotTorque/1e3, torque, 0.03)
		gotPower := gotTorque * p.speed / 0.350 / 1e6
		within(t, stand+" power MW", gotPower, power, 0.03)
		total += gotPower
	}
	f("F1", 32, 19, 1010, 41, 17.1, 1051, 4.6)
	f("F2", 19, 11.6, 990, 68, 16.5, 774, 5.5)
	f("F3", 11.6, 7.6, 970, 103, 14.6, 511, 5.5)
	f("F4", 7.6, 5.3, 945, 148, 13.2, 357, 5.5)
	f("F5", 5.3, 3.95, 920, 199, 11.5, 245, 5.1)
	f("F6", 3.95, 3.2, 895, 246, 8.7, 142, 3.7)
	tonnes := 9 * 3600 * 1.050 * 0.0032 * 7.85 // an hour
	within(t, "train, kWh a tonne", total*1000/tonnes, 35, 0.03)

	hard := pass{entry: 11.6, exit: 7.6, width: 1050, temperature: 970, carbon: 0.10, hardness: 1.25, radius: 350, speed: 3.79}
	if force, _ := hard.solve(); force < 14.6e6*1.25 {
		t.Errorf("a hard grade takes %.3g N", force)
	}
	if force, torque := (&pass{entry: 5, exit: 6}).solve(); force != 0 || torque != 0 {
		t.Errorf("no draft takes %v N, %v N·m", force, torque)
	}
}

// Outer race spall at 990 r/min, white noise 0.5 m/s² and a shaft line of 0.25
// m/s², against features computed from simulated waveforms.
func TestSpallFeatures(t *testing.T) {
	f := func(s, rms, kurt, line float64) {
		t.Helper()
		gotRMS, gotKurt, gotLine := spall(s, 990).features(0.58)
		within(t, "r.m.s.", gotRMS, rms, 0.08)
		within(t, "kurtosis", gotKurt, kurt, 0.10)
		if math.Abs(gotLine-line) > 3 {
			t.Errorf("severity %v: envelope line %.1f dB, want %v", s, gotLine, line)
		}
	}
	f(0, 0.58, 3.0, 2)
	f(0.05, 0.59, 3.0, 17)
	f(0.10, 0.62, 3.1, 25)
	f(0.20, 0.73, 4.2, 30)
	f(0.40, 1.06, 7.2, 33)
	f(1.00, 2.30, 10.3, 34)
}

func TestVelocity(t *testing.T) {
	within(t, "1.73 mm/s at 16.5 Hz", velocity(0.179, 16.5), 1.73, 0.01)
	if velocity(1, 5) != 0 || velocity(1, 2000) != 0 {
		t.Error("the velocity sees beyond 10 to 1000 Hz")
	}
}

// At its rated point the pump gives 400 m³/h against 180 bar with 2.5 MW.
func TestPumpRatedPoint(t *testing.T) {
	l := newLine(1)
	l.mode = modeRolling
	p := newPump(1, l)
	w := newWorld(1)
	for range 600 {
		p.step(w, 0.1)
	}
	within(t, "flow", p.flow, 400, 0.05)
	within(t, "pressure", p.discharge, 180, 0.03)
	within(t, "power", p.power, 2500, 0.06)
	within(t, "current", p.current, 262, 0.08)
}

// The laws of a fan: pressure with the square, power with the cube of the speed.
func TestFanLaws(t *testing.T) {
	at := func(n float64) *fan {
		f := newFan(1)
		f.noise.draught.sigma, f.noise.gas.sigma, f.noise.co.sigma = 0, 0, 0
		w := newWorld(1)
		f.left = 1e9
		f.blow = 1e9
		for range 3000 {
			f.speed, f.speedRef = n*fanRPM, n*fanRPM
			f.step(w, 0.1)
		}
		return f
	}
	full, half := at(1), at(0.5)
	within(t, "pressure at half speed", half.dp/full.dp, 0.25*sq(half.speed/fanRPM/0.5)/sq(full.speed/fanRPM), 0.02)
	within(t, "power at half speed", half.power/full.power, cube(half.speed/full.speed), 0.10)
}

func sq(x float64) float64   { return x * x }
func cube(x float64) float64 { return x * x * x }

func TestDrift(t *testing.T) {
	r := stream(1, "test")
	for _, dt := range []float64{0.1, 1} {
		d := drift{sigma: 2, tau: 1}
		var sum, square float64
		const n = 200_000
		for range n {
			x := d.step(dt, r)
			sum += x
			square += x * x
		}
		within(t, "standard deviation", math.Sqrt(square/n-sq(sum/n)), 2, 0.03)
	}
}
