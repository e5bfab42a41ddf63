package collector

import "time"

// instant is the time of a server in ns UTC, 0 where it is none that can be: not
// set, which is the year 1 or 1601, or not in what ns can hold, as the year 9999.
func instant(t time.Time) int64 {
	if y := t.Year(); y < 1970 || y >= 2200 {
		return 0
	}
	return t.UnixNano()
}

// mostAhead is how far ahead of ours a time of the server may be, in ns.
const mostAhead = int64(366 * 24 * time.Hour)
