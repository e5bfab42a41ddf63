package alarm

import (
	"testing"
	"time"

	"millwright/plant"

	"pgregory.net/rapid"
)

const minute = int64(time.Minute)

// The whole table: every state against every event, at a time after what is
// known, with it, and before.
func TestMachine(t *testing.T) {
	const raised, evidence, back = 100 * minute, 110 * minute, 120 * minute
	in := func(state plant.AlarmState) plant.Alarm {
		a := plant.Alarm{ID: 1, State: state, Raised: raised, Count: 3, Finding: plant.Finding{Time: evidence, Priority: 2}}
		if !active(state) && state != "" {
			a.Returned = back
		}
		if state == plant.Acked || state == plant.Cleared {
			a.Acked, a.AckedBy, a.Note = 1, "anna", "seen"
		}
		if state == "" {
			a = plant.Alarm{}
		}
		return a
	}
	f := func(state plant.AlarmState, phase plant.Phase, at int64, out outcome, want plant.AlarmState, count int) {
		t.Helper()
		a, got := next(in(state), &plant.Finding{Phase: phase, Time: at, Priority: 2})
		if got != out || a.State != want || a.Count != count {
			t.Errorf("%s, %s at %d min: outcome %d, %s, count %d", state, phase, at/minute, got, a.State, a.Count)
		}
		if active(a.State) && a.Returned != 0 || a.State == plant.Unacked && a.AckedBy != "" {
			t.Errorf("%s, %s: %+v", state, phase, a)
		}
	}
	for _, p := range []plant.Phase{plant.Raise, plant.Update} {
		f("", p, 5, another, "", 0)
		for _, s := range []plant.AlarmState{plant.Unacked, plant.Acked} {
			f(s, p, evidence+1, refreshed, s, 3)
			f(s, p, evidence, refreshed, s, 3)
			f(s, p, evidence-1, ignored, s, 3)
		}
		f(plant.RtnUnacked, p, back+1, changed, plant.Unacked, 4)
		f(plant.RtnUnacked, p, back+100*int64(Window), changed, plant.Unacked, 4)
		f(plant.RtnUnacked, p, back, ignored, plant.RtnUnacked, 3)
		f(plant.Cleared, p, back+1, changed, plant.Unacked, 4)
		f(plant.Cleared, p, back+int64(Window), changed, plant.Unacked, 4)
		f(plant.Cleared, p, back+int64(Window)+1, another, plant.Cleared, 3)
		f(plant.Cleared, p, back-1, ignored, plant.Cleared, 3)
	}
	f("", plant.Clear, 5, ignored, "", 0)
	f(plant.Unacked, plant.Clear, evidence+1, changed, plant.RtnUnacked, 3)
	f(plant.Unacked, plant.Clear, evidence, changed, plant.RtnUnacked, 3)
	f(plant.Unacked, plant.Clear, evidence-1, ignored, plant.Unacked, 3)
	f(plant.Unacked, plant.Clear, raised-1, ignored, plant.Unacked, 3)
	f(plant.Acked, plant.Clear, evidence+1, changed, plant.Cleared, 3)
	f(plant.Acked, plant.Clear, raised-1, ignored, plant.Acked, 3)
	f(plant.RtnUnacked, plant.Clear, back+1, ignored, plant.RtnUnacked, 3)
	f(plant.Cleared, plant.Clear, back+1, ignored, plant.Cleared, 3)

	g := func(state plant.AlarmState, out outcome, want plant.AlarmState) {
		t.Helper()
		a, got := acknowledged(in(state), "otto", "why", 9)
		if got != out || a.State != want || got == changed && (a.AckedBy != "otto" || a.Note != "why" || a.Acked != 9) ||
			got == ignored && a.AckedBy != in(state).AckedBy {
			t.Errorf("ack in %s: %d, %+v", state, got, a)
		}
	}
	g(plant.Unacked, changed, plant.Acked)
	g(plant.RtnUnacked, changed, plant.Cleared)
	g(plant.Acked, ignored, plant.Acked)
	g(plant.Cleared, ignored, plant.Cleared)
}

// Priority and class are what people sort by: their change is told.
func TestMachinePriority(t *testing.T) {
	a := begin("e", &plant.Finding{Phase: plant.Raise, Time: 5, Priority: 3, Class: plant.Advisory})
	a.ID = 1
	b, out := next(a, &plant.Finding{Phase: plant.Update, Time: 6, Priority: 1, Class: plant.Advisory, Score: 9})
	if out != changed || b.Finding.Priority != 1 || b.Finding.Score != 9 || b.Raised != 5 || b.Count != 1 {
		t.Errorf("%d %+v", out, b)
	}
	if _, out = next(a, &plant.Finding{Phase: plant.Update, Time: 6, Priority: 3, Class: plant.LimitAlarm}); out != changed {
		t.Errorf("class: %d", out)
	}
}

// Random events never leave the table (hmi checklist A1): the four states, with
// their times as they must be; a raise that is news alarms again (A2).
func TestMachineProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a plant.Alarm
		id := int64(0)
		now := int64(1)
		for range rapid.IntRange(1, 60).Draw(t, "n") {
			now += rapid.Int64Range(-3, 12).Draw(t, "step") * minute
			before := a
			var out outcome
			switch e := rapid.SampledFrom([]string{"raise", "update", "clear", "ack"}).Draw(t, "event"); e {
			case "ack":
				if a.ID == 0 {
					continue
				}
				a, out = acknowledged(a, "anna", "", 1)
				if out == changed && a.AckedBy != "anna" {
					t.Fatalf("acknowledged by nobody: %+v", a)
				}
				if out == changed && active(a.State) != active(before.State) {
					t.Fatal("an acknowledgement changed whether the condition is there")
				}
			default:
				f := plant.Finding{Phase: plant.Phase(e), Time: now, Priority: rapid.IntRange(1, 4).Draw(t, "priority")}
				a, out = next(a, &f)
				if out == another {
					if f.Phase == plant.Clear {
						t.Fatal("a clear began an alarm")
					}
					id++
					a = begin("e", &f)
					a.ID = id
				}
				news := before.ID == 0 || !active(before.State) && now > before.Returned
				if f.Phase != plant.Clear && news && (a.State != plant.Unacked || a.Raised != now) {
					t.Fatalf("%s at %d after %+v gives %+v", e, now, before, a)
				}
				if f.Phase == plant.Clear && active(before.State) && now >= before.Finding.Time && active(a.State) {
					t.Fatalf("clear at %d after %+v gives %+v", now, before, a)
				}
			}
			if out == ignored && a.State != before.State {
				t.Fatalf("ignored, but %+v became %+v", before, a)
			}
			if a.ID == 0 {
				continue
			}
			ok := false
			switch a.State {
			case plant.Unacked:
				ok = a.Returned == 0 && a.Acked == 0 && a.AckedBy == ""
			case plant.Acked:
				ok = a.Returned == 0 && a.Acked != 0
			case plant.RtnUnacked:
				ok = a.Returned >= a.Raised && a.Acked == 0
			case plant.Cleared:
				ok = a.Returned >= a.Raised && a.Acked != 0
			}
			if !ok || a.Count < 1 || a.Finding.Time < a.Raised {
				t.Fatalf("out of the table: %+v", a)
			}
		}
	})
}
