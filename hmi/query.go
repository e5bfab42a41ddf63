package hmi

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"millwright/plant"
)

// query reads the parameters of a request. The first fault stays in err, so that
// a handler reads all parameters and looks once.
type query struct {
	values  url.Values
	allowed []string
	err     error
}

// Bounds of lists and trends.
const (
	maxList     = 10_000
	defaultList = 1000
)

// newQuery reads the raw query; only the parameters named in allowed may occur,
// each once.
func newQuery(raw string, allowed ...string) *query {
	q := &query{allowed: allowed}
	v, err := url.ParseQuery(raw)
	if err != nil {
		q.err = wrong("query", err.Error(), "name=value pairs, URL-encoded, with & between them")
		return q
	}
	q.values = v
	for _, name := range slices.Sorted(maps.Keys(v)) {
		switch {
		case !slices.Contains(allowed, name):
			q.fail(name, "unknown parameter", q.names())
		case len(v[name]) > 1:
			q.fail(name, "given more than once", "give it once")
		}
	}
	return q
}

func (q *query) names() string {
	if len(q.allowed) == 0 {
		return "none is allowed here"
	}
	return "allowed are " + strings.Join(q.allowed, ", ")
}

func (q *query) fail(name, what, allowed string) {
	if q.err == nil {
		q.err = wrong(name, what, allowed)
	}
}

// text is a parameter as it came, "" when it is absent.
func (q *query) text(name string) string { return q.values.Get(name) }

// need is a parameter that must be there.
func (q *query) need(name, allowed string) string {
	v := q.text(name)
	if v == "" {
		q.fail(name, "missing", allowed)
	}
	return v
}

// whole is a whole number between low and high.
func (q *query) whole(name string, low, high, absent int) int {
	v := q.text(name)
	if v == "" {
		if q.values.Has(name) {
			q.fail(name, "empty", fmt.Sprintf("a whole number from %d to %d", low, high))
		}
		return absent
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		q.fail(name, fmt.Sprintf("%.40q is not allowed", v), fmt.Sprintf("a whole number from %d to %d", low, high))
		return absent
	}
	return n
}

// row is the number of a row, 0 when it is absent.
func (q *query) row(name string) int64 {
	v := q.text(name)
	if v == "" && !q.values.Has(name) {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 1 {
		q.fail(name, fmt.Sprintf("%.40q is not a number of one", v), "a whole number from 1")
		return 0
	}
	return n
}

func (q *query) limit() int { return q.whole("limit", 1, maxList, defaultList) }

const timeAllowed = "a time as 2026-11-22T00:05:00.000Z (RFC 3339; write + as %2B)"

// time is a time in ns UTC, 0 when it is absent.
func (q *query) time(name string) int64 {
	v := q.text(name)
	if v == "" {
		if q.values.Has(name) {
			q.fail(name, "empty", timeAllowed)
		}
		return 0
	}
	ns, err := parseTime(name, v)
	if err != nil && q.err == nil {
		q.err = err
	}
	return ns
}

// parseTime reads a time of the parameter or field name, in ns UTC.
func parseTime(name, v string) (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		return 0, wrong(name, fmt.Sprintf("%.40q is not a time", v), timeAllowed)
	}
	if t.Before(time.Unix(0, math.MinInt64)) || t.After(time.Unix(0, math.MaxInt64)) {
		return 0, wrong(name, "out of range", "years 1678 to 2261")
	}
	return t.UnixNano(), nil
}

// span is the required half-open span [from, to).
func (q *query) span() (from, to int64) {
	q.need("from", timeAllowed)
	q.need("to", timeAllowed)
	from, to = q.time("from"), q.time("to")
	if q.err == nil && from > to {
		q.fail("from", "later than to", "a span [from, to)")
	}
	return from, to
}

// alarmState is a state of alarms, "" when it is absent.
func (q *query) alarmState(name string) plant.AlarmState {
	v := q.text(name)
	if err := checkAlarmState(name, v); err != nil {
		q.fail(name, fmt.Sprintf("%.40q is not a state", v), alarmStates)
		return ""
	}
	return plant.AlarmState(v)
}

const alarmStates = "unacked, acked, rtn_unacked or cleared"

func checkAlarmState(name, v string) error {
	switch plant.AlarmState(v) {
	case "", plant.Unacked, plant.Acked, plant.RtnUnacked, plant.Cleared:
		return nil
	}
	return wrong(name, fmt.Sprintf("%.40q is not a state", v), alarmStates)
}

// A cursor says where the next page of a list begins. kind keeps the cursor of
// one list from being used with another.
func cursor(kind byte, position string) *string {
	c := base64.RawURLEncoding.EncodeToString(append([]byte{kind}, position...))
	return &c
}

const cursorAllowed = "the next of the page before, as it was given"

// after is the position in the parameter after; ok is false when it is absent.
func (q *query) after(kind byte) (position string, ok bool) {
	v := q.text("after")
	if v == "" {
		return "", false
	}
	b, err := base64.RawURLEncoding.DecodeString(v)
	if err != nil || len(b) == 0 || b[0] != kind {
		q.fail("after", "not a cursor of this list", cursorAllowed)
		return "", false
	}
	return string(b[1:]), true
}

// afterTime is a cursor that holds a time in ns; absent is returned where there
// is none.
func (q *query) afterTime(kind byte, absent int64) int64 {
	p, ok := q.after(kind)
	if !ok {
		return absent
	}
	n, err := strconv.ParseInt(p, 10, 64)
	if err != nil {
		q.fail("after", "not a cursor of this list", cursorAllowed)
		return absent
	}
	return n
}
