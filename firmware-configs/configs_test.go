package configs_test

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	_ "time/tzdata"

	configs "millwright/firmware-configs"
	"millwright/plant"
	"millwright/plant/config"
)

// Every process file that ships is one that Load accepts.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("examples/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		if filepath.Base(f) == "assets.toml" {
			continue // read with the edge that names it
		}
		n++
		if _, err := config.Load(f); err != nil {
			t.Errorf("%v", err)
		}
	}
	if n < 2 {
		t.Errorf("%d process files, want an edge and a plant at least", n)
	}
	edge, err := config.Load("examples/edge.toml")
	if err != nil {
		t.Fatal(err)
	}
	works, err := config.Load("examples/plant.toml")
	if err != nil {
		t.Fatal(err)
	}
	if bare := config.Unsourced(edge.Edge.Assets); len(bare) > 0 {
		t.Errorf("examples show how it is done: %q", bare)
	}
	if b := edge.Edge.Access.Brokers; !slices.Equal(b, []string{"mqtt://" + works.Broker.Listen}) {
		t.Errorf("the edge looks for %s, the broker listens on %s", b, works.Broker.Listen)
	}
	if edge.Edge.PrimaryHost != works.Historian.HostID {
		t.Errorf("the edge waits for host %q, the historian is %q", edge.Edge.PrimaryHost, works.Historian.HostID)
	}
	if edge.PLCs[0].URL != edge.Simulator.Listen || edge.Edge.Speed != edge.Simulator.Speed {
		t.Error("the edge does not fit its simulator")
	}
	demo := map[string]plant.Tag{}
	for _, tag := range demoTags(t) {
		demo[tag.Path] = tag
	}
	for _, tag := range edge.PLCs[0].Tags {
		if d, ok := demo[tag.Path]; !ok || d.Node != tag.Node || d.Unit != tag.Unit {
			t.Errorf("%s is not the tag of the simulated mill", tag.Path)
		}
	}
}

// Every asset and every tag of the reference works belongs to one of its edges,
// and the processes fit each other.
func TestReference(t *testing.T) {
	plantSide, err := config.Load("reference/plant.toml")
	if err != nil {
		t.Fatal(err)
	}
	edges, err := filepath.Glob("reference/edge-*.toml")
	if err != nil {
		t.Fatal(err)
	}
	tags, assets, names := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range edges {
		c, err := config.Load(f)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if names[c.Edge.Name] || !slices.Equal(c.Edge.Access.Brokers, []string{"mqtt://" + plantSide.Broker.Listen}) || c.PLCs[0].URL != plantSide.Simulator.Listen {
			t.Errorf("%s does not fit: %s, %s, %s", f, c.Edge.Name, c.Edge.Access.Brokers, c.PLCs[0].URL)
		}
		names[c.Edge.Name] = true
		for _, tag := range c.PLCs[0].Tags {
			if tags[tag.Path] {
				t.Errorf("%s belongs to two edges", tag.Path)
			}
			tags[tag.Path] = true
		}
		for _, a := range c.Edge.Assets {
			assets[a.Path] = true
		}
	}
	files, err := fs.Sub(configs.Reference, "reference")
	if err != nil {
		t.Fatal(err)
	}
	allTags, allAssets, err := config.ParseWorks(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range allTags {
		if !tags[tag.Path] {
			t.Errorf("no edge reads %s", tag.Path)
		}
	}
	for _, a := range allAssets {
		if !assets[a.Path] {
			t.Errorf("no edge judges %s", a.Path)
		}
	}
}

// Every option of notify.toml, too, is one that Load knows: with the options
// turned on and the files that they name, it has all that there is.
func TestNotify(t *testing.T) {
	src, err := os.ReadFile("examples/notify.toml")
	if err != nil {
		t.Fatal(err)
	}
	option := regexp.MustCompile(`(?m)^#(\w)`)
	if n := len(option.FindAll(src, -1)); n != 7 {
		t.Errorf("%d options", n)
	}
	src = option.ReplaceAll(src, []byte("$1"))
	src = bytes.Replace(src, []byte(`starttls = "opportunistic"`), []byte(`starttls = "require"`), 1)
	dir := t.TempDir()
	for name, content := range map[string]string{"notify.toml": string(src), "mail.password": "a", "ntfy.token": "b", "work-orders.secret": "c", "works-ca.pem": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "notify.toml"))
	if err != nil {
		t.Fatal(err)
	}
	n := c.Notify
	if n.Mail.Password != "a" || n.Mail.CA == "" || n.Ntfy.Token != "b" || n.Ntfy.CA == "" || n.SMS.Spool != "/var/spool/sms" || !n.SMS.Replies ||
		len(n.Webhooks) != 1 || n.Webhooks[0].Secret != "c" || n.Webhooks[0].CA == "" {
		t.Errorf("%+v", n)
	}
}

func demoTags(t *testing.T) []plant.Tag {
	t.Helper()
	b, err := configs.Demo.ReadFile("demo/tags.csv")
	if err != nil {
		t.Fatal(err)
	}
	tags, err := config.ParseTags("demo/tags.csv", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return tags
}

func TestDemo(t *testing.T) {
	tags := demoTags(t)
	b, err := configs.Demo.ReadFile("demo/assets.toml")
	if err != nil {
		t.Fatal(err)
	}
	assets, err := config.ParseAssets("demo/assets.toml", bytes.NewReader(b), tags)
	if err != nil {
		t.Fatal(err)
	}
	if len(assets) != 3 || len(tags) < 60 || len(tags) > 100 {
		t.Errorf("%d assets, %d tags", len(assets), len(tags))
	}
	for _, a := range assets {
		if len(a.Limits) == 0 || a.Model.Learn == 0 {
			t.Errorf("%s has no limits or does not learn", a.Path)
		}
		for _, l := range a.Limits {
			if l.Basis == "" {
				t.Errorf("the %s limit of %s does not say where it comes from", l.Kind, l.Tag)
			}
		}
	}
	for _, tag := range tags {
		if tag.Kind != plant.Text && tag.Description == "" {
			t.Errorf("%s says nothing of itself", tag.Path)
		}
	}
}

// readUnit reads a systemd unit: section, key, values in order.
func readUnit(t *testing.T, path string) map[string]map[string][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unit := map[string]map[string][]string{}
	section := ""
	s := bufio.NewScanner(f)
	for n := 1; s.Scan(); n++ {
		line := s.Text()
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && line[len(line)-1] == ']':
			section = line[1 : len(line)-1]
			unit[section] = map[string][]string{}
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == "" || key != strings.TrimSpace(key) || value != strings.TrimSpace(value) {
				t.Fatalf("%s:%d: %q is no line of a unit", path, n, line)
			}
			unit[section][key] = append(unit[section][key], value)
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return unit
}

func TestUnits(t *testing.T) {
	for _, role := range []string{"edge", "plant"} {
		path := "systemd/millwright-" + role + ".service"
		u := readUnit(t, path)
		for _, section := range []string{"Unit", "Service", "Install"} {
			if u[section] == nil {
				t.Fatalf("%s lacks [%s]", path, section)
			}
			for key, values := range u[section] {
				if len(values) != 1 {
					t.Errorf("%s: %s stands there %d times", path, key, len(values))
				}
			}
		}
		want := map[string]string{
			"Type":            "exec",
			"ExecStart":       "/usr/local/bin/millwright run -c /etc/millwright/" + role + ".toml",
			"Restart":         "always",
			"StateDirectory":  "millwright-" + role,
			"ProtectSystem":   "strict",
			"NoNewPrivileges": "yes",
			"User":            "millwright",
		}
		for key, value := range want {
			if !slices.Equal(u["Service"][key], []string{value}) {
				t.Errorf("%s: %s=%s, want %s", path, key, u["Service"][key], value)
			}
		}
		for _, key := range []string{"MemoryMax", "Environment", "CapabilityBoundingSet", "SystemCallFilter", "PrivateTmp", "ProtectHome"} {
			if u["Service"][key] == nil {
				t.Errorf("%s lacks %s", path, key)
			}
		}
		if u["Install"]["WantedBy"] == nil || !slices.Equal(u["Unit"]["StartLimitIntervalSec"], []string{"0"}) {
			t.Errorf("%s is not started at boot for ever", path)
		}
	}
}
