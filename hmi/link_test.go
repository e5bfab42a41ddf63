package hmi

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

// linked is a guarded server, with links to an alarm of the gearbox.
func linked(t *testing.T) *site {
	s := guarded(t)
	s.Zone = time.FixedZone("PKT", 5*3600)
	for _, l := range []struct{ token, language, name string }{{"en1", "en", "John <b>Smith"}, {"ur1", "ur", "علی"}, {"ru1", "ru", "Иван"}, {"xx1", "xx", "Max"}} {
		s.desk().links[l.token] = &plant.AckLink{Alarm: alarmAt(17, plant.Unacked, plant.Advisory, 2), Language: l.language, Valid: true,
			Person: plant.Person{ID: "id-" + l.token, Name: l.name}, Text: "Do first: look at the oil\nAcknowledge: http://hmi.plant/ack/" + l.token + "\nCode 47"}
	}
	return s
}

func (s *site) page(a answer, status int, has ...string) {
	s.t.Helper()
	if a.status != status || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Robots-Tag") != "noindex, nofollow" {
		s.t.Errorf("%d %s", a.status, a.header)
	}
	for _, want := range append(has, `<html lang="`) {
		if !strings.Contains(a.body, want) {
			s.t.Errorf("the page lacks %q:\n%s", want, a.body)
		}
	}
	for _, bad := range []string{"<script", "style=", "onclick", "http://", "<b>Smith"} {
		if strings.Contains(a.body, bad) {
			s.t.Errorf("the page has %q:\n%s", bad, a.body)
		}
	}
}

const button = `<form method="post">`

// TestLinkOnce looks as often as it likes, takes once, and is spent.
func TestLinkOnce(t *testing.T) {
	s := linked(t)
	for range 40 {
		s.page(s.ask("GET", "/ack/en1", ""), 200, button, "Priority 2", "F3 gearbox", gearbox, "Unusual behaviour", "VIB_H", "22 Nov 2026, 05:05",
			"You take this alarm as John &lt;b&gt;Smith.", "Take the alarm", "Do first: look at the oil\nCode 47")
		if a := s.ask("HEAD", "/ack/en1", ""); a.status != 200 || a.body != "" {
			t.Fatalf("HEAD: %d %q", a.status, a.body)
		}
	}
	if l := s.desk().links["en1"]; !l.Valid || l.Alarm.State != plant.Unacked {
		t.Fatalf("looking took it: %+v", l)
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH"} {
		if a := s.ask(method, "/ack/en1", ""); a.status != 405 {
			t.Errorf("%s: %d", method, a.status)
		}
	}
	// As a browser does it, from this page; not from another site.
	s.refused(s.postForm("/ack/en1", nil, "Sec-Fetch-Site", "cross-site"), 403, "the request comes from another site")
	s.refused(s.postForm("/ack/en1", nil, "Origin", "http://evil.example"), 403, "the request comes from another site")
	a := s.postForm("/ack/en1", nil, "Origin", s.url)
	s.page(a, 200, "You have taken this alarm as John &lt;b&gt;Smith, 22 Nov 2026, 05:15.", "Open Millwright")
	if strings.Contains(a.body, button) {
		t.Error("the button is still there")
	}
	for _, again := range []answer{s.postForm("/ack/en1", nil), s.ask("GET", "/ack/en1", "")} {
		s.page(again, 410, "This link has been used.", "John &lt;b&gt;Smith has taken this alarm already, 22 Nov 2026, 05:15.")
		if strings.Contains(again.body, button) {
			t.Error("a spent link has the button")
		}
	}
	log := s.logged()
	if strings.Count(log, "acknowledged by a link") != 1 || !strings.Contains(log, "alarm=17 person=id-en1") || strings.Contains(log, "/ack/en1") {
		t.Errorf("log:\n%s", log)
	}
}

func TestLinkSpent(t *testing.T) {
	s := linked(t)
	l := s.desk().links["en1"]
	l.Valid, l.Why = false, "expired"
	s.page(s.ask("GET", "/ack/en1", ""), 410, "This link is too old.")
	s.page(s.postForm("/ack/en1", nil), 410, "This link is too old.")
	l.Why, l.Alarm.State, l.Alarm.AckedBy, l.Alarm.Acked = "acknowledged", plant.Acked, "Bob", epoch
	s.page(s.ask("GET", "/ack/en1", ""), 200, "Bob has taken this alarm already, 22 Nov 2026, 05:05.")
	s.page(s.postForm("/ack/en1", nil), 409, "Bob has taken this alarm already, 22 Nov 2026, 05:05.")
	l.Alarm.Returned = epoch + 120*second
	s.page(s.ask("GET", "/ack/en1", ""), 200, "Back to normal", "22 Nov 2026, 05:07")
}

func TestLinkLanguages(t *testing.T) {
	s := linked(t)
	s.page(s.ask("GET", "/ack/ur1", "", "Accept-Language", "ru"), 200, `<html lang="ur" dir="rtl">`, "الارم سنبھالیں", "ترجیح 2", "علی", "22/11/2026, 05:05", `<bdi class="tag" dir="ltr">VIB_H</bdi>`)
	s.page(s.ask("GET", "/ack/ru1", ""), 200, `<html lang="ru" dir="ltr">`, "Принять тревогу", "Приоритет 2", "Иван", "22.11.2026, 05:05", "Необычное поведение")
	s.page(s.ask("GET", "/ack/xx1", ""), 200, `<html lang="en" dir="ltr">`)
	s.page(s.postForm("/ack/ur1", nil), 200, `dir="rtl"`, "آپ نے یہ الارم علی کے نام سے سنبھال لیا ہے")
	// Of an unknown link the reader's browser alone says the language.
	s.page(s.ask("GET", "/ack/forged", "", "Accept-Language", "de, ur-PK;q=0.9, en;q=0.8"), 404, `<html lang="ur" dir="rtl">`, "یہ لنک معلوم نہیں۔")
	for header, want := range map[string]string{"": "en", "de": "en", "ru-RU,ru;q=0.9,en;q=0.8": "ru", "UR": "ur", "*": "en", "english": "en", ";;,": "en"} {
		if got := preferred(header); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
	// The login speaks them too.
	if a := s.ask("GET", "/login", "", "Accept-Language", "ru"); !strings.Contains(a.body, `<html lang="ru" dir="ltr">`) || !strings.Contains(a.body, "Пароль") || a.header.Get("Vary") != "Accept-Language" {
		t.Errorf("%s %s", a.header, a.body)
	}
	if a := s.postForm("/login", url.Values{"name": {"x"}}, "Accept-Language", "ur"); a.status != 401 || !strings.Contains(a.body, `dir="rtl"`) || !strings.Contains(a.body, "نام یا پاس ورڈ غلط ہے۔") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestLinkForged counts guesses by source: known links stay free, and too many
// unknown ones close the source.
func TestLinkForged(t *testing.T) {
	s := linked(t)
	for i := range 30 {
		method := []string{"GET", "POST"}[i%2]
		s.page(s.ask(method, fmt.Sprint("/ack/guess", i), "", "Content-Type", "application/x-www-form-urlencoded"), 404, "This link is not known.")
	}
	a := s.ask("GET", "/ack/en1", "")
	s.page(a, 429, "Too many attempts. Try again in 30 seconds.")
	if a.header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	if a := s.postForm("/ack/en1", nil); a.status != 429 || !s.desk().links["en1"].Valid {
		t.Errorf("POST: %d", a.status)
	}
	// Passwords are another count.
	if a := s.login("operator", password); a.status != 303 {
		t.Errorf("login: %d", a.status)
	}
	s = linked(t)
	before := s.desk().looked
	s.page(s.ask("GET", "/ack/"+strings.Repeat("x", maxToken+1), ""), 404, "This link is not known.")
	if s.desk().looked != before {
		t.Error("a token of any length is looked up")
	}
	if a := s.ask("GET", "/ack/", "", "Accept", "text/html"); a.status != 404 {
		t.Errorf("no token: %d", a.status)
	}
	if a := s.ask("GET", "/ack/en1/x", "", "Accept", "text/html"); a.status != 404 {
		t.Errorf("more than a token: %d", a.status)
	}
}

// TestLinkFault holds that a fault behind the page tells nothing, also not the log
// the token.
func TestLinkFault(t *testing.T) {
	s := linked(t)
	s.Refusals = nil // errNoRow is a fault now
	s.refused(s.ask("GET", "/ack/secret-token", ""), 500, "the server could not do this")
	if log := s.logged(); strings.Contains(log, "secret-token") || !strings.Contains(log, "/ack/…") {
		t.Errorf("log:\n%s", log)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{90 * time.Second: "1 min", 119 * time.Minute: "119 min", 2 * time.Hour: "2 h", 47 * time.Hour: "47 h", 48 * time.Hour: "2 days"} {
		if got := span(english, d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func FuzzPreferred(f *testing.F) {
	f.Add("de, ur-PK;q=0.9, en;q=0.8")
	f.Add("ru")
	f.Fuzz(func(t *testing.T, header string) {
		if l := preferred(header); l != plant.English && l != plant.Urdu && l != plant.Russian {
			t.Errorf("%q: %q", header, l)
		}
	})
}
