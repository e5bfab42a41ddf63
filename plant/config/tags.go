package config

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"millwright/plant"
)

var tagColumns = []string{"path", "asset", "node", "unit", "low", "high", "kind", "resolution", "max_rate",
	"sampling", "queue", "trigger", "cyclic", "description",
	"discard", "deadband", "scale", "offset", "browse", "field", "rate"}

// ParseTags reads a tag list: CSV (comma or semicolon) with a header that names
// the columns path, asset, node, unit, low, high, kind, resolution, max_rate,
// sampling, queue, trigger, cyclic, description, discard, deadband, scale,
// offset, browse, field and rate in any order. Path and node must be there. Lines that begin with # are comments. Tags of which no asset is
// named have an empty Asset; see Assign. The error is Faults where the content
// is wrong.
func ParseTags(name string, r io.Reader) ([]plant.Tag, error) {
	var faults Faults
	src, err := bounded(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	tags := readTags([]source{{name, string(src)}}, &faults)
	if err := faults.err(); err != nil {
		return nil, err
	}
	return tags, nil
}

// tagReader reads the cells of one line after the other.
type tagReader struct {
	file    string
	csv     *csv.Reader
	columns map[string]int
	record  []string
	faults  *Faults
}

// readTags reads tag lists of which no path may stand in two.
func readTags(lists []source, faults *Faults) []plant.Tag {
	var tags []plant.Tag
	first := map[string]Fault{} // where a path stands
	for _, l := range lists {
		tags = append(tags, readList(l, first, faults)...)
	}
	return tags
}

func readList(l source, first map[string]Fault, faults *Faults) []plant.Tag {
	name := l.name
	buf := bufio.NewReader(strings.NewReader(l.text))
	if b, _ := buf.Peek(3); string(b) == "\xEF\xBB\xBF" {
		buf.Discard(3)
	}
	r := &tagReader{file: name, csv: csv.NewReader(buf), faults: faults}
	r.csv.FieldsPerRecord = -1
	r.csv.Comment = '#'
	r.csv.ReuseRecord = true
	if head, _ := buf.Peek(buf.Size()); semicolons(head) {
		r.csv.Comma = ';'
	}
	if !r.header() {
		return nil
	}
	var tags []plant.Tag
	before := len(*faults)
	for r.next() {
		t := r.tag()
		line, _ := r.csv.FieldPos(0)
		if other, ok := first[t.Path]; ok && t.Path != "" {
			where := fmt.Sprintf("line %d", other.Line)
			if other.File != name {
				where = fmt.Sprintf("%s:%d", other.File, other.Line)
			}
			r.fault("path", "%s stands in %s already", t.Path, where)
			continue
		}
		first[t.Path] = Fault{File: name, Line: line}
		tags = append(tags, t)
	}
	if len(tags) == 0 && len(*faults) == before {
		faults.add(name, 1, "", "names no tag")
	}
	return tags
}

// semicolons reports whether the first line that is no comment is divided by
// semicolons.
func semicolons(head []byte) bool {
	for line := range strings.Lines(string(head)) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		return strings.Count(line, ";") > strings.Count(line, ",")
	}
	return false
}

func (r *tagReader) header() bool {
	head, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		r.faults.add(r.file, 1, "", "is empty, expected a header such as path,asset,node,unit,low,high")
		return false
	}
	if err != nil {
		r.broken(err)
		return false
	}
	before := len(*r.faults)
	r.columns = map[string]int{}
	for i, h := range head {
		h = strings.ToLower(strings.TrimSpace(h))
		line, _ := r.csv.FieldPos(i)
		switch _, twice := r.columns[h]; {
		case !slices.Contains(tagColumns, h):
			r.faults.add(r.file, line, "", "unknown column %q, allowed are %s", h, strings.Join(tagColumns, ", "))
		case twice:
			r.faults.add(r.file, line, h, "the column stands here twice")
		default:
			r.columns[h] = i
		}
	}
	for _, c := range []string{"path", "node"} {
		if _, ok := r.columns[c]; !ok {
			r.faults.add(r.file, 1, c, "the column is missing")
		}
	}
	return len(*r.faults) == before
}

// next reads a line with the right number of cells, false at the end.
func (r *tagReader) next() bool {
	for {
		record, err := r.csv.Read()
		if errors.Is(err, io.EOF) {
			return false
		}
		if err != nil {
			r.broken(err)
			return false
		}
		if len(record) != len(r.columns) {
			line, _ := r.csv.FieldPos(0)
			r.faults.add(r.file, line, "", "%d cells, the header has %d columns", len(record), len(r.columns))
			continue
		}
		r.record = record
		return true
	}
}

func (r *tagReader) broken(err error) {
	if p, ok := errors.AsType[*csv.ParseError](err); ok {
		r.faults.add(r.file, p.Line, "", "not CSV: %v", p.Err)
		return
	}
	r.faults.add(r.file, 0, "", "%v", err)
}

func (r *tagReader) fault(column, format string, args ...any) {
	i := r.columns[column]
	line, _ := r.csv.FieldPos(i)
	r.faults.add(r.file, line, column, format, args...)
}

func (r *tagReader) cell(column string) string {
	i, ok := r.columns[column]
	if !ok {
		return ""
	}
	return strings.TrimSpace(r.record[i])
}

func (r *tagReader) tag() plant.Tag {
	t := plant.Tag{
		Path:        strings.Clone(r.cell("path")),
		Asset:       strings.Clone(r.cell("asset")),
		Node:        strings.Clone(r.cell("node")),
		Browse:      strings.Clone(r.cell("browse")),
		Field:       strings.Clone(r.cell("field")),
		Unit:        strings.Clone(r.cell("unit")),
		Description: strings.Clone(r.cell("description")),
		Kind:        plant.Kind(r.oneOf("kind", "analog", "analog", "setpoint", "discrete", "text", "waveform")),
		Rate:        r.number("rate"),
		Resolution:  r.number("resolution"),
		MaxRate:     r.number("max_rate"),
		Sampling:    r.duration("sampling"),
		Queue:       r.queue(),
		Trigger:     plant.Trigger(r.oneOf("trigger", "status-value", "status", "status-value", "status-value-timestamp")),
		Cyclic:      r.flag("cyclic"),
		Discard:     plant.Discard(r.oneOf("discard", "oldest", "oldest", "newest")),
	}
	if err := checkPath(t.Path); err != nil {
		r.fault("path", "%v", err)
	}
	if t.Asset != "" {
		if err := checkPath(t.Asset); err != nil {
			r.fault("asset", "%v", err)
		}
	}
	if err := checkNode(t.Node); err != nil {
		r.fault("node", "%v", err)
	}
	if _, err := plant.ParseBrowse(t.Browse); err != nil {
		r.fault("browse", "%v", err)
	}
	if t.Field != "" {
		if _, err := plant.ParseField(t.Field); err != nil {
			r.fault("field", "%v", err)
		}
	}
	if t.Resolution < 0 {
		r.fault("resolution", "%v, allowed is 0 or more", t.Resolution)
	}
	if t.MaxRate < 0 {
		r.fault("max_rate", "%v, allowed is 0 or more", t.MaxRate)
	}
	if t.Cyclic && t.Sampling == 0 && r.cell("sampling") == "" {
		r.fault("cyclic", "needs the interval in the column sampling, such as 1s")
	}
	r.rate(&t)
	r.span(&t)
	r.deadband(&t)
	r.scaling(&t)
	return t
}

// span reads the engineering range, both ends or none.
func (r *tagReader) span(t *plant.Tag) {
	low, high := r.cell("low"), r.cell("high")
	if low == "" && high == "" {
		return
	}
	if low == "" || high == "" {
		r.fault("low", "low and high go together, allowed are both or none")
		return
	}
	t.Low, t.High = r.number("low"), r.number("high")
	if t.Low >= t.High && isNumber(low) && isNumber(high) {
		r.fault("high", "%v is not above low %v", t.High, t.Low)
	}
}

func isNumber(s string) bool {
	v, err := strconv.ParseFloat(s, 64)
	return err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}

func (r *tagReader) number(column string) float64 {
	s := r.cell(column)
	if s == "" {
		return 0
	}
	if !isNumber(s) {
		r.fault(column, "%q is no number, allowed are numbers such as 12.5", s)
		return 0
	}
	return parseNumber(s)
}

func parseNumber(s string) float64 {
	v, _ := strconv.ParseFloat(s, 64)
	return v
}

func (r *tagReader) duration(column string) time.Duration {
	s := r.cell(column)
	if s == "" || s == "0" {
		return 0
	}
	d, err := ParseDuration(s)
	if err != nil {
		r.fault(column, "%v", err)
		return 0
	}
	if d < 0 || d > 24*time.Hour {
		r.fault(column, "%v, allowed is 0 to 24h", d)
		return 0
	}
	return d
}

func (r *tagReader) queue() uint32 {
	s := r.cell("queue")
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n > 1_000_000 {
		r.fault("queue", "%q, allowed is a whole number up to 1000000", s)
		return 0
	}
	return uint32(n)
}

func (r *tagReader) flag(column string) bool {
	switch s := strings.ToLower(r.cell(column)); s {
	case "", "0", "false", "no":
		return false
	case "1", "true", "yes":
		return true
	default:
		r.fault(column, "%q, allowed are yes and no", s)
		return false
	}
}

func (r *tagReader) oneOf(column, fallback string, allowed ...string) string {
	s := strings.ToLower(r.cell(column))
	if s == "" {
		return fallback
	}
	if i := slices.Index(allowed, s); i >= 0 {
		return allowed[i]
	}
	r.fault(column, "%q, allowed are %s", s, strings.Join(allowed, ", "))
	return fallback
}

// Assign sets the asset of the tags that name none: the longest asset path that
// the tag's path begins with, else the tag's path without its last level.
func Assign(tags []plant.Tag, assets []plant.Asset) {
	for i := range tags {
		t := &tags[i]
		if t.Asset != "" {
			continue
		}
		for _, a := range assets {
			if strings.HasPrefix(t.Path, a.Path+"/") && len(a.Path) > len(t.Asset) {
				t.Asset = a.Path
			}
		}
		if t.Asset == "" {
			if n := strings.LastIndexByte(t.Path, '/'); n > 0 {
				t.Asset = t.Path[:n]
			}
		}
	}
}
