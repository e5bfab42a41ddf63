package text

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// quantity is a value with its unit, as people write it.
func (w *writer) quantity(v float64, unit string) string {
	return w.together(w.number(v, v, 0), unit)
}

// pair is a value and what it is held against, with the decimals of the larger one, or
// as many as it takes to tell them apart.
func (w *writer) pair(v, against float64, unit string) (value, limit string) {
	size := max(math.Abs(v), math.Abs(against))
	for more := 0; ; more++ {
		a, b := w.number(v, size, more), w.number(against, size, more)
		if a != b || v == against || more == 3 {
			if w.short { // the unit stands with the value
				return w.together(a, unit), w.together(b, "")
			}
			return w.together(a, unit), w.together(b, unit)
		}
	}
}

// number has three or four digits beside one of that size, and more decimals where asked.
func (w *writer) number(v, size float64, more int) string {
	a := math.Abs(size)
	var s string
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "?"
	case math.IsNaN(size) || math.IsInf(size, 0): // what it stands beside is none
		return w.number(v, v, more)
	case a >= 1e9 || a != 0 && a < 0.001:
		s = strconv.FormatFloat(v, 'g', 3+more, 64)
	default:
		places := 3
		switch {
		case a >= 1000:
			places = 0
		case a >= 100:
			places = 1
		case a >= 1:
			places = 2
		}
		s = strconv.FormatFloat(v, 'f', places+more, 64)
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		if s == "-0" {
			s = "0"
		}
	}
	return strings.Replace(s, ".", w.l.decimal, 1)
}

// together joins a number and its unit so that a right-to-left line does not
// part them: isolated in a long text; in an SMS, which has no room for that,
// without the blank that would let them swap sides. A minus sign needs a mark,
// or it goes to the wrong end.
func (w *writer) together(number, unit string) string {
	if unit == "1" {
		unit = ""
	}
	if w.short {
		unit = w.plain(unit)
	}
	switch {
	case w.short && w.l.rtl:
		s := number + unit
		if strings.HasPrefix(s, "-") {
			return "\u200e" + s
		}
		return s
	case unit == "" || unit == "%":
		return w.ltr(number + unit)
	}
	return w.ltr(number + " " + unit)
}

// ltr isolates what is written from left to right in every language.
func (w *writer) ltr(s string) string {
	if s == "" || !w.l.rtl || w.short {
		return s
	}
	return "\u2066" + s + "\u2069"
}

// plain writes what the alphabet of an English SMS lacks in another way.
func (w *writer) plain(s string) string {
	if w.l != &english {
		return s
	}
	return plainly.Replace(s)
}

var plainly = strings.NewReplacer("°", "", "²", "2", "³", "3", "·", "", "µ", "u", "μ", "u", "Ω", "Ohm", "–", "-", "—", "-", "−", "-",
	"…", "...", "’", "'", "‘", "'", "“", `"`, "”", `"`, "×", "x", "\u00a0", " ", "`", "'")

// clock is a time of the day in the plant's zone, with the day where it is not
// today.
func (w *writer) clock(ns int64) string {
	t, now := time.Unix(0, ns).In(w.zone), time.Unix(0, w.Now).In(w.zone)
	s := w.ltr(t.Format("15:04"))
	y, m, d := t.Date()
	if y == now.Year() && t.YearDay() == now.YearDay() {
		return s
	}
	day := strconv.Itoa(d) + " " + w.l.months[m-1]
	if y != now.Year() {
		day += " " + strconv.Itoa(y)
	}
	return day + " " + s
}

// span is a length of time in one or two units.
func (w *writer) span(ns int64) string {
	d := time.Duration(ns)
	whole := func(d, unit time.Duration) string { return strconv.Itoa(int(d / unit)) }
	day := 24 * time.Hour
	switch {
	case d < time.Minute:
		return w.l.say(justNow)
	case d < time.Hour:
		return w.l.say(spanMinutes, "n", whole(d, time.Minute))
	case d < day && d%time.Hour < time.Minute:
		return w.l.say(spanHours, "n", whole(d, time.Hour))
	case d < day:
		return w.l.say(spanHours, "n", whole(d, time.Hour)) + " " + w.l.say(spanMinutes, "n", whole(d%time.Hour, time.Minute))
	case d%day < time.Hour:
		return w.l.say(spanDays, "n", whole(d, day))
	}
	return w.l.say(spanDays, "n", whole(d, day)) + " " + w.l.say(spanHours, "n", whole(d%day, time.Hour))
}
