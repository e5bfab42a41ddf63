package collector

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// imprint is what a node measures, as far as it is known: what makes a number
// of it another quantity when it changes. Ranges belong to it because a converter
// scaled anew keeps its unit and its type.
type imprint struct {
	hasType, hasRank, hasUnit, hasRange bool

	dataType string // node id with namespace URI
	rank     int32  // ValueRank
	unit     unit
	low      float64 // EURange
	high     float64
}

// unit is EUInformation (OPC 10000-8, 5.6.3).
type unit struct {
	space string // URI of who numbers units
	id    int32  // UNECE code number; 0 and −1: none
	name  string
}

// same reports whether two units mean the same: the number says it where both
// have one, for their names are in the language and the taste of the programmer.
func (u unit) same(o unit) bool {
	if u.id > 0 && o.id > 0 && u.space == o.space {
		return u.id == o.id
	}
	return u.name == o.name
}

const scalar = -1 // ValueRank of a single value (OPC 10000-3, 5.6.2)

// What of a node can be other than it was.
const (
	changedType  = "type"
	changedUnit  = "unit"
	changedRange = "range"
	changedPath  = "path"
)

// changes lists what is another than it was. What one of the two does not know
// is no change: metadata appears, and reading it fails.
//
// Another numeric type with the same unit and range is one: an INT of a raw
// converter value beside a REAL of degrees is the classical mistake of a
// download, and nobody corrects the range with it.
func (was *imprint) changes(is *imprint) (what []string) {
	if was.hasType && is.hasType && was.dataType != is.dataType || was.hasRank && is.hasRank && was.rank != is.rank {
		what = append(what, changedType)
	}
	if was.hasUnit && is.hasUnit && !was.unit.same(is.unit) {
		what = append(what, changedUnit)
	}
	if was.hasRange && is.hasRange && (was.low != is.low || was.high != is.high) {
		what = append(what, changedRange)
	}
	return what
}

// adopt takes over what the other knows. It reports whether anything is new.
func (was *imprint) adopt(is *imprint) bool {
	before := *was
	if is.hasType {
		was.hasType, was.dataType = true, is.dataType
	}
	if is.hasRank {
		was.hasRank, was.rank = true, is.rank
	}
	if is.hasUnit {
		was.hasUnit, was.unit = true, is.unit
	}
	if is.hasRange {
		was.hasRange, was.low, was.high = true, is.low, is.high
	}
	return *was != before
}

func (f *imprint) known() bool { return f.hasType || f.hasRank || f.hasUnit || f.hasRange }

// String is for people: "Double, °C, 0 to 200".
func (f *imprint) String() string {
	var parts []string
	if f.hasType {
		parts = append(parts, typeName(f.dataType))
	}
	if f.hasRank && f.rank != scalar {
		if f.rank > 0 {
			parts = append(parts, fmt.Sprintf("array of %d dimensions", f.rank))
		} else {
			parts = append(parts, fmt.Sprintf("value rank %d", f.rank))
		}
	}
	if f.hasUnit {
		name := f.unit.name
		if name == "" {
			name = fmt.Sprintf("unit %d", f.unit.id)
		}
		parts = append(parts, name)
	}
	if f.hasRange {
		parts = append(parts, decimal(f.low)+" to "+decimal(f.high))
	}
	if len(parts) == 0 {
		return "unknown"
	}
	return strings.Join(parts, ", ")
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// typeName is the name of a data type of OPC UA itself, else its node id.
func typeName(dataType string) string {
	if n, err := parseNode(dataType); err == nil && n.uri == "" && n.index == 0 && n.kind == 'i' {
		if name := id.Name(n.num); name != "" {
			return name
		}
	}
	return dataType
}

// unitOf reads EngineeringUnits.
func unitOf(v *ua.DataValue) (unit, bool) {
	x, ok := good[*ua.ExtensionObject](v)
	if !ok || x == nil {
		return unit{}, false
	}
	u, ok := x.Value.(*ua.EUInformation)
	if !ok || u == nil {
		return unit{}, false
	}
	r := unit{space: clip(u.NamespaceURI), id: u.UnitID}
	if u.DisplayName != nil {
		r.name = clip(u.DisplayName.Text)
	}
	return r, r.id > 0 || r.name != ""
}

// rangeOf reads EURange. One without an extent says nothing.
func rangeOf(v *ua.DataValue) (low, high float64, ok bool) {
	x, ok := good[*ua.ExtensionObject](v)
	if !ok || x == nil {
		return 0, 0, false
	}
	r, ok := x.Value.(*ua.Range)
	if !ok || r == nil || !(r.Low < r.High) || math.IsInf(r.Low, 0) || math.IsInf(r.High, 0) {
		return 0, 0, false
	}
	return r.Low, r.High, true
}
