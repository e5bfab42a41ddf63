package chunk

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// XOR of each value with the one before (after Gorilla, VLDB 2015): a zero bit
// repeats the value, 10 gives the bits of the window before, 11 opens a new
// window: 5 bits leading zeros, 6 bits length minus 1, then the bits. The first
// value stands in full. Bits are written highest first.

const maxLeading = 31

type bitWriter struct {
	b   []byte
	acc uint64
	n   int // bits in acc, fewer than 64
}

func (w *bitWriter) write(v uint64, n int) {
	if free := 64 - w.n; n < free {
		w.acc = w.acc<<n | v
		w.n += n
		return
	}
	rest := n - (64 - w.n)
	w.b = binary.BigEndian.AppendUint64(w.b, w.acc<<(64-w.n)|v>>rest)
	w.acc = v & (1<<rest - 1)
	w.n = rest
}

func (w *bitWriter) flush() []byte {
	if w.n > 0 {
		w.acc <<= 64 - w.n
		for ; w.n > 0; w.n -= 8 {
			w.b = append(w.b, byte(w.acc>>56))
			w.acc <<= 8
		}
	}
	return w.b
}

func appendXOR(dst []byte, values []float64) []byte {
	before := math.Float64bits(values[0])
	w := bitWriter{b: binary.LittleEndian.AppendUint64(dst, before)}
	leading, length := 0, 0
	for _, v := range values[1:] {
		b := math.Float64bits(v)
		x := b ^ before
		before = b
		if x == 0 {
			w.write(0, 1)
			continue
		}
		lead := min(bits.LeadingZeros64(x), maxLeading)
		trail := bits.TrailingZeros64(x)
		if length > 0 && lead >= leading && trail >= 64-leading-length {
			w.write(0b10, 2)
			w.write(x>>(64-leading-length), length)
			continue
		}
		leading, length = lead, 64-lead-trail
		w.write(0b11, 2)
		w.write(uint64(leading), 5)
		w.write(uint64(length-1), 6)
		w.write(x>>trail, length)
	}
	return w.flush()
}

type bitReader struct {
	b   []byte
	acc uint64 // the next bits, highest first
	n   int
	bad bool
}

func (r *bitReader) read(n int) uint64 {
	if n > 56 {
		hi := r.read(n - 32)
		return hi<<32 | r.read(32)
	}
	for r.n < n {
		if len(r.b) == 0 {
			r.bad = true
			return 0
		}
		r.acc |= uint64(r.b[0]) << (56 - r.n)
		r.b = r.b[1:]
		r.n += 8
	}
	v := r.acc >> (64 - n)
	r.acc <<= n
	r.n -= n
	return v
}

func (r *reader) xor(dst []float64) {
	before := r.uint64()
	dst[0] = math.Float64frombits(before)
	in := bitReader{b: r.b}
	leading, length := 0, 0
	for i := 1; i < len(dst); i++ {
		if in.read(1) != 0 {
			if in.read(1) != 0 {
				leading, length = int(in.read(5)), int(in.read(6))+1
			}
			if in.bad || length == 0 || leading+length > 64 {
				r.fail()
				return
			}
			before ^= in.read(length) << (64 - leading - length)
		}
		dst[i] = math.Float64frombits(before)
	}
	if in.bad {
		r.fail()
		return
	}
	r.b = in.b
}
