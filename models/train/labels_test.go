package train

import (
	"testing"
	"time"

	"millwright/plant"
)

// oddities is a bench whose third sensor goes its own way eight times in the part
// that is trained on, and once in the backtest.
func oddities() (*past, []spell) {
	const learn = 3 * time.Hour
	const each = 5 * time.Minute
	var spells []spell
	for i := range 8 {
		spells = append(spells, spell{learn*time.Duration(i)/8 + 2*time.Minute, each})
	}
	return benchPast(1, learn+learn/3, append(spells, spell{learn + learn/6, each})...), spells
}

func alarmOf(id int64, s spell) plant.Alarm {
	return plant.Alarm{ID: id, State: plant.Cleared, Raised: at(s.from) + 15e9, Returned: at(s.from + s.length),
		Finding: plant.Finding{Asset: benchAsset, Key: "wpca", Class: plant.Advisory, Detector: "wpca"}}
}

func labelOf(id int64, s spell, v plant.Verdict) plant.Label {
	l := plant.Label{ID: id, Alarm: id, Asset: benchAsset, Verdict: v, From: at(s.from), To: at(s.from + s.length), At: at(s.from) + 1}
	if v == plant.Confirmed {
		l.Code = "OTH"
	}
	return l
}

// TestLabelsChangeTheModel trains four times on the same samples. What nobody
// spoke of is learned; alarms without an answer stay out, so that the same thing
// is found again; "not a fault" puts their rows back, and the alarm vanishes;
// "confirmed" takes rows out that had no alarm at all.
func TestLabelsChangeTheModel(t *testing.T) {
	p, spells := oddities()
	f := func(name string, finds bool, say func(int64, spell)) {
		t.Helper()
		p.alarms, p.labels = nil, nil
		for i, s := range spells {
			say(int64(i+1), s)
		}
		o := quick(p, benchAsset)
		o.Before, o.After, o.Epochs = 2*time.Minute, 2*time.Minute, 6
		r := run(t, o)
		if got := len(r.Backtest.Trained) > 0; got != finds {
			t.Errorf("%s: alarm in the backtest: %v, want %v", name, got, finds)
		}
		for _, a := range r.Backtest.Trained {
			if odd := at(3*time.Hour + 30*time.Minute); a.Raised < odd || a.Raised > odd+int64(5*time.Minute) {
				t.Errorf("%s: an alarm at %s", name, date(a.Raised))
			} else if a.Tags[0] != benchAsset+"/CURRENT" {
				t.Errorf("%s: names %v first", name, a.Tags)
			}
		}
	}
	f("nobody said anything", false, func(int64, spell) {})
	f("confirmed, no alarm", true, func(id int64, s spell) {
		l := labelOf(id, s, plant.Confirmed)
		l.Alarm = 0
		p.labels = append(p.labels, l)
	})
	f("alarms without an answer", true, func(id int64, s spell) { p.alarms = append(p.alarms, alarmOf(id, s)) })
	f("not a fault", false, func(id int64, s spell) {
		p.alarms = append(p.alarms, alarmOf(id, s))
		p.labels = append(p.labels, labelOf(id, s, plant.NotAFault))
	})
}
