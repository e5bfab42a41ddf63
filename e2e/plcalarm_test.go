package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// nodeServer is an OPC UA server of another make with alarms. It takes commands.
func nodeServer(t *testing.T, port, alarms int) (say func(string)) {
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
	set, _ := json.Marshal(map[string]any{"modules": modules, "dir": t.TempDir(), "port": port, "nodes": 3, "run": true, "alarms": alarms})
	cmd := exec.Command("node", "../collector/testdata/nodeopcua_server.mjs", string(set))
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
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil {
		t.Fatalf("the server does not start: %q %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return func(line string) {
		t.Helper()
		if _, err := io.WriteString(in, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPLCAlarm: an alarm of the PLC itself comes into the alarm book with its own
// class and words, and ends there, also when the edge was killed meanwhile.
func TestPLCAlarm(t *testing.T) {
	t.Parallel() // waits most of its time
	w := newWorks(t)
	say := nodeServer(t, w.opc, 3)
	tags, assets := filepath.Join(w.dir, "t.csv"), filepath.Join(w.dir, "t.toml")
	writeFile(t, tags, "path,node\nHSM/P0/T,nsu=urn:test:mill;s=T0\nHSM/P1/T,nsu=urn:test:mill;s=T1\n")
	writeFile(t, assets, "[[asset]]\npath = \"HSM/P0\"\nname = \"Pump 0\"\nclass = \"pump\"\n[asset.model]\noff = true\n")
	w.plcKeys = "conditions = true"
	w.watch(tags, assets)
	w.startPlant()
	w.startEdge()
	w.waitLive(60 * time.Second)

	say("raise 0 900 %D8%AA%DB%8C%D9%84%20low")
	say("raise 2 500 of%20no%20machine")
	find := func(asset string) *alarmJSON {
		all := w.api.alarms()
		if i := slices.IndexFunc(all, func(a alarmJSON) bool { return a.Class == "plc" && a.Asset == asset }); i >= 0 {
			return &all[i]
		}
		return nil
	}
	eventually(t, 20*time.Second, "both are in the book", func() bool { return find("HSM/P0") != nil && find("hsm/mill") != nil })
	a := find("HSM/P0")
	if a.State != "unacked" || a.Priority != 1 || a.Finding.Text != "تیل low" || a.Finding.Condition != "T0 / Alarm0" ||
		a.Title != fmt.Sprintf("PLC alarm %q: HSM/P0/T", "تیل low") || a.Finding.Detector != "plc" {
		t.Errorf("%+v", a)
	}
	w.edge.kill()
	say("ease 0 900 over")
	w.startEdge()
	eventually(t, 60*time.Second, "one is over", func() bool { a := find("HSM/P0"); return a.State == "rtn_unacked" })
	if a := find("hsm/mill"); a.State != "unacked" || a.Count != 1 || a.Priority != 3 {
		t.Errorf("the other: %+v", a)
	}
}
