// Package recording reads recorded measurements: delimited text with a header,
// whose first column is a time and whose other columns are quantities. It is
// the one reader behind the replay of a recording and the offline detectors, so
// both refuse the same files with the same words.
//
// The text is UTF-8 with or without a byte-order mark, lines end in LF or CRLF
// and hold at most 1 MiB, the delimiter is a comma, a semicolon or a tab and is
// found from the header. Cells may be quoted as in RFC 4180, on one line. Empty
// cells, NaN and null are missing values. Times are described at ParseStamp;
// they must not go backwards, equal times are allowed. Memory does not depend on
// the length of the file.
package recording

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Recording is an open recording. It is not safe for concurrent use.
type Recording struct {
	Name    string   // as the faults name it
	Columns []Column // all columns after the time, in file order

	lines lines
	comma byte
	cells [][]byte // of the line being read
	last  int64
	stamp string // text of last, empty before the first row
	file  *os.File
}

// Row is one line of a recording. Next reuses its Cells.
type Row struct {
	Line  int       // 1 is the header
	Stamp string    // text of the time cell, unchanged
	Time  int64     // ns since 1970, UTC where the text names no zone
	Cells []float64 // one per column; NaN where missing or not numeric
}

// Open opens a recording and reads all of a regular file once to check it and to
// class its columns: a column is numeric when each of its cells that is not
// missing is a number. Faults are one line, "file:line: what is wrong".
func Open(path string) (*Recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	r, err := open(path, f, info)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.file = f
	return r, nil
}

func open(path string, f *os.File, info os.FileInfo) (*Recording, error) {
	if info.IsDir() {
		return nil, fmt.Errorf("%s: is a folder, expected a recording", path)
	}
	if !info.Mode().IsRegular() {
		return New(path, f)
	}
	r, err := begin(path, f)
	if err != nil {
		return nil, err
	}
	if err := r.classify(); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	columns := r.Columns
	if r, err = begin(path, f); err != nil {
		return nil, err
	}
	if len(r.Columns) != len(columns) {
		return nil, fmt.Errorf("%s: changed while it was read", path)
	}
	r.Columns = columns
	return r, nil
}

// New reads a recording from a stream. Columns are classed by the rows in its
// first two MiB; a cell further on that is not a number in a numeric column is a
// fault of its line.
func New(name string, src io.Reader) (*Recording, error) {
	head := newLines(name, src)
	prefix, err := head.prefix()
	if err != nil {
		return nil, err
	}
	r, err := begin(name, bytes.NewReader(prefix))
	if err != nil {
		return nil, err
	}
	if err := r.classify(); err != nil {
		return nil, err
	}
	columns := r.Columns
	if r, err = beginLines(name, head); err != nil {
		return nil, err
	}
	r.Columns = columns
	return r, nil
}

func begin(name string, src io.Reader) (*Recording, error) {
	return beginLines(name, newLines(name, src))
}

// beginLines reads the header.
func beginLines(name string, l lines) (*Recording, error) {
	r := &Recording{Name: name, lines: l}
	var err error
	if r.comma, err = r.lines.delimiter(); err != nil {
		return nil, err
	}
	head, err := r.lines.next()
	if err != nil {
		return nil, err
	}
	if r.cells, err = split(r.cells, head, r.comma); err != nil {
		return nil, r.lines.fault("%w", err)
	}
	r.Columns, err = header(&r.lines, r.cells)
	return r, err
}

// Next reads the next row, io.EOF after the last one. It allocates nothing but
// the text of the stamp.
func (r *Recording) Next(row *Row) error {
	if err := r.advance(row); err != nil {
		return err
	}
	row.Cells = row.Cells[:0]
	for i, cell := range r.cells[1:] {
		v, ok := number(cell)
		switch {
		case r.Columns[i].Class == NonNumeric || !ok && r.Columns[i].Class == Label:
			v = math.NaN()
		case !ok:
			return r.lines.fault("column %q: %q is not a number", r.Columns[i].Name, shorten(cell))
		}
		row.Cells = append(row.Cells, v)
	}
	return nil
}

// advance reads a line and splits it into r.cells.
func (r *Recording) advance(row *Row) error {
	line, err := r.lines.next()
	for err == nil && len(line) == 0 { // blank lines are no rows
		line, err = r.lines.next()
	}
	if err != nil {
		return err
	}
	if r.cells, err = split(r.cells, line, r.comma); err != nil {
		return r.lines.fault("%w", err)
	}
	if got, want := len(r.cells), len(r.Columns)+1; got != want {
		return r.lines.fault("%d cells, the header has %d columns", got, want)
	}
	t, err := ParseStamp(r.cells[0])
	if err != nil {
		return r.lines.fault("%w", err)
	}
	stamp := string(r.cells[0])
	if r.stamp != "" && t < r.last {
		return r.lines.fault("time %q goes backwards, the row before has %q", shorten(r.cells[0]), r.stamp)
	}
	r.last, r.stamp = t, stamp
	row.Line, row.Stamp, row.Time = r.lines.n, stamp, t
	return nil
}

// Close closes the file of Open. It is safe twice.
func (r *Recording) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
