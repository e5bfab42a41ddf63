package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

type object = map[string]any

// person is somebody of a roster.
func person(id, language string, contacts ...string) object {
	var list []object
	for _, c := range contacts {
		channel, address, _ := strings.Cut(c, ":")
		list = append(list, object{"channel": channel, "address": address})
	}
	return object{"id": id, "name": id, "language": language, "contacts": list}
}

// TestAlertReachesTheCrew lets a machine fail and follows the alert: to a mail
// server, a webhook and an ntfy server at once, to an SMS spool as the next step;
// the link of the mail acknowledges, and what is pending is cancelled.
func TestAlertReachesTheCrew(t *testing.T) {
	t.Parallel() // waits most of its time
	c := newCrew(t)
	w := newWorks(t)
	w.extra = c.notify(w.api.base)
	w.configure()
	ladder(t, filepath.Join(w.dir, "ladder.csv.replay"), 2, 20*time.Second)
	tags, assets := ladderAssets(t, w.dir, 2)
	w.watch(tags, assets)
	w.startPlant()
	eventually(t, 20*time.Second, "the plant answers", func() bool { return w.api.try("health", &object{}) == nil })
	w.api.send("PUT", "roster", object{"revision": 0, "note": "first", "people": []object{
		person("anna", "en", "mail:anna@works.example"),
		person("kamran", "ur", "ntfy:kamran"),
		person("igor", "ru", "sms:+79161234567"),
		person("cmms", "en", "webhook:cmms"),
	}, "teams": []object{{"id": "mech", "name": "Mechanics", "zone": "Asia/Karachi",
		"rotations": []object{{"people": []string{"anna"}, "start": "2026-01-01T06:00", "hours": 24}}}},
		"routes": []object{{"id": "all", "steps": []object{
			{"wait_s": 0, "teams": []string{"mech"}, "people": []string{"kamran", "cmms"}},
			{"wait_s": 5, "people": []string{"igor"}},
			{"wait_s": 600, "people": []string{"igor"}},
		}}}}, nil)
	w.startMill("--replay", filepath.Join(w.dir, "ladder.csv.replay"), "--speed", "20")
	w.startEdge()

	eventually(t, 60*time.Second, "mail, ntfy and webhook have the alarm", func() bool {
		return len(c.by("mail")) > 0 && len(c.by("ntfy")) > 0 && len(c.by("webhook")) > 0
	})
	mail := c.by("mail")[0]
	if !strings.Contains(mail.text, "REPLAY/M000") || mail.to != "anna@works.example" {
		t.Errorf("mail to %s:\n%s", mail.to, mail.text)
	}
	if hook := c.by("webhook")[0]; hook.alarm != "REPLAY/M000" || hook.status != "firing" || hook.key == "" {
		t.Errorf("webhook: asset %q, status %q, key %q", hook.alarm, hook.status, hook.key)
	}
	if n := c.by("ntfy")[0]; n.to != "kamran" || !strings.ContainsAny(n.text, "ابپتٹجچحخ") {
		t.Errorf("ntfy to %s is not Urdu:\n%s", n.to, n.text)
	}
	eventually(t, 20*time.Second, "the SMS of the second step lies in the spool", func() bool { return len(c.sms(t)) == 1 })

	// A scanner follows the link: nothing happens. A person presses the button.
	link := regexp.MustCompile(`http://127\.0\.0\.1:\d+/ack/[A-Za-z0-9_=-]+`).FindString(unfold(mail.text))
	if link == "" {
		t.Fatalf("the mail has no link:\n%s", mail.text)
	}
	if res, err := http.Get(link); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET of the link: %v %v", res, err)
	}
	first := w.api.alarms()[slices.IndexFunc(w.api.alarms(), func(a alarmJSON) bool { return a.Asset == "REPLAY/M000" })]
	if first.State != "unacked" {
		t.Fatalf("a GET has acknowledged: %s", first.State)
	}
	before := time.Now()
	res, err := http.PostForm(link, url.Values{})
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("POST of the link: %v %v", res, err)
	}
	cancelled := func() bool {
		for _, m := range w.api.messages(fmt.Sprintf("&alarm=%d", first.ID)) {
			if m.State == "pending" || m.State == "held" {
				return false
			}
		}
		return true
	}
	eventually(t, time.Second, "everything pending is cancelled", cancelled)
	t.Logf("acknowledged by the link, nothing pending after %v", time.Since(before).Round(time.Millisecond))
	var a struct {
		State   string `json:"state"`
		AckedBy string `json:"acked_by"`
	}
	w.api.get(fmt.Sprintf("alarms/%d", first.ID), &a)
	if a.State != "acked" || a.AckedBy != "anna" {
		t.Errorf("alarm is %s by %q, want acked by anna", a.State, a.AckedBy)
	}
	if res, err := http.PostForm(link, url.Values{}); err != nil || res.StatusCode == http.StatusInternalServerError {
		t.Errorf("the link a second time: %v %v", res, err)
	}
}

// unfold takes the soft line breaks of quoted-printable out.
func unfold(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "=\r\n", ""), "=3D", "=")
}

// TestAlertsSurviveKills kills the plant at random moments while a new alarm comes
// five times a second. Afterwards every alarm has reached the webhook and nothing
// has come under two names: no message is lost, none is repeated but by its key.
// MILLWRIGHT_KILLS sets how often (make soak-users: 100).
func TestAlertsSurviveKills(t *testing.T) {
	kills := 5
	if s := os.Getenv("MILLWRIGHT_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	n := min(999, 10*kills)
	c := newCrew(t)
	w := newWorks(t)
	w.extra = c.notify(w.api.base)
	w.configure()
	replay := filepath.Join(w.dir, "ladder.csv.replay")
	ladder(t, replay, n, time.Second)
	tags, assets := ladderAssets(t, w.dir, n)
	w.watch(tags, assets)
	w.startPlant()
	eventually(t, 20*time.Second, "the plant answers", func() bool { return w.api.try("health", &object{}) == nil })
	w.api.send("PUT", "roster", object{"revision": 0, "people": []object{person("cmms", "en", "webhook:cmms"), person("anna", "en", "mail:anna@works.example")},
		"teams": []object{}, "routes": []object{{"id": "all", "steps": []object{{"wait_s": 0, "people": []string{"cmms", "anna"}}}}}}, nil)
	w.startMill("--replay", replay, "--speed", "5")
	w.startEdge()
	w.waitLive(30 * time.Second)
	for range kills {
		time.Sleep(time.Duration(500+rand.IntN(2500)) * time.Millisecond)
		w.plant.kill()
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
		w.startPlant()
	}
	firing := func() []handed {
		return slices.DeleteFunc(c.by("webhook"), func(m handed) bool { return m.status != "firing" })
	}
	eventually(t, time.Duration(n)*time.Second/5+90*time.Second, "every machine's alarm has reached the webhook", func() bool {
		seen := map[string]bool{}
		for _, m := range firing() {
			seen[m.alarm] = true
		}
		return len(seen) == n
	})
	eventually(t, 30*time.Second, "nothing is under way any more", func() bool {
		var list struct{ Messages []messageJSON }
		if w.api.try("messages?channel=webhook&state=pending", &list) != nil || len(list.Messages) > 0 {
			return false
		}
		return w.api.try("messages?channel=webhook&state=sending", &list) == nil && len(list.Messages) == 0
	})
	keys, again := map[string]map[string]bool{}, 0
	seen := map[string]bool{}
	for _, m := range firing() {
		if keys[m.alarm] == nil {
			keys[m.alarm] = map[string]bool{}
		}
		keys[m.alarm][m.key] = true
		if seen[m.key] {
			again++
		}
		seen[m.key] = true
	}
	wrong := 0
	for k := range n {
		if asset := fmt.Sprintf("REPLAY/M%03d", k); len(keys[asset]) != 1 {
			wrong++
			t.Errorf("%s: told under %d keys", asset, len(keys[asset]))
		}
	}
	t.Logf("%d kills, %d alarms: %d lost or repeated, %d handed over again with the same key; %d mails to one person",
		kills, n, wrong, again, len(c.by("mail")))
	fmt.Printf("FIGURE users.alerts_wrong %d messages\n", wrong)
}
