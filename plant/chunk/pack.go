package chunk

import (
	"encoding/binary"
	"math/bits"
)

// Integers are packed in blocks of up to blockLen: a width in bits (one byte),
// the block's smallest value as a zigzag varint difference to that of the block
// before, then every value minus the smallest in width bits, lowest bit first.
const blockLen = 128

// span returns the smallest value of a block and the width of the others above
// it. Differences wrap: the full range of int64 packs in 64 bits.
func span(block []int64) (lo int64, width int) {
	lo = block[0]
	hi := lo
	for _, v := range block[1:] {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, bits.Len64(uint64(hi) - uint64(lo))
}

// packedSize is the size of what appendPacked writes, give or take the varints
// of the smallest values.
func packedSize(v []int64) int {
	size := 0
	for len(v) > 0 {
		m := min(blockLen, len(v))
		_, width := span(v[:m])
		size += 3 + (m*width+7)/8
		v = v[m:]
	}
	return size
}

func appendPacked(dst []byte, v []int64) []byte {
	var before int64
	for len(v) > 0 {
		m := min(blockLen, len(v))
		lo, width := span(v[:m])
		dst = append(dst, byte(width))
		dst = binary.AppendVarint(dst, lo-before)
		before = lo
		dst = appendBits(dst, v[:m], lo, width)
		v = v[m:]
	}
	return dst
}

func appendBits(dst []byte, block []int64, lo int64, width int) []byte {
	if width == 0 {
		return dst
	}
	var acc uint64
	n := 0 // bits in acc, fewer than 64
	for _, x := range block {
		u := uint64(x) - uint64(lo)
		acc |= u << n
		n += width
		if n >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			n -= 64
			acc = u >> (width - n) // shifts by 64 give 0
		}
	}
	for ; n > 0; n -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// unpack reads len(dst) integers.
func (r *reader) unpack(dst []int64) {
	var before int64
	for len(dst) > 0 {
		m := min(blockLen, len(dst))
		width := int(r.byte())
		lo := before + r.varint()
		before = lo
		if r.bad || width > 64 {
			r.fail()
			return
		}
		size := (m*width + 7) / 8
		if len(r.b) < size {
			r.fail()
			return
		}
		if len(r.b) >= size+16 {
			unpackBits(dst[:m], r.b, lo, width)
		} else {
			// The reads below overshoot by up to 15 bytes.
			var pad [blockLen*8 + 16]byte
			copy(pad[:], r.b[:size])
			unpackBits(dst[:m], pad[:], lo, width)
		}
		r.b = r.b[size:]
		dst = dst[m:]
	}
}

// unpackBits needs 16 readable bytes behind the block.
func unpackBits(dst []int64, b []byte, lo int64, width int) {
	switch {
	case width == 0:
		for i := range dst {
			dst[i] = lo
		}
	case width <= 57: // any such value lies within 8 bytes
		mask := uint64(1)<<width - 1
		at := 0
		for i := range dst {
			w := binary.LittleEndian.Uint64(b[at>>3:])
			dst[i] = lo + int64(w>>(at&7)&mask)
			at += width
		}
	default:
		mask := ^uint64(0) >> (64 - width)
		at := 0
		for i := range dst {
			k, s := at>>3, at&7
			w := binary.LittleEndian.Uint64(b[k:])>>s | uint64(b[k+8])<<(64-s)
			dst[i] = lo + int64(w&mask)
			at += width
		}
	}
}
