package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millwright/models/bundle/bundletest"
	"millwright/plant"
)

const (
	pump     = "P/A0000"
	pumpCard = `[data-models="` + pump + `"] `
	pumpID   = "pump-1"
)

// TestCrewOnThePages follows one false alarm over the pages in a real Chromium, by
// clicks and typing; what the API, the receiver of alerts and the edge's audit say
// afterwards is what counts. Somebody stands in on the roster, a model that ran in the
// shadow is promoted, its alarm cannot be handed over and is given up; it is sent once
// the receiver is mended; it was no fault, which the trend and the model's precision
// show; the model is rolled back.
func TestCrewOnThePages(t *testing.T) {
	t.Parallel() // waits most of its time
	b := newBrowser(t)
	c := newCrew(t)
	c.refusal = http.StatusForbidden
	w := newWorks(t)
	w.extra = c.notify(w.api.base)
	p := newPress(t, w, 1)
	w.edgeKeys = w.repository()
	w.configure()
	w.push(pumpBundle(t, w.dir))
	w.startPlant()
	w.startEdge()
	var odd atomic.Bool
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go runPump(p, &odd, stop)
	w.waitLive(60 * time.Second)
	w.api.send("POST", "models/shadow", object{"id": pumpID, "assets": []string{pump}, "reason": "look"}, nil)
	w.api.send("PUT", "roster", object{"revision": 0, "note": "first", "people": []object{
		person("anna", "en", "mail:anna@works.example"), person("bilal", "en", "webhook:cmms"),
	}, "teams": []object{{"id": "mech", "name": "Mechanics", "zone": "Asia/Karachi",
		"rotations": []object{{"people": []string{"anna"}, "start": "2026-01-01T06:00", "hours": 24}}}},
		"routes": []object{{"id": "pump", "area": pump, "classes": []string{"advisory"}, "steps": []object{{"wait_s": 0, "teams": []string{"mech"}}}}}}, nil)

	b.do("open", args{"page": "p", "url": w.api.base + "/oncall"}, nil)
	standIn(b, w)
	promote(b, w)
	c.deafen("webhook")
	odd.Store(true)
	var found alarmJSON
	eventually(t, 120*time.Second, "the model finds something", func() bool {
		list := w.api.alarms()
		i := slices.IndexFunc(list, func(a alarmJSON) bool { return a.Asset == pump && a.Class == "advisory" })
		if i >= 0 {
			found = list[i]
		}
		return i >= 0
	})
	sendAgain(b, w, c, found.ID)
	noFault(b, w, found.ID)
	odd.Store(false)
	rollBack(b, w)
	b.harmless()
}

// pumpBundle writes a model of the pump: what the press offers is usual to it.
func pumpBundle(t *testing.T, dir string) string {
	t.Helper()
	var tags []string
	for k := range 8 {
		tags = append(tags, fmt.Sprintf("%s/T%d", pump, k))
	}
	bundle := bundletest.New(t, bundletest.Options{ID: pumpID, Asset: pump, Class: "pump", Tags: tags})
	for i := range bundle.Tags {
		bundle.Tags[i].Unit = "bar"
	}
	file := filepath.Join(dir, pumpID+".mwb")
	writeFile(t, file, string(bundletest.File(t, bundle)))
	return file
}

// runPump offers values of all tags five times a second; while it is odd, half of the
// tags rise to where the model has never seen them.
func runPump(p *press, odd *atomic.Bool, stop <-chan struct{}) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	rise := 0.0
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			if odd.Load() {
				rise = min(7, rise+0.1)
			} else {
				rise = max(0, rise-0.1)
			}
			vals := wave(len(p.Variables), 1, i, now)
			for k := range vals {
				if k%2 == 0 {
					vals[k].Number = math.Round((vals[k].Number+rise)*1e4) / 1e4
				}
			}
			p.Write(vals)
		}
	}
}

// standIn puts Bilal in Anna's place, as whoever makes the roster does.
func standIn(b *browser, w *works) {
	b.t.Helper()
	const team = `[data-team="mech"] `
	b.says("p", team+".team-people", "^anna$")
	b.click("p", `a:has-text("Edit the roster")`)
	b.click("p", team+`button:has-text("Add a stand-in")`)
	b.choose("p", team+`label:has-text("Stand-in") select`, "bilal")
	b.fill("p", `.save-bar input`, "anna is ill")
	b.shoot("p", "roster-draft")
	b.click("p", `.save-bar button:has-text("Save")`)
	b.says("p", ".save-bar [role=status]", "^Saved")
	b.shoot("p", "roster-saved")

	var calls struct {
		Teams []struct {
			People   []struct{ ID string }
			Override bool
		}
	}
	w.api.get("oncall", &calls)
	if len(calls.Teams) != 1 || len(calls.Teams[0].People) != 1 || calls.Teams[0].People[0].ID != "bilal" || !calls.Teams[0].Override {
		b.t.Errorf("on call is %+v, want bilal as a stand-in", calls.Teams)
	}
	var list struct {
		Revisions []struct {
			Revision int
			Note     string
		}
	}
	w.api.get("roster/revisions", &list)
	if len(list.Revisions) != 2 || list.Revisions[0].Revision != 2 || list.Revisions[0].Note != "anna is ill" {
		b.t.Errorf("revisions: %+v", list.Revisions)
	}
	b.click("p", ".back")
	b.says("p", team+".team-people", "^bilal$")
	b.says("p", team, "Stand-in until")
	b.shoot("p", "oncall-standin")
}

// pumpStatus is what the edge runs for the pump, and what in its shadow.
func pumpStatus(a api) (running, shadow string) {
	var r rolloutJSON
	if a.try("models", &r) != nil {
		return "", ""
	}
	for _, x := range r.Assets {
		if x.Asset == pump && x.Status != nil {
			running = x.Status.Running
			if x.Status.Shadow != nil {
				shadow = *x.Status.Shadow
			}
		}
	}
	return running, shadow
}

// order presses a button on the pump's card and says why.
func order(b *browser, button, why, shot string) {
	b.t.Helper()
	b.click("p", pumpCard+`button:has-text("`+button+`")`)
	b.fill("p", pumpCard+`.text-field input`, why)
	b.shoot("p", shot)
	b.click("p", pumpCard+`button[type=submit]`)
}

// promote lets the model judge that runs in the shadow.
func promote(b *browser, w *works) {
	b.t.Helper()
	eventually(b.t, 60*time.Second, "it runs in the shadow", func() bool {
		running, shadow := pumpStatus(w.api)
		return running == plant.LearnedModel && shadow == pumpID
	})
	b.click("p", `nav a:has-text("Models")`)
	b.says("p", pumpCard+".model-facts", "Learned on the edge In the shadow "+pumpID)
	order(b, "Promote", "quiet in the shadow", "models-promote")
	eventually(b.t, 60*time.Second, "it judges", func() bool {
		running, shadow := pumpStatus(w.api)
		return running == pumpID && shadow == ""
	})
	b.says("p", pumpCard+"[role=status]", "^The edge has taken it")
	b.shoot("p", "models-promoted")
	written(b.t, w, "promote", "quiet in the shadow", "promote")
}

// rollBack brings back what ran before the model.
func rollBack(b *browser, w *works) {
	b.t.Helper()
	b.click("p", `nav a:has-text("Models")`)
	b.says("p", pumpCard+".model-facts", `Trained model \(autoencoder\) 0% 1 of 1 alarms answered`)
	order(b, "Roll back", "a false alarm", "models-rollback")
	eventually(b.t, 60*time.Second, "the edge is back at what it has learned", func() bool {
		running, _ := pumpStatus(w.api)
		return running == plant.LearnedModel
	})
	b.says("p", pumpCard+"[role=status]", "^The edge has taken it")
	b.shoot("p", "models-rolled-back")
	written(b.t, w, "rollback", "a false alarm", "demote")
}

// written wants one entry in the plant's history, and one line in the edge's audit,
// that tell of a change of what judges the pump.
func written(t *testing.T, w *works, action, reason, line string) {
	t.Helper()
	var r struct {
		History []struct {
			Action, Reason string
			Assets         []string
		}
	}
	w.api.get("models", &r)
	entries := 0
	for _, h := range r.History {
		if h.Action == action && h.Reason == reason && slices.Equal(h.Assets, []string{pump}) {
			entries++
		}
	}
	audit, err := os.ReadFile(filepath.Join(w.dir, "edge", "models", "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for text := range strings.Lines(string(audit)) {
		var l struct{ Action, Bundle, Asset string }
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("audit: %v: %s", err, text)
		}
		if l.Action == line && l.Bundle == pumpID && l.Asset == pump {
			lines++
		}
	}
	if entries != 1 || lines != 1 {
		t.Errorf("%s: %d entries in the history, want 1: %+v; %d lines in the audit, want 1:\n%s", action, entries, r.History, lines, audit)
	}
}

// sendAgain finds the message that its receiver has refused, and sends it once that is
// mended.
func sendAgain(b *browser, w *works, c *crew, alarm int64) {
	b.t.Helper()
	var dead messageJSON
	state := func() string {
		for _, m := range w.api.messages(fmt.Sprintf("&alarm=%d", alarm)) {
			if m.Person == "bilal" && m.Purpose == "alarm" {
				dead = m
				return m.State
			}
		}
		return ""
	}
	eventually(b.t, 60*time.Second, "the message is given up", func() bool { return state() == "dead" })
	b.click("p", `nav a:has-text("On call")`)
	b.click("p", `.segments label:has-text("Given up")`)
	row := fmt.Sprintf(`[data-message="%d"] `, dead.ID)
	b.click("p", row+"summary")
	b.says("p", row, `1 try\. It failed with .*403 Forbidden`)
	b.says("p", `[data-channel="webhook"] .channel-error`, "403 Forbidden$")
	b.shoot("p", "oncall-given-up")
	c.deafen("")
	b.click("p", row+`button:has-text("Try again")`)
	eventually(b.t, 60*time.Second, "it is sent", func() bool { return state() == "sent" })
	b.wait("p", `document.querySelectorAll("[data-message-state=dead]").length === 0`, patience)
	b.click("p", `.segments label:has-text("All")`)
	b.says("p", row, "^Sent bilal")
	b.shoot("p", "oncall-sent")
	got := c.by("webhook")
	if len(got) != 1 || got[0].alarm != pump || got[0].status != "firing" {
		b.t.Errorf("the webhook has %d messages, want the one of %s: %+v", len(got), pump, got)
	}
}

// bar is how wide the bar of an answered alarm is on the trend of T0, px: a run of the
// ink of answers three rows high in the upper part of the drawing, -1 before there is
// one.
const bar = `(() => {
	const canvas = document.querySelector('[data-trend="` + pump + `/T0"] .trend-canvas canvas');
	if (!canvas?.width) return -1;
	const probe = document.body.appendChild(document.createElement("i"));
	probe.style.color = "var(--text)";
	const [r, g, b] = getComputedStyle(probe).color.match(/\d+/g).map(Number);
	probe.remove();
	const wide = canvas.width, high = Math.round(canvas.height / 4);
	const rgba = canvas.getContext("2d").getImageData(0, 0, wide, high).data;
	const ink = (x, y) => rgba[4 * (y * wide + x)] === r && rgba[4 * (y * wide + x) + 1] === g && rgba[4 * (y * wide + x) + 2] === b;
	let best = 0;
	for (let y = 0; y + 2 < high; y++) {
		for (let x = 0, run = 0; x < wide; x++) {
			run = ink(x, y) && ink(x, y + 1) && ink(x, y + 2) ? run + 1 : 0;
			best = Math.max(best, run);
		}
	}
	return best;
})()`

// noFault answers the alarm: it was none. The trend shows for when that holds, and the
// model's precision counts it.
func noFault(b *browser, w *works, alarm int64) {
	b.t.Helper()
	if share := precision(w.api); share != nil {
		b.t.Errorf("precision %v before anybody has answered", *share)
	}
	b.click("p", `nav a:has-text("Plant")`)
	b.click("p", fmt.Sprintf(`a[href="/a/%s"]`, pump))
	b.wait("p", bar+" === 0", patience)
	b.shoot("p", "asset-alarm")
	b.click("p", `nav a:has-text("Alarms")`)
	b.click("p", fmt.Sprintf(`a.row-link[href^="/alarms/%d"]`, alarm))
	b.click("p", `.verdicts label:has-text("Not a fault")`)
	b.fill("p", ".label-form textarea", "the pump ran on another product")
	b.shoot("p", "alarm-answer")
	b.click("p", `button:has-text("Save the answer")`)
	b.says("p", `.given[data-verdict="not_a_fault"]`, "^Not a fault.*another product")
	b.shoot("p", "alarm-answered")

	var list struct {
		Labels []struct {
			Alarm         int64
			Verdict, Note string
		}
	}
	w.api.get("labels?asset="+pump, &list)
	if len(list.Labels) != 1 || list.Labels[0].Alarm != alarm || list.Labels[0].Verdict != "not_a_fault" || list.Labels[0].Note != "the pump ran on another product" {
		b.t.Errorf("labels: %+v", list.Labels)
	}
	if share := precision(w.api); share == nil || *share != 0 {
		b.t.Errorf("precision %v, want 0: the only alarm was none", share)
	}
	eventually(b.t, 60*time.Second, "who has said what was found has taken the alarm", func() bool { return w.alarm(pump).State != "unacked" })
	b.click("p", ".to-asset")
	b.wait("p", bar+" >= 6", patience)
	b.shoot("p", "asset-answered")
}

// precision is the share of the trained model's answered alarms that were right, nil
// before any was answered.
func precision(a api) *float64 {
	a.t.Helper()
	var p struct {
		Precision []struct {
			Detector string
			Share    *float64
		}
	}
	a.get("precision?asset="+pump, &p)
	for _, x := range p.Precision {
		if x.Detector == "autoencoder" {
			return x.Share
		}
	}
	a.t.Fatalf("no alarm of the trained model: %+v", p)
	return nil
}
