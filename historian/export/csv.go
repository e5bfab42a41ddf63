package export

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// csvTable writes delimited text (RFC 4180, with line feeds): times in RFC 3339
// with milliseconds, no value as nothing, an empty text as "".
type csvTable struct {
	w       *tally
	columns []column
	buf     []byte
	second  int64 // the one whose text is in prefix
	prefix  []byte
}

func newCSVTable(w *tally, columns []column) (*csvTable, error) {
	t := &csvTable{w: w, columns: columns, second: math.MinInt64}
	for i, c := range columns {
		if i > 0 {
			t.buf = append(t.buf, ',')
		}
		t.text(c.name)
	}
	t.buf = append(t.buf, '\n')
	_, err := w.Write(t.buf)
	return t, err
}

func (t *csvTable) write(b *batch) error {
	t.buf = t.buf[:0]
	for r := range b.n {
		for i := range t.columns {
			if i > 0 {
				t.buf = append(t.buf, ',')
			}
			t.cell(&t.columns[i], &b.vectors[i], r)
		}
		t.buf = append(t.buf, '\n')
	}
	_, err := t.w.Write(t.buf)
	return err
}

func (t *csvTable) cell(c *column, v *vector, r int) {
	switch c.kind {
	case timeKind:
		t.time(v.times[r])
	case floatKind:
		if f := v.floats[r]; f == f {
			t.buf = strconv.AppendFloat(t.buf, f, 'g', -1, 64)
		}
	case codeKind:
		t.buf = strconv.AppendUint(t.buf, uint64(v.codes[r]), 10)
	case flagKind:
		t.buf = strconv.AppendBool(t.buf, v.flags[r])
	case wordKind:
		if w := v.words[r]; w != none {
			t.text(c.words[w])
		}
	case textKind:
		if !v.null[r] {
			t.text(v.texts[r])
		}
	}
}

// time appends a time; rows of one second share most of its text.
func (t *csvTable) time(ms int64) {
	second := ms / 1000
	milli := ms - second*1000
	if milli < 0 {
		second, milli = second-1, milli+1000
	}
	if second != t.second {
		t.second = second
		t.prefix = time.Unix(second, 0).UTC().AppendFormat(t.prefix[:0], "2006-01-02T15:04:05.")
	}
	t.buf = append(t.buf, t.prefix...)
	t.buf = append(t.buf, byte('0'+milli/100), byte('0'+milli/10%10), byte('0'+milli%10), 'Z')
}

func (t *csvTable) text(s string) {
	if s != "" && !strings.ContainsAny(s, "\",\r\n") && s[0] != ' ' {
		t.buf = append(t.buf, s...)
		return
	}
	t.buf = append(t.buf, '"')
	t.buf = append(t.buf, strings.ReplaceAll(s, `"`, `""`)...)
	t.buf = append(t.buf, '"')
}

func (t *csvTable) close([]byte) error { return nil }
