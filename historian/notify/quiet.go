package notify

import "time"

// quiet are a person's hours in which messages are held.
type quiet struct {
	zone   *time.Location
	hours  *hours
	passes int // priorities up to this one pass
}

// holds says until when a message is held; zero where it may go now.
func (q *quiet) holds(at time.Time, priority int) time.Time {
	if q == nil || priority <= q.passes {
		return time.Time{}
	}
	w := wallAt(at, q.zone)
	if !q.hours.on(w, everyDay) {
		return time.Time{}
	}
	date, s := w.date()
	if s >= q.hours.to {
		date++
	}
	end := (date*day + q.hours.to).instant(q.zone)
	if !end.After(at) { // the clock went back over the end
		_, offset := at.In(q.zone).Zone()
		end = time.Unix(int64(date*day+q.hours.to)-int64(offset), 0).In(q.zone)
	}
	return end
}
