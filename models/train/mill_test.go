package train

import (
	"os"
	"testing"
	"time"

	"millwright/plant"
)

// confirm says that the asset was at fault from then to the end.
func (p *past) confirm(asset string, from int64) {
	p.labels = append(p.labels, plant.Label{ID: int64(len(p.labels) + 1), Asset: asset, Verdict: plant.Confirmed, Code: "BRD", From: from, To: p.end})
}

// millPast is a past of the mill: healthy running to learn from, a healthy run of
// another seed, and faults in runs of others again.
func millPast(t testing.TB, asset string, learn, healthy, each time.Duration, faults ...string) (p *past, split int64) {
	t.Helper()
	p = mill(t, 1, asset, learn)
	split = p.end
	p.run(t, 77, asset, healthy)
	for i, f := range faults {
		from := p.end
		p.run(t, 100+uint64(i), asset, each, asset+":"+f+"@30m")
		p.confirm(asset, from+int64(30*time.Minute))
	}
	return p, split
}

func share(p *past, split int64) float64 { return float64(p.end-split) / float64(p.end-begin) }

// TestMill trains on healthy running of the simulated mill: the model finds the
// fault in a run of another seed and says nothing in a healthy one.
func TestMill(t *testing.T) {
	f := func(asset string, learn, healthy time.Duration, faults ...string) {
		t.Helper()
		p, split := millPast(t, asset, learn, healthy, 90*time.Minute, faults...)
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
	if raceDetector {
		f(pump, 4*time.Hour, 30*time.Minute, "cavitation")
		return
	}
	f(pump, 9*time.Hour, 6*time.Hour, "cavitation", "bearing-outer:0.5")
	f(gearbox, 20*time.Hour, 6*time.Hour, "bearing-outer:0.5")
}

// TestWeeks is TestMill at its real size, with every fault of both machines. Set
// MILLWRIGHT_SOAK=1; it takes some ten minutes.
func TestWeeks(t *testing.T) {
	if os.Getenv("MILLWRIGHT_SOAK") == "" {
		t.Skip("MILLWRIGHT_SOAK=1 trains on two weeks")
	}
	const day = 24 * time.Hour
	f := func(asset string, faults ...string) {
		t.Helper()
		p, split := millPast(t, asset, 14*day, 7*day, 2*time.Hour, faults...)
		r := run(t, Options{Source: p, Asset: asset, From: begin, To: p.end, Backtest: share(p, split), Seed: 1})
		b := r.Backtest
		t.Logf("%s: %d false alarms of the trained model and %d of the learned one in %.1f weeks, limit %.1f decades", asset, b.False(b.Trained), b.False(b.Learned), b.Weeks, r.modes[0].calibration.limit)
		for i, e := range b.Events {
			t.Logf("%s: lead %s, learned %s", faults[i], r.lead(e.Label.From, e.Trained), r.lead(e.Label.From, e.Learned))
			if e.Trained == 0 {
				t.Errorf("%s: %s was not found", asset, faults[i])
			}
		}
		if n := b.False(b.Trained); n > 3 { // of a Poisson law with mean 1, beyond 98 %
			t.Errorf("%s: %d false alarms in %.1f weeks", asset, n, b.Weeks)
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
