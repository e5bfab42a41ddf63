package hmi

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// masked is an address as those see it who only read: enough to tell two apart. A
// webhook's address is its name in the configuration, which is no secret.
func masked(channel, address string) string {
	if channel == "webhook" {
		return address
	}
	if i := strings.LastIndexByte(address, '@'); i > 0 {
		first, _ := utf8.DecodeRuneInString(address)
		return string(first) + "…" + address[i:]
	}
	tail := []rune(address)
	if len(tail) < 8 { // most of it would show
		return "…"
	}
	return "…" + string(tail[len(tail)-4:])
}

// linkForm is a link that acknowledges in its person's name.
var linkForm = regexp.MustCompile(`\S*` + linkBase + `\S*`)

// linkLine is such a link with the words before it, where it has a line for them
// and itself.
var linkLine = regexp.MustCompile(`\n[^\n]{0,80}` + linkBase + `\S*|\S*` + linkBase + `\S*`)

// withoutLinks is a message's text for those to whom it was not sent.
func withoutLinks(text string) string { return linkForm.ReplaceAllString(text, linkBase+"…") }

// addressForm is what looks like a mail address or a telephone number in the
// words of a mail server or a modem.
var addressForm = regexp.MustCompile(`[^\s<>"'(),;:]+@[^\s<>"'(),;:]+|\+?\d{8,15}`)

// withoutAddresses is a text for those who may not see addresses.
func withoutAddresses(text string) string {
	return addressForm.ReplaceAllStringFunc(text, func(a string) string { return masked("", a) })
}
