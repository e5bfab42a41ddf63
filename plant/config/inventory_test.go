package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"millwright/plant"
)

func mustImport(t *testing.T, src, base string) Imported {
	t.Helper()
	name := ""
	if base != "" {
		name = "assets.toml"
	}
	got, err := ImportInventory("plant.csv", src, name, base, shipped(t))
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return got
}

func parseAlone(t *testing.T, text string) []plant.Asset {
	t.Helper()
	var faults Faults
	assets := readAssets([]source{{"assets.toml", text}}, nil, unseen, library(nil, &faults), &faults)
	if len(faults) > 0 {
		t.Fatalf("%v\n%s", faults, text)
	}
	return assets
}

// The template is an inventory that can be imported, and what is made of it holds
// what it says.
func TestInventoryTemplate(t *testing.T) {
	got := mustImport(t, InventoryTemplate(), "")
	assets := parseAlone(t, got.Text)
	if got.Assets != 1 || got.Added != 10 || len(assets) != 1 {
		t.Fatalf("%d assets, %d records:\n%s", got.Assets, got.Added, got.Text)
	}
	a := assets[0]
	if a.Class != "water-pump" || a.Nameplate.Power != 450 || len(a.Bearings) != 3 || a.Bearings[2].Source != plant.SourceUnknown || a.Gears[0].Wheel != 71 ||
		a.Limits[0].Value != 80 || a.Limits[0].Author != "A. Khan" ||
		a.Number != "20-P-0101" || a.Nameplate.Lubricant != "ISO VG 68, ring oiled" ||
		!reflect.DeepEqual(a.Sensors, []plant.Mount{{Tag: "WAT/CW/P1/VIB_H", Mounting: plant.Stud, Direction: plant.Horizontal, Calibrated: "2026-03-31"}}) ||
		!reflect.DeepEqual(a.Spares, []plant.Spare{{Part: "bearing DE", Number: "M-104711", Stock: new(2), LeadDays: 60, Place: "store 3"}}) ||
		!reflect.DeepEqual(a.Drawings, []plant.Drawing{{Title: "sectional drawing", Number: "CW-2-0815", Link: "http://drawings.plant/CW-2-0815.pdf"}}) {
		t.Errorf("%+v", a)
	}
	// Again into itself: nothing is new.
	if again := mustImport(t, InventoryTemplate(), got.Text); again.Added != 0 || again.Text != got.Text {
		t.Errorf("%d new:\n%s", again.Added, again.Text)
	}
}

// The same inventory as spreadsheets of many countries save it.
func TestSpreadsheets(t *testing.T) {
	const plain = "record,path,class,position,rollers,pitch_mm,diameter_mm,source,author,date\n" +
		"asset,A/P1,pump,,,,,,,\n" +
		"bearing,A/P1,,DE,9,39.04,7.94,drawing,A. Khan,2026-03-31\n"
	want := mustImport(t, plain, "").Text
	semicolons := strings.ReplaceAll(plain, ",", ";")
	for name, src := range map[string]string{
		"byte-order mark":  "\uFEFF" + plain,
		"CRLF":             strings.ReplaceAll(plain, "\n", "\r\n"),
		"semicolons":       semicolons,
		"decimal commas":   strings.ReplaceAll(strings.ReplaceAll(semicolons, "39.04", "39,04"), "7.94", "7,94"),
		"tabs":             strings.ReplaceAll(plain, ",", "\t"),
		"empty columns":    strings.ReplaceAll(plain, "\n", ",,,\n"),
		"empty lines":      plain + ",,,,,,,,,\n\n,,\n",
		"short lines":      strings.ReplaceAll(plain, "pump,,,,,,,", "pump"),
		"capitals, blanks": strings.Replace(strings.Replace(plain, "record,path", "Record, Path ", 1), "bearing,A/P1", " Bearing,\u00A0A/P1 ", 1),
		"quotes":           strings.Replace(plain, "bearing,A/P1", `"bearing","A/P1"`, 1),
		"comments":         "# ours, of March\n" + strings.Replace(plain, "bearing", "\"# the bearing, DE\"\nbearing", 1),
		"Excel's own line": "sep=;\r\n" + semicolons,
		"order of rows":    func() string { l := strings.SplitAfter(plain, "\n"); return l[0] + l[2] + l[1] }(),
	} {
		if got := mustImport(t, src, "").Text; got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

// Records go into an asset file below the asset that they belong to; its
// comments and its lines stay as they are.
func TestMerge(t *testing.T) {
	const base = `# Our works.
[[asset]]
path = "A/P1" # the old one
class = "pump"
mode_tag = "MODE"
[[asset.limit]]
tag = "VIB_H"
kind = "high"
value = 4.5
source = "standard"
author = "A. Khan"
date = "2026-03-31"

# The second.
[[asset]]
path = "A/P2"
class = "fan"
`
	const src = "record,path,class,mode_tag,position,tag,kind,value,source,author,date\n" +
		"asset,A/P1,pump,MODE,,,,,,,\n" + // as it stands
		"asset,A/P3,fan,,,,,,,,\n" +
		"bearing,A/P1,,,DE,,,,unknown,,\n" +
		"limit,A/P1,,,,A/P1/VIB_H,high-high,7.1,standard,A. Khan,2026-03-31\n" +
		"limit,A/P1,,,,VIB_H,high,4.5,standard,A. Khan,2026-03-31\n" + // as it stands
		"bearing,A/P2,,,DE,,,,unknown,,\n"
	const want = `# Our works.
[[asset]]
path = "A/P1" # the old one
class = "pump"
mode_tag = "MODE"
[[asset.limit]]
tag = "VIB_H"
kind = "high"
value = 4.5
source = "standard"
author = "A. Khan"
date = "2026-03-31"

[[asset.bearing]]
position = "DE"
source = "unknown"

[[asset.limit]]
tag = "VIB_H"
kind = "high-high"
value = 7.1
source = "standard"
author = "A. Khan"
date = "2026-03-31"

# The second.
[[asset]]
path = "A/P2"
class = "fan"

[[asset.bearing]]
position = "DE"
source = "unknown"

[[asset]]
path = "A/P3"
class = "fan"
`
	got := mustImport(t, src, base)
	if got.Text != want || got.Assets != 3 || got.Added != 4 {
		t.Errorf("%d assets, %d new:\n%s", got.Assets, got.Added, got.Text)
	}
	crlf := strings.ReplaceAll(base, "\n", "\r\n")
	if got := mustImport(t, src, crlf); got.Text != strings.ReplaceAll(want, "\n", "\r\n") {
		t.Errorf("%q", got.Text)
	}
}

func TestBadInventory(t *testing.T) {
	const base = "[[asset]]\npath = \"A/P1\"\nclass = \"pump\"\n[[asset.bearing]]\nposition = \"DE\"\nsource = \"unknown\"\n"
	const head = "record,path,class,position,rollers,pitch_mm,diameter_mm,tag,kind,value,source,author,date\n"
	for _, c := range []struct {
		src  string
		want []string
	}{
		{"", []string{`plant.csv:1: is empty, expected a header and rows`}},
		{head, []string{`plant.csv:1: has no rows below the header`}},
		{"record,path,colour\nasset,A,red\n", []string{`plant.csv:1: unknown column "colour", allowed are record, path, number, name, class, `}},
		{"record,path,path\nasset,A,B\n", []string{`plant.csv:1: path: the column stands here twice`}},
		{head + "asset,A/P2,pomp,DE,,,,,,,,,\nmachine,A/P3,,,,,,,,,,,\n,A/P4\nasset,,pump\n", []string{
			`plant.csv:2: class: "pomp" is no class of the library, near are pump`, `plant.csv:2: position: has no use in a row of record asset`,
			`plant.csv:3: record: "machine", allowed are asset, bearing, gear, sensor, spare, drawing, limit`, `plant.csv:4: record: is missing`, `plant.csv:5: path: is missing`}},
		{head + "bearing,A/P2,,DE,,,,,,,unknown,,\n", []string{`plant.csv:2: path: A/P2 has no row of record asset and is not in assets.toml`}},
		{head + "bearing,A/P1,,NDE,9,39.04,,,,,drawing,,31.3.2026\n", []string{
			`plant.csv:2: diameter_mm: is missing, rollers, pitch_mm, diameter_mm go together`, `plant.csv:2: author: is missing`, `plant.csv:2: date: "31.3.2026" is no date`}},
		{head + "bearing,A/P1,,NDE,9.5,\"39,04\",seven,,,,unknown,,\n", []string{
			`plant.csv:2: rollers: "9.5" is no whole number`, `plant.csv:2: pitch_mm: "39,04", allowed are numbers without signs for thousands, such as 1234.5`, `plant.csv:2: diameter_mm: "seven" is no number`}},
		{strings.ReplaceAll(head, ",", ";") + "bearing;A/P1;;NDE;9;39,04;7.94;;;;unknown;;\n", []string{
			`plant.csv:2: diameter_mm: "7.94", other numbers of the file have a decimal ",": write all of them with one`}},
		{strings.ReplaceAll(head, ",", ";") + "bearing;A/P1;;NDE;9;1.039,04;7,94;;;;unknown;;\n", []string{`plant.csv:2: pitch_mm: "1.039,04", allowed are numbers without`}},
		{head + "bearing,A/P1,,DE,9,39.04,7.94,,,,unknown,,\n", []string{`plant.csv:2: position: assets.toml:4 says something else of it: change it there, or leave the row out`}},
		{head + "bearing,A/P1,,NDE,,,,,,,unknown,,\nbearing,A/P1,,NDE,9,39.04,7.94,,,,unknown,,\n", []string{`plant.csv:3: position: the inventory has this record already and says something else of it`}},
		{head + "asset,A/P1,fan,,,,,,,,,,\n", []string{`plant.csv:2: class: "fan", assets.toml:3 has "pump": change it there, or leave the cell empty`}},
		{head + "asset,A/P3,pump,,,,,,,,,A. Khan,2026-01-01\n", []string{`plant.csv:2: author: has no use in a row of record asset without a nameplate`, `plant.csv:2: date: has no use in a row of record asset without a nameplate`}},
		{head + "asset,A/P1\nasset,A/P1\n", []string{`plant.csv:3: path: A/P1 has a row of record asset already`}},
		{head + "limit,A/P1,,,,,,VIB_H,high,4.5,,,\nlimit,A/P1,,,,,,VIB_H,high-high,4,maker,A,2026-01-01\n", []string{
			`plant.csv:2: source: is missing`, `plant.csv:3: value: 4 does not go with the high limit 4.5 of the same tag`}},
		{head + "asset,A/P2,pump,,,,,,,,,,,,,beyond\n", []string{`plant.csv:2: cell 16, "beyond", has no column in the header`}},
		{"record,path,part,number,stock,title\nspare,A/P1,seal,7,some,\nspare,A/P1,seal,8,1.5,x\ndrawing,A/P1,,,,section\n", []string{
			`plant.csv:2: stock: "some" is no number`, `plant.csv:3: stock: "1.5" is no whole number`, `plant.csv:3: title: has no use in a row of record spare`, `plant.csv:4: number: is missing`}},
		{"record,path,part,number,stock\nspare,A/P1,seal,7,1\nspare,A/P1,seal,7,2\nspare,A/P1,seal,8,2\n", []string{`plant.csv:3: part: the inventory has this record already and says something else of it`}},
		{head + "asset,\"A/P2\n", []string{`plant.csv:2: not CSV: `}},
		{head + "asset,A/\xff,pump\n", []string{`plant.csv:2: the text is not UTF-8: save it as "CSV UTF-8"`}},
	} {
		_, err := ImportInventory("plant.csv", c.src, "assets.toml", base, shipped(t))
		if err == nil {
			t.Errorf("accepted:\n%s", c.src)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		for _, w := range c.want {
			if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, w) }) {
				t.Errorf("%s\n%v\nwant %s", c.src, err, w)
			}
		}
		if len(lines) != len(c.want) {
			t.Errorf("%s\n%d faults, want %d:\n%v", c.src, len(lines), len(c.want), err)
		}
	}
}

// What is imported can be read, and imported again it adds nothing.
func FuzzImportInventory(f *testing.F) {
	f.Add(InventoryTemplate(), "")
	f.Add("\uFEFFsep=;\nrecord;path;class;value;tag;source\r\nasset;A;;;;\r\nlimit;A;;1,5;X;unknown;;;\r\n", "")
	f.Add("record,path,name,position,source\nasset,A,\"x\ny\",,\nbearing,B,,DE,unknown\n", "[[asset]]\npath = \"B\"\n# last\n[[asset]]\npath=\"C\"")
	f.Add("record,path,limits\nasset,B,class\n", "asset = [{path = \"B\", limits = \"class\"}]\n")
	f.Fuzz(func(t *testing.T, src, base string) {
		got, err := ImportInventory("plant.csv", src, "assets.toml", base, shipped(t))
		if err != nil {
			return
		}
		parseAlone(t, got.Text)
		again, err := ImportInventory("plant.csv", src, "assets.toml", got.Text, shipped(t))
		if err != nil || again.Added != 0 || again.Assets != got.Assets {
			t.Errorf("again: %+v %v\n%s", again, err, got.Text)
		}
	})
}

func shipped(t *testing.T) Library {
	t.Helper()
	l, err := Classes()
	if err != nil {
		t.Fatal(err)
	}
	return l
}
