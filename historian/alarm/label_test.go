package alarm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/plant"

	"pgregory.net/rapid"
)

func (b *book) label(l plant.Label) plant.Label {
	b.t.Helper()
	if l.Who == "" {
		l.Who = "anna"
	}
	l, err := b.Label(b.t.Context(), l)
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

func (b *book) labels(q plant.LabelQuery) []plant.Label {
	b.t.Helper()
	l, err := b.Labels(b.t.Context(), q)
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

// wantLabelsInJournal holds the labels against the journal: as many entries as
// answers given and withdrawn, and each alarm's last entry has its valid one.
func wantLabelsInJournal(t *testing.T, b *Book) {
	t.Helper()
	var labels, given, broken int
	err := errors.Join(
		row(b.db, `SELECT count(*) FROM label`, &labels),
		row(b.db, `SELECT count(*) FROM journal WHERE event = 'label'`, &given),
		row(b.db, `SELECT count(*) FROM alarm a JOIN journal j ON j.seq = a.seq LEFT JOIN label l ON l.alarm = a.id AND l.ended = 0
			WHERE coalesce(json_extract(j.after, '$.Label.ID'), 0) <> coalesce(l.id, 0)`, &broken))
	if err != nil {
		t.Fatal(err)
	}
	if labels != given || broken != 0 {
		t.Fatalf("%d labels, %d entries of them, %d alarms whose last entry has another label", labels, given, broken)
	}
}

func TestLabel(t *testing.T) {
	b := newBook(t)
	b.apply(finding("A", plant.Raise, 1), finding("B", plant.Raise, 2))
	id := b.one("A").ID
	b.apply(finding("A", plant.Clear, 5))
	changed := b.Changed()
	first := b.label(plant.Label{Alarm: id, Verdict: plant.NotAFault, Note: " roll change ", Asset: "X", Detector: "X", ID: 99})
	select {
	case <-changed:
	default:
		t.Error("nobody was told of the answer")
	}
	if first.ID != 1 || first.Asset != "A" || first.Detector != "wpca" || first.Note != "roll change" || first.From != minute || first.To != 5*minute ||
		first.Who != "anna" || time.Since(time.Unix(0, first.At)) > time.Minute {
		t.Errorf("%+v", first)
	}
	a := b.one("A")
	if a.Label == nil || *a.Label != first || a.State != plant.RtnUnacked || a.Seq != 4 {
		t.Errorf("answered: %+v", a)
	}
	// The answer stays with the alarm through what happens after it.
	b.reopen()
	b.ack(id, "")
	b.apply(finding("A", plant.Raise, 7))
	if a = b.one("A"); a.Label == nil || a.Label.ID != first.ID || a.State != plant.Unacked {
		t.Errorf("recurred: %+v", a)
	}
	second := b.label(plant.Label{Alarm: id, Verdict: plant.Confirmed, Code: "VIB", Who: "otto", From: 3 * minute, To: 8*minute + 999})
	if second.From != 3*minute || second.To != 8*minute || second.ID == first.ID {
		t.Errorf("%+v", second)
	}
	if got := b.labels(plant.LabelQuery{}); len(got) != 1 || got[0] != second {
		t.Errorf("valid: %+v", got)
	}
	if err := b.Unlabel(t.Context(), first.ID, "anna"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a replaced answer was withdrawn: %v", err)
	}
	if err := b.Unlabel(t.Context(), second.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	if err := b.Unlabel(t.Context(), second.ID, "anna"); !errors.Is(err, ErrNotFound) {
		t.Errorf("withdrawn twice: %v", err)
	}
	if a, err := b.Get(t.Context(), id); err != nil || a.Label != nil || len(b.labels(plant.LabelQuery{})) != 0 {
		t.Errorf("withdrawn: %+v %v", a, err)
	}

	entries, err := b.Journal(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		line := fmt.Sprint(e.Event, " ", e.Who, " ", e.Note)
		if e.Label != nil {
			line += fmt.Sprint(" ", e.Label.Verdict)
		}
		got = append(got, line)
	}
	want := []string{"raise edge-1 ", "return edge-1 ", "label anna roll change not_a_fault", "ack anna on it not_a_fault",
		"recur edge-1  not_a_fault", "label otto  confirmed", "unlabel anna "}
	if !slices.Equal(got, want) {
		t.Errorf("journal\n%q\nwant\n%q", got, want)
	}
	wantLabelsInJournal(t, b.Book)
	events, err := b.Events(t.Context(), a.Seq-1, 1)
	if err != nil || len(events) != 1 || events[0].Label == nil || events[0].Label.Verdict != plant.NotAFault {
		t.Errorf("the event of the answer: %+v %v", events, err)
	}
}

// While an alarm is active its answer reaches to now; where the PLC's clock is
// ahead, a moment.
func TestLabelInterval(t *testing.T) {
	b := newBook(t)
	ahead := time.Now().Add(30 * time.Minute).UnixNano()
	f := finding("AHEAD", plant.Raise, 0)
	f.Time = plant.Millis(ahead)
	b.apply(finding("A", plant.Raise, 1), f)
	l := b.label(plant.Label{Alarm: 1, Verdict: plant.Confirmed, Code: "OTH"})
	if age := time.Since(time.Unix(0, l.To)); l.From != minute || age < 0 || age > time.Minute {
		t.Errorf("%+v", l)
	}
	l = b.label(plant.Label{Alarm: 2, Verdict: plant.Confirmed, Code: "OTH"})
	if l.From != plant.Millis(ahead) || l.To != l.From+int64(time.Millisecond) {
		t.Errorf("%+v", l)
	}
}

// The sensor that was wrong is the one that the crew names, else the finding's, or
// the one it blames most.
func TestLabelTag(t *testing.T) {
	b := newBook(t)
	f := finding("B", plant.Raise, 1)
	f.Tag = "B/TEMP"
	b.apply(finding("A", plant.Raise, 1), f)
	for _, c := range []struct {
		alarm   int64
		verdict plant.Verdict
		named   string
		want    string
	}{{1, plant.SensorWrong, "", "A/VIB_H"}, {1, plant.Confirmed, "", ""}, {2, plant.SensorWrong, "", "B/TEMP"}, {2, plant.Confirmed, "", "B/TEMP"},
		{1, plant.SensorWrong, "A/OIL_T", "A/OIL_T"}, {2, plant.SensorWrong, "B/FLOW", "B/FLOW"}} {
		l := plant.Label{Alarm: c.alarm, Verdict: c.verdict, Tag: c.named}
		if c.verdict == plant.Confirmed {
			l.Code = "WEA"
		}
		if got := b.label(l).Tag; got != c.want {
			t.Errorf("alarm %d, %s: tag %q, want %q", c.alarm, c.verdict, got, c.want)
		}
	}
}

func TestLabelRefused(t *testing.T) {
	b := newBook(t)
	const raised = 600_000 * minute // 1971
	f := finding("A", plant.Raise, 600_000)
	b.apply(f, finding("B", plant.Raise, 600_000), finding("C", plant.Raise, 600_000))
	day := int64(24 * time.Hour)
	now := time.Now().UnixNano()
	for _, c := range []struct {
		l    plant.Label
		want string
	}{
		{plant.Label{Verdict: "", Who: "x"}, `verdict: "" is not allowed; confirmed, not_a_fault, sensor_fault, process_change or duplicate`},
		{plant.Label{Verdict: "maybe", Who: "x"}, `verdict: "maybe" is not allowed`},
		{plant.Label{Verdict: plant.Confirmed, Who: "x"}, `code: "" is not allowed; one of VIB, NOI`},
		{plant.Label{Verdict: plant.Confirmed, Code: "vib", Who: "x"}, `code: "vib" is not allowed`},
		{plant.Label{Verdict: plant.Confirmed, Code: "VIB"}, "who: missing"},
		{plant.Label{Verdict: plant.Confirmed, Code: "VIB", Of: 2, Who: "x"}, "of: only a duplicate"},
		{plant.Label{Verdict: plant.NotAFault, Who: "x"}, "note: missing"},
		{plant.Label{Verdict: plant.NotAFault, Note: "  ", Who: "x"}, "note: missing"},
		{plant.Label{Verdict: plant.ProcessChange, Who: "x"}, "note: missing"},
		{plant.Label{Verdict: plant.SensorWrong, Code: "VIB", Who: "x"}, "code: only a confirmed"},
		{plant.Label{Verdict: plant.Confirmed, Code: "VIB", Tag: "A/OIL_T", Who: "x"}, "tag: only a sensor fault"},
		{plant.Label{Verdict: plant.Duplicate, Who: "x"}, "of: there is no alarm 0"},
		{plant.Label{Verdict: plant.Duplicate, Of: 99, Who: "x"}, "of: there is no alarm 99"},
		{plant.Label{Verdict: plant.Duplicate, Of: 1, Who: "x"}, "of: the alarm itself"},
		{plant.Label{Verdict: plant.SensorWrong, From: raised, To: raised, Who: "x"}, "from: not before to"},
		{plant.Label{Verdict: plant.SensorWrong, From: raised + day, To: raised, Who: "x"}, "from: not before to"},
		{plant.Label{Verdict: plant.SensorWrong, From: raised - 367*day, Who: "x"}, "from: more than a year before"},
		{plant.Label{Verdict: plant.SensorWrong, To: now + day, Who: "x"}, "to: in the future"},
	} {
		c.l.Alarm = 1
		_, err := b.Label(t.Context(), c.l)
		var told interface{ Faults() []string }
		if !errors.As(err, &told) || !slices.ContainsFunc(told.Faults(), func(f string) bool { return strings.HasPrefix(f, c.want) }) {
			t.Errorf("%+v: %v, want %s", c.l, err, c.want)
		}
	}
	if _, err := b.Label(t.Context(), plant.Label{Alarm: 9, Verdict: plant.SensorWrong, Who: "x"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("no alarm: %v", err)
	}
	if n := len(b.labels(plant.LabelQuery{})); n != 0 || b.one("A").Label != nil {
		t.Errorf("%d labels of refused ones", n)
	}
	// No ring of duplicates, however long.
	b.label(plant.Label{Alarm: 1, Verdict: plant.Duplicate, Of: 2})
	b.label(plant.Label{Alarm: 2, Verdict: plant.Duplicate, Of: 3})
	for of := int64(1); of < 3; of++ {
		if _, err := b.Label(t.Context(), plant.Label{Alarm: 3, Verdict: plant.Duplicate, Of: of, Who: "x"}); err == nil || !strings.Contains(err.Error(), "itself a duplicate") {
			t.Errorf("ring over %d: %v", of, err)
		}
	}
	b.label(plant.Label{Alarm: 2, Verdict: plant.SensorWrong})
	b.label(plant.Label{Alarm: 3, Verdict: plant.Duplicate, Of: 1}) // the way is free now
}

func TestLabels(t *testing.T) {
	b := newBook(t)
	for i, asset := range []string{"HSM/F3", "HSM/F3/GBX", "HSM/F30", "BOF"} {
		b.apply(finding(asset, plant.Raise, int64(10*i+1)))
		b.apply(finding(asset, plant.Clear, int64(10*i+5)))
		b.label(plant.Label{Alarm: int64(i + 1), Verdict: plant.SensorWrong})
	}
	f := func(q plant.LabelQuery, want ...int64) {
		t.Helper()
		var got []int64
		for _, l := range b.labels(q) {
			got = append(got, l.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v", q, got, want)
		}
	}
	f(plant.LabelQuery{}, 4, 3, 2, 1)
	f(plant.LabelQuery{Limit: 2}, 4, 3)
	f(plant.LabelQuery{Limit: 2, Before: 3}, 2, 1)
	f(plant.LabelQuery{ID: 3}, 3)
	f(plant.LabelQuery{Alarm: 2}, 2)
	f(plant.LabelQuery{Asset: "HSM/F3"}, 2, 1)
	f(plant.LabelQuery{From: 5 * minute}, 4, 3, 2) // [1, 5) ends there
	f(plant.LabelQuery{To: 11 * minute}, 1)        // [11, 15) begins there
	f(plant.LabelQuery{From: 4 * minute, To: 12 * minute}, 2, 1)
	f(plant.LabelQuery{From: 6 * minute, To: 10 * minute})
}

func TestPrecision(t *testing.T) {
	b := newBook(t)
	other := func(f plant.Finding) plant.Finding {
		f.Key, f.Detector = "limit/x", "limit"
		return f
	}
	b.apply(finding("A/X", plant.Raise, 100), other(finding("A/X", plant.Raise, 100)), finding("B", plant.Raise, 100))
	for i := range int64(4) { // four more of A/X, each long after the one before
		b.apply(finding("A/X", plant.Clear, 200+1000*i))
		b.ack(b.list(plant.AlarmQuery{Asset: "A/X", State: plant.RtnUnacked})[0].ID, "")
		b.apply(finding("A/X", plant.Raise, 1000+1000*i))
	}
	ids := []int64{1, 4, 5, 6, 7}
	b.label(plant.Label{Alarm: ids[0], Verdict: plant.Confirmed, Code: "VIB"})
	b.label(plant.Label{Alarm: ids[1], Verdict: plant.NotAFault, Note: "x"})
	b.label(plant.Label{Alarm: ids[2], Verdict: plant.Duplicate, Of: 1})
	b.label(plant.Label{Alarm: ids[3], Verdict: plant.ProcessChange, Note: "x"})
	b.label(plant.Label{Alarm: ids[4], Verdict: plant.SensorWrong})
	withdrawn := b.label(plant.Label{Alarm: 3, Verdict: plant.SensorWrong})
	if err := b.Unlabel(t.Context(), withdrawn.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	f := func(asset string, since int64, want ...plant.Precision) {
		t.Helper()
		got, err := b.Precision(t.Context(), asset, since)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s since %d: %+v %v\nwant %+v", asset, since/minute, got, err, want)
		}
	}
	all := plant.Precision{Asset: "A/X", Detector: "wpca", Alarms: 5, Labelled: 5, Confirmed: 1, NotFault: 1, Sensor: 1, Process: 1, Duplicate: 1}
	limit := plant.Precision{Asset: "A/X", Detector: "limit", Alarms: 1}
	pump := plant.Precision{Asset: "B", Detector: "wpca", Alarms: 1}
	f("", 0, limit, all, pump)
	f("A", 0, limit, all)
	f("A/X", 2000*minute, plant.Precision{Asset: "A/X", Detector: "wpca", Alarms: 3, Labelled: 3, Sensor: 1, Process: 1, Duplicate: 1})
	f("C", 0)
	// Another detector takes the condition over: the answer was to the first.
	f7 := finding("A/X", plant.Update, 4001)
	f7.Detector = "autoencoder"
	b.apply(f7)
	f("A/X", 4000*minute, plant.Precision{Asset: "A/X", Detector: "wpca", Alarms: 1, Labelled: 1, Sensor: 1})
}

// An alarm that came back is an episode for each time.
func TestEpisodes(t *testing.T) {
	b := newBook(t)
	b.apply(finding("HSM/F3", plant.Raise, 10), finding("HSM/F30", plant.Raise, 11), finding("HSM/F3/GBX", plant.Raise, 12))
	b.apply(finding("HSM/F3", plant.Clear, 15))
	l := b.label(plant.Label{Alarm: 1, Verdict: plant.Confirmed, Code: "VIB"})
	b.ack(1, "")
	b.apply(finding("HSM/F3", plant.Raise, 20))
	b.apply(finding("HSM/F3", plant.Clear, 20)) // of no length
	b.apply(finding("HSM/F3", plant.Raise, 25))
	late := finding("HSM/F3", plant.Update, 26)
	late.Score = 42
	b.apply(late)
	f := func(asset string, from, to int64, want ...string) {
		t.Helper()
		found, err := b.Alarms(t.Context(), asset, from*minute, to*minute)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, a := range found {
			line := fmt.Sprint(a.Finding.Asset, " ", a.Raised/minute, " ", a.Returned/minute, " ", a.Count, " ", a.State)
			if a.Label != nil {
				line += " " + a.Label.Code
			}
			got = append(got, line)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s [%d, %d):\n%q\nwant\n%q", asset, from, to, got, want)
		}
	}
	first, second, third := "HSM/F3 10 15 1 cleared VIB", "HSM/F3 20 20 2 rtn_unacked", "HSM/F3 25 0 3 unacked"
	box := "HSM/F3/GBX 12 0 1 unacked"
	f("HSM/F3", 0, 0, first, box, second, third)
	f("HSM/F3", 0, 10)
	f("HSM/F3", 0, 11, first)
	f("HSM/F3", 14, 16, first, box)
	f("HSM/F3", 15, 20, box)
	f("HSM/F3", 20, 21, box, second)
	f("HSM/F3", 21, 25, box)
	f("HSM/F3", 30, 40, box, third)
	f("HSM", 0, 12, first, "HSM/F30 11 0 1 unacked")
	f("BOF", 0, 0)
	now, err := b.Alarms(t.Context(), "HSM/F3", 30*minute, 0)
	if err != nil || len(now) != 2 || now[1].Finding.Score != 42 || now[1].Label != nil {
		t.Errorf("the last episode has not its newest evidence: %+v %v", now, err)
	}
	if err := b.Unlabel(t.Context(), l.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	f("HSM/F3", 14, 15, "HSM/F3 10 15 1 cleared", box)
}

// testdata/v1 was written by a version that knew no labels.
func TestMigrate(t *testing.T) {
	raw, err := os.ReadFile("testdata/v1/alarms.db")
	if err != nil {
		t.Fatal(err)
	}
	b := &book{t: t, dir: t.TempDir(), number: 100}
	if err := os.WriteFile(filepath.Join(b.dir, "alarms.db"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	b.open()
	defer func() { b.Close() }()
	var got []string
	for _, a := range b.list(plant.AlarmQuery{}) {
		got = append(got, fmt.Sprint(a.ID, " ", a.Finding.Asset, " ", a.Finding.Detector, " ", a.State, " ", a.Count, " ", a.Raised/minute, " ", a.AckedBy, a.Label != nil))
	}
	want := []string{"1 HSM/FM/F3/GBX wpca unacked 2 9 false", "3 HSM/FM/F3/GBX limit unacked 1 3 false", "2 HSM/DSC/PUMP wpca unacked 1 2 false"}
	if !slices.Equal(got, want) {
		t.Errorf("alarms\n%q\nwant\n%q", got, want)
	}
	found, err := b.Alarms(t.Context(), "HSM/FM/F3/GBX", 0, 0)
	if err != nil || len(found) != 3 || found[0].Returned != 5*minute || found[0].AckedBy != "anna" || found[2].Raised != 9*minute {
		t.Errorf("episodes %+v %v", found, err)
	}
	b.label(plant.Label{Alarm: 1, Verdict: plant.Confirmed, Code: "BRD"})
	b.reopen()
	if a := b.list(plant.AlarmQuery{})[0]; a.ID != 1 || a.Label == nil || a.Label.Code != "BRD" || a.Seq != 7 {
		t.Errorf("%+v", a)
	}
	b.apply(finding("BOF/FAN", plant.Raise, 8)) // its return came first, in the old file
	if a := b.one("BOF/FAN"); a.State != plant.RtnUnacked || a.ID != 4 {
		t.Errorf("%+v", a)
	}
	var version int
	if err := row(b.db, "PRAGMA user_version", &version); err != nil || version != len(steps()) {
		t.Errorf("format %d %v", version, err)
	}
}

// Whatever people and edges do, each alarm has at most one valid answer, the one
// given last; answers move no alarm in its life; duplicates never go in a ring;
// and the journal tells it all.
func TestLabelProperty(t *testing.T) {
	b := newBook(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		area := fmt.Sprint("R", run)
		ctx := b.t.Context()
		valid := map[int64]plant.Label{} // by alarm
		var ids []int64
		now := int64(0)
		for range rapid.IntRange(1, 14).Draw(t, "n") {
			now += rapid.Int64Range(1, 15).Draw(t, "step")
			e := rapid.SampledFrom([]string{"raise", "clear", "ack", "label", "label", "unlabel"}).Draw(t, "event")
			if len(ids) == 0 {
				e = "raise"
			}
			pick := func(name string) int64 {
				if len(ids) == 0 {
					return 0
				}
				return rapid.SampledFrom(ids).Draw(t, name)
			}
			id := pick("alarm")
			var before plant.Alarm
			if id != 0 {
				var err error
				if before, err = b.Get(ctx, id); err != nil {
					t.Fatal(err)
				}
			}
			switch e {
			case "raise", "clear":
				b.apply(finding(area+"/"+rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "asset"), plant.Phase(e), now))
			case "ack":
				b.ack(id, "")
			case "label":
				l := plant.Label{Alarm: id, Who: "anna", Note: "x", Verdict: rapid.SampledFrom([]plant.Verdict{plant.Confirmed, plant.NotAFault,
					plant.SensorWrong, plant.ProcessChange, plant.Duplicate, plant.Duplicate}).Draw(t, "verdict")}
				switch l.Verdict {
				case plant.Confirmed:
					l.Code = rapid.SampledFrom(plant.Codes).Draw(t, "code")
				case plant.Duplicate:
					l.Of = pick("of")
				}
				ring := false
				for at := l.Of; at != 0; at = valid[at].Of {
					ring = ring || at == id
				}
				got, err := b.Label(ctx, l)
				if ring != (err != nil) {
					t.Fatalf("duplicate of %d, ring %v: %v", l.Of, ring, err)
				}
				if err == nil {
					valid[id] = got
				}
			case "unlabel":
				l := valid[id]
				if err := b.Unlabel(ctx, l.ID, "anna"); (err == nil) != (l.ID != 0) {
					t.Fatalf("withdraw %d: %v", l.ID, err)
				}
				delete(valid, id)
			}
			all, _, err := b.List(ctx, plant.AlarmQuery{Asset: area})
			if err != nil {
				t.Fatal(err)
			}
			ids = ids[:0]
			for _, a := range all {
				ids = append(ids, a.ID)
				want, ok := valid[a.ID]
				if ok != (a.Label != nil) || ok && *a.Label != want {
					t.Fatalf("alarm %d has the answer %+v, want %+v", a.ID, a.Label, want)
				}
				if a.ID == id && (e == "label" || e == "unlabel") && (a.State != before.State || a.Raised != before.Raised ||
					a.Returned != before.Returned || a.Acked != before.Acked || a.AckedBy != before.AckedBy || a.Count != before.Count) {
					t.Fatalf("%s changed\n%+v to\n%+v", e, before, a)
				}
			}
			slices.Sort(ids)
			if got, err := b.Labels(ctx, plant.LabelQuery{Asset: area}); err != nil || len(got) != len(valid) {
				t.Fatalf("%d valid answers, want %d, %v", len(got), len(valid), err)
			}
			counts, err := b.Precision(ctx, area, 0)
			if err != nil {
				t.Fatal(err)
			}
			alarms, labelled := 0, 0
			for _, p := range counts {
				alarms, labelled = alarms+p.Alarms, labelled+p.Labelled
				if p.Labelled != p.Confirmed+p.NotFault+p.Sensor+p.Process+p.Duplicate {
					t.Fatalf("%+v", p)
				}
			}
			if alarms != len(all) || labelled != len(valid) {
				t.Fatalf("%d alarms and %d answers counted, want %d and %d", alarms, labelled, len(all), len(valid))
			}
		}
	})
	wantLabelsInJournal(t, b.Book)
}
