package export

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"millwright/plant"
)

// parameters are the names that Parse knows.
var parameters = []string{"tags", "asset", "from", "to", "format", "shape", "quality", "grid", "fill", "hold"}

// Parse reads a query from the parameters of a request or of a call: tags (globs
// with commas between them), asset, from, to, format, shape, quality, grid, fill,
// hold. to is now where it is absent, from a day before to. It says all that is
// wrong at once, as a *QueryError.
func Parse(values url.Values, now time.Time) (Query, error) {
	var e QueryError
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch {
		case !slices.Contains(parameters, name):
			e.add(name, "allowed are "+strings.Join(parameters, ", "), "unknown parameter")
		case len(values[name]) > 1:
			e.add(name, "give it once", "given more than once")
		}
	}
	q := Query{
		Asset: values.Get("asset"), Format: Format(values.Get("format")), Shape: Shape(values.Get("shape")),
		Keep: Keep(values.Get("quality")), Fill: Fill(values.Get("fill")),
	}
	if v := values.Get("tags"); v != "" {
		q.Tags = strings.Split(v, ",")
	}
	parseTime := func(name string, absent int64) int64 {
		v := values.Get(name)
		if v == "" {
			return absent
		}
		t, err := ParseTime(v, now)
		if err != nil {
			e.add(name, timeAllowed, "%v", err)
			return absent
		}
		return t
	}
	q.To = parseTime("to", now.UnixMilli()*int64(time.Millisecond))
	q.From = parseTime("from", q.To-int64(24*time.Hour))
	if v := values.Get("grid"); v != "" {
		var err error
		if q.Grid, err = time.ParseDuration(v); err != nil || q.Grid == 0 {
			e.add("grid", "a duration such as 100ms, 1s, 10m", "%.40q is not allowed", v)
			q.Grid = 0
		}
	}
	if v := values.Get("hold"); v != "" {
		var err error
		if q.Hold, err = strconv.Atoi(v); err != nil || q.Hold == 0 {
			e.add("hold", fmt.Sprintf("1 to %d steps of the grid", maxHold), "%.40q is not allowed", v)
			q.Hold = 0
		}
	}
	var more *QueryError
	if errors.As(q.Check(), &more) {
		e.List = append(e.List, more.List...)
	}
	return q.withDefaults(), e.err()
}

// Values are the parameters that Parse reads the query from.
func (q Query) Values() url.Values {
	q = q.withDefaults()
	v := url.Values{
		"from": {stamp(q.From).String()}, "to": {stamp(q.To).String()},
		"format": {string(q.Format)}, "shape": {string(q.Shape)}, "quality": {string(q.Keep)},
	}
	if len(q.Tags) > 0 {
		v.Set("tags", strings.Join(q.Tags, ","))
	}
	if q.Asset != "" {
		v.Set("asset", q.Asset)
	}
	if q.Shape == Wide {
		v.Set("grid", q.Grid.String())
		if q.Fill != FillStep {
			v.Set("fill", string(q.Fill))
		}
		if q.Hold != defaultHold {
			v.Set("hold", strconv.Itoa(q.Hold))
		}
	}
	return v
}

const timeAllowed = "a time as 2026-11-22T00:05:00Z (RFC 3339; in a URL write + as %2B), a day as 2026-11-22 (UTC), or so long ago as -7d, -12h, -30m"

// ParseTime reads a time in RFC 3339, a day (its start in UTC), or how long ago:
// -2w, -7d, -12h, -30m, -10s, with or without the sign. It is cut to whole
// milliseconds.
func ParseTime(s string, now time.Time) (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t, err = time.Parse(time.DateOnly, s)
	}
	if err != nil {
		ago, ok := parseAgo(strings.TrimPrefix(s, "-"))
		if !ok {
			return 0, fmt.Errorf("%.40q is not a time", s)
		}
		t = now.Add(-ago)
	}
	ns, ok := nanos(t)
	if !ok {
		return 0, fmt.Errorf("%.40q is out of range, years 1678 to 2261", s)
	}
	return plant.Millis(ns), nil
}

// parseAgo reads a whole number with a unit.
func parseAgo(s string) (time.Duration, bool) {
	if s == "" {
		return 0, false
	}
	unit, ok := map[byte]time.Duration{
		's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
	}[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 31)
	if !ok || err != nil || n > uint64(100*365*24*time.Hour/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
