package simulator

import (
	"math"
	"testing"
	"time"
)

// Each sensor has an error of its own, from the seed and within its class; what is
// computed or set has none.
func TestCalibration(t *testing.T) {
	w := reference(t)
	errors := func(seed uint64) map[string][2]float64 {
		m, err := assemble(w, seed, 1, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string][2]float64{}
		for i := range m.channels {
			c := &m.channels[i]
			out[c.path] = [2]float64{c.zero, c.gain}
			if math.Abs(c.zero) > 2*c.Sigma || math.Abs(c.gain) > c.Rel {
				t.Errorf("%s: zero %v, gain %v beyond %v, %v", c.path, c.zero, c.gain, 2*c.Sigma, c.Rel)
			}
			if c.Sigma > 0 && c.zero == 0 || c.Rel > 0 && c.gain == 0 {
				t.Errorf("%s has no error", c.path)
			}
		}
		return out
	}
	one, again, two := errors(1), errors(1), errors(2)
	same, all := 0, 0
	for path, e := range one {
		if again[path] != e {
			t.Errorf("%s: %v and %v with one seed", path, e, again[path])
		}
		if e == [2]float64{} {
			continue
		}
		if all++; e == two[path] {
			same++
		}
	}
	if all < 1500 || same > 0 {
		t.Errorf("%d sensors have errors, %d of them the same with another seed", all, same)
	}
}

// A sensor reads wrong by its error, on the average of its noise, and a fault comes on
// top of that.
func TestErrorIsRead(t *testing.T) {
	m := cold(t, demo(t))
	c := m.channel("HSM/FM/F3/GBX/OIL_T")
	warm := 50.0
	c.Value, c.y = &warm, warm
	mean := func() float64 {
		sum, n := 0.0, 4000
		for i := range n {
			sum += c.measure(float64(i), 1)
		}
		return sum / float64(n)
	}
	c.zero, c.gain = 0.3, 0.002
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.02 {
			t.Errorf("%s reads %.3f, want %.3f", what, got, want)
		}
	}
	near("a sensor with an error", mean(), 50+0.3+0.1)
	*c.ails(sensorDrift) = 1
	near("the same with a fault", mean(), 50+0.3+0.1+0.05*(c.high-c.low))
}
