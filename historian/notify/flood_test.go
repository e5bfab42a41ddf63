package notify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millwright/plant"
)

// perMinute is the most messages that were begun for a person in any minute.
func perMinute(list []handed, person string) int {
	most := 0
	for i := range list {
		n := 0
		for j := range list {
			if d := list[j].at.Sub(list[i].at); list[j].Person == person && d >= 0 && d < time.Minute {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// A thousand alarms in a minute: nobody gets more than ten messages in any
// minute, and every alarm is named in one of them.
func TestFlood(t *testing.T) {
	r := crew()
	r.Routes[0].Steps = []plant.Step{{Teams: []string{"mech"}, People: []string{"boss", "cmms"}, Channels: []string{"mail", "sms"}}}
	r.People = append(r.People, plant.Person{ID: "cmms", Name: "Work orders", Language: "en", Contacts: []plant.Contact{contact("webhook", "cmms")}})
	inBubble(t, r, func(t *testing.T, w *works) {
		n := 1000
		if slow {
			n = 100
		}
		for i := 0; i < n; i += 10 {
			var some []plant.Finding
			for j := range 10 {
				some = append(some, finding(fmt.Sprintf("A%04d", i+j), plant.Raise, 2+j%3))
			}
			w.apply(some...)
			time.Sleep(time.Minute * 10 / time.Duration(n))
		}
		w.wait(5 * time.Minute)
		mail, sms, hook := w.mail.take(), w.sms.take(), w.hook.take()
		all := slices.Concat(mail, sms)
		for _, who := range []string{"ali", "boss"} {
			if got := perMinute(all, who); got > 10 || got == 0 {
				t.Errorf("%s got %d messages in a minute", who, got)
			}
		}
		named := func(list []handed, person string) int {
			seen := map[int64]bool{}
			for _, m := range list {
				for _, id := range m.Alarms {
					if m.Person != person {
						continue
					}
					if seen[id] {
						t.Errorf("%s: alarm %d told twice", person, id)
					}
					seen[id] = true
				}
			}
			return len(seen)
		}
		if a, b, c, d := named(mail, "ali"), named(sms, "ali"), named(mail, "boss"), named(hook, "cmms"); a != n || b != n || c != n || d != n || len(hook) != n {
			t.Errorf("told of %d, %d, %d, %d alarms in %d, %d messages and %d hooks, want %d", a, b, c, d, len(mail), len(sms), len(hook), n)
		}
		digest := mail[slices.IndexFunc(mail, func(m handed) bool { return m.Purpose == plant.PurposeDigest })]
		if !strings.Contains(digest.Subject, fmt.Sprint(len(digest.Alarms))) {
			t.Errorf("%d alarms in %q", len(digest.Alarms), digest.Subject)
		}
		if s, err := w.desk.Stats(t.Context()); err != nil || s.Held+s.Pending+s.Sending+s.Dead > 0 {
			t.Errorf("%+v %v", s, err)
		}
		t.Logf("%d alarms: %d mails, %d SMS, most in a minute: ali %d, boss %d", n, len(mail), len(sms), perMinute(all, "ali"), perMinute(all, "boss"))
	})
}

// What is urgent passes a flood while there is room, and before what waits.
func TestUrgentInFlood(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		for i := range 50 {
			w.apply(finding(fmt.Sprint("A", i), plant.Raise, 3))
		}
		synctest.Wait()
		if n := len(w.mail.take()); n != 8 {
			t.Errorf("%d messages", n)
		}
		id := w.raise("URGENT", 1)
		if m := w.expect(w.mail, "alarm ali"); m[0].Alarm != id {
			t.Errorf("%+v", m)
		}
		w.raise("URGENT2", 1)
		w.raise("URGENT3", 1)
		w.expect(w.mail, "alarm ali")
		w.wait(time.Minute)
		got := w.expect(w.mail, "alarm ali", "digest ali")
		for _, m := range got {
			if m.Purpose == plant.PurposeAlarm != (m.Priority == 1) || m.Purpose == plant.PurposeDigest && len(m.Alarms) != 42 {
				t.Errorf("%+v", m.Message)
			}
		}
	})
}

// What a flood holds is cancelled by acknowledging it, like all that is pending.
func TestFloodAcknowledged(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		var ids []int64
		for i := range 12 {
			ids = append(ids, w.raise(fmt.Sprint("A", i), 3))
		}
		w.mail.take()
		for _, id := range ids[8:11] {
			w.ack(id, "anna")
		}
		w.wait(time.Minute)
		if got := w.expect(w.mail, "alarm ali"); got[0].Alarm != ids[11] {
			t.Errorf("%+v", got)
		}
	})
}

// Retries of what a dead server did not take do not come as a flood when it is
// back.
func TestFloodAfterOutage(t *testing.T) {
	r := crew()
	r.People[2].Contacts[0] = contact("mail", "boss@mill")
	r.Routes[0].Steps = []plant.Step{{People: []string{"boss"}}}
	inBubble(t, r, func(t *testing.T, w *works) {
		w.mail.set(func(plant.Message) error { return fmt.Errorf("away") })
		for i := range 30 {
			w.raise(fmt.Sprint("A", i), 2)
			w.wait(20 * time.Second)
		}
		w.mail.set(nil)
		w.wait(20 * time.Minute)
		got := w.mail.take()
		seen := map[int64]bool{}
		for _, m := range got {
			for _, id := range m.Alarms {
				seen[id] = true
			}
		}
		if most := perMinute(got, "boss"); most > 10 || len(seen) != 30 {
			t.Errorf("%d in a minute, %d alarms told", most, len(seen))
		}
	})
}

func TestQuietHours(t *testing.T) {
	r := crew()
	r.People[0].Quiet = &plant.Quiet{From: "08:00", To: "12:00", Zone: "UTC", Passes: 2}
	inBubble(t, r, func(t *testing.T, w *works) {
		two := w.raise("TWO", 2)
		w.expect(w.mail, "alarm ali")
		w.ack(two, "anna")
		a, b, c := w.raise("A", 3), w.raise("B", 4), w.raise("C", 3)
		w.expect(w.mail)
		if m := w.messages(plant.MessageQuery{Alarm: a})[0]; m.State != plant.MessageHeld || m.Reason != "quiet hours until 12:00" {
			t.Errorf("%+v", m)
		}
		w.wait(time.Minute)
		w.clear("B")
		w.ack(c, "anna")
		w.wait(5 * time.Minute) // others are asked meanwhile
		w.expect(w.mail, "alarm omar")
		w.wait(3 * time.Hour)
		w.mail.take()
		w.wait(time.Hour)
		got := w.expect(w.mail, "digest ali")
		if !slices.Equal(got[0].Alarms, []int64{a, b, c}) {
			t.Errorf("%v", got[0].Alarms)
		}
		t.Log(got[0].Subject + "\n" + got[0].Text)
		for _, id := range []int64{a, b, c} {
			if m := w.messages(plant.MessageQuery{Alarm: id, Person: "ali"})[0]; m.State != plant.MessageCancelled || !strings.HasPrefix(m.Reason, "told in message ") {
				t.Errorf("%+v", m)
			}
		}
		w.wait(3 * time.Hour)
		w.expect(w.mail)
	})
}

// A flood in quiet hours, more than one channel: all of it is told when they end.
func TestFloodInQuietHours(t *testing.T) {
	r := crew()
	r.People[0].Quiet = &plant.Quiet{From: "22:00", To: "08:30", Zone: "UTC"}
	r.Routes[0].Steps = []plant.Step{{Teams: []string{"mech"}, Channels: []string{"sms", "mail"}}}
	inBubble(t, r, func(t *testing.T, w *works) {
		for i := range 100 {
			w.apply(finding(fmt.Sprint("A", i), plant.Raise, 1+i%4))
		}
		w.wait(29 * time.Minute)
		for _, m := range slices.Concat(w.mail.take(), w.sms.take()) {
			if m.Priority > 1 {
				t.Errorf("in quiet hours %+v", m.Message)
			}
		}
		w.wait(time.Minute)
		mail, sms := w.expect(w.mail, "digest ali"), w.expect(w.sms, "digest ali")
		if len(mail[0].Alarms) != 75 || len(sms[0].Alarms) != 75 {
			t.Errorf("%d, %d alarms in the digests", len(mail[0].Alarms), len(sms[0].Alarms))
		}
	})
}

func TestHeartbeat(t *testing.T) {
	r := crew()
	r.People[1].Contacts = append(r.People[1].Contacts, contact("ntfy", "omar"))
	inBubble(t, r, func(t *testing.T, w *works) {
		w.limits.Heartbeat = 8 * time.Hour
		w.restart()
		w.wait(5*time.Hour + 59*time.Minute)
		w.expect(w.mail)
		w.wait(2 * time.Minute) // the turn at 14:00
		w.expect(w.mail, "heartbeat ali")
		w.expect(w.sms, "heartbeat ali")
		w.expect(w.ntfy, "heartbeat omar")
		w.restart()
		w.wait(7 * time.Hour)
		w.expect(w.mail)
		w.stop() // over the next turn
		w.wait(2 * time.Hour)
		w.start()
		w.wait(time.Minute)
		w.expect(w.mail, "heartbeat ali")
	})
}

// Each shift of each rotation begins with a heartbeat, also in turns of days and
// at hours of the day; what begins at one moment is told once.
func TestHeartbeatOfEachShift(t *testing.T) {
	f := func(name string, teams []plant.Team, want ...string) {
		t.Run(name, func(t *testing.T) {
			r := crew()
			r.Teams, r.Routes = teams, nil
			inBubble(t, r, func(t *testing.T, w *works) {
				w.limits.Heartbeat = 8 * time.Hour
				w.restart()
				w.wait(24*time.Hour - time.Second)
				var got []string
				for _, h := range w.mail.take() {
					got = append(got, h.at.UTC().Format("15:04 ")+h.Purpose+" "+h.Person)
				}
				if !slices.Equal(got, want) {
					t.Errorf("from 08:00 on %q, want %q", got, want)
				}
			})
		})
	}
	turns := func(person, start string, hours int) plant.Rotation {
		return plant.Rotation{People: []string{person}, Start: start, Hours: hours}
	}
	team := func(id, zone string, r ...plant.Rotation) plant.Team {
		return plant.Team{ID: id, Name: id, Zone: zone, Rotations: r}
	}
	f("two rotations", []plant.Team{team("a", "UTC", turns("ali", "2026-01-01T06:00", 12), turns("omar", "2026-01-01T10:00", 8))},
		"10:00 heartbeat ali", "18:00 heartbeat ali", "02:00 heartbeat ali", "06:00 heartbeat ali")
	f("weeks", []plant.Team{team("a", "UTC", turns("omar", "2026-01-01T07:00", 168))}, "07:00 heartbeat omar")
	day := turns("omar", "2026-01-01T00:00", 24)
	day.From, day.To = "09:00", "17:00"
	f("hours", []plant.Team{team("a", "UTC", day)}, "09:00 heartbeat omar")
	f("no rotation", []plant.Team{team("a", "Asia/Karachi")}, "09:00 heartbeat ali", "17:00 heartbeat ali", "01:00 heartbeat ali")
	f("no team", nil, "14:00 heartbeat ali", "22:00 heartbeat ali", "06:00 heartbeat ali")
	f("not yet", []plant.Team{team("a", "UTC", turns("omar", "2026-12-01T01:00", 8))}, "01:00 heartbeat omar")
	f("two teams", []plant.Team{team("a", "UTC", turns("ali", "2026-01-01T12:00", 24)), team("b", "UTC"), team("c", "UTC", turns("omar", "2026-01-01T14:00", 24))},
		"12:00 heartbeat ali", "14:00 heartbeat omar")
}

// A channel that nobody on call has is beaten to the first who has it, once
// whatever number of teams; one that nobody has is shown as such.
func TestHeartbeatOfEachChannel(t *testing.T) {
	r := crew()
	r.People[2].Contacts = append(r.People[2].Contacts, contact("webhook", "orders"))
	r.Teams = append(r.Teams, r.Teams[0])
	r.Teams[1].ID = "second"
	r.Teams[1].Rotations = r.Teams[1].Rotations[1:]
	inBubble(t, r, func(t *testing.T, w *works) {
		w.limits.Heartbeat = 8 * time.Hour
		w.restart()
		w.wait(6*time.Hour + time.Minute)
		w.expect(w.mail, "heartbeat ali", "heartbeat omar")
		w.expect(w.hook, "heartbeat boss")
		w.expect(w.ntfy)
		list, err := w.desk.Channels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		beaten := map[string]bool{}
		for _, c := range list {
			beaten[c.Name] = c.Heartbeat
		}
		if want := map[string]bool{"mail": true, "sms": true, "webhook": true, "ntfy": false}; !maps.Equal(beaten, want) {
			t.Errorf("%v, want %v", beaten, want)
		}
	})
}

// A heartbeat waits for the end of quiet hours; whoever left gets nothing more.
func TestHeartbeatInQuietHours(t *testing.T) {
	r := crew()
	r.People[0].Quiet = &plant.Quiet{From: "13:00", To: "15:00", Zone: "UTC"}
	inBubble(t, r, func(t *testing.T, w *works) {
		w.limits.Heartbeat = 8 * time.Hour
		w.restart()
		w.wait(6*time.Hour + 30*time.Minute)
		w.expect(w.mail)
		w.wait(29 * time.Minute)
		w.expect(w.mail)
		w.wait(time.Minute)
		w.expect(w.mail, "heartbeat ali")
	})
}

func TestLeft(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.mail.set(func(plant.Message) error { return fmt.Errorf("away") })
		w.raise("A", 2)
		r, err := w.desk.Roster(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.People = r.People[1:]
		r.Teams[0].Rotations = r.Teams[0].Rotations[1:]
		if _, err := w.desk.SaveRoster(t.Context(), r, "", "ali left"); err != nil {
			t.Fatal(err)
		}
		w.mail.set(nil)
		w.wait(4 * time.Minute)
		w.expect(w.mail)
		w.wait(time.Minute)
		// By mail or by SMS: all that was tried by mail so far has failed.
		if n := w.tally(); n["alarm omar"] == 0 || n["alarm ali"] != 0 {
			t.Errorf("%v", n)
		}
	})
}

// What a digest on the other way told does not come again when mail is back.
func TestDigestInstead(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.mail.set(func(plant.Message) error { return fmt.Errorf("away") })
		w.raise("FIRST", 3)
		w.wait(2 * time.Minute)
		for i := range 20 {
			w.raise(fmt.Sprint("A", i), 3)
		}
		w.wait(2 * time.Minute)
		n := 0
		for _, m := range w.sms.take() {
			n += len(m.Alarms)
		}
		if n != 21 {
			t.Errorf("%d alarms by SMS", n)
		}
		w.mail.set(nil)
		w.wait(50 * time.Second)
		for _, m := range w.mail.take() {
			t.Errorf("%s to %s about %v", m.Purpose, m.Person, m.Alarms)
		}
	})
}
