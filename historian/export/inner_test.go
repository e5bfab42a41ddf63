package export

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

func TestGlob(t *testing.T) {
	f := func(pattern, path string, want bool) {
		t.Helper()
		if got := glob(pattern, path); got != want {
			t.Errorf("%q on %q: %v", pattern, path, got)
		}
	}
	f("A/B", "A/B", true)
	f("A/B", "A/BC", false)
	f("A/*", "A/B/C", true)
	f("*/C", "A/B/C", true)
	f("*", "", true)
	f("", "", true)
	f("", "A", false)
	f("A?C*", "ABC", true)
	f("A?C", "AC", false)
	f("*a*b*", "xxaxxbxx", true)
	f("*a*b", "abab", true)
	f("*ab", "aab", true)
	f("*ab?", "aab", false)
	f(strings.Repeat("*a", 60)+"b", strings.Repeat("a", 200), false) // takes no time
}

// An overlay says at each moment what is open there.
func TestOverlay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var all []said
		for range rng.IntN(8) {
			from := rng.Int64N(20)
			all = append(all, said{span{from, from + rng.Int64N(8)}, string(rune('a' + rng.IntN(3))), rng.Int64N(3)})
		}
		join := func(s []said) string {
			var words []string
			for _, x := range s {
				words = append(words, x.word)
			}
			return strings.Join(words, "")
		}
		var w words
		line := overlay(slices.Clone(all), &w, join)
		r := reader{line: line}
		for t0 := range int64(30) {
			var open []said
			for _, s := range all {
				if s.from <= t0 && t0 < s.to {
					open = append(open, s)
				}
			}
			slices.SortFunc(open, func(a, b said) int {
				return strings.Compare(fmt.Sprint(a.rank, a.word), fmt.Sprint(b.rank, b.word))
			})
			want, got := join(open), ""
			word, until := r.word(t0)
			if word != none {
				got = w.list[word]
			}
			if got != want || until <= t0 {
				t.Fatalf("%v: at %d %q until %d, want %q", all, t0, got, until, want)
			}
		}
		for i := 1; i < len(line); i++ {
			if line[i].from < line[i-1].to || line[i].from == line[i-1].to && line[i].word == line[i-1].word {
				t.Fatalf("%v: %v", all, line)
			}
		}
	}
}

// history is a history of one tag in slices.
type history struct {
	tag     plant.Tag
	samples []plant.Sample
	texts   []plant.State
	gaps    []plant.Gap
}

func (m *history) Tags() []plant.Tag     { return []plant.Tag{m.tag} }
func (m *history) Assets() []plant.Asset { return nil }

func (m *history) Scan(_ context.Context, r plant.Range) iter.Seq2[plant.Block, error] {
	return func(yield func(plant.Block, error) bool) {
		for _, s := range m.samples { // a block for each: blocks may end anywhere
			b := plant.Block{Tag: 1, Times: []int64{s.Time}, Values: []float64{s.Value}, Quality: []plant.Quality{s.Quality}}
			if s.Time >= r.From && s.Time < r.To && !yield(b, nil) {
				return
			}
		}
	}
}

func (m *history) States(_ context.Context, r plant.Range) ([]plant.State, error) {
	var out []plant.State
	for _, s := range m.texts {
		if s.Time >= r.From && s.Time < r.To && (r.Limit == 0 || len(out) < r.Limit) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (m *history) Gaps(_ context.Context, r plant.Range) ([]plant.Gap, error) {
	var out []plant.Gap
	for _, g := range m.gaps {
		if g.From < r.To && g.To > r.From {
			out = append(out, g)
		}
	}
	return out, nil
}

func (m *history) Labels(context.Context, plant.LabelQuery) ([]plant.Label, error) { return nil, nil }
func (m *history) Alarms(context.Context, string, int64, int64) ([]plant.Alarm, error) {
	return nil, nil
}

// gapBegins reports whether a time of (from, to] is the first one in a gap.
func (m *history) gapBegins(from, to int64) bool {
	inside := func(t int64) bool {
		return slices.ContainsFunc(m.gaps, func(g plant.Gap) bool { return g.From <= t && t < g.To })
	}
	for _, g := range m.gaps {
		if g.From > from && g.From <= to && !inside(g.From-1) {
			return true
		}
	}
	return false
}

// value is what a wide file has to say at a time, reckoned from the definition.
func (m *history) value(q *Query, t int64) float64 {
	stands := m.tag.Kind != plant.Analog
	at := func(t int64, line bool) float64 {
		i := len(m.samples) - 1
		for i >= 0 && m.samples[i].Time > t {
			i--
		}
		if i < 0 {
			return math.NaN()
		}
		s := m.samples[i]
		good := func(s plant.Sample) bool {
			return q.Keep.keeps(s.Quality) && !math.IsInf(s.Value, 0) && !math.IsNaN(s.Value)
		}
		gap := func(to int64) bool { return m.gapBegins(s.Time, to) }
		if !good(s) || !stands && t-s.Time > q.reach() || gap(t) {
			return math.NaN()
		}
		if line && i+1 < len(m.samples) {
			n := m.samples[i+1]
			if good(n) && n.Time-s.Time <= q.reach() && !gap(n.Time-1) {
				return s.Value + (n.Value-s.Value)*float64(t-s.Time)/float64(n.Time-s.Time)
			}
		}
		return s.Value
	}
	if stands || q.Fill == FillStep {
		return at(t, false)
	}
	if q.Fill == FillLinear {
		return at(t, true)
	}
	// Times are whole milliseconds, so nothing changes within one.
	sum, n := 0.0, 0
	for u := t - int64(q.Grid); u < t; u += 1e6 {
		if v := at(u, false); v == v && m.speaks(q, u) {
			sum, n = sum+v, n+1
		}
	}
	return sum / float64(n)
}

// speaks reports whether the sample at a time goes on for the millisecond after.
func (m *history) speaks(q *Query, t int64) bool {
	for i := len(m.samples) - 1; i >= 0; i-- {
		if m.samples[i].Time <= t {
			return t-m.samples[i].Time < q.reach()
		}
	}
	return false
}

// Wide rows are what the definition says, however they are cut into batches.
func TestWide(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const ms = int64(time.Millisecond)
	begin := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC).UnixNano()
	for round := range 600 {
		kind := []plant.Kind{plant.Analog, plant.Analog, plant.SetPoint, plant.Discrete, plant.Text}[rng.IntN(5)]
		m := &history{tag: plant.Tag{ID: 1, Path: "T", Kind: kind}}
		now := begin - rng.Int64N(200)*ms
		for range rng.IntN(30) {
			now += (1 + rng.Int64N(60)) * ms
			s := plant.Sample{Tag: 1, Time: now, Value: float64(rng.IntN(9))}
			switch rng.IntN(12) {
			case 0:
				s.Quality = plant.Bad
			case 1:
				s.Value = math.NaN()
			case 2:
				s.Value = math.Inf(1)
			}
			m.samples = append(m.samples, s)
			m.texts = append(m.texts, plant.State{Tag: 1, Time: now, Value: fmt.Sprint(s.Value), Quality: s.Quality})
		}
		for range rng.IntN(3) {
			from := begin + rng.Int64N(600)*ms
			m.gaps = append(m.gaps, plant.Gap{Tag: 1, From: from, To: from + (1+rng.Int64N(60))*ms, Reason: string(rune('a' + rng.IntN(2)))})
		}
		q := Query{
			Tags: []string{"T"}, From: begin + rng.Int64N(50)*ms, To: begin + (200+rng.Int64N(400))*ms, Shape: Wide,
			Grid: time.Duration(1+rng.Int64N(30)) * time.Millisecond, Hold: 1 + rng.IntN(5), Fill: []Fill{FillStep, FillLinear, FillMean}[rng.IntN(3)],
		}.withDefaults()
		p, err := q.pick(m)
		if err != nil {
			t.Fatal(err)
		}
		r := &run{q: q, src: m, pick: p, job: &Job{}}
		if err := r.prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.size = 1 + rng.IntN(20)
		r.free, r.full = make(chan *batch, 1000), make(chan *batch, 1000)
		for range 1000 {
			r.free <- newBatch(r.wideColumns(), r.size)
		}
		if err := r.wide(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.hand(t.Context()); err != nil {
			t.Fatal(err)
		}
		close(r.full)
		grid := int64(q.Grid)
		row, cells := (q.From+grid-1)/grid*grid, int64(0)
		for b := range r.full {
			for i := range b.n {
				if got := b.vectors[0].times[i] * ms; got != row {
					t.Fatalf("round %d: row at %d, want %d", round, got, row)
				}
				want := m.value(&q, row)
				if kind == plant.Text {
					want := m.text(&q, row)
					got := b.vectors[1].texts[i]
					if b.vectors[1].null[i] {
						got = "none"
					} else {
						cells++
					}
					if got != want {
						t.Fatalf("round %d at %d: %q, want %q", round, (row-begin)/ms, got, want)
					}
				} else {
					got := b.vectors[1].floats[i]
					if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-9 {
						t.Fatalf("round %d, %s %s, hold %d of %v, gaps %v, at %d: %v, want %v", round, kind, q.Fill, q.Hold, q.Grid, m.gaps, (row-begin)/ms, got, want)
					}
					if got == got {
						cells++
					}
				}
				row += grid
			}
		}
		if row < q.To || row-grid >= q.To || r.manifest.Tags[0].Rows != cells {
			t.Fatalf("round %d: ended before %d of %d; %d cells, the manifest says %d", round, row, q.To, cells, r.manifest.Tags[0].Rows)
		}
	}
}

// text is the text that stands at a time, "none" where there is none.
func (m *history) text(q *Query, t int64) string {
	for i := len(m.texts) - 1; i >= 0; i-- {
		s := m.texts[i]
		if s.Time > t {
			continue
		}
		if m.gapBegins(s.Time, t) || !q.Keep.keeps(s.Quality) {
			return "none"
		}
		return s.Value
	}
	return "none"
}

// FuzzManifest reads manifests of others: what it takes can be written and read
// again as it is.
func FuzzManifest(f *testing.F) {
	golden, err := os.ReadFile("testdata/manifest.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add([]byte(`{"format":1,"query":{"asset":"A","from":"1970-01-01T00:00:00.001Z","to":"2026-03-01T06:00:00Z","shape":"wide","grid":"1s","hold":3}}`))
	f.Add([]byte(`{"format":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if err != nil {
			return
		}
		one, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseManifest(one)
		if err != nil {
			t.Fatalf("%s: %v", one, err)
		}
		two, err := json.Marshal(again)
		if err != nil || string(one) != string(two) {
			t.Fatalf("%s\n%s\n%v", one, two, err)
		}
	})
}
