package train

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"millwright/models/autoencoder"
)

// graph is a window autoencoder as gorgonia sees it: batch rows in, batch rows
// out, and the mean squared error between them.
//
// gorgonia has two traps. Registers are used again, so that Value() of a node in
// the middle may be that of another: every result is taken through Read. And
// inputs of equal shape without a name become one: every node that is made here
// gets a name of its own.
//
// A network is trained in float32. The same graph in float64 is the oracle for
// the edge's pass: what differs then is the edge's own rounding.
type graph[T float32 | float64] struct {
	g      *gorgonia.ExprGraph
	batch  int
	width  int // numbers in a window
	names  map[string]int
	in     *gorgonia.Node // batch × width
	want   *gorgonia.Node // batch × width
	weight []*gorgonia.Node
	bias   []*gorgonia.Node
	learn  gorgonia.Nodes // weights and biases, layer by layer

	out  gorgonia.Value // after a run
	loss gorgonia.Value // after a run

	vm      gorgonia.VM
	x, y    []T // what in and want hold
	xt, yt  *tensor.Dense
	trained bool // there are gradients
}

// newGraph builds the graph of a network, with gradients where it is to be
// trained. The weights are the network's; copyTo brings them back.
func newGraph[T float32 | float64](n *autoencoder.Network, batch int, training bool) (*graph[T], error) {
	g := &graph[T]{g: gorgonia.NewGraph(), batch: batch, width: n.Window * n.Tags, names: map[string]int{}, trained: training}
	g.x, g.y = make([]T, batch*g.width), make([]T, batch*g.width)
	g.xt = tensor.New(tensor.WithShape(batch, g.width), tensor.WithBacking(g.x))
	g.yt = tensor.New(tensor.WithShape(batch, g.width), tensor.WithBacking(g.y))
	g.in = g.matrix("in", batch, g.width)
	h := g.in
	var err error
	for i := range n.Layers {
		if h, err = g.layer(&n.Layers[i], i, h); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
	}
	gorgonia.Read(h, &g.out)
	if training {
		if err := g.error(h); err != nil {
			return nil, err
		}
		g.vm = gorgonia.NewTapeMachine(g.g, gorgonia.BindDualValues(g.learn...))
	} else {
		g.vm = gorgonia.NewTapeMachine(g.g)
	}
	return g, nil
}

// name hands out each name once.
func (g *graph[T]) name(s string) string {
	g.names[s]++
	if n := g.names[s]; n > 1 {
		return fmt.Sprintf("%s-%d", s, n)
	}
	return s
}

func (g *graph[T]) call(n *gorgonia.Node, err error, s string) (*gorgonia.Node, error) {
	if err != nil {
		return nil, err
	}
	gorgonia.WithName(g.name(s))(n)
	return n, nil
}

func (g *graph[T]) matrix(name string, rows, columns int) *gorgonia.Node {
	return gorgonia.NewMatrix(g.g, g.xt.Dtype(), gorgonia.WithShape(rows, columns), gorgonia.WithName(g.name(name)))
}

// layer adds a dense layer behind h.
func (g *graph[T]) layer(l *autoencoder.Layer, i int, h *gorgonia.Node) (*gorgonia.Node, error) {
	w := make([]T, l.In*l.Out) // In rows of Out, the other way round than the fused pass has them
	for o := range l.Out {
		for j := range l.In {
			w[j*l.Out+o] = T(l.W[o*l.In+j])
		}
	}
	b := make([]T, l.Out)
	for o, v := range l.B {
		b[o] = T(v)
	}
	weight := gorgonia.NewMatrix(g.g, g.xt.Dtype(), gorgonia.WithShape(l.In, l.Out), gorgonia.WithName(g.name(fmt.Sprint("weight", i))),
		gorgonia.WithValue(tensor.New(tensor.WithShape(l.In, l.Out), tensor.WithBacking(w))))
	bias := gorgonia.NewVector(g.g, g.xt.Dtype(), gorgonia.WithShape(l.Out), gorgonia.WithName(g.name(fmt.Sprint("bias", i))),
		gorgonia.WithValue(tensor.New(tensor.WithShape(l.Out), tensor.WithBacking(b))))
	g.weight, g.bias, g.learn = append(g.weight, weight), append(g.bias, bias), append(g.learn, weight, bias)
	n, err := gorgonia.Mul(h, weight)
	if n, err = g.call(n, err, fmt.Sprint("product", i)); err != nil {
		return nil, err
	}
	n, err = gorgonia.BroadcastAdd(n, bias, nil, []byte{0})
	if n, err = g.call(n, err, fmt.Sprint("sum", i)); err != nil {
		return nil, err
	}
	if l.Linear {
		return n, nil
	}
	n, err = gorgonia.Tanh(n)
	return g.call(n, err, fmt.Sprint("tanh", i))
}

// error adds the mean squared error and its gradients.
func (g *graph[T]) error(out *gorgonia.Node) error {
	g.want = g.matrix("want", g.batch, g.width)
	d, err := gorgonia.Sub(out, g.want)
	if d, err = g.call(d, err, "difference"); err != nil {
		return err
	}
	sq, err := gorgonia.Square(d)
	if sq, err = g.call(sq, err, "square"); err != nil {
		return err
	}
	loss, err := gorgonia.Mean(sq)
	if loss, err = g.call(loss, err, "loss"); err != nil {
		return err
	}
	gorgonia.Read(loss, &g.loss)
	_, err = gorgonia.Grad(loss, g.learn...)
	return err
}

// run sends what x (and y, in training) hold through the graph. The results are
// valid until done.
func (g *graph[T]) run() error {
	if err := gorgonia.Let(g.in, g.xt); err != nil {
		return err
	}
	if g.trained {
		if err := gorgonia.Let(g.want, g.yt); err != nil {
			return err
		}
	}
	return g.vm.RunAll()
}

// done makes the machine ready for the next run. Results must have been read.
func (g *graph[T]) done() { g.vm.Reset() }

// output is the network's answer of the last run, batch rows of width.
func (g *graph[T]) output() []T { return g.out.Data().([]T) }

// cost is the mean squared error of the last run.
func (g *graph[T]) cost() float64 { return float64(g.loss.Data().(T)) }

// copyTo writes the weights into the network, output-major.
func (g *graph[T]) copyTo(n *autoencoder.Network) {
	for i := range n.Layers {
		l := &n.Layers[i]
		w := g.weight[i].Value().Data().([]T) // values of learnables are their own
		for o := range l.Out {
			for j := range l.In {
				l.W[o*l.In+j] = float32(w[j*l.Out+o])
			}
		}
		for o, v := range g.bias[i].Value().Data().([]T) {
			l.B[o] = float32(v)
		}
	}
}

func (g *graph[T]) close() error { return g.vm.Close() }

// Hidden layers of the autoencoder (window·tags – 64 – 16 – 64 – window·tags).
var hidden = [...]int{64, 16, 64}

// newNetwork draws the weights of an untrained network (Glorot and Bengio).
func newNetwork(window, tags int, rng *rand.Rand) *autoencoder.Network {
	n := &autoencoder.Network{Window: window, Tags: tags}
	in := window * tags
	for i := range len(hidden) + 1 {
		out := window * tags
		if i < len(hidden) {
			out = hidden[i]
		}
		l := autoencoder.Layer{In: in, Out: out, W: make([]float32, in*out), B: make([]float32, out), Linear: i == len(hidden)}
		sd := math.Sqrt(2 / float64(in+out))
		for j := range l.W {
			l.W[j] = float32(sd * rng.NormFloat64())
		}
		n.Layers = append(n.Layers, l)
		in = out
	}
	return n
}
