// Package trend summarises samples in equal slices of time, by the one rule that
// all stores keep: a value holds until the next sample, also into the first bucket
// from before it and to the end of the last one. Min, Max and Mean are of values
// that are good and finite, NaN where a bucket has none.
package trend

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"

	"millwright/plant"
	"millwright/plant/chunk"
)

// maxBuckets keeps the memory of one query bounded.
const maxBuckets = 1 << 20

// Trend sums up the samples of one tag, given in the order of their times.
type Trend struct {
	starts []int64 // of the buckets, and the end
	acc    []bucketSum
	i      int // bucket of the last sample

	// The value that holds since.
	since  int64
	value  float64
	usable bool
}

type bucketSum struct {
	min, max    float64
	area        float64 // value × ns
	covered     int64   // ns that area covers
	count, good int
}

// New checks a query and begins its sums.
func New(q *plant.TrendQuery) (*Trend, error) {
	if q.Buckets <= 0 || q.Buckets > maxBuckets || q.From >= q.To || q.To-q.From < 0 {
		return nil, fmt.Errorf("%d buckets from %d to %d: allowed are 1 to %d in a span that is not empty",
			q.Buckets, q.From, q.To, maxBuckets)
	}
	t := &Trend{starts: make([]int64, q.Buckets+1), acc: make([]bucketSum, q.Buckets), since: q.From}
	for i := range t.starts {
		// ⌈i × span ÷ buckets⌉ without overflow
		hi, lo := bits.Mul64(uint64(i), uint64(q.To-q.From))
		d, rem := bits.Div64(hi, lo, uint64(q.Buckets))
		if rem > 0 {
			d++
		}
		t.starts[i] = q.From + int64(d)
	}
	for i := range t.acc {
		t.acc[i].min, t.acc[i].max = math.Inf(1), math.Inf(-1)
	}
	return t, nil
}

// Before says what the tag was before the first sample: its value holds into the
// first bucket.
func (t *Trend) Before(value float64, q plant.Quality) {
	t.hold(t.starts[0], value, chunk.Usable(value, q))
}

// hold ends the time of the value before and starts that of the next.
func (t *Trend) hold(at int64, value float64, usable bool) {
	if t.usable {
		t.cover(min(at, t.starts[t.i+1]))
	}
	t.since, t.value, t.usable = at, value, usable
}

// cover adds the value that holds to the bucket it lies in, up to a time.
func (t *Trend) cover(to int64) {
	b := &t.acc[t.i]
	from := max(t.since, t.starts[t.i])
	if to > from {
		b.area += t.value * float64(to-from)
		b.covered += to - from
	}
}

// enter moves to the bucket of a time, carrying the value that holds to the
// end of the bucket that is left. Buckets between have no samples.
func (t *Trend) enter(at int64) {
	if at < t.starts[t.i+1] {
		return
	}
	if t.usable {
		t.cover(t.starts[t.i+1])
	}
	for at >= t.starts[t.i+1] {
		t.i++
	}
	t.since = t.starts[t.i]
}

// Whole takes all samples of a chunk by its summary, unless they lie in more than
// one bucket: then it reports false and has taken nothing.
func (t *Trend) Whole(s *chunk.Summary) bool {
	i := t.i
	for s.First >= t.starts[i+1] {
		i++
	}
	if s.Last >= t.starts[i+1] {
		return false
	}
	t.enter(s.First)
	t.hold(s.First, 0, false)
	b := &t.acc[t.i]
	b.count += s.Count
	b.good += s.Good
	if s.Min <= s.Max {
		b.min, b.max = min(b.min, s.Min), max(b.max, s.Max)
	}
	b.area += s.Area * float64(time.Second)
	b.covered += s.GoodTime
	t.since, t.value, t.usable = s.Last, s.LastValue, s.LastGood
	return true
}

// Block takes samples.
func (t *Trend) Block(b *plant.Block) {
	times, values, quality := b.Times, b.Values[:len(b.Times)], b.Quality[:len(b.Times)]
	for len(times) > 0 {
		t.enter(times[0])
		n, _ := slices.BinarySearch(times, t.starts[t.i+1])
		t.run(times[:n], values[:n], quality[:n])
		times, values, quality = times[n:], values[n:], quality[n:]
	}
}

// run takes in samples of the present bucket.
func (t *Trend) run(times []int64, values []float64, quality []plant.Quality) {
	acc := t.acc[t.i]
	since, value, usable := t.since, t.value, t.usable
	values, quality = values[:len(times)], quality[:len(times)]
	for k, at := range times {
		if usable {
			hold := at - since
			acc.area += value * float64(hold)
			acc.covered += hold
		}
		v, q := values[k], quality[k]
		since, value, usable = at, v, chunk.Usable(v, q)
		if q.IsGood() {
			acc.good++
		}
		if usable {
			if v < acc.min {
				acc.min = v
			}
			if v > acc.max {
				acc.max = v
			}
		}
	}
	acc.count += len(times)
	t.acc[t.i] = acc
	t.since, t.value, t.usable = since, value, usable
}

// Buckets ends the sums. Nothing may be taken after it.
func (t *Trend) Buckets() []plant.Bucket {
	if t.usable {
		t.cover(t.starts[t.i+1])
	}
	out := make([]plant.Bucket, len(t.acc))
	for i := range t.acc {
		a := &t.acc[i]
		b := plant.Bucket{Time: t.starts[i], Min: math.NaN(), Max: math.NaN(), Mean: math.NaN(), Count: a.count}
		if a.count > 0 {
			b.Good = float64(a.good) / float64(a.count)
			if a.min <= a.max {
				b.Min, b.Max = a.min, a.max
			}
			if a.covered > 0 && a.min <= a.max {
				b.Mean = a.area / float64(a.covered)
			}
		}
		out[i] = b
	}
	return out
}
