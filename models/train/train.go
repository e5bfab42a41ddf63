package train

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"millwright/models/autoencoder"
	"millwright/models/bundle"
	"millwright/models/detect"
)

// Options of a training. Zero values are the defaults.
type Options struct {
	Source   Source
	Asset    string
	From, To int64   // ns UTC, half-open
	Speed    float64 // seconds of plant time per second of source time; 1
	Budget   float64 // false alarms per asset-week; 1
	Backtest float64 // last share of the period, never trained on; 0.25
	Seed     uint64
	Window   int // rows; as long as the asset's runs allow, at most 60
	Epochs   int // at most; 60
	Nets     int // networks per mode, the median one is kept; 3 where the data is small, else 1

	Before, After time.Duration // margins about faults, plant time; 1 h, 30 min

	Progress func(Progress)
}

// Progress says how far a training is. The time left is a guess from above.
type Progress struct {
	Stage     Stage
	Done      float64 // of the stage, 0..1
	Mode      string
	Net, Nets int // counts from 1
	Epoch     int
	Epochs    int
	Losses    Epoch // of this epoch
	Left      time.Duration
}

// Stage of a training.
type Stage string

// Stages, in their order.
const (
	Reading     Stage = "reading"
	Fitting     Stage = "training"
	Calibrating Stage = "calibrating"
	Testing     Stage = "backtest"
)

// Defaults of Options.
const (
	DefaultBacktest = 0.25
	DefaultEpochs   = 60
)

func (o *Options) check() error {
	o.Speed = cmp.Or(o.Speed, 1)
	o.Budget = cmp.Or(o.Budget, detect.DefaultBudget)
	o.Backtest = cmp.Or(o.Backtest, DefaultBacktest)
	o.Epochs = cmp.Or(o.Epochs, DefaultEpochs)
	o.Before = cmp.Or(o.Before, DefaultBefore)
	o.After = cmp.Or(o.After, DefaultAfter)
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	switch {
	case o.From >= o.To:
		return fmt.Errorf("the period from %s to %s is empty", date(o.From), date(o.To))
	case !(o.Speed > 0 && o.Speed <= 1000):
		return fmt.Errorf("speed %v: above 0, at most 1000", o.Speed)
	case !(o.Budget > 0 && o.Budget <= 1000):
		return fmt.Errorf("budget %v: above 0, at most 1000 false alarms per asset-week", o.Budget)
	case !(o.Backtest > 0 && o.Backtest <= 0.9):
		return fmt.Errorf("backtest %v: above 0, at most 0.9 of the period", o.Backtest)
	case o.Window != 0 && (o.Window < 2 || o.Window > autoencoder.MaxWindow):
		return fmt.Errorf("window %d: 2 to %d rows", o.Window, autoencoder.MaxWindow)
	case o.Epochs < 1 || o.Nets < 0 || o.Nets > 9:
		return fmt.Errorf("%d epochs of %d networks: at least 1 epoch, at most 9 networks", o.Epochs, o.Nets)
	case o.Before < 0 || o.After < 0:
		return errors.New("margins about faults are not negative")
	}
	return nil
}

// Result is a trained model with all that belongs to it.
type Result struct {
	Trained  *detect.Trained
	Backtest *Backtest
	Report   string        // Markdown, with the plots beside it
	Plots    []bundle.Plot // by name
	Metrics  map[string]float64

	data  *dataset
	modes []*mode
	opts  Options
}

// Run trains the models of an asset. Where it is refused, the error says what is
// missing.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	d, err := newDataset(ctx, &o)
	if err != nil {
		return nil, err
	}
	if err := d.load(ctx, o.Source, func(done float64) { o.Progress(Progress{Stage: Reading, Done: done}) }); err != nil {
		return nil, err
	}
	window := o.Window
	if window == 0 {
		window = windowFor(slices.Collect(maps.Values(d.rows)))
	}
	can, cannot := d.enough(window)
	if len(can) == 0 {
		return nil, d.shortage(cannot)
	}
	r := &Result{data: d, opts: o, Trained: &detect.Trained{Asset: o.Asset, Grid: d.grid}}
	for i, name := range can {
		md, err := d.train(ctx, &o, name, window, i, len(can))
		if err != nil {
			return nil, fmt.Errorf("asset %s, mode %s: %w", o.Asset, name, err)
		}
		r.modes = append(r.modes, md)
		r.Trained.Modes = append(r.Trained.Modes, md.trained(d))
	}
	if r.Trained.ID, err = identity(r.Trained, o.To); err != nil {
		return nil, err
	}
	r.Backtest, err = d.backtest(ctx, o.Source, r.Trained, func(done float64) { o.Progress(Progress{Stage: Testing, Done: done}) })
	if err != nil {
		return nil, err
	}
	r.Metrics = r.metrics()
	r.report(cannot)
	return r, nil
}

// identity names a model after its asset, the end of its period and what it
// holds: the same training gives the same name.
func identity(t *detect.Trained, to int64) (string, error) {
	h := sha256.New()
	for i := range t.Modes {
		m := &t.Modes[i]
		b, err := m.Network.MarshalBinary()
		if err != nil {
			return "", err
		}
		h.Write(b)
	}
	text, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	h.Write(text)
	name := []byte(strings.Trim(t.Asset, "/"))
	for i, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			name[i] = '.'
		}
	}
	for bytes.Contains(name, []byte("..")) {
		name = bytes.ReplaceAll(name, []byte(".."), []byte("."))
	}
	name = name[:min(len(name), maxName)]
	return fmt.Sprintf("%s-%s-%x", strings.Trim(string(name), "."), time.Unix(0, to).UTC().Format("20060102T1504"), h.Sum(nil)[:3]), nil
}

// maxName leaves room for what follows the asset in an ID.
const maxName = 90

// Bundle is the model as it travels to the edges.
func (r *Result) Bundle(version int, author, software string, created int64) *bundle.Bundle {
	d := r.data
	b := &bundle.Bundle{Trained: r.Trained, Report: r.Report, Plots: r.Plots}
	b.Manifest = bundle.Manifest{ID: r.Trained.ID, Version: version, Kind: "autoencoder", Asset: d.asset.Path, Class: d.asset.Class,
		Window: r.modes[0].network.Window, Budget: r.opts.Budget, From: d.from, To: d.split, Hash: d.print, Seed: r.opts.Seed,
		Metrics: r.Metrics, Author: author, Created: created, Software: software}
	named := map[string]bool{}
	for _, md := range r.modes {
		b.Rows += int64(md.rows.n())
		b.Golden = append(b.Golden, md.golden())
		b.Scores = append(b.Scores, md.scores())
		for _, i := range md.scaling.tags {
			if t := d.watched[i]; !named[t.Path] {
				named[t.Path] = true
				b.Tags = append(b.Tags, bundle.Tag{Path: t.Path, Unit: t.Unit})
			}
		}
	}
	return b
}

// metrics are the numbers of the backtest. All are finite.
func (r *Result) metrics() map[string]float64 {
	b := r.Backtest
	m := map[string]float64{
		"weeks":                 b.Weeks,
		"running_weeks":         b.Running,
		"alarms":                float64(len(b.Trained)),
		"alarms_learned":        float64(len(b.Learned)),
		"running_weeks_learned": b.Own,
		"false_week":            rate(b.False(b.Trained), b.Running),
		"false_week_learned":    rate(b.False(b.Learned), b.Own),
		"events":                float64(len(b.Events)),
		"events_found":          0,
		"events_found_learned":  0,
		"appear":                float64(len(b.Appear)),
		"vanish":                float64(len(b.Vanish)),
	}
	for _, e := range b.Events {
		if e.Trained != 0 {
			m["events_found"]++
		}
		if e.Learned != 0 {
			m["events_found_learned"]++
		}
	}
	if !math.IsNaN(b.Rank) {
		m["rank_correlation"] = b.Rank
	}
	for _, md := range r.modes {
		m["difference"] = max(m["difference"], md.agree)
	}
	return m
}
