package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/e2e/port"
)

// plcJSON is a connection, as far as the test looks.
type plcJSON struct {
	Name, State  string
	Quarantine   []struct{ Tag, Was, Is string }
	Certificates []struct{ Who, State, Fingerprint string }
}

func (a api) plc(name string) (p plcJSON) {
	var body struct{ Edges []struct{ PLCs []plcJSON } }
	if a.try("edges", &body) != nil || len(body.Edges) == 0 {
		return p
	}
	for _, x := range body.Edges[0].PLCs {
		if x.Name == name {
			return x
		}
	}
	return p
}

// TestOrders lets an engineer at the plant decide what an edge must not decide by
// itself: whether the certificate of a PLC is the right one, and whether a tag
// whose node has changed its unit is still the same quantity. Both orders go from
// the HMI through the signed repository to the edge.
func TestOrders(t *testing.T) {
	t.Parallel() // waits most of its time
	w := newWorks(t)
	program := func(unit string) []object {
		return []object{{"tag": 1, "id": "s=P", "at": []string{"Rig"}, "name": "Pressure", "unit": unit, "low": 0, "high": 5000, "base": 1000}}
	}
	rig, rigURL := startForeign(t, "program_server.mjs", port.Free(t), object{"log": filepath.Join(w.dir, "rig.log"), "spaces": []string{"urn:test:mill"}, "program": program("bar")})
	tags := filepath.Join(w.dir, "rig.csv")
	writeFile(t, tags, "path,asset,node,sampling\nHSM/RIG/P,HSM/RIG,nsu=urn:test:mill;s=P,100ms\n")
	w.configure()
	writeFile(t, filepath.Join(w.dir, "mill.toml"), fmt.Sprintf(`
[simulator]
listen = "opc.tcp://127.0.0.1:%d"
security_modes = ["SignAndEncrypt"]
pki = "millpki"
`, w.opc))
	keys := filepath.Join(w.dir, "keys")
	w.run("models", "init", "-c", "plant.toml", "--keys", keys, "--who", "eva")
	writeFile(t, filepath.Join(w.dir, "edge.toml"), fmt.Sprintf(`
[[plc]]
name = "mill"
url = "opc.tcp://127.0.0.1:%d"
tags = %q
security_policy = "Basic256Sha256"

[[plc]]
name = "rig"
url = %q
tags = %q

[edge]
name = "hsm"
group = "Works"
broker = %q
primary_host = "historian"
data = "edge"
models = %q
models_root = "root.json"
`, w.opc, w.tags, rigURL, tags, w.broker, w.api.base))
	root, err := os.ReadFile(filepath.Join(w.dir, "historian", "models", "root.json"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(w.dir, "root.json"), string(root))
	start(t, "mill", binary, "run", "-c", filepath.Join(w.dir, "mill.toml"))
	w.startPlant()
	w.startEdge()

	var shown string
	eventually(t, 30*time.Second, "the PLC's certificate waits for somebody", func() bool {
		for _, c := range w.api.plc("mill").Certificates {
			if c.Who == "server" && c.State == "rejected" {
				shown = strings.ToLower(strings.ReplaceAll(c.Fingerprint, ":", ""))
			}
		}
		return shown != ""
	})
	var orders struct {
		Orders []struct {
			Tag, Trust *string
			State      string
			Why        *string
		}
	}
	w.api.send("POST", "orders", object{"edge": "hsm", "plc": "mill", "trust": shown, "reason": "compared with the panel"}, &orders)
	eventually(t, 60*time.Second, "the mill is Live", func() bool { return w.api.plc("mill").State == "Live" })

	eventually(t, 30*time.Second, "the rig is Live", func() bool { return w.api.plc("rig").State == "Live" && len(w.api.samples("HSM/RIG/P")) > 20 })
	other, err := json.Marshal(program("C"))
	if err != nil {
		t.Fatal(err)
	}
	rig.say("load " + string(other))
	eventually(t, 60*time.Second, "the tag is in quarantine", func() bool { return len(w.api.plc("rig").Quarantine) == 1 })
	time.Sleep(2 * time.Second)
	held := w.api.samples("HSM/RIG/P")
	time.Sleep(3 * time.Second)
	if now := w.api.samples("HSM/RIG/P"); len(now) != len(held) {
		t.Errorf("%d samples of a tag in quarantine were taken", len(now)-len(held))
	}
	w.api.send("POST", "orders", object{"edge": "hsm", "plc": "rig", "tag": "HSM/RIG/P", "as": "new", "reason": "a thermometer now"}, &orders)
	eventually(t, 60*time.Second, "the tag goes on", func() bool {
		return len(w.api.plc("rig").Quarantine) == 0 && len(w.api.samples("HSM/RIG/P")) > len(held)+10
	})
	var reasons []string
	for _, g := range w.api.gaps("HSM/RIG/P") {
		reasons = append(reasons, g.Reason)
	}
	if len(reasons) == 0 || slices.Contains(reasons, "") {
		t.Errorf("gaps: %v", reasons)
	}
	w.api.get("orders", &orders)
	if len(orders.Orders) != 2 || orders.Orders[0].State != "done" || orders.Orders[1].State != "done" {
		t.Errorf("orders: %+v", orders.Orders)
	}
	audit, err := os.ReadFile(filepath.Join(w.dir, "edge", "models", "audit.jsonl"))
	if err != nil || strings.Count(string(audit), `"action":"order"`) != 2 {
		t.Errorf("audit: %v\n%s", err, audit)
	}
}
