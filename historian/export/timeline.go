package export

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"millwright/plant"
)

// timeline is a word for each span of time: spans ascend and are disjoint, and
// where none is there is no word.
type timeline []entry

type entry struct {
	span
	word int32 // place in words.list
}

// words is the dictionary of a column, by the order in which it was learned.
type words struct {
	list   []string
	index  map[string]int32
	closed bool // new words are none: a file has begun
}

func (w *words) add(s string) int32 {
	i, ok := w.index[s]
	if !ok && w.closed {
		return none
	}
	if !ok {
		if w.index == nil {
			w.index = map[string]int32{}
		}
		i = int32(len(w.list))
		w.list = append(w.list, s)
		w.index[s] = i
	}
	return i
}

// none is the word where there is none.
const none = -1

// reader goes along a timeline with rising times.
type reader struct {
	line timeline
	at   int
}

// word is the word at a time, and until when (exclusive) it stays so.
func (r *reader) word(t int64) (word int32, until int64) {
	for r.at < len(r.line) && r.line[r.at].to <= t {
		r.at++
	}
	if r.at == len(r.line) {
		return none, math.MaxInt64
	}
	if e := r.line[r.at]; e.from <= t {
		return e.word, e.to
	} else {
		return none, e.from
	}
}

// said is something that somebody said of a span; later rank is the stronger.
type said struct {
	span
	word string
	rank int64
}

// overlay makes a timeline of spans that may overlap: join gets what is said of a
// span, ascending by rank and word, and says it in one word.
func overlay(all []said, w *words, join func([]said) string) timeline {
	all = slices.DeleteFunc(all, func(s said) bool { return s.from >= s.to })
	slices.SortFunc(all, func(a, b said) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.word, b.word), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	var edges []int64
	for _, s := range all {
		edges = append(edges, s.from, s.to)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	starts := slices.Clone(all)
	slices.SortStableFunc(starts, func(a, b said) int { return cmp.Compare(a.from, b.from) })
	var out timeline
	var open []said
	for i := 0; i+1 < len(edges); i++ {
		t := edges[i]
		open = slices.DeleteFunc(open, func(s said) bool { return s.to <= t })
		for len(starts) > 0 && starts[0].from == t {
			open = append(open, starts[0])
			starts = starts[1:]
		}
		if len(open) == 0 {
			continue
		}
		slices.SortStableFunc(open, func(a, b said) int {
			return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.word, b.word))
		})
		word := w.add(join(open))
		if n := len(out) - 1; n >= 0 && out[n].to == t && out[n].word == word {
			out[n].to = edges[i+1]
			continue
		}
		out = append(out, entry{span{t, edges[i+1]}, word})
	}
	return out
}

// verdicts is the timeline of the answers about an asset: the one given last
// counts.
func verdicts(list []plant.Label, w *words) timeline {
	// Answers of one moment are told apart by their number, so that the order
	// does not depend on how they were found.
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b plant.Label) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
	all := make([]said, len(list))
	for i, l := range list {
		all[i] = said{span{l.From, l.To}, string(l.Verdict), int64(i)}
	}
	return overlay(all, w, func(s []said) string { return s[len(s)-1].word })
}

// findings is the timeline of the open findings of an asset: their keys, each
// once, with semicolons between them.
func findings(list []plant.Alarm, w *words) timeline {
	all := make([]said, len(list))
	for i, a := range list {
		to := a.Returned
		if to == 0 {
			to = math.MaxInt64
		}
		all[i] = said{span{a.Raised, to}, a.Finding.Key, 0}
	}
	return overlay(all, w, func(s []said) string {
		keys := make([]string, len(s))
		for i := range s {
			keys[i] = s[i].word
		}
		return strings.Join(slices.Compact(keys), ";")
	})
}

// modes is the timeline of an asset's mode in [from, to): a mode stands until the
// next one. Where its quality is not good nobody knew it.
func modes(ctx context.Context, src Source, tag plant.TagID, from, to int64, w *words) (timeline, error) {
	if tag == 0 {
		return nil, nil
	}
	var line timeline
	last := int32(none)
	begin := func(t int64, st plant.State) {
		word := int32(none)
		if st.Quality.IsGood() && st.Value != "" {
			word = w.add(st.Value)
		}
		if word == last {
			return
		}
		if n := len(line) - 1; n >= 0 && last != none {
			line[n].to = t
		}
		if word != none {
			line = append(line, entry{span{t, math.MaxInt64}, word})
		}
		last = word
	}
	before, err := stateBefore(ctx, src, tag, from)
	if err != nil {
		return nil, err
	}
	if before.Tag != 0 {
		begin(from, before)
	}
	for st, err := range states(ctx, src, plant.Range{Tag: tag, From: from, To: to}) {
		if err != nil {
			return nil, err
		}
		begin(st.Time, st)
	}
	return line, nil
}
