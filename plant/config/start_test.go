package config

import (
	"strings"
	"testing"
	"time"
)

func TestParseStart(t *testing.T) {
	f := func(s string, want time.Time) {
		t.Helper()
		if got, err := ParseStart(s); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v %v", s, got, err)
		}
	}
	f("2026-07-01", time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC))
	f("2026-07-01T06:30", time.Date(2026, 7, 1, 6, 30, 0, 0, time.UTC))
	for _, bad := range []string{"0001-01-01", "1969-12-31", "9999-01-01", "2101-01-01T00:00"} { // ns since 1970 end in 2262
		if _, err := ParseStart(bad); err == nil || !strings.Contains(err.Error(), "allowed is 1970 to 2100") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", "1.7.2026", "2026-13-01", "2026-07-01 06:30"} {
		if _, err := ParseStart(bad); err == nil || !strings.Contains(err.Error(), "such as 2026-07-01") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
