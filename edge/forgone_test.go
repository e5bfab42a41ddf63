package edge

import (
	"errors"
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"

	"millwright/edge/queue"
	"millwright/plant"
)

// TestFullDiskIsNotBlind: with no room for telemetry, values are judged after a
// while, findings go out, and what was not kept is declared before it counts as
// durable.
func TestFullDiskIsNotBlind(t *testing.T) {
	src := &script{}
	a, up := newAgent(t, src)
	full, err := queue.Open(queue.Config{Dir: t.TempDir(), Reserve: math.MaxInt64})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = full.Close() })
	a.Queue, a.keepNow, a.Log = full, make(chan struct{}, 1), slog.New(slog.DiscardHandler)
	if err := a.Intern(); err != nil {
		t.Fatal(err)
	}
	one, two := a.PLCs[0].Tags[0].ID, a.PLCs[0].Tags[1].ID
	f := &feed{agent: a, plc: &a.PLCs[0]}
	at := func(ms int64) int64 { return ms * int64(time.Millisecond) }
	write := func(ms int64, v float64) error {
		return f.Write(t.Context(), plant.Batch{
			Samples: []plant.Sample{{Tag: one, Time: at(ms), Value: v}}, States: []plant.State{{Tag: two, Time: at(ms + 5), Value: "on"}},
		})
	}
	if err := write(1000, 500); !errors.Is(err, queue.ErrFull) || len(up.records) != 0 {
		t.Fatalf("at first the source is to keep its values: %v, %d records", err, len(up.records))
	}
	f.forgone.full = time.Now().Add(-fullPatience)
	for _, ms := range []int64{1000, 1500, 2000} {
		if err := write(ms, 500); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(up.records); n != 3 || len(up.records[0].Batch.Findings) != 1 {
		t.Fatalf("%d records, want the finding of each batch", n)
	}
	f.forgone.begun = time.Now().Add(-forgoneFor)
	if err := write(2500, 1); err != nil {
		t.Fatal(err)
	}
	want := []plant.Gap{
		{Tag: one, From: at(1000), To: at(2001), Reason: plant.GapDiskFull},
		{Tag: two, From: at(1005), To: at(2006), Reason: plant.GapDiskFull},
	}
	if got := up.records[len(up.records)-1].Batch.Gaps; !slices.Equal(got, want) {
		t.Errorf("declared %+v, want %+v", got, want)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		src.mu.Lock()
		got := slices.Clone(src.durable)
		src.mu.Unlock()
		if slices.Equal(got, []uint64{3}) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("durable are %v, want the 3 that are declared, once", got)
		}
	}
	if err := f.Write(t.Context(), plant.Batch{Late: true, Samples: []plant.Sample{{Tag: one, Time: at(10)}}}); !errors.Is(err, queue.ErrFull) {
		t.Errorf("history is let go of: %v", err)
	}
}
