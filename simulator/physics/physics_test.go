package physics

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
		p := Pass{Entry: entry, Exit: exit, Width: 1050, Temperature: temperature, Carbon: 0.10, Hardness: 1, Radius: 350,
			Speed: 9 * 3.2 / exit}
		gotForce, gotTorque := p.Solve()
		within(t, stand+" r/min", p.Speed/(2*math.Pi*0.350)*60, rpm, 0.02)
		within(t, stand+" force MN", gotForce/1e6, force, 0.02)
		within(t, stand+" torque kN·m", gotTorque/1e3, torque, 0.02)
		gotPower := gotTorque * p.Speed / 0.350 / 1e6
		within(t, stand+" power MW", gotPower, power, 0.02)
		total += gotPower
	}
	f("F1", 32, 19, 1010, 41, 17.1, 1051, 4.6)
	f("F2", 19, 11.6, 990, 68, 16.5, 774, 5.5)
	f("F3", 11.6, 7.6, 970, 103, 14.6, 511, 5.5)
	f("F4", 7.6, 5.3, 945, 148, 13.2, 357, 5.5)
	f("F5", 5.3, 3.95, 920, 199, 11.5, 245, 5.1)
	f("F6", 3.95, 3.2, 895, 246, 8.7, 142, 3.7)
	tonnes := 9 * 3600 * 1.050 * 0.0032 * 7.85 // an hour
	within(t, "train, t/h", tonnes, 854, 0.02)
	within(t, "train, MW", total, 29.8, 0.02)
	within(t, "train, kWh a tonne", total*1000/tonnes, 35, 0.02)

	hard := Pass{Entry: 11.6, Exit: 7.6, Width: 1050, Temperature: 970, Carbon: 0.10, Hardness: 1.25, Radius: 350, Speed: 3.79}
	if force, _ := hard.Solve(); force < 14.6e6*1.25 {
		t.Errorf("a hard grade takes %.3g N", force)
	}
	if force, torque := (&Pass{Entry: 5, Exit: 6}).Solve(); force != 0 || torque != 0 {
		t.Errorf("no draft takes %v N, %v N·m", force, torque)
	}
}

func TestDrift(t *testing.T) {
	r := Stream(1, "test")
	for _, dt := range []float64{0.1, 1} {
		d := Drift{Sigma: 2, Tau: 1}
		var sum, square float64
		const n = 200_000
		for range n {
			x := d.Step(dt, r)
			sum += x
			square += x * x
		}
		within(t, "standard deviation", math.Sqrt(square/n-(sum/n)*(sum/n)), 2, 0.03)
	}
}
