package influx_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"millwright/historian/store/influx/influxtest"
	"millwright/historian/store/storetest"
	"millwright/plant"
)

// BenchmarkAppend writes the load of a plant, 1,000 tags, in the batches that
// ingest makes under load. With MILLWRIGHT_FIGURES=1 it prints the figure.
func BenchmarkAppend(b *testing.B) {
	server := influxtest.Start(b, influxtest.Options{})
	s := open(b, server.URL, b.TempDir(), nil)
	defer s.Close()
	tags := storetest.Tags(1000)
	if err := s.Intern(tags); err != nil {
		b.Fatal(err)
	}
	ids := make([]plant.TagID, len(tags))
	for i := range tags {
		ids[i] = tags[i].ID
	}
	mix := storetest.NewMix(ids, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixNano(), int64(time.Second), 1)
	const rounds = 50 // 50,000 samples
	var batch []plant.Sample
	var spent time.Duration
	points, last := 0, 0.0
	for b.Loop() {
		batch = batch[:0]
		for range rounds {
			batch = mix.Next(batch)
		}
		start := time.Now()
		if err := s.Append(context.Background(), plant.Batch{Samples: batch}, nil); err != nil {
			b.Fatal(err)
		}
		spent += time.Since(start)
		points += len(batch)
	}
	last = float64(points) / spent.Seconds()
	b.ReportMetric(last, "points/s")
	if os.Getenv("MILLWRIGHT_FIGURES") != "" {
		fmt.Printf("FIGURE users.influx_points_s %.0f points/s\n", last)
	}
}

// BenchmarkTrend reads 30 days of one tag at 1 Hz into 1,000 buckets.
func BenchmarkTrend(b *testing.B) {
	server := influxtest.Start(b, influxtest.Options{})
	s := open(b, server.URL, b.TempDir(), nil)
	defer s.Close()
	tags := storetest.Tags(1)
	if err := s.Intern(tags); err != nil {
		b.Fatal(err)
	}
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	mix := storetest.NewMix([]plant.TagID{tags[0].ID}, from, int64(time.Second), 1)
	const n = 30 * 24 * 3600
	var batch []plant.Sample
	for i := range n {
		if batch = mix.Next(batch); len(batch) < 50_000 && i < n-1 {
			continue
		}
		if err := s.Append(context.Background(), plant.Batch{Samples: batch}, nil); err != nil {
			b.Fatal(err)
		}
		batch = batch[:0]
	}
	for b.Loop() {
		out, err := s.Trend(context.Background(), plant.TrendQuery{Tag: tags[0].ID, From: from, To: from + n*int64(time.Second), Buckets: 1000})
		if err != nil || out[999].Count == 0 {
			b.Fatal(out[999], err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}
