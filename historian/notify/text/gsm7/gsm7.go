// Package gsm7 counts what a text costs as an SMS: the alphabet of 3GPP TS
// 23.038 has 7 bits a character and 160 of them in a message, everything else is
// UCS-2 with 70.
package gsm7

// What fits into one message and into two, whose parts carry a header.
const (
	One      = 160 // septets
	Two      = 2 * 153
	OneWide  = 70 // UTF-16 units
	TwoWides = 2 * 67
)

// alphabet is the default alphabet as far as ISO 8859-1 has it too, which is
// what an SMS daemon takes without being told more: no Greek letters, no euro
// and no currency sign (its place is the euro's in ISO 8859-15).
const alphabet = "@£$¥èéùìòÇ\nØø\rÅå_ÆæßÉ !\"#%&'()*+,-./0123456789:;<=>?" +
	"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

// extended costs an escape besides.
const extended = "^{}\\[~]|"

var cost = func() (c [256]uint8) {
	for _, r := range alphabet {
		c[r] = 1
	}
	for _, r := range extended {
		c[r] = 2
	}
	return c
}()

// Septets is what the text costs in the 7-bit alphabet; ok is false where it
// does not hold every character.
func Septets(s string) (n int, ok bool) {
	for _, r := range s {
		if r > 0xff || cost[r] == 0 {
			return 0, false
		}
		n += int(cost[r])
	}
	return n, true
}

// Units is what the text costs in UCS-2.
func Units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}
