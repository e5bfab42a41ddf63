package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gorgonia.org/gorgonia"

	"millwright/models/autoencoder"
)

// How a network is trained.
const (
	batchRows   = 128      // windows in a step
	epochRows   = 32 << 10 // windows in an epoch, at most
	stopRows    = 8 << 10  // windows that say when to stop, at most
	patience    = 3        // epochs without gain that end a rate
	gain        = 0.995    // of the best loss so far
	defaultRuns = 60       // epochs, at most
)

// rates of learning, one after the other.
var rates = [...]float64{3e-3, 1e-3, 3e-4}

// Epoch is a point of a loss curve.
type Epoch struct {
	Loss       float64 // mean squared error of the fitted windows
	Validation float64 // of the windows that say when to stop
}

// material is what a mode's networks are trained on.
type material struct {
	z      []float32 // rows × tags, scaled
	tags   int
	window int
	fit    []int32 // first rows of windows
	stop   []int32
}

// starts are the first rows of the whole windows in pieces.
func starts(r *rows, in []piece, window int) []int32 {
	var out []int32
	for _, p := range in {
		if p.from == p.to {
			continue
		}
		r.runs(p.from, p.to, func(from, to int) {
			for at := from; at+window <= to; at++ {
				out = append(out, int32(at))
			}
		})
	}
	return out
}

// even picks at most n of the starts, evenly spread.
func even(s []int32, n int) []int32 {
	if len(s) <= n {
		return s
	}
	out := make([]int32, n)
	for i := range out {
		out[i] = s[i*len(s)/n]
	}
	return out
}

func (m *material) at(start int32) []float32 {
	return m.z[int(start)*m.tags : (int(start)+m.window)*m.tags]
}

// loss is the mean squared error over windows, by the fused pass.
func (m *material) loss(n *autoencoder.Network, windows []int32) float64 {
	run := autoencoder.NewRunner(n)
	sum := 0.0
	for _, s := range windows {
		score, _ := run.Score(m.at(s))
		sum += score
	}
	return sum / float64(len(windows))
}

// train trains one network until the stop windows gain no more. told hears of every
// epoch.
func (m *material) train(ctx context.Context, seed uint64, epochs int, told func(Epoch)) (*autoencoder.Network, []Epoch, error) {
	rng := rand.New(rand.NewPCG(seed, 0x6d696c6c))
	best := newNetwork(m.window, m.tags, rng)
	stop := even(m.stop, stopRows)
	order := slices.Clone(m.fit)
	lowest := math.Inf(1)
	var curve []Epoch
	for _, rate := range rates {
		g, err := newGraph[float32](best, min(batchRows, len(order)), true)
		if err != nil {
			return nil, nil, err
		}
		now := clone(best)
		adam := solver(rate)
		for idle := 0; idle < patience && len(curve) < epochs; {
			loss, err := m.epoch(ctx, g, adam, order, rng)
			if err != nil {
				_ = g.close()
				return nil, nil, err
			}
			g.copyTo(now)
			e := Epoch{Loss: loss, Validation: m.loss(now, stop)}
			if math.IsNaN(e.Loss) || math.IsNaN(e.Validation) || math.IsInf(e.Validation, 0) {
				_ = g.close()
				return nil, nil, fmt.Errorf("the training diverged in epoch %d: try another seed", len(curve)+1)
			}
			idle++
			if e.Validation < gain*lowest {
				idle = 0
			}
			if e.Validation < lowest {
				lowest = e.Validation
				best, now = now, best
			}
			curve = append(curve, e)
			told(e)
		}
		if err := g.close(); err != nil {
			return nil, nil, err
		}
	}
	return best, curve, nil
}

// epoch sends windows through the graph once, in an order of its own.
func (m *material) epoch(ctx context.Context, g *graph[float32], adam gorgonia.Solver, order []int32, rng *rand.Rand) (float64, error) {
	rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	sum, steps := 0.0, 0
	for at := 0; at+g.batch <= min(len(order), epochRows); at += g.batch {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		for i, s := range order[at : at+g.batch] {
			copy(g.x[i*g.width:(i+1)*g.width], m.at(s))
		}
		copy(g.y, g.x)
		if err := g.run(); err != nil {
			return 0, err
		}
		sum += g.cost()
		steps++
		if err := adam.Step(gorgonia.NodesToValueGrads(g.learn)); err != nil {
			return 0, err
		}
		g.done()
	}
	return sum / float64(steps), nil
}

func clone(n *autoencoder.Network) *autoencoder.Network {
	c := *n
	c.Layers = slices.Clone(n.Layers)
	for i := range c.Layers {
		l := &c.Layers[i]
		l.W, l.B = slices.Clone(l.W), slices.Clone(l.B)
	}
	return &c
}

// The edge's pass must give what the graph gives, to agreement, for probes random
// windows and as many real ones.
const (
	agreement = 1e-6
	probes    = 100
)

// agree compares the graph of a network with the pass of the edge over it as it
// travels, and returns the largest difference.
func (m *material) agree(n *autoencoder.Network, real []int32, seed uint64) (float64, error) {
	b, err := n.MarshalBinary()
	if err != nil {
		return 0, err
	}
	edge := &autoencoder.Network{}
	if err := edge.UnmarshalBinary(b); err != nil {
		return 0, err
	}
	return m.differ(n, edge, real, seed)
}

func (m *material) differ(n, edge *autoencoder.Network, real []int32, seed uint64) (float64, error) {
	real = even(real, probes)
	g, err := newGraph[float64](n, probes+len(real), false)
	if err != nil {
		return 0, err
	}
	defer g.close()
	rng := rand.New(rand.NewPCG(seed, 0x7465_7374))
	x := make([]float32, 0, g.batch*g.width)
	for range probes * g.width {
		x = append(x, float32(min(reach, max(-reach, rng.NormFloat64()))))
	}
	for _, s := range real {
		x = append(x, m.at(s)...)
	}
	for i, v := range x {
		g.x[i] = float64(v)
	}
	if err := g.run(); err != nil {
		return 0, err
	}
	defer g.done()
	run := autoencoder.NewRunner(edge)
	out := g.output()
	worst := 0.0
	for i := range g.batch {
		for j, v := range run.Forward(x[i*g.width : (i+1)*g.width]) {
			d := math.Abs(float64(v) - out[i*g.width+j])
			if math.IsNaN(d) {
				return d, errors.New("the network gives what is no number")
			}
			worst = max(worst, d)
		}
	}
	if worst > agreement {
		return worst, fmt.Errorf("the edge's pass differs from the trained graph by %.2g, allowed are %.0g", worst, agreement)
	}
	return worst, nil
}

func newRNG(seed, purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, purpose)) }
