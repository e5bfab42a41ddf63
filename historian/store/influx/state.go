package influx

import (
	"context"
	"fmt"

	"millwright/plant"
)

// States implements store.Store.
func (s *Store) States(ctx context.Context, r plant.Range) ([]plant.State, error) {
	ctx, leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	s.mu.RLock()
	e := s.tags.get(r.Tag)
	s.mu.RUnlock()
	if e == nil {
		return nil, nil
	}
	var out []plant.State
	in := &series[string]{
		server: s.server, measurement: "sensor_str", point: e.point, from: r.From, to: r.To, parse: parseText,
		take: func(at int64, v string, has bool, q int64) bool {
			if !has {
				return true // its v is on the way
			}
			x := plant.State{Tag: r.Tag, Time: at}
			x.Value, x.Quality = unpackText(v, q)
			out = append(out, x)
			return len(out) != r.Limit
		},
	}
	if err := in.run(ctx); err != nil {
		return nil, fmt.Errorf("influx: states: %w", err)
	}
	return out, nil
}
