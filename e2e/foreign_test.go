package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// startForeign runs a PLC whose OPC UA server is of another make (node-opcua): one
// of the collector's scripts at a port. It takes commands. Where there is no
// node-opcua the test is skipped (CI: fails).
func startForeign(t *testing.T, script string, port int, set object) (p *process, url string) {
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
	set["modules"], set["port"] = modules, port
	if set["dir"] == nil {
		set["dir"] = t.TempDir()
	}
	settings, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	p = start(t, "opc", "node", filepath.Join("../collector/testdata", script), string(settings))
	p.find("ready", 120*time.Second) // a busy machine starts node slowly
	return p, fmt.Sprintf("opc.tcp://127.0.0.1:%d", port)
}
