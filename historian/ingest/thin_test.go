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
	e := closedBox(t, t.TempDir(), two(25))
	e.kbit = kbit
	e.open(w.url())
	backlog(t, e, records, samples)
	stop := load(e, 200*time.Millisecond)
	startHost(t, b.url(), m, s, nil)
	eventually(t, "births", 10*time.Second, func() bool { return e.up.Counts().Births == 1 })

	x := e.drain(s, applied, 10, 10*time.Second, 3*time.Minute)
	if len(x.late) == 0 || x.urgent < 10 {
		t.Fatalf("%d live values and %d findings while draining: nothing was measured", len(x.late), x.urgent)
	}
	p99 := x.late[len(x.late)*99/100]
	t.Logf("%d samples drained in %v; live values p50 %v p99 %v; slowest of %d findings %v",
		records*samples, x.took.Round(time.Millisecond), x.late[len(x.late)/2], p99, x.urgent, x.slowest)
	if p99 > time.Second { // an edge that was not told is 1.5 s late
		t.Errorf("live values are %v late", p99)
	}
	if x.slowest > 2*time.Second {
		t.Errorf("a finding took %v", x.slowest)
	}
	stop()
}
