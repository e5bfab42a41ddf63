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
// the page in a real Chromium through the signed repository to the edge. The page
// also says, in red, who has let a PLC do without security, and until when.
func TestOrders(t *testing.T) {
	t.Parallel() // waits most of its time
	b := newBrowser(t)
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
	until := time.Now().AddDate(0, 1, 0).Format(time.DateOnly)
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
security_policy = "None"
[plc.exception]
approver = "M. Weber"
until = %s
reason = "the PLC of 2009 knows no other"

[edge]
name = "hsm"
group = "Works"
broker = %q
primary_host = "historian"
data = "edge"
%s`, w.opc, w.tags, rigURL, tags, until, w.broker, w.repository()))
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
			PLC, State, Reason string
			Tag, As, Trust     *string
		}
	}
	b.do("open", args{"page": "p", "url": w.api.base + "/edges"}, nil)
	excepted(b, rigURL, until)
	b.shoot("p", "edges-certificate")
	mill := `[data-plc="mill"] `
	// What is trusted is what the engineer has seen: the whole fingerprint is on the page.
	b.wait("p", fmt.Sprintf(`document.querySelector('%s.plc-decisions .fingerprint')?.innerText.replaceAll(" ", "").toLowerCase() === %q`, mill, shown), patience)
	b.click("p", mill+`.decide button:has-text("Trust it")`)
	b.fill("p", mill+".decide input", "compared with the panel")
	b.shoot("p", "edges-trust")
	b.click("p", mill+".decide button[type=submit]")
	eventually(t, 60*time.Second, "the mill is Live", func() bool { return w.api.plc("mill").State == "Live" })
	b.says("p", mill+".plc-state", "^Live")

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
	test := `[data-plc="rig"] .decide `
	b.click("p", test+`button:has-text("Another quantity")`)
	b.fill("p", test+"input", "a thermometer now")
	b.shoot("p", "edges-quarantine")
	b.click("p", test+"button[type=submit]")
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
	if o := orders.Orders; len(o) != 2 || o[0].State != "done" || o[1].State != "done" {
		t.Errorf("orders: %+v", o)
	} else if o[0].Tag == nil || *o[0].Tag != "HSM/RIG/P" || *o[0].As != "new" || o[0].Reason != "a thermometer now" || o[1].Trust == nil || *o[1].Trust != shown || o[1].Reason != "compared with the panel" {
		js, _ := json.Marshal(o)
		t.Errorf("ordered otherwise than on the page: %s", js)
	}
	b.says("p", `[data-plc="rig"] .plc-orders`, "^Done HSM/RIG/P")
	b.wait("p", `document.querySelectorAll(".decide").length === 0`, patience)
	b.shoot("p", "edges-done")
	b.harmless()
	audit, err := os.ReadFile(filepath.Join(w.dir, "edge", "models", "audit.jsonl"))
	if err != nil || strings.Count(string(audit), `"action":"order"`) != 2 {
		t.Errorf("audit: %v\n%s", err, audit)
	}
}

// excepted wants the page to show in red which PLC is read without security, by whose
// leave and until when, and no other PLC so.
func excepted(b *browser, url, until string) {
	b.t.Helper()
	b.wait("p", `document.querySelector('[data-plc="rig"] .unsafe') !== null`, patience)
	var seen struct {
		Text, Ground, Edge string
		Others             int
	}
	b.do("eval", args{"page": "p", "js": `(() => {
		const box = document.querySelector('[data-plc="rig"] .unsafe'), style = getComputedStyle(box);
		return { text: box.innerText, ground: getComputedStyle(box.querySelector("strong")).backgroundColor,
			edge: style.borderInlineStartColor, others: document.querySelectorAll('[data-plc]:not([data-plc="rig"]) .unsafe').length };
	})()`}, &seen)
	for _, want := range []string{"Weak security by exception", url, "M. Weber", until, "the PLC of 2009"} {
		if !strings.Contains(seen.Text, want) {
			b.t.Errorf("the exception does not say %q: %s", want, seen.Text)
		}
	}
	for _, colour := range []string{seen.Ground, seen.Edge} {
		var red, green, blue int
		if _, err := fmt.Sscanf(colour, "rgb(%d, %d, %d)", &red, &green, &blue); err != nil || red < 150 || max(green, blue) > red/2 {
			b.t.Errorf("the exception is shown in %s, want red: %v", colour, err)
		}
	}
	if seen.Others > 0 {
		b.t.Errorf("%d exceptions of PLCs that have none", seen.Others)
	}
}
