package influx

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"millwright/plant"
)

// A gap is a point at its start; the field "to" is its end in ms. Of two gaps of
// a tag and reason with one start the longer one holds both, so what is there is
// read before a shorter one could take its place.

type gapKey struct {
	point, reason string
	from          int64 // ns
}

// storeGaps writes declared gaps.
func (s *Store) storeGaps(ctx context.Context, tags []*entry, gaps []plant.Gap) error {
	ends := map[gapKey]int64{}
	paths := map[string]string{} // by point
	var order []gapKey
	from, to := latest, earliest
	for _, g := range gaps {
		g.From, g.To = max(plant.Millis(g.From), earliest), min(plant.Millis(g.To), latest)
		if g.From >= g.To {
			continue
		}
		e := tags[g.Tag]
		k := gapKey{e.point, g.Reason, g.From}
		end, ok := ends[k]
		if !ok {
			order = append(order, k)
			end = g.To
		}
		ends[k] = max(end, g.To)
		paths[e.point] = e.tag.Path
		from, to = min(from, g.From), max(to, g.From+ms)
	}
	if len(order) == 0 {
		return nil
	}
	s.gapMu.Lock()
	defer s.gapMu.Unlock()
	x := &selection{measurement: "gap", fields: []string{"to"}, from: from, to: to}
	if len(paths) <= perRequest {
		for p := range paths {
			x.points = append(x.points, p)
		}
	}
	err := s.server.rows(ctx, x, func(t *table) error {
		at, end, err := gapTimes(t)
		if err != nil {
			return err
		}
		k := gapKey{string(t.cell("point")), tagText(string(t.cell("reason"))), at}
		if mine, ok := ends[k]; ok {
			ends[k] = max(mine, end)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var b []byte
	for i, k := range order {
		b = append(b, "gap"...)
		b = appendTag(b, "point", paths[k.point])
		b = appendTag(b, "reason", k.reason)
		b = fmt.Appendf(b, " to=%di %d\n", ends[k]/ms, k.from/ms)
		if len(b) < requestBytes && i < len(order)-1 {
			continue
		}
		if err := s.server.write(ctx, string(b)); err != nil {
			return err
		}
		b = b[:0]
	}
	return nil
}

func gapTimes(t *table) (from, to int64, err error) {
	from, err = t.time()
	if err != nil {
		return 0, 0, err
	}
	n, err := strconv.ParseInt(string(t.cell("_value")), 10, 64)
	if err != nil || n > latest/ms || n < earliest/ms {
		return 0, 0, fmt.Errorf("%w: end of a gap %.40q", errDamaged, t.cell("_value"))
	}
	return from, n * ms, nil
}

// Gaps implements store.Store. Limit counts merged gaps.
func (s *Store) Gaps(ctx context.Context, r plant.Range) ([]plant.Gap, error) {
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
	// A gap that reaches into the range may start long before it: all gaps of a
	// tag are few enough to be read.
	var all []plant.Gap
	x := &selection{measurement: "gap", points: []string{e.point}, fields: []string{"to"}, from: earliest, to: r.To}
	err = s.server.rows(ctx, x, func(t *table) error {
		from, to, err := gapTimes(t)
		all = append(all, plant.Gap{Tag: r.Tag, From: from, To: to, Reason: tagText(string(t.cell("reason")))})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("influx: gaps: %w", err)
	}
	slices.SortStableFunc(all, func(a, b plant.Gap) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Reason, b.Reason))
	})
	var out []plant.Gap
	open := map[string]int{} // by reason: place in out of the gap that may go on
	for _, g := range all {
		if i, ok := open[g.Reason]; ok && g.From <= out[i].To {
			out[i].To = max(out[i].To, g.To)
			continue
		}
		open[g.Reason] = len(out)
		out = append(out, g)
	}
	out = slices.DeleteFunc(out, func(g plant.Gap) bool { return g.To <= r.From })
	if r.Limit > 0 && len(out) > r.Limit {
		out = out[:r.Limit]
	}
	return out, nil
}
