package config

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// keys finds the line of every key of a TOML document, because the decoder
// tells lines of syntax errors only. Keys are full paths with the index of
// array elements: "plc[0].url", "asset[1].limit[0].value". The document must
// have been accepted by the decoder; of one that was not the answer is of no
// use.
func keys(src string) map[string]int {
	s := &scanner{src: strings.TrimPrefix(src, "\uFEFF"), line: 1, found: map[string]int{}, count: map[string]int{}}
	for s.pos < len(s.src) {
		before := s.pos
		s.statement()
		if s.pos == before { // not TOML
			s.pos++
		}
	}
	return s.found
}

type scanner struct {
	src   string
	pos   int
	line  int
	head  string         // path of the last table header
	found map[string]int // path → line
	count map[string]int // elements of each array of tables
}

func (s *scanner) statement() {
	s.blank(true)
	switch {
	case s.pos >= len(s.src):
	case strings.HasPrefix(s.src[s.pos:], "[["):
		s.pos += 2
		s.header(true)
	case s.src[s.pos] == '[':
		s.pos++
		s.header(false)
	default:
		s.pair(s.head)
	}
}

// header reads a table header behind its opening brackets.
func (s *scanner) header(array bool) {
	parts := s.key()
	path := ""
	for i, p := range parts {
		path = join(path, p)
		last := i == len(parts)-1
		if last && array {
			n := s.count[path]
			s.count[path] = n + 1
			s.note(path)
			path = index(path, n)
		} else if n := s.count[path]; n > 0 {
			path = index(path, n-1)
		}
		s.note(path)
	}
	s.head = path
	s.skip("]")
	if array {
		s.skip("]")
	}
}

// pair reads key = value into the table at path.
func (s *scanner) pair(path string) {
	for _, p := range s.key() {
		path = join(path, p)
		s.note(path)
	}
	s.skip("=")
	s.value(path)
}

func (s *scanner) note(path string) {
	if _, ok := s.found[path]; !ok {
		s.found[path] = s.line
	}
}

// key reads a dotted key.
func (s *scanner) key() []string {
	var parts []string
	for {
		s.blank(false)
		if s.pos >= len(s.src) {
			return parts
		}
		if c := s.src[s.pos]; c == '"' || c == '\'' {
			parts = append(parts, s.text())
		} else {
			n := strings.IndexAny(s.src[s.pos:], " \t\r\n.=]#")
			if n < 0 {
				n = len(s.src) - s.pos
			}
			parts = append(parts, s.src[s.pos:s.pos+n])
			s.pos += n
		}
		s.blank(false)
		if !s.skip(".") {
			return parts
		}
	}
}

func (s *scanner) value(path string) {
	s.blank(false)
	if s.pos >= len(s.src) {
		return
	}
	switch s.src[s.pos] {
	case '"', '\'':
		s.text()
	case '[':
		s.pos++
		for n := 0; s.more("]"); n++ {
			before := s.pos
			s.value(index(path, n))
			s.element(before)
		}
	case '{':
		s.note(path)
		s.pos++
		for s.more("}") {
			before := s.pos
			s.pair(path)
			s.element(before)
		}
	default:
		n := strings.IndexAny(s.src[s.pos:], ",]}#\r\n")
		if n < 0 {
			n = len(s.src) - s.pos
		}
		s.pos += n
	}
}

// more reports whether an array or inline table goes on, and reads its end
// where it does not.
func (s *scanner) more(end string) bool {
	s.blank(true)
	return s.pos < len(s.src) && !s.skip(end)
}

// element ends an element that began at before. Where nothing was read the text
// is not TOML, and the rest of it is left.
func (s *scanner) element(before int) {
	s.blank(true)
	s.skip(",")
	if s.pos == before {
		s.pos = len(s.src)
	}
}

// text reads a string of any of the four kinds.
func (s *scanner) text() string {
	q := s.src[s.pos : s.pos+1]
	long := strings.HasPrefix(s.src[s.pos:], q+q+q)
	end := q
	if long {
		end = q + q + q
	}
	s.pos += len(end)
	start := s.pos
	for s.pos < len(s.src) && !strings.HasPrefix(s.src[s.pos:], end) {
		if s.src[s.pos] == '\\' && q == `"` {
			s.pos++
		}
		if s.pos < len(s.src) && s.src[s.pos] == '\n' {
			s.line++
		}
		s.pos++
	}
	s.pos = min(s.pos, len(s.src))
	out := s.src[start:s.pos]
	s.skip(end)
	for long && s.skip(q) { // up to two quotes may stand before the closing three
	}
	if q == `"` {
		out = unescape(out)
	}
	return out
}

// blank skips blanks, and with lines also line ends and comments.
func (s *scanner) blank(lines bool) {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == ' ' || c == '\t' || c == '\r' && lines:
		case c == '\n' && lines:
			s.line++
		case c == '#' && lines:
			n := strings.IndexByte(s.src[s.pos:], '\n')
			if n < 0 {
				s.pos = len(s.src)
				return
			}
			s.pos += n
			continue
		default:
			return
		}
		s.pos++
	}
}

func (s *scanner) skip(text string) bool {
	if !strings.HasPrefix(s.src[min(s.pos, len(s.src)):], text) {
		return false
	}
	s.pos += len(text)
	return true
}

var bare = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// join puts a key below a path; a key that is not a bare one is quoted.
func join(path, key string) string {
	if !bare.MatchString(key) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, n int) string { return path + "[" + strconv.Itoa(n) + "]" }

// unescape reads the escapes of a basic string.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
		if digits > 0 && i+digits < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32); err == nil && v <= utf8.MaxRune {
				b.WriteRune(rune(v))
				i += digits
				continue
			}
		}
		if n := strings.IndexByte("btnfre", s[i]); n >= 0 {
			b.WriteByte("\b\t\n\f\r\x1b"[n])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
