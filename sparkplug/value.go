package sparkplug

import "math"

// DataType is a Sparkplug data type code. Births give it; DATA leaves it out.
type DataType uint32

// Data types (Sparkplug B 3.0, payloads; 0 is not given). 22 to 34 are arrays,
// packed into bytes.
const (
	Unknown DataType = iota
	Int8
	Int16
	Int32
	Int64
	UInt8
	UInt16
	UInt32
	UInt64
	Float
	Double
	Boolean
	String
	DateTime
	Text
	UUID
	DataSet
	Bytes
	File
	Template
	PropertySet
	PropertySetList
	Int8Array
	Int16Array
	Int32Array
	Int64Array
	UInt8Array
	UInt16Array
	UInt32Array
	UInt64Array
	FloatArray
	DoubleArray
	BooleanArray
	StringArray
	DateTimeArray
)

// Form is the field of the schema that a value came in. It is not the data
// type: eight integer types share two forms.
type Form uint8

// Forms of values.
const (
	None   Form = iota
	Int         // int_value, in Bits
	Long        // long_value, in Bits
	Single      // float_value, in Bits as a float64
	Real        // double_value, in Bits
	Truth       // boolean_value, in Bits
	Words       // string_value, in Text
	Raw         // bytes, data sets, templates, arrays: not interpreted, in Bytes
)

// Value is the value of a metric or property.
type Value struct {
	Form  Form
	Bits  uint64
	Text  string
	Bytes []byte // part of the message it was decoded from
}

// DoubleValue is a value of the type Double.
func DoubleValue(v float64) Value { return Value{Form: Real, Bits: math.Float64bits(v)} }

// TextValue is a value of the type String.
func TextValue(s string) Value { return Value{Form: Words, Text: s} }

// UInt32Value is a value of the types of up to 32 bits.
func UInt32Value(v uint32) Value { return Value{Form: Int, Bits: uint64(v)} }

// UInt64Value is a value of the types of 64 bits.
func UInt64Value(v uint64) Value { return Value{Form: Long, Bits: v} }

// BoolValue is a value of the type Boolean.
func BoolValue(b bool) Value {
	if b {
		return Value{Form: Truth, Bits: 1}
	}
	return Value{Form: Truth}
}

// whole reports whether the value is an integer in either of the two forms.
func (v Value) whole() bool { return v.Form == Int || v.Form == Long }

// Number is the value as a float64, read with the data type that the birth
// gave; false where it is not a number. Integers beyond 2^53 are rounded.
//
// Int8 and Int16 are in the field both cut to their width and sign-extended to
// 32 bits, and some senders put 32-bit types into the 64-bit field, so only the
// low bits of the type's width count.
func (v Value) Number(t DataType) (float64, bool) {
	switch v.Form {
	case Real, Single:
		return math.Float64frombits(v.Bits), true
	case Truth:
		return float64(v.Bits), true
	case Int, Long:
	default:
		return 0, false
	}
	switch t {
	case Int8:
		return float64(int8(v.Bits)), true
	case Int16:
		return float64(int16(v.Bits)), true
	case Int32:
		return float64(int32(v.Bits)), true
	case Int64, DateTime:
		return float64(int64(v.Bits)), true
	case UInt8:
		return float64(uint8(v.Bits)), true
	case UInt16:
		return float64(uint16(v.Bits)), true
	case UInt32:
		return float64(uint32(v.Bits)), true
	case Boolean:
		if v.Bits != 0 {
			return 1, true
		}
		return 0, true
	}
	return float64(v.Bits), true
}
