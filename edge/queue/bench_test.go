package queue

import (
	"testing"

	"millwright/sparkplug"
)

// BenchmarkAppendSettle is the queue's share of a value's way: appended, committed
// in groups, settled a moment later.
func BenchmarkAppendSettle(b *testing.B) {
	q, err := Open(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	const each = 500
	batch := samples(0, each)
	done := make(chan error, 1)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		rs, err := q.Append([]Draft{{Lane: Telemetry, Device: "plc", Batch: batch}}, nil)
		if err != nil {
			b.Fatal(err)
		}
		if n%64 == 63 {
			_ = q.Flushed(func(err error) { done <- err })
			if err := <-done; err != nil {
				b.Fatal(err)
			}
			last := rs[0].Number
			if _, err := q.Settle(q.Epoch(), []sparkplug.Span{{First: last - 63, Last: last}}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/each, "ns/value")
}
