package train

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"millwright/models/autoencoder"
	"millwright/models/bundle"
	"millwright/plant"
)

// TestSameDataSameModel trains twice: every byte of the bundle is the same. It
// holds what a bundle must have, and a report with its pictures.
func TestSameDataSameModel(t *testing.T) {
	once := func(seed uint64) ([]byte, *Result) {
		o := quick(benchPast(1, benchTime()), benchAsset)
		o.Seed, o.Epochs, o.Nets = seed, 2, 3
		if raceDetector {
			o.Epochs, o.Nets = 1, 1
		}
		r := run(t, o)
		var b bytes.Buffer
		if err := bundle.Write(&b, r.Bundle(1, "somebody", "test", begin)); err != nil {
			t.Fatal(err)
		}
		return b.Bytes(), r
	}
	first, r := once(3)
	second, _ := once(3)
	if !bytes.Equal(first, second) {
		t.Error("the same data and seed give another bundle")
	}
	if raceDetector {
		return
	}
	if other, _ := once(4); bytes.Equal(first, other) {
		t.Error("another seed gives the same bundle")
	}
	b, err := bundle.Read(first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Replay(); err != nil && !errors.Is(err, bundle.ErrSlow) {
		t.Error(err)
	}
	if len(r.modes[0].curves) != 3 {
		t.Errorf("%d networks", len(r.modes[0].curves))
	}
	if bt := r.Backtest; !(bt.Running > 0 && bt.Running < bt.Weeks) {
		t.Errorf("judged for %v of %v weeks", bt.Running, bt.Weeks)
	}
	for _, span := range []float64{r.Backtest.Weeks, r.Backtest.Running, r.Backtest.Own} {
		if s := fmt.Sprintf("| %.3f |", span); !strings.Contains(r.Report, s) {
			t.Errorf("the report does not show %s", s)
		}
	}
	for _, p := range b.Plots {
		if !strings.Contains(b.Report, "]("+p.Name+")") {
			t.Errorf("the report does not show %s", p.Name)
		}
		dec := xml.NewDecoder(bytes.NewReader(p.SVG))
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%s: %v", p.Name, err)
				break
			}
		}
		if bytes.Contains(p.SVG, []byte("NaN")) || bytes.Contains(p.SVG, []byte("Inf")) {
			t.Errorf("%s holds a number that is none", p.Name)
		}
	}
}

// TestEdgeAgreesWithGraph holds the pass of the edge against gorgonia, in both
// precisions, on random windows and on those of a trained model.
func TestEdgeAgreesWithGraph(t *testing.T) {
	r := run(t, quick(benchPast(2, benchTime()), benchAsset))
	md := r.modes[0]
	if !(md.agree <= 1e-6) {
		t.Errorf("trained: differs by %v", md.agree)
	}
	trained := inFloat32(t, md.network, md.material, even(md.held, probes))
	if !(trained <= 1e-6) {
		t.Errorf("trained, as it was trained, on real windows: differs by %v", trained)
	}
	rng := rand.New(rand.NewPCG(8, 9))
	n := newNetwork(60, 8, rng)
	g, err := newGraph[float32](n, 100, false)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	for i := range g.x {
		g.x[i] = float32(rng.NormFloat64())
	}
	if err := g.run(); err != nil {
		t.Fatal(err)
	}
	edge := autoencoder.NewRunner(n)
	worst := 0.0
	for i := range g.batch {
		for j, v := range edge.Forward(g.x[i*g.width : (i+1)*g.width]) {
			worst = max(worst, math.Abs(float64(v-g.output()[i*g.width+j])))
		}
	}
	if !(worst <= 1e-6) {
		t.Errorf("random weights: differs by %v", worst)
	}
	t.Logf("largest difference: %.2g against the graph of a trained model, %.2g in float32 on real windows, %.2g against one of random weights in float32", md.agree, trained, worst)

	// An edge that gives something else is refused: by a weight or a bias that is off,
	// on random windows and, where those are the same, on real ones.
	real := starts(&rows{starts: make([]bool, 1600)}, []piece{{0, 1600}}, 60)
	m := &material{z: make([]float32, 1600*8), tags: 8, window: 60}
	for i := range m.z {
		m.z[i] = 3 * float32(rng.NormFloat64())
	}
	if d, err := m.differ(n, clone(n), real, 1); err != nil || d == 0 {
		t.Errorf("the same network differs by %v: %v", d, err)
	}
	off := func(what string, change func(edge *autoencoder.Network)) {
		t.Helper()
		edge := clone(n)
		change(edge)
		if d, err := m.differ(n, edge, real, 1); err == nil || !(d > agreement) {
			t.Errorf("%s: differs by %v, error %v", what, d, err)
		}
	}
	off("a weight", func(edge *autoencoder.Network) { edge.Layers[0].W[0] += 1e-3 })
	off("a bias", func(edge *autoencoder.Network) { edge.Layers[3].B[7] += 5e-6 })
	n.Layers[3].B[7] = float32(math.NaN())
	if _, err := m.agree(n, nil, 1); err == nil {
		t.Error("a network that gives no number agrees")
	}
}

// TestRates counts alarms by the weeks in which the machine was judged.
func TestRates(t *testing.T) {
	alarms := []Alarm{{Of: -1}, {Of: -1}, {Of: 0}}
	r := &Result{Backtest: &Backtest{Weeks: 4, Running: 0.5, Own: 2, Trained: alarms, Learned: alarms[1:], Rank: math.NaN()}}
	if m := r.metrics(); m["false_week"] != 4 || m["false_week_learned"] != 0.5 || m["weeks"] != 4 || m["running_weeks"] != 0.5 || m["running_weeks_learned"] != 2 {
		t.Errorf("%v", m)
	}
	r.Backtest.Running, r.Backtest.Own = 0, 0
	if m := r.metrics(); m["false_week"] != 0 || m["false_week_learned"] != 0 {
		t.Errorf("nothing judged: %v", m)
	}
}

// inFloat32 is how far the edge's pass is from the graph as it was trained, in
// float32, on windows of the material.
func inFloat32(t *testing.T, n *autoencoder.Network, m *material, windows []int32) (worst float64) {
	t.Helper()
	g, err := newGraph[float32](n, len(windows), false)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	for i, s := range windows {
		copy(g.x[i*g.width:], m.at(s))
	}
	if err := g.run(); err != nil {
		t.Fatal(err)
	}
	defer g.done()
	edge := autoencoder.NewRunner(n)
	for i, s := range windows {
		for j, v := range edge.Forward(m.at(s)) {
			worst = max(worst, math.Abs(float64(v-g.output()[i*g.width+j])))
		}
	}
	return worst
}

func TestRefused(t *testing.T) {
	p := benchPast(1, 2*time.Hour)
	f := func(want string, change func(*Options)) {
		t.Helper()
		o := quick(p, benchAsset)
		change(&o)
		_, err := Run(context.Background(), o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("known are LAB/BENCH", func(o *Options) { o.Asset = "LAB/OTHER" })
	f("is empty", func(o *Options) { o.To = o.From })
	f("no data between", func(o *Options) { o.From, o.To = o.From-int64(48*time.Hour), o.From-int64(time.Hour) })
	f("backtest 1", func(o *Options) { o.Backtest = 1 })
	f("budget -1", func(o *Options) { o.Budget = -1 })
	f("window 1:", func(o *Options) { o.Window = 1 })
	f("knows no asset", func(o *Options) { o.Source = newPast(nil, nil) })
	f("is off in its asset file", func(o *Options) {
		off := *p
		off.assets = []plant.Asset{{Path: benchAsset, Model: plant.Model{Off: true}}}
		o.Source = &off
	})
	f("has no measured tags", func(o *Options) { o.Source = newPast(nil, p.assets) })
}

// TestTooLittle refuses a period in which an alarm without an answer took most of
// the rows, and says so.
func TestTooLittle(t *testing.T) {
	p := benchPast(1, 2*time.Hour)
	s := spell{time.Hour, 10 * time.Minute}
	p.alarms = []plant.Alarm{alarmOf(1, s)}
	_, err := Run(context.Background(), quick(p, benchAsset))
	if !errors.Is(err, ErrTooLittle) {
		t.Fatalf("error %v", err)
	}
	// Of 5,400 s before the backtest an hour before the alarm and all behind it.
	for _, want := range []string{"mode running: 14 healthy rows with 0 whole windows of 20 rows, needed are 3000", "alarm, no label 5385"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
	p.labels = []plant.Label{labelOf(1, s, plant.NotAFault)}
	o := quick(p, benchAsset)
	o.Epochs = 1
	if !raceDetector {
		run(t, o)
	}
}

// TestStops ends a training by its context, in each stage.
func TestStops(t *testing.T) {
	if raceDetector {
		t.Skip("too slow with the race detector; TestProgress runs through the same stages")
	}
	p := benchPast(1, benchTime())
	for _, stage := range []Stage{Reading, Fitting, Testing} {
		ctx, cancel := context.WithCancel(context.Background())
		o := quick(p, benchAsset)
		o.Epochs = 2
		o.Progress = func(p Progress) {
			if p.Stage == stage {
				cancel()
			}
		}
		if r, err := Run(ctx, o); !errors.Is(err, context.Canceled) || r != nil {
			t.Errorf("%s: %v", stage, err)
		}
		cancel()
	}
}

// TestProgress wants every stage, and shares that do not fall.
func TestProgress(t *testing.T) {
	o := quick(benchPast(1, benchTime()), benchAsset)
	o.Epochs, o.Nets = 1, 2
	var seen []Stage
	last := 0.0
	o.Progress = func(p Progress) {
		if len(seen) == 0 || seen[len(seen)-1] != p.Stage {
			seen, last = append(seen, p.Stage), 0
		}
		if p.Done < last || p.Done > 1 {
			t.Errorf("%s: %v after %v", p.Stage, p.Done, last)
		}
		last = p.Done
		if p.Stage == Fitting && (p.Losses.Loss <= 0 || p.Losses.Validation <= 0 || p.Left < 0 || p.Nets != 2) {
			t.Errorf("%+v", p)
		}
	}
	run(t, o)
	if len(seen) != 4 || seen[0] != Reading || seen[1] != Fitting || seen[2] != Calibrating || seen[3] != Testing {
		t.Errorf("stages %v", seen)
	}
}
