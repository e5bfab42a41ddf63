package config

import (
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"millwright/plant"
)

// The library that ships has the 22 classes of a steel works, and each says what
// it knows and where its limits come from.
func TestClasses(t *testing.T) {
	l, err := Classes()
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]bool{}
	for i := range l {
		c := &l[i]
		if c.Number != "" {
			numbers[c.Number] = true
			if len(c.Tags) < 5 || len(c.Modes) == 0 {
				t.Errorf("%s has %d tags and %d modes", c.Name, len(c.Tags), len(c.Modes))
			}
		}
		if c.Code == "" {
			t.Errorf("%s has no class of ISO 14224 and does not say that there is none", c.Name)
		}
		for _, lim := range c.Limits {
			if !slices.ContainsFunc(c.Tags, func(tag plant.TagTemplate) bool { return tag.Unit == lim.Unit }) {
				t.Errorf("%s: no tag has the unit of the limit on %s in %s", c.Name, lim.Tag, lim.Unit)
			}
		}
	}
	if len(numbers) != 22 {
		t.Errorf("%d numbered classes, want A1 to A22", len(numbers))
	}
	// What the machines of the simulator have is held by its own test; it has none whose
	// cooling elements leak.
	if l.Find("furnace-cooling").Mode("element-leak") == nil {
		t.Error("furnace-cooling has no mode element-leak")
	}
	// What discovery drafts and what plants have written is known.
	for _, name := range []string{"gearbox", "pump", "fan", "compressor", "turbine", "electric motor", "conveyor", "crane", "valve", "hydraulic unit",
		"heat exchanger", "furnace", "transformer", "rolling stand", "rotating machine", "fluid system", "machine", "bench", "Gear_Box"} {
		if c := l.Find(name); (c == nil) != (name == "Gear_Box") {
			t.Errorf("%q: %v", name, c)
		}
	}
	// Zones of part 3 are no limits of machines that it does not cover.
	for _, name := range []string{"pump", "descaling-pump", "gearbox", "rolling-stand", "crane"} {
		for _, lim := range l.Find(name).Limits {
			if strings.Contains(lim.Basis, "20816") {
				t.Errorf("%s has the limit %s of ISO 20816-3", name, lim.Tag)
			}
		}
	}
}

func TestNear(t *testing.T) {
	l, err := Classes()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"gearbx": "gearbox", "gear": "gear-unit", "descaling-pomp": "descaling-pump", "idfan": "id-fan"} {
		if got := l.near(name); !slices.Contains(got, want) {
			t.Errorf("%s is near %v, want %s", name, got, want)
		}
	}
	if got := l.near("xyzzyqwfp"); len(got) != 0 {
		t.Errorf("near %v", got)
	}
}

const goodClass = `[class]
title = "Test pump"
vibration = "none"
includes = ["pump"]
tag = [{ name = "FLOW", unit = "l/s", description = "Flow" }]

[[class.mode]]
name = "cavitation"
title = "Cavitation here"
symptom = [{ tag = "NOISE*", sign = "up", weight = 2 }]
`

// A class that includes another has what that one has, but for what it says
// itself.
func TestParseClass(t *testing.T) {
	l, err := Classes()
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseClass("dir/test-pump.toml", goodClass, l)
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "test-pump" || c.Tags[0].Unit != "l/s" || c.Mode("bearing-outer") == nil {
		t.Errorf("%+v", c)
	}
	if m := c.Mode("cavitation"); !reflect.DeepEqual(m.Symptoms, []plant.Symptom{{Tag: "NOISE*", Sign: plant.SignUp, Weight: 2}}) {
		t.Errorf("%+v", m)
	}
	// In the place of the one that ships.
	if c, err = ParseClass("fan.toml", strings.Replace(goodClass, "Test pump", "Our fan", 1), l); err != nil || c.Title != "Our fan" {
		t.Errorf("%+v %v", c, err)
	}
}

func TestBadClass(t *testing.T) {
	l, err := Classes()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, bad, want string }{
		{goodClass, `[plc]`, `x.toml:1: describes no class, expected a section [class]`},
		{`title = "Test pump"`, ``, `x.toml:1: class.title: is missing, for example title = "Descaling pump"`},
		{`includes = ["pump"]`, `includes = ["pomp"]`, `x.toml:4: class.includes: "pomp" is no class`},
		{`includes = ["pump"]`, `includes = ["x"]`, `x.toml:4: class.includes: x includes itself: x, x`},
		{`includes = ["pump"]`, `also = ["fan"]`, `x.toml:4: class.also: "fan" is a name of fan already`},
		{`sign = "up"`, `sign = "sideways"`, `x.toml:10: class.mode[0].symptom[0].sign: "sideways", allowed are up, down, noisy, frozen`},
		{`weight = 2`, `weight = 0`, `x.toml:10: class.mode[0].symptom[0].weight: 0, allowed is more than 0`},
		{`"NOISE*"`, `"NOISE["`, `x.toml:10: class.mode[0].symptom[0].tag: "NOISE[" is no pattern, allowed are names with * and ?`},
		{`title = "Cavitation here"`, "title = \"C\"\niso14224 = \"noise\"", `x.toml:10: class.mode[0].iso14224: "noise", allowed are 3 capital letters of ISO 14224`},
		{`name = "cavitation"`, "name = \"cavitation\"\nof = \"pump\"", `x.toml:8: class.mode[0].name: "cavitation", a kind of pump is called pump-…`},
		{`unit = "l/s"`, `unit = "l/s", low = 3`, `x.toml:5: class.tag[0].high: 0 is not above low 3`},
		{`tag = [{ name`, `limit = [{ tag = "FLOW", unit = "l/s", basis = "b", value = 3 }]` + "\ntag = [{ name", `x.toml:5: class.limit[0].source: is missing: a default without its source is worth nothing`},
		{`tag = [{ name`, `limit = [{ tag = "FLOW", unit = "l/s", basis = "b", value = 3, source = "maker" }]` + "\ntag = [{ name", `x.toml:5: class.limit[0].author: is missing: who says so and when, in author and date of the limit or of the class`},
	} {
		_, err := ParseClass("x.toml", strings.Replace(goodClass, c.old, c.bad, 1), l)
		if err == nil || !slices.Contains(strings.Split(err.Error(), "\n"), c.want) {
			t.Errorf("%s:\n%v\nwant %s", c.bad, err, c.want)
		}
	}
}

func FuzzParseClass(f *testing.F) {
	f.Add(goodClass)
	f.Add("[class]\nincludes = [\"x\"]\nalso = [\"x\"]\n[[class.mode]]\nof = \"a\"\nname=\"a-\"\n[[class.limit]]\n")
	f.Fuzz(func(t *testing.T, src string) {
		c, err := ParseClass("x.toml", src, Library{{Name: "fan"}})
		if err != nil {
			return
		}
		for _, m := range c.Modes {
			for _, s := range m.Symptoms {
				if _, err := path.Match(s.Tag, "VIB_H"); err != nil || !(s.Weight > 0) {
					t.Errorf("%+v", s)
				}
			}
		}
	})
}
