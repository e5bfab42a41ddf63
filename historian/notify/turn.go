package notify

import (
	"context"
	"slices"
	"time"

	"millwright/plant"
)

// team is a plant.Team that has been read.
type team struct {
	id, name  string
	zone      *time.Location
	rotations []rotation
	overrides []override
}

type rotation struct {
	people []string
	start  wall
	turn   wall // its length
	days   [7]bool
	hours  *hours
}

type override struct {
	person   string
	from, to time.Time
}

// How far ahead, and over how many moments, a hand-over is looked for.
const (
	horizon   = 400 * 24 * time.Hour
	mostEdges = 5000
)

// onCall is who the team's alarms go to at a moment, until when.
func (t *team) onCall(ctx context.Context, at time.Time) (plant.OnCall, error) {
	c := t.now(at)
	next := at
	for range mostEdges {
		if ctx.Err() != nil {
			return c, ctx.Err()
		}
		next = t.edge(next)
		if next.IsZero() || next.Sub(at) > horizon {
			break
		}
		if then := t.now(next); then.Override != c.Override || !slices.Equal(then.People, c.People) {
			c.Until = next.UnixNano()
			break
		}
	}
	return c, nil
}

// now is onCall without the next hand-over. Of overrides that overlap, the one
// that stands last in the list wins.
func (t *team) now(at time.Time) plant.OnCall {
	c := plant.OnCall{Team: t.id}
	for _, o := range slices.Backward(t.overrides) {
		if !at.Before(o.from) && at.Before(o.to) {
			c.People, c.Override = []string{o.person}, true
			return c
		}
	}
	w := wallAt(at, t.zone)
	for i := range t.rotations {
		r := &t.rotations[i]
		k := r.number(at, t.zone)
		if k < 0 || !r.hours.on(w, r.days) {
			continue
		}
		if p := r.people[k%wall(len(r.people))]; !slices.Contains(c.People, p) {
			c.People = append(c.People, p)
		}
	}
	return c
}

// number counts the turns since the first hand-over; it is negative before. A
// turn begins when the wall clock first reaches its hour and does not begin
// again where the clock goes back over it: then the wall clock shows less than
// it has shown.
func (r *rotation) number(at time.Time, zone *time.Location) wall {
	k := floor(wallAt(at, zone)-r.start, r.turn)
	for !r.handover(k+1, zone).After(at) {
		k++
	}
	return k
}

func (r *rotation) handover(k wall, zone *time.Location) time.Time {
	return (r.start + k*r.turn).instant(zone)
}

// edge is the first moment after at when somebody else may be on call.
func (t *team) edge(at time.Time) time.Time {
	var first time.Time
	may := func(e time.Time) {
		if e.After(at) && (first.IsZero() || e.Before(first)) {
			first = e
		}
	}
	for _, o := range t.overrides {
		may(o.from)
		may(o.to)
	}
	// Until the clocks of the zone change, days and hours come at one offset.
	local := at.In(t.zone)
	_, offset := local.Zone()
	_, change := local.ZoneBounds()
	may(change)
	date, _ := wallAt(at, t.zone).date()
	for i := range t.rotations {
		r := &t.rotations[i]
		may(r.handover(max(0, r.number(at, t.zone)+1), t.zone))
		if r.hours == nil && r.days == everyDay {
			continue
		}
		for d := date; d <= date+1; d++ {
			begin := time.Unix(int64(d*day)-int64(offset), 0)
			may(begin)
			if r.hours != nil {
				may(begin.Add(time.Duration(r.hours.from) * time.Second))
				may(begin.Add(time.Duration(r.hours.to) * time.Second))
			}
		}
	}
	return first
}
