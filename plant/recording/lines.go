package recording

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const maxLine = 1 << 20

// lines reads lines of text of bounded length and counts them.
type lines struct {
	name string
	r    *bufio.Reader
	n    int // number of the line read last
}

func newLines(name string, r io.Reader) lines {
	return lines{name: name, r: bufio.NewReaderSize(r, 2*(maxLine+2))} // header and a row, with CR LF
}

// fault is an error at the line read last.
func (l *lines) fault(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", l.name, l.n, fmt.Errorf(format, args...))
}

// next returns the next line without its end, io.EOF after the last one. The
// slice is valid until the next call.
func (l *lines) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(line) > 0 {
		err = nil // the last line has no end
	}
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	l.n++
	if l.n == 1 {
		if err := l.text(line); err != nil {
			return nil, err
		}
		line = bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF"))
	}
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, l.fault("line is longer than 1 MiB")
	}
	if err != nil {
		return nil, fmt.Errorf("%s:%d: %w", l.name, l.n, err)
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) > maxLine {
		return nil, l.fault("line is longer than 1 MiB")
	}
	if err := l.text(line); err != nil {
		return nil, err
	}
	return line, nil
}

// text checks that a line is text at all.
func (l *lines) text(line []byte) error {
	if l.n == 1 && (bytes.HasPrefix(line, []byte{0xFF, 0xFE}) || bytes.HasPrefix(line, []byte{0xFE, 0xFF})) {
		return l.fault("the text is UTF-16, expected UTF-8")
	}
	if bytes.IndexByte(line, 0) >= 0 {
		return l.fault("the file is binary, expected delimited text")
	}
	if !utf8.Valid(line) && len(line) <= maxLine {
		return l.fault("the text is not UTF-8")
	}
	return nil
}

// prefix returns the whole lines at the beginning, as many as the buffer holds,
// without consuming them. Where it holds less than a header and a row, one of
// them is too long, and the caller meets that fault by reading it.
func (l *lines) prefix() ([]byte, error) {
	p, err := l.r.Peek(l.r.Size())
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	if err != nil {
		return p, nil
	}
	if i := bytes.LastIndexByte(p, '\n'); bytes.IndexByte(p, '\n') < i {
		return p[:i+1], nil
	}
	return p, nil
}

// delimiter finds the delimiter from the header: the most frequent candidate
// outside quotes that divides the first row into as many cells.
func (l *lines) delimiter() (byte, error) {
	p, err := l.r.Peek(l.r.Size())
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("%s: %w", l.name, err)
	}
	if len(p) == 0 {
		return 0, fmt.Errorf("%s: empty file, expected a header line", l.name)
	}
	head, rest, _ := bytes.Cut(p, []byte("\n"))
	row, _, _ := bytes.Cut(rest, []byte("\n"))
	best, score := byte(','), 0
	for _, c := range []byte("\t;,") {
		n := count(head, c)
		s := n
		if n > 0 && n == count(row, c) {
			s += 2 * maxLine // more than any count
		}
		if s > score {
			best, score = c, s
		}
	}
	return best, nil
}

// count counts c outside quotes.
func count(line []byte, c byte) int {
	n, quoted := 0, false
	for _, b := range line {
		switch {
		case b == '"':
			quoted = !quoted
		case b == c && !quoted:
			n++
		}
	}
	return n
}

var errQuote = errors.New(`a quote is not closed on its line, or stands inside a cell`)

// split cuts a line into cells and reuses dst. Quoted cells are unquoted in
// place.
func split(dst [][]byte, line []byte, comma byte) ([][]byte, error) {
	dst = dst[:0]
	for {
		if len(line) > 0 && line[0] == '"' {
			cell, rest, more, err := quoted(line, comma)
			if err != nil {
				return dst, err
			}
			dst = append(dst, cell)
			if !more {
				return dst, nil
			}
			line = rest
			continue
		}
		i := bytes.IndexByte(line, comma)
		if i < 0 {
			return append(dst, line), nil
		}
		dst = append(dst, line[:i])
		line = line[i+1:]
	}
}

// quoted reads the quoted cell that line begins with; more says that a
// delimiter followed.
func quoted(line []byte, comma byte) (cell, rest []byte, more bool, err error) {
	out := line[1:1]
	for i := 1; i < len(line); i++ {
		if line[i] != '"' {
			out = append(out, line[i])
			continue
		}
		switch {
		case i+1 == len(line):
			return out, nil, false, nil
		case line[i+1] == '"':
			out = append(out, '"')
			i++
		case line[i+1] == comma:
			return out, line[i+2:], true, nil
		default:
			return nil, nil, false, errQuote
		}
	}
	return nil, nil, false, errQuote
}
