package e2e

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestR23Memory gives the edge 70 % of the memory that it takes by itself under the
// same load, its peak resident set, with the broker away in between (R23).
func TestR23Memory(t *testing.T) {
	seconds := 5 * times(t, 0)
	need := 0.0
	for _, share := range []float64{1, 0.7} {
		t.Run(fmt.Sprintf("%.0f%%", 100*share), func(t *testing.T) {
			l := newLine(t)
			p := newPress(t, l.works, 500)
			stop := make(chan struct{})
			var feeding sync.WaitGroup
			feeding.Go(func() { p.feed(1, stop) })
			l.startBroker()
			l.startPlant()
			if limit := int64(share * need * (1 << 20)); limit == 0 {
				l.startEdge()
			} else {
				cmd := newGroup(t, limit).command(binary, "run", "-c", filepath.Join(l.dir, "edge.toml"))
				cmd.Env = append(cmd.Environ(), fmt.Sprintf("GOMEMLIMIT=%d", limit*8/10))
				l.edge = run(t, "edge", cmd)
			}
			l.waitLive(60 * time.Second)
			time.Sleep(time.Duration(seconds) * time.Second / 2)
			l.post.kill()
			time.Sleep(time.Duration(seconds) * time.Second / 2)
			l.startBroker()
			l.waitLive(60 * time.Second)
			close(stop)
			feeding.Wait()
			if l.edge.ended() {
				t.Fatalf("the edge has ended: %s", tail(l.edge.text(), 3))
			}
			peak := peakMB(t, l.edge.cmd.Process.Pid)
			t.Logf("peak %.1f MB", peak)
			need = max(need, peak)
			l.well(1, 120*time.Second)
		})
	}
}

// TestR24Burst offers ten times the usual values for a while (R24).
func TestR24Burst(t *testing.T) {
	n := times(t, 1)
	t.Parallel()
	l := newLine(t)
	p := newPress(t, l.works, 100)
	load := func(perSecond int, d time.Duration) {
		stop := make(chan struct{})
		time.AfterFunc(d, func() { close(stop) })
		p.feed(perSecond, stop)
	}
	l.startBroker()
	l.startPlant()
	l.startEdge()
	l.waitLive(60 * time.Second)
	for range n {
		load(1, 3*time.Second)
		load(10, 5*time.Second)
	}
	l.well(n, 60*time.Second)
}
