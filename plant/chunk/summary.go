package chunk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"millwright/plant"
)

// MaxSamples is the most that one chunk holds.
const MaxSamples = 1 << 16

const version = 1

// Errors of this package, wrapped with the particulars.
var (
	ErrDamaged = errors.New("damaged chunk")
	ErrVersion = errors.New("chunk of an unknown version")
	ErrInput   = errors.New("not a chunk's worth of samples")
)

// Summary is what is known of a chunk without decoding it. Min, Max, Sum, Area
// and GoodTime count good and finite values only; Min and Max are NaN where
// there is none.
type Summary struct {
	First, Last           int64 // ns UTC
	Count                 int
	Good                  int // samples of good quality
	Min, Max, Sum         float64
	FirstValue, LastValue float64
	LastGood              bool    // the last value is good and finite
	Area                  float64 // Σ value × seconds until the next sample, First to Last
	GoodTime              int64   // ns between First and Last that Area covers
}

// Usable reports whether a value counts in a minimum, maximum or mean: of good
// quality and a number.
func Usable(v float64, q plant.Quality) bool { return q.IsGood() && v-v == 0 }

func summarise(times []int64, values []float64, quality []plant.Quality) Summary {
	n := len(times)
	s := Summary{
		First: times[0], Last: times[n-1], Count: n,
		Min: math.Inf(1), Max: math.Inf(-1),
		FirstValue: values[0], LastValue: values[n-1],
		LastGood: Usable(values[n-1], quality[n-1]),
	}
	usable := 0
	for i, v := range values {
		q := quality[i]
		if q.IsGood() {
			s.Good++
		}
		if !Usable(v, q) {
			continue
		}
		usable++
		s.Sum += v
		s.Min, s.Max = min(s.Min, v), max(s.Max, v)
		if i+1 < n {
			hold := times[i+1] - times[i]
			s.GoodTime += hold
			s.Area += v * float64(hold)
		}
	}
	s.Area /= float64(time.Second)
	if usable == 0 {
		s.Min, s.Max = math.NaN(), math.NaN()
	}
	return s
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	trailer  = 4 // CRC32C
	lastGood = 1 // bit of the flags byte
)

// appendHeader writes everything up to the first column.
func appendHeader(dst []byte, s *Summary) []byte {
	var flags byte
	if s.LastGood {
		flags |= lastGood
	}
	dst = append(dst, version, flags)
	dst = binary.AppendUvarint(dst, uint64(s.Count))
	dst = binary.AppendVarint(dst, s.First)
	dst = binary.AppendUvarint(dst, uint64(s.Last)-uint64(s.First))
	dst = binary.AppendUvarint(dst, uint64(s.Count-s.Good))
	dst = binary.AppendUvarint(dst, uint64(s.Last)-uint64(s.First)-uint64(s.GoodTime))
	for _, f := range [...]float64{s.Min, s.Max, s.Sum, s.Area, s.FirstValue, s.LastValue} {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
	}
	return dst
}

// ReadSummary checks the chunk's checksum and returns its summary.
func ReadSummary(data []byte) (Summary, error) {
	s, _, err := readHeader(data)
	return s, err
}

// readHeader returns the summary and the columns behind it, without the
// checksum.
func readHeader(data []byte) (s Summary, columns []byte, err error) {
	if len(data) < 2+trailer {
		return s, nil, fmt.Errorf("%w: %d bytes", ErrDamaged, len(data))
	}
	if data[0] != version {
		return s, nil, fmt.Errorf("%w: %d", ErrVersion, data[0])
	}
	body := data[:len(data)-trailer]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(data[len(body):]) {
		return s, nil, fmt.Errorf("%w: checksum", ErrDamaged)
	}
	s.LastGood = data[1]&lastGood != 0
	r := reader{b: body[2:]}
	count := r.uvarint()
	s.First = r.varint()
	span := r.uvarint()
	notGood := r.uvarint()
	notGoodTime := r.uvarint()
	for _, f := range [...]*float64{&s.Min, &s.Max, &s.Sum, &s.Area, &s.FirstValue, &s.LastValue} {
		*f = math.Float64frombits(r.uint64())
	}
	if r.bad || data[1]&^lastGood != 0 || count == 0 || count > MaxSamples || notGood > count || notGoodTime > span {
		return s, nil, fmt.Errorf("%w: header", ErrDamaged)
	}
	s.Count, s.Good = int(count), int(count-notGood)
	s.Last = s.First + int64(span)
	s.GoodTime = int64(span - notGoodTime)
	if s.Last < s.First || s.GoodTime < 0 {
		return s, nil, fmt.Errorf("%w: times", ErrDamaged)
	}
	return s, r.b, nil
}
