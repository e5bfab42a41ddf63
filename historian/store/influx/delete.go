package influx

import (
	"context"
	"fmt"

	"millwright/historian/store"
	"millwright/plant"
)

// Delete implements store.Store. Gaps stay: they say why data is missing. A 1.x
// server deletes in all retention policies of the database.
func (s *Store) Delete(ctx context.Context, r plant.Range) error {
	ctx, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	from, to := max(r.From, earliest), min(r.To, latest)
	if from >= to {
		return nil
	}
	s.mu.RLock()
	e := s.tags.get(r.Tag)
	sample, state := s.last[r.Tag], s.states[r.Tag]
	s.mu.RUnlock()
	if e == nil {
		return fmt.Errorf("influx: delete: tag %d: %w", r.Tag, store.ErrUnknownTag)
	}
	for _, m := range []string{"sensor", "sensor_str"} {
		if err := s.server.delete(ctx, m, e.point, from, to); err != nil {
			return fmt.Errorf("influx: delete: %w", err)
		}
	}
	in := func(at int64) bool { return at >= from && at < to }
	if sample.Tag != 0 && in(sample.Time) || state.Tag != 0 && in(state.Time) {
		if err := s.reread(ctx, r.Tag, latest); err != nil {
			return fmt.Errorf("influx: delete: last values: %w", err)
		}
	}
	return nil
}
