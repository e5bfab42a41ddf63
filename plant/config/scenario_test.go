package config

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestScenarioFile(t *testing.T) {
	const text = `
[scenario]
name = "x"
about = "y"
works = "reference"
seed = 7
start = 2026-06-01
duration = "30d"
learn = "14d"
[[fault]]
asset = "A"
fault = "f"
at = "16.5d"
[[fault]]
asset = "A"
fault = "g"
severity = 0.5
at = "20d"
over = "0s"
[[repair]]
asset = "A"
at = "25d"
introduces = "h"
[random]
rate = 2
`
	s, err := ParseScenario("x.toml", bytes.NewReader([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	if s.Works != "reference" || s.Seed != 7 || !s.Start.Equal(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)) || s.Learn != 14*24*time.Hour {
		t.Errorf("%+v", s)
	}
	if f := s.Faults; len(f) != 2 || f[0].At != 396*time.Hour || f[0].Over >= 0 || f[0].Severity != 1 || f[1].Over != 0 || f[1].Severity != 0.5 {
		t.Errorf("%+v", f)
	}
	if r := s.Repairs; len(r) != 1 || r[0].Introduces != "h" || r[0].Chance != 1 || r[0].Over != 0 {
		t.Errorf("%+v", r)
	}
	if s.Random == nil || s.Random.Rate != 2 || s.Random.Seed != 7 {
		t.Errorf("%+v", s.Random)
	}
	if got := s.Fault("fault[1].asset", "is wrong").String(); got != "x.toml:15: fault[1].asset: is wrong" {
		t.Error(got)
	}
	if got := s.Fault("repair[0].chance", "is wrong").String(); got != "x.toml:20: repair[0].chance: is wrong" {
		t.Error(got)
	}
	path := filepath.Join(t.TempDir(), "s.toml")
	is := func(text string, want bool) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if IsScenario(path) != want {
			t.Errorf("%q is taken for a scenario: %v", text, !want)
		}
	}
	is(text, true)
	is("[edge]\nname = \"e\"\n", false)
	is("[scenario", false)
}

func FuzzScenario(f *testing.F) {
	f.Add([]byte("[scenario]\nname = \"x\"\nduration = \"30d\"\n[[fault]]\nasset = \"A\"\nat = \"1d\"\n[[repair]]\n[random]\nrate = 1\n"))
	f.Add([]byte("scenario = 1\nfault = [1]\nrepair = {}\nrandom = \"\"\n"))
	f.Add([]byte("[scenario]\nstart = 2026-01-01T00:00:00+05:00\nduration = \"-1d\"\n[fault]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseScenario("x.toml", bytes.NewReader(b))
		if err == nil && (s == nil || s.Duration < time.Minute || s.Name == "") {
			t.Fatalf("%q is taken for %+v", b, s)
		}
	})
}
