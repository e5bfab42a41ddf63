package collector

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// TestEnum: the numbers of enumerations and discrete items become their names,
// also for a process that takes the subscription up later, and for a variable
// that appears later.
func TestEnum(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 1, "run": true, "enums": true, "good": true})
	s := &Source{Name: "PLC", URL: srv.url(), StateFile: t.TempDir() + "/plc"}
	for i := range 6 {
		s.Tags = append(s.Tags, plant.Tag{ID: plant.TagID(101 + i), Path: fmt.Sprintf("E%d", i), Kind: plant.Text,
			Node: fmt.Sprintf("nsu=urn:test:mill;s=T%d", 100+i)})
	}
	out := newStore(s)
	stop := start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	time.Sleep(time.Second)
	stop()
	time.Sleep(500 * time.Millisecond)
	again := &Source{Name: "PLC", URL: srv.url(), Tags: s.Tags, StateFile: s.StateFile}
	out.source, out.writes = again, 0
	start(t, again, out)
	eventually(t, 30*time.Second, "live", live(again))
	time.Sleep(time.Second)
	settled(t, srv, again, out)
	offered := offeredBy(t, srv.logFile())
	maps.DeleteFunc(offered, func(k key, _ fact) bool { return k.tag < 101 })
	a := out.reckon(t, out.changes(offered)) // what is written again as it was is no change
	a.surplus = 0                            // an item begins with the value that is there, which may have been offered before the log
	a.check(t)
	seen := map[plant.TagID]map[string]bool{}
	for k, x := range out.facts {
		if seen[k.tag] == nil {
			seen[k.tag] = map[string]bool{}
		}
		seen[k.tag][x.text] = true
	}
	for id, want := range map[plant.TagID][]string{101: {"fault", "run", "stop"}, 102: {"ladle", "mould"}, 103: {"7", "cold", "hot"},
		104: {"auto", "manual"}, 105: {"open", "shut"}, 106: {"Running", "Suspended"}} {
		if got := slices.Sorted(maps.Keys(seen[id])); !slices.Equal(got, want) {
			t.Errorf("tag %d: %q, want %q", id, got, want)
		}
	}
}

// changes leaves of a log what differs from what was there before, from the first
// value on that is stored of a tag.
func (s *store) changes(offered map[key]fact) map[key]fact {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(offered), func(a, b key) int { return offered[a].seq - offered[b].seq })
	last := map[plant.TagID]fact{}
	left := map[key]fact{}
	for _, k := range keys {
		x := offered[k]
		if since, ok := s.first[k.tag]; ok && x.seq < offered[key{k.tag, since}].seq {
			continue
		}
		if was, ok := last[k.tag]; !ok || was.text != x.text || was.quality != x.quality {
			left[k] = x
		}
		last[k.tag] = x
	}
	return left
}

// TestTextsOf: what a server may give as names of numbers, and what it may not.
func TestTextsOf(t *testing.T) {
	l := ua.NewLocalizedText
	object := func(v any) *ua.ExtensionObject { return &ua.ExtensionObject{Value: v} }
	f := func(want texts, v any) {
		t.Helper()
		d := &ua.DataValue{}
		if v != nil {
			d.Value = ua.MustVariant(v)
		}
		if got := textsOf(d); !maps.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", v, got, want)
		}
	}
	f(texts{0: "a", 2: "c"}, []*ua.LocalizedText{l("a"), nil, l("c")})
	f(texts{-5: "low"}, []*ua.ExtensionObject{nil, object(&ua.EnumValueType{Value: -5, DisplayName: l("low")}), object(nil), object(&ua.EnumValueType{Value: 1})})
	f(texts{1: "on", 2: "off"}, object(&ua.EnumDefinition{Fields: []*ua.EnumField{nil, {Value: 1, Name: "on"}, {Value: 2, Name: "x", DisplayName: l("off")}}}))
	f(nil, object(&ua.EnumDefinition{}))
	f(nil, object(nil))
	f(nil, "text")
	f(nil, nil)
	f(nil, []*ua.LocalizedText{})
	for _, c := range []struct {
		v    any
		want string
	}{{int32(1), "on"}, {uint64(3), "3"}, {1.5, "1.5"}, {true, "on"}, {"as it is", "as it is"}} {
		if got, ok := (texts{1: "on"}).text(ua.MustVariant(c.v)); !ok || got != c.want {
			t.Errorf("%v: %q, want %q", c.v, got, c.want)
		}
	}
	tr := newTranslator([]plant.Tag{{ID: 1, Kind: plant.Text}})
	tr.names[0] = texts{1: "on"}
	m := dataChange(1, value(1, int32(1), 0, at(1000)))
	tr.translate(m)
	if n := testing.AllocsPerRun(100, func() { tr.translate(m) }); n != 0 {
		t.Errorf("%v allocations for a name", n)
	}
}

// FuzzTexts: no bytes of a server bring down the reader of names.
func FuzzTexts(f *testing.F) {
	for _, v := range []any{[]*ua.LocalizedText{ua.NewLocalizedText("a")}, ua.NewExtensionObject(&ua.EnumDefinition{Fields: []*ua.EnumField{{Value: 1, Name: "x",
		DisplayName: ua.NewLocalizedText("x"), Description: ua.NewLocalizedText("")}}}),
		[]*ua.ExtensionObject{ua.NewExtensionObject(&ua.EnumValueType{Value: 1, DisplayName: ua.NewLocalizedText("y"), Description: ua.NewLocalizedText("")})}} {
		b, err := ua.Encode(ua.MustVariant(v))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<12 {
			return
		}
		v := variantOf(b)
		if v == nil {
			return
		}
		for n, s := range textsOf(&ua.DataValue{Value: v}) {
			if s == "" {
				t.Errorf("%d has an empty name", n)
			}
		}
	})
}

// variantOf decodes with the library, whose own decoder panics at some bytes,
// such as arrays of negative length; nil where it fails.
func variantOf(b []byte) (v *ua.Variant) {
	defer func() {
		if recover() != nil {
			v = nil
		}
	}()
	v = new(ua.Variant)
	if _, err := v.Decode(b); err != nil {
		return nil
	}
	return v
}

// TestEnumInStructure: a field of a structure that is an enumeration is a state
// by its name, and by its number for a tag of numbers.
func TestEnumInStructure(t *testing.T) {
	t.Parallel()
	srv := newStructureServer(t, map[string]any{})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: []plant.Tag{
		{ID: 9, Path: "Mode", Kind: plant.Text, Node: "nsu=urn:test:mill;s=Motor", Field: "Mode"},
		{ID: 100, Path: "Number", Kind: plant.Discrete, Node: "nsu=urn:test:mill;s=Motor", Field: "Mode"}}}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 10*time.Second, "values", func() bool { return out.size() > 40 })
	offered := map[key]fact{}
	for k, x := range quiet(t, srv, out) {
		if k.tag == 9 {
			offered[k] = fact{text: map[float64]string{0: "Idle", 4: "Rolling"}[x.value], seq: x.seq}
			offered[key{100, k.ms}] = fact{value: x.value, seq: x.seq}
		}
	}
	a := out.reckon(t, offered)
	a.surplus = 0 // the value that was there before
	a.check(t)
	if a.stored < 40 {
		t.Errorf("%v", a)
	}
}
