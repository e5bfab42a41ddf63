package train

import (
	"testing"
	"time"

	"millwright/plant"
)

// TestExclusions gives a past labels, alarms and gaps and asks row by row.
func TestExclusions(t *testing.T) {
	const asset = "HSM/P"
	min := func(m int) int64 { return at(time.Duration(m) * time.Minute) }
	tags := []plant.Tag{{Path: asset + "/A", Asset: asset}, {Path: asset + "/B", Asset: asset}, {Path: asset + "/C", Asset: asset}}
	p := newPast(tags, nil)
	id := int64(0)
	alarm := func(class plant.Class, tag string, from, to int) int64 {
		id++
		a := plant.Alarm{ID: id, Raised: min(from), Finding: plant.Finding{Asset: asset, Class: class, Tag: tag}}
		if to > 0 {
			a.Returned = min(to)
		}
		p.alarms = append(p.alarms, a)
		return id
	}
	answer := func(alarm int64, v plant.Verdict, of int64, from, to int) {
		p.labels = append(p.labels, plant.Label{ID: int64(len(p.labels) + 1), Alarm: alarm, Asset: asset, Verdict: v, Of: of, From: min(from), To: min(to), At: int64(len(p.labels))})
	}
	answer(alarm(plant.Advisory, "", 100, 110), plant.Confirmed, 0, 100, 110)
	first := alarm(plant.Advisory, "", 200, 210)
	answer(first, plant.Confirmed, 0, 200, 210) // somebody was wrong
	answer(first, plant.NotAFault, 0, 200, 210)
	answer(alarm(plant.LimitAlarm, asset+"/A", 300, 310), plant.ProcessChange, 0, 290, 330)
	alarm(plant.Advisory, "", 400, 410) // nobody has answered
	sensor := alarm(plant.Advisory, "", 500, 510)
	answer(sensor, plant.SensorWrong, 0, 500, 510)
	p.labels[len(p.labels)-1].Tag = asset + "/B"
	answer(alarm(plant.Advisory, "", 600, 610), plant.SensorWrong, 0, 600, 610) // no tag
	same := alarm(plant.Advisory, "", 700, 710)
	other := alarm(plant.Advisory, "", 702, 712)
	third := alarm(plant.Advisory, "", 704, 714)
	answer(same, plant.NotAFault, 0, 700, 710)
	answer(other, plant.Duplicate, same, 702, 712)
	answer(third, plant.Duplicate, other, 704, 714)
	answer(alarm(plant.Advisory, "", 800, 810), plant.Duplicate, 999, 800, 810) // of what has no answer
	alarm(plant.SensorFault, asset+"/C", 900, 910)
	alarm(plant.SystemFault, "", 950, 960)
	again := alarm(plant.Advisory, "", 1000, 1060) // answered while it was active
	answer(again, plant.NotAFault, 0, 1000, 1010)
	p.alarms = append(p.alarms, plant.Alarm{ID: again, Raised: min(1200), Returned: min(1210), Finding: plant.Finding{Asset: asset, Class: plant.Advisory}}) // it came back
	p.alarms = append(p.alarms, plant.Alarm{ID: 77, Raised: min(1300), Finding: plant.Finding{Asset: asset + "/SUB", Class: plant.Advisory}})
	p.gaps = []plant.Gap{{Tag: 1, From: min(1400), To: min(1410)}, {Tag: 2, From: min(1405), To: min(1415)}}
	alarm(plant.Advisory, "", 1500, 0)

	e, err := exclusionsOf(t.Context(), p, asset, p.tags, begin, min(1600), 10*time.Minute, 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	v := e.sieve([]string{asset + "/A", asset + "/B", asset + "/C"})
	f := func(minute int, want Reason, masked string) {
		t.Helper()
		ok := []bool{true, true, true}
		v.mask(min(minute), ok)
		got := ""
		for i, is := range ok {
			if !is {
				got += "ABC"[i : i+1]
			}
		}
		if why := v.bars(min(minute)); why != want || got != masked {
			t.Errorf("minute %d: %q, masked %q; want %q, masked %q", minute, why, got, want, masked)
		}
	}
	f(0, "", "")
	f(89, "", "")
	f(90, Fault, "")
	f(114, Fault, "")
	f(115, "", "")
	f(205, "", "")
	f(289, "", "")
	f(290, Process, "")
	f(329, Process, "")
	f(330, "", "")
	f(391, Alarmed, "")
	f(414, Alarmed, "")
	f(416, "", "")
	f(499, "", "")
	f(505, "", "B")
	f(510, "", "")
	f(605, SensorOff, "")
	f(705, "", "")
	f(713, "", "")
	f(805, Alarmed, "")
	f(905, "", "C")
	f(955, "", "")
	f(1050, "", "")
	f(1195, Alarmed, "")
	f(1305, "", "")
	f(1402, "", "A")
	f(1407, "", "AB")
	f(1412, "", "B")
	f(1491, Alarmed, "")
	f(1599, Alarmed, "")
	for _, minute := range []int{205, 707, 1050} {
		if !v.forgiven(min(minute)) {
			t.Errorf("minute %d: was no fault", minute)
		}
	}
	if v.forgiven(min(105)) || v.forgiven(min(1205)) {
		t.Error("forgiven without a word")
	}
	if len(e.events) != 1 || e.events[0].From != min(100) {
		t.Errorf("events %+v", e.events)
	}
}

// TestLimitBarsUnlessForgiven breaks a fixed limit for a while: the rows stay out
// until somebody says that it was no fault.
func TestLimitBarsUnlessForgiven(t *testing.T) {
	s := spell{30 * time.Minute, 10 * time.Minute}
	p := benchPast(1, time.Hour, s)
	p.assets[0].Limits = []plant.Limit{{Tag: benchAsset + "/CURRENT", Kind: plant.LimitHigh, Value: 17, Deadband: 1}}
	count := func() (over, used int) {
		o := quick(p, benchAsset)
		if err := o.check(); err != nil {
			t.Fatal(err)
		}
		d, err := newDataset(t.Context(), &o)
		if err != nil {
			t.Fatal(err)
		}
		d.split = d.to
		if err := d.load(t.Context(), p, func(float64) {}); err != nil {
			t.Fatal(err)
		}
		return d.all[OverLimit], d.rows["running"].n()
	}
	over, used := count()
	if over < 50 || over > 700 || over+used < 3590 {
		t.Errorf("%d rows over the limit, %d used", over, used)
	}
	p.labels = []plant.Label{labelOf(1, s, plant.NotAFault)}
	p.labels[0].To += int64(time.Minute)
	if again, more := count(); again != 0 || more != over+used {
		t.Errorf("forgiven: %d rows over the limit, %d used", again, more)
	}
}
