package influx

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxLine bounds a row of an answer: a text that was stored fits.
const maxLine = 64 << 20

// table reads the CSV that answers a Flux query: tables one after the other,
// each with a header where its columns differ from those before.
type table struct {
	r       *bufio.Reader
	columns []string
	index   map[string]int
	line    []byte
	cells   [][]byte
	scratch []byte
	days    dayCache
}

func newTable(r io.Reader) *table { return &table{r: bufio.NewReaderSize(r, 64<<10)} }

var errAnswer = errors.New("not an answer of InfluxDB")

// next goes to the next row; io.EOF behind the last one. An error that the server
// met on the way comes as a table of its own.
func (t *table) next() error {
	for {
		line, err := t.readLine()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			t.columns = nil // a header follows
			continue
		}
		if err := t.split(line); err != nil {
			return err
		}
		if t.columns != nil {
			if len(t.cells) != len(t.columns) {
				return fmt.Errorf("%w: %d columns under a header of %d", errAnswer, len(t.cells), len(t.columns))
			}
			return nil
		}
		if string(t.cells[0]) == "error" {
			message, err := t.readLine()
			if err == nil {
				err = t.split(message)
			}
			if err != nil {
				return fmt.Errorf("%w: an error without a text", errAnswer)
			}
			return fmt.Errorf("query: InfluxDB answers %s", t.cells[0])
		}
		t.columns = make([]string, len(t.cells))
		t.index = make(map[string]int, len(t.cells))
		for i, c := range t.cells {
			t.columns[i] = string(c)
			t.index[t.columns[i]] = i
		}
	}
}

// cell is a column of the present row; empty where the table has none. It is
// valid until the next row.
func (t *table) cell(column string) []byte {
	if i, ok := t.index[column]; ok {
		return t.cells[i]
	}
	return nil
}

// time is the column _time.
func (t *table) time() (int64, error) { return t.days.parse(t.cell("_time")) }

// readLine returns a line without its end. A line break in quotes is part of it.
func (t *table) readLine() ([]byte, error) {
	t.line = t.line[:0]
	for {
		piece, err := t.r.ReadSlice('\n')
		if err == nil && len(t.line) == 0 && bytes.IndexByte(piece, '"') < 0 {
			return trimEnd(piece), nil
		}
		t.line = append(t.line, piece...)
		if len(t.line) > maxLine {
			return nil, fmt.Errorf("%w: a row of more than %d bytes", errAnswer, maxLine)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(t.line) == 0:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		}
		if bytes.Count(t.line, []byte{'"'})%2 == 0 {
			return trimEnd(t.line), nil
		}
		if err == io.EOF {
			return nil, fmt.Errorf("%w: it ends inside a quoted text", errAnswer)
		}
	}
}

func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}

// split cuts a line into cells (RFC 4180).
func (t *table) split(line []byte) error {
	t.cells, t.scratch = t.cells[:0], t.scratch[:0]
	for {
		if len(line) == 0 || line[0] != '"' {
			i := bytes.IndexByte(line, ',')
			if i < 0 {
				t.cells = append(t.cells, line)
				return nil
			}
			t.cells = append(t.cells, line[:i])
			line = line[i+1:]
			continue
		}
		start := len(t.scratch)
		line = line[1:]
		for {
			i := bytes.IndexByte(line, '"')
			if i < 0 {
				return fmt.Errorf("%w: a quoted text without its end", errAnswer)
			}
			t.scratch = append(t.scratch, line[:i]...)
			line = line[i+1:]
			if len(line) == 0 || line[0] != '"' {
				break
			}
			t.scratch = append(t.scratch, '"')
			line = line[1:]
		}
		t.cells = append(t.cells, t.scratch[start:len(t.scratch):len(t.scratch)])
		switch {
		case len(line) == 0:
			return nil
		case line[0] != ',':
			return fmt.Errorf("%w: text behind a quoted one", errAnswer)
		}
		line = line[1:]
	}
}

// dayCache reads times, of which many are of one day.
type dayCache struct {
	text  [10]byte
	start int64 // ns
}

// parse reads a time of RFC 3339 in UTC.
func (d *dayCache) parse(b []byte) (int64, error) {
	if len(b) < len("2006-01-02T15:04:05Z") || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[len(b)-1] != 'Z' {
		return 0, fmt.Errorf("%w: %.40q for a time", errAnswer, b)
	}
	if [10]byte(b) != d.text {
		day, err := time.Parse(time.DateOnly, string(b[:10]))
		if err != nil {
			return 0, fmt.Errorf("%w: %.40q for a time", errAnswer, b)
		}
		// Days whose midnight an int64 cannot say are none of ours.
		if y := day.Year(); y < 1678 || y > 2261 {
			return 0, fmt.Errorf("%w: the year of %.40q", errAnswer, b)
		}
		d.start = day.UnixNano()
		d.text = [10]byte(b)
	}
	h, m, s := two(b[11:]), two(b[14:]), two(b[17:])
	if h > 23 || m > 59 || s > 59 {
		return 0, fmt.Errorf("%w: %.40q for a time", errAnswer, b)
	}
	at := d.start + int64(h*3600+m*60+s)*int64(time.Second)
	fraction := b[19 : len(b)-1]
	if len(fraction) == 0 {
		return at, nil
	}
	if fraction[0] != '.' || len(fraction) < 2 || len(fraction) > 10 {
		return 0, fmt.Errorf("%w: %.40q for a time", errAnswer, b)
	}
	unit := int64(time.Second)
	for _, c := range fraction[1:] {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%w: %.40q for a time", errAnswer, b)
		}
		unit /= 10
		at += int64(c-'0') * unit
	}
	return at, nil
}

// two reads two digits; what is not one makes it too large.
func two(b []byte) uint {
	x, y := uint(b[0]-'0'), uint(b[1]-'0')
	if x > 9 || y > 9 {
		return 100
	}
	return 10*x + y
}
