package notify

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"millwright/plant"

	"pgregory.net/rapid"
)

// story is a random history of alarms with what must hold at every step of it.
type story struct {
	*works
	taken map[told]time.Time  // episodes that somebody acknowledged, when
	worst map[told]int        // and the priority that was acknowledged
	began map[int64]time.Time // when alarms were raised first, since somebody acknowledged
	all   []handed
}

// look takes what was handed over since the last look and checks it.
func (s *story) look() {
	s.t.Helper()
	for _, c := range []interface{ take() []handed }{s.mail, s.sms} {
		for _, m := range c.take() {
			s.all = append(s.all, m)
			left := len(m.Alarms) == 0
			for _, id := range m.Alarms {
				a, err := s.book.Get(s.t.Context(), id)
				if err != nil {
					s.t.Fatal(err)
				}
				n := told{id, a.Count}
				at, taken := s.taken[n]
				left = left || !taken || !at.Before(m.at) || m.Priority < s.worst[n]
				if m.Purpose == plant.PurposeAlarm && m.Step == 2 && m.at.Sub(s.began[id]) < 15*time.Minute {
					s.t.Fatalf("step 2 of alarm %d %v after its raise", id, m.at.Sub(s.began[id]))
				}
			}
			if !left && m.Purpose != plant.PurposeDigest {
				s.t.Fatalf("%s to %s at %v about %v, all acknowledged", m.Purpose, m.Person, m.at, m.Alarms)
			}
		}
	}
}

// Whatever happens: nobody is told of what was acknowledged, nobody gets more
// than ten messages in a minute, no message comes twice, no step comes early,
// and what is left unanswered was told to whoever is on call.
func TestPlanner(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		few := "6"
		if slow {
			few = "1"
		}
		if err := f.Value.Set(few); err != nil {
			t.Fatal(err)
		}
		defer f.Value.Set(f.DefValue)
	}
	rapid.Check(t, func(rt *rapid.T) {
		rapid.SyncTest(rt, func(rt *rapid.T) {
			time.Sleep(time.Until(time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)))
			r := crew()
			if rapid.Bool().Draw(rt, "quiet") {
				r.People[0].Quiet = &plant.Quiet{From: "08:10", To: "08:40", Zone: "UTC", Passes: 2}
			}
			dir := t.TempDir()
			s := &story{works: newWorksIn(rt, dir, r), taken: map[told]time.Time{}, worst: map[told]int{}, began: map[int64]time.Time{}}
			defer s.close()
			s.run(rt)
		})
	})
}

func (s *story) run(rt *rapid.T) {
	asset := rapid.IntRange(0, 5)
	rt.Repeat(map[string]func(*rapid.T){
		"raise": func(rt *rapid.T) {
			s.wait(time.Millisecond)
			s.apply(finding(fmt.Sprint("A", asset.Draw(rt, "asset")), plant.Raise, rapid.IntRange(1, 4).Draw(rt, "priority")))
			a, err := s.book.Get(s.t.Context(), s.newest())
			if err == nil && s.began[a.ID].IsZero() {
				s.began[a.ID] = time.Now()
			}
		},
		"burst": func(rt *rapid.T) {
			s.wait(time.Millisecond)
			for i := range rapid.IntRange(5, 30).Draw(rt, "n") {
				f := finding(fmt.Sprint("A", i%6), plant.Raise, 1+i%4)
				f.Key = fmt.Sprint("burst", s.number, i)
				s.apply(f)
				a, err := s.book.Get(s.t.Context(), s.newest())
				if err == nil {
					s.began[a.ID] = time.Now()
				}
			}
		},
		"clear": func(rt *rapid.T) {
			s.wait(time.Millisecond)
			s.clear(fmt.Sprint("A", asset.Draw(rt, "asset")))
		},
		"ack": func(rt *rapid.T) {
			list, _, err := s.book.List(s.t.Context(), plant.AlarmQuery{})
			if err != nil {
				rt.Fatal(err)
			}
			list = slices.DeleteFunc(list, func(a plant.Alarm) bool { return !open(a.State) })
			if len(list) == 0 {
				rt.Skip()
			}
			a := list[rapid.IntRange(0, len(list)-1).Draw(rt, "which")]
			s.look()
			s.ack(a.ID, "anna")
			s.wait(time.Millisecond)
			delete(s.began, a.ID)
			s.taken[told{a.ID, a.Count}], s.worst[told{a.ID, a.Count}] = time.Now(), priority(&a.Finding)
		},
		"wait": func(rt *rapid.T) {
			s.wait(time.Duration(rapid.IntRange(1, 400).Draw(rt, "seconds")) * time.Second)
		},
		"mail": func(rt *rapid.T) {
			if rapid.Bool().Draw(rt, "works") {
				s.mail.set(nil)
			} else {
				s.mail.set(func(plant.Message) error { return errors.New("away") })
			}
		},
		"restart": func(rt *rapid.T) { s.restart(); synctest.Wait() },
		"":        func(rt *rapid.T) { synctest.Wait(); s.look() },
	})
	s.mail.set(nil)
	s.wait(50 * time.Minute)
	s.look()

	keys := map[string]bool{}
	said := map[told]bool{}
	for _, m := range s.all {
		if keys[m.Key] {
			rt.Fatalf("%s came twice", m.Key)
		}
		keys[m.Key] = true
		for _, id := range m.Alarms {
			var n told
			if err := s.desk.db.QueryRow(`SELECT alarm, count FROM told WHERE message = ? AND alarm = ?`, m.ID, id).Scan(&n.alarm, &n.count); err != nil {
				rt.Fatal(err)
			}
			if m.Person == "ali" && m.Purpose != plant.PurposeReturn {
				said[n] = true
			}
		}
	}
	for _, who := range []string{"ali", "omar", "boss"} {
		if most := perMinute(s.all, who); most > 10 {
			rt.Fatalf("%s got %d messages in a minute", who, most)
		}
	}
	list, _, err := s.book.List(s.t.Context(), plant.AlarmQuery{State: plant.Unacked})
	if err != nil {
		rt.Fatal(err)
	}
	for _, a := range list {
		if !said[told{a.ID, a.Count}] {
			rt.Fatalf("ali was not told of alarm %d, count %d; outbox %q", a.ID, a.Count, s.states())
		}
	}
	st, err := s.desk.Stats(s.t.Context())
	if err != nil || st.Pending+st.Held+st.Sending+st.Dead > 0 {
		rt.Fatalf("left over: %+v %v", st, err)
	}
}
