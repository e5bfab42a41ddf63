package storetest

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"millwright/plant"
)

// testMany writes from several goroutines, in and out of order, with
// corrections, while another reads, and holds the result against a map.
func testMany(s *suite) {
	const writers, rounds, perBatch = 4, 120, 200
	paths := []string{"A", "B", "C", "D", "E", "F", "G", "H"}
	ids := s.intern(paths...)
	type key struct {
		tag  plant.TagID
		time int64
	}
	models := make([]map[key]plant.Sample, writers) // each writer has tags of its own
	var wg sync.WaitGroup
	stop := make(chan struct{})
	errs := make(chan error, writers+1)
	for w := range writers {
		models[w] = map[key]plant.Sample{}
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 5))
			now := base
			var batch []plant.Sample
			for range rounds {
				batch = batch[:0]
				for range perBatch {
					now += rng.Int64N(40) * 10 * ms
					at := now
					if rng.IntN(10) == 0 { // late, or a correction
						at -= rng.Int64N(3600_00) * 10 * ms
					}
					x := plant.Sample{
						Tag: ids[w*2+rng.IntN(2)], Time: at, Quality: plant.Quality(rng.IntN(2)) << 31,
						Value: math.Round(rng.Float64()*1e4) / 100,
					}
					batch = append(batch, x)
					models[w][key{x.Tag, x.Time}] = x
				}
				if err := s.Append(s.Context(), plant.Batch{Samples: batch}, nil); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			last := int64(math.MinInt64)
			for b, err := range s.Scan(s.Context(), all(ids[3])) {
				if err != nil {
					errs <- err
					return
				}
				for _, t := range b.Times {
					if t <= last {
						s.Errorf("a scan during appends goes from %d to %d", last, t)
						return
					}
					last = t
				}
			}
		}
	})
	wg.Wait()
	close(stop)
	reader.Wait()
	close(errs)
	for err := range errs {
		s.Fatal(err)
	}
	s.twice(func() {
		for w := range writers {
			for _, id := range ids[w*2 : w*2+2] {
				var want []plant.Sample
				for k, x := range models[w] {
					if k.tag == id {
						want = append(want, x)
					}
				}
				slices.SortFunc(want, func(a, b plant.Sample) int { return cmp.Compare(a.Time, b.Time) })
				s.same("many", s.scan(all(id)), want)
				from, to := base+1200*second, base+1700*second
				want = slices.DeleteFunc(want, func(x plant.Sample) bool { return x.Time < from || x.Time >= to })
				s.same("many, a range", s.scan(plant.Range{Tag: id, From: from, To: to}), want)
			}
		}
	})
}
