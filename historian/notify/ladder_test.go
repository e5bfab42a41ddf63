package notify

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"millwright/plant"
)

// tally counts what mail and SMS were given since the last look.
func (w *works) tally() map[string]int {
	n := map[string]int{}
	for _, c := range []interface{ take() []handed }{w.mail, w.sms} {
		for _, m := range c.take() {
			n[m.Purpose+" "+m.Person]++
		}
	}
	return n
}

// A condition that comes and goes and that nobody acknowledges climbs its ladder,
// however fast it does, and pages nobody without end.
func TestChatteringClimbs(t *testing.T) {
	for _, half := range []time.Duration{4 * time.Minute, 2 * time.Minute, 20 * time.Second} {
		t.Run(half.String(), func(t *testing.T) {
			inBubble(t, crew(), func(t *testing.T, w *works) {
				for i := range int(time.Hour / (2 * half)) {
					w.raise("A", 1)
					w.wait(half)
					if i > 0 && time.Duration(i)*2*half > 25*time.Minute {
						w.clear("A")
						break
					}
					w.clear("A")
					w.wait(half)
				}
				n := w.tally()
				if n["alarm omar"] == 0 || n["alarm boss"] == 0 {
					t.Errorf("does not climb: %v", n)
				}
				if most := 2 + int(26*time.Minute/min(2*half, 8*time.Minute)); n["alarm ali"] > max(most, 8) || half < time.Minute && n["alarm ali"] > 8 {
					t.Errorf("not damped: %v", n)
				}
			})
		})
	}
}

// The steps stay where they were: the second is due 5 min after the first, or as
// soon as the condition is back.
func TestRecurrenceKeepsStep(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		w.raise("A", 2)
		w.expect(w.mail, "alarm ali")
		w.wait(time.Minute)
		w.clear("A")
		w.wait(time.Minute)
		w.expect(w.mail, "return ali")
		w.raise("A", 2)
		w.expect(w.mail, "alarm ali")
		w.wait(3*time.Minute - time.Second)
		w.expect(w.mail)
		w.wait(time.Second)
		w.expect(w.mail, "alarm omar")
		w.clear("A")
		w.expect(w.mail, "return ali", "return omar")
		w.restart()
		w.wait(time.Hour)
		w.expect(w.mail)
		w.raise("A", 2)
		w.expect(w.mail, "alarm ali", "alarm omar", "alarm boss")
		// Told to the end; back once more it is told to all three.
		w.clear("A")
		w.expect(w.mail, "return ali", "return omar", "return boss")
		w.wait(time.Hour)
		id := w.raise("A", 2)
		w.expect(w.mail, "alarm ali", "alarm omar", "alarm boss")
		// After an acknowledgement it begins anew.
		w.ack(id, "anna")
		w.clear("A")
		w.wait(time.Minute)
		w.raise("A", 2)
		w.expect(w.mail, "alarm ali")
		w.wait(5 * time.Minute)
		w.expect(w.mail, "alarm omar")
	})
}

// Whoever was not told before a chattering condition went away is told when it is
// back, though those who were are left alone.
func TestDampedNotTold(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		again := func() {
			w.wait(21 * time.Second)
			w.clear("A")
			w.wait(21 * time.Second)
			w.raise("A", 2)
		}
		w.raise("A", 2)
		for range 6 {
			again()
		}
		w.mail.take()
		w.mail.set(func(m plant.Message) error {
			if m.Person == "omar" {
				return errors.New("away")
			}
			return nil
		})
		again() // at 4 min 54 s
		w.wait(7 * time.Second)
		w.clear("A") // before omar's message is out
		w.mail.set(nil)
		w.wait(20 * time.Second)
		w.expect(w.mail)
		w.raise("A", 2)
		w.wait(5 * time.Second)
		w.expect(w.mail, "alarm omar")
	})
}

// A priority that goes up and down does not begin the ladder anew.
func TestPriorityUpAndDown(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		for range 8 {
			w.apply(finding("A", plant.Update, 3))
			w.wait(2 * time.Minute)
			w.apply(finding("A", plant.Update, 2))
			w.wait(2 * time.Minute)
		}
		if n := w.tally(); fmt.Sprint(n) != "map[alarm ali:2 alarm boss:1 alarm omar:1]" {
			t.Error(n)
		}
	})
}

// More urgent on another route: that route's ladder.
func TestMoreUrgentOnAnotherRoute(t *testing.T) {
	r := crew()
	r.Routes = append([]plant.Route{{ID: "urgent", Priority: 1, Steps: []plant.Step{{People: []string{"boss"}}}}}, r.Routes...)
	inBubble(t, r, func(t *testing.T, w *works) {
		w.raise("A", 3)
		w.expect(w.mail, "alarm ali")
		w.wait(6 * time.Minute)
		w.expect(w.mail, "alarm omar")
		w.apply(finding("A", plant.Update, 1))
		synctest.Wait()
		w.expect(w.mail, "alarm boss")
	})
}

// Acknowledged, then worse: told once, also where the channel fails at first.
func TestWorseThanAcknowledged(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		id := w.raise("A", 3)
		w.ack(id, "anna")
		w.expect(w.mail, "alarm ali")
		w.wait(time.Minute)
		w.mail.set(func(plant.Message) error { return errors.New("away") })
		w.apply(finding("A", plant.Update, 1))
		w.wait(time.Second)
		w.mail.set(nil)
		w.wait(time.Minute)
		m := w.expect(w.mail, "alarm ali")[0]
		if m.Priority != 1 {
			t.Errorf("%+v", m.Message)
		}
		w.apply(finding("A", plant.Update, 3), finding("A", plant.Update, 2))
		w.wait(time.Minute)
		w.apply(finding("A", plant.Update, 1))
		w.wait(time.Hour)
		w.expect(w.mail)
	})
}

// Answers of the crew about what was behind an alarm tell nobody anything.
func TestLabels(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		id := w.raise("A", 2)
		w.expect(w.mail, "alarm ali")
		label := func() {
			t.Helper()
			w.wait(time.Second)
			l, err := w.book.Label(t.Context(), plant.Label{Alarm: id, Verdict: plant.Confirmed, Code: "VIB", Who: "anna"})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.wait(time.Second)
			if err := w.book.Unlabel(t.Context(), l.ID, "anna"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		label()
		w.expect(w.mail)
		w.wait(5*time.Minute - 2*time.Second)
		w.expect(w.mail, "alarm omar") // when it was due before
		w.clear("A")
		w.expect(w.mail, "return ali", "return omar")
		label()
		w.wait(time.Hour)
		w.expect(w.mail)
		w.raise("A", 2)
		w.expect(w.mail, "alarm ali", "alarm omar", "alarm boss")
		w.ack(id, "anna")
		label()
		w.clear("A")
		label()
		w.wait(time.Hour)
		w.expect(w.mail)
	})
}

// A ladder that is made shorter while it is climbed goes on: with its next lap, or
// with its last step.
func TestShorterLadder(t *testing.T) {
	for _, c := range []struct {
		repeat int
		want   []string
	}{{0, []string{"alarm omar"}}, {1, []string{"alarm ali"}}} {
		t.Run(fmt.Sprint("repeat ", c.repeat), func(t *testing.T) {
			inBubble(t, crew(), func(t *testing.T, w *works) {
				w.raise("A", 1)
				w.wait(5 * time.Minute)
				w.expect(w.mail, "alarm ali", "alarm omar")
				r, err := w.desk.Roster(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				r.Routes[0].Steps, r.Routes[0].Repeat = r.Routes[0].Steps[:2], c.repeat
				if _, err := w.desk.SaveRoster(t.Context(), r, "anna", "shorter"); err != nil {
					t.Fatal(err)
				}
				w.wait(10 * time.Minute)
				w.expect(w.mail, c.want...)
				w.wait(5*time.Minute + time.Second)
				w.expect(w.mail, map[int][]string{1: {"alarm omar"}}[c.repeat]...)
				w.wait(6 * time.Hour)
				w.expect(w.mail)
			})
		})
	}
}

// First a fault, then a roster: it is told. What somebody was told, or is muted, is
// not told for a roster that is saved.
func TestRosterAfterAlarm(t *testing.T) {
	inBubble(t, plant.Roster{}, func(t *testing.T, w *works) {
		w.raise("A", 1)
		gone := w.raise("B", 1)
		w.ack(gone, "anna")
		w.raise("C", 1)
		w.wait(time.Minute)
		save := func(r plant.Roster) {
			t.Helper()
			now, err := w.desk.Roster(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r.Revision = now.Revision
			if _, err := w.desk.SaveRoster(t.Context(), r, "anna", ""); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		r := crew()
		r.Routes = append([]plant.Route{{ID: "mute", Area: "C", Mute: true}}, r.Routes...)
		save(r)
		if m := w.expect(w.mail, "alarm ali")[0]; m.Alarm != 1 {
			t.Errorf("%+v", m.Message)
		}
		w.wait(5 * time.Minute)
		w.expect(w.mail, "alarm omar")
		save(r)
		w.expect(w.mail)
		save(crew())
		if m := w.expect(w.mail, "alarm ali")[0]; m.Alarm != 3 {
			t.Errorf("%+v", m.Message)
		}
	})
}
