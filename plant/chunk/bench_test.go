package chunk

import (
	"math/rand/v2"
	"testing"
	"time"

	"millwright/plant"
)

func BenchmarkEncode(b *testing.B) {
	for _, s := range signals() {
		b.Run(s.name, func(b *testing.B) {
			times, values, quality := columns(rand.New(rand.NewPCG(1, 1)), 1024, 100*time.Millisecond, 3*time.Millisecond, &s)
			var e Encoder
			var data []byte
			b.ReportAllocs()
			for b.Loop() {
				data, _ = e.Append(data[:0], times, values, quality)
			}
			perSample(b, len(data))
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, s := range signals() {
		b.Run(s.name, func(b *testing.B) {
			times, values, quality := columns(rand.New(rand.NewPCG(1, 1)), 1024, 100*time.Millisecond, 3*time.Millisecond, &s)
			var e Encoder
			data, err := e.Append(nil, times, values, quality)
			if err != nil {
				b.Fatal(err)
			}
			var d Decoder
			var into plant.Block
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Decode(data, &into); err != nil {
					b.Fatal(err)
				}
			}
			perSample(b, len(data))
		})
	}
}

func perSample(b *testing.B, size int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/sample")
	b.ReportMetric(float64(size)/1024, "B/sample")
}
