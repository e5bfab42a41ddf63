package influx

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"millwright/plant"
)

// Neither generation of the server finds the last value of a series without
// reading what precedes it in the span asked for. So spans are asked for back in
// time, each eight times as long as all before it, and each only for the tags
// that the ones before did not find.
const (
	nearest    = time.Minute
	further    = 8
	perRequest = 200 // tags named in one query
)

// row is the last row of a series, by field.
type row struct {
	qAt, vAt, xAt int64
	q, x          int64
	v             string
	has           [3]bool // q, v, x
}

// at is the time of the row.
func (r *row) at() int64 {
	switch {
	case !r.has[0]:
		return r.vAt
	case !r.has[1]:
		return r.qAt
	}
	return max(r.qAt, r.vAt)
}

func (r *row) sample(tag plant.TagID) (plant.Sample, error) {
	out := plant.Sample{Tag: tag, Time: r.at()}
	where := inV
	if r.has[0] && r.qAt == out.Time {
		out.Quality, out.Value, where = unpackQuality(r.q)
	}
	switch {
	case where == inX && r.has[2] && r.xAt == out.Time:
		out.Value = math.Float64frombits(uint64(r.x))
	case where == inQ:
	case where == inV && r.has[1] && r.vAt == out.Time:
		v, err := strconv.ParseFloat(r.v, 64)
		if err != nil {
			return out, fmt.Errorf("%w: value %.40q", errDamaged, r.v)
		}
		out.Value = v
	default:
		out.Value = math.NaN()
	}
	return out, nil
}

func (r *row) state(tag plant.TagID) plant.State {
	out := plant.State{Tag: tag, Time: r.at()}
	var q int64
	if r.has[0] && r.qAt == out.Time {
		q = r.q
	}
	v := ""
	if r.has[1] && r.vAt == out.Time {
		v = r.v
	}
	out.Value, out.Quality = unpackText(v, q)
	return out
}

// lastRows reads the last row in a span of each series, by point.
func (v *server) lastRows(ctx context.Context, measurement string, points []string, from, to int64) (map[string]*row, error) {
	out := map[string]*row{}
	x := &selection{measurement: measurement, points: points, fields: []string{"q", "v"}, from: from, to: to, last: true}
	if measurement == "sensor" {
		x.fields = append(x.fields, "x")
	}
	err := v.rows(ctx, x, func(t *table) error {
		at, err := t.time()
		if err != nil {
			return err
		}
		point := string(t.cell("point"))
		r := out[point]
		if r == nil {
			r = &row{}
			out[point] = r
		}
		cell := t.cell("_value")
		switch string(t.cell("_field")) {
		case "q":
			r.qAt, r.has[0] = at, true
			r.q, err = strconv.ParseInt(string(cell), 10, 64)
		case "v":
			r.vAt, r.has[1] = at, true
			r.v = string(cell)
		case "x":
			r.xAt, r.has[2] = at, true
			r.x, err = strconv.ParseInt(string(cell), 10, 64)
		}
		if err != nil {
			return fmt.Errorf("%w: %.40q for a whole number", errDamaged, cell)
		}
		return nil
	})
	return out, err
}

// lookBack finds the last row of each point before a time, starting near at.
func (v *server) lookBack(ctx context.Context, measurement string, points []string, at, before int64, found func(point string, r *row) error) error {
	missing := slices.Clone(points)
	to := before
	for width := int64(nearest); len(missing) > 0 && to > earliest; width = widen(width) {
		from := earliest
		if width < math.MaxInt64 && earliest+width < at {
			from = min(at-width, to)
		}
		seen := map[string]bool{}
		ask := func(points []string) error {
			rows, err := v.lastRows(ctx, measurement, points, from, to)
			for p, r := range rows {
				if err != nil {
					break
				}
				seen[p] = true
				if err = v.complete(ctx, measurement, p, r); err == nil {
					err = found(p, r)
				}
			}
			return err
		}
		parts := slices.Collect(slices.Chunk(missing, perRequest))
		if to == before && len(parts) > 1 {
			parts = [][]string{nil} // most are here: no names is shorter than all
		}
		for _, part := range parts {
			if err := ask(part); err != nil {
				return err
			}
		}
		missing = slices.DeleteFunc(missing, func(p string) bool { return seen[p] })
		if to == before && len(missing) > 0 {
			// Not near: is it anywhere?
			var err error
			if missing, err = v.written(ctx, measurement, missing); err != nil {
				return err
			}
		}
		to = from
	}
	return nil
}

// written leaves out the points without any row.
func (v *server) written(ctx context.Context, measurement string, points []string) ([]string, error) {
	x := &selection{measurement: measurement, from: earliest, to: latest, names: true}
	if len(points) <= perRequest {
		x.points = points
	}
	there := map[string]bool{}
	err := v.rows(ctx, x, func(t *table) error {
		there[string(t.cell("_value"))] = true
		return nil
	})
	return slices.DeleteFunc(points, func(p string) bool { return !there[p] }), err
}

// complete fetches the v of a row whose q says that there is one, where it was
// not found: an append was in between, or the span has two types of v and the
// server chose the other one.
func (v *server) complete(ctx context.Context, measurement, point string, r *row) error {
	at := r.at()
	if r.has[1] && r.vAt == at || r.q&notFinite != 0 {
		return nil
	}
	rows, err := v.lastRows(ctx, measurement, []string{point}, at, at+ms)
	if x := rows[point]; err == nil && x != nil {
		*r = *x
	}
	return err
}

func widen(width int64) int64 {
	if width > math.MaxInt64/further {
		return math.MaxInt64
	}
	return width * further
}

// loadLast fills the last values. head is where most of them are near.
func (s *Store) loadLast(ctx context.Context, head int64) error {
	points := make([]string, 0, len(s.tags.byPoint))
	for p := range s.tags.byPoint {
		points = append(points, p)
	}
	err := s.server.lookBack(ctx, "sensor", points, head, latest, func(p string, r *row) error {
		id, ok := s.tags.byPoint[p]
		if !ok {
			return nil // somebody else's
		}
		x, err := r.sample(id)
		s.last[id] = x
		return err
	})
	if err != nil {
		return err
	}
	return s.server.lookBack(ctx, "sensor_str", points, head, latest, func(p string, r *row) error {
		if id, ok := s.tags.byPoint[p]; ok {
			s.states[id] = r.state(id)
		}
		return nil
	})
}

// see keeps the samples and texts with the latest source times.
func (s *Store) see(b *plant.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range b.Samples {
		x.Time = plant.Millis(x.Time)
		if l, ok := s.last[x.Tag]; !ok || x.Time >= l.Time {
			s.last[x.Tag] = x
		}
	}
	for _, x := range b.States {
		x.Time = plant.Millis(x.Time)
		if l, ok := s.states[x.Tag]; !ok || x.Time >= l.Time {
			s.states[x.Tag] = x
		}
	}
}

// refresh reads the last values of a batch's tags from the database.
func (s *Store) refresh(ctx context.Context, b *plant.Batch) error {
	seen := map[plant.TagID]bool{}
	for i := range b.Samples {
		seen[b.Samples[i].Tag] = true
	}
	for i := range b.States {
		seen[b.States[i].Tag] = true
	}
	for id := range seen {
		if err := s.reread(ctx, id, latest); err != nil {
			return fmt.Errorf("last values: %w", err)
		}
	}
	return nil
}

// reread reads the last sample and text of a tag before a time from the database.
// What an append brings meanwhile stays, unless it is older.
func (s *Store) reread(ctx context.Context, id plant.TagID, before int64) error {
	s.mu.RLock()
	e := s.tags.get(id)
	oldSample, oldState := s.last[id], s.states[id]
	s.mu.RUnlock()
	at := min(before, time.Now().UnixNano())
	var sample plant.Sample
	var state plant.State
	err := s.server.lookBack(ctx, "sensor", []string{e.point}, at, before, func(_ string, r *row) (err error) {
		sample, err = r.sample(id)
		return err
	})
	if err != nil {
		return err
	}
	err = s.server.lookBack(ctx, "sensor_str", []string{e.point}, at, before, func(_ string, r *row) error {
		state = r.state(id)
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.last[id]; same(now, oldSample) || now.Time < sample.Time {
		delete(s.last, id)
		if sample.Tag != 0 {
			s.last[id] = sample
		}
	}
	if now := s.states[id]; now == oldState || now.Time < state.Time {
		delete(s.states, id)
		if state.Tag != 0 {
			s.states[id] = state
		}
	}
	return nil
}

// same compares bit for bit: NaN is NaN.
func same(a, b plant.Sample) bool {
	return a.Tag == b.Tag && a.Time == b.Time && a.Quality == b.Quality && math.Float64bits(a.Value) == math.Float64bits(b.Value)
}

// Last implements store.Store. It reads memory only.
func (s *Store) Last(ctx context.Context, tags []plant.TagID) ([]plant.Sample, error) {
	ctx, leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]plant.Sample, 0, len(tags))
	for _, id := range tags {
		if x, ok := s.last[id]; ok {
			out = append(out, x)
		}
	}
	return out, ctx.Err()
}

// LastStates implements store.Store. It reads memory only.
func (s *Store) LastStates(ctx context.Context, tags []plant.TagID) ([]plant.State, error) {
	ctx, leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []plant.State
	for _, id := range tags {
		if x, ok := s.states[id]; ok {
			out = append(out, x)
		}
	}
	return out, ctx.Err()
}
