package alarm

import (
	"testing"

	"millwright/plant"
)

func plcAlarm(phase plant.Phase, min int64) plant.Finding {
	return plant.Finding{Asset: "A", Key: "plc/PLC1/nsu=urn:mill;i=7", Kind: plant.KindPLCAlarm, Class: plant.PLCAlarm, Phase: phase,
		Detector: "plc", Time: min * minute, Priority: 2, Text: "تیل کم ہے", Condition: "Tank3 / OilLow"}
}

// What a PLC says lives in the book like any alarm, with its words. It ends when
// the PLC says so, not when an edge learns the machine afresh, and judges no detector.
func TestPLCAlarm(t *testing.T) {
	b := newBook(t)
	b.apply(plcAlarm(plant.Raise, 1), finding("A", plant.Raise, 1))
	all := finding("A", plant.Clear, 2)
	all.Key = plant.AnyKey
	b.apply(all)
	find := func() plant.Alarm {
		t.Helper()
		for _, a := range b.list(plant.AlarmQuery{Asset: "A"}) {
			if a.Finding.Class == plant.PLCAlarm {
				return a
			}
		}
		t.Fatal("no PLC alarm")
		return plant.Alarm{}
	}
	a := find()
	if a.State != plant.Unacked || a.Finding.Text != "تیل کم ہے" || a.Finding.Title() != `PLC alarm "تیل کم ہے": Tank3 / OilLow` {
		t.Errorf("after learning afresh: %+v, %s", a, a.Finding.Title())
	}
	p, err := b.Precision(t.Context(), "A", 0)
	if err != nil || len(p) != 1 || p[0].Detector != "wpca" {
		t.Errorf("precision %+v, %v", p, err)
	}
	b.apply(plcAlarm(plant.Clear, 3))
	if a = find(); a.State != plant.RtnUnacked || a.Finding.Text == "" {
		t.Errorf("ended: %+v", a)
	}
}
