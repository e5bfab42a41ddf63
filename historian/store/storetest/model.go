package storetest

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"millwright/plant"
)

// testTrendModel holds trends against a model that follows the words of the
// contract sample by sample.
func testTrendModel(s *suite) {
	tag := s.intern("A")[0]
	rng := rand.New(rand.NewPCG(3, 9))
	var in []plant.Sample
	at := base
	for range 3000 {
		at += (1 + rng.Int64N(20)) * 100 * ms
		if rng.IntN(200) == 0 {
			at += 300 * second
		}
		x := plant.Sample{Tag: tag, Time: at, Value: math.Round(rng.NormFloat64()*100) / 10}
		switch rng.IntN(20) {
		case 0:
			x.Quality = plant.BadSensorFailure
		case 1:
			x.Value = math.NaN()
		case 2:
			x.Quality = plant.Uncertain
		}
		in = append(in, x)
	}
	mixed := slices.Clone(in)
	rng.Shuffle(len(mixed), func(i, k int) { mixed[i], mixed[k] = mixed[k], mixed[i] })
	s.samples(mixed...)
	s.twice(func() {
		for range 12 {
			q := plant.TrendQuery{Tag: tag, From: base + rng.Int64N(at-base), Buckets: 1 + rng.IntN(300)}
			q.To = q.From + 1 + rng.Int64N(at-q.From+100*second)
			got, err := s.Trend(context.Background(), q)
			if err != nil {
				s.Fatal(err)
			}
			sameBuckets(s, got, modelTrend(in, q))
		}
	})
}

func modelTrend(in []plant.Sample, q plant.TrendQuery) []plant.Bucket {
	nan := math.NaN()
	out := make([]plant.Bucket, q.Buckets)
	edge := func(i int) int64 { // ⌈i × span ÷ buckets⌉
		n := int64(i) * (q.To - q.From)
		d := n / int64(q.Buckets)
		if n%int64(q.Buckets) > 0 {
			d++
		}
		return q.From + d
	}
	usable := func(x plant.Sample) bool {
		return x.Quality.IsGood() && !math.IsNaN(x.Value) && !math.IsInf(x.Value, 0)
	}
	for i := range out {
		from, to := edge(i), edge(i+1)
		b := plant.Bucket{Time: from, Min: nan, Max: nan, Mean: nan}
		area, covered, good := 0.0, int64(0), 0
		for k, x := range in {
			end := int64(math.MaxInt64)
			if k+1 < len(in) {
				end = in[k+1].Time
			}
			if lo, hi := max(x.Time, from), min(end, to); hi > lo && usable(x) {
				area += x.Value * float64(hi-lo)
				covered += hi - lo
			}
			if x.Time < from || x.Time >= to {
				continue
			}
			b.Count++
			if x.Quality.IsGood() {
				good++
			}
			if usable(x) {
				if b.Min != b.Min || x.Value < b.Min {
					b.Min = x.Value
				}
				if b.Max != b.Max || x.Value > b.Max {
					b.Max = x.Value
				}
			}
		}
		if b.Count > 0 {
			b.Good = float64(good) / float64(b.Count)
		}
		if b.Min == b.Min && covered > 0 {
			b.Mean = area / float64(covered)
		}
		out[i] = b
	}
	return out
}
