package alarm

import (
	"time"

	"millwright/plant"
)

// Window is the source time within which a condition that comes back after it
// was cleared is the same alarm again.
const Window = 10 * time.Minute

// outcome says what a step did to an alarm.
type outcome int

const (
	ignored   outcome = iota // older than what is known, or nothing to do
	refreshed                // newer evidence, nothing that people must be told
	changed                  // state or priority: goes into the journal
	another                  // the alarm is history: the condition begins a new one
)

// next is the alarm after a finding about its condition. a.ID is 0 where the
// condition has no alarm yet. It is ISA-18.2 without latching and suppression:
//
//	             raise            update           clear           ack
//	(none)       unacked, new     unacked, new     –               –
//	unacked      same episode     newer evidence   rtn_unacked     acked
//	acked        same episode     newer evidence   cleared         –
//	rtn_unacked  unacked, again   unacked, again   –               cleared
//	cleared      unacked, again   unacked, again   –               –
//	   after Window: a new alarm
//
// A raise of an active alarm is the same episode: a detector that lost its
// memory with the edge's process finds again what is still there. An update
// without its raise counts as one. Evidence older than what is known changes
// nothing: records may overtake each other.
func next(a plant.Alarm, f *plant.Finding) (plant.Alarm, outcome) {
	if f.Phase == plant.Clear {
		return returned(a, f.Time)
	}
	switch {
	case a.ID == 0:
		return a, another
	case active(a.State):
		if f.Time < a.Finding.Time {
			return a, ignored
		}
		out := refreshed
		if f.Priority != a.Finding.Priority || f.Class != a.Finding.Class {
			out = changed
		}
		a.Finding = *f
		return a, out
	case f.Time <= a.Returned:
		return a, ignored
	case a.State == plant.Cleared && f.Time-a.Returned > int64(Window):
		return a, another
	}
	a.State = plant.Unacked
	a.Finding = *f
	a.Raised, a.Returned = f.Time, 0
	a.Acked, a.AckedBy, a.Note = 0, "", ""
	a.Count++
	return a, changed
}

// begin is a new alarm of a finding.
func begin(edge string, f *plant.Finding) plant.Alarm {
	return plant.Alarm{State: plant.Unacked, Edge: edge, Finding: *f, Raised: f.Time, Count: 1}
}

// returned is the alarm after its condition went back to normal.
func returned(a plant.Alarm, at int64) (plant.Alarm, outcome) {
	if a.ID == 0 || !active(a.State) || at < a.Finding.Time || at < a.Raised {
		return a, ignored
	}
	a.Returned = at
	if a.State == plant.Unacked {
		a.State = plant.RtnUnacked
	} else {
		a.State = plant.Cleared
	}
	return a, changed
}

// acknowledged is the alarm after somebody has taken it: while it is active, or
// after it went back to normal.
func acknowledged(a plant.Alarm, who, note string, at int64) (plant.Alarm, outcome) {
	switch a.State {
	case plant.Unacked:
		a.State = plant.Acked
	case plant.RtnUnacked:
		a.State = plant.Cleared
	default:
		return a, ignored
	}
	a.Acked, a.AckedBy, a.Note = at, who, note
	return a, changed
}

func active(s plant.AlarmState) bool { return s == plant.Unacked || s == plant.Acked }
