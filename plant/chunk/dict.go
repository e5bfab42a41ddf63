package chunk

import (
	"encoding/binary"
	"math"
	"slices"
)

// index fills e.dict with the different values in order of appearance and e.c
// with an index per value; false where there are more than n/8 of them.
func (e *Encoder) index(values []float64) bool {
	n := len(values)
	most := n / 8
	if most < 2 {
		return false
	}
	size := 1
	for size < 2*most {
		size *= 2
	}
	slots := slices.Grow(e.slots[:0], size)[:size] // index + 1 into dict, by hash
	e.slots = slots
	clear(slots)
	e.dict = e.dict[:0]
	e.c = slices.Grow(e.c[:0], n)[:n]
	for i, v := range values {
		b := math.Float64bits(v)
		at := int(b*0x9E3779B97F4A7C15>>32) & (size - 1)
		for slots[at] != 0 && e.dict[slots[at]-1] != b {
			at = (at + 1) & (size - 1)
		}
		if slots[at] == 0 {
			if len(e.dict) == most {
				return false
			}
			e.dict = append(e.dict, b)
			slots[at] = int32(len(e.dict))
		}
		e.c[i] = int64(slots[at] - 1)
	}
	return true
}

func (e *Encoder) appendDict(dst []byte) []byte {
	dst = append(dst, modeDict)
	dst = binary.AppendUvarint(dst, uint64(len(e.dict)))
	for _, b := range e.dict {
		dst = binary.LittleEndian.AppendUint64(dst, b)
	}
	return appendPacked(dst, e.c)
}

func (d *Decoder) dict(r *reader, dst []float64) {
	n := r.uvarint()
	if n > uint64(len(dst)) {
		r.fail()
		return
	}
	table := r.bytes(int(n) * 8)
	ints := slices.Grow(d.ints[:0], len(dst))[:len(dst)]
	d.ints = ints
	r.unpack(ints)
	if r.bad {
		return
	}
	for i, k := range ints {
		if uint64(k) >= n {
			r.fail()
			return
		}
		dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(table[k*8:]))
	}
}
