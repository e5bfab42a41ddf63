package train

import (
	"testing"
	"time"

	"millwright/plant"
)

// TestPLCAlarm: what the PLC's own program calls an alarm bars no rows, and that it
// was none gives none back; a fault that people confirm is one, whoever found it.
func TestPLCAlarm(t *testing.T) {
	const asset = "HSM/P"
	min := func(m int) int64 { return at(time.Duration(m) * time.Minute) }
	p := newPast([]plant.Tag{{Path: asset + "/A", Asset: asset}}, nil)
	for i, v := range []plant.Verdict{"", plant.NotAFault, plant.Confirmed} {
		from, to := min(100+200*i), min(110+200*i)
		p.alarms = append(p.alarms, plant.Alarm{ID: int64(i + 1), Raised: from, Returned: to,
			Finding: plant.Finding{Asset: asset, Class: plant.PLCAlarm, Detector: string(plant.PLCAlarm)}})
		if v != "" {
			p.labels = append(p.labels, plant.Label{ID: int64(i), Alarm: int64(i + 1), Asset: asset, Detector: string(plant.PLCAlarm), Verdict: v, From: from, To: to, At: 1})
		}
	}
	e, err := exclusionsOf(t.Context(), p, asset, p.tags, begin, min(1000), time.Minute, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.cleared) != 0 || e.alarms != 0 || len(e.events) != 1 || len(e.barred) != 1 || e.barred[0].why != Fault {
		t.Errorf("cleared %v, %d alarms, %d events, barred %v", e.cleared, e.alarms, len(e.events), e.barred)
	}
}
