package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"millwright/historian/alarm"
	"millwright/historian/export"
	"millwright/historian/store"
	"millwright/plant"
)

// longPast is a machine of eight sensors for as long as one likes: its samples
// are made when they are asked for, the same ones each time.
type longPast struct {
	*past
	to int64
}

func newLongPast(length time.Duration) *longPast {
	var tags []plant.Tag
	for i := range 8 {
		tags = append(tags, plant.Tag{Path: fmt.Sprintf("%s/T%d", benchAsset, i), Asset: benchAsset, Kind: plant.Analog, Unit: "1", Resolution: 0.001})
	}
	return &longPast{newPast(tags, []plant.Asset{{Path: benchAsset, Class: "bench"}}), at(length)}
}

// load of the machine at a time: a day, products, and what cannot be foreseen.
func load(k int) (float64, float64) {
	s := float64(k)
	return 0.5*math.Sin(s/86400*2*math.Pi) + 0.5*math.Sin(s/37) + 0.3*math.Sin(s/11.3), math.Sin(s/5400) + 0.4*math.Sin(s/73)
}

// Scan implements Source: one sample a second.
func (p *longPast) Scan(_ context.Context, r plant.Range) iter.Seq2[plant.Block, error] {
	return func(yield func(plant.Block, error) bool) {
		const n = 4096
		i := float64(r.Tag)
		for k := max(0, int((r.From-begin+1e9-1)/1e9)); ; {
			rng := rand.New(rand.NewPCG(uint64(k/n), uint64(r.Tag)))
			b := plant.Block{Tag: r.Tag}
			for end := (k/n + 1) * n; k < end; k++ {
				t := begin + int64(k)*1e9
				if t >= min(r.To, p.to) {
					break
				}
				one, two := load(k)
				v := 20*i + (5-i)*one + i*two + 0.4*rng.NormFloat64()
				b.Times, b.Values, b.Quality = append(b.Times, t), append(b.Values, math.Round(v*1000)/1000), append(b.Quality, plant.Good)
			}
			if len(b.Times) == 0 || !yield(b, nil) {
				return
			}
		}
	}
}

// stored is that past in the data of a historian, as millwright train opens it.
func (p *longPast) stored(t *testing.T) export.Works {
	t.Helper()
	dir := t.TempDir()
	open := func() *store.Pebble {
		t.Helper()
		st, err := store.Open(store.Config{Dir: filepath.Join(dir, "store"), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	st := open()
	tags := slices.Clone(p.tags)
	if err := st.Intern(tags); err != nil {
		t.Fatal(err)
	}
	if err := st.SetAssets("edge-1", p.assets); err != nil {
		t.Fatal(err)
	}
	const each = int64(4096 * time.Second) // as Scan makes them: noise does not repeat
	for from := begin; from < p.to; from += each {
		var b plant.Batch
		for i, tag := range tags {
			for block, err := range p.Scan(t.Context(), plant.Range{Tag: plant.TagID(i + 1), From: from, To: from + each}) {
				if err != nil {
					t.Fatal(err)
				}
				for k := range block.Times {
					b.Samples = append(b.Samples, plant.Sample{Tag: tag.ID, Time: block.Times[k], Value: block.Values[k], Quality: block.Quality[k]})
				}
			}
		}
		if err := st.Append(t.Context(), b, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	st = open() // nothing is in its memory
	book, err := alarm.Open(filepath.Join(dir, "alarms"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(book.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	return export.Works{Store: st, Book: book}
}

// TestFigure trains one asset on eight tags over 30 days at 1 Hz that a historian
// holds, reading and backtest included, and prints how long that takes.
func TestFigure(t *testing.T) {
	length := 30 * 24 * time.Hour
	if os.Getenv("MILLWRIGHT_FIGURES") == "" {
		t.Skip("figures: set MILLWRIGHT_FIGURES=1")
	}
	past := newLongPast(length).stored(t)
	start := time.Now()
	o := Options{Source: past, Asset: benchAsset, From: begin, To: at(length), Seed: 1}
	stage := Stage("")
	o.Progress = func(p Progress) {
		if p.Stage != stage {
			stage = p.Stage
			t.Logf("%v %s", time.Since(start).Round(time.Second), stage)
		}
	}
	r := run(t, o)
	took := time.Since(start)
	md := r.modes[0]
	t.Logf("%d rows read, %d used, window %d, %d networks, %d epochs, limit %.2f decades by %d blocks, alarms %d",
		r.data.total, md.rows.n(), md.material.window, len(md.curves), len(md.curves[md.kept]), md.calibration.limit, len(md.calibration.maxima), len(r.Backtest.Trained))
	if md.material.window != 60 || md.material.tags != 8 || r.data.total < 22*86400 {
		t.Errorf("window %d, %d tags, %d rows", md.material.window, md.material.tags, r.data.total)
	}
	fmt.Printf("FIGURE users.train_min %.1f min\n", took.Minutes())
}
