package simulator

import (
	"fmt"
	"math"
	"regexp"
	"testing"
	"time"

	"millwright/simulator/machine"
)

// A natural fault grows with what its machine carries: the severity is the same
// at every step of the simulation, but for the coil more or less that the step
// lets the mill roll in an hour, and another one with another seed.
func TestNaturalFault(t *testing.T) {
	long(t)
	run := func(step time.Duration, seed uint64) (severity float64, notes []Truth) {
		m := millAt(t, step, seed, 1)
		f := Fault{Asset: "HSM/DSC/P1", Name: "bearing-outer", Severity: 1, Offset: time.Minute, Growth: 20 * 24 * time.Hour, Natural: true}
		if err := m.Inject(f); err != nil {
			t.Fatal(err)
		}
		for m.Now() < time.Hour {
			m.Step()
		}
		return m.fault(&f).Severity, m.Truth(nil)
	}
	want, notes := run(millStep, 4)
	coarser, _ := run(coarse, 4)
	within(t, "severity at the coarse step", coarser, want, 0.001)
	if other, _ := run(coarse, 5); math.Abs(other/want-1) < 1e-3 {
		t.Errorf("two seeds grow alike: %v", other)
	}
	if len(notes) != 1 || notes[0].PlantTime != time.Minute || notes[0].Severity != onset {
		t.Errorf("ledger %+v", notes)
	}
	if want == onset || want < onset*0.9 || want > onset*1.1 {
		t.Errorf("severity %v after an hour of twenty days", want)
	}
}

// What wears evenly does so from its onset to the end.
func TestEvenCourse(t *testing.T) {
	f := Fault{Severity: 0.52, Growth: 10 * time.Minute, course: machine.Even}
	within(t, "at once", f.At(0), onset, 1e-12)
	within(t, "half way", f.At(5*time.Minute), 0.27, 1e-12)
	within(t, "at the end", f.At(time.Hour), 0.52, 1e-12)
}

// A repair heals what is there and leaves what is planned; it may break something
// else, with the probability that it is given.
func TestPlannedRepair(t *testing.T) {
	long(t)
	const asset = "HSM/DSC/P1"
	introduced := 0
	const n = 8
	for seed := range uint64(n) {
		m := millAt(t, coarse, seed, 1, asset+":cavitation@10s+20s", asset+":stuck=FLOW@10s", asset+":wear-rings@2m+20s")
		bad := Fault{Asset: asset, Name: "bearing-outer", Severity: 0.3}
		if err := m.PlanRepair(Repair{Asset: asset, At: time.Minute, Introduces: &bad, Chance: 0.5}); err != nil {
			t.Fatal(err)
		}
		for m.Now() < 3*time.Minute {
			m.Step()
			if m.Now() == time.Minute+m.StepTime() && !m.breaking.sorted {
				t.Error("what a repair introduces has all that is planned sorted anew")
			}
		}
		got := map[string]float64{}
		healed := 0
		for _, n := range m.Truth(nil) {
			got[n.Fault] = n.Severity
			if n.Severity == 0 {
				healed++
				if n.PlantTime != time.Minute {
					t.Errorf("%s is healed at %v", n.Fault, n.PlantTime)
				}
			}
		}
		if healed != 2 || got["cavitation"] != 0 || got["stuck=FLOW"] != 0 || got["wear-rings"] != 1 {
			t.Errorf("the ledger ends with %v", got)
		}
		if m.fault(&Fault{Asset: asset, Name: "cavitation"}).Severity != 0 {
			t.Error("it cavitates still")
		}
		if got["bearing-outer"] == 0.3 {
			introduced++
		}
	}
	if introduced < 1 || introduced > n-1 {
		t.Errorf("%d of %d repairs broke something, at a chance of a half", introduced, n)
	}
	m := mill(t, 1, 1)
	bad := func(r Repair, want string) {
		t.Helper()
		if err := m.PlanRepair(r); err == nil || !contains(err, want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
	bad(Repair{Asset: "X"}, "this works has no asset X")
	bad(Repair{Asset: asset, Introduces: &Fault{Asset: asset, Name: "rust", Severity: 1}, Chance: 1}, `has no fault "rust"`)
	bad(Repair{Asset: asset, Introduces: &Fault{Asset: asset, Name: "cavitation", Severity: 1}}, "chance 0")
	bad(Repair{Asset: asset, Introduces: &Fault{Asset: "BOF/C1/FAN", Name: "dust", Severity: 1}, Chance: 1}, "one of the asset itself")
}

// Every fault has a code, where the library of faults has one for it, words for people, and a time in which it
// grows unless it is there at once; no asset has two of one name.
func TestFaults(t *testing.T) {
	seen := map[string]bool{}
	codes := map[string]bool{}
	for _, f := range Faults() {
		name := f.Asset + ":" + f.Name
		if seen[name] {
			t.Errorf("%s stands there twice", name)
		}
		seen[name], codes[f.Code] = true, true
		if !regexp.MustCompile(`^([A-Z][1-9][0-9]?)?$`).MatchString(f.Code) || f.About == "" {
			t.Errorf("%s has the code %q and says %q", name, f.Code, f.About)
		}
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(f.Name) {
			t.Errorf("the name %q of %s: lower-case words with hyphens", f.Name, f.Asset)
		}
		if f.Course != machine.AtOnce && (f.Growth <= 0 || f.Life <= 0) {
			t.Errorf("%s grows in %v, in service in %v", name, f.Growth, f.Life)
		}
	}
	for letter, most := range map[string]int{"M": 11, "H": 3, "F": 2, "T": 4, "P": 1, "E": 1, "S": 10} {
		for i := 1; i <= most; i++ {
			if !codes[fmt.Sprint(letter, i)] {
				t.Errorf("no fault has the code %s%d", letter, i)
			}
		}
	}
}

// The same fault twice is one in the ledger, as bad as the worse of the two: it
// never gets better before it is repaired, once.
func TestSameFaultTwice(t *testing.T) {
	const asset = "HSM/DSC/P1"
	m := millAt(t, coarse, 1, 1, asset+":wear-rings:0.6@10s+60s", asset+":wear-rings:0.9@40s+2m", asset+":drift=FLOW:0.8@20s+30s", asset+":drift=FLOW:0.3@30s+10s")
	for m.Now() < 4*time.Minute {
		m.Step()
	}
	m.Repair(asset)
	last, healed := map[string]float64{}, map[string]int{}
	for _, n := range m.Truth(nil) {
		if n.Severity == 0 {
			healed[n.Fault]++
		} else if n.Severity < last[n.Fault] || healed[n.Fault] > 0 {
			t.Errorf("%s goes from %v to %v at %v", n.Fault, last[n.Fault], n.Severity, n.PlantTime)
		}
		last[n.Fault] = max(last[n.Fault], n.Severity)
	}
	if last["wear-rings"] != 0.9 || last["drift=FLOW"] != 0.8 || healed["wear-rings"] != 1 || healed["drift=FLOW"] != 1 {
		t.Errorf("worst %v, repaired %v times", last, healed)
	}
}
