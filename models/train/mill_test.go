package train

import (
	"math"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"millwright/models/detect"
	"millwright/plant"
)

// confirm says that the asset was at fault from then to the end.
func (p *past) confirm(asset string, from int64) {
	p.labels = append(p.labels, plant.Label{ID: int64(len(p.labels) + 1), Asset: asset, Verdict: plant.Confirmed, Code: "BRD", From: from, To: p.end})
}

// millPast is a past of the mill: healthy running to learn from, a healthy run of
// another seed, and faults in runs of others again. No two of their seeds are the
// same.
func millPast(t testing.TB, seed uint64, asset string, learn, healthy, each time.Duration, faults ...string) (p *past, split int64) {
	t.Helper()
	p = mill(t, seed, asset, learn)
	split = p.end
	p.run(t, seed+1, asset, healthy)
	for i, f := range faults {
		p.run(t, seed+2+uint64(i), asset, each, asset+":"+f+"@30m")
		p.confirm(asset, p.end-int64(each-30*time.Minute))
	}
	return p, split
}

func share(p *past, split int64) float64 { return float64(p.end-split) / float64(p.end-begin) }

// TestRowsAreThoseOfTheEdge feeds what a pump said once as it is read from the
// past and once as an edge gets it, tag by tag within a second: the rows are the
// same.
func TestRowsAreThoseOfTheEdge(t *testing.T) {
	p := mill(t, 5, pump, 20*time.Minute, pump+":dropout=FLOW@2m", pump+":stuck=P_DIS@10m")
	o := quick(p, pump)
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	d, err := newDataset(t.Context(), &o)
	if err != nil {
		t.Fatal(err)
	}
	rows := func(feed func(observe func(plant.Batch))) []detect.Row {
		var out []detect.Row
		set, err := d.set(func(r detect.Row) {
			r.Values, r.OK, r.Tags = slices.Clone(r.Values), slices.Clone(r.OK), nil
			r.Score, r.Shadow, r.Contributions = 0, 0, nil // NaN equals nothing
			out = append(out, r)
		})
		if err != nil {
			t.Fatal(err)
		}
		var findings plant.Batch
		feed(func(b plant.Batch) { set.Observe(&findings, b) })
		return out
	}
	past := rows(func(observe func(plant.Batch)) {
		err := read(t.Context(), p, d.tags, begin, p.end, func(b plant.Batch, _ int64) error { observe(b); return nil })
		if err != nil {
			t.Fatal(err)
		}
	})
	edge := rows(func(observe func(plant.Batch)) {
		for from := begin; from < p.end; from += 1e9 {
			var b plant.Batch
			for _, tag := range slices.Backward(d.tags) {
				states, _ := p.States(t.Context(), plant.Range{Tag: tag.ID, From: from, To: from + 1e9})
				b.States = append(b.States, states...)
				for block := range p.Scan(t.Context(), plant.Range{Tag: tag.ID, From: from, To: from + 1e9}) {
					for i, at := range block.Times {
						b.Samples = append(b.Samples, plant.Sample{Tag: tag.ID, Time: at, Value: block.Values[i], Quality: block.Quality[i]})
					}
				}
			}
			observe(b)
		}
	})
	if len(past) < 1100 || len(past) != len(edge) {
		t.Fatalf("%d rows from the past, %d on the edge", len(past), len(edge))
	}
	masked := 0
	for i := range past {
		if !reflect.DeepEqual(past[i], edge[i]) {
			t.Fatalf("row %d is\n%+v from the past,\n%+v on the edge", i, past[i], edge[i])
		}
		if slices.Contains(past[i].OK, false) {
			masked++
		}
	}
	if masked < 100 || masked == len(past) {
		t.Errorf("%d of %d rows have a masked tag", masked, len(past))
	}
}

// TestMill trains on healthy running of the simulated mill: the model finds the
// fault in a run of another seed and says nothing in a healthy one.
func TestMill(t *testing.T) {
	if raceDetector {
		t.Skip("too slow with the race detector; TestProgress runs through the same stages")
	}
	f := func(asset string, learn, healthy time.Duration, faults ...string) {
		t.Helper()
		p, split := millPast(t, 1, asset, learn, healthy, 90*time.Minute, faults...)
		o := quick(p, asset)
		o.Window, o.Backtest = 0, share(p, split)
		r := run(t, o)
		b := r.Backtest
		for _, e := range b.Events {
			if e.Trained == 0 {
				t.Errorf("%s: a fault at %s was not found", asset, date(e.Label.From))
			} else if e.Trained < e.Label.From {
				t.Errorf("%s: an alarm at %s, before there was a fault", asset, date(e.Trained))
			}
		}
		if len(b.Events) != len(faults) {
			t.Errorf("%d events of %d faults", len(b.Events), len(faults))
		}
		// At a budget of one a week, an alarm in some hours would be a bad omen.
		if n := b.False(b.Trained); n > 0 {
			t.Errorf("%s: %d false alarms in %v: %+v", asset, n, healthy, b.Trained)
		}
		if b.Rows < 1000 {
			t.Errorf("%s: only %d rows were scored", asset, b.Rows)
		}
		for _, m := range r.modes {
			if m.agree > agreement {
				t.Errorf("%s: the edge's pass differs by %v", m.name, m.agree)
			}
		}
	}
	f(pump, 9*time.Hour, 6*time.Hour, "cavitation", "bearing-outer:0.5")
	f(gearbox, 20*time.Hour, 6*time.Hour, "bearing-outer:0.5")
}

// TestWeeks is TestMill at its real size, with every fault of both machines, on
// seeds that nothing was chosen on. Set MILLWRIGHT_SOAK=1; it takes some minutes.
func TestWeeks(t *testing.T) {
	if os.Getenv("MILLWRIGHT_SOAK") == "" {
		t.Skip("MILLWRIGHT_SOAK=1 trains on two weeks")
	}
	const day = 24 * time.Hour
	f := func(asset string, faults ...string) {
		t.Helper()
		p, split := millPast(t, 500, asset, 14*day, 7*day, 2*time.Hour, faults...)
		r := run(t, Options{Source: p, Asset: asset, From: begin, To: p.end, Backtest: share(p, split), Seed: 1})
		b := r.Backtest
		t.Logf("%s: %d false alarms of the trained model and %d of the learned one in %.1f weeks, limit %.1f decades", asset, b.False(b.Trained), b.False(b.Learned), b.Weeks, r.modes[0].calibration.limit)
		for i, e := range b.Events {
			t.Logf("%s: lead %s, learned %s", faults[i], r.lead(e.Label.From, e.Trained), r.lead(e.Label.From, e.Learned))
			if e.Trained == 0 {
				t.Errorf("%s: %s was not found", asset, faults[i])
			} else if e.Trained < e.Label.From {
				t.Errorf("%s: %s: the alarm was there before the fault", asset, faults[i])
			}
		}
		if n := b.False(b.Trained); float64(n) > math.Ceil(detect.DefaultBudget*b.Weeks) {
			t.Errorf("%s: %d false alarms in %.1f weeks, the budget is %v a week", asset, n, b.Weeks, detect.DefaultBudget)
		}
		if dir := os.Getenv("MILLWRIGHT_REPORT"); dir != "" {
			save(t, r, dir)
		}
	}
	f(gearbox, "bearing-outer:0.5", "gear-wear:0.5", "gear-crack:0.5", "lubrication:0.5")
	f(pump, "cavitation:0.5", "wear-rings:0.5", "bearing-outer:0.5")
}

func save(t *testing.T, r *Result, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Plots {
		if err := os.WriteFile(dir+"/"+p.Name, p.SVG, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/report.md", []byte(r.Report), 0o644); err != nil {
		t.Fatal(err)
	}
}
