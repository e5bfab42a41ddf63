package server

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// The messages of the fast path (Publish and Republish) are appended to byte
// slices directly; everything else goes through gopcua's codec. Layouts:
// OPC 10000-6, 5.2.

const noLength = math.MaxUint32 // length of a null string or array

// Bits of a DataValue's encoding mask (OPC 10000-6, 5.2.2.17).
const (
	hasValue        = 0x01
	hasStatus       = 0x02
	hasSourceTime   = 0x04
	hasServerTime   = 0x08
	variantBoolean  = 1
	variantFloat    = 10
	variantInt32    = 6
	variantDouble   = 11
	variantString   = 12
	variantArray    = 0x80 // a bit
	bodyIsBinary    = 1
	fourByteNodeID  = 1
	opcEpoch        = 116444736000000000 // 1970 in 100 ns since 1601
	hundredNanos    = 100
	maxEntryBytes   = 48 // of a numeric notification
	publishOverhead = 64 // of a NotificationMessage around its notifications
)

func appendUint32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }

func appendString(b []byte, s string) []byte {
	b = appendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// appendTime writes a time given in ns UTC.
func appendTime(b []byte, ns int64) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(ns/hundredNanos+opcEpoch))
}

// appendTypeID writes the NodeId of a service message or of a structure's
// binary encoding in namespace 0.
func appendTypeID(b []byte, typeID uint16) []byte {
	return append(b, fourByteNodeID, 0, byte(typeID), byte(typeID>>8))
}

func appendResponseHeader(b []byte, handle uint32, result ua.StatusCode) []byte {
	b = appendTime(b, time.Now().UnixNano())
	b = appendUint32(b, handle)
	b = appendUint32(b, uint32(result))
	b = append(b, 0)              // service diagnostics
	b = appendUint32(b, noLength) // string table
	return append(b, 0, 0, 0)     // additional header: null NodeId, no body
}

func appendDataValue(b []byte, t DataType, e *entry, stamps ua.TimestampsToReturn) []byte {
	at := len(b)
	mask := byte(0)
	b = append(b, 0)
	if !e.null {
		mask |= hasValue
		b = appendVariant(b, t, e)
	}
	if e.status != 0 {
		mask |= hasStatus
		b = appendUint32(b, uint32(e.status))
	}
	if stamps == ua.TimestampsToReturnSource || stamps == ua.TimestampsToReturnBoth {
		mask |= hasSourceTime
		b = appendTime(b, e.source)
	}
	if stamps == ua.TimestampsToReturnServer || stamps == ua.TimestampsToReturnBoth {
		mask |= hasServerTime
		b = appendTime(b, e.server)
	}
	b[at] = mask
	return b
}

func appendVariant(b []byte, t DataType, e *entry) []byte {
	switch t {
	case Boolean:
		v := byte(0)
		if e.number != 0 {
			v = 1
		}
		return append(b, variantBoolean, v)
	case Int32:
		return appendUint32(append(b, variantInt32), uint32(toInt32(e.number)))
	case String:
		return appendString(append(b, variantString), e.text)
	case Floats:
		return appendFloats(append(b, variantFloat|variantArray), e.wave)
	case encoded:
		return append(b, e.text...)
	}
	return binary.LittleEndian.AppendUint64(append(b, variantDouble), math.Float64bits(e.number))
}

func appendFloats(b []byte, w *Wave) []byte {
	if w == nil {
		return appendUint32(b, 0)
	}
	values := w.values()
	b = slices.Grow(b, 4+4*len(values))
	b = appendUint32(b, uint32(len(values)))
	for _, v := range values {
		b = appendUint32(b, math.Float32bits(v))
	}
	return b
}

// toInt32 rounds half away from zero and stops at the type's ends.
func toInt32(v float64) int32 {
	switch {
	case math.IsNaN(v):
		return 0
	case v <= math.MinInt32:
		return math.MinInt32
	case v >= math.MaxInt32:
		return math.MaxInt32
	}
	return int32(math.Round(v))
}

// beginDataChange writes a NotificationMessage up to its first notification;
// endDataChange fills in the lengths.
func beginDataChange(b []byte, seq uint32, now int64) []byte {
	b = appendUint32(b, seq)
	b = appendTime(b, now)
	b = appendUint32(b, 1)
	b = appendTypeID(b, id.DataChangeNotification_Encoding_DefaultBinary)
	b = append(b, bodyIsBinary)
	b = appendUint32(b, 0) // bytes in the body
	return appendUint32(b, 0)
}

const dataChangeBody = 4 + 8 + 4 + 4 + 1 // offset of the body's length

func endDataChange(b []byte, n int) []byte {
	b = appendUint32(b, noLength) // diagnostics
	binary.LittleEndian.PutUint32(b[dataChangeBody:], uint32(len(b)-dataChangeBody-4))
	binary.LittleEndian.PutUint32(b[dataChangeBody+4:], uint32(n))
	return b
}

func appendKeepAlive(b []byte, seq uint32, now int64) []byte {
	b = appendUint32(b, seq)
	b = appendTime(b, now)
	return appendUint32(b, 0)
}

func appendStatusChange(b []byte, seq uint32, now int64, status ua.StatusCode) []byte {
	b = appendUint32(b, seq)
	b = appendTime(b, now)
	b = appendUint32(b, 1)
	b = appendTypeID(b, id.StatusChangeNotification_Encoding_DefaultBinary)
	b = append(b, bodyIsBinary)
	b = appendUint32(b, 5)
	b = appendUint32(b, uint32(status))
	return append(b, 0)
}
