package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestFigureAlerts measures an alert's way through real processes: from the
// source time of the value that broke the limit, at the PLC, to the webhook's
// receiver, and from asking to acknowledge to the moment when nothing is pending
// any more.
func TestFigureAlerts(t *testing.T) {
	if os.Getenv("MILLWRIGHT_FIGURES") == "" {
		t.Skip("a figure: make bench-users")
	}
	const n = 150
	c := newCrew(t)
	w := newWorks(t)
	w.extra = c.notify(w.api.base)
	replay := filepath.Join(w.dir, "ladder.csv.replay")
	ladder(t, replay, n, time.Second)
	tags, assets := ladderAssets(t, w.dir, n)
	w.watch(tags, assets)
	w.startPlant()
	eventually(t, 20*time.Second, "the plant answers", func() bool { return w.api.try("health", &object{}) == nil })
	w.api.send("PUT", "roster", object{"revision": 0, "people": []object{person("cmms", "en", "webhook:cmms"), person("anna", "en", "mail:anna@works.example")},
		"teams": []object{}, "routes": []object{{"id": "all", "steps": []object{{"wait_s": 0, "people": []string{"cmms", "anna"}}}}}}, nil)
	// What waits to be cancelled: mails that the server does not take for now, and
	// those that the flood holds back.
	c.mu.Lock()
	c.deaf = "mail"
	c.mu.Unlock()
	w.startMill("--replay", replay, "--speed", "5")
	w.startEdge()
	eventually(t, 120*time.Second, "every alarm has reached the webhook", func() bool { return len(c.by("webhook")) >= n })

	raised := map[string]time.Time{}
	var alarms []alarmJSON
	for _, a := range w.api.alarms() {
		raised[a.Asset] = a.Raised
		alarms = append(alarms, a)
	}
	var took []float64
	for _, m := range c.by("webhook") {
		if at, ok := raised[m.alarm]; ok && m.status == "firing" {
			took = append(took, float64(m.at.Sub(at).Microseconds())/1000)
		}
	}
	t.Logf("handed over: %d alarms, median %.0f ms, worst %.0f ms", len(took), quantile(took, 0.5), quantile(took, 1))
	fmt.Printf("FIGURE users.alert_handoff_p95_ms %.1f ms\n", quantile(took, 0.95))

	var cancelled []float64
	waiting := 0
	for _, a := range alarms {
		mine := w.api.messages(fmt.Sprintf("&alarm=%d", a.ID))
		if !slices.ContainsFunc(mine, open) {
			continue
		}
		waiting++
		begin := time.Now()
		w.api.send("POST", fmt.Sprintf("alarms/%d/ack", a.ID), object{}, nil)
		for {
			if !slices.ContainsFunc(w.api.messages(fmt.Sprintf("&alarm=%d", a.ID)), open) {
				break
			}
			if time.Since(begin) > 10*time.Second {
				t.Fatalf("alarm %d: messages still pending 10 s after the acknowledgement", a.ID)
			}
			time.Sleep(2 * time.Millisecond)
		}
		cancelled = append(cancelled, float64(time.Since(begin).Microseconds())/1000)
	}
	if waiting == 0 {
		t.Fatal("nothing waited: the figure would mean nothing")
	}
	t.Logf("cancelled: %d alarms, median %.0f ms, worst %.0f ms", len(cancelled), quantile(cancelled, 0.5), quantile(cancelled, 1))
	fmt.Printf("FIGURE users.ack_cancel_p95_ms %.1f ms\n", quantile(cancelled, 0.95))
}

// open reports whether a message may still be sent.
func open(m messageJSON) bool { return m.State == "pending" || m.State == "held" }

// quantile of unsorted values.
func quantile(v []float64, q float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	if len(s) == 0 {
		return 0
	}
	return s[min(len(s)-1, int(q*float64(len(s))))]
}
