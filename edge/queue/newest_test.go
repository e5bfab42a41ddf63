package queue

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"millwright/sparkplug"
)

// From the newest end a lane holds what it holds from the oldest, in packs and out of
// them, with holes, over several openings, read in steps of any size.
func TestNewest(t *testing.T) {
	t.Parallel() // waits most of its time
	dir := filepath.Join(t.TempDir(), "queue")
	random := rand.New(rand.NewPCG(1, 2))
	var q *Queue
	for range 3 {
		q = open(t, Config{Dir: dir, Reserve: 1})
		for i := range 60 {
			put(t, q, Telemetry, samples(i, 20))
		}
		var p packer
		if _, err := q.packSome(&p, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			put(t, q, Telemetry, samples(100+i, 20))
		}
		for range 15 {
			n := 1 + random.Uint64N(80)
			if _, err := q.Settle(q.Epoch(), []sparkplug.Span{{First: n, Last: n}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}
	q = open(t, Config{Dir: dir, Reserve: 1})
	type name struct{ epoch, number uint64 }
	walk := func(read func(Lane, Pos, int) ([]Record, Pos, error), step int) (list []name) {
		t.Helper()
		var at Pos
		for {
			records, next, err := read(Telemetry, at, step)
			if err != nil {
				t.Fatal(err)
			}
			if len(records) == 0 {
				return list
			}
			if len(records) > step {
				t.Fatalf("%d records, asked for %d", len(records), step)
			}
			for _, r := range records {
				if len(r.Batch.Samples) != 20 {
					t.Fatalf("record %d has %d samples", r.Number, len(r.Batch.Samples))
				}
				list = append(list, name{r.Epoch, r.Number})
			}
			at = next
		}
	}
	want := walk(q.Backlog, 16)
	if len(want) < 150 {
		t.Fatalf("%d records are left", len(want))
	}
	slices.Reverse(want)
	for _, step := range []int{1, 7, 16, 1000} {
		if got := walk(q.Newest, step); !slices.Equal(got, want) {
			t.Errorf("in steps of %d: %d records, want %d, or in another order", step, len(got), len(want))
		}
	}
}
