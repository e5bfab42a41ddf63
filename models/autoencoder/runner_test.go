package autoencoder

import (
	"math"
	"testing"
)

// exact is the network in float64, as the textbook has it.
func exact(n *Network, window []float32) []float64 {
	in := make([]float64, len(window))
	for i, v := range window {
		in[i] = float64(v)
	}
	for _, l := range n.Layers {
		out := make([]float64, l.Out)
		for o := range out {
			s := float64(l.B[o])
			for j, x := range in {
				s += float64(l.W[o*l.In+j]) * x
			}
			if !l.Linear {
				s = math.Tanh(s)
			}
			out[o] = s
		}
		in = out
	}
	return in
}

var shapes = []struct {
	window, tags int
	hidden       []int
}{
	{60, 8, []int{64, 16, 64}},
	{60, 3, []int{24, 5, 24}},
	{20, 1, []int{7}},
	{1, 1, nil},
	{16, 3, []int{48, 47, 49, 1, 3}},
	{512, 5, []int{130, 2, 61}},
	{2, 64, []int{128}},
}

// near reports whether got is within 1e-6 of want, relative to the largest of the
// numbers that it stands among.
func near(got float32, want, scale float64) bool {
	return math.Abs(float64(got)-want) <= 1e-6*max(1, scale)
}

func TestForwardIsExact(t *testing.T) {
	for i, s := range shapes {
		n := random(uint64(i), s.window, s.tags, s.hidden...)
		r := NewRunner(n)
		for seed := range uint64(40) {
			x := someWindow(seed, s.window*s.tags)
			want := exact(n, x)
			scale := 0.0
			for _, v := range want {
				scale = max(scale, math.Abs(v))
			}
			got := r.Forward(x)
			if len(got) != len(want) {
				t.Fatalf("%+v: %d numbers, want %d", s, len(got), len(want))
			}
			for j := range got {
				if !near(got[j], want[j], scale) {
					t.Fatalf("%+v window %d: number %d is %v, want %v", s, seed, j, got[j], want[j])
				}
			}
		}
	}
}

// TestKernelsAgree holds all ways to apply a layer against float64, whichever
// of them this processor uses.
func TestKernelsAgree(t *testing.T) {
	for in := 1; in <= 70; in++ {
		for _, out := range []int{1, 2, 3, 4, 5, 9, 64} {
			l := &random(uint64(in), in, 1, out).Layers[0]
			x := someWindow(uint64(out), in)
			linear := *l
			linear.Linear = true
			want := exact(&Network{Layers: []Layer{linear}}, x)
			f := func(name string, apply func(out, in []float32)) {
				got := make([]float32, out)
				for i := range got {
					got[i] = 99 // what was there before
				}
				apply(got, x)
				for i := range got {
					if !near(got[i], want[i], 4) {
						t.Fatalf("%s %d-%d: number %d is %v, want %v", name, in, out, i, got[i], want[i])
					}
				}
			}
			f("vector", l.vector)
			f("scalar", l.scalar)
			if in >= wide && hasDot4() {
				f("fused", l.fused)
			}
		}
	}
}

func TestScoreIsTheMeanSquaredError(t *testing.T) {
	n := random(5, 20, 3, 9)
	r := NewRunner(n)
	x := someWindow(1, 60)
	back := exact(n, x)
	want, tags := 0.0, make([]float64, 3)
	for i := range x {
		d := (float64(x[i]) - back[i]) * (float64(x[i]) - back[i])
		want += d / 60
		tags[i%3] += d / 20
	}
	got, perTag := r.Score(x)
	if math.Abs(got-want) > 1e-6*want {
		t.Errorf("score %v, want %v", got, want)
	}
	for i := range tags {
		if math.Abs(perTag[i]-tags[i]) > 1e-6*want {
			t.Errorf("tag %d: %v, want %v", i, perTag[i], tags[i])
		}
	}
	for i, v := range r.Rebuilt() {
		if !near(v, back[i], 4) {
			t.Fatalf("number %d rebuilt as %v, want %v", i, v, back[i])
		}
	}
}

// TestSameWindowSameBits moves a window through memory, where assembly would
// begin its sums at another place.
func TestSameWindowSameBits(t *testing.T) {
	n := random(1, 60, 3, 50)
	want, _ := NewRunner(n).Score(someWindow(1, 180))
	for shift := range 8 {
		held := make([]float32, 180+shift)
		copy(held[shift:], someWindow(1, 180))
		if got, _ := NewRunner(n).Score(held[shift:]); got != want {
			t.Errorf("%d floats on: %v, want %v", shift, got, want)
		}
	}
}

func TestTanh(t *testing.T) {
	worst := 0.0
	check := func(v float32) {
		got, want := float64(tanh(v)), math.Tanh(float64(v))
		worst = max(worst, math.Abs(got-want))
		if math.Abs(got) > 1 || math.Abs(got-want) > 1e-7 || math.Abs(got-want) > 1e-6*math.Abs(want) {
			t.Fatalf("tanh(%v) = %v, want %v", v, got, want)
		}
	}
	for bits := uint32(0); bits < 0x7f800000; bits += 1009 { // every magnitude
		v := math.Float32frombits(bits)
		check(v)
		check(-v)
	}
	for v := float32(-10); v < 10; v += 1e-5 {
		check(v)
	}
	check(float32(math.Inf(1)))
	check(float32(math.Inf(-1)))
	if v := tanh(float32(math.NaN())); v == v {
		t.Errorf("tanh of no number is %v", v)
	}
	t.Logf("largest error %.1e", worst)
}

// TestNoNumberStaysNone: what is not a number must reach the score, so that the
// model is dropped.
func TestNoNumberStaysNone(t *testing.T) {
	r := NewRunner(random(1, 60, 8, 64, 16, 64))
	x := someWindow(1, 480)
	x[77] = float32(math.NaN())
	if s, _ := r.Score(x); !math.IsNaN(s) {
		t.Errorf("score %v", s)
	}
	if s, _ := r.Score(someWindow(1, 480)); math.IsNaN(s) {
		t.Error("it stays after the window")
	}
}

func TestScoreAllocatesNothing(t *testing.T) {
	for _, s := range shapes {
		r := NewRunner(random(1, s.window, s.tags, s.hidden...))
		x := someWindow(1, s.window*s.tags)
		if n := testing.AllocsPerRun(50, func() { r.Score(x) }); n > 0 {
			t.Errorf("%+v: %v allocations", s, n)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	f := func(change func(*Network)) {
		t.Helper()
		n := random(1, 6, 2, 4)
		if err := n.Check(); err != nil {
			t.Fatal(err)
		}
		change(n)
		if err := n.Check(); err == nil {
			t.Errorf("passed: %+v", n)
		}
	}
	f(func(n *Network) { n.Window = 0 })
	f(func(n *Network) { n.Window = MaxWindow + 1 })
	f(func(n *Network) { n.Tags = MaxTags + 1 })
	f(func(n *Network) { n.Tags = 3 })
	f(func(n *Network) { n.Layers = nil })
	f(func(n *Network) { n.Layers = n.Layers[:1] })
	f(func(n *Network) { n.Layers[0].Out = -1 })
	f(func(n *Network) { n.Layers[1].In = 5 })
	f(func(n *Network) { n.Layers[1].B = nil })
	f(func(n *Network) { n.Layers[0].W[3] = float32(math.Inf(1)) })
	f(func(n *Network) { n.Layers[0].B[3] = float32(math.NaN()) })
}
