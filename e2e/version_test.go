package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestR27Versions fills the queue of an edge of the release before, lets the new one
// take it over, and goes back and forth (R27). MILLWRIGHT_BEFORE is the older program.
// It reads a queue of its own format, or refuses a newer one with the next step; in
// either case nothing of the queue is lost.
func TestR27Versions(t *testing.T) {
	n := times(t, 0)
	before := os.Getenv("MILLWRIGHT_BEFORE")
	if _, err := os.Stat(before); err != nil {
		t.Skip("MILLWRIGHT_BEFORE is no program: make soak-delivery builds it")
	}
	l := newLine(t)
	config := filepath.Join(l.dir, "edge.toml")
	l.configure()
	l.startBroker()
	l.startMill("--speed", "10")
	l.startPlant()
	l.works.edge = start(t, "edge before", before, "run", "-c", config)
	l.waitLive(60 * time.Second)
	refused := 0
	for range n {
		l.post.kill()
		time.Sleep(5 * time.Second)
		l.edge.kill()
		l.startEdge() // with what the older one has queued
		time.Sleep(5 * time.Second)
		l.startBroker()
		l.waitLive(60 * time.Second)
		l.post.kill()
		time.Sleep(5 * time.Second)
		l.edge.kill()
		older := start(t, "edge before", before, "run", "-c", config)
		eventually(t, 30*time.Second, "the older program runs, or refuses", func() bool {
			return older.ended() || older.lines(`"msg":"running"`) > 0
		})
		if older.ended() {
			refused++
			if older.lines("millwright: ") != 1 || older.lines("newer") == 0 {
				t.Fatalf("refused without one clear line:\n%s", older.text())
			}
			l.startEdge()
		} else {
			l.works.edge = older
		}
		l.startBroker()
		l.waitLive(60 * time.Second)
	}
	t.Logf("the older program refused the newer queue %d times of %d", refused, n)
	l.well(2*n, 60*time.Second)
}
