package train

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"millwright/models/autoencoder"
	"millwright/models/bundle"
	"millwright/models/detect"
)

// smallWork is how many multiplications an epoch may have for three networks
// instead of one. It is no time, so that the same data give the same model on a
// slow machine.
const smallWork = 1e9

// mode is what became of one mode.
type mode struct {
	name        string
	rows        *rows
	scaling     *scaling
	material    *material
	held        []int32 // windows that calibrate
	network     *autoencoder.Network
	curves      [][]Epoch
	kept        int // of the curves
	calibration *calibration
	agree       float64 // largest difference between the edge's pass and the graph
}

// nets is how many networks a mode is given.
func (m *material) nets(asked int) int {
	weights := 0
	for _, l := range newNetwork(m.window, m.tags, newRNG(0, 0)).Layers {
		weights += len(l.W)
	}
	switch {
	case asked > 0:
		return asked
	case float64(min(len(m.fit), epochRows))*float64(weights) < smallWork:
		return 3
	}
	return 1
}

// train fits, calibrates and proves mode no of so many.
func (d *dataset) train(ctx context.Context, o *Options, name string, window, no, modes int) (*mode, error) {
	r := d.rows[name]
	fit, calibration, stop := r.split()
	s, err := scalingOf(r, fit, d.watched)
	if err != nil {
		return nil, err
	}
	m := &material{z: s.apply(r), tags: len(s.tags), window: window, fit: starts(r, fit, window), stop: starts(r, []piece{stop}, window)}
	s.loosen(m.z, r, 3*window, newRNG(o.Seed, 0x6c6f6f73))
	md := &mode{name: name, rows: r, scaling: s, material: m, held: starts(r, calibration, window)}
	if err := md.try(ctx, o, no, modes); err != nil {
		return nil, err
	}
	o.Progress(Progress{Stage: Calibrating, Mode: name, Done: float64(no+1) / float64(modes)})
	if md.agree, err = m.agree(md.network, md.held, o.Seed); err != nil {
		return nil, err
	}
	md.calibration = m.calibrate(md.network, r, calibration, o.Budget, d.grid.Seconds())
	if n := len(md.calibration.maxima); n < leastBlocks {
		return nil, fmt.Errorf("%w: %d blocks of %.0f s calibrate, needed are %d", ErrTooLittle, n, md.calibration.block, leastBlocks)
	}
	return md, nil
}

// try trains some networks and keeps the median one.
func (md *mode) try(ctx context.Context, o *Options, no, modes int) error {
	type attempt struct {
		no      int
		network *autoencoder.Network
		loss    float64
	}
	m := md.material
	nets := m.nets(o.Nets)
	var tries []attempt
	begin := time.Now() // for people
	for k := range nets {
		epoch := 0
		network, curve, err := m.train(ctx, o.Seed+uint64(k)<<32, o.Epochs, func(e Epoch) {
			epoch++
			at, of := k*o.Epochs+epoch, nets*o.Epochs
			each := time.Since(begin) / time.Duration(k*o.Epochs+epoch)
			o.Progress(Progress{Stage: Fitting, Mode: md.name, Net: k + 1, Nets: nets, Epoch: epoch, Epochs: o.Epochs, Losses: e,
				Done: (float64(no) + float64(at)/float64(of)) / float64(modes), Left: each * time.Duration(of-at+(modes-no-1)*of)})
		})
		if err != nil {
			return err
		}
		md.curves = append(md.curves, curve)
		tries = append(tries, attempt{k, network, m.loss(network, even(m.stop, stopRows))})
	}
	slices.SortStableFunc(tries, func(a, b attempt) int { return cmp.Compare(a.loss, b.loss) })
	median := tries[len(tries)/2]
	md.network, md.kept = median.network, median.no
	return nil
}

// trained is the mode as the edge runs it.
func (md *mode) trained(d *dataset) detect.TrainedMode {
	t := detect.TrainedMode{Mode: md.name, Mean: md.scaling.mean, Scale: md.scaling.scale, Reach: reach, Network: md.network,
		Law: md.calibration.law, Limit: md.calibration.limit, Guess: md.calibration.guess}
	for _, i := range md.scaling.tags {
		t.Tags = append(t.Tags, d.watched[i].Path)
	}
	return t
}

// goldenWindows are what a device replays.
const goldenWindows = 32

// golden windows: real ones, evenly spread over what calibrated.
func (md *mode) golden() bundle.Golden {
	var g bundle.Golden
	run := autoencoder.NewRunner(md.network)
	for _, s := range even(md.held, goldenWindows) {
		w := slices.Clone(md.material.at(s))
		score, _ := run.Score(w)
		g.Windows = append(g.Windows, w)
		g.Scores = append(g.Scores, score)
	}
	return g
}

// scores of the calibration as the edge tells them, for its watch over drift.
func (md *mode) scores() bundle.Scores {
	out := make([]float64, len(md.calibration.decades))
	for i, d := range md.calibration.decades {
		out[i] = min(1, d/topDecades)
	}
	return bundle.NewScores(out)
}
