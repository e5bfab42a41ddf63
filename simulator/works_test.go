package simulator

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/plant"
	"millwright/plant/config"
	"millwright/simulator/machine"
	"millwright/simulator/server"
)

// reference is the whole works, which every test may step but none may change.
func reference(t testing.TB) Works {
	t.Helper()
	w, err := Reference()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Every sensor of the reference works has its tag and every tag what moves it.
func TestReferenceIsWired(t *testing.T) {
	w := reference(t)
	m, err := NewMill(w, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(m.channels)+len(m.points), len(w.Tags); got != want {
		t.Errorf("%d channels and accelerometers for %d tags", got, want)
	}
	const gone = "HSM/FM/F3/GBX/OIL_T"
	w.Tags = slices.DeleteFunc(w.Tags, func(tag plant.Tag) bool { return tag.Path == gone })
	w.Tags = append(w.Tags, plant.Tag{Path: "HSM/FM/F3/GBX/NONSENSE", Asset: "HSM/FM/F3/GBX"})
	_, err = NewMill(w, 1, 1)
	if err == nil || !strings.Contains(err.Error(), "HSM/FM/F3/GBX/NONSENSE has no sensor") || !strings.Contains(err.Error(), gone+" has no tag") {
		t.Errorf("a works with a tag too many and one too few: %v", err)
	}
}

func TestNamed(t *testing.T) {
	for _, name := range []string{"demo", "reference"} {
		if w, err := Named(name); err != nil || len(w.Tags) == 0 || len(w.Assets) == 0 {
			t.Errorf("%s: %d tags, %d assets, %v", name, len(w.Tags), len(w.Assets), err)
		}
	}
	if _, err := Named("moon"); err == nil || !strings.Contains(err.Error(), "demo and reference") {
		t.Error(err)
	}
}

// A fault of a machine that the works does not have is refused.
func TestFaultOfAnotherWorks(t *testing.T) {
	w := demo(t)
	w.Tags, w.Assets = nil, w.Assets[:1]
	for _, tag := range demo(t).Tags {
		if tag.Asset == w.Assets[0].Path {
			w.Tags = append(w.Tags, tag)
		}
	}
	m, err := NewMill(w, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ParseFault("BOF/C1/FAN:dust@1m")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Inject(f); err == nil || !strings.Contains(err.Error(), "has no asset BOF/C1/FAN") {
		t.Error(err)
	}
}

// shallow is the part of the reference works that is not known deeply.
func shallow(t testing.TB) Works {
	t.Helper()
	w := reference(t)
	deep := map[string]bool{"SIM": true}
	for _, b := range builders() {
		deep[b.path] = true
	}
	w.Assets = slices.DeleteFunc(w.Assets, func(a plant.Asset) bool { return deep[a.Path] })
	w.Tags = slices.DeleteFunc(w.Tags, func(tag plant.Tag) bool { return deep[tag.Asset] })
	return w
}

// The reference works is about as large as it says, and says where its figures
// come from.
func TestReferenceData(t *testing.T) {
	w := reference(t)
	if len(w.Assets) < 180 || len(w.Tags) < 2000 || len(w.Tags) > 2800 {
		t.Errorf("%d assets, %d tags", len(w.Assets), len(w.Tags))
	}
	areas := map[string]bool{}
	for _, a := range w.Assets {
		area, _, _ := strings.Cut(a.Path, "/")
		areas[area] = true
		if a.Name == a.Path || a.Class == "" || a.Criticality == "" {
			t.Errorf("%s: name %q, class %q, criticality %q", a.Path, a.Name, a.Class, a.Criticality)
		}
		// Nobody has built these machines: nothing of them can be known from a maker, a
		// nameplate, a drawing or a measurement.
		source := func(what string, o plant.Origin) {
			invented := o.Source == plant.SourceEstimate || o.Source == plant.SourceJudgement || o.Source == plant.SourceStandard
			if !invented && o.Source != plant.SourceUnknown || invented && (o.Author == "" || o.Date == "") {
				t.Errorf("%s of %s: %+v", what, a.Path, o)
			}
		}
		for _, l := range a.Limits {
			source("the "+string(l.Kind)+" limit of "+l.Tag, l.Origin)
			if l.Basis == "" {
				t.Errorf("the %s limit of %s does not say where it comes from", l.Kind, l.Tag)
			}
		}
		if len(a.Limits) == 0 && slices.ContainsFunc(w.Tags, func(tag plant.Tag) bool { return tag.Asset == a.Path && tag.Kind == plant.Analog }) {
			t.Errorf("%s has measurements and no limit", a.Path)
		}
		for _, b := range a.Bearings {
			source("the bearing "+b.Position, b.Origin)
		}
		for _, g := range a.Gears {
			source("the gear "+g.Stage, g.Origin)
		}
		if a.Nameplate != nil {
			source("the nameplate", a.Nameplate.Origin)
		}
	}
	for _, area := range []string{"COK", "SIN", "BF", "BOF", "CC", "HSM", "CM", "GAL", "OXY", "PWR", "WAT", "UTL"} {
		if !areas[area] {
			t.Errorf("no asset in %s", area)
		}
	}
	library, err := config.Classes()
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range config.Undersampled(w.Assets, w.Tags, library) {
		t.Error(what)
	}
	for _, tag := range w.Tags {
		// What is measured has a rate; texts, states and bursts come when they change.
		if measured := tag.Kind == plant.Analog || tag.Kind == plant.SetPoint; measured != (tag.Sampling > 0) {
			t.Errorf("%s, %s, is sampled every %v", tag.Path, tag.Kind, tag.Sampling)
		}
		if tag.Description == "" || tag.Kind == plant.Analog && (tag.Low >= tag.High || tag.Resolution == 0) {
			t.Errorf("%s: %q, %v to %v in steps of %v", tag.Path, tag.Description, tag.Low, tag.High, tag.Resolution)
		}
	}
}

// Every fault that a machine can have is a failure mode of the class of its asset, so
// that a diagnosis can name it, and a tag of the machine shows a symptom of it.
func TestFaultsAreModes(t *testing.T) {
	library, err := config.Classes()
	if err != nil {
		t.Fatal(err)
	}
	w, n := reference(t), 0
	for _, f := range Faults() {
		if f.Asset == "" {
			continue
		}
		n++
		i := slices.IndexFunc(w.Assets, func(a plant.Asset) bool { return a.Path == f.Asset })
		mode := library.Find(w.Assets[i].Class).Mode(f.Name)
		if mode == nil {
			t.Errorf("%s, a %s, has no failure mode %s", f.Asset, w.Assets[i].Class, f.Name)
			continue
		}
		symptoms := mode.Symptoms
		if mode.Of != "" {
			symptoms = slices.Concat(symptoms, library.Find(w.Assets[i].Class).Mode(mode.Of).Symptoms)
		}
		if !slices.ContainsFunc(symptoms, func(s plant.Symptom) bool {
			return slices.ContainsFunc(w.Tags, func(tag plant.Tag) bool { return plant.Matches(s.Tag, f.Asset, tag.Path) })
		}) {
			t.Errorf("%s has no tag that shows %s", f.Asset, f.Name)
		}
	}
	if n < 60 {
		t.Errorf("%d faults of machines", n)
	}
}

// A healthy week of what is not known deeply: values move, stay inside their
// ranges and on the steps of their sensors, and cross no limit.
func TestShallowWeek(t *testing.T) {
	long(t)
	const step = 2 * time.Minute
	m, err := newMill(shallow(t), 6, 1, step)
	if err != nil {
		t.Fatal(err)
	}
	type seen struct{ low, high, now float64 }
	all := make([]seen, len(m.works.Tags))
	for i := range all {
		all[i] = seen{math.Inf(1), math.Inf(-1), math.NaN()}
	}
	index := map[string]int{}
	for i, tag := range m.works.Tags {
		index[tag.Path] = i
	}
	type watch struct {
		plant.Limit
		tag  int
		over time.Duration
	}
	var limits []watch
	for _, a := range m.works.Assets {
		for _, l := range a.Limits {
			if l.Kind != plant.LimitRate { // a coarse step has none
				limits = append(limits, watch{Limit: l, tag: index[l.Tag]})
			}
		}
	}
	modes := map[string]map[string]bool{}
	var vals []server.Value
	for m.Now() < 7*24*time.Hour {
		m.Step()
		vals = m.Values(vals[:0])
		for _, v := range vals {
			tag := &m.works.Tags[v.Var]
			if tag.Kind == plant.Text {
				if modes[tag.Asset] == nil {
					modes[tag.Asset] = map[string]bool{}
				}
				modes[tag.Asset][v.Text] = true
				continue
			}
			s := &all[v.Var]
			s.low, s.high, s.now = math.Min(s.low, v.Number), math.Max(s.high, v.Number), v.Number
			if tag.Resolution > 0 {
				if n := v.Number / tag.Resolution; math.Abs(n-math.Round(n)) > 1e-6*math.Max(1, math.Abs(n)) {
					t.Fatalf("%s is %v, no multiple of %v", tag.Path, v.Number, tag.Resolution)
				}
			}
		}
		for i := range limits {
			l := &limits[i]
			x := all[l.tag].now
			if low := l.Kind == plant.LimitLow || l.Kind == plant.LimitLowLow; low && x >= l.Value || !low && x <= l.Value {
				l.over = 0
				continue
			}
			if l.over += step; l.over-step <= l.Delay && l.over > l.Delay {
				t.Fatalf("%v: %s is %v, limit %s %v", m.Now(), l.Tag, x, l.Kind, l.Value)
			}
		}
	}
	for i, tag := range m.works.Tags {
		s := all[i]
		if tag.Kind != plant.Analog {
			continue
		}
		if s.low >= s.high {
			t.Errorf("%s stands at %v", tag.Path, s.now)
		}
		if s.low <= tag.Low && tag.Low != 0 || s.high >= tag.High {
			t.Errorf("%s goes from %v to %v in a range of %v to %v", tag.Path, s.low, s.high, tag.Low, tag.High)
		}
	}
	count := map[string]int{}
	for _, seen := range modes {
		for mode := range seen {
			count[mode]++
		}
	}
	for _, mode := range []string{machine.Running, machine.Idling, machine.Standby, machine.Stopped} {
		if count[mode] < 10 {
			t.Errorf("%d assets were ever %s", count[mode], mode)
		}
	}
}

func BenchmarkShallow(b *testing.B) {
	w := shallow(b)
	m, err := newMill(w, 1, 1, time.Second)
	if err != nil {
		b.Fatal(err)
	}
	var vals []server.Value
	b.ReportAllocs()
	b.Run("machines", func(b *testing.B) {
		for b.Loop() {
			for _, mc := range m.machines {
				mc.Step(1)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(w.Tags)), "ns/tag-second")
	})
	b.Run("mill", func(b *testing.B) {
		for b.Loop() {
			m.Step()
			vals = m.Values(vals[:0])
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(w.Tags)), "ns/tag-second")
	})
}
