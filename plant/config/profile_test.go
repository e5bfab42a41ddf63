package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	configs "millwright/firmware-configs"
	"millwright/plant"
)

// Every profile that ships is one that can be read, and says of each figure where
// it comes from.
func TestProfiles(t *testing.T) {
	files, err := configs.PLC.ReadDir("plc")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, err := readProfile("plc/" + f.Name()); err != nil {
			t.Error(err)
		}
	}
	all := map[string]Profile{}
	for _, p := range Profiles() {
		all[p.Name] = p
		if p.Title == "" || len(p.Trust) == 0 || p.Batch == 0 || p.Requests == 0 || p.Connects == 0 {
			t.Errorf("%s lacks what every profile has: %+v", p.Name, p)
		}
		if p.Name != Generic && len(p.Products) == 0 {
			t.Errorf("%s knows no server when it sees it", p.Name)
		}
	}
	for _, name := range []string{"generic", "siemens-s7-1200", "siemens-s7-1500", "kepware", "ignition", "prosys"} {
		if _, ok := all[name]; !ok {
			t.Errorf("no profile %s", name)
		}
	}
	if len(all) != len(files) {
		t.Errorf("%d of %d profiles", len(all), len(files))
	}
	small := all["siemens-s7-1200"]
	if small.Tags != 1000 || small.Batch != 100 || small.Sampling != 100*time.Millisecond || !small.OneByOne || !small.NoHistory || small.Sources["tags"] == "" {
		t.Errorf("%+v", small)
	}
	if all[Generic].NoHistory || all[Generic].Tags != 0 {
		t.Errorf("%+v", all[Generic])
	}
	f := func(maker, product, want string) {
		t.Helper()
		if got := ProfileOf(maker, product).Name; got != want {
			t.Errorf("%s %s: %s, want %s", maker, product, got, want)
		}
	}
	f("Siemens AG", "SIMATIC S7-1500", "siemens-s7-1500")
	f("Siemens AG", "S7-1200", "siemens-s7-1200")
	f("Kepware", "KEPServerEX", "kepware")
	f("Inductive Automation", "Ignition OPC UA Server", "ignition")
	f("Sterfive", "NodeOPCUA-Server", Generic)
	f("", "", Generic)
}

// TestBudget: what a PLC bears is its profile's, unless the file says otherwise,
// and more tags or faster ones are named when the file is checked.
func TestBudget(t *testing.T) {
	dir := t.TempDir()
	load := func(tags int, sampling, plc string) (*Config, error) {
		t.Helper()
		var csv strings.Builder
		csv.WriteString("path,node,sampling\n")
		for i := range tags {
			fmt.Fprintf(&csv, "A/T%d,ns=2;i=%d,%s\n", i, i+1, sampling)
		}
		file := filepath.Join(dir, "edge.toml")
		text := "[[plc]]\nname = \"p\"\nurl = \"opc.tcp://127.0.0.1:4840\"\ntags = \"t.csv\"\n" + plc + "\n[edge]\nname = \"e\"\nbroker = \"mqtt://b:1883\"\n"
		for name, b := range map[string]string{"t.csv": csv.String(), "edge.toml": text} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return Load(file)
	}
	refused := func(what string, err error, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %q", what, err, part)
			}
		}
	}
	c, err := load(1001, "", "")
	if err != nil || c.PLCs[0].Profile.Name != Generic || c.PLCs[0].Budget.Batch != 1000 {
		t.Errorf("generic: %v", err)
	}
	_, err = load(1001, "", `profile = "siemens-s7-1200"`)
	refused("too many", err, "edge.toml:4: plc[0].tags: 1001 tags, the budget of this PLC (profile siemens-s7-1200) is 1000", "10010 values/s are asked for", "is 1000: sample more slowly")
	_, err = load(500, "1s", `profile = "siemens-s7-1200"`)
	refused("fits", err)
	if err != nil {
		t.Error(err)
	}
	// What is faster than the floor is asked for at the floor, and counts so.
	if _, err = load(100, "10ms", `profile = "siemens-s7-1200"`); err != nil {
		t.Error(err)
	}
	_, err = load(101, "10ms", `profile = "siemens-s7-1200"`)
	refused("too fast", err, "1010 values/s are asked for")
	// Fields of one structure are one item.
	fields := make([]plant.Tag, 1500)
	for i := range fields {
		fields[i] = plant.Tag{Path: fmt.Sprint("F", i), Node: fmt.Sprintf("ns=2;i=%d", i/2), Field: fmt.Sprint("x", i), Sampling: time.Second}
	}
	if items, rate := small(t).Load(fields); items != 750 || rate != 750 {
		t.Errorf("%d items, %v values/s", items, rate)
	}
	c, err = load(1001, "1s", "profile = \"siemens-s7-1200\"\n[plc.budget]\ntags = 2000\nvalues_s = 1500\none_by_one = false\nhistory = true\nsampling = \"50ms\"\nsessions = 4")
	if err != nil {
		t.Fatal(err)
	}
	if b := c.PLCs[0].Budget; b.Tags != 2000 || b.Values != 1500 || b.OneByOne || b.NoHistory || b.Sampling != 50*time.Millisecond || b.Requests != 5 || b.Sessions != 4 || small(t).Sessions != 10 {
		t.Errorf("%+v", b)
	}
	_, err = load(1, "", "profile = \"siemens\"")
	refused("unknown", err, `plc[0].profile: "siemens", allowed are generic, ignition, kepware, prosys, siemens-s7-1200, siemens-s7-1500`)
	_, err = load(1, "", "[plc.budget]\nclients = 2\nrequests_s = 0")
	refused("keys", err, "plc[0].budget.clients: unknown key, allowed are batch, connects_min, history, one_by_one, publishing, requests_s, sampling, sessions, tags, values_s", "requests_s: 0, allowed is 1 to")
}

func small(t *testing.T) plant.Budget {
	t.Helper()
	p, err := readProfile("plc/siemens-s7-1200.toml")
	if err != nil {
		t.Fatal(err)
	}
	return p.Budget
}
