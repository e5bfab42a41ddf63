package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// TestKill kills edge, broker and plant, each MILLWRIGHT_KILLS times (a few
// without), at random moments under load. Half of the kills come when values flow,
// the others soon after the process has started. MILLWRIGHT_LINES works are killed at
// a time.
func TestKill(t *testing.T) {
	t.Parallel() // waits most of its time
	kills, lines := number(t, "MILLWRIGHT_KILLS", 4), number(t, "MILLWRIGHT_LINES", 1)
	for i := range lines {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			if lines > 1 {
				t.Parallel()
			}
			killLine(t, kills)
		})
	}
}

func killLine(t *testing.T, kills int) {
	l := newLine(t)
	l.busy()
	processes := []struct {
		of    **process
		start func()
	}{{&l.edge, l.startEdge}, {&l.post, l.startBroker}, {&l.plant, l.startPlant}}
	flowing := 0
	for range kills {
		for _, i := range rand.Perm(len(processes)) {
			if rand.IntN(2) == 0 {
				l.waitLive(60 * time.Second)
				flowing++
			}
			time.Sleep(rand.N(time.Second))
			p := processes[i]
			(*p.of).kill()
			time.Sleep(rand.N(300 * time.Millisecond))
			p.start()
		}
	}
	t.Logf("%d of %d kills while values flowed", flowing, 3*kills)
	l.well(kills, 60*time.Second)
}

// number is the value of an environment variable, or what is usual.
func number(t *testing.T, name string, usual int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
