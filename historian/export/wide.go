package export

import (
	"context"
	"math"

	"millwright/plant"
)

// wideColumns are the time, then mode, label and finding of each asset, then the
// tags. Where there are several assets their paths stand before the three.
func (r *run) wideColumns() []column {
	out := []column{{name: "time", kind: timeKind}}
	used := map[string]bool{"time": true}
	add := func(c column) {
		for used[c.name] {
			c.name += "_"
		}
		used[c.name] = true
		out = append(out, c)
	}
	for _, a := range r.pick.assets {
		prefix := ""
		if len(r.pick.assets) > 1 {
			prefix = a.Path + ":"
		}
		add(column{name: prefix + "mode", kind: wordKind, words: r.modeWords.list})
		add(column{name: prefix + "label", kind: wordKind, words: r.labelWords.list})
		add(column{name: prefix + "finding", kind: wordKind, words: r.findingWords.list})
	}
	for i := range r.pick.tags {
		t := &r.pick.tags[i]
		k := floatKind
		if t.Kind == plant.Text {
			k = textKind
		}
		add(column{name: t.Path, kind: k})
	}
	return out
}

// wide puts out the rows of the grid, some at a time: for each column the cells of
// these rows.
func (r *run) wide(ctx context.Context) error {
	beside, err := r.besides(ctx)
	if err != nil {
		return err
	}
	tags := make([]onGrid, len(r.pick.tags))
	for i := range tags {
		tags[i] = onGrid{tag: &r.pick.tags[i], q: &r.q, gaps: r.gaps[i], scanned: r.lower()}
	}
	grid := int64(r.q.Grid)
	first := r.q.From - (r.q.From%grid+grid)%grid
	if first < r.q.From {
		first += grid
	}
	for t := first; t < r.q.To && t >= first; {
		room, err := r.room(ctx)
		if err != nil {
			return err
		}
		n := int(min(int64(room), (r.q.To-1-t)/grid+1))
		out, at := r.take(n)
		times := out.vectors[0].times[at : at+n]
		for k := range times {
			times[k] = (t + int64(k)*grid) / 1e6
		}
		for i := range beside {
			v := &out.vectors[1+i]
			for k := range n {
				v.words[at+k], _ = beside[i].word(t + int64(k)*grid)
			}
		}
		for i := range tags {
			if err := tags[i].fill(ctx, r.src, &out.vectors[1+len(beside)+i], at, n, t); err != nil {
				return err
			}
			r.manifest.Tags[i].count(tags[i].rows, tags[i].first, tags[i].last)
		}
		last := t + int64(n-1)*grid
		if r.manifest.First == 0 {
			r.manifest.First = stamp(t)
		}
		r.manifest.Last = stamp(last)
		r.progress(len(r.pick.tags)-1, last)
		t = last + grid
	}
	return nil
}

// besides are mode, label and finding of each asset.
func (r *run) besides(ctx context.Context) ([]reader, error) {
	var out []reader
	for i := range r.pick.assets {
		line, err := r.modesOf(ctx, i)
		if err != nil {
			return nil, err
		}
		out = append(out, reader{line: line}, reader{line: r.labels[i]}, reader{line: r.findings[i]})
	}
	return out, nil
}

// onGrid is a tag on its way along the grid.
type onGrid struct {
	tag     *plant.Tag
	q       *Query
	gaps    []span // those that begin after the last sample seen
	scanned int64  // samples before it have been seen
	prev    point  // the last one seen

	begun bool    // what stands before the first row was looked for
	text  passage // that stands

	rows, first, last int64 // cells with a value of the last fill

	sum, weight []float64 // of rows, for means
}

// point is a sample, or the lack of one.
type point struct {
	time  int64
	value float64 // NaN: not kept, or no number
	there bool
	hold  int64 // when it speaks for the last time
	gap   int64 // start of the next declared gap
}

// fill puts out n rows from time t on.
func (g *onGrid) fill(ctx context.Context, src Source, v *vector, at, n int, t int64) error {
	g.rows = 0
	if g.tag.Kind == plant.Text {
		return g.fillText(ctx, src, v, at, n, t)
	}
	w := window{cells: v.floats[at : at+n], start: t, step: int64(g.q.Grid)}
	fill(w.cells, math.NaN())
	how := g.q.Fill
	if g.stands() {
		how = FillStep
		if err := g.begin(ctx, src, t); err != nil {
			return err
		}
	}
	if how == FillMean {
		g.sum, g.weight = zeros(g.sum, n), zeros(g.weight, n)
	}
	end := w.time(n - 1)
	ahead := end + 1
	if how == FillLinear {
		ahead = later(end, g.q.reach()+1)
	}
	prev := g.prev
	over := false // a sample behind the last row was seen
	for block, err := range src.Scan(ctx, plant.Range{Tag: g.tag.ID, From: g.scanned, To: ahead}) {
		if err != nil {
			return err
		}
		for i, at := range block.Times {
			next := g.point(at, block.Values[i], block.Quality[i])
			g.between(&w, how, prev, next)
			if at > end {
				over = true
				break
			}
			prev = next
		}
		if over {
			break
		}
	}
	if !over {
		g.between(&w, how, prev, point{time: math.MaxInt64})
	}
	g.prev, g.scanned = prev, end+1
	if how == FillMean {
		for k := range w.cells {
			if g.weight[k] > 0 {
				w.cells[k] = g.sum[k] / g.weight[k]
			}
		}
	}
	for k, c := range w.cells {
		if c == c {
			g.count(w.time(k))
		}
	}
	return nil
}

// stands reports whether a value is true until the next one: such tags are sent
// when they change.
func (g *onGrid) stands() bool { return g.tag.Kind != plant.Analog && g.tag.Kind != "" }

// begin finds what stands at the first row, with the gaps since then.
func (g *onGrid) begin(ctx context.Context, src Source, t int64) error {
	if g.begun {
		return nil
	}
	g.begun, g.scanned = true, t
	since := t
	var number plant.Sample
	var text plant.State
	var err error
	if g.tag.Kind == plant.Text {
		text, err = stateBefore(ctx, src, g.tag.ID, t)
	} else {
		number, err = sampleBefore(ctx, src, g.tag.ID, t)
	}
	if err != nil {
		return err
	}
	switch {
	case text.Tag != 0:
		since = text.Time
	case number.Tag != 0:
		since = number.Time
	}
	if _, g.gaps, err = gaps(ctx, src, g.tag.ID, since, g.q.To); err != nil {
		return err
	}
	if text.Tag != 0 {
		g.text = g.passage(text)
	}
	if number.Tag != 0 {
		g.prev = g.point(number.Time, number.Value, number.Quality)
	}
	return nil
}

// point is a sample with the time until which it speaks: the hold, or the next
// declared gap.
func (g *onGrid) point(t int64, v float64, q plant.Quality) point {
	p := point{time: t, value: v, there: true, hold: math.MaxInt64, gap: g.nextGap(t)}
	if !g.stands() {
		p.hold = later(t, g.q.reach())
	}
	if !g.q.Keep.keeps(q) || math.IsInf(v, 0) {
		p.value = math.NaN()
	}
	return p
}

// nextGap is the start of the first declared gap that begins after a time; times
// rise.
func (g *onGrid) nextGap(t int64) int64 {
	for len(g.gaps) > 0 && g.gaps[0].from <= t {
		g.gaps = g.gaps[1:]
	}
	if len(g.gaps) == 0 {
		return math.MaxInt64
	}
	return g.gaps[0].from
}

// passage is a text that stands until the next one, or a declared gap.
type passage struct {
	text  string
	there bool
	gap   int64
}

func (g *onGrid) passage(s plant.State) passage {
	return passage{s.Value, g.q.Keep.keeps(s.Quality), g.nextGap(s.Time)}
}

// between fills the cells from prev on up to next.
func (g *onGrid) between(w *window, how Fill, prev, next point) {
	if !prev.there || prev.value != prev.value {
		return
	}
	if how == FillMean {
		w.spread(g.sum, g.weight, prev.value, prev.time, min(next.time, prev.hold, prev.gap))
		return
	}
	slope := 0.0
	end := min(next.time, later(prev.hold, 1), prev.gap)
	if how == FillLinear && next.there && next.value == next.value && next.time <= min(prev.hold, prev.gap) {
		slope = (next.value - prev.value) / float64(next.time-prev.time)
	}
	for k := w.index(prev.time); k < len(w.cells) && w.time(k) < end; k++ {
		w.cells[k] = prev.value + slope*float64(w.time(k)-prev.time)
	}
}

func (g *onGrid) fillText(ctx context.Context, src Source, v *vector, at, n int, t int64) error {
	if err := g.begin(ctx, src, t); err != nil {
		return err
	}
	w := window{start: t, step: int64(g.q.Grid)}
	k := 0
	until := func(end int64) {
		for ; k < n && w.time(k) < end; k++ {
			v.texts[at+k], v.null[at+k] = "", true
			if g.text.there && w.time(k) < g.text.gap {
				v.texts[at+k], v.null[at+k] = g.text.text, false
				g.count(w.time(k))
			}
		}
	}
	end := w.time(n - 1)
	for st, err := range states(ctx, src, plant.Range{Tag: g.tag.ID, From: g.scanned, To: end + 1}) {
		if err != nil {
			return err
		}
		until(st.Time)
		g.text = g.passage(st)
	}
	until(math.MaxInt64)
	g.scanned = end + 1
	return nil
}

// count counts a cell with a value.
func (g *onGrid) count(t int64) {
	if g.rows == 0 {
		g.first = t
	}
	g.rows, g.last = g.rows+1, t
}

// window is some rows of the grid.
type window struct {
	cells []float64
	start int64 // time of the first
	step  int64
}

func (w *window) time(k int) int64 { return w.start + int64(k)*w.step }

// index is the first row at or after a time.
func (w *window) index(t int64) int {
	if t <= w.start {
		return 0
	}
	return int(min((t-w.start+w.step-1)/w.step, math.MaxInt32))
}

// spread adds a value that stands in [from, to) to the means of the rows: row k is
// of (time-step, time].
func (w *window) spread(sum, weight []float64, value float64, from, to int64) {
	from = max(from, w.start-w.step)
	to = min(to, w.time(len(w.cells)-1))
	for k := w.index(from); k < len(w.cells) && from < to; k++ {
		end := min(w.time(k), to)
		if d := float64(end - from); d > 0 {
			sum[k] += value * d
			weight[k] += d
			from = end
		}
	}
}

func zeros(s []float64, n int) []float64 {
	if cap(s) < n {
		return make([]float64, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// later is t + d, as far as there are numbers.
func later(t, d int64) int64 {
	if t > math.MaxInt64-d {
		return math.MaxInt64
	}
	return t + d
}
