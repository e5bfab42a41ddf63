package chunk

import (
	"encoding/binary"

	"millwright/plant"
)

// Quality is written as runs: length (uvarint), status code (4 bytes).

func appendQuality(dst []byte, quality []plant.Quality) []byte {
	for i := 0; i < len(quality); {
		j := i + 1
		for j < len(quality) && quality[j] == quality[i] {
			j++
		}
		dst = binary.AppendUvarint(dst, uint64(j-i))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(quality[i]))
		i = j
	}
	return dst
}

func (r *reader) quality(dst []plant.Quality) {
	for len(dst) > 0 {
		n := r.uvarint()
		q := plant.Quality(r.uint32())
		if r.bad || n == 0 || n > uint64(len(dst)) {
			r.fail()
			return
		}
		run := dst[:n]
		for i := range run {
			run[i] = q
		}
		dst = dst[n:]
	}
}
