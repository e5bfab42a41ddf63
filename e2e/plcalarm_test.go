package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestPLCAlarm: an alarm of the PLC itself comes into the alarm book with its own
// class and words, and ends there, also when the edge was killed meanwhile.
func TestPLCAlarm(t *testing.T) {
	t.Parallel() // waits most of its time
	w := newWorks(t)
	plc, _ := startForeign(t, "nodeopcua_server.mjs", w.opc, object{"nodes": 3, "run": true, "alarms": 3})
	tags, assets := filepath.Join(w.dir, "t.csv"), filepath.Join(w.dir, "t.toml")
	writeFile(t, tags, "path,node\nHSM/P0/T,nsu=urn:test:mill;s=T0\nHSM/P1/T,nsu=urn:test:mill;s=T1\n")
	writeFile(t, assets, "[[asset]]\npath = \"HSM/P0\"\nname = \"Pump 0\"\nclass = \"pump\"\n[asset.model]\noff = true\n")
	w.plcKeys = "conditions = true"
	w.watch(tags, assets)
	w.startPlant()
	w.startEdge()
	w.waitLive(60 * time.Second)

	plc.say("raise 0 900 %D8%AA%DB%8C%D9%84%20low")
	plc.say("raise 2 500 of%20no%20machine")
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
	plc.say("ease 0 900 over")
	w.startEdge()
	eventually(t, 60*time.Second, "one is over", func() bool { a := find("HSM/P0"); return a.State == "rtn_unacked" })
	if a := find("hsm/mill"); a.State != "unacked" || a.Count != 1 || a.Priority != 3 {
		t.Errorf("the other: %+v", a)
	}
}
