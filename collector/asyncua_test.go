package collector

import (
	"testing"
	"time"

	"millwright/plant"
)

// TestAsyncua is a second foreign stack. Unlike others it answers a Republish of
// what it does not hold with an empty notification, and gives out the same
// subscription ids after a restart.
func TestAsyncua(t *testing.T) {
	t.Parallel()
	srv := newAsyncua(t, map[string]any{"nodes": 20})
	p := newProxy(t, srv.port)
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(20)}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 10*time.Second, "live", live(s))
	time.Sleep(2 * time.Second)
	p.cut()
	eventually(t, time.Second, "the cut is noticed", func() bool { return s.Status().State != plant.Live })
	eventually(t, 5*time.Second, "live after the cut", live(s))
	time.Sleep(2 * time.Second)
	srv.kill()
	eventually(t, time.Second, "the death is noticed", func() bool { return s.Status().State != plant.Live })
	srv.set["tick"] = 10000
	srv.start()
	eventually(t, 5*time.Second, "live after the restart", live(s))
	time.Sleep(2 * time.Second)
	settled(t, srv, s, out)
	a := out.reckon(t, offeredBy(t, srv.logFile()))
	a.check(t)
	if r := out.gapReasons(); r[plant.GapServerDown] != 20 || len(r) != 1 {
		t.Errorf("gaps by reason: %v", r)
	}
	tags, err := Discover(t.Context(), srv.url(), Security{}, "")
	if err != nil || len(tags) != 20 || tags[0].Path != "Mill/T0" {
		t.Errorf("discovered %d, %v", len(tags), err)
	}
}
