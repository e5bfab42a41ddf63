package main

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"path"
	"slices"
	"time"

	"millwright/models/detect"
	"millwright/models/diagnose"
	"millwright/plant"
	"millwright/plant/config"
	"millwright/simulator"
	"millwright/simulator/ledger"
	"millwright/simulator/score"
	"millwright/simulator/server"
)

// trial is one run of a simulated works, watched by the models of an edge.
type trial struct {
	simulator.Scenario
	learn time.Duration // of every model, in place of what its asset says; 0: as it says
}

// trialStep is the grid of the models: no tag is scanned more often.
const trialStep = time.Second

// watch is what is kept of a run for its score.
type watch struct {
	tags    []plant.Tag // with IDs: those of the works, and those of the models behind them
	assets  map[string]*plant.Asset
	library config.Library

	truths []ledger.Truth
	score.Case
}

// run steps the works and lets the models see each of its values as an edge
// does, as fast as the machine allows. Its bursts are computed and handed over as
// well; see detect.Set for who looks at waveforms. It tells ran after every hour
// of plant time, and ends early with ctx.
func (t *trial) run(ctx context.Context, library config.Library, ran func(time.Duration)) (score.Score, error) {
	mill, err := t.Offline(t.Seed, trialStep)
	if err != nil {
		return score.Score{}, err
	}
	w := t.watch(library)
	set, err := detect.New(detect.Config{Assets: t.assets(), Tags: w.tags, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return score.Score{}, err
	}
	var vals []server.Value
	var bursts []simulator.Burst
	var in, out plant.Batch
	for hour := time.Hour; mill.Now() < t.Duration; {
		mill.Step()
		now := mill.Start().Add(mill.Now()).UnixNano()
		in.Reset()
		out.Reset()
		vals, bursts = mill.Values(vals[:0]), mill.Bursts(bursts[:0])
		mill.Stamp(vals, now)
		w.take(&in, vals, bursts, now)
		w.truths = mill.Truth(w.truths)
		for i := len(w.truths) - 1; i >= 0 && w.truths[i].Time == 0; i-- {
			w.truths[i].Time = now
		}
		set.Observe(&out, in)
		w.hear(&out)
		if mill.Now() >= hour || mill.Now() >= t.Duration {
			ran(mill.Now() - (hour - time.Hour))
			hour += time.Hour
			if ctx.Err() != nil {
				return score.Score{}, ctx.Err()
			}
		}
	}
	out.Reset()
	set.Flush(&out)
	w.hear(&out)
	w.To = mill.Start().Add(mill.Now()).UnixNano()
	if w.Faults, err = ledger.Episodes(each(w.truths)); err != nil {
		return score.Score{}, err
	}
	return score.Judge(&w.Case), nil
}

// assets are those of the works, with the trial's time to learn.
func (t *trial) assets() []plant.Asset {
	assets := slices.Clone(t.Works.Assets)
	for i := range assets {
		if t.learn > 0 {
			assets[i].Model.Learn = t.learn
		}
	}
	return assets
}

// watch numbers the tags as an edge does.
func (t *trial) watch(library config.Library) *watch {
	w := &watch{library: library, assets: map[string]*plant.Asset{}, tags: slices.Concat(t.Works.Tags, detect.Derived(t.Works.Assets))}
	for i := range w.tags {
		w.tags[i].ID = plant.TagID(i + 1)
	}
	for i := range t.Works.Assets {
		a := &t.Works.Assets[i]
		w.assets[a.Path] = a
		if !a.Model.Off {
			w.Assets = append(w.Assets, score.Asset{Path: a.Path, Class: library.Find(a.Class)})
		}
	}
	return w
}

// take puts what the works said into a batch, and notes changes of modes and
// products.
func (w *watch) take(in *plant.Batch, vals []server.Value, bursts []simulator.Burst, now int64) {
	for i := range vals {
		v := &vals[i]
		tag := &w.tags[v.Var]
		if tag.Kind != plant.Text {
			in.Samples = append(in.Samples, plant.Sample{Tag: tag.ID, Time: v.Time, Quality: v.Quality, Value: v.Number})
			continue
		}
		in.States = append(in.States, plant.State{Tag: tag.ID, Time: v.Time, Quality: v.Quality, Value: v.Text})
		if a := w.assets[tag.Asset]; a == nil {
			continue
		} else if tag.Path == a.ModeTag {
			w.Changes = append(w.Changes, score.Change{Asset: a.Path, Time: now})
		} else { // what is written in words and is no mode says what is being made
			w.Changes = append(w.Changes, score.Change{Asset: a.Path, Time: now, Product: true})
		}
	}
	for i := range bursts {
		b := &bursts[i]
		in.Waveforms = append(in.Waveforms, plant.Waveform{Tag: w.tags[b.Variable].ID, Time: now, Rate: b.Rate, Values: b.Values})
	}
}

// hear keeps findings, with the causes that would be told with them, and when
// the models began to judge.
func (w *watch) hear(out *plant.Batch) {
	for _, f := range out.Findings {
		kept := score.Finding{Finding: f}
		if a := w.assets[f.Asset]; a != nil && f.Phase == plant.Raise {
			class := w.library.Find(a.Class)
			kept.Causes, kept.Told = diagnose.Rank(class, a, f), class != nil
		}
		w.Findings = append(w.Findings, kept)
	}
	for i := range out.States {
		s := &out.States[i]
		tag := &w.tags[s.Tag-1]
		if path.Base(tag.Path) != plant.TagModel {
			continue
		}
		var m plant.ModelState
		if err := json.Unmarshal([]byte(s.Value), &m); err != nil || m.Phase != "monitoring" {
			continue
		}
		for j := range w.Assets {
			if a := &w.Assets[j]; a.Path == tag.Asset && a.Watched == 0 {
				a.Watched = s.Time
			}
		}
	}
}

// each is a list as a reader gives it.
func each[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range all {
			if !yield(x, nil) {
				return
			}
		}
	}
}
