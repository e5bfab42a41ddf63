package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// unpack builds the amd64 archive and unpacks it into an empty folder.
func unpack(t *testing.T) string {
	t.Helper()
	dist := t.TempDir()
	build := exec.Command("../firmware-configs/package.sh", "test", "amd64")
	build.Env = append(os.Environ(), "DIST="+dist)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("package.sh: %v\n%s", err, out)
	}
	sums(t, dist)
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-C", dir, "-xzf", filepath.Join(dist, "millwright-test-linux-amd64.tar.gz")).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	dir = filepath.Join(dir, "millwright-test-linux-amd64")
	sums(t, dir)
	return dir
}

func sums(t *testing.T, dir string) {
	t.Helper()
	check := exec.Command("sha256sum", "-c", "--quiet", "SHA256SUMS")
	check.Dir = dir
	if out, err := check.CombinedOutput(); err != nil {
		t.Fatalf("checksums: %v\n%s", err, out)
	}
}

// island is a network namespace that has nothing but its own loopback, kept by a
// process that waits; nil where that is not permitted.
func island(t *testing.T) *process {
	t.Helper()
	if err := exec.Command("unshare", "-n", "true").Run(); err != nil {
		t.Logf("a network namespace is not permitted here (%v): run as root", err)
		return nil
	}
	keeper := start(t, "namespace", "unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec sleep 600")
	keeper.find(`(up)`, 10*time.Second)
	return keeper
}

// inside is a command in the namespace, without any environment. What runs
// there finds no other program: PATH is not set.
func (p *process) inside(args ...string) []string {
	return append([]string{"-t", fmt.Sprint(p.cmd.Process.Pid), "-n", "env", "-i"}, args...)
}

// answers waits until the page in the namespace holds a text.
func (p *process) answers(url, text string) {
	p.t.Helper()
	curl, err := exec.LookPath("curl")
	if err != nil {
		p.t.Skip("curl is not installed")
	}
	eventually(p.t, 30*time.Second, url+" answers with "+text, func() bool {
		out, err := exec.Command("nsenter", p.inside(curl, "-sfL", url)...).Output()
		return err == nil && strings.Contains(string(out), text)
	})
}

// TestArchive runs the archive in an empty folder as a plant would: the examples
// as they are, as two processes, and the works in one; nothing on the PATH, no
// network but loopback.
func TestArchive(t *testing.T) {
	dir := unpack(t)
	program := filepath.Join(dir, "millwright")
	for _, example := range []string{"plant.toml", "edge.toml"} {
		check := exec.Command(program, "check", filepath.Join(dir, "examples", example))
		check.Env = []string{}
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("check %s: %v\n%s", example, err, out)
		}
	}
	for _, file := range []string{
		"systemd/millwright-edge.service", "systemd/millwright-plant.service", "systemd/sysusers.conf",
		"README.md", "docs/install.md", "docs/plc.md",
	} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}

	net := island(t)
	if net == nil {
		up := start(t, "up", "env", "-i", program, "up", "--no-login", "--data", filepath.Join(dir, "data"), "--http", "127.0.0.1:0")
		a := api{t, up.find(`page\s+(http://127\.0\.0\.1:\d+)`, 20*time.Second)}
		eventually(t, 20*time.Second, "the page shows assets", func() bool {
			var page struct{ Assets []struct{ Path string } }
			return a.try("assets", &page) == nil && len(page.Assets) == 3
		})
		return
	}
	run := func(name string, args ...string) *process {
		return start(t, name, "nsenter", net.inside(append([]string{program}, args...)...)...)
	}
	plant := run("plant", "run", "-c", filepath.Join(dir, "examples", "plant.toml"))
	plant.find(`(set the first password with this code)`, 20*time.Second)
	edge := run("edge", "run", "-c", filepath.Join(dir, "examples", "edge.toml"))
	edge.find(`(connected to the plant)`, 20*time.Second)
	edge.find(`("state":"Live")`, 20*time.Second)
	net.answers("http://127.0.0.1:8080/", "<html")
	for _, p := range []*process{edge, plant} {
		if d := p.stop(); d > 15*time.Second {
			t.Errorf("stopping %s took %v", p.name, d)
		}
	}

	up := run("up", "up", "--no-login", "--data", filepath.Join(dir, "data"))
	up.find(`page\s+(http://127\.0\.0\.1:8080)`, 20*time.Second)
	net.answers("http://127.0.0.1:8080/api/v1/assets", "HSM/FM/F3/GBX")
	if d := up.stop(); d > 15*time.Second {
		t.Errorf("Ctrl-C took %v", d)
	}
}
