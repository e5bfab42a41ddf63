package config

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// cell says what the cells of a column of a sheet are.
type cell int

const (
	textCell cell = iota
	numberCell
	wholeCell
	listCell // divided by |
)

// column is one that a sheet may have.
type column struct {
	name string
	cell cell
}

// sheet reads a table as spreadsheets save them: with a byte-order mark or
// without, divided by comma, semicolon or tab, with lines of empty cells and empty
// columns at the end, and where it is not divided by commas also with decimal
// commas. Lines whose first cell begins with # are comments.
type sheet struct {
	file    string
	allowed []column
	faults  *Faults

	csv     *csv.Reader
	comma   rune
	columns []string // of the header; empty where nothing was asked for
	point   string   // decimal sign seen so far
}

// readSheet reads the rows as tables, so that cells are checked like the keys of
// a file in TOML. A cell that is empty is a key that is not there.
func readSheet(file, src string, allowed []column, faults *Faults) []*table {
	s := &sheet{file: file, allowed: allowed, faults: faults}
	src = strings.TrimPrefix(src, "\uFEFF")
	if !utf8.ValidString(src) {
		faults.add(file, 1+strings.Count(src[:invalid(src)], "\n"), "", "the text is not UTF-8: save it as \"CSV UTF-8\"")
		return nil
	}
	skipped := 0
	if first, rest, _ := strings.Cut(src, "\n"); strings.HasPrefix(first, "sep=") { // Excel's own
		src, skipped = rest, 1
	}
	s.comma = divider(src)
	s.csv = csv.NewReader(strings.NewReader(src))
	s.csv.Comma, s.csv.FieldsPerRecord = s.comma, -1
	var out []*table
	for {
		record, err := s.csv.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if p, ok := errors.AsType[*csv.ParseError](err); ok {
			faults.add(file, p.Line+skipped, "", "not CSV: %v", p.Err)
			return nil
		}
		if err != nil {
			faults.add(file, 0, "", "%v", err)
			return nil
		}
		line := func(i int) int { n, _ := s.csv.FieldPos(i); return n + skipped }
		switch {
		case strings.HasPrefix(strings.TrimSpace(record[0]), "#") || blank(record):
		case s.columns == nil:
			if !s.header(record, line(0)) {
				return nil
			}
		default:
			if t := s.row(record, line); t != nil {
				out = append(out, t)
			}
		}
	}
	if s.columns == nil {
		faults.add(file, 1, "", "is empty, expected a header and rows")
	}
	return out
}

func invalid(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return 0
}

func blank(record []string) bool {
	return !slices.ContainsFunc(record, func(c string) bool { return strings.TrimSpace(c) != "" })
}

// divider is what divides the cells of the first line that is no comment.
func divider(src string) rune {
	for line := range strings.Lines(src) {
		if strings.HasPrefix(strings.TrimLeft(line, `" `), "#") || strings.Trim(line, ",;\t \r\n") == "" {
			continue
		}
		best := ','
		for _, c := range ";\t" {
			if strings.Count(line, string(c)) > strings.Count(line, string(best)) {
				best = c
			}
		}
		return best
	}
	return ','
}

func (s *sheet) header(record []string, line int) bool {
	before := len(*s.faults)
	s.columns = make([]string, len(record))
	for i, h := range record {
		h = strings.ToLower(strings.TrimSpace(h))
		switch {
		case h == "":
		case !slices.ContainsFunc(s.allowed, func(c column) bool { return c.name == h }):
			var names []string
			for _, c := range s.allowed {
				names = append(names, c.name)
			}
			s.faults.add(s.file, line, "", "unknown column %q, allowed are %s", h, strings.Join(names, ", "))
		case slices.Contains(s.columns[:i], h):
			s.faults.add(s.file, line, h, "the column stands here twice")
		}
		s.columns[i] = h
	}
	return len(*s.faults) == before
}

// row is nil where the cells do not fit the header.
func (s *sheet) row(record []string, line func(int) int) *table {
	doc := &document{file: s.file, lines: map[string]int{"": line(0)}, faults: s.faults}
	t := &table{document: doc, m: map[string]any{}}
	for i, text := range record {
		text = strings.TrimSpace(strings.ReplaceAll(text, "\u00A0", " ")) // Excel's hard blanks
		if text == "" {
			continue
		}
		if i >= len(s.columns) || s.columns[i] == "" {
			s.faults.add(s.file, line(i), "", "cell %d, %q, has no column in the header", i+1, text)
			continue
		}
		name := s.columns[i]
		doc.lines[name] = line(i)
		j := slices.IndexFunc(s.allowed, func(c column) bool { return c.name == name })
		if v, ok := s.value(t, s.allowed[j], text); ok {
			t.m[name] = v
		}
	}
	return t
}

func (s *sheet) value(t *table, c column, text string) (any, bool) {
	switch c.cell {
	case listCell:
		var list []any
		for _, part := range strings.Split(text, "|") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return list, true
	case numberCell, wholeCell:
		v, ok := s.number(t, c.name, text)
		if !ok || c.cell == numberCell {
			return v, ok
		}
		if v != float64(int64(v)) || v > 1e9 || v < -1e9 {
			t.fault(c.name, "%q is no whole number", text)
			return nil, false
		}
		return int64(v), true
	}
	if strings.ContainsAny(text, "\r\n") {
		text = oneLine(text)
	}
	return text, true
}

// number reads a number with a decimal point, or with a decimal comma where
// cells are not divided by it. A file has one of them: where both are seen one
// stands for thousands, and nobody can tell which.
func (s *sheet) number(t *table, name, text string) (float64, bool) {
	points, commas := strings.Count(text, "."), strings.Count(text, ",")
	sign := ""
	switch {
	case points+commas > 1 || commas > 0 && s.comma == ',':
		t.fault(name, "%q, allowed are numbers without signs for thousands, such as 1234.5", text)
		return 0, false
	case points > 0:
		sign = "."
	case commas > 0:
		sign = ","
	}
	if sign != "" && s.point != "" && sign != s.point {
		t.fault(name, "%q, other numbers of the file have a decimal %q: write all of them with one", text, s.point)
		return 0, false
	}
	if sign != "" {
		s.point = sign
	}
	number := strings.Replace(text, ",", ".", 1)
	if !isNumber(number) {
		t.fault(name, "%q is no number, allowed are numbers such as 12.5", text)
		return 0, false
	}
	v, err := strconv.ParseFloat(number, 64)
	return v, err == nil
}
