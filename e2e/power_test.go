package e2e

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

// TestR04PowerCut takes the power from the edge and from the plant in turns: the
// file system forgets what was not synced, whatever was being written (R4).
func TestR04PowerCut(t *testing.T) {
	n := times(t, 0)
	l := newLine(t)
	edge, plant := newImage(t, filepath.Join(l.dir, "edge")), newImage(t, filepath.Join(l.dir, "historian"))
	l.busy()
	for range n {
		time.Sleep(rand.N(1500 * time.Millisecond))
		edge.cut(l.edge)
		edge.again()
		l.startEdge()
		l.waitLive(60 * time.Second)
		time.Sleep(rand.N(1500 * time.Millisecond))
		plant.cut(l.plant)
		plant.again()
		l.startPlant()
		l.waitLive(60 * time.Second)
	}
	l.well(2*n, 60*time.Second)
}

// TestR08SlowDisk lets every write and sync of the edge, and then of the historian,
// take five seconds (R8). What an error of a sync does is in edge/queue.
func TestR08SlowDisk(t *testing.T) {
	n := times(t, 0)
	l := newLine(t)
	edge, plant := newImage(t, filepath.Join(l.dir, "edge")), newImage(t, filepath.Join(l.dir, "historian"))
	l.busy()
	for range n {
		edge.stall(5 * time.Second)
		time.Sleep(2 * time.Second)
		plant.stall(5 * time.Second)
		time.Sleep(2 * time.Second)
	}
	if l.edge.ended() || l.plant.ended() {
		t.Error("a process has ended")
	}
	l.well(2*n, 60*time.Second)
}
