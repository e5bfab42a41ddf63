package notify

import "time"

// wall is what a clock on the wall shows, in seconds since 1970-01-01 00:00 as if
// there were no zones. Shifts are agreed by it: a turn of 8 hours from 22:00 ends
// at 06:00, also in the night in which the clocks change.
type wall int64

const day wall = 24 * 3600

// wallAt is what the wall clocks of a zone show at t.
func wallAt(t time.Time, zone *time.Location) wall {
	_, offset := t.In(zone).Zone()
	return wall(t.Unix() + int64(offset))
}

// instant is the first moment at which the wall clocks of a zone show w or more.
// Where clocks go back and show w twice it is the first time, where they jump
// over w it is the jump.
func (w wall) instant(zone *time.Location) time.Time {
	offset := func(u wall) wall { _, o := time.Unix(int64(u), 0).In(zone).Zone(); return wall(o) }
	before, after := offset(w-day), offset(w+day)
	ahead := max(before, after) // the larger offset gives the earlier moment
	for _, o := range []wall{ahead, min(before, after)} {
		if t := time.Unix(int64(w-o), 0).In(zone); wallAt(t, zone) == w {
			return t
		}
	}
	t := time.Unix(int64(w-ahead), 0).In(zone)
	_, jump := t.ZoneBounds()
	return jump
}

// date is the number of the day and the seconds in it.
func (w wall) date() (days, seconds wall) {
	days = floor(w, day)
	return days, w - days*day
}

// weekday of a day's number; 1970-01-01 was a Thursday.
func weekday(days wall) time.Weekday {
	return time.Weekday(((days+4)%7 + 7) % 7)
}

func floor(a, b wall) wall {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// hours are a part of the day, also over midnight; from and to in seconds.
type hours struct{ from, to wall }

// on says whether the wall clock is in the hours of one of the days. Hours over
// midnight belong to the day on which they begin. nil hours: the whole day.
func (h *hours) on(w wall, days [7]bool) bool {
	date, s := w.date()
	today, yesterday := days[weekday(date)], days[weekday(date-1)]
	switch {
	case h == nil:
		return today
	case h.from < h.to:
		return today && s >= h.from && s < h.to
	}
	return today && s >= h.from || yesterday && s < h.to
}

var everyDay = [7]bool{true, true, true, true, true, true, true}
