package train

import (
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"

	"millwright/models/autoencoder"
)

func small(t *testing.T, layers ...autoencoder.Layer) (*autoencoder.Network, *rand.Rand) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	n := &autoencoder.Network{Window: 3, Tags: 2, Layers: layers}
	for i := range n.Layers {
		l := &n.Layers[i]
		l.W, l.B = make([]float32, l.In*l.Out), make([]float32, l.Out)
		for j := range l.W {
			l.W[j] = float32(0.5 * rng.NormFloat64())
		}
		for j := range l.B {
			l.B[j] = float32(0.5 * rng.NormFloat64())
		}
	}
	return n, rng
}

// TestGradients holds the gradients of each kind of layer against central
// differences, in the second step as well: a machine that is not reset adds them
// up.
func TestGradients(t *testing.T) {
	f := func(name string, layers ...autoencoder.Layer) {
		t.Helper()
		n, rng := small(t, layers...)
		const batch = 4
		g, err := newGraph[float32](n, batch, true)
		if err != nil {
			t.Fatal(err)
		}
		defer g.close()
		for range 2 {
			for i := range g.x {
				g.x[i], g.y[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
			}
			if err := g.run(); err != nil {
				t.Fatal(err)
			}
			var got [][]float64
			for _, l := range g.learn {
				v, err := l.Grad()
				if err != nil {
					t.Fatal(err)
				}
				var ds []float64
				for _, d := range v.Data().([]float32) {
					ds = append(ds, float64(d))
				}
				got = append(got, ds)
			}
			loss := g.cost()
			g.done()
			if want := loss64(n, g.x, g.y, batch); math.Abs(loss-want) > 1e-5 {
				t.Errorf("%s: loss %v, want %v", name, loss, want)
			}
			for i := range n.Layers {
				l := &n.Layers[i]
				check := func(what string, w *float32, got float64) {
					t.Helper()
					was := *w
					const h = 1.0 / 1024
					*w = was + h
					up := loss64(n, g.x, g.y, batch)
					*w = was - h
					down := loss64(n, g.x, g.y, batch)
					*w = was
					if want := (up - down) / (2 * h); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
						t.Errorf("%s: gradient of %s in layer %d is %v, want %v", name, what, i, got, want)
					}
				}
				for o := range l.Out {
					for j := range l.In {
						check("a weight", &l.W[o*l.In+j], got[2*i][j*l.Out+o])
					}
					check("a bias", &l.B[o], got[2*i+1][o])
				}
			}
			if err := solver(1e-3).Step(gorgonia.NodesToValueGrads(g.learn)); err != nil {
				t.Fatal(err)
			}
			g.copyTo(n)
		}
	}
	f("linear", autoencoder.Layer{In: 6, Out: 6, Linear: true})
	f("tanh", autoencoder.Layer{In: 6, Out: 6})
	f("both", autoencoder.Layer{In: 6, Out: 4}, autoencoder.Layer{In: 4, Out: 6, Linear: true})
	f("as we use it", autoencoder.Layer{In: 6, Out: 4}, autoencoder.Layer{In: 4, Out: 2}, autoencoder.Layer{In: 2, Out: 4}, autoencoder.Layer{In: 4, Out: 6, Linear: true})
}

// loss64 is the mean squared error in double precision, by another way than the
// graph's.
func loss64(n *autoencoder.Network, x, y []float32, batch int) float64 {
	sum, width := 0.0, n.Window*n.Tags
	for b := range batch {
		h := make([]float64, width)
		for i := range h {
			h[i] = float64(x[b*width+i])
		}
		for _, l := range n.Layers {
			next := make([]float64, l.Out)
			for o := range next {
				next[o] = float64(l.B[o])
				for j, v := range h {
					next[o] += float64(l.W[o*l.In+j]) * v
				}
				if !l.Linear {
					next[o] = math.Tanh(next[o])
				}
			}
			h = next
		}
		for i, v := range h {
			d := v - float64(y[b*width+i])
			sum += d * d
		}
	}
	return sum / float64(batch*width)
}

// TestNames walks the graph: nodes without a name, or with one that another has,
// may be taken for each other.
func TestNames(t *testing.T) {
	n := newNetwork(4, 3, rand.New(rand.NewPCG(1, 2)))
	g, err := newGraph[float32](n, 8, true)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	seen := map[string]bool{}
	for _, n := range g.g.AllNodes() {
		name := n.Name()
		if name == "" || seen[name] {
			t.Errorf("a node is called %q, as is another or none", name)
		}
		seen[name] = true
	}
	for _, want := range []string{"in", "want", "loss", "weight0", "bias0", "weight3", "bias3", "tanh0", "product3", "sum3", "square"} {
		if !seen[want] {
			t.Errorf("no node is called %s", want)
		}
	}
	if seen["tanh3"] {
		t.Error("the last layer is not linear")
	}
}
