package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// spell is how long somebody is away: some seconds, and once in a soak as many
// minutes as MILLWRIGHT_AWAY says.
func spell(t *testing.T, i int) time.Duration {
	if long := number(t, "MILLWRIGHT_AWAY", 0); i == 0 && long > 0 {
		return time.Duration(long) * time.Minute
	}
	return time.Second + rand.N(20*time.Second)
}

// TestR01BrokerAway takes the broker away (fault R1). TestBrokerAway does so with a
// foreign one.
func TestR01BrokerAway(t *testing.T) {
	suffer(t, 0, 120*time.Second, func(l *line, i int) {
		l.post.kill()
		time.Sleep(spell(t, i))
		l.startBroker()
		l.waitLive(60 * time.Second)
	})
}

// TestR01BrokerDiskLost takes away what the broker has on disk, too: no promise
// rests on it.
func TestR01BrokerDiskLost(t *testing.T) {
	suffer(t, 1, 60*time.Second, func(l *line, _ int) {
		l.post.kill()
		if err := os.RemoveAll(filepath.Join(l.dir, "broker")); err != nil {
			t.Fatal(err)
		}
		l.startBroker()
		l.waitLive(60 * time.Second)
		time.Sleep(rand.N(2 * time.Second))
	})
}

// TestR02HistorianAway takes the historian away while the broker stands (R2).
func TestR02HistorianAway(t *testing.T) {
	suffer(t, 0, 120*time.Second, func(l *line, i int) {
		if i%2 == 0 {
			l.plant.kill()
		} else {
			l.plant.stop()
		}
		time.Sleep(spell(t, i))
		l.startPlant()
		l.waitLive(60 * time.Second)
	})
}

// TestR29PageGone takes the whole plant away with its page while a machine breaks
// (R29): the edge lights its beacon by itself, and the alarm is told once the plant
// is back.
func TestR29PageGone(t *testing.T) {
	n := times(t, 1)
	t.Parallel()
	l := newLine(t)
	lamp := filepath.Join(l.dir, "lamp")
	l.edgeKeys = fmt.Sprintf("[edge.beacon]\nafter = \"5s\"\non = [\"/usr/bin/touch\", %q]\noff = [\"/bin/rm\", \"-f\", %q]\n", lamp, lamp)
	l.startAll("--fault", "HSM/FM/F3/GBX:lubrication:1@8s+60s", "--speed", "10")
	lit := func() bool { _, err := os.Stat(lamp); return err == nil }
	for range n {
		l.plant.kill()
		eventually(t, 40*time.Second, "the beacon is lit", lit)
		time.Sleep(5 * time.Second)
		l.startPlant()
		eventually(t, 60*time.Second, "the beacon is out", func() bool { return !lit() })
	}
	eventually(t, 60*time.Second, "the alarm is told", func() bool {
		for _, a := range l.api.alarms() {
			if a.Asset == "HSM/FM/F3/GBX" {
				return true
			}
		}
		return false
	})
	l.well(n, 60*time.Second)
}
