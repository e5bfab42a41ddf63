package e2e

import (
	encbin "encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// stepped is a clock that a process can be started with (stepped.sh).
type stepped struct {
	t       *testing.T
	program string
	file    string
}

func newStepped(t *testing.T) *stepped {
	t.Helper()
	c := &stepped{t, os.Getenv("MILLWRIGHT_STEPPED"), filepath.Join(t.TempDir(), "step")}
	if _, err := os.Stat(c.program); err != nil {
		t.Skip("MILLWRIGHT_STEPPED is no program: make soak-delivery builds it")
	}
	c.off(0)
	return c
}

// off is how far the clock is off from now on. The file is written in place: the
// process has it in its memory.
func (c *stepped) off(d time.Duration) {
	c.t.Helper()
	f, err := os.OpenFile(c.file, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	var b [8]byte
	encbin.NativeEndian.PutUint64(b[:], uint64(int64(d/time.Second)))
	if _, err := f.WriteAt(b[:], 0); err != nil {
		c.t.Fatal(err)
	}
}

func (c *stepped) run(name, config string) *process {
	c.t.Helper()
	cmd := exec.Command(c.program, "run", "-c", config)
	cmd.Env = append(os.Environ(), "MILLWRIGHT_STEP="+c.file)
	return run(c.t, name, cmd)
}

// TestR18Clock steps the clock of the edge, then that of the plant, an hour ahead,
// an hour back and right again, and starts the edge in 1970 (R18). The mill's clock,
// by which values are known, stays.
func TestR18Clock(t *testing.T) {
	n := times(t, 0)
	edge, plant := newStepped(t), newStepped(t)
	l := newLine(t)
	l.configure()
	l.startBroker()
	l.startMill("--speed", "10")
	l.plant = plant.run("plant", filepath.Join(l.dir, "plant.toml"))
	edge.off(-time.Duration(time.Now().Unix()) * time.Second)
	l.works.edge = edge.run("edge", filepath.Join(l.dir, "edge.toml"))
	l.waitLive(60 * time.Second)
	time.Sleep(5 * time.Second)
	edge.off(0)
	for range n {
		for _, clock := range []*stepped{edge, plant} {
			for _, d := range []time.Duration{time.Hour, -time.Hour, 0} {
				clock.off(d)
				time.Sleep(5 * time.Second)
			}
		}
	}
	if l.edge.ended() || l.plant.ended() {
		t.Fatal("a process has ended")
	}
	l.well(6*n+1, 60*time.Second)
}
