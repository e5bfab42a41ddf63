package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"millwright/simulator/ledger"
)

type ledgerCmd struct {
	File    string `arg:"" help:"A truth ledger or a sample log."`
	Tag     string `help:"Only tags like this, * for any text (sample log)." placeholder:"GLOB"`
	Asset   string `help:"Only this asset and what is below it." placeholder:"PATH"`
	Fault   string `help:"Only faults like this, * for any text (truth ledger)." placeholder:"GLOB"`
	From    string `help:"From this time on: RFC 3339, or so long after the first entry." placeholder:"TIME"`
	To      string `help:"Up to this time: RFC 3339, or so long after the first entry." placeholder:"TIME"`
	Summary bool   `help:"One line per tag, or per fault from its onset to its repair."`
	JSON    bool   `name:"json" help:"Print JSON lines with readable times instead of a table."`
	Compare string `help:"Compare with another sample log: equal tags, times, qualities and texts, and numbers within 1e-9." placeholder:"FILE"`

	found int // entries that were asked for
}

// compareTolerance is the share by which numbers may differ between processors.
const compareTolerance = 1e-9

// Run prints either kind of file; its beginning tells which it is.
func (c *ledgerCmd) Run(e *env) error {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	br := bufio.NewReaderSize(f, 1<<20)
	head, _ := br.Peek(8)
	samples := ledger.IsSamples(head)
	switch {
	case samples && c.Fault != "":
		return usageError("--fault is for a truth ledger, " + c.File + " is a sample log")
	case !samples && c.Tag != "":
		return usageError("--tag is for a sample log, " + c.File + " is none")
	case !samples && c.Compare != "":
		return usageError("--compare is for sample logs, " + c.File + " is none")
	}
	var span span
	if err := span.parse(c.From, c.To); err != nil {
		return err
	}
	out := bufio.NewWriter(e.stdout)
	var found found
	if samples {
		err = c.samples(out, &span, counted(&found, ledger.ReadSamples(c.File, br)))
	} else {
		err = c.truths(out, &span, counted(&found, ledger.ReadTruths(c.File, br)))
	}
	if err = errors.Join(err, out.Flush()); err == nil && c.found == 0 && c.Compare == "" {
		fmt.Fprintln(e.stderr, found.none(c.File, samples))
	}
	return err
}

// found is what a file has, for those who asked for what it has not.
type found struct{ entries int }

// counted counts what a reader gives.
func counted[T any](n *found, all iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for x, err := range all {
			if err == nil {
				n.entries++
			}
			if !yield(x, err) {
				return
			}
		}
	}
}

// none says that nothing was found.
func (n *found) none(file string, samples bool) string {
	what, narrow := "line", "--asset, --fault, --from and --to"
	if samples {
		what, narrow = "value", "--tag, --asset, --from and --to"
	}
	if n.entries == 0 {
		return fmt.Sprintf("%s holds no %s yet", file, what)
	}
	return fmt.Sprintf("none of the %s of %s is asked for by %s: look with --summary alone", count(n.entries, what), file, narrow)
}

func (c *ledgerCmd) samples(out io.Writer, s *span, all iter.Seq2[ledger.Offer, error]) error {
	whole := *s
	some := c.some(s, all)
	switch {
	case c.Compare != "":
		return c.compare(out, some, &whole)
	case c.Summary:
		return c.tags(out, some)
	}
	lines := json.NewEncoder(out)
	for o, err := range some {
		if err != nil {
			return err
		}
		value := fmt.Sprint(o.Value)
		if o.IsText {
			value = o.Text
		}
		if c.JSON {
			err = lines.Encode(struct {
				Time    string `json:"time"`
				Tag     string `json:"tag"`
				Seq     uint64 `json:"seq"`
				Value   string `json:"value"`
				Quality string `json:"quality"`
			}{stamp(o.Time), o.Tag, o.Seq, value, o.Quality.String()})
		} else {
			_, err = fmt.Fprintf(out, "%s  %-28s  %12s  %s\n", stamp(o.Time), o.Tag, value, o.Quality)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// some are the values that were asked for.
func (c *ledgerCmd) some(s *span, all iter.Seq2[ledger.Offer, error]) iter.Seq2[ledger.Offer, error] {
	return func(yield func(ledger.Offer, error) bool) {
		for o, err := range all {
			if err == nil && !(s.has(o.Time) && under(c.Asset, o.Tag) && glob(cmp.Or(c.Tag, "*"), o.Tag)) {
				continue
			}
			c.found++
			if !yield(o, err) {
				return
			}
		}
	}
}

// compare is an error where the logs differ in what was asked for; s is the span
// of the second one.
func (c *ledgerCmd) compare(out io.Writer, some iter.Seq2[ledger.Offer, error], s *span) error {
	f, err := os.Open(c.Compare)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := ledger.Compare(some, c.some(s, ledger.ReadSamples(c.Compare, f)), compareTolerance)
	if err != nil {
		return err
	}
	for _, d := range r.Differ {
		fmt.Fprintln(out, d)
	}
	fmt.Fprintf(out, "%d values compared, %d of them bursts of vibration, %d not equal to the last bit, largest relative difference %.2g\n", r.Entries, r.Bursts, r.Inexact, r.Largest)
	if len(r.Differ) > 0 {
		return fmt.Errorf("%s and %s differ", c.File, c.Compare)
	}
	return nil
}

// tagSummary is a line of a sample log's summary.
type tagSummary struct {
	Tag   string   `json:"tag"`
	Count int      `json:"count"`
	Bad   int      `json:"bad"` // quality
	First string   `json:"first"`
	Last  string   `json:"last"`
	Low   *float64 `json:"low"` // of the numbers, null without one
	High  *float64 `json:"high"`
}

func (c *ledgerCmd) tags(out io.Writer, some iter.Seq2[ledger.Offer, error]) error {
	byTag := map[string]*tagSummary{}
	first, last := map[string]int64{}, map[string]int64{}
	for o, err := range some {
		if err != nil {
			return err
		}
		t := byTag[o.Tag]
		if t == nil {
			t = &tagSummary{Tag: o.Tag}
			byTag[o.Tag], first[o.Tag], last[o.Tag] = t, o.Time, o.Time
		}
		t.Count++
		first[o.Tag], last[o.Tag] = min(first[o.Tag], o.Time), max(last[o.Tag], o.Time)
		if o.Quality.IsBad() {
			t.Bad++
		}
		if v := o.Value; !o.IsText && !math.IsNaN(v) && !math.IsInf(v, 0) {
			if t.Low == nil {
				t.Low, t.High = new(float64), new(float64)
				*t.Low, *t.High = v, v
			}
			*t.Low, *t.High = min(*t.Low, v), max(*t.High, v)
		}
	}
	table := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
	lines := json.NewEncoder(out)
	if !c.JSON {
		fmt.Fprintf(table, "tag\tvalues\tbad\tfirst\tlast\tlow\thigh\n")
	}
	for _, t := range byTag {
		t.First, t.Last = stamp(first[t.Tag]), stamp(last[t.Tag])
	}
	for _, t := range slices.SortedFunc(maps.Values(byTag), func(a, b *tagSummary) int { return cmp.Compare(a.Tag, b.Tag) }) {
		if c.JSON {
			if err := lines.Encode(t); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%s\t%s\n", t.Tag, t.Count, t.Bad, t.First, t.Last, figure(t.Low), figure(t.High))
	}
	return table.Flush()
}

func figure(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.6g", *v)
}

func (c *ledgerCmd) truths(out io.Writer, s *span, all iter.Seq2[ledger.Truth, error]) error {
	some := func(yield func(ledger.Truth, error) bool) {
		for t, err := range all {
			if err == nil && !(s.has(t.Time) && under(c.Asset, t.Asset) && glob(cmp.Or(c.Fault, "*"), t.Fault)) {
				continue
			}
			c.found++
			if !yield(t, err) {
				return
			}
		}
	}
	if c.Summary {
		return c.faults(out, some)
	}
	table := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
	lines := json.NewEncoder(out)
	for t, err := range some {
		if err != nil {
			return errors.Join(err, table.Flush())
		}
		if c.JSON {
			err = lines.Encode(struct {
				Time      string  `json:"time"`
				PlantTime string  `json:"plant_time"`
				Asset     string  `json:"asset"`
				Fault     string  `json:"fault"`
				Severity  float64 `json:"severity"`
			}{stamp(t.Time), t.PlantTime.String(), t.Asset, t.Fault, t.Severity})
		} else {
			_, err = fmt.Fprintf(table, "%s\t%v\t%s\t%s\t%.3f\n", stamp(t.Time), t.PlantTime, t.Asset, t.Fault, t.Severity)
		}
		if err != nil {
			return errors.Join(err, table.Flush())
		}
	}
	return table.Flush()
}

func (c *ledgerCmd) faults(out io.Writer, some iter.Seq2[ledger.Truth, error]) error {
	episodes, err := ledger.Episodes(some)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
	lines := json.NewEncoder(out)
	if !c.JSON {
		fmt.Fprintf(table, "asset\tfault\tonset\tworst\tfailed\trepaired\n")
	}
	when := func(ns int64) string {
		if ns == 0 {
			return ""
		}
		return stamp(ns)
	}
	for _, p := range episodes {
		if !c.JSON {
			fmt.Fprintf(table, "%s\t%s\t%s\t%.3f\t%s\t%s\n", p.Asset, p.Fault, stamp(p.Onset), p.Worst, cmp.Or(when(p.Failed), "–"), cmp.Or(when(p.Ended), "–"))
			continue
		}
		err := lines.Encode(struct {
			Asset    string  `json:"asset"`
			Fault    string  `json:"fault"`
			Onset    string  `json:"onset"`
			Worst    float64 `json:"worst"`
			Failed   string  `json:"failed,omitempty"`
			Repaired string  `json:"repaired,omitempty"`
		}{p.Asset, p.Fault, stamp(p.Onset), p.Worst, when(p.Failed), when(p.Ended)})
		if err != nil {
			return err
		}
	}
	return table.Flush()
}

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000Z") }

// span is a part of a log: from and to, or so long after the first entry.
type span struct {
	from, to           int64 // ns UTC, both included
	fromAfter, toAfter bool  // they count from the first entry
	begun              bool
}

func (s *span) parse(from, to string) error {
	s.from, s.to = math.MinInt64, math.MaxInt64
	parse := func(flag, text string, at *int64, after *bool) error {
		if text == "" {
			return nil
		}
		if d, err := time.ParseDuration(text); err == nil && d >= 0 {
			*at, *after = int64(d), true
			return nil
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return usageError(fmt.Sprintf("%s %q is no time, allowed is 2026-01-01T06:00:00Z or a time after the first entry such as 90m", flag, text))
		}
		*at = nanos(t)
		return nil
	}
	if err := parse("--from", from, &s.from, &s.fromAfter); err != nil {
		return err
	}
	if err := parse("--to", to, &s.to, &s.toAfter); err != nil {
		return err
	}
	if s.fromAfter == s.toAfter && s.from > s.to {
		return usageError("--from is behind --to")
	}
	return nil
}

func (s *span) has(ns int64) bool {
	if !s.begun {
		s.begun = true
		if s.fromAfter {
			s.from = later(ns, s.from)
		}
		if s.toAfter {
			s.to = later(ns, s.to)
		}
	}
	return ns >= s.from && ns <= s.to
}

// nanos is a time in ns since 1970; those before 1678 and after 2262 are the
// first and the last that there are.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// later is the time so long after another one, at most the last that there is.
func later(ns, by int64) int64 {
	if ns > math.MaxInt64-by {
		return math.MaxInt64
	}
	return ns + by
}

// under reports whether a path is an asset or below it; all are where it is empty.
func under(asset, path string) bool {
	return asset == "" || path == asset || strings.HasPrefix(path, asset+"/")
}

// glob matches a whole text; * is any text, slashes too. It looks back to the
// last * alone, so that many of them take no longer.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return s == pattern
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(s, part)
		if at < 0 {
			return false
		}
		s = s[at+len(part):]
	}
	return true
}
