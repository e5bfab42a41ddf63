package store_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"millwright/historian/store"
	"millwright/historian/store/storetest"
	"millwright/plant"
)

const second = int64(time.Second)

var start = time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC).UnixNano()

// figure prints a line that is quoted, when asked for.
func figure(name string, v float64, unit string) {
	if os.Getenv("MILLWRIGHT_FIGURES") != "" {
		fmt.Printf("FIGURE %s %.4g %s\n", name, v, unit)
	}
}

// cpuTime is what the process has used: on a busy machine it says more than the
// clock on the wall.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func ids(b testing.TB, s *store.Pebble, n int) []plant.TagID {
	tags := storetest.Tags(n)
	if err := s.Intern(tags); err != nil {
		b.Fatal(err)
	}
	out := make([]plant.TagID, n)
	for i := range tags {
		out[i] = tags[i].ID
	}
	return out
}

// Bulk: 2,000 tags at 10 Hz, a batch of 20,000 samples per second of the plant,
// every batch on the disk before the next one of that writer.
func BenchmarkBulk(b *testing.B) {
	for _, writers := range []int{1, 4} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) {
			s := open(b, store.Config{Dir: b.TempDir()})
			defer s.Close()
			all := ids(b, s, 2000)
			// Batches are made before and moved on in time, so that the maker is
			// not measured.
			const ring = 60
			per := len(all) / writers
			loads := make([][][]plant.Sample, writers)
			for w := range loads {
				m := storetest.NewMix(all[w*per:(w+1)*per], start, second/10, uint64(w))
				for range ring {
					var batch []plant.Sample
					for len(batch) < 20_000 {
						batch = m.Next(batch)
					}
					loads[w] = append(loads[w], batch)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					span := int64(20_000/per) * second / 10 * ring
					for i := w; i < b.N; i += writers {
						batch := loads[w][i/writers%ring]
						if err := s.Append(context.Background(), plant.Batch{Samples: batch}, nil); err != nil {
							b.Error(err)
							return
						}
						for k := range batch {
							batch[k].Time += span
						}
					}
				})
			}
			wg.Wait()
			rate := float64(b.N) * 20_000 / b.Elapsed().Seconds()
			b.ReportMetric(rate, "samples/s")
			st := s.Stats()
			b.ReportMetric(float64(st.ChunkBytes)/float64(st.ChunkSamples), "B/sample")
			if b.N > 100 && writers == 1 {
				figure("line.store_samples_s", rate, "samples/s")
			}
		})
	}
}

// Size on disk of the mix of plant signals, all in chunks.
func BenchmarkSize(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		s := open(b, store.Config{Dir: dir})
		all := ids(b, s, 2000)
		m := storetest.NewMix(all, start, second/10, 1)
		n := 0
		var batch []plant.Sample
		for range 400 {
			batch = batch[:0]
			for len(batch) < 20_000 {
				batch = m.Next(batch)
			}
			n += len(batch)
			if err := s.Append(context.Background(), plant.Batch{Samples: batch}, nil); err != nil {
				b.Fatal(err)
			}
		}
		st := s.Stats()
		b.ReportMetric(float64(st.ChunkBytes)/float64(st.ChunkSamples), "chunkB/sample")
		b.ReportMetric(float64(st.DiskBytes)/float64(n), "liveB/sample")
		if err := s.Compact(context.Background()); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		size := 0.0
		files, err := os.ReadDir(dir)
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range files {
			if i, err := f.Info(); err == nil && len(f.Name()) > 4 && f.Name()[len(f.Name())-4:] == ".sst" {
				size += float64(i.Size())
			}
		}
		b.ReportMetric(size/float64(n), "diskB/sample")
	}
}

// history fills a store with days of one tag at 1 Hz beside other tags.
func history(b *testing.B, days int) (*store.Pebble, plant.TagID) {
	s := open(b, store.Config{Dir: b.TempDir()})
	all := ids(b, s, 20)
	m := storetest.NewMix(all, start, second, 3)
	var batch []plant.Sample
	for range days * 144 {
		batch = batch[:0]
		for range 600 {
			batch = m.Next(batch)
		}
		if err := s.Append(context.Background(), plant.Batch{Samples: batch}, nil); err != nil {
			b.Fatal(err)
		}
	}
	return s, all[1]
}

func BenchmarkRead(b *testing.B) {
	s, tag := history(b, 30)
	defer s.Close()
	ctx := context.Background()
	b.Run("trend=30d", func(b *testing.B) {
		b.ReportAllocs()
		cpu := cpuTime()
		defer func() { b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/1000/float64(b.N), "cpu-ms/op") }()
		for b.Loop() {
			t, err := s.Trend(ctx, plant.TrendQuery{Tag: tag, From: start, To: start + 30*86400*second, Buckets: 1000})
			if err != nil || t[999].Count == 0 {
				b.Fatal(err)
			}
		}
	})
	b.Run("trend=1h", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Trend(ctx, plant.TrendQuery{Tag: tag, From: start + 86400*second, To: start + 90000*second, Buckets: 1000}); err != nil {
				b.Fatal(err)
			}
		}
	})
	scan := func(from, to int64) func(b *testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for block, err := range s.Scan(ctx, plant.Range{Tag: tag, From: from, To: to}) {
					if err != nil {
						b.Fatal(err)
					}
					n += len(block.Times)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "samples/s")
		}
	}
	b.Run("scan=1h", scan(start+86400*second, start+90000*second))
	b.Run("scan=30d", scan(start, start+30*86400*second))
}

func BenchmarkLast(b *testing.B) {
	s := open(b, store.Config{Dir: b.TempDir()})
	defer s.Close()
	all := ids(b, s, 2000)
	if err := s.Append(context.Background(), plant.Batch{Samples: storetest.NewMix(all, start, second, 1).Next(nil)}, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if l, err := s.Last(context.Background(), all); err != nil || len(l) != 2000 {
			b.Fatal(err)
		}
	}
}

// Opening with as much to read back as is ever allowed.
func BenchmarkReopen(b *testing.B) {
	dir := b.TempDir()
	s := open(b, store.Config{Dir: dir})
	m := storetest.NewMix(ids(b, s, 4000), start, second, 2)
	for s.Stats().UncutBytes < 23<<20 {
		if err := s.Append(context.Background(), plant.Batch{Samples: m.Next(nil)}, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(s.Stats().UncutSamples), "uncut")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := open(b, store.Config{Dir: dir}).Close(); err != nil {
			b.Fatal(err)
		}
	}
}
