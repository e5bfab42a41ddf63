package queue

import (
	"errors"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"
)

// Newest is Backlog from the other end: up to max unsettled records of a lane
// before a place, newest first, and the place of the last one. The zero Pos is the
// lane's end.
func (q *Queue) Newest(lane Lane, before Pos, max int) ([]Record, Pos, error) {
	var out []Record
	misses := 0
	for len(out) < max {
		p, ok, err := q.placeBefore(lane, before)
		if err != nil || !ok {
			return out, before, err
		}
		records, err := q.read(&p)
		switch {
		case errors.Is(err, pebble.ErrNotFound) && misses < 3:
			misses++ // settled meanwhile, or packed: look again
			continue
		case errors.Is(err, pebble.ErrClosed):
			return nil, before, ErrClosed
		case err != nil:
			q.cfg.Log.Error("queued records cannot be read", "epoch", p.epoch, "first", p.first, "last", p.last, "err", err)
			q.breakItem(&p)
			continue
		}
		for _, r := range slices.Backward(records) {
			if at := (Pos{p.opening, r.Number}); before == (Pos{}) || before.after(at) {
				if len(out) == max {
					return out, before, nil
				}
				before = at
				if q.isLeft(&p, r.Number) {
					out = append(out, r)
				}
			}
		}
		before = Pos{p.opening, p.first}
	}
	return out, before, nil
}

// placeBefore is the last item of a lane that begins before a place.
func (q *Queue) placeBefore(lane Lane, before Pos) (place, bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return place{}, false, ErrClosed
	}
	for _, o := range slices.Backward(q.openings) {
		items := o.lanes[lane].items
		switch {
		case before == (Pos{}):
		case o.counter > before.opening:
			continue
		case o.counter == before.opening:
			items = items[:sort.Search(len(items), func(i int) bool { return items[i].first >= before.number })]
		}
		for _, it := range slices.Backward(items) {
			if !it.broken {
				return place{it, lane, o.counter, o.epoch}, true, nil
			}
		}
	}
	return place{}, false, nil
}
