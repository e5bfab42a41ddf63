package train

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator"
	"millwright/simulator/server"
)

// past is what a plant remembers, in memory.
type past struct {
	tags    []plant.Tag
	assets  []plant.Asset
	times   map[plant.TagID][]int64
	values  map[plant.TagID][]float64
	quality map[plant.TagID][]plant.Quality
	states  map[plant.TagID][]plant.State
	gaps    []plant.Gap
	labels  []plant.Label
	alarms  []plant.Alarm
	end     int64
	seed    uint64 // of the sensors' errors
}

func newPast(tags []plant.Tag, assets []plant.Asset) *past {
	p := &past{tags: slices.Clone(tags), assets: assets, times: map[plant.TagID][]int64{}, values: map[plant.TagID][]float64{},
		quality: map[plant.TagID][]plant.Quality{}, states: map[plant.TagID][]plant.State{}, end: begin}
	for i := range p.tags {
		p.tags[i].ID = plant.TagID(i + 1)
	}
	return p
}

func (p *past) Tags() []plant.Tag     { return p.tags }
func (p *past) Assets() []plant.Asset { return p.assets }

func (p *past) Scan(_ context.Context, r plant.Range) iter.Seq2[plant.Block, error] {
	return func(yield func(plant.Block, error) bool) {
		all := p.times[r.Tag]
		from, _ := slices.BinarySearch(all, r.From)
		to, _ := slices.BinarySearch(all, r.To)
		for from < to {
			n := min(1000, to-from)
			if !yield(plant.Block{Tag: r.Tag, Times: all[from : from+n], Values: p.values[r.Tag][from : from+n], Quality: p.quality[r.Tag][from : from+n]}, nil) {
				return
			}
			from += n
		}
	}
}

func (p *past) States(_ context.Context, r plant.Range) ([]plant.State, error) {
	var out []plant.State
	for _, s := range p.states[r.Tag] {
		if s.Time >= r.From && s.Time < r.To {
			out = append(out, s)
		}
	}
	return out, nil
}

func (p *past) Gaps(_ context.Context, r plant.Range) ([]plant.Gap, error) {
	var out []plant.Gap
	for _, g := range p.gaps {
		if g.Tag == r.Tag && g.From < r.To && g.To > r.From {
			out = append(out, g)
		}
	}
	return out, nil
}

func (p *past) Labels(_ context.Context, q plant.LabelQuery) ([]plant.Label, error) {
	var out []plant.Label
	for _, l := range p.labels {
		if (l.Asset == q.Asset || strings.HasPrefix(l.Asset, q.Asset+"/")) && l.From < q.To && (l.To > q.From || l.To == 0) && (q.Before == 0 || l.ID < q.Before) {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b plant.Label) int { return int(b.ID - a.ID) })
	return out[:min(len(out), q.Limit)], nil
}

func (p *past) Alarms(_ context.Context, asset string, from, to int64) ([]plant.Alarm, error) {
	var out []plant.Alarm
	for _, a := range p.alarms {
		if a.Finding.Asset == asset && a.Raised < to && (a.Returned == 0 || a.Returned > from) {
			out = append(out, a)
		}
	}
	return out, nil
}

// begin of every past.
const begin = int64(1_750_000_000) * 1e9

// at is a time of the plant since the begin.
func at(d time.Duration) int64 { return begin + int64(d) }

func (p *past) sample(tag plant.TagID, t int64, v float64, q plant.Quality) {
	p.times[tag] = append(p.times[tag], t)
	p.values[tag] = append(p.values[tag], v)
	p.quality[tag] = append(p.quality[tag], q)
	p.end = max(p.end, t+1)
}

const (
	gearbox = "HSM/FM/F3/GBX"
	pump    = "HSM/DSC/P1"
)

// run goes on with what one asset of the mill says, ten minutes after the end of
// what is there: until then the machine stands. Every tag is scanned once a second, by the
// same instruments in each run.
func (p *past) run(t testing.TB, seed uint64, asset string, length time.Duration, faults ...string) {
	t.Helper()
	works, err := simulator.Demo()
	if err != nil {
		t.Fatal(err)
	}
	m, err := simulator.NewMill(works, seed, 50)
	if err != nil {
		t.Fatal(err)
	}
	m.Calibrate(p.seed)
	for _, s := range faults {
		f, err := simulator.ParseFault(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	from := p.end
	if from > begin {
		standing := map[string]string{gearbox: "gap", pump: "standby"}[asset]
		for _, tag := range p.tags {
			if tag.Path == asset+"/MODE" {
				p.states[tag.ID] = append(p.states[tag.ID], plant.State{Tag: tag.ID, Time: from, Value: standing})
			}
		}
		from += int64(10 * time.Minute)
	}
	var vals []server.Value
	for m.Now() < length {
		m.Step()
		vals = m.Values(vals[:0])
		now := from + int64(m.Now())
		for _, v := range vals {
			tag := &p.tags[v.Var]
			switch {
			case tag.Asset != asset:
			case tag.Kind == plant.Text:
				p.states[tag.ID] = append(p.states[tag.ID], plant.State{Tag: tag.ID, Time: now, Value: v.Text, Quality: v.Quality})
			default:
				p.sample(tag.ID, now, v.Number, v.Quality)
			}
		}
	}
	p.end = from + int64(length)
}

// mill is a past that begins with a healthy run.
func mill(t testing.TB, seed uint64, asset string, length time.Duration, faults ...string) *past {
	t.Helper()
	works, err := simulator.Demo()
	if err != nil {
		t.Fatal(err)
	}
	p := newPast(works.Tags, works.Assets)
	p.seed = seed
	p.run(t, seed, asset, length, faults...)
	return p
}
