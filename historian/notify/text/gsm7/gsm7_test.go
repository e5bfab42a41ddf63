package gsm7

import (
	"strings"
	"testing"
)

func TestSeptets(t *testing.T) {
	f := func(s string, want int, wantOK bool) {
		t.Helper()
		if n, ok := Septets(s); n != want || ok != wantOK {
			t.Errorf("%q costs %d, %v, want %d, %v", s, n, ok, want, wantOK)
		}
	}
	f("", 0, true)
	f("P1 HSM/FM/F3/GBX: VIB_H 6.2 mm/s", 32, true)
	f("[a]", 5, true) // both brackets are in the extension table
	f("{}[]~\\^|", 16, true)
	f("äöüß@", 5, true)
	f("`", 0, false)
	f("°C", 0, false)
	f("m³", 0, false)
	f("–", 0, false)
	f("\t", 0, false)
	f("€", 0, false) // GSM has it, ISO 8859-1 not
	f("Ω", 0, false)
	f("масло", 0, false)
	f("تیل", 0, false)
	f("\xff", 0, false) // not UTF-8
	f(strings.Repeat("a", 161), 161, true)
}

func TestUnits(t *testing.T) {
	f := func(s string, want int) {
		t.Helper()
		if n := Units(s); n != want {
			t.Errorf("%q has %d units, want %d", s, n, want)
		}
	}
	f("", 0)
	f("масло", 5)
	f("تیل ۔", 5)
	f("a\U0001F6A8", 3)
}
