package influx

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// plain reports whether a text passes through line protocol, Flux and CSV
// unchanged.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7F {
			return false
		}
	}
	return utf8.ValidString(s)
}

// tagValue is a text as the value of a tag of a series. Line protocol has no way
// to write a control character or a backslash at the end, so such a text, and one
// that looks like it, stands there in Go's quoted form.
func tagValue(s string) string {
	if plain(s) && !strings.HasSuffix(s, `\`) && !strings.HasPrefix(s, `"`) {
		return s
	}
	return strconv.Quote(s)
}

// tagText is the text of a tag's value.
func tagText(s string) string {
	if strings.HasPrefix(s, `"`) {
		if u, err := strconv.Unquote(s); err == nil {
			return u
		}
	}
	return s
}

// appendTag writes ",key=value" of line protocol; nothing for an empty value.
func appendTag(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	b = append(b, ',')
	b = append(b, key...)
	b = append(b, '=')
	s = tagValue(s)
	for i := range len(s) {
		if c := s[i]; c == ',' || c == '=' || c == ' ' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return b
}

// appendString writes a string field of line protocol. s is plain.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// text is a plain string in Flux, and in the predicate of a deletion.
func text(s string) string {
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `${`, `\x24{`).Replace(s)
	return `"` + s + `"`
}

// moment is a time in Flux.
func moment(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// nameQL and textQL are a name and a plain string in InfluxQL.
func nameQL(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func textQL(s string) string {
	return `'` + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`).Replace(s) + `'`
}
