package export

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"millwright/plant"
)

// Format of a file.
type Format string

// Formats.
const (
	Parquet Format = "parquet"
	CSV     Format = "csv"
	Arrow   Format = "arrow" // the IPC file format, also called Feather 2
)

// Shape of the rows.
type Shape string

// Shapes. A long file has a row for each sample, a wide one a row for each step
// of a grid and a column for each tag.
const (
	Long Shape = "long"
	Wide Shape = "wide"
)

// Keep says which qualities are kept.
type Keep string

// What is kept. In a wide file a sample that is not kept ends the one before it.
const (
	KeepGood      Keep = "good"
	KeepUncertain Keep = "uncertain" // good and uncertain
	KeepAll       Keep = "all"
)

// Fill says what stands in a wide file between the samples of analogue tags.
// Set-points, discrete values and texts step, since they are sent when they
// change.
type Fill string

// Fills. An analogue sample speaks for Query.Hold steps of the grid at most, the
// others until the next one, and none into a declared gap.
const (
	FillStep   Fill = "step"   // the last sample
	FillLinear Fill = "linear" // the line to the next sample, where that comes in time
	FillMean   Fill = "mean"   // the time-weighted mean of the last step of the grid
)

// Query says what is exported. Fields of the second block may be zero, which
// stands for the value named.
type Query struct {
	Tags     []string // globs of tag paths: * is any text, ? one character; none: all of Asset, and in long form what its modes and limits are told by
	Asset    string   // this asset and all below it; empty: all
	From, To int64    // half-open, ns UTC, whole milliseconds

	Format Format        // Parquet
	Shape  Shape         // Long
	Keep   Keep          // KeepAll, in a wide file KeepGood
	Grid   time.Duration // wide: 1 s; rows are at its multiples since 1970
	Fill   Fill          // wide: FillStep
	Hold   int           // wide: 3 steps of the grid
}

// Bounds of a query.
const (
	maxGrid  = 24 * time.Hour
	maxHold  = 100_000
	maxReach = 366 * 24 * time.Hour       // of Hold steps of the grid
	maxSteps = math.MaxInt32              // rows of a wide file
	maxWide  = 2000                       // tags of a wide file
	maxSpan  = 200 * 366 * 24 * time.Hour // of a wide file: differences of its times are numbers

	defaultHold = 3
)

// Fault is what is wrong with one parameter of a query.
type Fault struct {
	Parameter, What, Allowed string
}

func (f Fault) Error() string { return f.Parameter + ": " + f.What + "; " + f.Allowed }

// QueryError is all that is wrong with a query.
type QueryError struct{ List []Fault }

func (e *QueryError) Error() string { return strings.Join(e.Faults(), "\n") }

// Faults has a line for each fault.
func (e *QueryError) Faults() []string {
	lines := make([]string, len(e.List))
	for i, f := range e.List {
		lines[i] = f.Error()
	}
	return lines
}

func (e *QueryError) add(parameter, allowed, what string, args ...any) {
	e.List = append(e.List, Fault{parameter, fmt.Sprintf(what, args...), allowed})
}

// err is e where there are faults.
func (e *QueryError) err() error {
	if len(e.List) == 0 {
		return nil
	}
	return e
}

// withDefaults is the query with nothing left out, written in one way.
func (q Query) withDefaults() Query {
	q.Tags = slices.Clone(q.Tags)
	slices.Sort(q.Tags)
	q.Tags = slices.Compact(q.Tags)
	q.From, q.To = plant.Millis(q.From), plant.Millis(q.To)
	if q.Format == "" {
		q.Format = Parquet
	}
	if q.Shape == "" {
		q.Shape = Long
	}
	if q.Keep == "" && q.Shape == Wide {
		q.Keep = KeepGood
	} else if q.Keep == "" {
		q.Keep = KeepAll
	}
	if q.Shape != Wide {
		return q
	}
	if q.Grid == 0 {
		q.Grid = time.Second
	}
	if q.Fill == "" {
		q.Fill = FillStep
	}
	if q.Hold == 0 {
		q.Hold = defaultHold
	}
	return q
}

// Check says all that is wrong with the query itself, as a *QueryError. Whether
// there are such tags is known only with a source.
func (q Query) Check() error {
	var e QueryError
	if len(q.Tags) == 0 && q.Asset == "" {
		e.add("tags", "name tags, an asset, or both", "missing")
	}
	for _, g := range q.Tags {
		if g == "" || strings.ContainsFunc(g, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			e.add("tags", "paths such as HSM/FM/F3/GBX/VIB_H, with * and ? as wild cards, commas between them", "%q is not a path", g)
		}
	}
	if q.From >= q.To {
		e.add("from", "a span [from, to)", "not before to")
	} else if q.Shape == Wide && uint64(q.To-q.From) > uint64(maxSpan) {
		e.add("from", "a span of at most 200 years", "too long before to")
	}
	choice(&e, "format", q.Format, "", Parquet, CSV, Arrow)
	choice(&e, "shape", q.Shape, "", Long, Wide)
	choice(&e, "quality", q.Keep, "", KeepGood, KeepUncertain, KeepAll)
	choice(&e, "fill", q.Fill, "", FillStep, FillLinear, FillMean)
	const gridAllowed = "whole milliseconds from 1ms to 24h"
	if q.Grid < 0 || q.Grid > maxGrid || q.Grid%time.Millisecond != 0 {
		e.add("grid", gridAllowed, "%v is not allowed", q.Grid)
	} else if grid := q.withDefaults().Grid; grid > 0 && q.From < q.To && uint64(q.To-q.From)/uint64(grid) >= maxSteps {
		e.add("grid", "choose a coarser grid or a shorter span", "%v makes more than %d rows", grid, maxSteps)
	}
	if q.Hold < 0 || q.Hold > maxHold {
		e.add("hold", fmt.Sprintf("1 to %d steps of the grid", maxHold), "%d is not allowed", q.Hold)
	} else if d := q.withDefaults(); d.Grid > 0 && d.Grid <= maxGrid && d.reach() > int64(maxReach) {
		e.add("hold", "at most 366 days in all", "%d steps of %v are too long", d.Hold, d.Grid)
	}
	if q.Shape != Wide {
		for _, p := range []struct {
			name string
			set  bool
		}{{"grid", q.Grid != 0}, {"fill", q.Fill != ""}, {"hold", q.Hold != 0}} {
			if p.set {
				e.add(p.name, "leave it out or ask for shape wide", "goes with shape wide only")
			}
		}
	}
	return e.err()
}

// reach is how long a sample speaks in a wide file, ns.
func (q Query) reach() int64 { return int64(q.Hold) * int64(q.Grid) }

// choice is a fault where v is none of the values; the first may be empty.
func choice[T ~string](e *QueryError, name string, v T, values ...T) {
	if slices.Contains(values, v) {
		return
	}
	var names []string
	for _, o := range values {
		if o != "" {
			names = append(names, string(o))
		}
	}
	e.add(name, strings.Join(names, ", "), "%.40q is not allowed", string(v))
}

// keeps reports whether a sample of this quality is kept.
func (k Keep) keeps(q plant.Quality) bool {
	switch k {
	case KeepGood:
		return q.IsGood()
	case KeepUncertain:
		return !q.IsBad()
	}
	return true
}

// queryJSON is the query in a manifest.
type queryJSON struct {
	Tags    []string `json:"tags,omitempty"`
	Asset   string   `json:"asset,omitempty"`
	From    stamp    `json:"from"`
	To      stamp    `json:"to"`
	Format  Format   `json:"format"`
	Shape   Shape    `json:"shape"`
	Quality Keep     `json:"quality"`
	Grid    string   `json:"grid,omitempty"`
	Fill    Fill     `json:"fill,omitempty"`
	Hold    int      `json:"hold,omitempty"`
}

// MarshalJSON writes the query as a manifest has it, nothing left out.
func (q Query) MarshalJSON() ([]byte, error) {
	q = q.withDefaults()
	j := queryJSON{q.Tags, q.Asset, stamp(q.From), stamp(q.To), q.Format, q.Shape, q.Keep, "", q.Fill, q.Hold}
	if q.Shape == Wide {
		j.Grid = q.Grid.String()
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote; what it reads passes Check.
func (q *Query) UnmarshalJSON(b []byte) error {
	var j queryJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*q = Query{j.Tags, j.Asset, int64(j.From), int64(j.To), j.Format, j.Shape, j.Quality, 0, j.Fill, j.Hold}
	if j.Grid != "" {
		var err error
		if q.Grid, err = time.ParseDuration(j.Grid); err != nil {
			return err
		}
	}
	return q.Check()
}

// stamp is a time in ns UTC, RFC 3339 with milliseconds in JSON; 0 is null.
type stamp int64

const stampLayout = "2006-01-02T15:04:05.000Z"

func (s stamp) String() string { return time.Unix(0, int64(s)).UTC().Format(stampLayout) }

// MarshalJSON writes the time.
func (s stamp) MarshalJSON() ([]byte, error) {
	if s == 0 {
		return []byte("null"), nil
	}
	return []byte(`"` + s.String() + `"`), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *stamp) UnmarshalJSON(b []byte) error {
	var text *string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	*s = 0
	if text == nil {
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, *text)
	if err != nil {
		return err
	}
	ns, ok := nanos(t)
	if !ok {
		return fmt.Errorf("%s: years 1678 to 2261", *text)
	}
	*s = stamp(plant.Millis(ns))
	return nil
}

// nanos is t in ns UTC where that is a number.
func nanos(t time.Time) (ns int64, ok bool) {
	if t.Before(time.Unix(0, math.MinInt64)) || t.After(time.Unix(0, math.MaxInt64)) {
		return 0, false
	}
	return t.UnixNano(), true
}
