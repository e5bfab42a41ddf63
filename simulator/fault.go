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
)

// Fault is something that goes wrong with a machine or a sensor.
//
// A machine's fault begins at severity 0.02 and grows by the same factor in
// equal times, ds = λ·s·dt, until it has reached Severity after Growth. Dust on a
// fan grows evenly; when it has reached Severity a lump falls off, the unbalance
// jumps to another angle and half the size, and it begins to grow again. A drift
// grows evenly; the other faults of sensors are at Severity at once.
type Fault struct {
	Asset    string
	Name     string        // see Faults
	Tag      string        // path, for faults of sensors
	Severity float64       // at the end, above 0, at most 1
	Offset   time.Duration // plant time since the start
	Growth   time.Duration // plant time, 0 where it is there at once
}

// FaultKind describes a fault that the simulator knows.
type FaultKind struct {
	Name   string
	Asset  string // empty: a fault of any sensor, written NAME=TAG
	Course machine.Course
	Growth time.Duration
	About  string // for people
}

const onset = 0.02 // severity at which a machine's fault begins

// Faults lists what can go wrong.
func Faults() []FaultKind {
	var kinds []FaultKind
	s := newShop(0, production.Setting{})
	for _, b := range builders() {
		for _, f := range b.make(s).Faults() {
			kinds = append(kinds, FaultKind{f.Name, b.path, f.Course, f.Growth, f.About})
		}
	}
	return append(kinds,
		FaultKind{"drift", "", machine.Even, 30 * time.Minute, "the sensor drifts by a tenth of its range"},
		FaultKind{"stuck", "", machine.AtOnce, 0, "the sensor repeats its last value"},
		FaultKind{"spike", "", machine.AtOnce, 0, "single readings jump by 20 to 100 % of the range, three a minute"},
		FaultKind{"dropout", "", machine.AtOnce, 0, "the sensor reports bad quality in bursts of some 20 s, one a minute"},
	)
}

// ParseFault reads ASSET:FAULT[:SEVERITY]@OFFSET[+GROWTH], for example
// "HSM/FM/F3/GBX:bearing-outer:0.6@20m" or, for a sensor,
// "HSM/FM/F3/GBX:stuck=OIL_T@90s". OFFSET and GROWTH are plant time; SEVERITY is
// 1 where it is not given.
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
	if isSensor != (kind.Asset == "") {
		if isSensor {
			return Fault{}, fmt.Errorf("%s is a fault of the machine and takes no =TAG", name)
		}
		return Fault{}, fmt.Errorf("%s is a fault of a sensor and needs a tag, %s=TAG", name, name)
	}
	if isSensor {
		f.Tag = strings.TrimPrefix(tag, asset+"/")
		if f.Tag == "" {
			return Fault{}, fmt.Errorf("%s= names no tag", name)
		}
		f.Tag = asset + "/" + f.Tag
	}
	offset, growth, given := strings.Cut(when, "+")
	if f.Offset, err = time.ParseDuration(offset); err != nil || f.Offset < 0 {
		return Fault{}, fmt.Errorf("offset %q, allowed is plant time since the start such as 90s or 2h", offset)
	}
	f.Growth = kind.Growth
	if given {
		if f.Growth, err = time.ParseDuration(growth); err != nil || f.Growth < 0 {
			return Fault{}, fmt.Errorf("growth %q, allowed is plant time such as 10m", growth)
		}
	}
	return f, nil
}

// kind finds the fault's kind.
func (f *Fault) kind() (FaultKind, error) {
	var names, assets []string
	var found *FaultKind
	for _, k := range Faults() {
		if k.Asset != "" && !slices.Contains(assets, k.Asset) {
			assets = append(assets, k.Asset)
		}
		if k.Asset == f.Asset || k.Asset == "" {
			names = append(names, k.Name)
			if k.Name == f.Name {
				found = &k
			}
		}
	}
	switch {
	case !slices.Contains(assets, f.Asset):
		return FaultKind{}, fmt.Errorf("there is no asset %q, allowed are %s", f.Asset, strings.Join(assets, ", "))
	case found == nil:
		return FaultKind{}, fmt.Errorf("%s has no fault %q, allowed are %s", f.Asset, f.Name, strings.Join(names, ", "))
	}
	return *found, nil
}

// String is the fault as ParseFault reads it.
func (f Fault) String() string {
	s := fmt.Sprintf("%s:%s:%v@%v", f.Asset, f.label(), f.Severity, f.Offset)
	if f.Growth > 0 {
		s += "+" + f.Growth.String()
	}
	return s
}

// label is the name in the ledger: a sensor's fault with its tag.
func (f *Fault) label() string {
	if f.Tag == "" {
		return f.Name
	}
	return f.Name + "=" + strings.TrimPrefix(f.Tag, f.Asset+"/")
}

// At is the severity at a plant time.
func (f *Fault) At(t time.Duration) float64 {
	age := (t - f.Offset).Seconds()
	if age < 0 {
		return 0
	}
	growth := f.Growth.Seconds()
	switch {
	case growth <= 0:
		return f.Severity
	case f.Name == "dust":
		_, part := f.sheds(t)
		return f.Severity * part
	case age >= growth:
		return f.Severity
	case f.Tag != "":
		return f.Severity * age / growth
	case f.Severity <= onset:
		return f.Severity
	}
	return onset * math.Pow(f.Severity/onset, age/growth)
}

// sheds is the number of lumps of dust that have fallen and the share of the
// final severity that sits on the impeller.
func (f *Fault) sheds(t time.Duration) (int, float64) {
	age := (t - f.Offset).Seconds() / f.Growth.Seconds()
	if age < 1 {
		return 0, age
	}
	n := math.Floor(age)
	return int(n), 0.5 + 0.5*(age-n)
}
