package e2e

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// powerUp starts the processes of a line in a random order, each as it is told.
func (l *line) powerUp(run func(name, config string) *process) {
	l.t.Helper()
	parts := []func(){
		func() { l.startMill("--speed", "10") },
		func() { l.post = run("broker", filepath.Join(l.dir, "broker.toml")) },
		func() { l.plant = run("plant", filepath.Join(l.dir, "plant.toml")) },
		func() { l.edge = run("edge", filepath.Join(l.dir, "edge.toml")) },
	}
	for _, i := range rand.Perm(len(parts)) {
		parts[i]()
		time.Sleep(rand.N(1500 * time.Millisecond))
	}
}

// powerCut kills everything at once.
func (l *line) powerCut() {
	for _, p := range []*process{l.mill, l.post, l.plant, l.edge} {
		p.kill()
	}
}

// nobodyAccused fails on an alarm of a machine: no power cut makes one.
func (l *line) nobodyAccused() {
	l.t.Helper()
	for _, x := range l.api.alarms() {
		if strings.HasPrefix(x.Asset, "HSM/") || strings.HasPrefix(x.Asset, "BOF/") {
			l.t.Errorf("false finding: %s %s at %s", x.Asset, x.Title, x.Raised)
		}
	}
}

// TestPowerBack cuts the power of the whole line and starts everything in a random
// order: it is connected again unaided, nothing is lost without a gap, and no
// machine is accused.
func TestPowerBack(t *testing.T) {
	t.Parallel() // waits most of its time
	l := newLine(t)
	l.startAll("--speed", "10")
	for range 2 {
		time.Sleep(time.Second)
		l.powerCut()
		l.powerUp(func(name, config string) *process { return start(t, name, binary, "run", "-c", config) })
		l.waitLive(90 * time.Second)
	}
	l.account().check(t)
	l.nobodyAccused()
}

// TestPowerBackIn1970 does the same with machines whose clocks have no battery: all
// but the PLC's begin in 1970 and are set a while later, then an hour back, together.
// Values carry the PLC's time throughout.
func TestPowerBackIn1970(t *testing.T) {
	rounds := times(t, 0)
	clock := newStepped(t)
	l := newLine(t)
	l.startAll("--speed", "10")
	live := func(what string) {
		t.Helper()
		begin := time.Now()
		eventually(t, 60*time.Second, what, func() bool {
			s := l.api.samples("SIM/PLANT_TIME")
			return len(s) > 0 && s[len(s)-1].T.After(begin)
		})
	}
	for range rounds {
		time.Sleep(2 * time.Second)
		l.powerCut()
		clock.off(-time.Since(time.Unix(0, 0).Add(24 * time.Hour)))
		l.powerUp(clock.run)
		l.waitLive(90 * time.Second)
		live("values come in 1970")
		clock.off(0) // a time source has set all clocks
		live("values come after the clocks were set")
		clock.off(-time.Hour)
		live("values come after they were set an hour back")
		clock.off(0)
		live("values come at the right time")
	}
	l.well(rounds, 60*time.Second)
	l.nobodyAccused()
}
