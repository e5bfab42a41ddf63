package autoencoder

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// someWindow holds scaled values as an edge pushes them.
func someWindow(seed uint64, n int) []float32 {
	rng := rand.New(rand.NewPCG(seed, 3))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// processorTime is user and system time of the process: on a shared machine the
// wall clock says little.
func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestFigureWindow is the network of the usual asset, 60 rows of 8 tags: the
// median of seven spans of processor time.
func TestFigureWindow(t *testing.T) {
	if os.Getenv("MILLWRIGHT_FIGURES") != "1" {
		t.Skip("MILLWRIGHT_FIGURES=1 measures")
	}
	r := NewRunner(random(1, 60, 8, 64, 16, 64))
	x := someWindow(1, 480)
	const each = 30_000
	var spans []float64
	for range 7 {
		before := processorTime(t)
		for range each {
			r.Score(x)
		}
		spans = append(spans, float64(processorTime(t)-before)/each/float64(time.Microsecond))
	}
	slices.Sort(spans)
	fmt.Printf("FIGURE users.ae_window_us %.2f us\n", spans[len(spans)/2])
}

func BenchmarkWindow(b *testing.B) {
	r := NewRunner(random(1, 60, 8, 64, 16, 64))
	x := someWindow(1, 480)
	b.ReportAllocs()
	for b.Loop() {
		r.Score(x)
	}
}

// BenchmarkLayer compares the ways to apply a layer.
func BenchmarkLayer(b *testing.B) {
	for _, s := range [][2]int{{480, 64}, {64, 480}, {64, 16}, {16, 64}, {32, 32}, {48, 48}} {
		l := &random(1, s[0], 1, s[1]).Layers[0]
		x, y := someWindow(1, s[0]), make([]float32, s[1])
		f := func(name string, apply func(out, in []float32)) {
			b.Run(fmt.Sprintf("%d-%d/%s", s[0], s[1], name), func(b *testing.B) {
				for b.Loop() {
					apply(y, x)
				}
			})
		}
		f("vector", l.vector)
		f("scalar", l.scalar)
		if hasDot4() {
			f("fused", l.fused)
		}
	}
}

func BenchmarkTanh(b *testing.B) {
	x := someWindow(1, 64)
	sum := float32(0)
	for b.Loop() {
		for _, v := range x {
			sum += tanh(v)
		}
	}
	if math.IsNaN(float64(sum)) {
		b.Fatal("no number")
	}
}
