package simulator

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"millwright/simulator/machine"
	"millwright/simulator/production"
	"millwright/simulator/wear"
)

// Fault is something that goes wrong with a machine or a sensor.
//
// Its severity is a function of plant time alone: a machine's fault begins at
// severity 0.02 and grows by the same factor in equal times, ds = λ·s·dt, until it
// has reached Severity after Growth. What wears or blocks evenly grows by the same
// amount. Dust on a fan does so too; when it has reached Severity a lump falls
// off, the unbalance jumps to another angle and half the size, and it begins to
// grow again. A drift grows evenly; the other faults of sensors are at Severity at
// once.
//
// A Natural fault grows with what its machine carries, and by chance: Growth is
// then the median time to Severity 1 at the usual duty. See the package wear.
type Fault struct {
	Asset    string
	Name     string        // see Faults
	Tag      string        // path, for faults of sensors
	With     string        // path of the other sensor, for a swap
	Severity float64       // at the end, above 0, at most 1
	Offset   time.Duration // plant time since the start
	Growth   time.Duration // plant time, 0 where it is there at once

	Natural    bool          // of machines only
	Incubation time.Duration // of a natural fault: by then 63 % of such faults have begun, 0: at Offset

	course machine.Course // of its kind
}

// FaultKind describes a fault that the simulator knows.
type FaultKind struct {
	Name   string
	Code   string // of the kind of fault, empty where there is none: M mechanical, H hydraulic, F flow, T thermal, P and E of media, S sensors
	Asset  string // empty: a fault of any sensor, written NAME=TAG
	Course machine.Course
	Growth time.Duration // in a demonstration
	Life   time.Duration // in service, 0 where it is there at once
	About  string        // for people
}

// natural marks a Natural fault in its text.
const natural = "~natural"

const onset = wear.Onset // severity at which a machine's fault begins

// Faults lists what can go wrong: with machines, asset by asset, and then with
// sensors.
func Faults() []FaultKind {
	var kinds []FaultKind
	s := newShop(0, production.Setting{})
	for _, b := range builders() {
		for _, f := range b.make(s).Faults() {
			kinds = append(kinds, FaultKind{Name: f.Name, Code: f.Code, Asset: b.path, Course: f.Course, Growth: f.Growth, Life: f.Life, About: f.About})
		}
	}
	return append(kinds, sensorKinds()...)
}

// ParseFault reads ASSET:FAULT[:SEVERITY]@OFFSET[+GROWTH][~natural], for example
// "HSM/FM/F3/GBX:bearing-outer:0.6@20m" or, for a sensor,
// "HSM/FM/F3/GBX:stuck=OIL_T@90s". OFFSET and GROWTH are plant time; SEVERITY is
// 1 where it is not given. GROWTH is that of a demonstration where it is not given, of
// a Natural fault that in service.
func ParseFault(s string) (Fault, error) {
	f, err := parseFault(s)
	if err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", s, err)
	}
	return f, nil
}

func parseFault(s string) (Fault, error) {
	what, when, ok := strings.Cut(s, "@")
	if !ok {
		return Fault{}, errors.New("has no @OFFSET, allowed is ASSET:FAULT[:SEVERITY]@OFFSET such as HSM/FM/F3/GBX:bearing-outer:0.6@90s")
	}
	asset, name, ok := strings.Cut(what, ":")
	if !ok {
		return Fault{}, errors.New("has no :FAULT, allowed is ASSET:FAULT[:SEVERITY]@OFFSET")
	}
	f := Fault{Asset: asset, Severity: 1}
	name, severity, given := strings.Cut(name, ":")
	if given {
		v, err := strconv.ParseFloat(severity, 64)
		if err != nil || !(v > 0 && v <= 1) {
			return Fault{}, fmt.Errorf("severity %q, allowed is a number above 0, at most 1", severity)
		}
		f.Severity = v
	}
	name, tag, isSensor := strings.Cut(name, "=")
	f.Name = name
	kind, err := f.kind()
	if err != nil {
		return Fault{}, err
	}
	f.course = kind.Course
	if isSensor != (kind.Asset == "") {
		if isSensor {
			return Fault{}, fmt.Errorf("%s is a fault of the machine and takes no =TAG", name)
		}
		return Fault{}, fmt.Errorf("%s is a fault of a sensor and needs a tag, %s=TAG", name, name)
	}
	if isSensor {
		tag, with, two := strings.Cut(tag, ",")
		if tag, with = strings.TrimPrefix(tag, asset+"/"), strings.TrimPrefix(with, asset+"/"); tag == "" {
			return Fault{}, fmt.Errorf("%s= names no tag", name)
		}
		f.Tag = asset + "/" + tag
		if two != (name == "swap") || two && (with == "" || with == tag) {
			return Fault{}, fmt.Errorf("%s=%s: allowed is one tag, and two different ones for swap=TAG,TAG", name, tag)
		}
		if two {
			f.With = asset + "/" + with
		}
	}
	when, f.Natural = strings.CutSuffix(when, natural)
	offset, growth, given := strings.Cut(when, "+")
	if f.Offset, err = time.ParseDuration(offset); err != nil || f.Offset < 0 {
		return Fault{}, fmt.Errorf("offset %q, allowed is plant time since the start such as 90s or 2h", offset)
	}
	f.Growth = kind.Growth
	if f.Natural {
		f.Growth = kind.Life
	}
	if given {
		if f.Growth, err = time.ParseDuration(growth); err != nil || f.Growth < 0 {
			return Fault{}, fmt.Errorf("growth %q, allowed is plant time such as 10m", growth)
		}
	}
	if f.Natural && (isSensor || f.course == machine.AtOnce || f.Growth == 0) {
		return Fault{}, fmt.Errorf("%s is there at once or of a sensor: leave out %s, allowed for what a machine wears by", name, natural)
	}
	return f, nil
}

// kind finds the fault's kind. Whether a works has the asset and the tag is for
// its mill to say.
func (f *Fault) kind() (FaultKind, error) {
	var names, assets []string
	for _, k := range Faults() {
		if k.Name == f.Name && (k.Asset == f.Asset || k.Asset == "") {
			return k, nil
		}
		if k.Asset != "" && !slices.Contains(assets, k.Asset) {
			assets = append(assets, k.Asset)
		}
		if k.Asset == f.Asset || k.Asset == "" {
			names = append(names, k.Name)
		}
	}
	if !slices.Contains(assets, f.Asset) {
		return FaultKind{}, fmt.Errorf("there is no machine %q, allowed are %s", f.Asset, strings.Join(assets, ", "))
	}
	return FaultKind{}, fmt.Errorf("%s has no fault %q, allowed are %s", f.Asset, f.Name, strings.Join(names, ", "))
}

// String is the fault as ParseFault reads it.
func (f Fault) String() string {
	s := fmt.Sprintf("%s:%s:%v@%v", f.Asset, f.label(), f.Severity, f.Offset)
	if f.Growth > 0 {
		s += "+" + f.Growth.String()
	}
	if f.Natural {
		s += natural
	}
	return s
}

// label is the name in the ledger: a sensor's fault with its tag.
func (f *Fault) label() string {
	if f.Tag == "" {
		return f.Name
	}
	s := f.Name + "=" + strings.TrimPrefix(f.Tag, f.Asset+"/")
	if f.With != "" {
		s += "," + strings.TrimPrefix(f.With, f.Asset+"/")
	}
	return s
}

// At is the severity at a plant time, of a fault that is not Natural.
func (f *Fault) At(t time.Duration) float64 {
	age := (t - f.Offset).Seconds()
	if age < 0 {
		return 0
	}
	growth := f.Growth.Seconds()
	switch {
	case growth <= 0:
		return f.Severity
	case f.course == machine.Shedding:
		_, part := f.sheds(t)
		return f.Severity * part
	case age >= growth:
		return f.Severity
	case f.Tag != "":
		return f.Severity * age / growth
	case f.Severity <= onset:
		return f.Severity
	case f.course == machine.Even:
		return onset + (f.Severity-onset)*age/growth
	}
	return onset * math.Pow(f.Severity/onset, age/growth)
}

// sheds is the number of lumps of dust that have fallen and the share of the
// final severity that sits on the impeller.
func (f *Fault) sheds(t time.Duration) (int, float64) {
	if f.Growth <= 0 {
		return 0, 1
	}
	age := (t - f.Offset).Seconds() / f.Growth.Seconds()
	if age < 1 {
		return 0, age
	}
	n := math.Floor(age)
	return int(n), 0.5 + 0.5*(age-n)
}
