package collector

import (
	"errors"
	"math"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// band is the deadband of a tag in the numbers of the PLC. It is applied to
// what the server sends whether or not the server applies it too: the same rule
// twice leaves the same values, so nothing hangs on a filter that is accepted
// and not applied.
type band struct {
	width   float64 // a number no further than this from last is not handed on; 0: all are
	last    float64 // handed on last
	quality plant.Quality
	seen    bool
	base    bool  // nothing was handed on yet; last is what a look of the trial found first
	since   int64 // source time of the first value under the server's filter, ns UTC, 0 none
	next    int64 // source time of the first value after the last look of the trial, 0 none
	inside  int   // numbers that a server which applies the deadband had not sent
	remade  bool  // its item is being made anew: what the old one still sends ends no gap
}

// holds reports whether a number says nothing new. What comes after a hole
// (fresh), with another quality, or is no number always says something.
func (b *band) holds(f float64, q plant.Quality, at int64, fresh bool) bool {
	if b.next == 0 {
		b.next = at
	}
	if b.since == 0 {
		b.since = at
	}
	if d := math.Abs(f - b.last); b.width > 0 && b.seen && !fresh && q == b.quality && d <= b.width {
		if d < b.width-b.width/100 { // no matter of rounding
			b.inside++
		}
		return true
	}
	b.last, b.quality, b.seen = f, q, true
	return false
}

// insideMost is how many values within a deadband show that the server does not
// apply it. One may come of a hand-over to another session.
const insideMost = 3

// newBands makes the bands of the tags that have a deadband, nil for the others.
func newBands(tags []plant.Tag) []*band {
	bands := make([]*band, len(tags))
	for i := range tags {
		if tags[i].Deadband > 0 && tags[i].Kind != plant.Text {
			bands[i] = &band{width: bandWidth(&tags[i], 0)}
		}
	}
	return bands
}

// bandWidth is a tag's deadband in numbers of the PLC, where span is that of the
// server's EURange, 0 if it has none: then the tag's own range counts. 0: a
// percentage of nothing known.
func bandWidth(t *plant.Tag, span float64) float64 {
	factor := math.Abs(t.Scale)
	if factor == 0 {
		factor = 1
	}
	switch {
	case !t.DeadbandPercent:
		return t.Deadband / factor
	case span > 0:
		return t.Deadband / 100 * span
	}
	return t.Deadband / 100 * (t.High - t.Low) / factor
}

// filter is what is asked of the server for tag i beside the sampling, nil for
// its default: some servers know no filters at all.
func (x *items) filter(i int) *ua.DataChangeFilter {
	t := &x.tags[i]
	f := &ua.DataChangeFilter{Trigger: ua.DataChangeTriggerStatusValue, DeadbandType: uint32(ua.DeadbandTypeNone)}
	switch t.Trigger {
	case plant.TriggerStatus:
		f.Trigger = ua.DataChangeTriggerStatus
	case plant.TriggerStatusValueTimestamp:
		f.Trigger = ua.DataChangeTriggerStatusValueTimestamp
	}
	switch it := &x.list[i]; {
	case t.Deadband <= 0 || t.Kind == plant.Text || it.plain || t.Field != "": // a structure as a whole has none
	case !t.DeadbandPercent:
		f.DeadbandType, f.DeadbandValue = uint32(ua.DeadbandTypeAbsolute), bandWidth(t, 0)
	case it.span > 0:
		f.DeadbandType, f.DeadbandValue = uint32(ua.DeadbandTypePercent), t.Deadband
	}
	if f.Trigger == ua.DataChangeTriggerStatusValue && f.DeadbandType == uint32(ua.DeadbandTypeNone) {
		return nil
	}
	return f
}

// asksDeadband reports whether tag i's deadband is asked of the server.
func (x *items) asksDeadband(i int) bool {
	f := x.filter(i)
	return f != nil && f.DeadbandType != uint32(ua.DeadbandTypeNone)
}

// filterRefused reports whether a server will not have a filter (OPC 10000-4,
// table of CreateMonitoredItems; 7.22).
func filterRefused(code ua.StatusCode) bool {
	for _, c := range []ua.StatusCode{ua.StatusBadMonitoredItemFilterUnsupported, ua.StatusBadMonitoredItemFilterInvalid,
		ua.StatusBadFilterNotAllowed, ua.StatusBadDeadbandFilterInvalid} {
		if errors.Is(code, c) {
			return true
		}
	}
	return false
}

// meet remembers what a run of the server does with filters: another run is
// asked again.
func (x *items) meet(srv peer) {
	if x.met == srv.started {
		return
	}
	x.met = srv.started
	for i := range x.list {
		x.list[i].plain = false
	}
}

// takeUp supposes of items made by a process before this one that the server
// applies their deadbands, since the subscription was made. The values will show.
func (e *engine) takeUp() {
	for i, b := range e.tr.bands {
		if it := &e.items.list[i]; b != nil && it.monitored {
			it.filtered = e.items.asksDeadband(i)
			b.since = plant.Millis(e.sub.since)
		}
	}
}

// judgeFilters finds the tags whose deadband the server does not apply although
// it did not refuse it. It is not asked again.
func (e *engine) judgeFilters() {
	n, first := 0, ""
	for i, b := range e.tr.bands {
		if it := &e.items.list[i]; b != nil && it.filtered && b.inside >= insideMost {
			it.filtered, it.plain = false, true
			if n++; n == 1 {
				first = e.items.tags[i].Path
			}
		}
	}
	if n > 0 {
		e.log.Warn("the server does not apply deadbands that it was thought to apply: it is done here", "tags", n, "first", first)
		e.showRevised()
	}
}

// logDeadbands tells, once for each creation, whose deadbands the server does
// not apply.
func (e *engine) logDeadbands() {
	_, _, n := e.revised()
	if n.Edge > 0 {
		e.log.Info("deadbands are applied here, the server does not", "tags", n.Edge)
	}
	if n.None > 0 {
		e.log.Warn("deadbands in percent of an unknown range are not applied: give low and high in the tag list", "tags", n.None)
	}
}
