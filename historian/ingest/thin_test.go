package ingest_test

import (
	"testing"
	"time"

	"millwright/plant"
)

// TestThinLink drains a backlog over a link of 256 kbit/s that the edge was told of
// (link_kbit), in records as small as an agent then makes. Live values and findings
// are on time all the while, and the link is used.
func TestThinLink(t *testing.T) {
	t.Parallel()
	const kbit, records, samples = 256, 100, 250
	b := newNATS(t)
	w := newThinWire(t, b.url(), kbit*1000/8)
	m, s := newMemory(), &screen{}
	applied := make(chan time.Time, 100)
	m.apply = func([]plant.Finding) error { applied <- time.Now(); return nil }
	e := &box{t: t, dir: t.TempDir(), tags: two(25), dead: map[string]bool{}, sent: map[sampleKey]float64{}, kbit: kbit}
	e.open(w.url())
	backlog(t, e, records, samples)
	stop := load(e, 200*time.Millisecond)
	startHost(t, b.url(), m, s, nil)
	eventually(t, "births", 10*time.Second, func() bool { return e.up.Counts().Births == 1 })

	begin, urgent, slowest := time.Now(), 0, time.Duration(0)
	for e.queue.Stats().Records > 10 {
		at := time.Now()
		e.finding("urgent")
		urgent++
		select {
		case done := <-applied:
			slowest = max(slowest, done.Sub(at))
		case <-time.After(10 * time.Second):
			t.Fatal("a finding waits behind the backlog")
		}
		time.Sleep(250 * time.Millisecond)
		if time.Since(begin) > 3*time.Minute {
			t.Fatalf("%d records are left after 3 minutes", e.queue.Stats().Records)
		}
	}
	took := time.Since(begin)
	late := s.takeLate()
	if len(late) == 0 || urgent < 10 {
		t.Fatalf("%d live values and %d findings while draining: nothing was measured", len(late), urgent)
	}
	p99 := late[len(late)*99/100]
	t.Logf("%d samples drained in %v; live values p50 %v p99 %v; slowest of %d findings %v",
		records*samples, took.Round(time.Millisecond), late[len(late)/2], p99, urgent, slowest)
	if p99 > time.Second { // an edge that was not told is 1.5 s late
		t.Errorf("live values are %v late", p99)
	}
	if slowest > 2*time.Second {
		t.Errorf("a finding took %v", slowest)
	}
	stop()
}
