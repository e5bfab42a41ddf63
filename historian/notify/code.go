package notify

import (
	"slices"
	"strings"
	"unicode"
)

// phone is a number as it is compared: "+", country and number. Modems give
// numbers without "+", people write "00", spaces and dashes. Empty: not a number.
func phone(s string) string {
	var b strings.Builder
	for _, c := range strings.TrimSpace(s) {
		switch d, ok := digit(c); {
		case ok:
			b.WriteByte(d)
		case c == '+' && b.Len() == 0:
			// written below
		case !strings.ContainsRune(" -./()\u00a0\u200e\u200f\u202a\u202c", c):
			return ""
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "+" + strings.TrimPrefix(b.String(), "00")
}

// digit is a decimal digit in ASCII; phones in Urdu and Persian write others.
func digit(c rune) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return byte(c), true
	case c >= '٠' && c <= '٩':
		return byte('0' + c - '٠'), true
	case c >= '۰' && c <= '۹':
		return byte('0' + c - '۰'), true
	}
	return 0, false
}

// yes are the words that may stand beside the code in an answer.
var yes = []string{
	"reply", "answer", "جواب", "میں", "بھیجیں", "ответьте", "ответ", // as the messages ask for it
	"ack", "acknowledge", "acknowledged", "ok", "okay", "yes", "code", "got", "it", "done", "taken",
	"ہاں", "جی", "ٹھیک", "ٹھیک ہے", "ہے", "اوکے", "منظور", "کوڈ", "دیکھ", "لیا", "موصول", "تصدیق",
	"да", "ок", "окей", "хорошо", "принял", "приняла", "принято", "подтверждаю", "понял", "поняла", "код",
	"han", "haan", "ji", "theek", "hai", "da", "prinyal", "prinyato", "podtverzhdayu",
}

// code is the two digits in an answer: "42", "ACK 42", "ok ۴۲ 👍". It is strict: a
// number within a sentence acknowledges nothing.
func code(text string) (string, bool) {
	// Digits in a box are digits with marks behind them.
	text = strings.Map(func(c rune) rune {
		if unicode.In(c, unicode.Variation_Selector, unicode.Me) {
			return -1
		}
		return unicode.ToLower(c)
	}, text)
	words := strings.FieldsFunc(text, func(c rune) bool {
		emoji := c > unicode.MaxLatin1 && unicode.In(c, unicode.So, unicode.Sk) // "42°" is a measurement
		return unicode.IsSpace(c) || unicode.IsPunct(c) || unicode.Is(unicode.Cf, c) || emoji
	})
	found := ""
	for _, w := range words {
		var digits []byte
		others := false
		for _, c := range w {
			if d, ok := digit(c); ok {
				digits = append(digits, d)
			} else {
				others = true
			}
		}
		switch {
		case len(digits) == 0:
			if !slices.Contains(yes, w) {
				return "", false
			}
		case others || len(digits) != 2 || found != "":
			return "", false
		default:
			found = string(digits)
		}
	}
	return found, found != ""
}
