package influx

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"millwright/plant"
)

// The database holds times from late 1677 to early 2262; we use whole years.
var (
	earliest = time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	latest   = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
)

// selection is the part of the database that a query reads. The Flux made of it
// has no other words than ours; texts are quoted.
type selection struct {
	measurement string
	points      []string // values of the tag "point", empty: all
	tags        [][2]string
	fields      []string // empty: all
	nonzero     bool     // leaves zeros out
	finite      bool     // of q, leaves out where there is no v
	from, to    int64    // ns, half-open
	last        bool     // of each series and field, the last one only
	names       bool     // not rows but the points that there are, as _value
}

// span is the span in the terms of Flux. 1.8 includes its end and 2.x does not;
// between two milliseconds there is nothing, so both agree on an end there.
func (x *selection) span() (start, stop int64) {
	start, stop = max(x.from, earliest), min(x.to, latest)
	return plant.Millis(start + ms - 1), plant.Millis(stop+ms-1) - 1
}

// empty reports whether there can be nothing. Influx takes an empty span for an
// error.
func (x *selection) empty() bool {
	start, stop := x.span()
	return start >= stop
}

func (x *selection) flux(bucket string) string {
	var b strings.Builder
	b.WriteString("from(bucket: " + text(bucket) + ")")
	start, stop := x.span()
	b.WriteString(" |> range(start: " + moment(start) + ", stop: " + moment(stop) + ")")
	b.WriteString(" |> filter(fn: (r) => r._measurement == " + text(x.measurement))
	for _, t := range x.tags {
		b.WriteString(" and r." + t[0] + " == " + text(t[1]))
	}
	switch len(x.points) {
	case 0:
	case 1:
		b.WriteString(" and r.point == " + text(x.points[0]))
	default: // 1.8 takes half a second for 200 comparisons, and none for this
		b.WriteString(" and r.point =~ " + oneOf(x.points))
	}
	for i, f := range x.fields {
		b.WriteString([]string{" and (", " or "}[min(i, 1)] + "r._field == " + text(f))
	}
	if len(x.fields) > 0 {
		b.WriteString(")")
	}
	if x.nonzero {
		b.WriteString(" and r._value != 0")
	}
	if x.finite {
		b.WriteString(" and r._value < " + strconv.Itoa(notFinite))
	}
	b.WriteString(")")
	if x.last {
		b.WriteString(" |> last()")
	}
	if x.names {
		// Both servers answer this form from the index.
		b.WriteString(` |> keep(columns: ["point"]) |> group() |> distinct(column: "point")`)
	}
	return b.String()
}

// oneOf is a regular expression in Flux that takes these texts and no others.
func oneOf(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = strings.ReplaceAll(regexp.QuoteMeta(t), "/", `\/`)
	}
	return "/^(?:" + strings.Join(quoted, "|") + ")$/"
}
