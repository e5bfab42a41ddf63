package server

import (
	"fmt"
	"math"

	"millwright/plant"
)

// Namespace is the URI of the namespace of all variables and folders. Its
// index is 1 where the server has no other Namespaces.
const Namespace = "urn:millwright:mill"

// DataType is the OPC UA data type of a variable.
type DataType uint8

// Data types. Default follows the kind: String for plant.Text, Int32 for
// plant.Discrete, Floats for plant.Burst, Double for the rest.
const (
	Default DataType = iota
	Double
	Int32
	Boolean
	String
	Floats // an array of Float

	encoded // internal: Text holds an encoded Variant
)

// Variable is one variable of the server, NodeId nsu=<Namespace>;s=<Path>. The parts of
// Path between slashes are folders below Objects.
type Variable struct {
	Path        string
	Kind        plant.Kind
	Type        DataType
	Unit        string
	Description string
	Low, High   float64 // EURange; Low == High means unknown
	Resolution  float64 // smallest step of the sensor; 0 unknown
	Length      int     // of an array
	History     int     // values written last that HistoryRead gives (about 64 bytes each) until Close; 0 none
}

func (v *Variable) dataType() DataType {
	switch {
	case v.Type != Default:
		return v.Type
	case v.Kind == plant.Text:
		return String
	case v.Kind == plant.Burst:
		return Floats
	case v.Kind == plant.Discrete:
		return Int32
	}
	return Double
}

func (v *Variable) hasRange() bool { return v.Low < v.High }

// Wave is the value of an array of Length values. Fill makes them, the same at
// every call; it is called only when a client reads or is sent the value, with the
// server's lock held.
type Wave struct {
	Length int
	Fill   func(dst []float32)
}

func (w *Wave) values() []float32 {
	v := make([]float32, w.Length)
	w.Fill(v)
	return v
}

// Value is one value of Variables[Var]. Text is used by String variables, Wave by
// arrays, Number by the others; Boolean is true where Number is not 0.
type Value struct {
	Var     int
	Time    int64 // source time, ns UTC; cut to whole milliseconds
	Quality plant.Quality
	Number  float64
	Text    string
	Wave    *Wave

	// Seq is set in Offered: the number of this value among those of the
	// variable that were offered, from 1 on. Write ignores it.
	Seq uint64
}

// entry is a value as the server keeps it.
type entry struct {
	number float64
	text   string
	wave   *Wave
	source int64 // ns UTC
	server int64 // ns UTC
	status plant.Quality
	null   bool // no value, status only
}

// sameValue reports whether two entries carry the same value; NaN equals NaN.
func (a *entry) sameValue(b *entry) bool {
	return a.null == b.null && a.text == b.text && a.wave == b.wave &&
		(a.number == b.number || math.IsNaN(a.number) && math.IsNaN(b.number))
}

func checkVariables(vars []Variable) error {
	seen := make(map[string]bool, len(vars))
	for i := range vars {
		v := &vars[i]
		switch {
		case v.Path == "":
			return fmt.Errorf("variable %d has no path", i)
		case seen[v.Path]:
			return fmt.Errorf("variable %q appears twice", v.Path)
		case v.Type >= encoded:
			return fmt.Errorf("variable %q: unknown data type %d", v.Path, v.Type)
		case v.dataType() == Floats && v.Length <= 0:
			return fmt.Errorf("variable %q: an array of %d values", v.Path, v.Length)
		case v.History < 0 || v.History > 0 && v.dataType() == Floats:
			return fmt.Errorf("variable %q: a history of %d values; arrays have none", v.Path, v.History)
		case math.IsNaN(v.Low) || math.IsNaN(v.High) || v.Low > v.High:
			return fmt.Errorf("variable %q: range [%v, %v]", v.Path, v.Low, v.High)
		}
		seen[v.Path] = true
	}
	return nil
}
