package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestArchive builds the amd64 archive, unpacks it into an empty folder and
// runs it there as a plant would: nothing on the PATH, no network but loopback.
func TestArchive(t *testing.T) {
	build := exec.Command("../firmware-configs/package.sh", "test", "amd64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("package.sh: %v\n%s", err, out)
	}
	archive, err := filepath.Abs("../dist/millwright-test-linux-amd64.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(archive) })
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-C", dir, "-xzf", archive).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	dir = filepath.Join(dir, "millwright-test-linux-amd64")
	sums := exec.Command("sha256sum", "-c", "--quiet", "SHA256SUMS")
	sums.Dir = dir
	if out, err := sums.CombinedOutput(); err != nil {
		t.Fatalf("checksums: %v\n%s", err, out)
	}
	program := filepath.Join(dir, "millwright")
	for _, example := range []string{"plant.toml", "edge.toml"} {
		check := exec.Command(program, "check", filepath.Join(dir, "examples", example))
		check.Env = []string{}
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("check %s: %v\n%s", example, err, out)
		}
	}
	for _, unit := range []string{"millwright-edge.service", "millwright-plant.service", "sysusers.conf"} {
		if _, err := os.Stat(filepath.Join(dir, "systemd", unit)); err != nil {
			t.Error(err)
		}
	}

	// The whole works from the archive alone. Where it is permitted, in a network
	// namespace that has nothing but its own loopback; the page is asked for from
	// inside, over a shell that is there anyway.
	port := freePort(t)
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	command := fmt.Sprintf("cd %s && exec env -i ./millwright up --no-login --data data --http 127.0.0.1:%d", dir, port)
	if exec.Command("unshare", "-n", "true").Run() == nil {
		p := start(t, "up offline", "unshare", "-n", "sh", "-c", "ip link set lo up && "+command)
		p.find(`page\s+(http://127\.0\.0\.1:\d+)`, 20*time.Second)
		eventually(t, 20*time.Second, "the page answers inside the namespace", func() bool {
			get := exec.Command("nsenter", "-t", fmt.Sprint(p.cmd.Process.Pid), "-n", "curl", "-sf", url+"/api/v1/assets")
			out, err := get.Output()
			return err == nil && strings.Contains(string(out), "HSM/FM/F3/GBX")
		})
		return
	}
	p := start(t, "up", "sh", "-c", command)
	p.find(`page\s+(http://127\.0\.0\.1:\d+)`, 20*time.Second)
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Error(res.Status)
	}
}
