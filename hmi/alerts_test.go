package hmi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"millwright/plant"
)

func (s *site) send(method, path, body string, headers ...string) answer {
	s.t.Helper()
	return s.ask(method, "/api/v1/"+path, body, append([]string{"Content-Type", "application/json"}, headers...)...)
}

func TestRoster(t *testing.T) {
	s := run(t, nil)
	s.is(s.get("roster"), `{"revision":0,"saved":null,"saved_by":null,"note":null,"people":[],"teams":[],"routes":[]}`)
	s.is(s.get("roster/revisions"), `{"revisions":[]}`)
	saved := strings.Replace(fullRoster, `"revision":0,"note":"first"`, `"revision":1,"saved":"2026-11-22T00:05:00.000Z","saved_by":"demo","note":"first"`, 1)
	s.is(s.send("PUT", "roster", fullRoster), saved)
	s.is(s.get("roster"), saved)
	s.is(s.get("roster/revisions/1"), saved)
	s.is(s.get("roster/revisions?limit=5"), `{"revisions":[{"revision":1,"saved":"2026-11-22T00:05:00.000Z","saved_by":"demo","note":"first"}]}`)
	s.refused(s.get("roster/revisions/2"), 404, "id: there is no revision 2")
	s.refused(s.get("roster/revisions/x"), 400, `id: "x" is not a revision's number`)
	s.refused(s.send("PUT", "roster", fullRoster), 409, "the roster has changed since revision 0")
	s.refused(s.send("PUT", "roster", `{"revision":1,"people":[],"teams":[]}`), 400, "body: people, teams or routes is missing")
	s.refused(s.send("PUT", "roster", `{"revision":1,"peoples":[]}`), 400, `body: unknown field "peoples"`)
	s.refused(s.send("PUT", "roster", strings.Replace(fullRoster, "first", strings.Repeat("x", 1001), 1)), 400, "note: 1001 characters")
	a := s.send("PUT", "roster", `{"revision":1,"people":[{"id":"a"},{"id":"b"}],"teams":[],"routes":[]}`)
	s.refused(a, 400, "people[0].name: missing")
	var p problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || len(p.Faults) != 2 || p.Faults[1] != "people[1].name: missing" {
		t.Errorf("faults %q %v", p.Faults, err)
	}
	// A roster may be large; nothing else may.
	large := strings.Replace(fullRoster, `"revision":0,"note":"first"`, `"revision":1,"note":"`+strings.Repeat(" ", maxBody)+`"`, 1)
	s.refused(s.send("PUT", "roster", large), 400, "note: ")
	s.refused(s.send("PUT", "roster", strings.Repeat(" ", maxRoster+1)), 413, fmt.Sprint("the body is larger than ", maxRoster))
	s.refused(s.send("POST", "models/shadow", large), 413, fmt.Sprint("the body is larger than ", maxBody))
}

func TestOnCall(t *testing.T) {
	s := run(t, nil)
	s.send("PUT", "roster", fullRoster)
	s.is(s.get("oncall?at=2026-11-22T05:05:00%2B05:00"), `{"at":"2026-11-22T00:05:00.000Z","teams":[{"team":"mill","name":"Mill crew",
		"people":[{"id":"ali","name":"Ali Raza"},{"id":"gone","name":"gone"}],"override":false,"until":"2026-11-22T01:05:00.000Z"}]}`)
	if a := s.get("oncall"); a.status != 200 || strings.Contains(a.body, "1970") {
		t.Errorf("now: %d %s", a.status, a.body)
	}
	s.refused(s.get("oncall?at=tomorrow"), 400, `at: "tomorrow" is not a time`)
}

func TestMessages(t *testing.T) {
	s := run(t, nil)
	s.send("PUT", "roster", fullRoster)
	for i := range int64(5) {
		s.desk().sent = append(s.desk().sent, plant.Message{ID: i + 1, Alarm: i%2 + 1, Person: "ali", Channel: "mail", State: plant.MessageSent})
	}
	s.desk().sent = append(s.desk().sent, plant.Message{ID: 6, Alarm: 17, Alarms: []int64{17, 18}, Purpose: plant.PurposeAlarm, Step: 1, Person: "ali", Channel: "sms",
		Address: "+923001234567", Language: "ur", Priority: 2, State: plant.MessageDead, Reason: "gave up", Created: epoch, Due: epoch + second, Tries: 9, Error: "modem", Subject: "P2", Text: "سلام"})
	six := `{"id":6,"alarm":17,"alarms":[17,18],"purpose":"alarm","step":1,"person":"ali","person_name":"Ali Raza","channel":"sms","address":"+923001234567","language":"ur",
		"priority":2,"state":"dead","reason":"gave up","created":"2026-11-22T00:05:00.000Z","due":"2026-11-22T00:05:01.000Z","sent":null,"tries":9,"error":"modem","subject":"P2","text":"سلام"}`
	s.is(s.get("messages?state=dead&channel=sms&person=ali&alarm=17"), `{"messages":[`+six+`],"next":null}`)
	s.is(s.get("messages?person=ivan"), `{"messages":[],"next":null}`)
	first, next := pageOf(t, s.get("messages?alarm=1&limit=2").body, "messages")
	second, end := pageOf(t, s.get("messages?alarm=1&limit=2&after="+next).body, "messages")
	if len(first) != 2 || len(second) != 1 || end != "" || !strings.HasPrefix(first[0], `{"id":5`) || !strings.HasPrefix(second[0], `{"id":1`) {
		t.Errorf("pages %v %v %q", first, second, end)
	}
	s.refused(s.get("messages?state=lost"), 400, `state: "lost" is not a state; pending, held`)
	s.refused(s.get("messages?alarm=0"), 400, `alarm: "0" is not a number of one`)
	s.refused(s.get("messages?alarm="), 400, `alarm: "" is not`)
	s.refused(s.get("messages?after="+*cursor('m', "x")), 400, "after: not a cursor")
	s.refused(s.get("messages?after="+*cursor('a', "1")), 400, "after: not a cursor")

	s.is(s.send("POST", "messages/6/retry", ""), strings.NewReplacer(`"dead"`, `"pending"`, "gave up", "again, by demo").Replace(six))
	s.refused(s.send("POST", "messages/6/retry", ""), 409, "message 6 was not given up")
	s.refused(s.send("POST", "messages/99/retry", ""), 404, "id: there is no message 99")
	s.refused(s.send("POST", "messages/x/retry", ""), 400, `id: "x" is not a message's number`)
}

func TestChannels(t *testing.T) {
	s := run(t, nil)
	s.desk().channels[0].Sent, s.desk().channels[0].LastSent = 7, epoch
	s.is(s.get("channels"), `{"channels":[{"name":"mail","target":"smtp://mail.plant:25","state":"ok","since":null,"sent":7,"failed":0,"dead":0,"pending":0,
		"last_sent":"2026-11-22T00:05:00.000Z","error":null,"heartbeat":true}]}`)
	a := s.send("POST", "channels/mail/test", `{"address":"ali@plant","language":"ru"}`)
	if a.status != http.StatusAccepted || !strings.Contains(a.body, `"purpose":"test"`) || !strings.Contains(a.body, `"language":"ru"`) || !strings.Contains(a.body, `"address":"ali@plant"`) ||
		!strings.Contains(a.body, "Asked for by demo") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.send("POST", "channels/mail/test", `{"address":"ali@plant"}`); a.status != http.StatusAccepted || !strings.Contains(a.body, `"language":"en"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.refused(s.send("POST", "channels/fax/test", `{"address":"1"}`), 404, `name: there is no channel "fax"`)
	s.refused(s.send("POST", "channels/mail/test", `{}`), 400, "address: 0 characters")
	s.refused(s.send("POST", "channels/mail/test", `{"address":"`+strings.Repeat("x", 321)+`"}`), 400, "address: 321 characters")
	s.refused(s.send("POST", "channels/mail/test", `{"address":"x","language":"de"}`), 400, `language: "de" is not a language`)
	if n := len(s.desk().sent); n != 2 {
		t.Errorf("%d tests were sent", n)
	}
}

// TestAddressesAreMasked asks as a viewer: nobody's telephone number, mail address
// or topic is in what comes back, and nobody, of whatever role, gets the link by
// which somebody else acknowledges.
func TestAddressesAreMasked(t *testing.T) {
	s := guarded(t)
	as := func(role string) []string { return []string{"Authorization", "Bearer " + s.token(role)} }
	if a := s.send("PUT", "roster", fullRoster, as("engineer")...); a.status != 200 {
		t.Fatal(a)
	}
	link := "http://hmi.plant:8080/ack/AbC-_123"
	for i, m := range []plant.Message{{Channel: "sms", Address: "+923001234567", Error: "modem: +923001234567 refused"}, {Channel: "mail", Address: "ali@plant.example", Error: "550 <ali@plant.example> unknown; seen " + link},
		{Channel: "ntfy", Address: "mill-crew-x7", Error: "http://ntfy/mill-crew-x7: 403"}, {Channel: "webhook", Address: "siren"}} {
		m.ID, m.Person, m.Subject, m.Text = int64(i+1), "ali", "see "+link, "Take it: "+link+"\nCode 47"
		s.desk().sent = append(s.desk().sent, m)
	}
	s.desk().channels[0].Error = "550 ali@plant.example: no such user"
	secrets := []string{"3001234", "ali@plant", "mill-crew"}
	for _, path := range []string{"roster", "roster/revisions/1", "messages", "channels"} {
		viewer := s.get(path, as("viewer")...)
		operator := s.get(path, as("operator")...)
		if viewer.status != 200 || operator.status != 200 {
			t.Fatalf("%s: %d %d", path, viewer.status, operator.status)
		}
		for _, secret := range secrets {
			if strings.Contains(viewer.body, secret) {
				t.Errorf("%s tells a viewer %s: %s", path, secret, viewer.body)
			}
			if path != "channels" && !strings.Contains(operator.body, secret) {
				t.Errorf("%s does not tell an operator %s", path, secret)
			}
		}
		for _, a := range []answer{viewer, operator} {
			if strings.Contains(a.body, "AbC-_123") || strings.Contains(a.body, "hmi.plant") {
				t.Errorf("%s gives away a link: %s", path, a.body)
			}
		}
	}
	if a := s.get("messages", as("viewer")...); !strings.Contains(a.body, `"address":"…4567"`) || !strings.Contains(a.body, `"address":"a…@plant.example"`) ||
		!strings.Contains(a.body, `"address":"siren"`) || !strings.Contains(a.body, `Take it: /ack/…\nCode 47`) {
		t.Error(a.body)
	}
}

func TestMasked(t *testing.T) {
	for _, c := range [][3]string{{"sms", "+923001234567", "…4567"}, {"sms", "1234567", "…"}, {"sms", "", "…"}, {"mail", "я@x", "я…@x"}, {"mail", "@x", "…"},
		{"ntfy", "mill-crew", "…crew"}, {"webhook", "siren", "siren"}} {
		if got := masked(c[0], c[1]); got != c[2] {
			t.Errorf("%s %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

func FuzzMasked(f *testing.F) {
	f.Add("mail", "ali@plant.example", "550 <ali@plant.example> http://x/ack/abc")
	f.Add("sms", "+923001234567", "refused")
	f.Fuzz(func(t *testing.T, channel, address, text string) {
		if got := masked(channel, address); channel != "webhook" && len(address) > 8 && got == address {
			t.Errorf("%q stays as it is", address)
		}
		if !utf8.ValidString(text) {
			return
		}
		if got := withoutLinks(text); strings.Contains(strings.ReplaceAll(got, "/ack/…", ""), "/ack/") {
			t.Errorf("%q keeps a link: %q", text, got)
		}
		if strings.Contains(withoutAddresses("x "+text+" to ali@plant.example"), "ali@plant") {
			t.Errorf("%q hides an address", text)
		}
	})
}

// TestNotThere holds that a works without a part says so.
func TestNotThere(t *testing.T) {
	s := run(t, func(s *Server) { s.Labels, s.Alerts, s.Models, s.Export = nil, nil, nil, nil })
	for _, c := range [][3]string{{"GET", "labels", "this works keeps no answers"}, {"POST", "alarms/1/label", "this works keeps no answers"}, {"GET", "precision", "this works keeps no answers"},
		{"GET", "roster", "this works tells nobody of alarms: add the section [notify]"}, {"PUT", "roster", "this works tells nobody"}, {"GET", "messages", "this works tells nobody"},
		{"GET", "oncall", "this works tells nobody"}, {"POST", "channels/mail/test", "this works tells nobody"}, {"GET", "models", "this works rolls no trained models out"},
		{"POST", "models/promote", "this works rolls no"}, {"GET", "export", "this works exports nothing"}} {
		s.refused(s.send(c[0], c[1], ""), 404, c[2])
	}
	s.refused(s.ask("GET", "/tuf/metadata/root.json", ""), 404, "this works rolls no")
	if a := s.ask("GET", "/ack/x", ""); a.status != 404 || !strings.Contains(a.body, "This link is not known") {
		t.Errorf("/ack/x: %d %s", a.status, a.body)
	}
}

// TestChangesAreLogged holds that the log says who asked for what, and no secret.
func TestChangesAreLogged(t *testing.T) {
	s := guarded(t)
	token := s.token("viewer")
	s.send("PUT", "roster", fullRoster, "Authorization", "Bearer "+token)
	s.send("POST", "channels/mail/test", `{"address":"ali@plant"}`, "Authorization", "Bearer "+s.token("engineer"))
	s.send("DELETE", "labels/9", "")
	s.get("roster", "Authorization", "Bearer "+token)
	log := s.logged()
	for _, want := range []string{"who=viewer method=PUT path=/api/v1/roster source=127.0.0.1 status=403", "who=engineer method=POST path=/api/v1/channels/mail/test source=127.0.0.1 status=200",
		`who="" method=DELETE path=/api/v1/labels/9 source=127.0.0.1 status=401`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	for _, secret := range []string{token, "ali@plant", "+92300", "method=GET"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %s:\n%s", secret, log)
		}
	}
}
