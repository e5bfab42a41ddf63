// Package autoencoder runs window autoencoders on the edge: a fused forward pass
// without a graph and without an allocation. models/train trains them; its graph
// is the oracle that the tests hold this pass against.
package autoencoder

import (
	"errors"
	"fmt"
	"math"
)

// Layer is a dense layer: out = W·in + B, then tanh unless it is linear.
type Layer struct {
	In, Out int
	W       []float32 // Out rows of In weights
	B       []float32 // Out
	Linear  bool
}

// Network maps a window of Window rows of Tags scaled values (oldest row first,
// row after row) to what it would look like if all were normal. What it cannot
// rebuild is the anomaly.
type Network struct {
	Window, Tags int
	Layers       []Layer
}

// Bounds of a network that an edge takes.
const (
	MaxWindow  = 512
	MaxTags    = 64
	MaxWeights = 4 << 20

	maxLayers = 16
	maxWidth  = MaxWindow * MaxTags
)

// ErrNetwork is the reason of every refused network.
var ErrNetwork = errors.New("network")

// Check says what is wrong with the network, or nil: sizes that do not fit each
// other or the bounds, and weights that are not finite.
func (n *Network) Check() error {
	if n.Window < 1 || n.Window > MaxWindow || n.Tags < 1 || n.Tags > MaxTags {
		return fmt.Errorf("%w: window of %d rows and %d tags; at most %d and %d", ErrNetwork, n.Window, n.Tags, MaxWindow, MaxTags)
	}
	if len(n.Layers) == 0 || len(n.Layers) > maxLayers {
		return fmt.Errorf("%w: %d layers; 1 to %d", ErrNetwork, len(n.Layers), maxLayers)
	}
	width, weights := n.Window*n.Tags, 0
	for i, l := range n.Layers {
		if l.In != width || l.Out < 1 || l.Out > maxWidth || len(l.B) != l.Out || len(l.W) != l.In*l.Out {
			return fmt.Errorf("%w: layer %d does not fit", ErrNetwork, i)
		}
		weights += len(l.W)
		width = l.Out
		for _, v := range [][]float32{l.W, l.B} {
			for _, x := range v {
				if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
					return fmt.Errorf("%w: layer %d has a weight that is not finite", ErrNetwork, i)
				}
			}
		}
	}
	if width != n.Window*n.Tags {
		return fmt.Errorf("%w: gives %d numbers for %d", ErrNetwork, width, n.Window*n.Tags)
	}
	if weights > MaxWeights {
		return fmt.Errorf("%w: %d weights; at most %d", ErrNetwork, weights, MaxWeights)
	}
	return nil
}
