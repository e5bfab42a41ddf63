package influx

import (
	"math"
	"strconv"

	"millwright/plant"
)

// The field q is the status code of a sample in its low 32 bits. Above them it
// says where the value is: nothing for a finite one, which is in the field v.
//
//	bit 62      the value is not finite
//	bit 61      and its bits are in the field x; else
//	bit 60      its sign
//	bits 32-59  what it has as mantissa: bits 51 to 25 and bit 0
//
// So q == 0 is a good and finite value, and a reader that knows the low half
// only takes no value from where there is none. What the fields v and x hold
// from before a correction does not count.
const (
	notFinite = 1 << 62
	elsewhere = 1 << 61
	negative  = 1 << 60

	mantissaHigh = 1<<27 - 1 // bits 51 to 25
)

// packQuality makes q. bits: the value must be written to x.
func packQuality(v float64, status plant.Quality) (q int64, bits bool) {
	q = int64(status)
	if v-v == 0 {
		return q, false
	}
	u := math.Float64bits(v)
	q |= notFinite
	mantissa := u & (1<<52 - 1)
	high := mantissa >> 25
	if mantissa != high<<25|mantissa&1 {
		return q | elsewhere, true
	}
	if u>>63 != 0 {
		q |= negative
	}
	return q | int64(high<<33) | int64(mantissa&1)<<32, false
}

// unpackQuality reads q. Where the value is finite or in x it is not returned.
func unpackQuality(q int64) (status plant.Quality, v float64, where place) {
	status = plant.Quality(uint32(q))
	switch {
	case q&notFinite == 0:
		return status, 0, inV
	case q&elsewhere != 0:
		return status, 0, inX
	}
	u := uint64(0x7FF)<<52 | (uint64(q)>>33&mantissaHigh)<<25 | uint64(q)>>32&1
	if q&negative != 0 {
		u |= 1 << 63
	}
	return status, math.Float64frombits(u), inQ
}

// place says which field has the value.
type place int

const (
	inV place = iota
	inX
	inQ
)

// quoted marks in the q of a text that it stands in v in Go's quoted form: what
// has control characters or is not UTF-8 does not survive the formats on the way.
const quoted = 1 << 32

func packText(s string, status plant.Quality) (string, int64) {
	if plain(s) {
		return s, int64(status)
	}
	return strconv.Quote(s), int64(status) | quoted
}

func unpackText(s string, q int64) (string, plant.Quality) {
	if q&quoted != 0 {
		if u, err := strconv.Unquote(s); err == nil {
			s = u
		}
	}
	return s, plant.Quality(uint32(q))
}
