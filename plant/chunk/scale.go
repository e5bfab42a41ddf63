package chunk

import (
	"math"
	"slices"
)

// A scale turns values into integers and back, exactly: what does not come
// back bit for bit is an exception and stored beside. PLC values are nearly
// always integers in disguise: decimals, or counts times a step, often squeezed
// through a float32 on their way.
type scale struct {
	kind byte
	exp  byte    // decimal kinds: value = k / 10^exp
	step float64 // step kinds: value = k × step
}

// Kinds of scale. The 32 kinds round to float32 as the last step.
const (
	decimal64 = 0
	decimal32 = 1
	step64    = 2
	step32    = 3
	bits64    = 4 // the float64's own bits, in numeric order
	bits32    = 5 // the float32's
)

const maxExp = 9

// maxInt keeps integers exact in a float64.
const maxInt = 1 << 53

var powers = [maxExp + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// order maps the bits of a float to an integer that sorts like the float, and
// back: it is its own inverse.
func order64(b uint64) int64 { return int64(b ^ uint64(int64(b)>>63)>>1) }
func order32(b uint32) int32 { return int32(b ^ uint32(int32(b)>>31)>>1) }

// value is the reading side of every kind but the bits ones.
func (s *scale) value(k int64) float64 {
	switch s.kind {
	case decimal64:
		return float64(k) / powers[s.exp]
	case decimal32:
		return float64(float32(float64(k) / powers[s.exp]))
	case step64:
		return float64(k) * s.step
	default:
		return float64(float32(float64(k) * s.step))
	}
}

// values converts all of ints; exceptions are put in afterwards.
func (s *scale) values(dst []float64, ints []int64) {
	ints = ints[:len(dst)]
	switch s.kind {
	case decimal64:
		p := powers[s.exp]
		for i, k := range ints {
			dst[i] = float64(k) / p
		}
	case decimal32:
		p := powers[s.exp]
		for i, k := range ints {
			dst[i] = float64(float32(float64(k) / p))
		}
	case step64:
		for i, k := range ints {
			dst[i] = float64(k) * s.step
		}
	case step32:
		for i, k := range ints {
			dst[i] = float64(float32(float64(k) * s.step))
		}
	case bits64:
		for i, k := range ints {
			dst[i] = math.Float64frombits(uint64(order64(uint64(k))))
		}
	case bits32:
		for i, k := range ints {
			dst[i] = float64(math.Float32frombits(uint32(order32(uint32(k)))))
		}
	}
}

// ints converts all values and lists the positions that do not come back
// exactly in e.exceptions. It reports false where they are too many. An
// exception repeats the integer before it, which costs no width.
func (e *Encoder) ints(dst []int64, values []float64, s *scale) bool {
	e.exceptions = e.exceptions[:0]
	most := len(values)/16 + 1
	var inv float64
	switch s.kind {
	case decimal64, decimal32:
		inv = powers[s.exp]
	case step64, step32:
		inv = 1 / s.step
	}
	last, first := int64(0), -1
	for i, v := range values {
		var k int64
		exact := false
		switch s.kind {
		case bits64:
			k, exact = order64(math.Float64bits(v)), true
		case bits32:
			f := float32(v)
			k = int64(order32(math.Float32bits(f)))
			exact = math.Float64bits(float64(f)) == math.Float64bits(v) && v == v
		default:
			x := v * inv
			if x < maxInt && x > -maxInt {
				k = nearest(x)
				exact = math.Float64bits(s.value(k)) == math.Float64bits(v)
			}
		}
		if !exact {
			if len(e.exceptions) == most {
				return false
			}
			e.exceptions = append(e.exceptions, i)
			dst[i] = last
			continue
		}
		if first < 0 {
			first = i
			for j := range i { // exceptions in front of the first integer
				dst[j] = k
			}
		}
		dst[i], last = k, k
	}
	return first >= 0
}

func nearest(x float64) int64 {
	if x < 0 {
		return int64(x - 0.5)
	}
	return int64(x + 0.5)
}

// few picks finite values spread over the chunk to guess the scale from.
func few(buf []float64, values []float64) []float64 {
	n, m := len(values), cap(buf)
	buf = buf[:0]
	for i := range min(n, m) {
		if v := values[i*n/min(n, m)]; v-v == 0 {
			buf = append(buf, v)
		}
	}
	return buf
}

// guess finds the scale of the values and fills dst with their integers; false
// where there is none. Decimals first: they decode without knowing a step.
func (e *Encoder) guess(dst []int64, values []float64) (scale, bool) {
	var buf [24]float64
	some := few(buf[:], values)
	if len(some) == 0 {
		return scale{}, false
	}
	single := true // all of them exact float32s
	for _, v := range some {
		if float64(float32(v)) != v {
			single = false
			break
		}
	}
	s := scale{kind: decimal64}
	var ok bool
	if s.exp, ok = guessExp(some, s.kind); ok && e.ints(dst, values, &s) {
		return s, true
	}
	if single {
		s.kind = decimal32
		if s.exp, ok = guessExp(some, s.kind); ok && e.ints(dst, values, &s) {
			return s, true
		}
	}
	s = scale{kind: step64}
	if s.step, ok = guessStep(some, single); !ok {
		return s, false
	}
	if single {
		s.kind = step32
		s.step = narrow(s.step, values)
	}
	return s, e.ints(dst, values, &s)
}

// guessExp finds the fewest decimals that all but a few values have.
func guessExp(some []float64, kind byte) (byte, bool) {
	misses := len(some) / 12
	var exp byte
	for _, v := range some {
		x := exp
		for ; x <= maxExp; x++ {
			k := v * powers[x]
			if math.Abs(k) >= maxInt {
				x = maxExp
				continue
			}
			s := scale{kind: kind, exp: x}
			if s.value(nearest(k)) == v {
				break
			}
		}
		if x > maxExp {
			if misses--; misses < 0 {
				return 0, false
			}
			continue
		}
		exp = x
	}
	if kind == decimal32 {
		// Finer than the float32 itself, any value would do.
		for _, v := range some {
			if math.Abs(v)*powers[exp] > 1<<22 {
				return 0, false
			}
		}
	}
	return exp, true
}

// guessStep finds the step that the values are whole multiples of: Euclid's
// algorithm on their differences, smallest first, with the rounding of the
// float carried along as an error bound. Every larger multiple then narrows the
// step down.
func guessStep(some []float64, single bool) (float64, bool) {
	eps := 0x1p-52
	if single {
		eps = 0x1p-23
	}
	var sizesBuf, diffsBuf [32]float64
	sizes, diffs := sizesBuf[:0], diffsBuf[:0]
	for _, v := range some {
		if v != 0 {
			sizes = append(sizes, math.Abs(v))
		}
	}
	if len(sizes) < 2 {
		return 0, false
	}
	slices.Sort(sizes)
	tolerance := 2 * eps * sizes[len(sizes)-1] // of a difference
	for i := 1; i < len(sizes); i++ {
		if d := sizes[i] - sizes[i-1]; d > 4*tolerance {
			diffs = append(diffs, d)
		}
	}
	if len(diffs) == 0 {
		return 0, false
	}
	slices.Sort(diffs)
	step, bound := diffs[0], tolerance
	for i := 0; i < len(diffs); i++ {
		d := diffs[i]
		k := math.Round(d / step)
		rest, allowed := math.Abs(d-k*step), k*bound+tolerance
		switch {
		case allowed > step/4:
			return 0, false
		case rest > allowed:
			step, bound, i = rest, allowed, -1
		case k > 0 && tolerance/k < bound:
			step, bound = d/k, tolerance/k
		}
	}
	lo, hi := step-bound, step+bound
	for _, v := range sizes {
		mid := (lo + hi) / 2
		k := math.Round(v / mid)
		if k < 1 || k >= maxInt || k*(hi-lo)/mid > 0.5 {
			return 0, false
		}
		lo, hi = max(lo, (v-eps*v)/k), min(hi, (v+eps*v)/k)
		if lo > hi {
			return 0, false
		}
	}
	return exactStep(some, lo, hi, single)
}

// narrow finds the shortest step that every value of a float32 signal allows:
// k × step must round to the value, so step lies within half a unit in the last
// place of it, divided by k. A value that no such step gives is left out.
func narrow(step float64, values []float64) float64 {
	lo, hi := step*(1-1e-5), step*(1+1e-5)
	for _, v := range values {
		v = math.Abs(v)
		k := float64(nearest(v / step))
		if !(k >= 1 && k < maxInt) {
			continue
		}
		half := math.Float64frombits(math.Float64bits(v)&(0x7FF<<52)) * 0x1p-24
		l, h := (v-half)/k, (v+half)/k
		if l > hi || h < lo {
			continue
		}
		lo, hi = max(lo, l), min(hi, h)
	}
	return shortest(lo, hi)
}

// exactStep picks from [lo, hi] the step that gives the values back exactly:
// the shortest, else the first of the few float64s that are in there.
func exactStep(some []float64, lo, hi float64, single bool) (float64, bool) {
	s := scale{kind: step64, step: shortest(lo, hi)}
	if single {
		return s.step, true // narrow looks at all values
	}
	if s.exact(some) {
		return s.step, true
	}
	s.step = lo
	for range 12 {
		if s.exact(some) {
			return s.step, true
		}
		s.step = math.Nextafter(s.step, hi)
	}
	return 0, false
}

func (s *scale) exact(some []float64) bool {
	for _, v := range some {
		if s.value(nearest(v/s.step)) != v {
			return false
		}
	}
	return true
}

// shortest is the number with the fewest decimal digits in [lo, hi]: steps are
// set by people, as 0.05 or as 1/27648 where the middle must do.
func shortest(lo, hi float64) float64 {
	for digits := 1; digits <= 12; digits++ {
		scale := math.Floor(math.Log10(hi)) - float64(digits-1)
		var v float64
		if scale < 0 {
			p := math.Pow(10, -scale)
			v = math.Ceil(lo*p) / p
		} else {
			p := math.Pow(10, scale)
			v = math.Ceil(lo/p) * p
		}
		if v >= lo && v <= hi {
			return v
		}
	}
	return (lo + hi) / 2
}
