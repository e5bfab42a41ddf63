package autoencoder

import "math"

// Runner runs one network. It is not safe for concurrent use.
type Runner struct {
	net  *Network
	a, b []float32 // activations
	back []float32 // last result
	err  []float64 // per tag
}

// NewRunner makes a runner of a network that Check has passed.
func NewRunner(n *Network) *Runner {
	width := 0
	for _, l := range n.Layers {
		width = max(width, l.Out)
	}
	return &Runner{net: n, a: make([]float32, width), b: make([]float32, width), err: make([]float64, n.Tags)}
}

// Forward returns what the network makes of a window of Window·Tags values. The
// result is valid until the next call.
func (r *Runner) Forward(window []float32) []float32 {
	in, out := window, r.a
	for i := range r.net.Layers {
		l := &r.net.Layers[i]
		for o := range l.Out {
			row := l.W[o*l.In : (o+1)*l.In]
			s := l.B[o]
			for j, w := range row {
				s += w * in[j]
			}
			if !l.Linear {
				s = float32(math.Tanh(float64(s)))
			}
			out[o] = s
		}
		in = out[:l.Out]
		if i%2 == 0 {
			out = r.b
		} else {
			out = r.a
		}
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
	for i, v := range back {
		d := float64(window[i] - v)
		r.err[i%tags] += d * d
	}
	for i := range r.err {
		score += r.err[i]
		r.err[i] /= float64(r.net.Window)
	}
	return score / float64(len(back)), r.err
}
