package vibration

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

// Outer race spall at 990 r/min, white noise 0.5 m/s² and a shaft line of 0.25
// m/s², against features computed from simulated waveforms.
func TestSpallFeatures(t *testing.T) {
	f := func(s, rms, kurt, line float64) {
		t.Helper()
		gotRMS, gotKurt, gotLine := Spall(s, 990).Features(0.58)
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
	within(t, "1.73 mm/s at 16.5 Hz", Velocity(0.179, 16.5), 1.73, 0.01)
	if Velocity(1, 5) != 0 || Velocity(1, 2000) != 0 {
		t.Error("the velocity sees beyond 10 to 1000 Hz")
	}
}
