package vibration

import (
	"math"
	"slices"
	"syscall"
	"testing"
	"time"
)

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func bench(b *testing.B, s Signal) {
	dst := make([]float32, 65_536)
	b.ReportAllocs()
	from := cpu()
	for i := 0; b.Loop(); i++ {
		s.Burst(dst, 25_600, uint64(i))
	}
	b.ReportMetric(float64((cpu()-from).Nanoseconds())/float64(b.N)/65_536, "cpu-ns/sample")
}

func BenchmarkBurst(b *testing.B) {
	o := Bearing{Rollers: 19, Ratio: 0.13}.Orders()
	noise := Signal{Speed: 990, Noise: 0.5}
	b.Run("noise", func(b *testing.B) { bench(b, noise) })
	s := noise
	s.Shaft = []Line{{1, 0.25, 0}, {2, 0.1, 0}, {3, 0.1, 0}, {8.27, 0.1, 0}}
	b.Run("shaft4", func(b *testing.B) { bench(b, s) })
	s = noise
	s.Loose = 1
	s.Shaft = []Line{{1, 0.25, 0}}
	b.Run("loose", func(b *testing.B) { bench(b, s) })
	s = noise
	s.Mesh = []Mesh{{Teeth: 23, Amp: [3]float64{4, 2, 1}}}
	b.Run("mesh", func(b *testing.B) { bench(b, s) })
	s.Mesh = []Mesh{{Teeth: 23, Amp: [3]float64{4, 2, 1}, AM: 0.2, PM: 0.2, Crack: 0.5}}
	b.Run("mesh-crack", func(b *testing.B) { bench(b, s) })
	s = noise
	s.Impacts = []Impacts{o.OuterSpall(1, 990)}
	b.Run("outer", func(b *testing.B) { bench(b, s) })
	s = noise
	s.Flow = Flow{RMS: 1, Order: 7, Depth: 0.5}
	b.Run("flow", func(b *testing.B) { bench(b, s) })
	s = Signal{Speed: 990, Noise: 0.5, Shaft: []Line{{1, 0.25, 0}, {2, 0.1, 0}, {3, 0.1, 0}, {8.27, 0.1, 0}},
		Mesh:    []Mesh{{Teeth: 23, Amp: [3]float64{4, 2, 1}, AM: 0.2, PM: 0.2, Crack: 0.5}},
		Impacts: []Impacts{o.OuterSpall(1, 990), o.InnerSpall(0.5, 990), Tooth(0.5)}, Flow: Flow{RMS: 1, Order: 7, Depth: 0.5}, Loose: 0.5}
	b.Run("all", func(b *testing.B) { bench(b, s) })
}

// reference is an outer race spall at 990 r/min, 16.5 turns a second.
func reference(severity float64) Signal {
	spall := Bearing{Rollers: 19, Ratio: 0.13}.Orders().OuterSpall(severity, 990)
	spall.Spread = 0
	return Signal{Speed: 990, Noise: 0.5, Shaft: []Line{{1, 0.25, 0}}, Impacts: []Impacts{spall}}
}

// The same signal and seed give the same burst, another seed another one, and
// silence is silence.
func TestBurst(t *testing.T) {
	s := reference(0.4)
	s.Mesh = []Mesh{{Teeth: 23, Amp: [3]float64{1, 1, 1}, AM: 0.1, Crack: 0.5}}
	s.Flow, s.Loose = Flow{RMS: 1, Order: 7, Depth: 0.5}, 0.5
	a, b := burst(s, 1), burst(s, 1)
	if !slices.Equal(a, b) || slices.Equal(a, burst(s, 2)) {
		t.Error("a burst does not depend on its seed alone")
	}
	short := make([]float32, 1000)
	s.Burst(short, rate, 1)
	if !slices.Equal(short, a[:1000]) {
		t.Error("a short burst is not the beginning of a long one")
	}
	if silence := burst(Signal{Speed: 990}, 1); slices.ContainsFunc(silence, func(x float32) bool { return x != 0 }) {
		t.Error("silence is heard")
	}
	if Seed(1, "a", 1) == Seed(1, "a", 2) || Seed(1, "a", 1) == Seed(1, "b", 1) || Seed(1, "a", 1) == Seed(2, "a", 1) {
		t.Error("two bursts have the same seed")
	}
	loud := burst(Signal{Speed: 990, Shaft: []Line{{1, 900, 0}}}, 1)
	if high := slices.Max(loud); high != float32(full) || slices.Min(loud) != -high {
		t.Errorf("the accelerometer clips at %v m/s², want %v", high, full)
	}
	for _, n := range []float64{0, 1e-9, 1e9, math.Inf(1), math.NaN()} { // still there at any speed
		odd := s
		odd.Speed = n
		burst(odd, 1)
		odd.Features()
	}
}

func TestOrders(t *testing.T) {
	o := Bearing{Rollers: 19, Ratio: 0.13}.Orders()
	within(t, "outer race", o.Outer, 8.27, 0.002)
	within(t, "inner race", o.Inner, 10.74, 0.002)
	within(t, "roller", o.Roller, 3.78, 0.002)
	within(t, "cage", o.Cage, 0.435, 0.002)
	within(t, "cage times rollers", 19*o.Cage, o.Outer, 1e-12)
	tilted := Bearing{Rollers: 19, Ratio: 0.13, Angle: math.Pi / 3}.Orders()
	within(t, "outer race at 60°", tilted.Outer, 9.5*(1-0.065), 1e-12)
}
