package influx

import (
	"context"
	"fmt"
	"math"
	"math/bits"

	"millwright/historian/store/chunk"
	"millwright/plant"
)

// maxBuckets keeps the memory of one query bounded.
const maxBuckets = 1 << 20

// Trend implements store.Store. Min, Max and Mean are of values that are good and
// finite, NaN where a bucket has none. A value holds until the next sample, also
// into the first bucket from before it and to the end of the last one. The
// database has no function for a mean with that rule (its integral and its
// time-weighted average join the samples by straight lines), so all samples of
// the span come here.
func (s *Store) Trend(ctx context.Context, q plant.TrendQuery) ([]plant.Bucket, error) {
	ctx, leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if q.Buckets <= 0 || q.Buckets > maxBuckets || q.From >= q.To || q.To-q.From < 0 {
		return nil, fmt.Errorf("influx: trend: %d buckets from %d to %d: allowed are 1 to %d in a span that is not empty",
			q.Buckets, q.From, q.To, maxBuckets)
	}
	s.mu.RLock()
	e := s.tags.get(q.Tag)
	s.mu.RUnlock()
	t := newTrend(&q)
	if e != nil {
		err = s.server.lookBack(ctx, "sensor", []string{e.point}, q.From, q.From, func(_ string, r *row) error {
			x, err := r.sample(q.Tag)
			t.value, t.usable = x.Value, chunk.Usable(x.Value, x.Quality)
			return err
		})
		if err == nil {
			err = s.blocks(ctx, plant.Range{Tag: q.Tag, From: q.From, To: q.To}, func(b *plant.Block) bool {
				for i, at := range b.Times {
					t.add(at, b.Values[i], b.Quality[i])
				}
				return true
			})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("influx: trend: %w", err)
	}
	return t.buckets(), nil
}

// trend sums up samples in order.
type trend struct {
	starts []int64 // of the buckets, and the end
	sums   []sum
	i      int // the present bucket

	since  int64 // in the present bucket, from when on the value holds
	value  float64
	usable bool
}

type sum struct {
	min, max    float64
	area        float64 // value × ns
	covered     int64   // ns that area covers
	count, good int
}

func newTrend(q *plant.TrendQuery) *trend {
	t := &trend{starts: make([]int64, q.Buckets+1), sums: make([]sum, q.Buckets), since: q.From}
	for i := range t.starts {
		// ⌈i × span ÷ buckets⌉ without overflow
		hi, lo := bits.Mul64(uint64(i), uint64(q.To-q.From))
		d, rest := bits.Div64(hi, lo, uint64(q.Buckets))
		if rest > 0 {
			d++
		}
		t.starts[i] = q.From + int64(d)
	}
	for i := range t.sums {
		t.sums[i].min, t.sums[i].max = math.Inf(1), math.Inf(-1)
	}
	return t
}

// hold counts the present value up to a time of the present bucket.
func (t *trend) hold(to int64) {
	if t.usable {
		t.sums[t.i].area += t.value * float64(to-t.since)
		t.sums[t.i].covered += to - t.since
	}
	t.since = to
}

func (t *trend) add(at int64, v float64, q plant.Quality) {
	if at >= t.starts[t.i+1] {
		t.hold(t.starts[t.i+1])
		// Buckets between have no samples, so what holds there is not asked for.
		for at >= t.starts[t.i+1] {
			t.i++
		}
		t.since = t.starts[t.i]
	}
	t.hold(at)
	t.value, t.usable = v, chunk.Usable(v, q)
	b := &t.sums[t.i]
	b.count++
	if q.IsGood() {
		b.good++
	}
	if t.usable {
		b.min, b.max = min(b.min, v), max(b.max, v)
	}
}

func (t *trend) buckets() []plant.Bucket {
	t.hold(t.starts[t.i+1])
	out := make([]plant.Bucket, len(t.sums))
	for i := range t.sums {
		a := &t.sums[i]
		b := plant.Bucket{Time: t.starts[i], Min: math.NaN(), Max: math.NaN(), Mean: math.NaN(), Count: a.count}
		if a.count > 0 {
			b.Good = float64(a.good) / float64(a.count)
		}
		if a.min <= a.max {
			b.Min, b.Max = a.min, a.max
			if a.covered > 0 {
				b.Mean = a.area / float64(a.covered)
			}
		}
		out[i] = b
	}
	return out
}
