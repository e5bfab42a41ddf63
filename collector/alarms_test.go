package collector

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// alarmBook is what the plant has open after findings, by the rules of its alarm
// book: what is older than what it knows changes nothing.
func alarmBook(findings []plant.Finding) map[string]plant.Finding {
	open, ended := map[string]plant.Finding{}, map[string]int64{}
	for _, f := range findings {
		which := bookKey(&f)
		was, active := open[which]
		switch {
		case f.Phase == plant.Clear && active && f.Time >= was.Time:
			delete(open, which)
			ended[which] = f.Time
		case f.Phase == plant.Clear, active && f.Time < was.Time, !active && ended[which] != 0 && f.Time <= ended[which]:
		default:
			open[which] = f
		}
	}
	return open
}

// openAlarms lists the names of what the plant has open.
func (s *store) openAlarms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, f := range alarmBook(s.findings) {
		names = append(names, strings.TrimPrefix(f.Key, "plc/PLC/nsu=urn:test:mill;s="))
	}
	slices.Sort(names)
	return names
}

func (s *store) alarm(t testing.TB, name string) plant.Finding {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range alarmBook(s.findings) {
		if strings.HasSuffix(f.Key, name) {
			return f
		}
	}
	t.Fatalf("no alarm %s", name)
	return plant.Finding{}
}

// phases counts what was said of an alarm.
func (s *store) phases(name string) map[plant.Phase]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[plant.Phase]int{}
	for _, f := range s.findings {
		if strings.HasSuffix(f.Key, name) {
			n[f.Phase]++
		}
	}
	return n
}

func (s *store) opens(want ...string) func() bool {
	return func() bool { return slices.Equal(s.openAlarms(), want) }
}

// heardOf makes the events of a server for alarms without one.
type heardOf struct {
	t *testing.T
	c *alarms
	b plant.Batch
}

func newHeardOf(t *testing.T) *heardOf {
	return &heardOf{t: t, c: newAlarms(&Source{Name: "PLC", Conditions: true, Home: "E/PLC"}, slog.New(slog.DiscardHandler))}
}

// says takes an event of alarm n and gives the findings that it made.
func (h *heardOf) says(n int, severity uint16, active bool, at int64, now time.Time) []plant.Finding {
	h.b.Reset()
	h.c.heard(&h.b, &event{condition: ua.NewNumericNodeID(0, uint32(n+1)), sourceName: "S", name: "N", message: "m", severity: severity,
		retain: active, active: active, time: at * oneMilli}, at*oneMilli, now)
	return slices.Clone(h.b.Findings)
}

func (h *heardOf) due(now time.Time) []plant.Finding {
	h.b.Reset()
	h.c.due(&h.b, now)
	return slices.Clone(h.b.Findings)
}

func kindsOf(f []plant.Finding) string {
	var s []string
	for i := range f {
		s = append(s, fmt.Sprintf("%s:%s:%d", strings.TrimPrefix(f[i].Key, "plc/PLC/"), f[i].Phase, f[i].Priority))
	}
	return strings.Join(s, " ")
}

// TestAlarmChanges: a change is told, a condition that chatters not each time, and
// a raise always comes after the end before it.
func TestAlarmChanges(t *testing.T) {
	t.Parallel()
	h, now := newHeardOf(t), time.Now()
	expect := func(got []plant.Finding, want string) {
		t.Helper()
		if k := kindsOf(got); k != want {
			t.Errorf("got %q, want %q", k, want)
		}
	}
	f := h.says(1, 700, true, 1000, now)
	expect(f, "i=2:raise:2")
	if want := (plant.Finding{Asset: "E/PLC", Key: "plc/PLC/i=2", Kind: plant.KindPLCAlarm, Class: plant.PLCAlarm, Phase: plant.Raise, Detector: "plc",
		Time: 1000 * oneMilli, Score: 700, Priority: 2, Text: "m", Condition: "S / N"}); !reflect.DeepEqual(f[0], want) {
		t.Errorf("got %+v", f[0])
	}
	expect(h.says(1, 700, true, 1000, now), "") // the same again
	expect(h.says(1, 900, true, 1001, now), "") // too soon after it was told
	expect(h.due(now.Add(time.Second)), "")
	expect(h.due(now.Add(calmTime)), "i=2:update:1")
	f = h.says(1, 900, false, 900, now.Add(calmTime)) // the server's clock was set back
	expect(f, "i=2:clear:1")
	if f[0].Time != 1001*oneMilli {
		t.Errorf("ended at %d, before it was told", f[0].Time)
	}
	expect(h.says(1, 900, false, 2000, now.Add(calmTime)), "")
	expect(h.says(1, 900, true, 901, now.Add(calmTime)), "")
	expect(h.says(1, 900, false, 902, now.Add(calmTime)), "") // chatters: nobody was told
	expect(h.says(1, 900, true, 903, now.Add(calmTime)), "")
	expect(h.due(now.Add(calmTime+time.Second)), "")
	f = h.due(now.Add(2 * calmTime))
	expect(f, "i=2:raise:1")
	if f[0].Time != 1002*oneMilli {
		t.Errorf("raised again at %d, which is not after the end", f[0].Time)
	}
	h.c.least = 600
	expect(h.says(3, 599, true, 3000, now), "") // of no interest
	expect(h.says(3, 601, true, 3001, now), "i=4:raise:2")
	expect(h.says(3, 599, true, 3002, now), "i=4:clear:2")
}

// TestAlarmStorm: of 3000 alarms at once a hundred are told, the plant hears that
// there are more, and in time of all that are followed, the most urgent first.
func TestAlarmStorm(t *testing.T) {
	t.Parallel()
	h, now := newHeardOf(t), time.Now()
	var all []plant.Finding
	for i := range 3000 {
		severity := uint16(500)
		if i > 900 && i < 950 {
			severity = 900
		}
		all = append(all, h.says(i, severity, true, int64(1000+i), now)...)
	}
	if len(all) != burst || len(h.c.known) != mostAlarms {
		t.Errorf("%d told, %d known", len(all), len(h.c.known))
	}
	urgent := 0
	for _, f := range all {
		if f.Priority == 1 {
			urgent++
		}
	}
	if urgent != urgentPart {
		t.Errorf("%d of the urgent ones told at once", urgent)
	}
	f := h.due(now)
	if len(f) != 1 || f[0].Kind != plant.KindPLCFlood || f[0].Phase != plant.Raise || f[0].Priority != 1 || f[0].Score != mostAlarms-burst+1 || f[0].Asset != "E/PLC" {
		t.Errorf("of the flood: %+v", f)
	}
	if f := h.due(now.Add(5 * perRaise)); len(f) != 5 || f[0].Priority != 1 || f[4].Priority != 1 {
		t.Errorf("later: %s", kindsOf(f))
	}
	told := burst + 5
	for s := 6; len(h.c.known) > 0 && s < 100_000; s++ {
		f := h.due(now.Add(time.Duration(s) * perRaise))
		for _, x := range f {
			if x.Kind == plant.KindPLCAlarm {
				told++
			}
		}
		if told == mostAlarms {
			break
		}
	}
	if told != mostAlarms {
		t.Errorf("%d told in the end", told)
	}
	later := now.Add(200_000 * time.Second)
	ended := 0
	for i := range 3000 {
		ended += len(h.says(i, 500, false, 9_000_000, later))
	}
	if ended != mostAlarms || !h.c.refresh.wanted {
		t.Errorf("%d ended, refresh wanted %v", ended, h.c.refresh.wanted)
	}
	h.c.held = later
	if f := h.due(later.Add(calmTime)); len(f) != 0 {
		t.Errorf("the flood is over soon: %s", kindsOf(f))
	}
	if f := h.due(later.Add(time.Hour)); kindsOf(f) != "flood:clear:4" {
		t.Errorf("of the flood at the end: %s", kindsOf(f))
	}
	if f := h.due(later.Add(2 * time.Hour)); len(f) != 0 {
		t.Errorf("after it: %s", kindsOf(f))
	}
}

// TestRefreshing: only a refresh that was asked for and came whole says what is over.
func TestRefreshing(t *testing.T) {
	t.Parallel()
	h, now := newHeardOf(t), time.Now()
	special := func(kind uint32) string {
		h.b.Reset()
		h.c.take(&h.b, &event{kind: kind, time: 5000 * oneMilli}, 5000*oneMilli)
		return kindsOf(h.b.Findings)
	}
	h.says(1, 700, true, 1000, now)
	h.says(2, 700, true, 1000, now)
	bracket := func(between func()) string {
		t.Helper()
		if got := special(id.RefreshStartEventType); got != "" {
			t.Errorf("start: %s", got)
		}
		between()
		return special(id.RefreshEndEventType)
	}
	if got := bracket(func() {}); got != "" {
		t.Errorf("another client's: %s", got)
	}
	if !h.c.refresh.due(now) || h.c.refresh.due(now.Add(time.Second)) {
		t.Error("not asked for once")
	}
	if got := bracket(func() { h.c.refresh.lost() }); got != "" {
		t.Errorf("with events lost: %s", got)
	}
	if got := special(id.RefreshEndEventType); got != "" {
		t.Errorf("without a start: %s", got)
	}
	if h.c.refresh.due(now.Add(firstRefresh-1)) || !h.c.refresh.due(now.Add(firstRefresh)) {
		t.Error("not asked for again in its time")
	}
	got := bracket(func() {
		h.says(2, 700, true, 1000, now)
		special(id.RefreshRequiredEventType) // one more is due after this one
	})
	if got != "i=2:clear:2" || !h.c.refresh.wanted {
		t.Errorf("a whole one: %s", got)
	}
	if h.c.refresh.due(now.Add(firstRefresh + time.Second)) {
		t.Error("asked for without a pause")
	}
	if !h.c.refresh.due(now.Add(2 * lastRefresh)) {
		t.Error("the required one is not asked for")
	}
	if got := bracket(func() { h.says(2, 700, true, 1000, now) }); got != "" || h.c.refresh.wanted {
		t.Errorf("the next: %s", got)
	}
}

// TestOpenFile: what the plant may have open survives the process, and is ended or
// told afresh by the next one.
func TestOpenFile(t *testing.T) {
	t.Parallel()
	h, now := newHeardOf(t), time.Now()
	for i := range 3 {
		h.says(i, 700, true, 1000, now)
	}
	h.says(0, 700, false, 2000, now) // its end may not be durable
	h.c.tokens = 0
	h.says(7, 700, true, 3000, now) // held back
	h.due(now)
	name := filepath.Join(t.TempDir(), "plc.alarms")
	if err := os.WriteFile(name, h.c.appendOpen(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	again := newHeardOf(t)
	again.c.refresh.asked = true
	if err := again.c.load(name); err != nil {
		t.Fatal(err)
	}
	var all []plant.Finding
	again.c.take(&again.b, &event{kind: id.RefreshStartEventType}, 1)
	all = append(all, again.says(1, 700, true, 1000, now)...)
	if k := kindsOf(all); k != "i=2:raise:2" {
		t.Errorf("still active: %s", k)
	}
	again.b.Reset()
	again.c.take(&again.b, &event{kind: id.RefreshEndEventType, time: 9000 * oneMilli}, 9000*oneMilli)
	if k := kindsOf(again.b.Findings); k != "i=1:clear:4 i=3:clear:4 i=8:clear:4" {
		t.Errorf("over: %s", k)
	}
	if f := again.due(now); kindsOf(f) != "flood:clear:4" {
		t.Errorf("of the flood: %s", kindsOf(f))
	}
	// Where alarms are not wanted any more, all of them end.
	off := newHeardOf(t)
	if err := off.c.load(name); err != nil {
		t.Fatal(err)
	}
	off.c.on = false
	if f := off.due(now); len(f) != 5 || f[0].Phase != plant.Clear || f[4].Phase != plant.Clear {
		t.Errorf("not wanted: %s", kindsOf(f))
	}
	if err := off.c.load(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(name, []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := off.c.load(name); err == nil {
		t.Error("a damaged file was read")
	}
}

// FuzzOpenFile reads any bytes as the file.
func FuzzOpenFile(f *testing.F) {
	h := &heardOf{c: newAlarms(&Source{Name: "PLC", Conditions: true}, slog.New(slog.DiscardHandler))}
	h.says(0, 700, true, 1000, time.Now())
	f.Add(h.c.appendOpen(nil))
	f.Add([]byte(`[{"asset":"","key":"plc/PLC/x","time":-1}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeOpen(b, "plc/PLC/")
		for _, o := range list {
			if !strings.HasPrefix(o.Key, "plc/PLC/") || o.Asset == "" || o.Time < 0 || err != nil {
				t.Errorf("%+v, %v", o, err)
			}
		}
	})
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	p := places{tags: []plant.Tag{
		{Path: "HSM/P1/T", Asset: "HSM/P1", Node: "nsu=urn:a;s=Plant.P1.T"},
		{Path: "HSM/P1/P", Asset: "HSM/P1", Node: "nsu=urn:a;s=Plant.P1.P"},
		{Path: "HSM/P2/T", Asset: "HSM/P2", Node: "ns=2;i=7"},
		{Path: "X", Node: "nonsense"}}}
	for _, namespaces := range [][]string{{"", "urn:x", "urn:a"}, {"", "urn:a", "urn:b"}} {
		p.connect(namespaces)
		ns := uint16(slices.Index(namespaces, "urn:a"))
		f := func(source *ua.NodeID, name, asset, tag string) {
			t.Helper()
			if a, g := p.of(source, name); a != asset || g != tag {
				t.Errorf("%v %q: %q %q, want %q %q", source, name, a, g, asset, tag)
			}
		}
		f(ua.NewStringNodeID(ns, "Plant.P1.T"), "", "HSM/P1", "HSM/P1/T")
		f(ua.NewStringNodeID(ns, "Plant.P1"), "x", "HSM/P1", "")
		f(ua.NewStringNodeID(ns, "Plant.P1.T.High"), "x", "HSM/P1", "")
		f(ua.NewStringNodeID(ns, "Plant.P"), "x", "", "")
		f(ua.NewStringNodeID(ns+1, "Plant.P1"), "x", "", "")
		f(ua.NewNumericNodeID(2, 7), "", "HSM/P2", "HSM/P2/T")
		f(nil, "HSM/P1/P", "HSM/P1", "HSM/P1/P")
		f(nil, "HSM/P2", "HSM/P2", "")
		f(nil, "P2", "HSM/P2", "")
		f(nil, "Server", "", "")
		f(nil, "", "", "")
	}
	if a, b := p.name(ua.NewStringNodeID(1, strings.Repeat("x", 4000)+"1")), p.name(ua.NewStringNodeID(1, strings.Repeat("x", 4000)+"2")); a == b || len(a) > 200 {
		t.Errorf("%q %q", a, b)
	}
	if a := p.name(ua.NewStringNodeID(1, "A;B")); a != "nsu=urn:a;s=A;B" {
		t.Error(a)
	}
}

// newAlarmServer is a server with alarms at its first variables, whose tags are at
// machines.
func newAlarmServer(t testing.TB, n int, set map[string]any) (*foreign, []plant.Tag) {
	t.Helper()
	set["nodes"], set["run"], set["alarms"] = 5, true, n
	srv := newNodeServer(t, set)
	tags := srv.tags(5)
	for i := range tags {
		tags[i].Asset = fmt.Sprintf("HSM/P%d", i)
	}
	return srv, tags
}

// TestAlarms: what was active before the connection, what comes and goes while it
// stands, with words as a PLC may send them.
func TestAlarms(t *testing.T) {
	t.Parallel()
	srv, tags := newAlarmServer(t, 5, map[string]any{"active": []int{1}})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: tags, Conditions: true, ConditionSeverity: 400, Home: "edge/PLC", calm: time.Second}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 10*time.Second, "what was active before", out.opens("Alarm1"))
	f := out.alarm(t, "Alarm1")
	if f.Class != plant.PLCAlarm || f.Asset != "HSM/P1" || f.Tag != "T1" || f.Priority != 2 || f.Text != "active from the start" || f.Condition != "T1 / Alarm1" ||
		f.Key != "plc/PLC/nsu=urn:test:mill;s=Alarm1" || f.Time == 0 || f.Title() != `PLC alarm "active from the start": T1` {
		t.Errorf("%+v", f)
	}
	srv.say("raise 0 900 " + percent("ٹینک 3\x00\x1b میں\r\nتیل کم ہے"))
	eventually(t, 5*time.Second, "a raise", out.opens("Alarm0", "Alarm1"))
	if f := out.alarm(t, "Alarm0"); f.Text != "ٹینک 3 میں تیل کم ہے" || f.Priority != 1 {
		t.Errorf("%+v", f)
	}
	srv.say("raise 2 399 low")
	srv.say("raise 3 500 " + percent(strings.Repeat("لمبا پیغام ", 600))) // 10 kB
	eventually(t, 5*time.Second, "another", out.opens("Alarm0", "Alarm1", "Alarm3"))
	if f := out.alarm(t, "Alarm3"); len(f.Text) > maxMessage || len(f.Text) < maxMessage-20 {
		t.Errorf("%d bytes of text", len(f.Text))
	}
	srv.say("raise 3 650 worse")
	eventually(t, 5*time.Second, "a change", func() bool { return out.alarm(t, "Alarm3").Priority == 2 })
	if f := out.alarm(t, "Alarm3"); f.Phase != plant.Update || f.Text != "worse" {
		t.Errorf("%+v", f)
	}
	srv.say("raise 3 300 better") // below what is wanted
	srv.say("ease 0 900 over")
	eventually(t, 5*time.Second, "ends", out.opens("Alarm1"))
	if n := s.Status().Conditions; n != 1 {
		t.Errorf("%d in the status", n)
	}
	for _, name := range []string{"Alarm0", "Alarm3"} {
		if n := out.phases(name); n[plant.Raise] != 1 || n[plant.Clear] != 1 {
			t.Errorf("%s: %v", name, n)
		}
	}
	if _, err := os.Stat(filepath.Join(srv.dir, "changing")); err == nil {
		t.Error("the server was asked for something that could change it")
	}
}

func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// TestAlarmBranches: the branches of a condition are alarms of their own.
func TestAlarmBranches(t *testing.T) {
	t.Parallel()
	srv, tags := newAlarmServer(t, 1, map[string]any{})
	log, said := listen(t)
	s := &Source{Name: "PLC", URL: srv.url(), Tags: tags, Conditions: true, Log: log}
	out := newStore(s)
	start(t, s, out)
	// The refresh of this server repeats no branches: it must be over.
	eventually(t, 10*time.Second, "the refresh", func() bool { return said("has said which of its alarms") > 0 })
	srv.say("raise 0 500 now")
	srv.say("branch 0 700 before")
	srv.say("branch 0 900 long%20before")
	eventually(t, 5*time.Second, "three", func() bool { return len(out.openAlarms()) == 3 })
	names := out.openAlarms()
	if names[0] != "Alarm0" || !strings.HasPrefix(names[1], "Alarm0/") || !strings.HasPrefix(names[2], "Alarm0/") || names[1] == names[2] {
		t.Errorf("%v", names)
	}
	srv.say("unbranch 0")
	eventually(t, 5*time.Second, "two", func() bool { return len(out.openAlarms()) == 2 })
	srv.say("ease 0 500 over")
	eventually(t, 5*time.Second, "one", func() bool { return len(out.openAlarms()) == 1 })
	if f := out.alarm(t, out.openAlarms()[0]); f.Text != "long before" || f.Priority != 1 {
		t.Errorf("%+v", f)
	}
}

// TestAlarmsAcrossCut: what happens while the connection is cut comes afterwards,
// once.
func TestAlarmsAcrossCut(t *testing.T) {
	t.Parallel()
	srv, tags := newAlarmServer(t, 5, map[string]any{"active": []int{1, 2}})
	p := newProxy(t, srv.port)
	log, said := listen(t)
	s := &Source{Name: "PLC", URL: p.url(), Tags: tags, Conditions: true, Log: log}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 10*time.Second, "two", out.opens("Alarm1", "Alarm2"))
	p.hush(true)
	srv.say("ease 1 700 over")
	srv.say("raise 3 700 new")
	time.Sleep(300 * time.Millisecond)
	p.cut()
	srv.say("raise 4 700 newer")
	p.hush(false)
	eventually(t, 10*time.Second, "what happened", out.opens("Alarm2", "Alarm3", "Alarm4"))
	if said("subscription resumed") == 0 || said("subscription created") != 1 {
		t.Error("not resumed")
	}
	time.Sleep(300 * time.Millisecond)
	for _, name := range []string{"Alarm1", "Alarm2", "Alarm3", "Alarm4"} {
		if n := out.phases(name); n[plant.Raise] != 1 || n[plant.Update] != 0 {
			t.Errorf("%s: %v", name, n)
		}
	}
}

// TestAlarmsAcrossRestart: after a restart of the server the refresh ends what is
// gone and leaves what is still there in peace.
func TestAlarmsAcrossRestart(t *testing.T) {
	long(t)
	t.Parallel()
	srv, tags := newAlarmServer(t, 5, map[string]any{"active": []int{1, 2}})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: tags, Conditions: true}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 10*time.Second, "two", out.opens("Alarm1", "Alarm2"))
	srv.kill()
	srv.set["active"] = []int{2, 3}
	srv.start()
	eventually(t, 15*time.Second, "one ends, one comes", out.opens("Alarm2", "Alarm3"))
	if n := out.phases("Alarm2"); n[plant.Raise] != 1 || n[plant.Clear] != 0 {
		t.Errorf("what is still there: %v", n)
	}
}

// TestAlarmsOfKilledProcess kills the collector and, the second time, the server
// too: the plant ends up with what is active.
func TestAlarmsOfKilledProcess(t *testing.T) {
	t.Parallel()
	srv, tags := newAlarmServer(t, 5, map[string]any{"active": []int{1, 2}})
	dir := t.TempDir()
	k := &killable{t: t, set: childSet{URL: srv.url(), Tags: tags, Alarms: true, State: filepath.Join(dir, "state", "plc"), Out: filepath.Join(dir, "out"), Lag: 150 * time.Millisecond}}
	t.Cleanup(k.kill)
	if err := os.WriteFile(k.set.Out, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stored := func(want ...string) func() bool {
		return func() bool { return k.stored().opens(want...)() }
	}
	k.start()
	eventually(t, 10*time.Second, "two", stored("Alarm1", "Alarm2"))
	srv.say("raise 3 500 third")
	time.Sleep(100 * time.Millisecond) // it is with us, and not durable
	k.kill()
	srv.say("ease 1 700 over")
	srv.say("raise 4 500 fourth")
	k.start()
	eventually(t, 10*time.Second, "what happened", stored("Alarm2", "Alarm3", "Alarm4"))
	k.kill()
	srv.kill()
	srv.set["active"] = []int{4}
	srv.start()
	k.start()
	eventually(t, 15*time.Second, "what is left", stored("Alarm4"))
	k.kill()
	if t.Failed() {
		t.Log(k.log.String())
	}
}

// TestRefreshRequired: a server that lost track of its conditions says so.
func TestRefreshRequired(t *testing.T) {
	long(t)
	t.Parallel()
	srv, tags := newAlarmServer(t, 3, map[string]any{"active": []int{0, 1}})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: tags, Conditions: true}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 10*time.Second, "two", out.opens("Alarm0", "Alarm1"))
	srv.say("mute 0") // over, and nobody is told
	srv.say("require")
	eventually(t, firstRefresh+5*time.Second, "one", out.opens("Alarm1"))
}

// TestNoAlarms: servers without alarms are read as before, and it is said once.
func TestNoAlarms(t *testing.T) {
	long(t)
	t.Parallel()
	set := map[string]any{"nodes": 5, "run": true}
	for name, serve := range map[string]func() (string, []plant.Tag){
		"node-opcua": func() (string, []plant.Tag) { srv := newNodeServer(t, maps.Clone(set)); return srv.url(), srv.tags(5) },
		"asyncua":    func() (string, []plant.Tag) { srv := newAsyncua(t, maps.Clone(set)); return srv.url(), srv.tags(5) },
		"ours": func() (string, []plant.Tag) {
			m := newMill(t, 5, nil)
			m.run(100*time.Millisecond, 1)
			return m.URL(), m.tags()
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, tags := serve()
			log, said := listen(t)
			s := &Source{Name: "PLC", URL: url, Tags: tags, Conditions: true, Log: log}
			out := newStore(s)
			start(t, s, out)
			eventually(t, 30*time.Second, "live", live(s))
			eventually(t, 5*time.Second, "values", func() bool { return out.size() > 20 })
			time.Sleep(time.Second)
			if n := said("level=WARN") + said("connection lost"); n > 0 || len(s.Status().Rejected) > 0 {
				t.Errorf("%d warnings, %v", n, s.Status().Rejected)
			}
			if n := said("the server has no events") + said("does not say again which alarms") + said("has said which of its alarms"); n != 1 {
				t.Errorf("said %d times", n)
			}
			if len(out.openAlarms()) > 0 {
				t.Errorf("%v", out.openAlarms())
			}
		})
	}
}

// TestAlarmFlood: a real server's storm comes bounded and declared, and is over
// when it is over.
func TestAlarmFlood(t *testing.T) {
	long(t)
	t.Parallel()
	srv, tags := newAlarmServer(t, 150, map[string]any{})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: tags, Conditions: true, Home: "edge/PLC", calm: 200 * time.Millisecond}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 20*time.Second, "live", live(s))
	srv.say("storm 150 500")
	eventually(t, 5*time.Second, "the flood is declared", func() bool { return slices.Contains(out.openAlarms(), "plc/PLC/flood") })
	if n := len(out.openAlarms()); n < burst-urgentPart || n > burst-urgentPart+5 {
		t.Errorf("%d open", n)
	}
	srv.say("calm 150")
	eventually(t, 5*time.Second, "calm", out.opens())
	var again []string
	for name, n := range maps.All(map[string]map[plant.Phase]int{"Alarm0": out.phases("Alarm0"), "Alarm149": out.phases("Alarm149")}) {
		if n[plant.Raise] > 1 {
			again = append(again, name)
		}
	}
	if len(again) > 0 {
		t.Error(again)
	}
}

// TestFigureAlarms prints how long it takes from the PLC to the receiver.
func TestFigureAlarms(t *testing.T) {
	figures(t)
	srv, tags := newAlarmServer(t, 50, map[string]any{})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: tags, Conditions: true}
	got := make(chan time.Time, 100)
	out := newStore(s)
	start(t, s, plant.SinkFunc(func(ctx context.Context, b plant.Batch) error {
		for range b.Findings {
			got <- time.Now()
		}
		return out.Write(ctx, b)
	}))
	eventually(t, 20*time.Second, "live", live(s))
	var took []float64
	for i := range 50 {
		time.Sleep(time.Duration(37*i%100) * time.Millisecond)
		begin := time.Now()
		srv.say(fmt.Sprintf("raise %d 900 x", i))
		took = append(took, (<-got).Sub(begin).Seconds()*1000)
	}
	slices.Sort(took)
	figure("alarm_latency_p50_ms", took[25], "ms")
	figure("alarm_latency_p95_ms", took[47], "ms")
}
