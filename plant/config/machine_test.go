package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

func pumpTags() []plant.Tag {
	var tags []plant.Tag
	for _, f := range []string{"VIB_H mm/s 0 25", "VIB_HF m/s² 0 200", "BRG_T_DE °C 0 150", "BRG_T_NDE °C 0 90", "MOT_T_W K 0 500", "FLOW m³/h 0 700"} {
		w := strings.Fields(f)
		tags = append(tags, plant.Tag{Path: "A/P1/" + w[0], Unit: w[1], Low: parseNumber(w[2]), High: parseNumber(w[3]), Kind: plant.Analog})
	}
	return tags
}

const goodMachine = `[[asset]]
path = "A/P1"
class = "fan"
[asset.nameplate]
maker = "Weir"
model = "SDB 350"
serial = "8871"
power_kw = 450
speed_min = 900
speed_max = 990
support = "rigid"
redundancy = "2x100"
source = "nameplate"
author = "A. Khan"
date = "2026-03-31"
[[asset.bearing]]
position = "DE"
designation = "22320 E"
rollers = 16
pitch_mm = 160
diameter_mm = 26
angle_deg = 12
source = "drawing"
author = "A. Khan"
date = "2026-03-31"
[[asset.bearing]]
position = "NDE"
bpfo = 3.585
bpfi = 5.415
bsf = 2.357
ftf = 0.398
source = "maker"
author = "A. Khan"
date = "2026-03-31"
[[asset.bearing]]
position = "motor"
source = "unknown"
[[asset.gear]]
stage = "1"
pinion = 23
wheel = 71
source = "drawing"
author = "A. Khan"
date = "2026-03-31"
[[asset.limit]]
tag = "VIB_H"
kind = "high"
value = 3
`

func TestMachine(t *testing.T) {
	assets, err := ParseAssets("a.toml", strings.NewReader(goodMachine), pumpTags())
	if err != nil {
		t.Fatal(err)
	}
	a := assets[0]
	if n := a.Nameplate; n.Maker != "Weir" || n.Power != 450 || n.Support != plant.Rigid || n.Redundancy != "2x100" || n.Source != plant.SourceNameplate || n.Author != "A. Khan" {
		t.Errorf("%+v", n)
	}
	var known []bool
	for _, b := range a.Bearings {
		_, ok := b.Orders()
		known = append(known, ok)
	}
	if !slices.Equal(known, []bool{true, true, false}) || a.Bearings[2].Source != plant.SourceUnknown {
		t.Errorf("%+v", a.Bearings)
	}
	if len(a.Gears) != 1 || a.Gears[0].Wheel != 71 || len(a.Limits) != 1 {
		t.Errorf("%+v %+v", a.Gears, a.Limits)
	}
	if got := Unsourced(assets); len(got) != 1 || got[0] != "the high limit of A/P1/VIB_H lacks source, author or date" {
		t.Errorf("%v", got)
	}
}

// A tag is sampled too slowly where its class asks for more; on change is as often as
// there is something.
func TestUndersampled(t *testing.T) {
	library := Library{{Name: "fan", Tags: []plant.TagTemplate{{Name: "VIB_*", Every: time.Second}, {Name: "FLOW"}}}}
	assets := []plant.Asset{{Path: "A/P1", Class: "fan"}, {Path: "A/P2", Class: "unknown"}}
	tags := []plant.Tag{
		{Path: "A/P1/VIB_H", Asset: "A/P1", Sampling: 2 * time.Second}, {Path: "A/P1/VIB_V", Asset: "A/P1", Sampling: time.Second},
		{Path: "A/P1/VIB_A", Asset: "A/P1"}, {Path: "A/P1/FLOW", Asset: "A/P1", Sampling: time.Minute}, {Path: "A/P2/VIB_H", Asset: "A/P2", Sampling: time.Hour},
	}
	if got := Undersampled(assets, tags, library); len(got) != 1 || got[0] != "A/P1/VIB_H is sampled every 2s, the class fan asks for 1s" {
		t.Errorf("%q", got)
	}
}

// The limits of the class hold where the asset asks for them and has none of its
// own, for the tags that fit by name and unit and for a machine of that nameplate.
func TestClassLimits(t *testing.T) {
	ask := strings.Replace(goodMachine, "class = \"fan\"\n", "class = \"fan\"\nlimits = \"class\"\n", 1)
	tags := pumpTags()
	tags[3].High = 150
	assets, err := ParseAssets("a.toml", strings.NewReader(ask), tags)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]plant.Limit{}
	for _, l := range assets[0].Limits {
		got[strings.TrimPrefix(l.Tag, "A/P1/")+" "+string(l.Kind)] = l
	}
	if l := got["VIB_H high"]; l.Value != 3 || l.Basis != "" {
		t.Errorf("the asset's own limit gave way: %+v", l)
	}
	if l := got["VIB_H high-high"]; l.Value != 7.1 || l.Basis != "class fan: ISO 20816-3 group 1, rigid support, zone C/D" || l.Source != plant.SourceStandard || l.Author == "" || l.Date == "" {
		t.Errorf("%+v", l)
	}
	if l := got["BRG_T_NDE rate"]; l.Value != 0.033 {
		t.Errorf("%+v", l)
	}
	if len(got) != len(assets[0].Limits) || len(got) != 8 { // the winding is in K, nothing is known of the flow
		t.Errorf("%d limits: %v", len(got), got)
	}
	// Without support there is no zone, a small machine is of another group.
	for old, want := range map[string]float64{"support = \"rigid\"\n": 0, "power_kw = 450": 4.5} {
		src := strings.Replace(ask, old, map[float64]string{0: "", 4.5: "power_kw = 45"}[want], 1)
		assets, err := ParseAssets("a.toml", strings.NewReader(src), tags)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(assets[0].Limits, func(l plant.Limit) bool { return l.Tag == "A/P1/VIB_H" && l.Kind == plant.LimitHighHigh })
		if want == 0 && i >= 0 || want > 0 && (i < 0 || assets[0].Limits[i].Value != want) {
			t.Errorf("without %q: %+v", old, assets[0].Limits)
		}
	}
}

func TestBadMachine(t *testing.T) {
	for _, c := range []struct{ old, bad, want string }{
		{`class = "fan"`, `class = "fann"`, `a.toml:3: asset[0].class: "fann" is no class of the library, near are fan; "machine" stands for what has none`},
		{`class = "fan"`, `class = "qqqqqqqqqq"`, `a.toml:3: asset[0].class: "qqqqqqqqqq" is no class of the library, see firmware-configs/classes; "machine" stands for what has none`},
		{`class = "fan"`, "class = \"fan\"\nlimits = \"class\"", `a.toml:4: asset[0].limits: the high-high limit 95 of A/P1/BRG_T_NDE (rolling bearing housing, alarm) is outside the range 0 to 90 of the tag and never reached: give the asset one of its own`},
		{"kind = \"high\"\nvalue = 3", "kind = \"high\"\nvalue = 8\n[[asset]]\npath=\"B\"\nlimits = \"class\"", `a.toml:51: asset[1].limits: class machine has none, leave the key out or say which class it is`},
		{"kind = \"high\"\nvalue = 3", "kind = \"high\"\nvalue = 3\n[[asset]]\npath=\"B\"\nclass = \"pump\"\nlimits = \"class\"", `a.toml:52: asset[1].limits: no tag of the asset has the name and unit of a limit of class pump, leave the key out or look into firmware-configs/classes/pump.toml`},
		{"class = \"fan\"", "class = \"fan\"\nlimits = \"all\"", `a.toml:4: asset[0].limits: "all", allowed are class`},
		{`support = "rigid"`, `support = "soft"`, `a.toml:11: asset[0].nameplate.support: "soft", allowed are rigid, flexible`},
		{`redundancy = "2x100"`, `redundancy = "two"`, `a.toml:12: asset[0].nameplate.redundancy: "two", allowed are the number of machines and the percentage of the duty that each takes, such as 2x100`},
		{`speed_max = 990`, `speed_max = 99`, `a.toml:10: asset[0].nameplate.speed_max: 99 is below speed_min 900`},
		{`source = "nameplate"`, `source = "hearsay"`, `a.toml:13: asset[0].nameplate.source: "hearsay", allowed are nameplate, drawing, maker, standard, baseline, judgement, estimate, unknown`},
		{"source = \"nameplate\"\n", ``, `a.toml:4: asset[0].nameplate.source: is missing, allowed are nameplate, drawing, maker, standard, baseline, judgement, estimate, unknown`},
		{"author = \"A. Khan\"\n", ``, `a.toml:4: asset[0].nameplate.author: is missing: who says so, and when (year-month-day)`},
		{`date = "2026-03-31"`, `date = "31.3.2026"`, `a.toml:15: asset[0].nameplate.date: "31.3.2026" is no date, allowed is year-month-day such as 2026-03-31`},
		{`position = "NDE"`, `position = "DE"`, `a.toml:27: asset[0].bearing[1].position: "DE" is the position of two bearings`},
		{"rollers = 16\n", ``, `a.toml:16: asset[0].bearing[0].rollers: is missing, rollers, pitch_mm, diameter_mm go together`},
		{`diameter_mm = 26`, `diameter_mm = 260`, `a.toml:21: asset[0].bearing[0].diameter_mm: 260 is not below pitch_mm 160`},
		{`bpfi = 5.415`, `bpfi = 5.7`, `a.toml:29: asset[0].bearing[1].bpfi: 5.7 and bpfo 3.585 sum to 9.29, which is the number of rollers and so a whole number`},
		{`bpfo = 3.585`, `bpfo = 5.585`, `a.toml:28: asset[0].bearing[1].bpfo: 5.585 is not below bpfi 5.415: the inner race is passed more often`},
		{`wheel = 71`, ``, `a.toml:38: asset[0].gear[0].wheel: is missing, pinion, wheel go together`},
	} {
		_, err := ParseAssets("a.toml", strings.NewReader(strings.Replace(goodMachine, c.old, c.bad, 1)), pumpTags())
		if err == nil || !slices.Contains(strings.Split(err.Error(), "\n"), c.want) {
			t.Errorf("%s:\n%v\nwant %s", c.bad, err, c.want)
		}
	}
	// A limit of the class that contradicts one of the asset.
	src := strings.Replace(goodMachine, "class = \"fan\"\n", "class = \"fan\"\nlimits = \"class\"\n", 1)
	src = strings.Replace(src, "value = 3", "value = 8", 1)
	want := `a.toml:4: asset[0].limits: the high-high limit 7.1 of A/P1/VIB_H (ISO 20816-3 group 1, rigid support, zone C/D) does not go with the high limit 8 of the asset: give the asset one of its own`
	if _, err := ParseAssets("a.toml", strings.NewReader(src), pumpTags()); err == nil || !slices.Contains(strings.Split(err.Error(), "\n"), want) {
		t.Errorf("%v", err)
	}
}

const goodParts = `[[asset]]
path = "A/P1"
number = "20-P-0101"
[[asset.sensor]]
tag = "VIB_H"
mounting = "stud"
direction = "H"
calibrated = "2026-03-31"
[[asset.sensor]]
tag = "A/P1/BRG_T_NDE"
[[asset.spare]]
part = "bearing DE"
number = "M-1"
stock = 0
lead_days = 60
[[asset.spare]]
part = "bearing DE"
number = "M-2"
[[asset.drawing]]
title = "section"
link = "http://drawings.plant/4711.pdf"
`

// What the store and the drawing office know of a machine.
func TestParts(t *testing.T) {
	assets, err := ParseAssets("a.toml", strings.NewReader(goodParts), pumpTags())
	if err != nil {
		t.Fatal(err)
	}
	a := assets[0]
	if a.Number != "20-P-0101" || len(a.Sensors) != 2 || a.Sensors[0].Mounting != plant.Stud || a.Sensors[1].Tag != "A/P1/BRG_T_NDE" {
		t.Errorf("%+v", a)
	}
	if len(a.Spares) != 2 || a.Spares[0].Stock == nil || *a.Spares[0].Stock != 0 || a.Spares[1].Stock != nil {
		t.Errorf("none in stock is not unknown: %+v", a.Spares)
	}
	for _, c := range []struct{ old, bad, want string }{
		{`tag = "VIB_H"`, `tag = "VIB_Q"`, `a.toml:5: asset[0].sensor[0].tag: "VIB_Q" is no tag, neither as A/P1/VIB_Q nor as it stands, the asset has `},
		{`tag = "VIB_H"`, `tag = "BRG_T_NDE"`, `a.toml:10: asset[0].sensor[1].tag: "A/P1/BRG_T_NDE" is here twice`},
		{`mounting = "stud"`, `mounting = "tape"`, `a.toml:6: asset[0].sensor[0].mounting: "tape", allowed are stud, glue, magnet, probe, thermowell, inline`},
		{`direction = "H"`, `direction = "up"`, `a.toml:7: asset[0].sensor[0].direction: "up", allowed are H, V, A`},
		{`calibrated = "2026-03-31"`, `calibrated = "2999-03-31"`, `a.toml:8: asset[0].sensor[0].calibrated: 2999-03-31 is to come, allowed is the day on which it was done`},
		{`number = "M-2"`, `number = "M-1"`, `a.toml:17: asset[0].spare[1].part: "bearing DE M-1" is here twice under one number`},
		{`stock = 0`, `stock = -1`, `a.toml:14: asset[0].spare[0].stock: -1, allowed is 0 to 2147483647`},
		{`link = "http://drawings.plant/4711.pdf"`, ``, `a.toml:19: asset[0].drawing[0].number: is missing, allowed is a drawing with its number or its link`},
		{`link = "http://drawings.plant/4711.pdf"`, `link = "javascript:alert(1)"`, `a.toml:21: asset[0].drawing[0].link: "javascript:alert(1)", allowed is an address such as http://drawings.plant/4711.pdf`},
	} {
		_, err := ParseAssets("a.toml", strings.NewReader(strings.Replace(goodParts, c.old, c.bad, 1)), pumpTags())
		if err == nil || !slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(l string) bool { return strings.HasPrefix(l, c.want) }) {
			t.Errorf("%s:\n%v\nwant %s", c.bad, err, c.want)
		}
	}
}
