package autoencoder

import "runtime"

// Runner runs one network: a fused pass over its layers without a graph and
// without an allocation. The same window gives the same bits on the same
// processor. It is not safe for concurrent use.
type Runner struct {
	net    *Network
	window []float32 // in memory of our own: its alignment decides the order of sums
	a, b   []float32 // activations
	back   []float32 // last result
	err    []float64 // per tag
}

// NewRunner makes a runner of a network that Check has passed. The network is
// shared, not copied: nobody may change it any more.
func NewRunner(n *Network) *Runner {
	width := 0
	for _, l := range n.Layers {
		width = max(width, l.Out)
	}
	return &Runner{
		net: n, window: make([]float32, n.Window*n.Tags),
		a: make([]float32, width), b: make([]float32, width), err: make([]float64, n.Tags),
	}
}

// Forward returns what the network makes of a window of Window·Tags values. The
// result is valid until the next call.
func (r *Runner) Forward(window []float32) []float32 {
	copy(r.window, window)
	in, out, spare := r.window, r.a, r.b
	for i := range r.net.Layers {
		l := &r.net.Layers[i]
		out = out[:l.Out]
		l.apply(out, in)
		if !l.Linear {
			for j, v := range out {
				out[j] = tanh(v)
			}
		}
		in, out, spare = out, spare[:cap(spare)], out[:cap(out)]
	}
	r.back = in
	return in
}

// Rebuilt is what the last Forward or Score made of its window; valid until the
// next one.
func (r *Runner) Rebuilt() []float32 { return r.back }

// Score is the mean squared error over the window, and per tag over its rows
// (valid until the next call).
func (r *Runner) Score(window []float32) (score float64, perTag []float64) {
	back := r.Forward(window)
	clear(r.err)
	tags := r.net.Tags
	for i := 0; i < len(back); i += tags {
		was, is := r.window[i:i+tags], back[i:i+tags]
		for j := range r.err {
			d := float64(was[j] - is[j])
			r.err[j] += d * d
		}
	}
	for i := range r.err {
		score += r.err[i]
		r.err[i] /= float64(r.net.Window)
	}
	return score / float64(len(back)), r.err
}

// Row widths from which on dot4 is faster than Go, and gonum's dot product, which
// is assembly on amd64 only, where the processor lacks dot4.
const (
	wide  = 8
	wider = 32
)

// apply is out = W·in + B.
func (l *Layer) apply(out, in []float32) {
	switch {
	case l.In >= wide && hasDot4():
		l.fused(out, in)
	case l.In >= wider && runtime.GOARCH == "amd64":
		l.vector(out, in)
	default:
		l.scalar(out, in)
	}
}
