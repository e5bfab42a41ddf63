package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// foreign is a PLC whose OPC UA server is of another make (node-opcua), in a
// process of its own. It takes commands.
type foreign struct {
	t   *testing.T
	in  io.Writer
	url string
}

// startForeign runs one of the collector's servers at a port, or skips where there
// is no node-opcua (CI: fails).
func startForeign(t *testing.T, script string, port int, set object) *foreign {
	t.Helper()
	modules := os.Getenv("MILLWRIGHT_NODE_MODULES")
	if modules == "" {
		modules, _ = filepath.Abs("../.ci/node/node_modules")
	}
	if _, err := os.Stat(filepath.Join(modules, "node-opcua")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no foreign OPC UA server: ", err)
		}
		t.Skip("no foreign OPC UA server: ", err)
	}
	set["modules"], set["dir"], set["port"] = modules, t.TempDir(), port
	settings, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join("../collector/testdata", script), string(settings))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil {
		t.Fatalf("the server does not start: %q %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return &foreign{t, in, fmt.Sprintf("opc.tcp://127.0.0.1:%d", port)}
}

func (f *foreign) say(line string) {
	f.t.Helper()
	if _, err := io.WriteString(f.in, line+"\n"); err != nil {
		f.t.Fatal(err)
	}
}
