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
