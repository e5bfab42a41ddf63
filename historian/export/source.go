package export

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"millwright/historian/alarm"
	"millwright/historian/store"
	"millwright/plant"
)

// Source is what an export reads.
type Source interface {
	Tags() []plant.Tag
	Assets() []plant.Asset
	Scan(ctx context.Context, r plant.Range) iter.Seq2[plant.Block, error]
	States(ctx context.Context, r plant.Range) ([]plant.State, error)
	Gaps(ctx context.Context, r plant.Range) ([]plant.Gap, error)
	// Labels returns the answers of the crew, the one given last first.
	Labels(ctx context.Context, q plant.LabelQuery) ([]plant.Label, error)
	// Alarms returns the alarms of an asset and all below it that were open in
	// [from, to), one for each time that they were: Raised and Returned are that
	// time's, Returned is 0 while it lasts. An empty asset is all.
	Alarms(ctx context.Context, asset string, from, to int64) ([]plant.Alarm, error)
}

// Book is the part of the alarm book that an export reads (*alarm.Book).
type Book interface {
	Labels(ctx context.Context, q plant.LabelQuery) ([]plant.Label, error)
	List(ctx context.Context, q plant.AlarmQuery) (alarms []plant.Alarm, next string, err error)
	Journal(ctx context.Context, id int64) ([]alarm.Entry, error)
}

// Works is a plant's store and alarm book as a Source.
type Works struct {
	store.Store
	Book Book
}

var _ Source = Works{}

// Labels implements Source.
func (w Works) Labels(ctx context.Context, q plant.LabelQuery) ([]plant.Label, error) {
	return w.Book.Labels(ctx, q)
}

// Alarms implements Source. An alarm that came back has a journal of its times.
func (w Works) Alarms(ctx context.Context, asset string, from, to int64) ([]plant.Alarm, error) {
	var out []plant.Alarm
	q := plant.AlarmQuery{Asset: asset}
	for {
		page, next, err := w.Book.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, a := range page {
			times := []plant.Alarm{a}
			if a.Count > 1 {
				if times, err = w.times(ctx, a); err != nil {
					return nil, err
				}
			}
			for _, t := range times {
				if t.Raised < to && (t.Returned == 0 || t.Returned > from) {
					out = append(out, t)
				}
			}
		}
		if next == "" {
			return out, nil
		}
		q.After = next
	}
}

// times are the alarm once for each time that it was open.
func (w Works) times(ctx context.Context, a plant.Alarm) ([]plant.Alarm, error) {
	entries, err := w.Book.Journal(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	var out []plant.Alarm
	for _, e := range entries {
		switch n := len(out); {
		case e.Event == "raise" || e.Event == "recur":
			one := a
			one.Raised, one.Returned = e.Raised, 0
			out = append(out, one)
		case e.Event == "return" && n > 0 && out[n-1].Returned == 0:
			out[n-1].Returned = e.Source
		}
	}
	return out, nil
}

// labels are all answers about an asset itself, not about those below it.
func labels(ctx context.Context, src Source, asset string, from, to int64) ([]plant.Label, error) {
	const page = 1000
	var out []plant.Label
	q := plant.LabelQuery{Asset: asset, From: from, To: to, Limit: page}
	for {
		found, err := src.Labels(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, l := range found {
			if l.Asset == asset {
				out = append(out, l)
			}
		}
		if len(found) < page {
			return out, nil
		}
		last := found[len(found)-1].ID
		if q.Before != 0 && last >= q.Before {
			return nil, fmt.Errorf("labels of %s: page before %d ends with %d", asset, q.Before, last)
		}
		q.Before = last
	}
}

// statePage is how many texts are asked for at once.
const statePage = 4096

// states yields the texts of a tag, ascending, without holding all of them.
func states(ctx context.Context, src Source, r plant.Range) iter.Seq2[plant.State, error] {
	return func(yield func(plant.State, error) bool) {
		r.Limit = statePage
		for {
			page, err := src.States(ctx, r)
			if err != nil {
				yield(plant.State{}, err)
				return
			}
			for _, st := range page {
				if !yield(st, nil) {
					return
				}
			}
			if len(page) < statePage {
				return
			}
			r.From = page[len(page)-1].Time + 1
		}
	}
}

// stateBefore is the last text before a time; its Tag is 0 where there is none.
func stateBefore(ctx context.Context, src Source, tag plant.TagID, before int64) (plant.State, error) {
	var last plant.State
	err := backward(before, func(from, to int64) (bool, error) {
		found, err := src.States(ctx, plant.Range{Tag: tag, From: from, To: to})
		if n := len(found); n > 0 {
			last = found[n-1]
		}
		return len(found) > 0, err
	})
	return last, err
}

// sampleBefore is the last sample before a time; its Tag is 0 where there is none.
func sampleBefore(ctx context.Context, src Source, tag plant.TagID, before int64) (plant.Sample, error) {
	var last plant.Sample
	err := backward(before, func(from, to int64) (bool, error) {
		for b, err := range src.Scan(ctx, plant.Range{Tag: tag, From: from, To: to}) {
			if err != nil {
				return false, err
			}
			if n := len(b.Times) - 1; n >= 0 {
				last = plant.Sample{Tag: tag, Time: b.Times[n], Value: b.Values[n], Quality: b.Quality[n]}
			}
		}
		return last.Tag != 0, nil
	})
	return last, err
}

// backward looks in spans before a time, nearby first because most tags speak
// often, until one has what is looked for.
func backward(before int64, look func(from, to int64) (found bool, err error)) error {
	to := before
	for back := int64(10 * time.Minute); ; back *= 4 {
		from := int64(math.MinInt64)
		if back < math.MaxInt64/8 && before > 0 {
			from = before - back
		}
		found, err := look(from, to)
		if found || err != nil || from == math.MinInt64 {
			return err
		}
		to = from
	}
}

// gaps are the declared gaps of a tag, those that overlap or meet as one.
func gaps(ctx context.Context, src Source, tag plant.TagID, from, to int64) (all []plant.Gap, joined []span, err error) {
	all, err = src.Gaps(ctx, plant.Range{Tag: tag, From: from, To: to})
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(all, compareGaps)
	for _, g := range all {
		if n := len(joined) - 1; n >= 0 && g.From <= joined[n].to {
			joined[n].to = max(joined[n].to, g.To)
			continue
		}
		joined = append(joined, span{g.From, g.To})
	}
	return all, joined, nil
}

// span is a half-open span of time, ns UTC.
type span struct{ from, to int64 }
