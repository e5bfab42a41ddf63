// Package bundletest makes small bundles for tests: real ones, whose network was
// drawn instead of trained.
package bundletest

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"millwright/models/autoencoder"
	"millwright/models/bundle"
	"millwright/models/detect"
)

// Options say what differs from bundle to bundle.
type Options struct {
	ID    string
	Asset string
	Class string
	Mode  string // "running" where empty
	Tags  []string
	Mean  []float64 // 0 where nil
	Scale []float64 // 1 where nil
	Grid  time.Duration
	Seed  uint64
}

// New makes a bundle of one mode, with a window of 8 rows. Its score of normal
// rows (mean 0, deviation 1 after scaling) is near 1, and its limit is far above
// that.
func New(t testing.TB, o Options) *bundle.Bundle {
	t.Helper()
	const window = 8
	draw := rand.New(rand.NewPCG(o.Seed, 1))
	n := len(o.Tags)
	layer := func(in, out int, linear bool) autoencoder.Layer {
		l := autoencoder.Layer{In: in, Out: out, Linear: linear, W: make([]float32, in*out), B: make([]float32, out)}
		for i := range l.W {
			l.W[i] = float32(draw.NormFloat64() * 0.02)
		}
		return l
	}
	width := window * n
	net := &autoencoder.Network{Window: window, Tags: n, Layers: []autoencoder.Layer{layer(width, 6, false), layer(6, width, true)}}
	run := autoencoder.NewRunner(net)
	sample := func() []float32 {
		w := make([]float32, width)
		for i := range w {
			w[i] = float32(draw.NormFloat64())
		}
		return w
	}
	var scores []float64
	for range 400 {
		s, _ := run.Score(sample())
		scores = append(scores, s)
	}
	mode := detect.TrainedMode{
		Mode: o.Mode, Tags: o.Tags, Mean: o.Mean, Scale: o.Scale, Reach: 10, Network: net,
		Law: detect.NewLaw(scores), Limit: 6,
	}
	if mode.Mode == "" {
		mode.Mode = "running"
	}
	if mode.Mean == nil {
		mode.Mean = make([]float64, n)
	}
	if mode.Scale == nil {
		for range n {
			mode.Scale = append(mode.Scale, 1)
		}
	}
	if o.Grid == 0 {
		o.Grid = time.Second
	}
	var golden bundle.Golden
	for range 16 {
		w := sample()
		s, _ := run.Score(w)
		golden.Windows, golden.Scores = append(golden.Windows, w), append(golden.Scores, s)
	}
	shown := make([]float64, len(scores))
	for i, s := range scores {
		shown[i] = min(1, mode.Law.Decades(s)/8)
	}
	b := &bundle.Bundle{
		Manifest: bundle.Manifest{
			ID: o.ID, Version: 1, Kind: "autoencoder", Asset: o.Asset, Class: o.Class, Window: window, Budget: 1,
			From: 1e18, To: 1e18 + int64(24*time.Hour), Rows: 86400, Hash: "00", Seed: o.Seed,
			Metrics: map[string]float64{"alarms_per_week": 0.5}, Scores: []bundle.Scores{bundle.NewScores(shown)},
			Author: "test", Created: 1e18, Software: "dev",
		},
		Trained: &detect.Trained{ID: o.ID, Asset: o.Asset, Grid: o.Grid, Modes: []detect.TrainedMode{mode}},
		Golden:  []bundle.Golden{golden},
		Report:  "# " + o.ID + "\n\n![loss](loss.svg)\n",
		Plots:   []bundle.Plot{{Name: "loss.svg", SVG: []byte("<svg/>")}},
	}
	for _, tag := range o.Tags {
		b.Tags = append(b.Tags, bundle.Tag{Path: tag, Unit: "mm/s"})
	}
	return b
}

// File is the bundle's file.
func File(t testing.TB, b *bundle.Bundle) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := bundle.Write(&out, b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
