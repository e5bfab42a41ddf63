package notify

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"millwright/plant"
)

func TestBackwards(t *testing.T) {
	f := func(before, after, passed time.Duration, want bool) {
		t.Helper()
		if got := backwards(int64(before), int64(after), passed); got != want {
			t.Errorf("from %v to %v in %v: %v", before, after, passed, got)
		}
	}
	f(time.Hour, time.Hour+time.Second, time.Second, false)
	f(time.Hour, 2*time.Hour, time.Second, false)
	f(time.Hour, time.Hour-30*time.Second, time.Second, false)
	f(time.Hour, time.Hour-time.Minute, time.Second, true)
	f(time.Hour, 0, 0, true)
	f(time.Hour, time.Hour, 61*time.Second, true)
}

// What was handed over in the future, by a clock that was ahead, is no flood.
func TestHandedAhead(t *testing.T) {
	inBubble(t, crew(), func(t *testing.T, w *works) {
		for i := range 10 {
			w.ack(w.raise(fmt.Sprint("F", i), 1), "anna")
		}
		w.mail.take()
		if _, err := w.desk.db.Exec(`UPDATE message SET handed = handed + 86400000000000`); err != nil {
			t.Fatal(err)
		}
		w.wait(2 * time.Minute)
		w.raise("B", 1)
		w.expect(w.mail, "alarm ali")
	})
}

// A clock that was a day ahead, and is right now: the ladder, what is tried again
// and the heartbeat wait no longer than they would.
func TestClockSetBack(t *testing.T) {
	r := crew()
	r.People[0].Quiet = &plant.Quiet{From: "07:00", To: "08:30", Zone: "UTC", Passes: 2}
	inBubble(t, r, func(t *testing.T, w *works) {
		w.stop()
		w.limits.Heartbeat = 8 * time.Hour
		w.start()
		w.wait(time.Second)
		w.raise("A", 2)
		w.expect(w.mail, "alarm ali")
		w.raise("Q", 3)
		w.mail.set(func(plant.Message) error { return errors.New("away") })
		w.raise("B", 2)
		w.wait(30 * time.Second)
		w.sms.take()
		w.stop()
		w.mail.set(nil)
		w.start()
		for _, q := range []string{
			`UPDATE episode SET due = due + ?1 WHERE due > 0`,
			`UPDATE message SET created = created + ?1, since = since + ?1, due = due + ?1, handed = handed + ?1`,
			`UPDATE beat SET slot = slot + ?1 / 1000000000`,
		} {
			if _, err := w.desk.db.Exec(q, int64(24*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		w.stop()
		w.mail.take()
		w.start()
		w.wait(11 * time.Minute)
		n := map[string]int{}
		for _, m := range w.mail.take() {
			n[fmt.Sprint(m.Purpose, " ", m.Person, m.Alarms)]++
		}
		if n["alarm omar[1]"] != 1 || n["alarm omar[3]"] != 1 {
			t.Errorf("the ladder stands: %v", n)
		}
		w.wait(22 * time.Minute)
		if n := w.tally(); n["digest ali"] != 1 {
			t.Errorf("what quiet hours held stays: %v %q", n, w.states())
		}
		w.wait(6 * time.Hour)
		if n := w.tally(); n["heartbeat ali"] == 0 {
			t.Errorf("no heartbeat: %v", n)
		}
	})
}
