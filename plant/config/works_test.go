package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestParseWorks(t *testing.T) {
	const list = "path,node,unit,kind\n"
	files := fstest.MapFS{
		"hsm/p1.csv":  {Data: []byte(list + "HSM/P1/VIB,ns=2;s=a,mm/s,\nHSM/P1/MODE,ns=2;s=b,,text\n")},
		"hsm/p1.toml": {Data: []byte("[[asset]]\npath = \"HSM/P1\"\nmode_tag = \"MODE\"\n")},
		"bof/fan.csv": {Data: []byte(list + "BOF/FAN/VIB,ns=2;s=c,mm/s,\n")},
		// An asset may take its mode from the tag of another unit.
		"bof/fan.toml":   {Data: []byte("[[asset]]\npath = \"BOF/FAN\"\nmode_tag = \"HSM/P1/MODE\"\n")},
		"edge.toml":      {Data: []byte("[edge]\nname = \"e\"\n")}, // of a process
		"README.md":      {Data: []byte("not read")},
		"sim/world.csv":  {Data: []byte(list + "SIM/T,ns=2;s=d,s,\n")},
		"hsm/.keep/note": {Data: nil},
	}
	tags, assets, err := ParseWorks(files)
	if err != nil {
		t.Fatal(err)
	}
	if len(tags) != 4 || tags[0].Path != "BOF/FAN/VIB" || tags[0].Asset != "BOF/FAN" || tags[3].Asset != "SIM" {
		t.Errorf("%+v", tags)
	}
	if len(assets) != 2 || assets[0].Path != "BOF/FAN" || assets[0].ModeTag != "HSM/P1/MODE" {
		t.Errorf("%+v", assets)
	}
	files["wat/p.csv"] = &fstest.MapFile{Data: []byte(list + "HSM/P1/VIB,ns=2;s=e,,\n")}
	files["wat/p.toml"] = &fstest.MapFile{Data: []byte("[[asset]]\npath = \"HSM/P1\"\nmode_tag = \"NO\"\n")}
	_, _, err = ParseWorks(files)
	for _, want := range []string{
		"wat/p.csv:2: path: HSM/P1/VIB stands in hsm/p1.csv:2 already",
		"wat/p.toml:2: asset[0].path: HSM/P1 is the path of two assets",
		"wat/p.toml:3: asset[0].mode_tag: \"NO\" is no tag",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
}

// A key that names files takes one, a pattern, or a list of either.
func TestPatterns(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hsm/a.csv", "path,node\nHSM/A/X,ns=2;s=a\n")
	write("hsm/b.csv", "path,node\nHSM/B/X,ns=2;s=b\n")
	write("sim.csv", "path,node\nSIM/X,ns=2;s=c\n")
	write("hsm/a.toml", "[[asset]]\npath = \"HSM/A\"\n")
	write("hsm/b.toml", "[[asset]]\npath = \"HSM/B\"\n")
	edge := func(tags, assets string) (*Config, error) {
		t.Helper()
		write("edge.toml", "[[plc]]\nname = \"p\"\nurl = \"opc.tcp://127.0.0.1:4840\"\ntags = "+tags+
			"\n[edge]\nname = \"e\"\nbroker = \"mqtt://127.0.0.1:1883\"\nassets = "+assets+"\n")
		return Load(filepath.Join(dir, "edge.toml"))
	}
	c, err := edge(`["hsm/*.csv", "sim.csv"]`, `"hsm/*.toml"`)
	if err != nil {
		t.Fatal(err)
	}
	if p := c.PLCs[0]; len(p.Tags) != 3 || p.Tags[1].Asset != "HSM/B" || len(c.Edge.Assets) != 2 {
		t.Errorf("%+v %+v", p.Tags, c.Edge.Assets)
	}
	refused := func(tags, assets, want string) {
		t.Helper()
		if _, err := edge(tags, assets); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("tags = %s, assets = %s: %v, want %s", tags, assets, err, want)
		}
	}
	refused(`"bof/*.csv"`, `"hsm/*.toml"`, "edge.toml:4: plc[0].tags: "+dir+"/bof/*.csv matches no file")
	refused(`"hsm/[.csv"`, `"hsm/*.toml"`, "is no pattern")
	refused(`["hsm/*.csv", "hsm/b.csv"]`, `"hsm/*.toml"`, "names "+dir+"/hsm/b.csv twice")
	refused(`7`, `"hsm/*.toml"`, "plc[0].tags: is a whole number, allowed is a file, a pattern")
	refused(`"hsm/*.csv"`, `"hsm/c.toml"`, "edge.assets: "+dir+"/hsm/c.toml: no such file")
	refused(`"hsm"`, `"hsm/*.toml"`, "is a folder")
}

// A plant has classes of its own in files: new ones, and its own of a name that
// ships, which then also stands in what includes it.
func TestOwnClasses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edge := func(keys string) (*Config, error) {
		t.Helper()
		write("edge.toml", "[[plc]]\nname = \"p\"\nurl = \"opc.tcp://127.0.0.1:4840\"\ntags = \"tags.csv\"\n"+
			"[edge]\nname = \"e\"\nbroker = \"mqtt://127.0.0.1:1883\"\nassets = \"assets.toml\"\n"+keys)
		return Load(filepath.Join(dir, "edge.toml"))
	}
	write("tags.csv", "path,node,unit\nA/P/BRG_T,ns=2;s=a,°C\nA/M/T,ns=2;s=b,°C\n")
	write("assets.toml", "[[asset]]\npath = \"A/P\"\nclass = \"peeler\"\nlimits = \"class\"\n[[asset]]\npath = \"A/M\"\nclass = \"fan\"\n")
	const peeler = "[class]\ntitle = \"Bar peeler\"\nvibration = \"none applies\"\nincludes = [\"fan\"]\n" +
		"[[class.tag]]\nname = \"BRG_T\"\nunit = \"°C\"\ndescription = \"Bearing\"\n" +
		"[[class.limit]]\ntag = \"BRG_T\"\nunit = \"°C\"\nkind = \"high\"\nvalue = 71\nbasis = \"our book\"\nsource = \"judgement\"\nauthor = \"A\"\ndate = \"2026-03-31\"\n"
	const fan = "[class]\ntitle = \"Fan\"\nvibration = \"none applies\"\n[[class.mode]]\nname = \"dust\"\ntitle = \"Dust\"\n[[class.mode.symptom]]\ntag = \"T\"\n"
	if _, err := edge(""); err == nil || !strings.Contains(err.Error(), `"peeler" is no class of the library`) {
		t.Errorf("%v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "classes"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("classes/peeler.toml", peeler)
	write("classes/fan.toml", fan)
	c, err := edge("classes = \"classes/*.toml\"\n[broker]\n[historian]\n[hmi]\nclasses = \"classes/*.toml\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if l := c.Edge.Assets[0].Limits; len(l) != 1 || l[0].Value != 71 || l[0].Basis != "class peeler: our book" {
		t.Errorf("%+v", l)
	}
	l, err := Classes(c.HMI.ClassFiles...)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"peeler", "fan"} {
		if p := l.Find(name); p == nil || p.Mode("dust") == nil || p.Mode("unbalance") != nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if l.Find("turbo-blower") == nil {
		t.Error("classes that ship are gone")
	}
	// They are files of the process, which a spare takes over.
	if n := len(c.Files); n != 6 {
		t.Errorf("%+v", c.Files)
	}

	write("classes/fan.toml", strings.Replace(fan, "title = \"Fan\"", "titel = \"Fan\"", 1))
	write("peeler.toml", peeler)
	for _, k := range []struct{ keys, want string }{
		{"classes = \"classes/*.toml\"\n", "classes/fan.toml:2: class.titel: unknown key"},
		{"[broker]\n[historian]\n[hmi]\nclasses = \"classes/*.toml\"\n", "classes/fan.toml:2: class.titel: unknown key"},
		{"classes = [\"classes/peeler.toml\", \"peeler.toml\"]\n", "two files are called peeler.toml"},
		{"classes = \"none.toml\"\n", "edge.classes: "},
	} {
		if _, err := edge(k.keys); err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%s%v\nlacks %s", k.keys, err, k.want)
		}
	}
}
