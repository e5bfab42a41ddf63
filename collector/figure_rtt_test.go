package collector

import (
	"fmt"
	"testing"
	"time"
)

// TestFigureRTT: a way of 200 ms there and back, 50 ms publishing, queues of two
// at the server, which offers a value of each of 100 tags every 50 ms. The peer
// is the subscription of the library whose codec is used, in the same run against
// the same server over the same way.
func TestFigureRTT(t *testing.T) {
	figures(t)
	const tags, publishing, queue, warm, window = 100, 50 * time.Millisecond, 2, 10 * time.Second, time.Minute
	srv := newNodeServer(t, map[string]any{"nodes": tags, "run": true, "every": 50, "good": true})
	p := newProxy(t, srv.port)
	p.slow(100 * time.Millisecond)
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(tags), Publishing: publishing}
	for i := range s.Tags {
		s.Tags[i].Queue = queue
	}
	out := newStore(s)
	start(t, s, out)
	other := newRival(t, p.url(), s.Tags, publishing, queue)
	eventually(t, patience, "live", live(s))
	time.Sleep(warm)
	from := time.Now().UnixMilli()
	time.Sleep(window)
	to := time.Now().UnixMilli()
	time.Sleep(3 * time.Second)
	offered := offeredBy(t, srv.logFile())
	var all, ours, theirs int
	for k := range offered {
		if k.ms < from || k.ms >= to {
			continue
		}
		all++
		if out.has(k) {
			ours++
		}
		if other.out.has(k) {
			theirs++
		}
	}
	settled(t, srv, s, out)
	a := out.reckon(t, offeredBy(t, srv.logFile()))
	a.check(t)
	t.Logf("%d offered in the window, %d to us, %d to the peer; in all %v; window %+v", all, ours, theirs, a, s.Status())
	figure("rtt200_rate_pct", 100*float64(ours)/float64(all), "%")
	figure("rtt200_lost", float64(a.undeclared), "values")
	fmt.Printf("PEER gopcua collector.rtt200_rate_pct %.4g %%\n", 100*float64(theirs)/float64(all))
}

func (s *store) has(k key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.facts[k]
	return ok
}
