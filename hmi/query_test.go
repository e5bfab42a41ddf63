package hmi

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// FuzzQuery reads any query string: each is a problem with a parameter's name, or
// gives values within their bounds.
func FuzzQuery(f *testing.F) {
	f.Add("tag=a&from=2026-11-22T00:05:00Z&to=2026-11-22T00:06:00Z&limit=5&after=" + *cursor('s', "12"))
	f.Add("from=2026-11-22T00:05:00+05:00&to=9999-12-31T23:59:59.999999999Z")
	f.Add("limit=%31&limit=2&;=%zz")
	f.Add("state=acked&buckets=-0")
	f.Fuzz(func(t *testing.T, raw string) {
		q := newQuery(raw, "tag", "from", "to", "limit", "after", "state", "buckets")
		from, to := q.span()
		limit, buckets := q.limit(), q.whole("buckets", 1, maxList, defaultList)
		q.afterTime('s', from)
		state := q.alarmState("state")
		if q.err != nil {
			p, ok := q.err.(*problem)
			if !ok || p.Status != 400 || !strings.Contains(p.Detail, "; ") {
				t.Errorf("%q: %v", raw, q.err)
			}
			if _, err := json.Marshal(p); err != nil {
				t.Errorf("%q: %v", raw, err)
			}
			return
		}
		if from > to || limit < 1 || limit > maxList || buckets < 1 || buckets > maxList || checkAlarmState("", string(state)) != nil {
			t.Errorf("%q: [%d, %d) limit %d buckets %d state %q", raw, from, to, limit, buckets, state)
		}
	})
}

func FuzzGapCursor(f *testing.F) {
	f.Add(gapBody{"a/b", 1, 2, "link-down"}.position())
	f.Add("1\n2")
	f.Fuzz(func(t *testing.T, position string) {
		g, err := parseGapCursor(position)
		if err != nil {
			return
		}
		if twin, err := parseGapCursor(g.position()); err != nil || twin != g {
			t.Errorf("%q does not survive", position)
		}
	})
}

func TestNumbersAreExact(t *testing.T) {
	for _, v := range []float64{0, math.Copysign(0, -1), 0.1, 1.0 / 3, 1e-7, 1e20, 1e21, 5e-324, math.MaxFloat64, -2.5, 1 << 53} {
		b, err := json.Marshal(number(v))
		if err != nil {
			t.Fatal(err)
		}
		var back float64
		if err := json.Unmarshal(b, &back); err != nil || math.Float64bits(back) != math.Float64bits(v) {
			t.Errorf("%v goes as %s and comes as %v", v, b, back)
		}
	}
}

func TestStamps(t *testing.T) {
	for ns, want := range map[int64]string{
		0:                                      `"1970-01-01T00:00:00.000Z"`,
		1:                                      `"1970-01-01T00:00:00.000Z"`,
		epoch + 999999999:                      `"2026-11-22T00:05:00.999Z"`,
		math.MaxInt64:                          `"2262-04-11T23:47:16.854Z"`,
		time.Unix(-1, 5e8).UnixNano():          `"1969-12-31T23:59:59.500Z"`,
		math.MinInt64 + int64(time.Nanosecond): `"1677-09-21T00:12:43.145Z"`,
	} {
		b, err := json.Marshal(stamp(ns))
		if err != nil || string(b) != want {
			t.Errorf("%d: %s, want %s", ns, b, want)
		}
	}
}

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		path, asset string
		want        bool
	}{{"a/b", "", true}, {"a/b", "a", true}, {"a/b", "a/b", true}, {"a/bc", "a/b", false}, {"a", "a/b", false}, {"", "", true}, {"", "a", false}} {
		if below(c.path, c.asset) != c.want {
			t.Errorf("below(%q, %q) = %v", c.path, c.asset, !c.want)
		}
	}
}
