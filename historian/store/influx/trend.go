package influx

import (
	"context"
	"fmt"

	"millwright/historian/store/trend"
	"millwright/plant"
)

// Trend implements store.Store: see package trend for the rule. The database has
// no function for a mean with that rule (its integral and its time-weighted
// average join the samples by straight lines), so all samples of the span come
// here.
func (s *Store) Trend(ctx context.Context, q plant.TrendQuery) ([]plant.Bucket, error) {
	ctx, leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	t, err := trend.New(&q)
	if err != nil {
		return nil, fmt.Errorf("influx: trend: %w", err)
	}
	s.mu.RLock()
	e := s.tags.get(q.Tag)
	s.mu.RUnlock()
	if e != nil {
		err = s.server.lookBack(ctx, "sensor", []string{e.point}, q.From, q.From, func(_ string, r *row) error {
			x, err := r.sample(q.Tag)
			t.Before(x.Value, x.Quality)
			return err
		})
		if err == nil {
			err = s.blocks(ctx, plant.Range{Tag: q.Tag, From: q.From, To: q.To}, func(b *plant.Block) bool {
				t.Block(b)
				return true
			})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("influx: trend: %w", err)
	}
	return t.Buckets(), nil
}
