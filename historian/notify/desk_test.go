package notify

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millwright/historian/notify/channel"
	"millwright/plant"
)

func TestEscalation(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		id := w.raise("HSM/FM/F3/GBX", 2)
		m := w.expect(w.mail, "alarm ali")[0]
		if m.Alarm != id || !reflect.DeepEqual(m.Alarms, []int64{id}) || m.Step != 0 || m.Priority != 2 || m.Address != "ali@mill" || !strings.Contains(m.Text, "http://plant:8080/ack/") {
			t.Errorf("%+v", m.Message)
		}
		w.wait(299 * time.Second)
		w.expect(w.mail)
		w.wait(time.Second)
		w.expect(w.mail, "alarm omar")
		w.wait(10 * time.Minute)
		w.expect(w.mail, "alarm boss")
		w.wait(3 * time.Hour)
		w.expect(w.mail)
	})
}

func TestRepeat(t *testing.T) {
	r := crew()
	r.Routes[0].Steps = []plant.Step{{People: []string{"boss"}}}
	r.Routes[0].Repeat = 2
	inBubble(t, r, func(t *testing.T, w *works) {
		w.raise("A", 2)
		w.expect(w.mail, "alarm boss")
		for range 2 {
			w.wait(restart - time.Second)
			w.expect(w.mail)
			w.wait(time.Second)
			w.expect(w.mail, "alarm boss")
		}
		w.wait(3 * time.Hour)
		w.expect(w.mail)
	})
}

// Acknowledging anywhere ends it, also what waits for another try.
func TestAcknowledge(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		id := w.raise("A", 2)
		w.expect(w.mail, "alarm ali")
		w.ack(id, "anna")
		w.wait(3 * time.Hour)
		w.expect(w.mail)

		w.mail.set(func(plant.Message) error { return errors.New("421 not now") })
		id = w.raise("B", 2)
		w.wait(10 * time.Second)
		w.ack(id, "anna")
		if got := w.states(); !reflect.DeepEqual(got, []string{"alarm ali mail sent", "alarm ali mail cancelled"}) {
			t.Errorf("%q", got)
		}
		if m := w.messages(plant.MessageQuery{Alarm: id})[0]; m.Reason != "acknowledged by anna" || m.Tries < 2 || m.Error != "421 not now" {
			t.Errorf("%+v", m)
		}
		w.mail.set(nil)
		w.wait(3 * time.Hour)
		w.expect(w.mail)
	})
}

// What is being handed over when somebody acknowledges is not tried again.
func TestAcknowledgeUnderWay(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.mail.delay = 20 * time.Second
		w.mail.set(func(plant.Message) error { return errors.New("451 broken pipe") })
		id := w.raise("A", 2)
		w.wait(5 * time.Second)
		w.ack(id, "anna")
		w.wait(time.Minute)
		if m := w.messages(plant.MessageQuery{Alarm: id})[0]; m.State != plant.MessageCancelled || m.Tries != 1 {
			t.Errorf("%+v", m)
		}
	})
}

func TestReturn(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		id := w.raise("A", 2)
		w.expect(w.mail, "alarm ali")
		w.wait(time.Minute)
		w.clear("A")
		w.expect(w.mail, "return ali")
		w.wait(3 * time.Hour)
		w.expect(w.mail) // nobody new is told
		w.ack(id, "anna")
		w.wait(time.Hour)
		w.expect(w.mail)
	})
}

// A system behind a webhook hears the end of everything that it was told, also of
// what was acknowledged, also where it is away when that comes.
func TestReturnByWebhook(t *testing.T) {
	r := crew()
	r.People[0].Contacts = []plant.Contact{contact("webhook", "cmms")}
	inBubble(t, r, func(t *testing.T, w *works) {
		id := w.raise("A", 2)
		w.expect(w.hook, "alarm ali")
		w.ack(id, "anna")
		w.wait(time.Minute)
		w.hook.set(func(plant.Message) error { return errors.New("away") })
		w.clear("A")
		w.wait(10 * time.Second)
		w.hook.set(nil)
		w.wait(time.Minute)
		w.expect(w.hook, "return ali")
		// Acknowledged while the return is on its way.
		id = w.raise("B", 2)
		w.expect(w.hook, "alarm ali")
		w.hook.set(func(plant.Message) error { return errors.New("away") })
		w.clear("B")
		w.ack(id, "anna")
		w.wait(10 * time.Second)
		w.hook.set(nil)
		w.wait(time.Minute)
		w.expect(w.hook, "return ali")
		// Chattering is told as it is.
		for range 5 {
			w.wait(time.Second)
			w.raise("C", 2)
			w.wait(time.Second)
			w.clear("C")
			w.expect(w.hook, "alarm ali", "return ali")
		}
	})
}

// An SMS costs a ring of the phone: back to normal only for what was urgent.
func TestReturnBySMS(t *testing.T) {
	r := crew()
	r.Routes[0].Steps[0].Channels = []string{"sms"}
	inBubble(t, r, func(t *testing.T, w *works) {
		w.raise("A", 2)
		w.expect(w.sms, "alarm ali")
		w.clear("A")
		w.wait(time.Minute)
		w.expect(w.sms)
		w.raise("B", 1)
		w.expect(w.sms, "alarm ali")
		w.clear("B")
		w.expect(w.sms, "return ali")
	})
}

// A condition that comes back pages again; one that chatters is damped.
func TestChattering(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		again := func() {
			w.wait(20 * time.Second)
			w.clear("A")
			w.wait(20 * time.Second)
			w.raise("A", 2)
		}
		w.raise("A", 2)
		w.expect(w.mail, "alarm ali")
		again()
		w.expect(w.mail, "return ali", "alarm ali")
		again()
		w.expect(w.mail, "return ali", "alarm ali")
		again() // the third time: one message says so
		m := w.expect(w.mail, "return ali", "alarm ali")[1]
		if !strings.Contains(m.Text, "4") {
			t.Errorf("does not say how often: %s", m.Text)
		}
		for range 5 {
			again()
		}
		w.expect(w.mail, "alarm omar") // the ladder goes on meanwhile
		// It stays: told when the damping ends.
		w.wait(7 * time.Minute)
		w.expect(w.mail, "alarm ali", "alarm omar")
		w.wait(5 * time.Minute)
		w.expect(w.mail, "alarm boss")
	})
}

func TestMoreUrgent(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.raise("A", 3)
		w.expect(w.mail, "alarm ali")
		w.wait(time.Minute)
		w.apply(finding("A", plant.Update, 1))
		synctest.Wait()
		m := w.expect(w.mail, "alarm ali")[0]
		if m.Priority != 1 {
			t.Errorf("%+v", m.Message)
		}
	})
}

// The first goes at once, what joins within 30 s follows as one message.
func TestGrouping(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		of := func(key string, class plant.Class, priority int) {
			f := finding("A", plant.Raise, priority)
			f.Key, f.Class = key, class
			w.apply(f)
			synctest.Wait()
		}
		of("one", plant.LimitAlarm, 2)
		w.expect(w.mail, "alarm ali")
		w.wait(5 * time.Second)
		of("two", plant.LimitAlarm, 3)
		of("three", plant.Advisory, 3)
		w.expect(w.mail)
		of("four", plant.SensorFault, 3) // another cause
		w.expect(w.mail, "alarm ali")
		of("five", plant.LimitAlarm, 1) // more urgent than what was told
		w.expect(w.mail, "alarm ali")
		w.wait(24 * time.Second)
		w.expect(w.mail)
		w.wait(time.Second)
		m := w.expect(w.mail, "more ali")[0]
		if len(m.Alarms) != 2 || m.Alarm != 1 {
			t.Errorf("%+v", m.Message)
		}
		of("six", plant.LimitAlarm, 3) // joins the urgent one
		w.expect(w.mail)
		w.wait(6 * time.Second)
		w.expect(w.mail, "more ali")
		w.wait(30 * time.Second)
		of("seven", plant.LimitAlarm, 3)
		w.expect(w.mail, "alarm ali")

		// What follows names only who is left; nothing follows where nobody is.
		of("eight", plant.LimitAlarm, 3)
		eight := w.newest()
		of("nine", plant.LimitAlarm, 3)
		nine := w.newest()
		w.ack(eight, "anna")
		w.wait(time.Second)
		w.ack(nine, "anna")
		w.wait(time.Minute)
		w.expect(w.mail)
		if got := w.messages(plant.MessageQuery{Alarm: nine}); len(got) != 1 || got[0].State != plant.MessageCancelled {
			t.Errorf("%+v", got)
		}
	})
}

// Whoever saves the roster in between changes who the next step goes to.
func TestRosterChanges(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.raise("A", 2)
		w.expect(w.mail, "alarm ali")
		r, err := w.desk.Roster(t.Context())
		if err != nil || r.Revision != 1 {
			t.Fatal(r.Revision, err)
		}
		r.Teams[0].Overrides = []plant.Override{{Person: "boss", From: "2026-11-30T00:00:00Z", To: "2026-12-01T00:00:00Z"}}
		saved, err := w.desk.SaveRoster(t.Context(), r, "anna", "omar is ill")
		if err != nil || saved.Revision != 2 || saved.SavedBy != "anna" || saved.Saved == 0 {
			t.Fatal(saved, err)
		}
		if _, err := w.desk.SaveRoster(t.Context(), r, "anna", "again"); !errors.Is(err, ErrChanged) {
			t.Errorf("an old revision was saved: %v", err)
		}
		w.wait(5 * time.Minute)
		w.expect(w.mail, "alarm boss")
		on, err := w.desk.OnCall(t.Context(), time.Now().UnixNano())
		if err != nil || len(on) != 1 || !on[0].Override || on[0].People[0] != "boss" || on[0].Until != time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC).UnixNano() {
			t.Errorf("%+v %v", on, err)
		}
		list, err := w.desk.Revisions(t.Context(), 10)
		if err != nil || len(list) != 2 || list[0].Revision != 2 || list[0].Note != "omar is ill" || list[0].People != nil {
			t.Errorf("%+v %v", list, err)
		}
		old, err := w.desk.RosterAt(t.Context(), 1)
		if err != nil || old.Teams[0].Overrides != nil || old.Revision != 1 {
			t.Errorf("%+v %v", old, err)
		}
		if _, err := w.desk.RosterAt(t.Context(), 9); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		w.restart()
		if r, err := w.desk.Roster(t.Context()); err != nil || !reflect.DeepEqual(r, saved) {
			t.Errorf("after a restart %+v %v", r, err)
		}
	})
}

func TestMuteAndNoRoute(t *testing.T) {
	r := crew()
	r.Routes[0].Area = "HSM"
	r.Routes = append([]plant.Route{{ID: "mute", Area: "HSM/FM/F7", Mute: true}}, r.Routes...)
	inBubble(t, r, func(t *testing.T, w *works) {
		w.raise("HSM/FM/F7/GBX", 1)
		w.raise("CCM", 1)
		w.expect(w.mail)
		s, err := w.desk.Stats(t.Context())
		if err != nil || s.Unrouted != 1 || s.Cursor != 2 {
			t.Errorf("%+v %v", s, err)
		}
	})
}

// A step that finds nobody gives way to the next at once.
func TestNobodyOnCall(t *testing.T) {
	r := crew()
	r.Teams[0].Rotations = nil
	inBubble(t, r, func(t *testing.T, w *works) {
		w.raise("A", 2)
		w.expect(w.mail, "alarm boss")
		if s, err := w.desk.Stats(t.Context()); err != nil || s.Unreached != 2 {
			t.Errorf("%+v %v", s, err)
		}
	})
}

// A plant that gets a desk is not paged for its past.
func TestFirstStart(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.wait(time.Second)
		w.stop()
		w.dir = t.TempDir() // no desk was there
		w.apply(finding("old", plant.Raise, 1))
		w.apply(finding("gone", plant.Raise, 1))
		w.wait(2 * time.Hour)
		w.apply(finding("gone", plant.Clear, 1))
		w.apply(finding("new", plant.Raise, 1))
		w.apply(finding("taken", plant.Raise, 1))
		w.ack(w.newest(), "anna")
		w.start()
		if got := w.mail.take(); len(got) != 0 {
			t.Fatal("told without a roster")
		}
		w.stop()
		w.dir = t.TempDir()
		w.start()
		synctest.Wait()
		if _, err := w.desk.SaveRoster(context.Background(), crew(), "", ""); err != nil {
			t.Fatal(err)
		}
		w.wait(time.Second)
		m := w.expect(w.mail, "alarm ali")[0] // the old one is of a time before the desk
		if a, err := w.book.Get(t.Context(), m.Alarm); err != nil || a.Finding.Asset != "new" {
			t.Errorf("%+v %v", a, err)
		}
	})
}

// A desk that was down tells what is still there, and not what is over.
func TestDowntime(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.wait(time.Second)
		w.stop()
		w.apply(finding("there", plant.Raise, 2))
		w.apply(finding("gone", plant.Raise, 2))
		w.apply(finding("taken", plant.Raise, 2))
		w.ack(w.newest(), "anna")
		w.wait(time.Minute)
		w.apply(finding("gone", plant.Clear, 2))
		w.wait(5 * time.Hour)
		w.apply(finding("now", plant.Raise, 2))
		w.start()
		w.wait(5 * time.Second)
		got := w.expect(w.mail, "alarm ali", "alarm ali")
		for _, m := range got {
			if m.Alarm != 1 && m.Alarm != 4 {
				t.Errorf("%+v", m.Message)
			}
		}
	})
}

// An alarm book put back from a copy has other alarms behind the same numbers.
func TestAnotherBook(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.raise("A", 2)
		w.raise("B", 2)
		first := w.expect(w.mail, "alarm ali", "alarm ali")
		w.close()
		desk := w.desk.Dir
		w2 := newWorks(t, crew())
		w2.stop()
		w2.apply(finding("C", plant.Raise, 2))
		w2.desk.Dir, w2.dir = desk, w.dir
		w2.start()
		synctest.Wait()
		second := w2.expect(w2.mail, "alarm ali")
		if first[0].Key == second[0].Key || second[0].Alarm != 1 {
			t.Errorf("%q, then %q", first[0].Key, second[0].Key)
		}
		*w = *w2
	})
}

func TestBackoff(t *testing.T) {
	for n := 1; n < 20; n++ {
		base := min(lastRetry, firstRetry<<min(n-1, 20))
		for range 100 {
			got := backoff(n, errors.New("x"))
			if got < base*3/4 || got > base*5/4 {
				t.Fatalf("try %d: %v, want about %v", n, got, base)
			}
		}
	}
	if got := backoff(1, fmt.Errorf("x: %w", &channel.RetryError{After: 20 * time.Minute, Err: errors.New("429")})); got != 20*time.Minute {
		t.Error(got)
	}
}

// A server that is away for long: retries thin out, the circuit opens, the next
// contact takes over, and in the end the message is dead and can be tried again.
func TestChannelAway(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.limits.GiveUp = 2 * time.Hour
		w.restart()
		tries := 0
		w.mail.set(func(plant.Message) error { tries++; return errors.New("connection refused") })
		id := w.raise("A", 2)
		w.wait(59 * time.Second)
		w.expect(w.sms)
		w.wait(10 * time.Second)
		w.expect(w.sms, "alarm ali")
		m := w.messages(plant.MessageQuery{Alarm: id, Channel: "mail"})[0]
		if m.State != plant.MessageCancelled || m.Reason != "told by sms" {
			t.Errorf("%+v", m)
		}
		// The next steps find the circuit open and go the other way soon.
		w.wait(5 * time.Minute)
		w.wait(70 * time.Second)
		w.expect(w.sms, "alarm omar")
		w.wait(11 * time.Minute) // boss has mail only
		boss := func() plant.Message { return w.messages(plant.MessageQuery{Person: "boss"})[0] }
		if m := boss(); m.State != plant.MessagePending || m.Tries < 3 {
			t.Errorf("%+v", m)
		}
		s, err := w.desk.Channels(t.Context())
		if err != nil || s[0].Name != "mail" || s[0].State != "failing" || s[0].Error != "connection refused" || s[0].Pending != 1 || s[3].State != "ok" || s[3].Sent != 2 {
			t.Errorf("%+v %v", s, err)
		}
		w.wait(130 * time.Minute)
		if m := boss(); m.State != plant.MessageDead || m.Reason != "tried for 2h0m0s" {
			t.Errorf("%+v", m)
		}
		if tries < 30 || tries > 90 {
			t.Errorf("%d tries in two hours", tries)
		}
		w.mail.set(nil)
		if _, err := w.desk.Retry(t.Context(), 99, "anna"); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		if _, err := w.desk.Retry(t.Context(), boss().ID, "anna"); err != nil {
			t.Error(err)
		}
		if _, err := w.desk.Retry(t.Context(), boss().ID, "anna"); !errors.Is(err, ErrState) {
			t.Error(err)
		}
		w.wait(time.Minute)
		w.expect(w.mail, "alarm boss")
		if s, err := w.desk.Channels(t.Context()); err != nil || s[0].State != "ok" || s[0].Dead != 1 {
			t.Errorf("%+v %v", s, err)
		}
	})
}

// An address that the server refuses is not tried again; the next contact is.
func TestPermanent(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.mail.set(func(m plant.Message) error { return channel.Permanent(errors.New("550 no such user")) })
		id := w.raise("A", 2)
		w.expect(w.sms, "alarm ali")
		got := w.messages(plant.MessageQuery{Alarm: id})
		if len(got) != 2 || got[0].State != plant.MessageDead || got[0].Error != "550 no such user" || got[0].Tries != 1 || got[0].Key == got[1].Key {
			t.Errorf("%+v", got)
		}
		// It says nothing about the server: the circuit stays closed.
		if s, err := w.desk.Channels(t.Context()); err != nil || s[0].State != "ok" || s[0].Failed != 1 || s[0].Dead != 1 {
			t.Errorf("%+v %v", s, err)
		}
	})
}

// Another number of the same person is another way, while the modem works.
func TestSecondNumber(t *testing.T) {
	r := crew()
	r.People[0].Contacts = []plant.Contact{contact("sms", "+923001111111"), contact("sms", "+923009999999"), contact("mail", "ali@mill")}
	inBubble(t, r, func(t *testing.T, w *works) {
		w.sms.set(func(m plant.Message) error {
			if m.Address == "+923001111111" {
				return channel.Permanent(errors.New("no such number"))
			}
			return nil
		})
		w.raise("A", 2)
		if m := w.expect(w.sms, "alarm ali")[0]; m.Address != "+923009999999" {
			t.Errorf("%+v", m.Message)
		}
		w.wait(2 * time.Minute)
		w.expect(w.mail)
		// Neither number: mail.
		w.sms.set(func(plant.Message) error { return channel.Permanent(errors.New("no such number")) })
		w.raise("B", 2)
		w.expect(w.mail, "alarm ali")
		// No modem: mail at once, not the other number.
		w.sms.set(func(plant.Message) error { return errors.New("no modem") })
		w.raise("C", 2)
		w.wait(2 * time.Minute)
		w.expect(w.mail, "alarm ali")
		if n := len(w.messages(plant.MessageQuery{Alarm: w.newest()})); n != 2 {
			t.Errorf("%d messages", n)
		}
	})
}

// A server that hangs delays nobody on another channel, and a desk stops while
// it hangs; what was under way is sent again with its key.
func TestHanging(t *testing.T) {
	r := crew()
	r.Routes[0].Steps[0].Channels = []string{"mail", "sms"}
	inBubble(t, r, func(t *testing.T, w *works) {
		w.mail.delay = time.Hour
		for i := range 6 {
			w.raise(fmt.Sprint("A", i), 1)
		}
		if n := len(w.sms.take()); n+4 < 6 || n == 0 {
			t.Errorf("%d SMS while mail hangs", n)
		}
		var under []string
		for _, m := range w.messages(plant.MessageQuery{State: plant.MessageSending}) {
			under = append(under, m.Key)
		}
		if len(under) != 4 {
			t.Fatalf("%d under way", len(under))
		}
		began := time.Now()
		w.stop()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("stopping took %v", took)
		}
		w.mail.delay = 0
		w.start()
		synctest.Wait()
		keys := map[string]bool{}
		for _, m := range w.mail.take() {
			if keys[m.Key] {
				t.Errorf("%s sent twice", m.Key)
			}
			keys[m.Key] = true
		}
		for _, k := range under {
			if !keys[k] {
				t.Errorf("%s was not sent again", k)
			}
		}
	})
}

func TestLostChannel(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.mail.set(func(plant.Message) error { return errors.New("away") })
		w.raise("A", 2)
		w.withoutChannel = "mail"
		w.restart()
		w.wait(10 * time.Second)
		w.expect(w.sms, "alarm ali")
	})
}

func TestTest(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.mail.set(func(m plant.Message) error {
			if m.Purpose == plant.PurposeTest {
				return nil
			}
			return errors.New("no")
		})
		for i := range 8 {
			w.raise(fmt.Sprint(i), 2)
		}
		if s, err := w.desk.Channels(t.Context()); err != nil || s[0].State != "failing" {
			t.Fatalf("%+v %v", s, err)
		}
		m, err := w.desk.Test(t.Context(), "mail", "new@mill", "ur", "anna")
		if err != nil || m.ID == 0 || m.Purpose != plant.PurposeTest || m.Language != "ur" {
			t.Fatalf("%+v %v", m, err)
		}
		synctest.Wait()
		w.expect(w.mail, "test ")
		if s, err := w.desk.Channels(t.Context()); err != nil || s[0].State != "ok" {
			t.Errorf("a test that passes does not close the circuit: %+v %v", s, err)
		}
		if _, err := w.desk.Test(t.Context(), "fax", "1", "en", "anna"); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		var f interface{ Faults() []string }
		if _, err := w.desk.Test(t.Context(), "sms", "1", "en", "anna"); !errors.As(err, &f) {
			t.Error(err)
		}
	})
}

func TestMessagesPages(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		for i := range 7 {
			w.raise(fmt.Sprint("A", i), 2)
		}
		var ids []int64
		q := plant.MessageQuery{Limit: 3}
		for {
			list, next, err := w.desk.Messages(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list {
				ids = append(ids, m.ID)
			}
			if next == "" {
				break
			}
			q.After = next
		}
		if !reflect.DeepEqual(ids, []int64{7, 6, 5, 4, 3, 2, 1}) {
			t.Errorf("%v", ids)
		}
		if _, _, err := w.desk.Messages(t.Context(), plant.MessageQuery{After: "x"}); !errors.Is(err, ErrCursor) {
			t.Error(err)
		}
		// The secret of a link is not shown.
		for _, m := range w.messages(plant.MessageQuery{}) {
			if !strings.Contains(m.Text, "/ack/…") {
				t.Errorf("%s", m.Text)
			}
		}
	})
}

// What belongs to one cause is told on the other way too, all of it.
func TestGroupWhileAway(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		of := func(key string) {
			f := finding("A", plant.Raise, 2)
			f.Key = key
			w.apply(f)
			synctest.Wait()
		}
		w.mail.set(func(plant.Message) error { return errors.New("away") })
		for i := range 6 { // the circuit opens and stays so for more than a minute
			w.raise(fmt.Sprint("B", i), 1)
		}
		w.wait(2 * time.Minute)
		w.sms.take()
		of("one")
		of("two")
		w.wait(time.Second)
		of("three")
		w.wait(2 * time.Minute)
		said := map[int64]bool{}
		for _, m := range w.sms.take() {
			for _, id := range m.Alarms {
				said[id] = true
			}
		}
		for id := int64(7); id <= 9; id++ {
			if !said[id] {
				t.Errorf("alarm %d was lost; outbox %q", id, w.states())
			}
		}
	})
}
