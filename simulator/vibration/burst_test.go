package vibration

import (
	"math"
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

// Features in closed form are those of the bursts.
func TestFeatures(t *testing.T) {
	dst := make([]float32, 65_536)
	for _, severity := range []float64{0, 0.05, 0.1, 0.2, 0.4, 1} {
		s := reference(severity)
		var s2, s4 float64
		const bursts = 4
		for seed := range uint64(bursts) {
			s.Burst(dst, 25_600, seed)
			for _, v := range dst {
				x := float64(v) * float64(v)
				s2 += x
				s4 += x * x
			}
		}
		s2 /= bursts * 65_536
		s4 /= bursts * 65_536
		f := s.Features()
		within(t, "r.m.s.", math.Sqrt(s2), f.RMS, 0.02)
		within(t, "kurtosis", s4/(s2*s2), f.Kurtosis, 0.05)
	}
}
