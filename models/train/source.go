package train

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"millwright/plant"
)

// Source is what a training reads: the historian, or a file that was exported
// from it.
type Source interface {
	Tags() []plant.Tag
	Assets() []plant.Asset
	// Scan yields the samples of a tag, ascending; blocks are valid until the next.
	Scan(ctx context.Context, r plant.Range) iter.Seq2[plant.Block, error]
	// States and Gaps of a tag, ascending.
	States(ctx context.Context, r plant.Range) ([]plant.State, error)
	Gaps(ctx context.Context, r plant.Range) ([]plant.Gap, error)
	// Labels that touch a span, newest first.
	Labels(ctx context.Context, q plant.LabelQuery) ([]plant.Label, error)
	// Alarms of an asset that were active in a span.
	Alarms(ctx context.Context, asset string, from, to int64) ([]plant.Alarm, error)
}

// heard are the tags that the judgement of an asset listens to: its own measured
// ones, and those that its modes and limits name.
func heard(a *plant.Asset, tags []plant.Tag) []plant.Tag {
	named := map[string]bool{a.ModeTag: a.ModeTag != ""}
	for _, m := range a.Modes {
		for _, c := range m.When {
			named[c.Tag] = true
		}
	}
	for _, l := range a.Limits {
		named[l.Tag] = true
	}
	var out []plant.Tag
	for _, t := range tags {
		own := t.Asset == a.Path && (t.Kind == plant.Analog || t.Kind == "")
		if !t.Derived && (own || named[t.Path]) {
			out = append(out, t)
		}
	}
	return out
}

// cursor is where the reading of one tag stands.
type cursor struct {
	tag   plant.TagID
	next  func() (plant.Block, error, bool)
	stop  func()
	block plant.Block
	at    int
}

// fill makes sure that the block has a sample at the cursor; false at the end.
func (c *cursor) fill() (bool, error) {
	for c.at >= len(c.block.Times) {
		b, err, ok := c.next()
		if err != nil || !ok {
			return false, err
		}
		c.block, c.at = b, 0
	}
	return true, nil
}

// event is a state or a gap in the order of time.
type event struct {
	time  int64
	state plant.State
	gap   plant.Gap // where To > 0
}

// batchSize bounds what one call of Observe takes.
const batchSize = 4096

// lookBack are the spans in which the state before a span is looked for, one
// after the other.
var lookBack = [...]time.Duration{time.Hour, 24 * time.Hour, 14 * 24 * time.Hour}

// read gives the samples, states and gaps of tags in [from, to) to take, in the
// order of their times, and says how far it is. It holds a block of each tag. The
// batch is valid during the call.
func read(ctx context.Context, src Source, tags []plant.Tag, from, to int64, take func(b plant.Batch, until int64) error) error {
	events, err := eventsOf(ctx, src, tags, from, to)
	if err != nil {
		return err
	}
	var cursors []*cursor
	defer func() {
		for _, c := range cursors {
			c.stop()
		}
	}()
	for _, t := range tags {
		if t.Kind == plant.Text {
			continue
		}
		next, stop := iter.Pull2(src.Scan(ctx, plant.Range{Tag: t.ID, From: from, To: to}))
		c := &cursor{tag: t.ID, next: next, stop: stop}
		ok, err := c.fill()
		if err != nil || !ok {
			stop()
			if err != nil {
				return fmt.Errorf("tag %s: %w", t.Path, err)
			}
			continue
		}
		cursors = append(cursors, c)
	}
	var b plant.Batch
	last := from
	flush := func() error {
		err := take(b, last)
		b.Reset()
		if err == nil {
			err = ctx.Err()
		}
		return err
	}
	for len(cursors) > 0 || len(events) > 0 {
		at := int64(1<<63 - 1)
		for _, c := range cursors {
			at = min(at, c.block.Times[c.at])
		}
		for len(events) > 0 && events[0].time <= at {
			e := events[0]
			events = events[1:]
			if len(b.Samples) > 0 { // a batch's states come before its samples
				if err := flush(); err != nil {
					return err
				}
			}
			if e.gap.To > 0 {
				b.Gaps = append(b.Gaps, e.gap)
			} else {
				b.States = append(b.States, e.state)
			}
			last = max(last, e.time)
			if len(cursors) == 0 {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		for i := 0; i < len(cursors); i++ {
			c := cursors[i]
			if c.block.Times[c.at] != at {
				continue
			}
			b.Samples = append(b.Samples, plant.Sample{Tag: c.tag, Time: at, Value: c.block.Values[c.at], Quality: c.block.Quality[c.at]})
			c.at++
			ok, err := c.fill()
			if err != nil {
				return err
			}
			if !ok {
				c.stop()
				cursors = slices.Delete(cursors, i, i+1)
				i--
			}
		}
		if len(cursors) > 0 {
			last = max(last, at)
		}
		if len(b.Samples) >= batchSize {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	last = to
	return flush()
}

// eventsOf are the states of text tags, with those that hold at from, and the
// gaps of all tags, by time. A gap is told at its start: nothing is known then
// until its end.
func eventsOf(ctx context.Context, src Source, tags []plant.Tag, from, to int64) ([]event, error) {
	var out []event
	for _, t := range tags {
		gaps, err := src.Gaps(ctx, plant.Range{Tag: t.ID, From: from, To: to})
		if err != nil {
			return nil, fmt.Errorf("gaps of %s: %w", t.Path, err)
		}
		for _, g := range gaps {
			out = append(out, event{time: max(from, g.From), gap: g})
		}
		if t.Kind != plant.Text {
			continue
		}
		states, err := src.States(ctx, plant.Range{Tag: t.ID, From: from, To: to})
		if err != nil {
			return nil, fmt.Errorf("states of %s: %w", t.Path, err)
		}
		if len(states) == 0 || states[0].Time > from {
			before, err := stateBefore(ctx, src, t.ID, from)
			if err != nil {
				return nil, fmt.Errorf("states of %s: %w", t.Path, err)
			}
			for _, s := range before {
				s.Time = from
				out = append(out, event{time: from, state: s})
			}
		}
		for _, s := range states {
			out = append(out, event{time: s.Time, state: s})
		}
	}
	slices.SortStableFunc(out, func(a, b event) int {
		switch {
		case a.time < b.time:
			return -1
		case a.time > b.time:
			return 1
		}
		return 0
	})
	return out, nil
}

// stateBefore is the last state before a time, if there is one in a fortnight.
func stateBefore(ctx context.Context, src Source, tag plant.TagID, at int64) ([]plant.State, error) {
	for _, d := range lookBack {
		states, err := src.States(ctx, plant.Range{Tag: tag, From: at - int64(d), To: at})
		if err != nil || len(states) > 0 {
			return states[max(0, len(states)-1):], err
		}
	}
	return nil, nil
}
