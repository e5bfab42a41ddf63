package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"time"
)

// Scenario is what happens to a simulated works: what breaks, when and how fast,
// and when it is mended. Times are plant time since the start.
//
//	[scenario]   name, about, works, seed, start, duration, learn
//	[[fault]]    asset, fault, tag, with, severity, at, over, natural, incubation
//	[[repair]]   asset, tag, at, introduces, severity, over, chance
//	[[trouble]]  kind, at, over
//	[random]     rate, sensors, seed, over
type Scenario struct {
	File     string
	Name     string
	About    string
	Works    string // "demo", "reference"
	Seed     uint64
	Start    time.Time // the plant's date at plant time 0, its local time as UTC; zero: the simulator's own
	Duration time.Duration
	Learn    time.Duration // from the start, for who watches to learn what is healthy
	Faults   []ScenarioFault
	Repairs  []ScenarioRepair
	Troubles []ScenarioTrouble
	Random   *ScenarioRandom // nil: nothing breaks by chance

	lines map[string]int // of the keys
}

// ScenarioFault is a fault of a machine or, with a tag, of a sensor. Whether the
// works has them is for the simulator to say.
type ScenarioFault struct {
	Asset, Fault string
	Tag, With    string // below the asset
	Severity     float64
	At           time.Duration
	Over         time.Duration // from the onset to Severity, or to the failure of a natural fault; below 0: as usual
	Natural      bool          // it grows with the load of its machine, and by chance
	Incubation   time.Duration // of a natural fault: by then 63 % of such faults have begun
}

// ScenarioRepair takes all faults from an asset, or from one of its sensors.
type ScenarioRepair struct {
	Asset, Tag string
	At         time.Duration
	Introduces string // a fault that the repair leaves, empty: none
	Severity   float64
	Over       time.Duration // 0: it is there at once
	Chance     float64
}

// ScenarioTrouble is trouble with the server of the works: the works itself is well.
type ScenarioTrouble struct {
	Kind     string
	At, Over time.Duration // Over below 0: as long as usual
}

// ScenarioRandom breaks by chance.
type ScenarioRandom struct {
	Rate    float64 // faults of each machine a year
	Sensors float64 // faults of each machine's sensors a year
	Seed    uint64  // the scenario's where it is not given
	Over    time.Duration
}

// IsScenario reports whether a file is one: it has a section [scenario].
func IsScenario(path string) bool {
	src, err := ReadFile(path)
	if err != nil {
		return false
	}
	var faults Faults
	root := parse(path, string(src), &faults)
	return root != nil && root.has("scenario")
}

// LoadScenario reads the file of a scenario. The error is Faults; with those of
// the content comes what could be read, so that a caller can look for further ones.
func LoadScenario(path string) (*Scenario, error) {
	f, err := os.Open(path)
	if err != nil {
		var faults Faults
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = p.Err
		}
		faults.add(path, 0, "", "%v", err)
		return nil, faults.err()
	}
	defer f.Close()
	return ParseScenario(path, f)
}

// ParseScenario reads a scenario as LoadScenario does.
func ParseScenario(name string, r io.Reader) (*Scenario, error) {
	var faults Faults
	src, err := bounded(r)
	if err != nil {
		faults.add(name, 0, "", "%v", err)
		return nil, faults.err()
	}
	root := parse(name, string(src), &faults)
	if root == nil {
		return nil, faults.err()
	}
	return root.scenario(), faults.err()
}

// Fault is a fault at a key such as "fault[0].asset" that only the simulator can
// find.
func (s *Scenario) Fault(key, format string, args ...any) Fault {
	line, ok := s.lines[key]
	for i := len(key) - 1; i > 0 && !ok; i-- {
		if key[i] == '.' {
			line, ok = s.lines[key[:i]]
		}
	}
	return Fault{File: s.File, Line: max(line, 1), Key: key, What: fmt.Sprintf(format, args...)}
}

const (
	longest = 100 * 365 * 24 * time.Hour
	asUsual = time.Duration(-1)
)

func (root *table) scenario() *Scenario {
	s := &Scenario{File: root.file, lines: root.lines}
	t := root.table("scenario")
	if t == nil {
		if !root.has("scenario") {
			root.fault("scenario", "is missing, expected a section [scenario] with name, works and duration")
		}
		t = &table{document: root.document, path: "scenario", m: map[string]any{}}
	} else {
		s.head(t)
	}
	for _, f := range root.tables("fault") {
		s.Faults = append(s.Faults, s.fault(f))
	}
	for _, r := range root.tables("repair") {
		s.Repairs = append(s.Repairs, s.repair(r))
	}
	for _, x := range root.tables("trouble") {
		s.Troubles = append(s.Troubles, s.trouble(x))
	}
	if r := root.table("random"); r != nil {
		s.Random = s.random(r)
	}
	root.close()
	return s
}

func (s *Scenario) head(t *table) {
	defer t.close()
	s.Name = t.need("name", "fan-dust")
	s.About = t.need("about", "dust on the fan until a lump falls")
	s.Works = t.oneOf("works", "demo", "demo", "reference")
	s.Seed = uint64(t.integer("seed", 1, 0, math.MaxInt64))
	s.Start = t.date("start")
	s.Duration = t.duration("duration", 0, time.Minute, longest)
	s.Learn = t.duration("learn", 0, 0, longest)
	if !t.has("duration") {
		t.fault("duration", `is missing, for example duration = "30d"`)
	}
	if s.Duration > 0 && s.Learn >= s.Duration {
		t.fault("learn", "%v leaves nothing of the duration %v", s.Learn, s.Duration)
	}
}

func (s *Scenario) fault(t *table) ScenarioFault {
	defer t.close()
	f := ScenarioFault{
		Asset: t.need("asset", "HSM/FM/F3/GBX"), Fault: t.need("fault", "bearing-outer"),
		Tag: t.text("tag", ""), With: t.text("with", ""),
		Severity: t.number("severity", 1, 0.001, 1),
		At:       s.at(t), Over: t.duration("over", asUsual, 0, longest),
		Natural: t.flag("natural"), Incubation: t.duration("incubation", 0, 0, longest),
	}
	switch {
	case t.has("incubation") && !f.Natural:
		t.fault("incubation", "is of no use without natural = true")
	case f.Natural && f.Over == 0:
		t.fault("over", "0s, allowed is the time that the natural fault takes to fail, such as 20d")
	case f.Natural && f.Tag != "":
		t.fault("natural", "stands beside tag, allowed is a fault of the machine")
	case f.With != "" && f.Tag == "":
		t.fault("with", "is of no use without tag")
	}
	return f
}

func (s *Scenario) repair(t *table) ScenarioRepair {
	defer t.close()
	r := ScenarioRepair{
		Asset: t.need("asset", "HSM/FM/F3/GBX"), Tag: t.text("tag", ""), At: s.at(t),
		Introduces: t.text("introduces", ""), Severity: t.number("severity", 1, 0.001, 1),
		Over: t.duration("over", 0, 0, longest), Chance: t.number("chance", 1, 0, 1),
	}
	for _, key := range []string{"severity", "over", "chance"} {
		if t.has(key) && r.Introduces == "" {
			t.fault(key, "is of no use without introduces")
		}
	}
	if r.Introduces != "" && r.Tag != "" {
		t.fault("introduces", "stands beside tag, allowed is the repair of a machine")
	}
	return r
}

func (s *Scenario) trouble(t *table) ScenarioTrouble {
	defer t.close()
	return ScenarioTrouble{Kind: t.need("kind", "restart"), At: s.at(t), Over: t.duration("over", asUsual, time.Second, longest)}
}

// at is when something happens.
func (s *Scenario) at(t *table) time.Duration {
	at := t.duration("at", 0, 0, longest)
	switch {
	case !t.has("at"):
		t.fault("at", `is missing, for example at = "16d"`)
	case s.Duration > 0 && at >= s.Duration:
		t.fault("at", "%v is after the end, the duration is %v", at, s.Duration)
	}
	return at
}

func (s *Scenario) random(t *table) *ScenarioRandom {
	defer t.close()
	r := &ScenarioRandom{
		Rate: t.number("rate", 0, 0, 1000), Sensors: t.number("sensors", 0, 0, 1000),
		Seed: uint64(t.integer("seed", int64(s.Seed), 0, math.MaxInt64)),
		Over: t.duration("over", 0, time.Minute, longest),
	}
	if r.Rate == 0 && r.Sensors == 0 && len(*t.faults) == 0 {
		t.fault("rate", "is missing or 0, and so is sensors: for example rate = 2.0 faults of each machine a year")
	}
	return r
}

// date is a date, with or without a time of day.
func (t *table) date(key string) time.Time {
	v, ok := t.get(key)
	if !ok {
		return time.Time{}
	}
	if d, ok := v.(time.Time); ok {
		if err := checkStart(d); err != nil {
			t.fault(key, "%v", err)
		}
		return wallTime(d)
	}
	text, isText := v.(string)
	if !isText {
		t.fault(key, "is %s, allowed is a date such as 2026-07-01", kindOf(v))
		return time.Time{}
	}
	d, err := ParseStart(text)
	if err != nil {
		t.fault(key, "%v", err)
	}
	return d
}

// wallTime is what a clock on the wall shows, as UTC.
func wallTime(d time.Time) time.Time {
	return time.Date(d.Year(), d.Month(), d.Day(), d.Hour(), d.Minute(), d.Second(), 0, time.UTC)
}
