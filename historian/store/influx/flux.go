package influx

import (
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
	above       string   // an integer: leaves out what is not above
	from, to    int64    // ns, half-open
	last        bool     // of each series and field, the last one only
}

// span is the span in the terms of Flux. 1.8 includes its end and 2.x does not;
// between two milliseconds there is nothing, so both agree on an end there.
func (x *selection) span() (start, stop int64) {
	start, stop = max(x.from, earliest), min(x.to, latest)
	return start, plant.Millis(stop+ms-1) - 1
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
	anyOf(&b, "point", x.points)
	anyOf(&b, "_field", x.fields)
	if x.nonzero {
		b.WriteString(" and r._value != 0")
	}
	if x.above != "" {
		b.WriteString(" and r._value > " + x.above)
	}
	b.WriteString(")")
	if x.last {
		b.WriteString(" |> last()")
	}
	return b.String()
}

func anyOf(b *strings.Builder, key string, values []string) {
	for i, s := range values {
		if i == 0 {
			b.WriteString(" and (")
		} else {
			b.WriteString(" or ")
		}
		b.WriteString("r." + key + " == " + text(s))
	}
	if len(values) > 0 {
		b.WriteString(")")
	}
}
