package collector

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// motorFields are the fields in the order of the server's log.
var motorFields = []string{"Speed", "Torque", "Bearing.Temperature", "Stands[1].Temperature", "Phase[1]", "Options.Always", "Any", "On",
	"Mode", "Note", "Stands[1].Label"}

func motorTags() []plant.Tag {
	var tags []plant.Tag
	for i, f := range motorFields {
		t := plant.Tag{ID: plant.TagID(i + 1), Path: f, Node: "nsu=urn:test:mill;s=Motor", Field: f}
		if i > 8 {
			t.Kind = plant.Text
		}
		tags = append(tags, t)
	}
	return tags
}

func newStructureServer(t testing.TB, set map[string]any) *foreign {
	t.Helper()
	set["modules"] = modules(t)
	return newForeign(t, []string{"node", "testdata/nodeopcua_structures.mjs"}, set)
}

// quiet stops the server's values and waits until what it offered is here.
func quiet(t *testing.T, srv *foreign, out *store) map[key]fact {
	t.Helper()
	srv.say("halt")
	n := -1
	eventually(t, 5*time.Second, "no more values", func() bool {
		was := n
		time.Sleep(300 * time.Millisecond)
		n = out.size()
		return n == was
	})
	return offeredBy(t, srv.logFile())
}

// TestStructures: the fields of structures of a foreign server become values of
// their tags, by one monitored item for each node.
func TestStructures(t *testing.T) {
	t.Parallel()
	srv := newStructureServer(t, map[string]any{})
	tags := motorTags()
	add := func(node, field string) plant.TagID {
		tags = append(tags, plant.Tag{ID: plant.TagID(len(tags) + 1), Path: node + " " + field, Node: "nsu=urn:test:mill;s=" + node, Field: field})
		return plant.TagID(len(tags))
	}
	add("Motor", "Sped")
	add("Motor", "Bearing")
	optional, either := add("Motor", "Options.B"), add("Motor", "Either.Number")
	vague, row, span := add("Vague", "Temperature"), add("Row", "[1].Temperature"), add("Range", "High")
	log, said := listen(t)
	s := &Source{Name: "PLC", URL: srv.url(), Tags: tags, Log: log}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	eventually(t, 10*time.Second, "every field", func() bool { return out.size() > 400 && len(s.Status().Rejected) > 1 })
	srv.say("items")
	if b, err := os.ReadFile(filepath.Join(srv.dir, "items")); err != nil || string(b) != "4" {
		t.Errorf("%s monitored items for 4 nodes, %v", b, err)
	}
	offered := quiet(t, srv, out)
	all := strings.Join(s.Status().Rejected, "\n")
	for _, want := range []string{"Sped: structure Motor has no field Sped, it has Mode, Note,", "Motor Bearing: sends a structure without Bearing"} {
		if !strings.Contains(all, want) {
			t.Errorf("want %q in\n%s", want, all)
		}
	}
	if said("subscription created") != 1 || len(s.Status().Rejected) > 4 {
		t.Errorf("refused:\n%s", all)
	}
	// Fields that a value may have or not.
	n := map[plant.TagID]int{}
	for k, f := range out.facts {
		n[k.tag]++
		speed := out.facts[key{1, k.ms}].value / 10
		want := map[plant.TagID]float64{optional: speed / 2, either: speed * 3, vague: speed, row: 2 * speed, span: 7.5}
		if w, ok := want[k.tag]; ok {
			if speed != 0 && f.value != w {
				t.Errorf("tag %d at %d: %v, want %v", k.tag, k.ms, f.value, w)
			}
			delete(out.facts, k)
		}
	}
	if n[span] != 1 || n[optional] < 5 || n[either] < 5 || n[vague] < 5 || n[row] < 5 || n[optional] >= n[1] || n[either] >= n[1] {
		t.Errorf("values by tag: %v", n)
	}
	gaps := 0
	for _, g := range out.gaps {
		if g.Tag == optional && g.Reason == GapWrongType {
			gaps++
		}
	}
	if gaps == 0 {
		t.Error("a field that is not always there leaves no gap")
	}
	a := out.reckon(t, offered)
	t.Log(a)
	if a.stored < 100 || a.undeclared+a.surplus+a.differing > 0 {
		t.Error(a)
	}
}

// TestOtherLayout: after a restart of the server the same ids and as many bytes mean
// other fields. No value is read by the old description.
func TestOtherLayout(t *testing.T) {
	t.Parallel()
	srv := newStructureServer(t, map[string]any{"layout": 1})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: motorTags(), StateFile: filepath.Join(t.TempDir(), "plc")}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	eventually(t, 3*time.Second, "values", grows(out))
	time.Sleep(300 * time.Millisecond)
	srv.kill()
	srv.set["layout"], srv.set["tick"] = 2, 1000
	srv.start()
	eventually(t, 30*time.Second, "live", live(s))
	eventually(t, 5*time.Second, "values", grows(out))
	time.Sleep(300 * time.Millisecond)
	offered := quiet(t, srv, out)
	a := out.reckon(t, offered)
	t.Log(a)
	if a.stored < 100 || a.undeclared+a.surplus+a.differing > 0 {
		t.Error(a)
	}
	later := 0
	for k, f := range out.facts {
		if k.tag == 1 && f.value > 10_000 {
			later++
		}
	}
	if later == 0 {
		t.Error("no value of the second layout: the test does not test")
	}
}

// TestStructureWithoutDescription: a server of before 1.04.
func TestStructureWithoutDescription(t *testing.T) {
	d := &dictionary{nodes: map[string]*dataType{}, built: map[string]*structure{}, types: structures{}}
	n := func(i uint32) *ua.NodeID { return ua.NewNumericNodeID(2, i) }
	for _, x := range []*dataType{{id: n(1), name: "Old", super: ua.NewNumericNodeID(0, 22)}, {id: n(2), name: "Speed", super: ua.NewNumericNodeID(0, 11)},
		{id: n(3), name: "New", super: ua.NewNumericNodeID(0, 22), definition: &ua.StructureDefinition{Fields: []*ua.StructureField{{Name: "A", DataType: n(1)}}}},
		{id: n(4), name: "Self", super: ua.NewNumericNodeID(0, 22), definition: &ua.StructureDefinition{Fields: []*ua.StructureField{{Name: "A", DataType: n(4), ValueRank: 1}, {Name: "B", DataType: n(1)}}}},
		{id: n(5), name: "Lost", super: n(99), definition: &ua.StructureDefinition{Fields: []*ua.StructureField{{Name: "A", DataType: n(98)}}}},
	} {
		d.nodes[x.id.String()] = x
	}
	for i, want := range map[uint32]string{1: "the server does not describe its structure Old", 2: "its data type Speed is no structure",
		3: "structure New: field A: the server does not describe its structure Old", 4: "structure Self: field B:", 5: "structure Lost: the server does not say what field A is"} {
		if _, err := d.build(n(i)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v, want %s", i, err, want)
		}
	}
}

// TestCarriers: one item for the fields of a node that are asked for alike.
func TestCarriers(t *testing.T) {
	tags := []plant.Tag{{Node: "a"}, {Node: "a", Field: "x"}, {Node: "b", Field: "x"}, {Node: "a", Field: "y"}, {Node: "a", Field: "z", Sampling: time.Second}, {Node: "b", Field: "x"}}
	if got := carriers(tags); !same(got, []int{0, 1, 2, 1, 4, 2}) {
		t.Errorf("got %v", got)
	}
	tr := newTranslator(tags)
	var carry []int
	for i, p := range tr.plans {
		if p != nil {
			carry = append(carry, i)
		}
	}
	if !same(carry, []int{1, 2, 4}) || !same(tr.plans[2].tags, []int{2, 5}) {
		t.Errorf("carrying %v", carry)
	}
}

// TestSecondStructures is TestStructures with another make of server.
func TestSecondStructures(t *testing.T) {
	t.Parallel()
	srv := newAsyncua(t, map[string]any{"nodes": 0, "structures": true})
	tags := motorTags()[:5]
	for i, f := range []string{"Speed", "Torque", "Bearing.Temperature", "Stands[1].Temperature", "Phase[1]"} {
		tags[i].Field = f
	}
	s := &Source{Name: "PLC", URL: srv.url(), Tags: tags}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	eventually(t, 5*time.Second, "every field", func() bool { return out.size() > 100 })
	offered := quiet(t, srv, out)
	if r := s.Status().Rejected; len(r) > 0 {
		t.Errorf("refused: %v", r)
	}
	a := out.reckon(t, offered)
	t.Log(a)
	if a.stored < 100 || a.undeclared+a.surplus+a.differing > 0 {
		t.Error(a)
	}
	if b, err := os.ReadFile(srv.logFile()); err != nil || len(bytes.TrimSpace(b)) == 0 {
		t.Error("the server has no log")
	}
}
