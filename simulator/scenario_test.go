package simulator

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/plant/config"
	"millwright/simulator/machine"
)

// once reads each works once, for tests that need them often.
func once() func(string) (Works, error) {
	known := map[string]Works{}
	return func(name string) (Works, error) {
		w, ok := known[name]
		if !ok {
			var err error
			if w, err = Named(name); err != nil {
				return w, err
			}
			known[name] = w
		}
		return w, nil
	}
}

// Every scenario that ships is one that its works can be put through.
func TestScenariosThatShip(t *testing.T) {
	files, err := filepath.Glob("../firmware-configs/scenarios/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	named := once()
	seen := map[string]bool{}
	healthy, sensors, repairs, chance := 0, 0, 0, 0
	for _, f := range files {
		s, err := readScenario(f, named)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if s.Name != strings.TrimSuffix(filepath.Base(f), ".toml") || seen[s.Name] {
			t.Errorf("%s has the name %q", f, s.Name)
		}
		seen[s.Name] = true
		if len(s.Faults) == 0 && s.Random == nil {
			healthy++
		}
		if s.Random != nil {
			chance++
		}
		repairs += min(len(s.Repairs), 1)
		for _, x := range s.Faults {
			if x.Tag != "" {
				sensors++
			}
			if x.Offset < s.Learn {
				t.Errorf("%s: %s is broken while others learn what is healthy", f, x.Asset)
			}
		}
	}
	if _, err := readScenario("testdata/two-hours.toml", named); err != nil { // see the Makefile, soak-mill
		t.Error(err)
	}
	if len(files) < 12 || healthy < 1 || sensors < 5 || repairs < 2 || chance < 1 {
		t.Errorf("%d scenarios, %d healthy ones, %d faults of sensors, %d with repairs, %d by chance", len(files), healthy, sensors, repairs, chance)
	}
}

// A bad one is refused with file, line and key, all faults at once.
func TestBadScenario(t *testing.T) {
	path, named := filepath.Join(t.TempDir(), "bad.toml"), once()
	f := func(text string, want ...string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readScenario(path, named)
		var faults config.Faults
		if !errors.As(err, &faults) {
			t.Fatalf("%q: %v", text, err)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), path+":"+w) {
				t.Errorf("want %s in\n%v", w, err)
			}
		}
		if len(faults) != len(want) {
			t.Errorf("%d faults, want %d:\n%v", len(faults), len(want), err)
		}
	}
	const head = "[scenario]\nname = \"x\"\nabout = \"y\"\nduration = \"30d\"\n" // 4 lines
	f("a = 1", "1: scenario: is missing", "1: a: unknown key")
	f("[scenario]", "1: scenario.name: is missing", "1: scenario.about: is missing", "1: scenario.duration: is missing")
	f(head+"works = \"moon\"\nstart = \"soon\"\nlearn = \"40d\"\n", "5: scenario.works: \"moon\", allowed are demo, reference",
		"6: scenario.start: \"soon\", allowed are a date", "7: scenario.learn: 960h0m0s leaves nothing")
	f(head+"[[fault]]\nasset = \"HSM/F9\"\nfault = \"dust\"\nat = \"1d\"\n[[fault]]\nasset = \"BOF/C1/FAN\"\nfault = \"rust\"\nat = \"1d\"\n",
		"6: fault[0].asset: this works has no asset HSM/F9", "11: fault[1].fault: BOF/C1/FAN has no fault \"rust\", allowed are dust")
	f(head+"[[fault]]\nasset = \"BOF/C1/FAN\"\nfault = \"stuck\"\nat = \"1d\"\n[[fault]]\nasset = \"BOF/C1/FAN\"\nfault = \"stuck\"\ntag = \"RPM\"\nat = \"1d\"\n",
		"5: fault[0].tag: is missing, stuck is a fault of a sensor", "12: fault[1].tag: BOF/C1/FAN/RPM is no measured tag")
	f(head+"[[fault]]\nasset = \"BOF/C1/FAN\"\nfault = \"swap\"\ntag = \"VIB_H\"\nat = \"1d\"\n", "5: fault[0].with: \"\" is no other measured tag")
	f(head+"[[fault]]\nasset = \"BOF/C1/FAN\"\nfault = \"wrong-unit\"\ntag = \"CO\"\nat = \"1d\"\n", "8: fault[0].tag: \"%\" has no other unit")
	f(head+"[[fault]]\nasset = \"BOF/C1/FAN\"\nfault = \"dust\"\nat = \"31d\"\nincubation = \"5d\"\nseverity = 2\n",
		"8: fault[0].at: 744h0m0s is after the end", "9: fault[0].incubation: is of no use without natural = true", "10: fault[0].severity: 2, allowed is")
	f(head+"[[repair]]\nasset = \"BOF/C1/FAN\"\nat = \"20d\"\nintroduces = \"rust\"\n[[repair]]\nasset = \"X\"\nat = \"20d\"\nchance = 0.5\n",
		"8: repair[0].introduces: BOF/C1/FAN has no fault \"rust\"", "10: repair[1].asset: this works has no asset X", "12: repair[1].chance: is of no use without introduces")
	f(head+"[[trouble]]\nkind = \"flood\"\nat = \"1d\"\n[[trouble]]\nkind = \"nan\"\nover = \"0s\"\n",
		"6: trouble[0].kind: there is no trouble \"flood\", allowed are restart", "8: trouble[1].at: is missing", "10: trouble[1].over: ")
	f(head+"[[fault]]\nat = \"1d\"\n[[repair]]\nat = \"1d\"\n[[trouble]]\nat = \"1d\"\n", "5: fault[0].asset: is missing", "5: fault[0].fault: is missing",
		"7: repair[0].asset: is missing", "9: trouble[0].kind: is missing")
	f("[scenario]\nname = \"x\"\nabout = \"y\"\nworks = \"reference\"\nduration = \"36500d\"\n[random]\nrate = 1000\nsensors = 1000\n", "7: random.rate: ")
	f(head+"[random]\nseed = 3\n", "5: random.rate: is missing or 0")
	if _, err := ReadScenario(filepath.Join(t.TempDir(), "none.toml")); err == nil || !strings.Contains(err.Error(), "none.toml: no such file") {
		t.Errorf("%v", err)
	}
}

// What a file says is what happens.
func TestScenario(t *testing.T) {
	path := filepath.Join(t.TempDir(), "story.toml")
	err := os.WriteFile(path, []byte(`
[scenario]
name = "story"
about = "one fault, one repair"
seed = 5
duration = "1h"
learn = "1m"
[[fault]]
asset = "HSM/DSC/P1"
fault = "cavitation"
severity = 0.5
at = "2m"
over = "1m"
[[fault]]
asset = "HSM/FM/F3/GBX"
fault = "drift"
tag = "OIL_T"
at = "2m"
[[repair]]
asset = "HSM/DSC/P1"
at = "4m"
introduces = "wear-rings"
severity = 0.2
[[trouble]]
kind = "restart"
at = "2m"
[[trouble]]
kind = "late"
at = "3m"
over = "30s"
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadScenario(path)
	if err != nil {
		t.Fatal(err)
	}
	if s.Seed != 5 || s.Duration != time.Hour || s.Learn != time.Minute || s.Faults[1].Growth != 30*24*time.Hour || s.Faults[1].course != machine.Even {
		t.Errorf("%+v", s)
	}
	if want := []Trouble{{"restart", 2 * time.Minute, 5 * time.Second}, {"late", 3 * time.Minute, 30 * time.Second}}; !slices.Equal(s.Trouble, want) {
		t.Errorf("trouble %v", s.Trouble)
	}
	m, err := s.Mill(s.Seed, 20)
	if err != nil {
		t.Fatal(err)
	}
	for m.Now() < 5*time.Minute {
		m.Step()
	}
	severity := map[string]float64{}
	most := 0.0
	for _, n := range m.Truth(nil) {
		severity[n.Fault] = n.Severity
		if n.Fault == "cavitation" {
			most = max(most, n.Severity)
		}
	}
	if most != 0.5 || severity["cavitation"] != 0 || severity["wear-rings"] != 0.2 || !(severity["drift=OIL_T"] > 0) {
		t.Errorf("the ledger ends with %v, cavitation was %v at most", severity, most)
	}
}

// By chance as many faults come as the rate says, of all kinds, at all machines,
// and each is mended.
func TestRandom(t *testing.T) {
	m, err := assemble(demo(t), 1, 1, millStep)
	if err != nil {
		t.Fatal(err)
	}
	r := Random{Rate: 2, Sensors: 3, Seed: 9, Until: 100 * year}
	faults, repairs := m.draw(r)
	count := map[string]int{}
	ofMachines, ofSensors := 0, 0
	mild, bad := 1.0, 0.0 // of sensors
	for _, f := range faults {
		if err := m.check(f); err != nil {
			t.Fatalf("%+v: %v", f, err)
		}
		if f.Offset < 0 || f.Offset >= r.Until {
			t.Errorf("a fault at %v", f.Offset)
		}
		if f.Tag == "" {
			ofMachines++
			count[f.Asset+f.Name]++
		} else {
			ofSensors++
			mild, bad = min(mild, f.Severity), max(bad, f.Severity)
			count[f.Name]++
		}
	}
	assetYears := float64(100 * len(m.machines))
	within(t, "faults of a machine a year", float64(ofMachines)/assetYears, 2, 0.10)
	within(t, "faults of its sensors a year", float64(ofSensors)/assetYears, 3, 0.10)
	if mild < 0.3 || mild > 0.35 || bad < 0.95 || bad > 1 {
		t.Errorf("faults of sensors are of severity %v to %v, want 0.3 to 1", mild, bad)
	}
	// The demonstration has no accelerometers, and two kinds are theirs alone: see TestRandomWorks.
	if want := 9 + int(sensorFaults) - 2; len(count) < want {
		t.Errorf("%d kinds of faults in a hundred years, want all %d but those of waveforms", len(count), want)
	}
	introduced := 0
	for _, p := range repairs {
		if err := m.checkRepair(p); err != nil {
			t.Fatal(err)
		}
		if p.Introduces != nil {
			introduced++
		}
	}
	if len(repairs) != len(faults) || introduced != 0 { // none of these machines can be out of line, see TestRandomWorks
		t.Errorf("%d repairs of %d faults, %d leave a misalignment", len(repairs), len(faults), introduced)
	}
	again, _ := m.draw(r)
	other, _ := m.draw(Random{Rate: 2, Sensors: 3, Seed: 10, Until: 100 * year})
	if again[7] != faults[7] || other[7] == faults[7] {
		t.Error("the seed does not decide")
	}
	if f, _ := m.draw(Random{Until: year}); len(f) != 0 {
		t.Error("something breaks at a rate of 0")
	}
}

// On a works with accelerometers those fail by chance, too, in every way that waveforms
// can; and of ten repairs of a machine that can be out of line one leaves it so, as
// drawn and as done.
func TestRandomWorks(t *testing.T) {
	w, err := Reference()
	if err != nil {
		t.Fatal(err)
	}
	m, err := assemble(w.Deep(), 1, 1, millStep)
	if err != nil {
		t.Fatal(err)
	}
	faults, repairs := m.draw(Random{Rate: 2, Sensors: 3, Seed: 9, Until: 100 * year})
	kinds, waves := map[string]bool{}, map[string]bool{}
	for _, f := range faults {
		if err := m.check(f); err != nil {
			t.Fatalf("%+v: %v", f, err)
		}
		if hour := m.shop.world.HourAt(f.Offset.Seconds()); strings.HasSuffix(f.Name, "-step") && math.Abs(math.Remainder(hour-6, 8)) > 1e-6 {
			t.Fatalf("%+v: nobody calibrates at %v", f, hour)
		}
		switch {
		case f.Tag == "":
		case m.point(f.Tag) != nil:
			waves[f.Name] = true
			fallthrough
		default:
			kinds[f.Name] = true
		}
	}
	if len(kinds) != int(sensorFaults) || len(waves) != 4 {
		t.Errorf("%d of %d kinds of faults of sensors in a hundred years, of waveforms %v", len(kinds), sensorFaults, waves)
	}
	bendable := map[string]bool{}
	for _, mc := range m.machines {
		bendable[mc.Path()] = slices.ContainsFunc(mc.Faults(), func(f *machine.Fault) bool { return f.Code == "M6" })
	}
	var bending []Repair
	for _, p := range repairs {
		if err := m.checkRepair(p); err != nil {
			t.Fatal(err)
		}
		if got := p.Introduces != nil; got != (p.Tag == "" && bendable[p.Asset]) {
			t.Fatalf("a repair of %s %s leaves %+v", p.Asset, p.Tag, p.Introduces)
		}
		if p.Introduces != nil {
			bending = append(bending, p)
		}
	}
	m.steps = int64(110 * year / m.step) // behind them all
	m.breaking.repairs = bending
	m.mend()
	if len(bending) < 400 {
		t.Errorf("only %d repairs in a hundred years", len(bending))
	}
	within(t, "share of the repairs that leave a misalignment", float64(len(m.breaking.due))/float64(len(bending)), 0.1, 0.3)
	for _, g := range m.breaking.due {
		if g.machine.Code != "M6" || g.Severity != 0.5 {
			t.Errorf("a repair leaves %+v", g.Fault)
		}
	}
}
