package chunk

import (
	"fmt"
	"slices"

	"millwright/plant"
)

// Decoder reads chunks. The zero value is ready; it keeps its scratch memory
// and serves one goroutine at a time.
type Decoder struct {
	ints []int64
}

// Decode replaces the columns of into, reusing their memory, and leaves its tag
// alone. With an error (ErrDamaged, ErrVersion) the columns are empty.
func (d *Decoder) Decode(data []byte, into *plant.Block) (Summary, error) {
	into.Times, into.Values, into.Quality = into.Times[:0], into.Values[:0], into.Quality[:0]
	s, columns, err := readHeader(data)
	if err != nil {
		return s, err
	}
	n := s.Count
	times := slices.Grow(into.Times, n)[:n]
	values := slices.Grow(into.Values, n)[:n]
	quality := slices.Grow(into.Quality, n)[:n]

	r := reader{b: columns}
	r.quality(quality)
	r.times(times, s.First)
	d.values(&r, values)
	if r.bad || len(r.b) > 0 {
		return s, fmt.Errorf("%w: columns", ErrDamaged)
	}
	before := times[0]
	for _, t := range times[1:] {
		if t <= before {
			return s, fmt.Errorf("%w: times do not ascend", ErrDamaged)
		}
		before = t
	}
	if times[n-1] != s.Last {
		return s, fmt.Errorf("%w: times do not end where the header says", ErrDamaged)
	}
	into.Times, into.Values, into.Quality = times, values, quality
	return s, nil
}
