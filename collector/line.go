package collector

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxMessage = 400 // bytes of a PLC's message that are taken
	maxName    = 100 // bytes of the names that it gives
)

// line makes one line of at most `most` bytes of what a server says: valid UTF-8
// without control characters and without those that turn the direction of the
// text around it.
func line(s string, most int) string {
	const dots = "…"
	if n := 8 * most; len(s) > n {
		s = s[:n] // what may be dropped has an end
	}
	var b strings.Builder
	gap := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || r == '\u2028' || r == '\u2029':
			gap = b.Len() > 0
			continue
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError || r == '\uFEFF':
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		b.WriteRune(r)
		if b.Len() > most {
			break
		}
	}
	if b.Len() <= most {
		return b.String()
	}
	s = b.String()[:most-len(dots)]
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + dots
}
