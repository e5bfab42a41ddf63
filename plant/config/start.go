package config

import (
	"fmt"
	"time"
)

// ParseStart reads the time on a works' own clock at which it begins: a date, or
// a date and a time of day.
func ParseStart(s string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, checkStart(t)
		}
	}
	return time.Time{}, fmt.Errorf("%q, allowed are a date such as 2026-07-01 and a date with a time such as 2026-07-01T06:00", s)
}

// checkStart keeps a works, which runs for a century at most, well within the
// times that there are in ns since 1970, which end in 2262.
func checkStart(t time.Time) error {
	if t.Year() < 1970 || t.Year() > 2100 {
		return fmt.Errorf("the year %d, allowed is 1970 to 2100", t.Year())
	}
	return nil
}
