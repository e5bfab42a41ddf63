package recording

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// ParseStamp reads a time of a recording as ns since 1970: RFC 3339,
// "YYYY-MM-DD hh:mm:ss[.fraction]" with or without a zone (UTC where it names
// none), or Unix seconds with or without a fraction. Digits beyond the
// nanosecond are cut off.
func ParseStamp(text []byte) (int64, error) {
	b := bytes.TrimSpace(text)
	if len(b) == 0 {
		return 0, errors.New("the time is missing")
	}
	if len(b) >= 19 && b[4] == '-' {
		t, ok := date(b)
		if ok {
			return t, nil
		}
	} else if t, ok := unix(b); ok {
		return t, nil
	} else if v, err := strconv.ParseFloat(string(b), 64); err == nil && !(math.Abs(v) < maxUnix) {
		return 0, fmt.Errorf("time %q is out of range, Unix times are in seconds", shorten(b))
	}
	return 0, fmt.Errorf("time %q is not RFC 3339, YYYY-MM-DD hh:mm:ss[.ffffff] or Unix seconds", shorten(b))
}

const maxUnix = 9.2e9 // seconds that fit int64 ns

// unix reads seconds since 1970, decimal without rounding through a float64.
func unix(b []byte) (int64, bool) {
	if bytes.ContainsAny(b, "eE") {
		v, ok := number(b)
		if !ok || !(math.Abs(v) < maxUnix) {
			return 0, false
		}
		return int64(v * 1e9), true
	}
	neg := b[0] == '-'
	if neg || b[0] == '+' {
		b = b[1:]
	}
	whole, frac, point := bytes.Cut(b, []byte("."))
	if len(whole) == 0 || len(whole) > 10 || point && len(frac) == 0 {
		return 0, false
	}
	sec, ok := digits(whole)
	if !ok || sec >= maxUnix {
		return 0, false
	}
	ns, ok := fraction(frac)
	if !ok {
		return 0, false
	}
	t := sec*1e9 + ns
	if neg {
		t = -t
	}
	return t, true
}

// date reads YYYY-MM-DD, a T or a blank, hh:mm:ss, a fraction and a zone.
func date(b []byte) (int64, bool) {
	if b[7] != '-' || b[13] != ':' || b[16] != ':' || b[10] != 'T' && b[10] != 't' && b[10] != ' ' {
		return 0, false
	}
	var f [6]int64
	for i, s := range [6][]byte{b[0:4], b[5:7], b[8:10], b[11:13], b[14:16], b[17:19]} {
		v, ok := digits(s)
		if !ok {
			return 0, false
		}
		f[i] = v
	}
	year, month, day := int(f[0]), time.Month(f[1]), int(f[2])
	if year < 1678 || year > 2261 || month < 1 || month > 12 || f[3] > 23 || f[4] > 59 || f[5] > 59 {
		return 0, false
	}
	t := time.Date(year, month, day, int(f[3]), int(f[4]), int(f[5]), 0, time.UTC)
	if t.Day() != day || day < 1 { // the 30th of February becomes a day of March
		return 0, false
	}
	ns := t.UnixNano()
	b = b[19:]
	if len(b) > 1 && b[0] == '.' {
		n := 1
		for n < len(b) && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		frac, ok := fraction(b[1:n])
		if !ok || n == 1 {
			return 0, false
		}
		ns += frac
		b = b[n:]
	}
	offset, ok := zone(b)
	return ns - offset, ok
}

// zone reads nothing, Z, or ±hh:mm as ns east of UTC.
func zone(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) == 1 && (b[0] == 'Z' || b[0] == 'z') {
		return 0, true
	}
	if len(b) != 6 || b[0] != '+' && b[0] != '-' || b[3] != ':' {
		return 0, false
	}
	h, ok1 := digits(b[1:3])
	m, ok2 := digits(b[4:6])
	if !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, false
	}
	off := (h*60 + m) * int64(time.Minute)
	if b[0] == '-' {
		off = -off
	}
	return off, true
}

func digits(b []byte) (int64, bool) {
	var v int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, len(b) > 0
}

// fraction reads decimals of a second as ns; none are 0.
func fraction(b []byte) (int64, bool) {
	var ns int64
	unit := int64(1e8)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		ns += int64(c-'0') * unit
		unit /= 10
	}
	return ns, true
}
