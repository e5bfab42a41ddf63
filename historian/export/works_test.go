package export_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"millwright/historian/alarm"
	"millwright/historian/export"
	"millwright/historian/store"
	"millwright/plant"
)

const second = int64(time.Second)

var begin = time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC).UnixNano()

// works is a plant's memory on the disk.
type works struct {
	t    testing.TB
	dir  string
	log  *slog.Logger
	st   *store.Pebble
	book *alarm.Book
	rec  uint64 // records applied to the book
}

func newWorks(t testing.TB) *works {
	w := &works{t: t, dir: t.TempDir(), log: slog.New(slog.DiscardHandler)}
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *works) open() {
	w.t.Helper()
	var err error
	if w.st, err = store.Open(store.Config{Dir: w.dir + "/store", Log: w.log}); err != nil {
		w.t.Fatal(err)
	}
	if w.book, err = alarm.Open(w.dir + "/alarms"); err != nil {
		w.t.Fatal(err)
	}
}

func (w *works) close() {
	if err := w.st.Close(); err != nil {
		w.t.Error(err)
	}
	if err := w.book.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *works) source() export.Works { return export.Works{Store: w.st, Book: w.book} }

func (w *works) job() *export.Job { return &export.Job{Source: w.source(), Version: "test"} }

// intern gives tags their IDs.
func (w *works) intern(tags ...plant.Tag) []plant.TagID {
	w.t.Helper()
	if err := w.st.Intern(tags); err != nil {
		w.t.Fatal(err)
	}
	ids := make([]plant.TagID, len(tags))
	for i := range tags {
		ids[i] = tags[i].ID
	}
	return ids
}

func (w *works) append(b plant.Batch) {
	w.t.Helper()
	if err := w.st.Append(context.Background(), b, nil); err != nil {
		w.t.Fatal(err)
	}
}

// find brings findings into the alarm book.
func (w *works) find(findings ...plant.Finding) {
	w.t.Helper()
	w.rec++
	if err := w.book.Apply(context.Background(), "edge-1", 7, w.rec, findings); err != nil {
		w.t.Fatal(err)
	}
}

// label answers the alarm of a condition.
func (w *works) label(key string, l plant.Label) {
	w.t.Helper()
	alarms, _, err := w.book.List(context.Background(), plant.AlarmQuery{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, a := range alarms {
		if a.Finding.Key == key {
			l.Alarm = a.ID
		}
	}
	l.Who = "anna"
	if _, err := w.book.Label(context.Background(), l); err != nil {
		w.t.Fatal(err)
	}
}

func (w *works) export(q export.Query) (string, *export.Manifest) {
	w.t.Helper()
	var out bytes.Buffer
	m, err := w.job().Write(context.Background(), q, &out)
	if err != nil {
		w.t.Fatal(err)
	}
	return out.String(), m
}

// at is a time so many seconds after begin.
func at(s float64) int64 { return begin + int64(math.Round(s*1000))*int64(time.Millisecond) }

const gearbox = "HSM/FM/F3/GBX"

// mill is a works with all that an export has to tell apart: holes, a declared
// gap, bad and uncertain values, what is no number, texts, modes, answers and
// findings.
func mill(t testing.TB) *works {
	w := newWorks(t)
	ids := w.intern(
		plant.Tag{Path: gearbox + "/VIB_H", Asset: gearbox, Unit: "mm/s", Description: "vibration, horizontal", Kind: plant.Analog,
			Low: 0, High: 20, Resolution: 0.01, Sampling: time.Second},
		plant.Tag{Path: gearbox + "/SPEED_REF", Asset: gearbox, Unit: "1/min", Kind: plant.SetPoint, High: 900},
		plant.Tag{Path: gearbox + "/COIL", Asset: gearbox, Kind: plant.Text},
		plant.Tag{Path: gearbox + "/" + plant.TagMode, Asset: gearbox, Kind: plant.Text, Derived: true},
		plant.Tag{Path: gearbox + "/" + plant.TagModel, Asset: gearbox, Kind: plant.Text, Derived: true},
		plant.Tag{Path: gearbox + "/" + plant.TagScore, Asset: gearbox, Kind: plant.Analog, Derived: true},
		plant.Tag{Path: "HSM/DSC/P1/FLOW", Asset: "HSM/DSC/P1", Unit: "m³/h", Kind: plant.Analog, High: 500},
		plant.Tag{Path: "SIM/PLANT_TIME", Unit: "s", Kind: plant.Analog},
	)
	vib, ref, coil, mode, model, score, flow := ids[0], ids[1], ids[2], ids[3], ids[4], ids[5], ids[6]
	err := w.st.SetAssets("edge-1", []plant.Asset{
		{Path: gearbox, Name: "Finishing stand F3 gearbox", Class: "gearbox",
			Modes:  []plant.Mode{{Name: "idle", Idle: true}, {Name: "rolling", When: []plant.Condition{{Tag: gearbox + "/SPEED_REF", Op: ">", Value: 100}}}},
			Limits: []plant.Limit{{Tag: gearbox + "/VIB_H", Kind: plant.LimitHigh, Value: 7.1, Priority: 2, Basis: "ISO 20816-3"}}},
		{Path: "HSM/DSC/P1", Name: "Descaling pump 1", Class: "pump",
			Modes: []plant.Mode{{Name: "descaling", When: []plant.Condition{{Tag: gearbox + "/SPEED_REF", Op: ">", Value: 0}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.append(plant.Batch{
		Samples: []plant.Sample{
			{Tag: vib, Time: at(-0.5), Value: 0.5},
			{Tag: vib, Time: at(0), Value: 1},
			{Tag: vib, Time: at(1), Value: 1.25},
			{Tag: vib, Time: at(2.001), Value: 2},
			{Tag: vib, Time: at(3), Value: math.NaN()},
			{Tag: vib, Time: at(4), Value: math.Inf(-1)},
			{Tag: vib, Time: at(5), Value: 5, Quality: plant.BadSensorFailure},
			{Tag: vib, Time: at(6), Value: 6.5, Quality: plant.UncertainLastUsableValue},
			{Tag: vib, Time: at(7), Value: 7, Quality: plant.Good.WithOverflow()},
			{Tag: vib, Time: at(10.5), Value: 10.5},
			{Tag: vib, Time: at(20), Value: 20},
			{Tag: vib, Time: at(21), Value: 21}, // behind the span
			{Tag: ref, Time: at(0), Value: 50},
			{Tag: ref, Time: at(2), Value: 450},
			{Tag: score, Time: at(3), Value: 0.1},
			{Tag: flow, Time: at(0.25), Value: 1e-300},
			{Tag: flow, Time: at(12), Value: 123456789.125},
		},
		States: []plant.State{
			{Tag: mode, Time: at(-3600), Value: "idle"},
			{Tag: mode, Time: at(2), Value: "rolling"},
			{Tag: mode, Time: at(9), Value: "rolling"},
			{Tag: mode, Time: at(15), Value: "idle", Quality: plant.BadNoCommunication},
			{Tag: mode, Time: at(18), Value: "idle"},
			{Tag: coil, Time: at(-60), Value: "A-0"},
			{Tag: coil, Time: at(3.5), Value: `A-1, "wide"`},
			{Tag: coil, Time: at(8), Value: ""},
			{Tag: coil, Time: at(14), Value: "A-3", Quality: plant.Bad},
			{Tag: model, Time: at(1), Value: `{"phase":"monitoring"}`},
		},
		Gaps: []plant.Gap{
			{Tag: vib, From: at(8), To: at(10), Reason: plant.GapServerDown},
			{Tag: vib, From: at(9), To: at(10.2), Reason: plant.GapLinkDown},
			{Tag: flow, From: at(-100), To: at(-90), Reason: plant.GapQueueFull},
		},
	})
	anomaly := plant.Finding{Asset: gearbox, Key: "wpca", Kind: plant.KindAnomaly, Class: plant.Advisory, Detector: "wpca", Mode: "rolling", Score: 1.5, Limit: 1, Priority: 3,
		Contributions: []plant.Contribution{{Tag: gearbox + "/VIB_H", Share: 1, Value: 7, Expected: 2, Direction: "high", Unit: "mm/s"}}}
	high := plant.Finding{Asset: gearbox, Key: "limit/" + gearbox + "/VIB_H/high", Kind: plant.KindHigh, Class: plant.LimitAlarm, Detector: "limit",
		Tag: gearbox + "/VIB_H", Value: 7.2, Limit: 7.1, Unit: "mm/s", Priority: 2}
	step := func(f plant.Finding, p plant.Phase, s float64) plant.Finding {
		f.Phase, f.Time = p, at(s)
		return f
	}
	w.find(step(anomaly, plant.Raise, 1), step(anomaly, plant.Clear, 2.001))
	w.find(step(anomaly, plant.Raise, 4), step(high, plant.Raise, 6), step(anomaly, plant.Clear, 7))
	w.find(plant.Finding{Asset: "HSM/DSC/P1", Key: "sensor/HSM/DSC/P1/FLOW/flat", Kind: plant.KindFlat, Class: plant.SensorFault, Detector: "flat",
		Tag: "HSM/DSC/P1/FLOW", Phase: plant.Raise, Time: at(-1000), Priority: 4})
	w.label("wpca", plant.Label{Verdict: plant.Confirmed, Code: "VIB", From: at(1), To: at(5)})
	w.label(high.Key, plant.Label{Verdict: plant.NotAFault, Note: "test of the alarm", From: at(4), To: at(10.5)})
	return w
}

func span() export.Query {
	return export.Query{Tags: []string{gearbox + "/*"}, From: at(0), To: at(21)}
}

// noise is n samples of a tag of its own that no compression makes small.
func noise(w *works, n int) plant.Batch {
	id := w.intern(plant.Tag{Path: "NOISE", Kind: plant.Analog})[0]
	rng := rand.New(rand.NewPCG(9, 9))
	var b plant.Batch
	for i := range n {
		b.Samples = append(b.Samples, plant.Sample{Tag: id, Time: at(float64(i)), Value: rng.NormFloat64()})
	}
	return b
}
