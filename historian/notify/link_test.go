package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"millwright/plant"
)

// tokenOf is the token in the link of a message.
func tokenOf(t *testing.T, m handed) string {
	t.Helper()
	_, token, ok := strings.Cut(m.Text, "http://plant:8080/ack/")
	if !ok {
		t.Fatalf("no link in %s", m.Text)
	}
	token, _, _ = strings.Cut(token, "\n")
	return token
}

func TestLink(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		f := func(token string, valid bool, why string) {
			t.Helper()
			l, err := w.desk.Link(t.Context(), token)
			if err != nil || l.Valid != valid || l.Why != why || l.Person.ID != "ali" || l.Alarm.ID == 0 || l.Text == "" {
				t.Errorf("%+v %v, want %v %q", l, err, valid, why)
			}
		}
		id := w.raise("A", 2)
		token := tokenOf(t, w.expect(w.mail, "alarm ali")[0])
		f(token, true, "")
		f(token, true, "") // looking uses nothing
		l, err := w.desk.UseLink(t.Context(), token)
		if err != nil || !l.Valid || l.Alarm.State != plant.Acked || l.Alarm.AckedBy != "ali.k" || l.Alarm.Note != "via link" || l.Person.Name != "Ali" {
			t.Errorf("%+v %v", l, err)
		}
		if a, err := w.book.Get(t.Context(), id); err != nil || a.State != plant.Acked || a.AckedBy != "ali.k" {
			t.Errorf("%+v %v", a, err)
		}
		w.wait(time.Hour)
		w.expect(w.mail)

		// Replayed.
		f(token, false, "used")
		if l, err := w.desk.UseLink(t.Context(), token); err != nil || l.Valid || l.Why != "used" {
			t.Errorf("%+v %v", l, err)
		}
		// Replayed when the condition has come back.
		w.clear("A")
		w.wait(time.Second)
		w.raise("A", 2)
		if l, err := w.desk.UseLink(t.Context(), token); err != nil || l.Valid || l.Why != "used" {
			t.Errorf("%+v %v", l, err)
		}
		// Taken meanwhile.
		token = tokenOf(t, w.expect(w.mail, "alarm ali")[0])
		w.ack(id, "anna")
		f(token, false, "acknowledged")
		if l, err := w.desk.UseLink(t.Context(), token); err != nil || l.Valid || l.Why != "acknowledged" || l.Alarm.AckedBy != "anna" {
			t.Errorf("%+v %v", l, err)
		}
		// Of an episode before.
		w.clear("A")
		w.wait(time.Second)
		w.raise("A", 2)
		w.expect(w.mail, "alarm ali")
		f(token, false, "expired")
		// Expired.
		w.raise("B", 2)
		token = tokenOf(t, w.expect(w.mail, "alarm ali")[0])
		w.wait(12*time.Hour - time.Second)
		f(token, true, "")
		w.wait(time.Second)
		f(token, false, "expired")
		if l, err := w.desk.UseLink(t.Context(), token); err != nil || l.Valid || l.Why != "expired" {
			t.Errorf("%+v %v", l, err)
		}
		// Forged.
		for _, forged := range []string{"", "x", token[:21] + "A", token + "A", strings.Repeat("A", 22), "../" + token} {
			if _, err := w.desk.UseLink(t.Context(), forged); !errors.Is(err, ErrNotFound) && forged != token {
				t.Errorf("%q: %v", forged, err)
			}
			if _, err := w.desk.Link(t.Context(), forged); !errors.Is(err, ErrNotFound) && forged != token {
				t.Errorf("%q: %v", forged, err)
			}
		}
	})
}

// A link survives the process, and a message sent again has the same.
func TestLinkAfterRestart(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.raise("A", 2)
		token := tokenOf(t, w.expect(w.mail, "alarm ali")[0])
		w.restart()
		if l, err := w.desk.UseLink(t.Context(), token); err != nil || !l.Valid {
			t.Errorf("%+v %v", l, err)
		}
	})
}

// The link of a message that names several alarms takes them all.
func TestLinkOfMore(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		for _, key := range []string{"one", "two", "three"} {
			f := finding("A", plant.Raise, 2)
			f.Key = key
			w.apply(f)
		}
		w.wait(30 * time.Second)
		got := w.expect(w.mail, "alarm ali", "more ali")
		l, err := w.desk.UseLink(t.Context(), tokenOf(t, got[1]))
		if err != nil || !l.Valid {
			t.Errorf("%+v %v", l, err)
		}
		for id, want := range map[int64]plant.AlarmState{1: plant.Unacked, 2: plant.Acked, 3: plant.Acked} {
			if a, err := w.book.Get(t.Context(), id); err != nil || a.State != want {
				t.Errorf("%+v %v", a, err)
			}
		}
	})
}

// Two people acknowledge at once: one does, the other learns who was faster.
func TestTwoAtOnce(t *testing.T) {
	r := crew()
	r.Routes[0].Steps = []plant.Step{{Teams: []string{"mech"}, People: []string{"omar", "boss"}}}
	inBubble(t, r, func(t *testing.T, w *works) {
		for round := range 8 {
			id := w.raise(fmt.Sprint("A", round), 1)
			var links []plant.AckLink
			var mu sync.Mutex
			var all sync.WaitGroup
			w.wait(time.Minute)
			for _, m := range w.expect(w.mail, "alarm ali", "alarm omar", "alarm boss") {
				all.Go(func() {
					l, err := w.desk.UseLink(t.Context(), tokenOf(t, m))
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					links = append(links, l)
				})
			}
			all.Wait()
			a, err := w.book.Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			won := 0
			for _, l := range links {
				if l.Valid {
					won++
				} else if l.Why != "acknowledged" || l.Alarm.AckedBy != a.AckedBy {
					t.Errorf("%+v, taken by %s", l, a.AckedBy)
				}
				if l.Valid && name(l.Person) != a.AckedBy {
					t.Errorf("%s won, %s is in the book", l.Person.ID, a.AckedBy)
				}
			}
			if won != 1 {
				t.Errorf("%d of three acknowledged", won)
			}
		}
	})
}

func TestReply(t *testing.T) {
	const ali, omar = "+923001111111", "+923002222222"
	r := crew()
	r.Routes[0].Steps = []plant.Step{{People: []string{"ali", "omar"}, Channels: []string{"sms"}}, {WaitS: 60, People: []string{"ali"}, Channels: []string{"sms"}}}
	inBubble(t, r, func(t *testing.T, w *works) {
		codes := func(want ...string) map[string]string {
			t.Helper()
			out := map[string]string{}
			for _, m := range w.expect(w.sms, want...) {
				c := codeIn(t, w, m)
				if !strings.Contains(m.Text, c) {
					t.Errorf("%q does not tell the code %s", m.Text, c)
				}
				out[m.Person] = c
			}
			return out
		}
		state := func(id int64, want plant.AlarmState, by string) {
			t.Helper()
			if a, err := w.book.Get(t.Context(), id); err != nil || a.State != want || a.AckedBy != by {
				t.Errorf("alarm %d: %s by %q %v, want %s by %q", id, a.State, a.AckedBy, err, want, by)
			}
		}
		id := w.raise("A", 2)
		first := codes("alarm ali", "alarm omar")
		w.wait(time.Minute)
		if again := codes("alarm ali"); again["ali"] != first["ali"] {
			t.Errorf("another code for the same alarm: %s, %s", again["ali"], first["ali"])
		}
		if said := w.sms.answer("923001111111", "ACK "+first["ali"]); said == "" {
			t.Error("no answer")
		}
		state(id, plant.Acked, "ali.k")
		if a, err := w.book.Get(t.Context(), id); err != nil || a.Note != "by SMS" {
			t.Errorf("%+v %v", a, err)
		}
		// Somebody else was faster.
		if said := w.sms.answer(omar, first["omar"]); said == "" {
			t.Error("no answer")
		}
		state(id, plant.Acked, "ali.k")

		// The code of one phone is no code of another.
		b := w.raise("B", 2)
		second := codes("alarm ali", "alarm omar")
		if second["ali"] != second["omar"] {
			w.sms.answer(ali, second["omar"])
			state(b, plant.Unacked, "")
		}
		if said := w.sms.answer("+49555123", second["ali"]); said != "" {
			t.Errorf("a stranger was answered %q", said)
		}
		state(b, plant.Unacked, "")
		// In the digits of Urdu.
		urdu := strings.Map(func(c rune) rune { return c - '0' + '۰' }, second["omar"])
		w.sms.answer(omar, "ٹھیک ہے "+urdu)
		state(b, plant.Acked, "Omar")

		// Five wrong tries, then nothing is looked at for an hour.
		c := w.raise("C", 2)
		third := codes("alarm ali", "alarm omar")
		w.wait(61 * time.Minute)
		for i, guess := 0, 0; i < 5; i, guess = i+1, guess+1 {
			for slices.Contains([]string{first["omar"], second["omar"], third["omar"]}, fmt.Sprintf("%02d", guess)) {
				guess++
			}
			if said := w.sms.answer(omar, fmt.Sprintf("%02d", guess)); said == "" {
				t.Error("no answer to a wrong code")
			}
		}
		if said := w.sms.answer(omar, third["omar"]); said != "" {
			t.Errorf("answered %q", said)
		}
		state(c, plant.Unacked, "")
		w.wait(time.Hour)
		w.sms.answer(omar, third["omar"])
		state(c, plant.Acked, "Omar")
	})
}

// Whoever has left acknowledges nothing with a link from before.
func TestLinkOfWhoLeft(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		id := w.raise("A", 1)
		token := tokenOf(t, w.expect(w.mail, "alarm ali")[0])
		r, err := w.desk.Roster(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.People, r.Teams[0].Rotations = r.People[1:], r.Teams[0].Rotations[1:]
		if _, err := w.desk.SaveRoster(t.Context(), r, "anna", "ali has left"); err != nil {
			t.Fatal(err)
		}
		for _, look := range []func(context.Context, string) (plant.AckLink, error){w.desk.Link, w.desk.UseLink} {
			if l, err := look(t.Context(), token); err != nil || l.Valid || l.Why != linkExpired {
				t.Errorf("%+v %v", l, err)
			}
		}
		if a, err := w.book.Get(t.Context(), id); err != nil || a.State != plant.Unacked {
			t.Errorf("%+v %v", a, err)
		}
	})
}

// codeIn asks the file for the code of a message.
func codeIn(t *testing.T, w *works, m handed) string {
	t.Helper()
	var c string
	if err := w.desk.db.QueryRow(`SELECT code FROM code WHERE message = ?`, m.ID).Scan(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

// A hundred alarms have a hundred codes on a phone; those beyond have a link.
func TestCodesRunOut(t *testing.T) {
	r := crew()
	r.Routes[0].Steps = []plant.Step{{People: []string{"ali"}, Channels: []string{"sms"}}}
	inBubble(t, r, func(t *testing.T, w *works) {
		seen := map[string]bool{}
		for i := range 103 {
			id := w.raise(fmt.Sprint("A", i), 2)
			m := w.expect(w.sms, "alarm ali")[0]
			if i < 100 {
				c := codeIn(t, w, m)
				if seen[c] {
					t.Fatalf("code %s twice", c)
				}
				seen[c] = true
			} else if i < 102 {
				if !strings.Contains(m.Text, "/ack/") {
					t.Errorf("neither code nor link: %s", m.Text)
				}
			} else if codeIn(t, w, m) == "" {
				t.Error("no code although one is free")
			}
			if i == 101 {
				w.ack(id-50, "anna")
			}
			w.wait(8 * time.Second)
		}
	})
}

func FuzzToken(f *testing.F) {
	w := newWorks(f, crew())
	defer w.close()
	for _, s := range []string{"", "AAAAAAAAAAAAAAAAAAAAAA", "../x", "AAAAAAAAAAAAAAAAAAAAA\x00", "%2e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := w.desk.UseLink(t.Context(), s); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", s, err)
		}
	})
}
