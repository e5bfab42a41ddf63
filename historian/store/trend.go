package store

import (
	"context"
	"fmt"

	"millwright/historian/store/trend"
	"millwright/plant"
)

// Trend implements Store: see package trend for the rule.
func (s *Pebble) Trend(ctx context.Context, q plant.TrendQuery) ([]plant.Bucket, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	t, err := trend.New(&q)
	if err != nil {
		return nil, fmt.Errorf("store: trend: %w", err)
	}
	before, err := s.before(ctx, q.Tag, q.From)
	if err != nil {
		return nil, fmt.Errorf("store: trend: %w", err)
	}
	w, err := s.newWalk(q.Tag, q.From, q.To)
	if err != nil {
		return nil, fmt.Errorf("store: trend: %w", err)
	}
	if before.Tag != 0 {
		t.Before(before.Value, before.Quality)
	}
	err = w.run(ctx, t.Whole, func(b *plant.Block) bool {
		t.Block(b)
		return true
	})
	if e := w.close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, fmt.Errorf("store: trend: %w", err)
	}
	return t.Buckets(), nil
}
