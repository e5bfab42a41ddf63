package chunk

import (
	"encoding/binary"
	"math"
	"slices"
)

// How values are written: the low four bits of the mode byte.
const (
	modeRuns  = 0 // value, length, value, length … : steps, constants
	modeDict  = 1 // at most n/8 different values, packed indices
	modeXOR   = 2
	modeScale = 3 // integers under a scale: 3 + its kind, up to 8
	modeMask  = 0x0F

	modeDelta      = 0x10 // scaled: differences are packed, not the integers
	modeExceptions = 0x20 // scaled: a list of exact values follows
)

// appendValues writes the mode that takes the fewest bytes.
func (e *Encoder) appendValues(dst []byte, values []float64) []byte {
	n := len(values)
	runs := countRuns(values)
	if runs*80 <= n {
		return appendRuns(dst, values, runs)
	}
	best, choice := runs*10+1, byte(modeRuns)

	ints := slices.Grow(e.a[:0], n)[:n]
	e.a = ints
	deltas := slices.Grow(e.b[:0], n)[:n]
	e.b = deltas
	s, ok := e.guess(ints, values)
	if ok {
		if size, delta := e.scaledSize(ints, deltas); size < best {
			best, choice = size, modeScale+s.kind|delta
		}
	}
	if best > n/2 && e.index(values) {
		if size := 3 + 8*len(e.dict) + packedSize(e.c); size < best {
			best, choice = size, modeDict
		}
	}
	if best > n+n/2 {
		// No scale, or one that hardly helps: the bits themselves.
		raw := scale{kind: bits32}
		scaled := e.exceptions
		e.exceptions = e.spare
		if !e.ints(deltas, values, &raw) {
			raw.kind = bits64
			e.ints(deltas, values, &raw)
		}
		e.d = slices.Grow(e.d[:0], n)[:n]
		if size, delta := e.scaledSize(deltas, e.d); size < best {
			best, ints, s, choice = size, deltas, raw, modeScale+raw.kind|delta
			e.spare = scaled
		} else {
			e.exceptions, e.spare = scaled, e.exceptions
		}
	}
	if best > 3*n {
		e.xor = appendXOR(e.xor[:0], values)
		if len(e.xor) < best {
			dst = append(dst, modeXOR)
			return append(dst, e.xor...)
		}
	}
	switch choice & modeMask {
	case modeRuns:
		return appendRuns(dst, values, runs)
	case modeDict:
		return e.appendDict(dst)
	}
	return e.appendScaled(dst, values, ints, &s, choice)
}

// scaledSize compares packing the integers and packing their differences.
func (e *Encoder) scaledSize(ints, deltas []int64) (size int, delta byte) {
	before := ints[0]
	for i, k := range ints {
		deltas[i] = k - before
		before = k
	}
	plain, steps := packedSize(ints), packedSize(deltas)+4
	size = plain
	if steps < plain {
		size, delta = steps, modeDelta
	}
	return size + 10 + 10*len(e.exceptions), delta
}

func (e *Encoder) appendScaled(dst []byte, values []float64, ints []int64, s *scale, mode byte) []byte {
	if len(e.exceptions) > 0 {
		mode |= modeExceptions
	}
	dst = append(dst, mode)
	switch s.kind {
	case decimal64, decimal32:
		dst = append(dst, s.exp)
	case step64, step32:
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.step))
	}
	if mode&modeDelta != 0 {
		dst = binary.AppendVarint(dst, ints[0])
		e.d = slices.Grow(e.d[:0], len(ints))[:len(ints)]
		before := ints[0]
		for i, k := range ints {
			e.d[i] = k - before
			before = k
		}
		dst = appendPacked(dst, e.d)
	} else {
		dst = appendPacked(dst, ints)
	}
	if len(e.exceptions) > 0 {
		dst = binary.AppendUvarint(dst, uint64(len(e.exceptions)))
		at := 0
		for _, i := range e.exceptions {
			dst = binary.AppendUvarint(dst, uint64(i-at))
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(values[i]))
			at = i
		}
	}
	return dst
}

func countRuns(values []float64) int {
	runs := 1
	for i := 1; i < len(values); i++ {
		if math.Float64bits(values[i]) != math.Float64bits(values[i-1]) {
			runs++
		}
	}
	return runs
}

func appendRuns(dst []byte, values []float64, runs int) []byte {
	dst = append(dst, modeRuns)
	dst = binary.AppendUvarint(dst, uint64(runs))
	for i := 0; i < len(values); {
		b := math.Float64bits(values[i])
		j := i + 1
		for j < len(values) && math.Float64bits(values[j]) == b {
			j++
		}
		dst = binary.AppendUvarint(dst, uint64(j-i))
		dst = binary.LittleEndian.AppendUint64(dst, b)
		i = j
	}
	return dst
}

func (r *reader) runs(dst []float64) {
	n := r.uvarint()
	for ; n > 0 && !r.bad; n-- {
		length := r.uvarint()
		v := math.Float64frombits(r.uint64())
		if r.bad || length == 0 || length > uint64(len(dst)) {
			r.fail()
			return
		}
		run := dst[:length]
		for i := range run {
			run[i] = v
		}
		dst = dst[length:]
	}
	if len(dst) > 0 {
		r.fail()
	}
}

func (d *Decoder) values(r *reader, dst []float64) {
	mode := r.byte()
	switch m := mode & modeMask; {
	case mode == modeRuns:
		r.runs(dst)
	case mode == modeDict:
		d.dict(r, dst)
	case mode == modeXOR:
		r.xor(dst)
	case m >= modeScale && m <= modeScale+bits32 && mode&^(modeMask|modeDelta|modeExceptions) == 0:
		d.scaled(r, dst, mode)
	default:
		r.fail()
	}
}

func (d *Decoder) scaled(r *reader, dst []float64, mode byte) {
	s := scale{kind: mode&modeMask - modeScale}
	switch s.kind {
	case decimal64, decimal32:
		if s.exp = r.byte(); s.exp > maxExp {
			r.fail()
			return
		}
	case step64, step32:
		s.step = math.Float64frombits(r.uint64())
	}
	ints := slices.Grow(d.ints[:0], len(dst))[:len(dst)]
	d.ints = ints
	if mode&modeDelta != 0 {
		at := r.varint()
		r.unpack(ints)
		for i, step := range ints {
			at += step
			ints[i] = at
		}
	} else {
		r.unpack(ints)
	}
	if r.bad {
		return
	}
	s.values(dst, ints)
	if mode&modeExceptions == 0 {
		return
	}
	n := r.uvarint()
	at := uint64(0)
	for ; n > 0 && !r.bad; n-- {
		at += r.uvarint()
		v := r.uint64()
		if r.bad || at >= uint64(len(dst)) {
			r.fail()
			return
		}
		dst[at] = math.Float64frombits(v)
	}
}
