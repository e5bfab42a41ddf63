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

// born is a time that every clock has passed that is right, ns UTC.
const born = int64(1767225600) * int64(time.Second) // 2026-01-01

// tooFar reports whether a time of the server lies so far ahead of ours that it
// cannot be one. A clock of ours that has no battery and begins in 1970 has no say.
func tooFar(ns, arrived int64) bool { return arrived >= born && ns >= arrived+mostAhead }
