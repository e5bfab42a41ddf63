package export

import (
	"context"
	"iter"
	"math"

	"millwright/plant"
)

// Columns of a long file, by their place.
const (
	longTag = iota
	longTime
	longValue
	longText
	longQuality
	longSeverity
	longMode
	longLabel
	longFinding
	longGap
)

// severities are plant.Quality.Severity by the two top bits of a quality.
var severities = []string{"good", "uncertain", "bad"}

func (r *run) longColumns() []column {
	paths := make([]string, len(r.pick.tags))
	for i := range r.pick.tags {
		paths[i] = r.pick.tags[i].Path
	}
	return []column{
		longTag:      {name: "tag", kind: wordKind, words: paths, always: true},
		longTime:     {name: "time", kind: timeKind},
		longValue:    {name: "value", kind: floatKind},
		longText:     {name: "text", kind: textKind},
		longQuality:  {name: "quality", kind: codeKind},
		longSeverity: {name: "severity", kind: wordKind, words: severities, always: true},
		longMode:     {name: "mode", kind: wordKind, words: r.modeWords.list},
		longLabel:    {name: "label", kind: wordKind, words: r.labelWords.list},
		longFinding:  {name: "finding", kind: wordKind, words: r.findingWords.list},
		longGap:      {name: "gap", kind: flagKind},
	}
}

// long puts out the rows of one tag after the other.
func (r *run) long(ctx context.Context) error {
	for i := range r.pick.tags {
		if err := r.longTag(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// cells are what stands beside the samples of a tag in a long file.
type cells struct {
	tag     int
	mode    reader
	label   reader
	finding reader
	gaps    []span // those not over yet
	last    int64  // time of the row before
}

func (r *run) longTag(ctx context.Context, i int) error {
	t := &r.pick.tags[i]
	c := &cells{tag: i, last: r.q.From, gaps: r.gaps[i]}
	if a := r.pick.asset(t); a >= 0 {
		line, err := r.modesOf(ctx, a)
		if err != nil {
			return err
		}
		c.mode, c.label, c.finding = reader{line: line}, reader{line: r.labels[a]}, reader{line: r.findings[a]}
	}
	span := plant.Range{Tag: t.ID, From: r.q.From, To: r.q.To}
	if t.Kind == plant.Text {
		return r.longStates(ctx, c, states(ctx, r.src, span))
	}
	for block, err := range r.src.Scan(ctx, span) {
		if err != nil {
			return err
		}
		if err := r.longBlock(ctx, c, block); err != nil {
			return err
		}
	}
	return nil
}

// longBlock puts out the samples of a block that are kept.
func (r *run) longBlock(ctx context.Context, c *cells, b plant.Block) error {
	for from := 0; from < len(b.Times); {
		if !r.q.Keep.keeps(b.Quality[from]) {
			from++
			continue
		}
		// A stretch that is kept, fits and has one mode, label and finding.
		room, err := r.room(ctx)
		if err != nil {
			return err
		}
		mode, label, finding, until := c.words(b.Times[from])
		to := from + 1
		for most := min(len(b.Times), from+room); to < most && b.Times[to] < until && r.q.Keep.keeps(b.Quality[to]); {
			to++
		}
		out, at := r.take(to - from)
		times := out.vectors[longTime].times[at:]
		values := out.vectors[longValue].floats[at:]
		codes := out.vectors[longQuality].codes[at:]
		severity := out.vectors[longSeverity].words[at:]
		flags := out.vectors[longGap].flags[at:]
		for k, t := range b.Times[from:to] {
			times[k] = t / 1e6
			v, q := b.Values[from+k], b.Quality[from+k]
			if math.IsInf(v, 0) {
				v = math.NaN()
			}
			values[k] = v
			codes[k] = uint32(q)
			severity[k] = min(int32(q>>30), 2)
			flags[k] = c.gap(t)
		}
		n := to - from
		fill(out.vectors[longText].null[at:at+n], true)
		r.longWords(out, at, n, c.tag, mode, label, finding)
		r.manifest.Tags[c.tag].count(int64(n), b.Times[from], b.Times[to-1])
		from = to
	}
	r.progress(c.tag, c.last)
	return nil
}

func (r *run) longStates(ctx context.Context, c *cells, all iter.Seq2[plant.State, error]) error {
	for st, err := range all {
		if err != nil {
			return err
		}
		if !r.q.Keep.keeps(st.Quality) {
			continue
		}
		if _, err := r.room(ctx); err != nil {
			return err
		}
		mode, label, finding, _ := c.words(st.Time)
		out, at := r.take(1)
		out.vectors[longTime].times[at] = st.Time / 1e6
		out.vectors[longValue].floats[at] = math.NaN()
		out.vectors[longText].texts[at], out.vectors[longText].null[at] = st.Value, false
		out.vectors[longQuality].codes[at] = uint32(st.Quality)
		out.vectors[longSeverity].words[at] = min(int32(st.Quality>>30), 2)
		out.vectors[longGap].flags[at] = c.gap(st.Time)
		r.longWords(out, at, 1, c.tag, mode, label, finding)
		r.manifest.Tags[c.tag].count(1, st.Time, st.Time)
	}
	r.progress(c.tag, r.q.To)
	return nil
}

func (r *run) longWords(out *batch, at, n, tag int, mode, label, finding int32) {
	fill(out.vectors[longTag].words[at:at+n], int32(tag))
	fill(out.vectors[longMode].words[at:at+n], mode)
	fill(out.vectors[longLabel].words[at:at+n], label)
	fill(out.vectors[longFinding].words[at:at+n], finding)
}

// words are mode, label and finding at a time, and until when they stay so.
func (c *cells) words(t int64) (mode, label, finding int32, until int64) {
	mode, m := c.mode.word(t)
	label, l := c.label.word(t)
	finding, f := c.finding.word(t)
	return mode, label, finding, min(m, l, f)
}

// gap reports whether a declared gap touches the time from the row before to t:
// rows may be missing there.
func (c *cells) gap(t int64) bool {
	for len(c.gaps) > 0 && c.gaps[0].to <= c.last {
		c.gaps = c.gaps[1:]
	}
	c.last = t
	return len(c.gaps) > 0 && c.gaps[0].from <= t
}
