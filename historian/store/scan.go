package store

import (
	"context"
	"fmt"
	"iter"
	"math"

	"millwright/plant"
	"millwright/plant/chunk"

	"github.com/cockroachdb/pebble/v2"
)

// Scan implements Store.
func (s *Pebble) Scan(ctx context.Context, r plant.Range) iter.Seq2[plant.Block, error] {
	return func(yield func(plant.Block, error) bool) {
		if err := s.enter(); err != nil {
			yield(plant.Block{}, err)
			return
		}
		defer s.leave()
		w, err := s.newWalk(r.Tag, r.From, r.To)
		if err != nil {
			yield(plant.Block{}, fmt.Errorf("store: scan: %w", err))
			return
		}
		left := r.Limit
		if left <= 0 {
			left = math.MaxInt
		}
		stopped := false
		err = w.run(ctx, nil, func(b *plant.Block) bool {
			out := *b
			if n := len(out.Times); n > left {
				out.Times, out.Values, out.Quality = out.Times[:left], out.Values[:left], out.Quality[:left]
			}
			left -= len(out.Times)
			if err := ctx.Err(); err != nil {
				stopped = true
				yield(plant.Block{}, err)
				return false
			}
			stopped = !yield(out, nil)
			return !stopped && left > 0
		})
		if e := w.close(); err == nil {
			err = e
		}
		if err != nil && !stopped {
			yield(plant.Block{}, fmt.Errorf("store: scan: %w", err))
		}
	}
}

// before finds the sample with the latest time before t; Tag 0: there is none.
// s.mu must not be held.
func (s *Pebble) before(ctx context.Context, tag plant.TagID, t int64) (plant.Sample, error) {
	w := &walk{tag: tag, from: math.MinInt64, to: t}
	if err := s.view(w); err != nil {
		return plant.Sample{}, err
	}
	var best plant.Sample
	if w.head != nil {
		b := &w.head.block
		n := len(b.Times) - 1
		best = plant.Sample{Tag: tag, Time: b.Times[n], Value: b.Values[n], Quality: b.Quality[n]}
	}
	err := w.before(ctx, t, &best)
	if e := w.close(); err == nil {
		err = e
	}
	return best, err
}

// before goes back day by day, only through days that hold chunks, until one
// has a sample of the tag.
func (w *walk) before(ctx context.Context, t int64, best *plant.Sample) error {
	seq := uint64(headSeq)
	d := dayOf(t - 1)
	for best.Tag == 0 || d >= dayOf(best.Time) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.latest(w.main.it, prefixChunk, d, t, best, &seq); err != nil {
			return err
		}
		if err := w.latest(w.late.it, prefixLate, d, t, best, &seq); err != nil {
			return err
		}
		if best.Tag != 0 && dayOf(best.Time) >= d {
			return nil
		}
		next := int64(math.MinInt64)
		for _, it := range []*pebble.Iterator{w.main.it, w.late.it} {
			prefix := byte(prefixChunk)
			if it == w.late.it {
				prefix = prefixLate
			}
			if it.SeekLT(chunkPrefix(nil, prefix, d, w.tag)) {
				kd, _, _, _, ok := parseChunkKey(it.Key())
				if !ok {
					return damagedKey(it.Key())
				}
				next = max(next, min(int64(kd), int64(d)-1))
			}
		}
		if next < math.MinInt32 {
			return nil
		}
		d = int32(next)
	}
	return nil
}

// latest looks into the chunks of one day that start before t, from the back.
// Under 'c' the first look is enough; under 'l' all must be seen.
func (w *walk) latest(it *pebble.Iterator, prefix byte, d int32, t int64, best *plant.Sample, seq *uint64) error {
	low := chunkPrefix(nil, prefix, d, w.tag)
	var high []byte
	if dayOf(t) == d {
		high = appendTime(append([]byte(nil), low...), t)
	} else {
		high = after(low)
	}
	c := w.newCursor()
	defer func() { w.spare = append(w.spare, c) }()
	for ok := it.SeekLT(high); ok; ok = it.Prev() {
		kd, tag, _, kseq, ok := parseChunkKey(it.Key())
		if !ok {
			return damagedKey(it.Key())
		}
		if kd != d || tag != w.tag {
			break
		}
		sum, err := chunk.ReadSummary(it.Value())
		if err == nil && (best.Tag == 0 || sum.Last >= best.Time) {
			_, err = w.decoder.Decode(it.Value(), &c.block)
		} else {
			c.block.Times = c.block.Times[:0]
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		c.trim(math.MinInt64, t)
		if n := len(c.block.Times) - 1; n >= 0 {
			at := c.block.Times[n]
			if best.Tag == 0 || at > best.Time || at == best.Time && kseq > *seq {
				*best = plant.Sample{Tag: w.tag, Time: at, Value: c.block.Values[n], Quality: c.block.Quality[n]}
				*seq = kseq
			}
		}
		if prefix == prefixChunk {
			break
		}
	}
	return it.Error()
}
