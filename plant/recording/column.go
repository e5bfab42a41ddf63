package recording

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Class says what a column is good for.
type Class uint8

// Classes of columns.
const (
	Numeric    Class = iota
	Label            // truth about the rows (anomaly, changepoint, label, is_anomaly): never shown to a detector
	NonNumeric       // texts, or no value at all
)

// Column is a column after the time.
type Column struct {
	Name  string // header text, verbatim
	Class Class
	Why   string // for NonNumeric: the reason, for people
}

// Numeric returns the indices of the numeric columns.
func (r *Recording) Numeric() []int { return r.class(Numeric) }

// Labels returns the indices of the label columns.
func (r *Recording) Labels() []int { return r.class(Label) }

// Left returns the columns that are not numeric.
func (r *Recording) Left() []Column {
	var out []Column
	for _, i := range r.class(NonNumeric) {
		out = append(out, r.Columns[i])
	}
	return out
}

func (r *Recording) class(c Class) []int {
	var out []int
	for i := range r.Columns {
		if r.Columns[i].Class == c {
			out = append(out, i)
		}
	}
	return out
}

func isLabel(name string) bool {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "anomaly", "changepoint", "label", "is_anomaly":
		return true
	}
	return false
}

// header makes columns of the header's cells.
func header(l *lines, cells [][]byte) ([]Column, error) {
	if len(cells) < 2 {
		return nil, l.fault("the header has one column, expected a time and at least one quantity, divided by comma, semicolon or tab")
	}
	seen := map[string]int{}
	columns := make([]Column, 0, len(cells)-1)
	for i, c := range cells {
		name := string(c)
		if strings.TrimSpace(name) == "" {
			if i == 0 { // an unnamed index column holds the time
				continue
			}
			return nil, l.fault("column %d has no name", i+1)
		}
		if first, ok := seen[name]; ok {
			return nil, l.fault("columns %d and %d have the same name %q", first, i+1, name)
		}
		seen[name] = i + 1
		if i == 0 {
			continue
		}
		col := Column{Name: name}
		if isLabel(name) {
			col.Class = Label
		}
		columns = append(columns, col)
	}
	return columns, nil
}

// classify reads all rows and finds the columns that are not numeric.
func (r *Recording) classify() error {
	some := make([]bool, len(r.Columns))
	rows := 0
	var row Row
	for {
		err := r.advance(&row)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		rows++
		for i, cell := range r.cells[1:] {
			col := &r.Columns[i]
			if col.Class != Numeric {
				continue
			}
			v, ok := number(cell)
			if !ok {
				col.Class = NonNumeric
				col.Why = fmt.Sprintf("line %d: %q is not a number", row.Line, shorten(cell))
			}
			some[i] = some[i] || !math.IsNaN(v)
		}
	}
	if rows == 0 {
		return fmt.Errorf("%s: no rows after the header", r.Name)
	}
	left := 0
	for i := range r.Columns {
		col := &r.Columns[i]
		if col.Class == Numeric && !some[i] {
			col.Class, col.Why = NonNumeric, "has no values"
		}
		if col.Class != Numeric {
			left++
		}
	}
	if left == len(r.Columns) {
		return fmt.Errorf("%s: no numeric column: %s", r.Name, reasons(r.Columns))
	}
	return nil
}

// reasons names at most three columns that are not numeric.
func reasons(columns []Column) string {
	var out []string
	for _, c := range columns {
		why := c.Why
		if c.Class == Label {
			why = "holds labels"
		}
		if out = append(out, fmt.Sprintf("%q %s", c.Name, why)); len(out) == 3 {
			break
		}
	}
	return strings.Join(out, "; ")
}

// number reads a cell: NaN and true where it is missing, false where it is not
// a number. Infinities are numbers.
func number(cell []byte) (float64, bool) {
	cell = bytes.TrimSpace(cell)
	if len(cell) == 0 || bytes.EqualFold(cell, []byte("nan")) || bytes.EqualFold(cell, []byte("null")) {
		return math.NaN(), true
	}
	if bytes.ContainsAny(cell, "xX_pP") { // Go's own spellings, unknown to other tools
		return math.NaN(), false
	}
	v, err := strconv.ParseFloat(string(cell), 64)
	if err != nil {
		return math.NaN(), false
	}
	return v, true
}

// shorten makes a cell fit for a fault.
func shorten(cell []byte) string {
	if len(cell) > 40 {
		return strings.ToValidUTF8(string(cell[:40]), "") + "…"
	}
	return string(cell)
}
