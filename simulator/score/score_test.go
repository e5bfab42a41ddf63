package score

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"millwright/plant"
	"millwright/simulator/ledger"
)

// A run of ten days that is told in hours.
func run(hours int64) int64 { return hours * int64(time.Hour) }

func fan() *plant.AssetClass {
	return &plant.AssetClass{Name: "fan", Modes: []plant.FailureMode{
		{Name: "bearing", Symptoms: []plant.Symptom{{Tag: "BRG_T*", Sign: plant.SignUp, Weight: 1}}},
		{Name: "bearing-outer", Of: "bearing", Symptoms: []plant.Symptom{{Tag: "VIB_ENV", Sign: plant.SignUp, Weight: 1}}},
		{Name: "dust", Symptoms: []plant.Symptom{{Tag: "VIB_H", Sign: plant.SignUp, Weight: 1}}},
	}}
}

func plain(faults ...ledger.Episode) *Case {
	return &Case{To: run(240), Assets: []Asset{{Path: "A", Watched: run(24), Class: fan()}, {Path: "B", Watched: run(24)}}, Faults: faults}
}

func outer() ledger.Episode {
	return ledger.Episode{Asset: "A", Fault: "bearing-outer", Onset: run(100), Failed: run(140), Ended: run(160), Worst: 1}
}

func (c *Case) say(asset string, class plant.Class, key string, from, to int64, tags ...string) *Finding {
	f := Finding{Finding: plant.Finding{Asset: asset, Class: class, Key: key, Phase: plant.Raise, Time: from}}
	for i, t := range tags {
		f.Contributions = append(f.Contributions, plant.Contribution{Tag: asset + "/" + t, Share: 1 / float64(i+1)})
	}
	c.Findings = append(c.Findings, f)
	if to > 0 {
		end := f
		end.Phase, end.Time = plant.Clear, to
		c.Findings = append(c.Findings, end)
		return &c.Findings[len(c.Findings)-2]
	}
	return &c.Findings[len(c.Findings)-1]
}

func TestFound(t *testing.T) {
	c := plain(outer())
	f := c.say("A", plant.Advisory, "wpca", run(110), run(150), "POWER", "VIB_ENV")
	f.Told, f.Causes = true, []plant.Cause{{Mode: "dust"}, {Mode: "bearing"}}
	s := Judge(c)
	want := Score{Events: 1, Found: 1, Leads: []float64{0.75}, Alerts: 1, Right: 1, Tagged: 1, Tag3: 1, Told: 1, Class3: 1}
	want.Months = float64(run(216-60)+run(216)) / float64(month)
	if math.Abs(s.Months-want.Months) > 1e-9 {
		t.Errorf("%v asset-months, want %v", s.Months, want.Months)
	}
	s.Months = want.Months
	if !reflect.DeepEqual(s, want) {
		t.Errorf("%+v\nwant %+v", s, want)
	}
}

func TestNotFound(t *testing.T) {
	f := func(name string, change func(*Case), check func(s Score) bool) {
		t.Helper()
		c := plain(outer())
		change(c)
		if s := Judge(c); !check(s) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	lost := func(s Score) bool { return s.Events == 1 && s.Found == 0 && len(s.Leads) == 0 }
	f("silence", func(*Case) {}, lost)
	f("another asset", func(c *Case) { c.say("B", plant.Advisory, "wpca", run(110), 0) }, func(s Score) bool { return lost(s) && s.False == 1 })
	f("before its onset", func(c *Case) { c.say("A", plant.Advisory, "wpca", run(90), run(150)) }, func(s Score) bool { return lost(s) && s.False == 1 })
	f("behind the failure", func(c *Case) { c.say("A", plant.Advisory, "wpca", run(141), run(150)) }, func(s Score) bool { return lost(s) && s.Right == 1 })
	f("a sensor's finding", func(c *Case) { c.say("A", plant.SensorFault, "sensor", run(110), 0) }, func(s Score) bool { return lost(s) && s.Alerts == 0 })
	f("a fixed limit finds too", func(c *Case) { c.say("A", plant.LimitAlarm, "limit", run(140), 0, "VIB_ENV") },
		func(s Score) bool { return s.Found == 1 && s.Leads[0] == 0 && s.Tag1 == 1 && s.Told == 0 })
	f("no failure yet: to the end of the run", func(c *Case) {
		c.Faults[0].Failed, c.Faults[0].Ended = 0, 0
		c.say("A", plant.Advisory, "wpca", run(170), 0)
	}, func(s Score) bool { return s.Found == 1 && s.Leads[0] == 0.5 })
}

func TestAlerts(t *testing.T) {
	f := func(name string, change func(*Case), want Score) {
		t.Helper()
		c := plain()
		change(c)
		s := Judge(c)
		if s.Alerts != want.Alerts || s.False != want.False || s.Miscalled != want.Miscalled || s.Right != want.Right ||
			s.ByMode != want.ByMode || s.ByProduct != want.ByProduct || s.BySeason != want.BySeason || s.SensorCalled != want.SensorCalled || s.SensorFound != want.SensorFound {
			t.Errorf("%s: %+v\nwant %+v", name, s, want)
		}
	}
	minute := int64(time.Minute)
	at := run(50)
	f("findings that overlap are one alert", func(c *Case) {
		c.say("A", plant.Advisory, "wpca", at, 0)
		c.say("A", plant.LimitAlarm, "limit", at+5*minute, 0)
	}, Score{Alerts: 1, False: 1, BySeason: 1})
	f("soon after are one as well", func(c *Case) {
		c.say("A", plant.Advisory, "wpca", at, at+minute)
		c.say("A", plant.Advisory, "wpca", at+11*minute, at+12*minute)
	}, Score{Alerts: 1, False: 1, BySeason: 1})
	f("later are two", func(c *Case) {
		c.say("A", plant.Advisory, "wpca", at, at+minute)
		c.say("A", plant.Advisory, "wpca", at+12*minute, at+13*minute)
	}, Score{Alerts: 2, False: 2, BySeason: 2})
	f("near a change of mode", func(c *Case) {
		c.Changes = []Change{{"A", at - 10*minute, false}}
		c.say("A", plant.Advisory, "wpca", at, 0)
	}, Score{Alerts: 1, False: 1, ByMode: 1})
	f("near another product, another asset's mode", func(c *Case) {
		c.Changes = []Change{{"A", at - 30*minute, true}, {"B", at - minute, false}}
		c.say("A", plant.Advisory, "wpca", at, 0)
	}, Score{Alerts: 1, False: 1, ByProduct: 1})
	f("before any change", func(c *Case) {
		c.Changes = []Change{{"A", at + minute, false}}
		c.say("A", plant.Advisory, "wpca", at, 0)
	}, Score{Alerts: 1, False: 1, BySeason: 1})
	stuck := ledger.Episode{Asset: "A", Fault: "swap=VIB_H,VIB_V", Onset: run(40), Ended: run(60), Worst: 1}
	f("a sensor's fault is called a machine's", func(c *Case) {
		c.Faults = []ledger.Episode{stuck}
		c.say("A", plant.Advisory, "wpca", at, 0)
	}, Score{Alerts: 1, Miscalled: 1, SensorCalled: 1})
	f("a sensor's fault is called one", func(c *Case) {
		c.Faults = []ledger.Episode{stuck}
		c.say("A", plant.SensorFault, "sensor", at, 0).Tag = "A/VIB_V"
	}, Score{SensorFound: 1})
	f("another sensor is called faulty", func(c *Case) {
		c.Faults = []ledger.Episode{stuck}
		c.say("A", plant.SensorFault, "sensor", at, 0).Tag = "A/POWER"
	}, Score{})
	f("the machine is at fault too", func(c *Case) {
		c.Faults = []ledger.Episode{stuck, {Asset: "A", Fault: "dust", Onset: run(45), Worst: 0.5}}
		c.say("A", plant.Advisory, "wpca", at, 0)
	}, Score{Alerts: 1, Right: 1})
}

// Whatever is said: shares are shares (a fault that is there at once has no lead), every
// alert has one account, and what is
// said more of an asset without a fault finds no event.
func TestAccountAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := plain()
		hour := rapid.Int64Range(0, 240)
		for range rapid.IntRange(0, 4).Draw(t, "faults") {
			e := ledger.Episode{Asset: rapid.SampledFrom([]string{"A", "B"}).Draw(t, "asset"), Onset: run(hour.Draw(t, "onset")),
				Fault: rapid.SampledFrom([]string{"dust", "bearing-outer", "stuck=VIB_H"}).Draw(t, "fault"), Worst: 1}
			if rapid.Bool().Draw(t, "fails") {
				e.Failed = e.Onset + run(rapid.Int64Range(0, 100).Draw(t, "growth"))
				e.Ended = e.Failed + run(rapid.Int64Range(0, 50).Draw(t, "wait"))
			}
			c.Faults = append(c.Faults, e)
		}
		at := int64(0)
		for range rapid.IntRange(0, 20).Draw(t, "findings") {
			at += int64(rapid.Int64Range(0, 20).Draw(t, "hours")) * int64(time.Hour)
			f := Finding{Told: rapid.Bool().Draw(t, "told")}
			f.Asset = rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "of")
			f.Class = rapid.SampledFrom([]plant.Class{plant.Advisory, plant.LimitAlarm, plant.SensorFault, plant.SystemFault}).Draw(t, "class")
			f.Phase = rapid.SampledFrom([]plant.Phase{plant.Raise, plant.Update, plant.Clear}).Draw(t, "phase")
			f.Key = rapid.SampledFrom([]string{"wpca", "limit", plant.AnyKey}).Draw(t, "key")
			f.Time = at
			c.Findings = append(c.Findings, f)
		}
		s := Judge(c)
		if s.Right+s.Miscalled+s.False != s.Alerts || s.ByMode+s.ByProduct+s.BySeason != s.False || len(s.Leads) > s.Found || s.Found > s.Events ||
			s.LongSeen > s.Long || s.Tag1 > s.Tag3 || s.Tag3 > s.Tagged || s.Tagged > s.Found || s.Class1 > s.Class3 || s.Class3 > s.Told || s.Told > s.Found ||
			s.SensorFound > s.SensorEvents || s.SensorCalled > s.SensorEvents || s.Events+s.SensorEvents != len(c.Faults) {
			t.Fatalf("%+v", s)
		}
		for _, l := range s.Leads {
			if !(l >= 0 && l <= 1) {
				t.Fatalf("lead %v", l)
			}
		}
		if !(s.Months >= 0 && s.Months <= float64(2*run(216))/float64(month)) {
			t.Fatalf("%v asset-months", s.Months)
		}
		twice := Score{}
		twice.Add(s)
		twice.Add(s)
		if twice.Alerts != 2*s.Alerts || twice.Median() != s.Median() || twice.Months != 2*s.Months {
			t.Fatalf("%+v twice is %+v", s, twice)
		}
	})
}

func TestPrint(t *testing.T) {
	c := plain(outer())
	c.say("A", plant.Advisory, "wpca", run(110), run(150), "VIB_ENV")
	c.say("B", plant.Advisory, "wpca", run(50), run(51))
	var b bytes.Buffer
	told := Score{Told: 4, Class1: 1, Class3: 3, Tagged: 2, Tag1: 0, Tag3: 1, Alerts: 3, False: 3, ByMode: 1, ByProduct: 2, Months: 1.5, SensorEvents: 5, SensorFound: 4, SensorCalled: 2}
	if err := Print(&b, []Run{{"one", Judge(c)}, {"healthy", Judge(plain())}, {"told-with-a-name-of-thirty-one", told}}); err != nil {
		t.Fatal(err)
	}
	squeezed := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{
		"one 1 1 0 0 75 % 0 0 – ", "one 2 50 % 0 1 0.517 1.94 0 0 1 ", "healthy 0 0 0 0 – 0 0 – ", "healthy 0 – 0 0 0.6 0 0 0 0 ",
		"-one 0 0 0 0 – 5 4 40 % ", "-one 3 0 % 0 3 1.5 2 1 2 0 ", "-one 1 of 4, 25 % 3 of 4, 75 % 0 of 2, 0 % 1 of 2, 50 % ",
		"in total, on simulated data reached goal", "alerts that are right 20 % of 5 ≥ 80 % no",
		"median share of P–F left at the first alert 75 % of 1 ≥ 50 % yes", "class of fault told first 25 % of 4 ≥ 75 % ", "(4 in 2.62 asset-months) ≤ 0.1 no",
	} {
		if !strings.Contains(squeezed, want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(line); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// What fails at once has no time from P to F: it can be found until it is mended,
// and has no lead.
func TestFailsAtOnce(t *testing.T) {
	once := ledger.Episode{Asset: "A", Fault: "dust", Onset: run(100), Failed: run(100), Ended: run(160), Worst: 1}
	c := plain(once)
	c.say("A", plant.Advisory, "wpca", run(101), run(150))
	if s := Judge(c); s.Events != 1 || s.Found != 1 || len(s.Leads) != 0 || s.Right != 1 {
		t.Errorf("%+v", s)
	}
	c = plain(once)
	c.say("A", plant.Advisory, "wpca", run(161), run(170))
	if s := Judge(c); s.Found != 0 || s.False != 1 {
		t.Errorf("behind its repair: %+v", s)
	}
}

// The end of nothing, which a model that starts again tells, does not make one
// alert of two.
func TestEndOfNothing(t *testing.T) {
	for _, key := range []string{plant.AnyKey, "wpca", "limit/A/T/high"} {
		c := plain()
		c.say("A", plant.Advisory, "wpca", run(50), run(51))
		f := *c.say("A", plant.Advisory, key, run(60), 0)
		f.Phase = plant.Clear
		c.Findings[len(c.Findings)-1] = f
		c.say("A", plant.Advisory, "wpca", run(60)+int64(time.Minute), run(61))
		if s := Judge(c); s.Alerts != 2 || s.False != 2 {
			t.Errorf("%s: %d alerts, %d false, want 2", key, s.Alerts, s.False)
		}
	}
}
