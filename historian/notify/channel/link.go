package channel

import (
	"net/url"
	"strings"
)

// link finds the link of a text: the last line, where it is a URL and nothing
// else. The label is the line before it, the rest what is left.
func link(text string) (rest, label, target string) {
	above, last := cutLast(text)
	if u, err := url.Parse(last); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return text, "", ""
	}
	rest, label = cutLast(above)
	label = strings.TrimSuffix(strings.TrimPrefix(label, "\u200f"), ":")
	return strings.TrimRight(rest, "\n"), label, last
}

func cutLast(text string) (above, last string) {
	i := strings.LastIndexByte(text, '\n')
	return text[:max(i, 0)], text[i+1:]
}

// oneLine makes a text fit for a header: no control character survives.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == ' ' || r == '\u0085' || r == '\u2028' || r == '\u2029'
	}), " ")
}
