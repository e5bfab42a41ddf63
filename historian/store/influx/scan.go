package influx

import (
	"context"
	"fmt"
	"iter"
	"math"

	"millwright/plant"
)

const blockLen = 4096

// Scan implements store.Store. A stream of the database is read as it is asked
// for, so an append that runs beside it may or may not be seen.
func (s *Store) Scan(ctx context.Context, r plant.Range) iter.Seq2[plant.Block, error] {
	return func(yield func(plant.Block, error) bool) {
		ctx, leave, err := s.enter(ctx)
		if err != nil {
			yield(plant.Block{}, err)
			return
		}
		defer leave()
		stopped := false
		err = s.blocks(ctx, r, func(b *plant.Block) bool {
			stopped = !yield(*b, nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(plant.Block{}, fmt.Errorf("influx: scan: %w", err))
		}
	}
}

// blocks reads the samples of a range. The block is valid during the call; false
// ends it.
func (s *Store) blocks(ctx context.Context, r plant.Range, yield func(*plant.Block) bool) error {
	s.mu.RLock()
	e := s.tags.get(r.Tag)
	s.mu.RUnlock()
	if e == nil {
		return nil
	}
	left := r.Limit
	if left <= 0 {
		left = math.MaxInt
	}
	b := plant.Block{Tag: r.Tag}
	var failed error
	flush := func() bool {
		if len(b.Times) == 0 {
			return true
		}
		more := yield(&b)
		b.Times, b.Values, b.Quality = b.Times[:0], b.Values[:0], b.Quality[:0]
		return more
	}
	in := &series[float64]{
		server: s.server, measurement: "sensor", point: e.point, from: r.From, to: r.To, parse: parseFloat,
		take: func(at int64, v float64, has bool, q int64) bool {
			status, special, where := unpackQuality(q)
			switch {
			case where == inQ:
				v = special
			case where == inX:
				if v, failed = s.server.bitsAt(ctx, e.point, at); failed != nil {
					return false
				}
			case !has:
				return true // its v is on the way
			}
			b.Times, b.Values, b.Quality = append(b.Times, at), append(b.Values, v), append(b.Quality, status)
			if left--; left > 0 && len(b.Times) < blockLen {
				return true
			}
			return flush() && left > 0
		},
	}
	if err := in.run(ctx); err != nil {
		return err
	}
	if failed == nil && left > 0 {
		flush()
	}
	return failed
}
