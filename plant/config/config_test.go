package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

var update = flag.Bool("update", false, "write the golden files")

// Every testdata/*.bad.* has the faults that the .want file beside it names.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		var err error
		switch filepath.Ext(file) {
		case ".toml":
			_, err = Load(file)
		case ".csv":
			f, openErr := os.Open(file)
			if openErr != nil {
				t.Fatal(openErr)
			}
			_, err = ParseTags(file, f)
			f.Close()
		default:
			continue
		}
		n++
		if err == nil {
			t.Errorf("%s was accepted", file)
			continue
		}
		got := filepath.ToSlash(err.Error()) + "\n"
		golden := file + ".want"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s:\n got:\n%s want:\n%s", file, got, want)
		}
	}
	if n < 8 {
		t.Errorf("only %d bad files were found", n)
	}
}

func TestLoad(t *testing.T) {
	c, err := Load("testdata/good.toml")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.PLCs) != 1 || c.Edge == nil || c.Broker != nil || c.Historian != nil || c.HMI != nil || c.Simulator != nil {
		t.Fatalf("roles: %+v", c)
	}
	p := c.PLCs[0]
	if p.SecurityMode != "SignAndEncrypt" || p.Publishing != 250*time.Millisecond || !p.Conditions || p.ConditionSeverity != 401 || len(p.Tags) != 4 {
		t.Errorf("plc: %+v", p)
	}
	speed := plant.Tag{Path: "HSM/FM/F3/GBX/SPEED", Asset: "HSM/FM/F3/GBX", Node: "ns=2;s=F3.Speed", Unit: "r/min",
		Description: "Motor speed, measured", Kind: plant.Analog, High: 300, Resolution: 0.1,
		Sampling: 100 * time.Millisecond, Queue: 20, Trigger: plant.TriggerStatusValue, Discard: plant.DiscardOldest}
	if !reflect.DeepEqual(p.Tags[0], speed) {
		t.Errorf("tag: %+v", p.Tags[0])
	}
	if !p.Tags[1].Cyclic || p.Tags[2].Kind != plant.Text || p.Tags[3].Asset != "HSM/FM/F3" {
		t.Errorf("tags: %+v", p.Tags)
	}
	if c.Edge.Data != "testdata/data/edge" || c.Edge.QueueMax != 4<<30 || c.Edge.Reserve != 300e6 || c.Edge.PrimaryHost != "millwright" || c.Edge.Speed != 1 {
		t.Errorf("edge: %+v", c.Edge)
	}
	want := []plant.Asset{{Path: "HSM/FM/F3/GBX", Name: "Finishing stand F3 gearbox", Class: "gearbox", Criticality: "A",
		Settle: 5 * time.Second,
		Modes: []plant.Mode{{Name: "rolling", When: []plant.Condition{
			{Tag: "HSM/FM/F3/GBX/SPEED", Op: ">", Value: 50}, {Tag: "HSM/FM/F3/GBX/VIB_H", Op: ">=", Value: 0}}}, {Name: "idle", Idle: true}},
		Limits: []plant.Limit{
			{Tag: "HSM/FM/F3/GBX/VIB_H", Kind: plant.LimitHigh, Value: 4.5, Deadband: 0.2, Delay: 10 * time.Second,
				Modes: []string{"rolling"}, Priority: 2, Basis: "ISO 20816-3, zone B/C"},
			{Tag: "HSM/FM/F3/GBX/VIB_H", Kind: plant.LimitHighHigh, Value: 7.1, Priority: 1}},
		Model: plant.Model{Learn: 14 * 24 * time.Hour, Window: 20}}}
	if !reflect.DeepEqual(c.Edge.Assets, want) {
		t.Errorf("assets:\n%+v\nwant\n%+v", c.Edge.Assets, want)
	}
}

func TestLoadMissing(t *testing.T) {
	_, err := Load("testdata/none.toml")
	if err == nil || err.Error() != "testdata/none.toml: no such file or directory" {
		t.Errorf("%v", err)
	}
	if _, ok := errors.AsType[Faults](err); !ok {
		t.Errorf("%T", err)
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "plant.toml")
	put("plant.toml", `
[broker]
users = "users"
listen = "0.0.0.0:1883"
[historian]
broker_user = "historian"
broker_password_file = "password"
`, 0o600)
	put("users", "the broker's own", 0o600)
	put("password", "a:b\n", 0o640)
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Historian.Access.PasswordFile != filepath.Join(dir, "password") || c.Broker.UsersFile != filepath.Join(dir, "users") {
		t.Errorf("historian %+v broker %+v", c.Historian, c.Broker)
	}
	if len(c.Historian.Access.Brokers) > 0 {
		t.Errorf("broker URL %q, want none beside a broker", c.Historian.Access.Brokers)
	}

	if f := c.Fault("broker.users", "is %s", "odd"); f.String() != file+":3: broker.users: is odd" {
		t.Errorf("fault of a caller: %s", f)
	}

	for _, name := range []string{"users", "password"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err = Load(file)
	for _, want := range []string{
		"plant.toml:3: broker.users: " + filepath.Join(dir, "users") + " can be read by everybody (mode 0644), allowed is mode 0600 or 0640",
		"plant.toml:7: historian.broker_password_file: " + filepath.Join(dir, "password") + " can be read by everybody (mode 0644), allowed is mode 0600 or 0640",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
	if c == nil || c.Broker == nil {
		t.Error("with faults comes what could be read")
	}

	put("plant.toml", "[broker]\nusers = \"\"\nlisten = \"0.0.0.0:1883\"\n", 0o600)
	if _, err = Load(file); err == nil || !strings.Contains(err.Error(), "plant.toml:2: broker.users: is missing, a broker that listens on 0.0.0.0:1883 needs users") {
		t.Errorf("no users on the network: %v", err)
	}
}

// The simulator's users stand in lines name:password.
func TestSimulatorUsers(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "sim.toml")
	put("sim.toml", "[simulator]\nusers = \"users\"\n")
	put("users", "# accounts\nreader:a:b\n\nother:c\n")
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Simulator.Users) != 2 || c.Simulator.Users["reader"] != "a:b" {
		t.Errorf("users %v", c.Simulator.Users)
	}
	put("users", "edge1\nedge 2:x\na:b\na:c\n")
	_, err = Load(file)
	for _, want := range []string{
		"users:1: allowed is name:password",
		`users:2: "edge 2" holds ' '`,
		"users:4: the user a stands here twice",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
}

func TestUnits(t *testing.T) {
	d := func(s string, want time.Duration) {
		t.Helper()
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("%s read as %v, %v", s, got, err)
		}
	}
	d("100ms", 100*time.Millisecond)
	d("1h30m", 90*time.Minute)
	d("1.5d", 36*time.Hour)
	b := func(s string, want int64) {
		t.Helper()
		if got, err := ParseSize(s); err != nil || got != want {
			t.Errorf("%s read as %v, %v", s, got, err)
		}
	}
	b("4GB", 4e9)
	b("4 GiB", 4<<30)
	b("1.5kB", 1500)
	b("17", 17)
	for _, s := range []string{"", "d", "1", "GB", "-1GB", "1e30GB", "NaN"} {
		if _, err := ParseSize(s); err == nil && s != "1" {
			t.Errorf("size %q was read", s)
		}
		if _, err := ParseDuration(s); err == nil {
			t.Errorf("duration %q was read", s)
		}
	}
}

// TestTagValues: how the values of a tag are taken.
func TestTagValues(t *testing.T) {
	tags, err := ParseTags("t.csv", strings.NewReader("path,node,discard,deadband,scale,offset\n"+
		"A/T1,ns=1;s=a,newest,0.5,0.1,-40\nA/T2,ns=1;s=b,,2 %,,\nA/T3,ns=1;s=c,,0,-1,\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []plant.Tag{
		{Discard: plant.DiscardNewest, Deadband: 0.5, Scale: 0.1, Offset: -40},
		{Discard: plant.DiscardOldest, Deadband: 2, DeadbandPercent: true},
		{Discard: plant.DiscardOldest, Scale: -1}} {
		got := tags[i]
		want.Path, want.Node, want.Asset, want.Kind, want.Trigger = got.Path, got.Node, got.Asset, plant.Analog, plant.TriggerStatusValue
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}
