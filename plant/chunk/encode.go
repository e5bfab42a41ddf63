package chunk

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"millwright/plant"
)

// Encoder writes chunks. The zero value is ready; it keeps its scratch memory
// between chunks and serves one goroutine at a time.
type Encoder struct {
	a, b, c, d []int64
	exceptions []int // positions, ascending
	spare      []int
	dict       []uint64
	slots      []int32
	xor        []byte
}

// Append appends the chunk of the samples to dst. The columns have one length
// between 1 and MaxSamples, and the times ascend strictly over less than 292
// years; otherwise dst comes back as it was, with ErrInput.
func (e *Encoder) Append(dst []byte, times []int64, values []float64, quality []plant.Quality) ([]byte, error) {
	n := len(times)
	if n == 0 || n > MaxSamples || len(values) != n || len(quality) != n {
		return dst, fmt.Errorf("%w: %d times, %d values, %d qualities, allowed are 1 to %d",
			ErrInput, n, len(values), len(quality), MaxSamples)
	}
	for i := 1; i < n; i++ {
		if times[i] <= times[i-1] {
			return dst, fmt.Errorf("%w: time %d after %d", ErrInput, times[i], times[i-1])
		}
	}
	if times[n-1]-times[0] < 0 {
		return dst, fmt.Errorf("%w: times from %d to %d", ErrInput, times[0], times[n-1])
	}
	start := len(dst)
	s := summarise(times, values, quality)
	dst = appendHeader(dst, &s)
	dst = appendQuality(dst, quality)
	dst = e.appendTimes(dst, times)
	dst = e.appendValues(dst, values)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli)), nil
}
