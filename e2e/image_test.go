package e2e

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// image is an ext4 file system in a file, that can lose what was not synced, as a
// power cut would, and stand still, as a dying disk does.
type image struct {
	t         *testing.T
	file, dir string
}

// newImage makes and mounts one on a folder until the test ends.
func newImage(t *testing.T, dir string) *image {
	t.Helper()
	m := &image{t, filepath.Join(t.TempDir(), "disk.img"), dir}
	f, err := os.Create(m.file)
	if err != nil {
		t.Fatal(err)
	}
	err = f.Truncate(1 << 30) // sparse
	if err = cmp.Or(err, f.Close(), os.MkdirAll(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", m.file).CombinedOutput(); err != nil {
		t.Skipf("no ext4 file system can be made here: %v %s", err, out)
	}
	if out, err := exec.Command("mount", "-o", "loop", m.file, dir).CombinedOutput(); err != nil {
		t.Skipf("mounting an image is not permitted here (%v %s): run as root", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	return m
}

// Requests of linux/fs.h and fs/ext4/ext4.h.
const (
	freeze      = 0xC0045877 // FIFREEZE
	thaw        = 0xC0045878 // FITHAW
	shutdown    = 0x8004587D // EXT4_IOC_SHUTDOWN
	withoutSync = uint32(2)  // EXT4_GOING_FLAGS_NOLOGFLUSH
)

func (m *image) ask(request uintptr, flags uint32) {
	m.t.Helper()
	d, err := os.Open(m.dir)
	if err != nil {
		m.t.Fatal(err)
	}
	defer d.Close()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, d.Fd(), request, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		m.t.Fatalf("ioctl %x of %s: %v", request, m.dir, errno)
	}
}

// stall makes every write and sync wait.
func (m *image) stall(d time.Duration) {
	m.ask(freeze, 0)
	time.Sleep(d)
	m.ask(thaw, 0)
}

// cut takes the power from a process and its disk: what was not synced is gone, every
// further access fails. The process stands still before its disk is gone, because ext4
// reports some syncs that are under way at its shutdown as done and forgets them: about
// one shutdown in thirty, seen with a program that only writes and syncs.
func (m *image) cut(p *process) {
	m.t.Helper()
	p.freeze()
	m.ask(shutdown, withoutSync)
	p.kill()
}

// again mounts what the cut has left.
func (m *image) again() {
	m.t.Helper()
	for _, args := range [][]string{{"umount", m.dir}, {"mount", "-o", "loop", m.file, m.dir}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			m.t.Fatalf("%s: %v %s", strings.Join(args, " "), err, out)
		}
	}
}
