package collector

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// Machine is the draft of an asset: an object that has variables of its own.
type Machine struct {
	plant.Asset
	Notes []string // why its class is that, where it stands
}

// machines drafts the assets of the tags, in the order of their paths.
func (b *browser) machines(ctx context.Context) error {
	names, err := b.typeNames(ctx)
	if err != nil {
		return err
	}
	tags := map[string][]*plant.Tag{}
	for i := range b.draft.Tags {
		if t := &b.draft.Tags[i]; t.Asset != "" {
			tags[t.Asset] = append(tags[t.Asset], t)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(tags)) {
		o := b.objects[path]
		typ := ""
		if o.kind != nil {
			typ = names[o.kind.String()]
		}
		b.draft.Machines = append(b.draft.Machines, draftMachine(path, line(o.name, mostText), typ, tags[path]))
	}
	return nil
}

// typeNames are the browse names of the types of objects, by node id.
func (b *browser) typeNames(ctx context.Context) (map[string]string, error) {
	var nodes []*ua.ReadValueID
	names := map[string]string{}
	for _, o := range b.objects {
		if o.kind == nil {
			continue
		}
		if key := o.kind.String(); names[key] == "" {
			names[key] = "?"
			nodes = append(nodes, &ua.ReadValueID{NodeID: o.kind, AttributeID: ua.AttributeIDBrowseName, DataEncoding: &ua.QualifiedName{}})
		}
	}
	values, err := b.readMany(ctx, nodes)
	if err != nil {
		return nil, err
	}
	for i, v := range values {
		name, _ := good[*ua.QualifiedName](v)
		if key := nodes[i].NodeID.String(); name != nil {
			names[key] = line(name.Name, mostText)
		} else {
			delete(names, key)
		}
	}
	return names, nil
}

func draftMachine(path, name, typ string, tags []*plant.Tag) Machine {
	m := Machine{Asset: plant.Asset{Path: path, Name: name}}
	if name == "" {
		m.Name = path[strings.LastIndexByte(path, '/')+1:]
	}
	levels := strings.Split(path, "/")
	var stands []string
	for i, level := range []string{"area", "line", "unit"} { // ISA-95
		if i < len(levels)-1 {
			stands = append(stands, level+" "+levels[i])
		}
	}
	if len(stands) > 0 {
		m.Notes = append(m.Notes, strings.Join(stands, ", "))
	}
	var why string
	m.Class, why = guessClass(levels, typ, tags)
	m.Notes = append(m.Notes, fmt.Sprintf("class: %s", why))
	for _, t := range tags {
		n := t.Path[strings.LastIndexByte(t.Path, '/')+1:]
		if w := words(n); t.Kind == plant.Text && (slices.Contains(w, "mode") || slices.Contains(w, "state")) {
			m.Notes = append(m.Notes, fmt.Sprintf("its mode may be what %s says: mode_tag = %q", n, n))
			break
		}
	}
	return m
}

// classes are those of machines in a works, in the manner of ISO 14224, with the
// words by which names speak of them.
var classes = []struct {
	class string
	words []string
}{
	{"gearbox", []string{"gearbox", "gear", "gbx", "gbox", "reducer"}},
	{"pump", []string{"pump", "pmp"}},
	{"fan", []string{"fan", "blower", "ventilator"}},
	{"compressor", []string{"compressor", "cmp"}},
	{"turbine", []string{"turbine"}},
	{"electric motor", []string{"motor", "mtr", "drive", "drv"}},
	{"conveyor", []string{"conveyor", "belt"}},
	{"crane", []string{"crane", "hoist"}},
	{"valve", []string{"valve", "vlv"}},
	{"hydraulic unit", []string{"hydraulic", "hydraulics", "hyd", "hpu"}},
	{"heat exchanger", []string{"exchanger", "cooler", "chiller"}},
	{"furnace", []string{"furnace", "burner", "kiln", "ladle"}},
	{"transformer", []string{"transformer", "trafo"}},
	{"rolling stand", []string{"stand", "roll", "mill"}},
}

// guessClass says what kind of machine an object is and by what it looks so: by
// its type, by its name and those above it, nearest first, else by the units of
// its tags.
func guessClass(levels []string, typ string, tags []*plant.Tag) (class, why string) {
	const above = 2 // levels over its own
	if c, w := classOf(typ); c != "" {
		return c, fmt.Sprintf("its type %s has the word %q", typ, w)
	}
	for i := len(levels) - 1; i >= max(0, len(levels)-1-above); i-- {
		if c, w := classOf(levels[i]); c != "" {
			return c, fmt.Sprintf("%s has the word %q", levels[i], w)
		}
	}
	units := map[string]string{} // unit → a tag
	for _, t := range tags {
		if u := strings.ReplaceAll(t.Unit, " ", ""); u != "" && units[u] == "" {
			units[u] = t.Path[strings.LastIndexByte(t.Path, '/')+1:]
		}
	}
	for _, u := range []string{"mm/s", "in/s", "m/s²", "m/s2", "m/s^2", "µm"} {
		if t := units[u]; t != "" {
			return "rotating machine", fmt.Sprintf("%s in %s is a vibration, so something turns", t, u)
		}
	}
	for _, u := range []string{"r/min", "rpm", "1/min", "min⁻¹", "min-1"} {
		if t := units[u]; t != "" {
			return "rotating machine", fmt.Sprintf("%s in %s is a speed of rotation", t, u)
		}
	}
	for _, u := range []string{"l/min", "m³/h", "m3/h"} {
		if t := units[u]; t != "" && units["bar"] != "" {
			return "fluid system", fmt.Sprintf("%s in %s and %s in bar are a flow and a pressure", t, u, units["bar"])
		}
	}
	if t := units["kW"]; t != "" && units["A"] != "" {
		return "electric motor", fmt.Sprintf("%s in kW and %s in A are a power and a current", t, units["A"])
	}
	return "machine", "neither names nor units say what it is"
}

func classOf(name string) (class, word string) {
	have := words(name)
	for _, c := range classes {
		for _, w := range c.words {
			if slices.Contains(have, w) || slices.Contains(have, w+"s") {
				return c.class, w
			}
		}
	}
	return "", ""
}

// words divides a name such as "coolingPump_1A" or "GBX2" into its words, in
// lower case.
func words(name string) []string {
	var out []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
		}
		word = word[:0]
	}
	var before rune
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r):
			end()
		case unicode.IsUpper(r) && unicode.IsLower(before):
			end()
			word = append(word, r)
		default:
			word = append(word, r)
		}
		before = r
	}
	end()
	return out
}
