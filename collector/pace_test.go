package collector

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// TestBucket: whatever is asked, no minute has more connections than the budget.
func TestBucket(t *testing.T) {
	t.Parallel()
	for _, budget := range []float64{2, 6, 20, 600} {
		b := &newPace(plant.Budget{Connects: budget}).connects
		now := time.Unix(0, 0)
		var at []time.Time
		for len(at) < int(20*budget) {
			now = now.Add(max(0, b.take(now)))
			if at = append(at, now); len(at)%7 == 0 {
				now = now.Add(20 * time.Second) // a rest fills it, as far as it goes
			}
		}
		first := 0
		for i := range at {
			for at[i].Sub(at[first]) >= time.Minute {
				first++
			}
			if n := i - first + 1; float64(n) > budget {
				t.Fatalf("%d connections in a minute, budget %v", n, budget)
			}
		}
	}
	var open bucket
	for range 1000 {
		if err := open.wait(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	p := newPace(plant.Budget{Requests: 20, OneByOne: true})
	begin := time.Now()
	var wg sync.WaitGroup
	var mu sync.Mutex
	now, most := 0, 0
	for range 30 {
		wg.Go(func() {
			end, err := p.begin(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			end()
		})
	}
	wg.Wait()
	if took := time.Since(begin); took < 450*time.Millisecond || most != 1 {
		t.Errorf("30 requests at 20 a second, 20 at once: %v, %d at the same time", took, most)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.begin(ctx); err == nil {
		t.Error("begins although nobody waits any more")
	}
	if end, err := p.begin(t.Context()); err != nil {
		t.Error("who did not wait still holds the place")
	} else {
		end()
	}
	p.count(&ua.ReadRequest{})
	p.count(&ua.ReadRequest{})
	if sent, _ := p.counts(); sent["Read"] != 2 || len(sent) != 1 {
		t.Errorf("%v", sent)
	}
	var none *pace
	none.count(&ua.ReadRequest{})
	none.spare()
	if end, err := none.begin(ctx); err != nil || none.connect(ctx, nil) != nil {
		t.Error(err)
	} else {
		end()
	}
}
