package collector

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// fieldsOf are the fields of an event as a server would send them.
func fieldsOf(kind uint32, over map[int]any) []*ua.Variant {
	all := []any{ua.NewNumericNodeID(0, kind), ua.NewStringNodeID(2, "Tank3"), "Tank3", time.UnixMilli(5000).UTC(), ua.NewLocalizedText("Oil low"), uint16(700),
		ua.NewNumericNodeID(2, 77), ua.NewTwoByteNodeID(0), "OilLow", true, true, true, nil, nil}
	for i, v := range over {
		all[i] = v
	}
	f := make([]*ua.Variant, len(all))
	for i, v := range all {
		if v != nil {
			f[i] = ua.MustVariant(v)
		} else {
			f[i] = &ua.Variant{}
		}
	}
	return f
}

func TestDecodeEvent(t *testing.T) {
	t.Parallel()
	want := event{kind: id.ExclusiveLevelAlarmType, source: ua.NewStringNodeID(2, "Tank3"), sourceName: "Tank3", time: 5000 * oneMilli, message: "Oil low",
		severity: 700, condition: ua.NewNumericNodeID(2, 77), name: "OilLow", retain: true, active: true}
	if got := decodeEvent(fieldsOf(id.ExclusiveLevelAlarmType, nil)); !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v", *got)
	}
	if got := decodeEvent(fieldsOf(id.ExclusiveLevelAlarmType, map[int]any{7: ua.NewNumericNodeID(2, 5), 9: false, 10: false, 11: false, 5: uint16(2000)})); got.branch == nil ||
		got.retain || !got.disabled || got.active || got.severity != 1000 {
		t.Errorf("got %+v", *got)
	}
	// A condition without the state Active, fields that are missing, and fields of other types.
	if got := decodeEvent(fieldsOf(id.ConditionType, map[int]any{11: nil})); !got.active {
		t.Errorf("without a state: %+v", *got)
	}
	for n := range 15 {
		decodeEvent(fieldsOf(id.ConditionType, nil)[:min(n, 14)])
	}
	if got := decodeEvent(fieldsOf(id.ConditionType, map[int]any{1: "x", 2: int32(1), 3: "now", 4: []string{"a"}, 5: "high", 6: uint32(4), 9: "yes"})); got.condition != nil ||
		got.time != 0 || got.severity != 1 || got.retain || got.source != nil || got.message != "" {
		t.Errorf("of other types: %+v", *got)
	}
	changes := []*ua.ExtensionObject{ua.NewExtensionObject(&ua.ModelChangeStructureDataType{Affected: ua.NewNumericNodeID(3, 1)}), nil, {}}
	if got := decodeEvent(fieldsOf(id.GeneralModelChangeEventType, map[int]any{12: changes})); len(got.affected) != 1 || got.affected[0].String() != "ns=3;i=1" {
		t.Errorf("changes: %+v", got.affected)
	}
	if got := decodeEvent(fieldsOf(id.ConditionType, map[int]any{2: "12:Tank: 3"})); got.sourceName != "Tank: 3" {
		t.Errorf("name %q", got.sourceName)
	}
	if at := (&event{}).at(9 * oneMilli); at != 9*oneMilli {
		t.Errorf("no time: %d", at)
	}
	far := decodeEvent(fieldsOf(id.ConditionType, map[int]any{3: time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)}))
	if at := far.at(born + 9*oneMilli); at != born+9*oneMilli {
		t.Errorf("a time of the year 2199: %d", at)
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("تیل کم ہے ", 1100) // 10 kB
	cases := []struct{ in, want string }{
		{"Oil low", "Oil low"},
		{"  two\r\nlines\t\x00 \x1b[31m", "two lines [31m"},
		{"turned \u202eround\u2066", "turned round"},
		{"bad \xff\xfe bytes", "bad bytes"},
		{"ٹینک 3 میں تیل کم ہے", "ٹینک 3 میں تیل کم ہے"},
		{"\n\u2028", ""},
	}
	for _, c := range cases {
		if got := line(c.in, maxMessage); got != c.want {
			t.Errorf("%q: %q", c.in, got)
		}
	}
	if got := line(long, maxMessage); len(got) > maxMessage || len(got) < maxMessage-12 || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

// FuzzEvent decodes any bytes as the fields of an event.
func FuzzEvent(f *testing.F) {
	for _, over := range []map[int]any{nil, {4: "تیل\x00"}, {6: ua.NewStringNodeID(1, "a")}, {12: []*ua.ExtensionObject{
		ua.NewExtensionObject(&ua.ModelChangeStructureDataType{Affected: ua.NewNumericNodeID(3, 1), AffectedType: ua.NewNumericNodeID(0, 63)})}}} {
		b, err := ua.Encode(&ua.EventFieldList{ClientHandle: eventHandle, EventFields: fieldsOf(id.ConditionType, over)})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list := eventOf(b)
		if list == nil {
			return
		}
		list.ClientHandle = eventHandle
		x := &events{changed: func([]*ua.NodeID) {}, lost: func() {}, condition: func(v *event, at int64) {
			if len(v.message) > maxMessage || len(v.name) > maxName || len(v.sourceName) > maxName || !utf8.ValidString(v.message) || v.severity > 1000 ||
				strings.ContainsAny(v.message, "\n\r\x00") || v.at(at) < 0 {
				t.Errorf("%+v", v)
			}
		}}
		x.take([]*ua.EventFieldList{list, nil}, 1, 1)
	})
}

// eventOf decodes with the library, as variantOf does; nil where it fails.
func eventOf(b []byte) (list *ua.EventFieldList) {
	defer func() {
		if recover() != nil {
			list = nil
		}
	}()
	list = new(ua.EventFieldList)
	if _, err := ua.Decode(b, list); err != nil {
		return nil
	}
	return list
}

// FuzzLine holds a line to what it promises.
func FuzzLine(f *testing.F) {
	f.Add("Oil low\n", 10)
	f.Add("تیل کم ہے\xff", 7)
	f.Fuzz(func(t *testing.T, s string, most int) {
		if most < 3 || most > 1000 {
			return
		}
		if got := line(s, most); len(got) > most || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\t\u202e") {
			t.Errorf("%q", got)
		}
	})
}

// TestEventFilter: the operands of each OR come after it, and lead to all types.
func TestEventFilter(t *testing.T) {
	t.Parallel()
	for _, with := range []bool{false, true} {
		f := eventFilter(with)
		reached := map[int]bool{0: true}
		for i, x := range f.WhereClause.Elements {
			if !reached[i] {
				t.Errorf("element %d is not reached", i)
			}
			for _, o := range x.FilterOperands {
				if e, ok := o.Value.(*ua.ElementOperand); ok {
					if int(e.Index) <= i || reached[int(e.Index)] {
						t.Errorf("element %d leads to %d", i, e.Index)
					}
					reached[int(e.Index)] = true
				}
			}
		}
		if len(reached) != len(f.WhereClause.Elements) {
			t.Errorf("%d of %d elements", len(reached), len(f.WhereClause.Elements))
		}
	}
	if eventsHash(false) == eventsHash(true) {
		t.Error("the same hash")
	}
}

// TestModelChange: what a server says about its nodes reaches who wants it.
func TestModelChange(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 3, "run": true})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(3)}
	heard := make(chan []*ua.NodeID, 10)
	e, err := newEngine(s, newStore(s))
	if err != nil {
		t.Fatal(err)
	}
	e.log = logger(t)
	e.events.changed = func(nodes []*ua.NodeID) { heard <- nodes }
	done := make(chan struct{})
	go func() { defer close(done); e.run(t.Context()); e.close() }()
	t.Cleanup(func() { <-done })
	eventually(t, 30*time.Second, "live", live(s))
	await := func(want string) {
		t.Helper()
		select {
		case nodes := <-heard:
			if len(nodes) == 0 || !strings.HasSuffix(nodes[0].String(), want) {
				t.Errorf("changed %v, want %s", nodes, want)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("no change of %s is heard", want)
		}
	}
	srv.say("semantic 1")
	await("s=T1")
	srv.say("model New")
	await("s=New")
}

// TestMeaningChanges: what a server says anew of its nodes, and tells by an event, is
// taken over where it does not touch the numbers, and puts the tag in quarantine where
// it does.
func TestMeaningChanges(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 4, "run": true, "enums": true, "good": true})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(4)}
	s.Tags = append(s.Tags, plant.Tag{ID: 101, Path: "E", Kind: plant.Text, Node: "nsu=urn:test:mill;s=T100"})
	out := newStore(s)
	start(t, s, out)
	eventually(t, patience, "live", live(s))
	knowsWithin(t, patience, s, 5)
	described := func(i int) string {
		tags, _ := s.Described(0)
		return tags[i].Description
	}
	eventually(t, patience, "described", func() bool { return described(0) == "test tag 0" })

	srv.say(`mean 0 description "oil_pressure"`)
	srv.say(`mean 100 states ["halted","running","failed"]`)
	srv.say(`mean 1 unit "bar"`)
	srv.say(`mean 2 range {"low":0,"high":5000}`)
	eventually(t, 30*time.Second, "the new description", func() bool { return described(0) == "oil_pressure" })
	eventually(t, 30*time.Second, "the new names of states", func() bool {
		out.mu.Lock()
		defer out.mu.Unlock()
		seen := map[string]bool{}
		for k, x := range out.facts {
			seen[x.text] = k.tag == 101
		}
		return seen["halted"] && seen["running"] && seen["failed"]
	})
	eventually(t, 30*time.Second, "quarantine", func() bool {
		q := strings.Split(names(s.Status().Quarantined), ", ")
		slices.Sort(q)
		return slices.Equal(q, []string{"T1 unit", "T2 range"})
	})
}
