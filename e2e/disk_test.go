package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// disk is a small file system of its own that can be filled.
type disk struct {
	t   *testing.T
	dir string
}

// newDisk mounts one on a folder until the test ends.
func newDisk(t *testing.T, dir, size string) disk {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size+",mode=0700"); err != nil {
		t.Skipf("mounting a small file system is not permitted here (%v): run as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return disk{t, dir}
}

func (d disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill writes a file until no more than leave bytes are free.
func (d disk) fill(leave int64) {
	d.t.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for d.free() > leave {
		n := min(int64(len(block)), max(d.free()-leave, 4096))
		if _, err := f.Write(block[:n]); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d disk) clear() {
	d.t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		d.t.Fatal(err)
	}
}

// tmpfs is the file system's type (statfs(2)).
const tmpfs = 0x01021994

func (d disk) free() int64 {
	d.t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &st); err != nil {
		d.t.Fatal(err)
	}
	if st.Type != tmpfs { // never fill the disk of this machine
		d.t.Fatalf("%s is not the small file system that was mounted there", d.dir)
	}
	return int64(st.Bavail) * st.Bsize
}

// lines counts the lines of a process's output that hold a text.
func (p *process) lines(text string) int {
	n := 0
	for line := range strings.Lines(p.text()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// ended reports whether the process has ended by itself.
func (p *process) ended() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// refusedOnFullDisk fails when a process did not start on a full disk and said so
// in other than one clear line. It may also start, and wait.
func (p *process) refusedOnFullDisk() {
	p.t.Helper()
	eventually(p.t, 20*time.Second, p.name+" refuses to start, or starts and waits", func() bool {
		return p.ended() || p.lines(`"msg":"running"`) > 0
	})
	if p.ended() && (p.lines("millwright: ") != 1 || p.lines("free some space") != 1) {
		p.t.Errorf("refused to start without one clear line:\n%s", p.text())
	}
}

// TestHistorianDiskFull fills the disk of the historian: first down to the
// reserve, then to the last byte, then before it starts. What was acknowledged is
// there, what was not waits at the edge, and all goes on when there is space.
func TestHistorianDiskFull(t *testing.T) {
	t.Parallel() // waits most of its time
	w := newWorks(t)
	d := newDisk(t, filepath.Join(w.dir, "historian"), "160m")
	w.startAll("--speed", "20", "--fault", "HSM/FM/F3/GBX:lubrication:1@5s+60s")
	time.Sleep(2 * time.Second)

	d.fill(40 << 20)
	w.plant.find(`(samples are not stored yet, trying again.*disk almost full.*free some space)`, 20*time.Second)
	before := len(w.api.samples("HSM/FM/F3/GBX/SPEED"))
	time.Sleep(4 * time.Second)
	if n := len(w.api.samples("HSM/FM/F3/GBX/SPEED")); n != before {
		t.Errorf("%d samples came into the reserve", n-before)
	}
	if n := w.plant.lines("samples are not stored yet"); n != 1 {
		t.Errorf("said %d times, want once", n)
	}
	if s := w.api.plcState(); s != "Live" {
		t.Errorf("the PLC is %s, want Live: values are shown though they cannot be stored", s)
	}
	d.clear()
	eventually(t, 20*time.Second, "samples are stored again", func() bool {
		return len(w.api.samples("HSM/FM/F3/GBX/SPEED")) > before
	})

	d.fill(0)
	time.Sleep(6 * time.Second)
	d.clear()
	if w.plant.ended() || w.edge.ended() {
		t.Fatal("a process has ended")
	}
	if n := w.plant.lines(`"level":"ERROR"`); n > 10 {
		t.Errorf("%d lines of errors", n)
	}
	w.account().check(t)

	w.plant.kill()
	d.fill(0)
	w.startPlant()
	w.plant.refusedOnFullDisk()
	d.clear()
	if w.plant.ended() {
		w.startPlant()
	}
	w.well(3, 60*time.Second)
}

// TestEdgeDiskFull fills the disk of the edge in the same way. The OPC UA server
// keeps what the edge cannot take as long as it can; what it had to give up is a
// gap.
func TestEdgeDiskFull(t *testing.T) {
	t.Parallel() // waits most of its time
	w := newWorks(t)
	d := newDisk(t, filepath.Join(w.dir, "edge"), "320m")
	w.startAll("--speed", "20", "--fault", "HSM/FM/F3/GBX:lubrication:1@900s+60s") // 45 s from now
	time.Sleep(2 * time.Second)

	d.fill(150 << 20) // with its ballast of 64 MiB the edge has less than its reserve of 256
	w.edge.find(`(disk full.*free some space)`, 20*time.Second)
	time.Sleep(4 * time.Second)
	if n := w.edge.lines("disk full"); n != 1 {
		t.Errorf("said %d times, want once", n)
	}
	d.clear()
	w.waitLive(10 * time.Second)

	// Who fills it for longer does not make the edge blind.
	d.fill(150 << 20)
	full := time.Now()
	w.edge.find(`(values are judged, but not kept)`, 40*time.Second)
	eventually(t, 3*time.Minute, "an alarm comes from an edge whose disk is full", func() bool {
		return slices.ContainsFunc(w.api.alarms(), func(a alarmJSON) bool { return a.Asset == "HSM/FM/F3/GBX" && a.Raised.After(full) })
	})
	d.clear()
	w.waitLive(10 * time.Second)

	d.fill(0)
	time.Sleep(6 * time.Second)
	d.clear()
	if w.edge.ended() { // as systemd would
		t.Logf("ended on a disk without a byte: %s", tail(w.edge.text(), 1))
		w.startEdge()
	}
	w.account().check(t)

	w.edge.kill()
	d.fill(0)
	w.startEdge()
	w.edge.refusedOnFullDisk()
	d.clear()
	if w.edge.ended() {
		w.startEdge()
	}
	w.well(3, 60*time.Second)
}
