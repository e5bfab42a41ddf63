package sparkplug

import (
	"encoding/binary"
	"math"
	"time"

	"millwright/plant"
)

// Field numbers and wire types of the payload schema are written as protobuf
// keys: field<<3 | wire type (none is 0, a varint; 1 eight bytes, 2 length and bytes, 5
// four bytes). FORMAT.md has the table.
const (
	keyPayloadTime   = 1 << 3
	keyPayloadMetric = 2<<3 | 2
	keyPayloadSeq    = 3 << 3

	keyName       = 1<<3 | 2
	keyAlias      = 2 << 3
	keyTime       = 3 << 3
	keyType       = 4 << 3
	keyHistorical = 5 << 3
	keyTransient  = 6 << 3
	keyNull       = 7 << 3
	keyProperties = 9<<3 | 2
	keyInt        = 10 << 3
	keyLong       = 11 << 3
	keyFloat      = 12<<3 | 5
	keyDouble     = 13<<3 | 1
	keyBool       = 14 << 3
	keyString     = 15<<3 | 2
	keyBytes      = 16<<3 | 2 // two bytes as a varint

	keyPropKey   = 1<<3 | 2
	keyPropValue = 2<<3 | 2

	keyPropType   = 1 << 3
	keyPropNull   = 2 << 3
	keyPropInt    = 3 << 3
	keyPropLong   = 4 << 3
	keyPropFloat  = 5<<3 | 5
	keyPropDouble = 6<<3 | 1
	keyPropBool   = 7 << 3
	keyPropString = 8<<3 | 2
)

const millisecond = int64(time.Millisecond)

// AppendTo appends the encoded message to dst. Times are cut to milliseconds.
// Values of the form Raw are written as bytes, which is what arrays are.
func (p *Payload) AppendTo(dst []byte) []byte {
	if p.Time != 0 {
		dst = appendUint(dst, keyPayloadTime, wireTime(p.Time))
	}
	for i := range p.Metrics {
		dst = append(dst, keyPayloadMetric, 0)
		at := len(dst)
		dst = appendMetric(dst, &p.Metrics[i])
		dst = closeLength(dst, at)
	}
	if p.HasSeq {
		dst = appendUint(dst, keyPayloadSeq, uint64(p.Seq))
	}
	return dst
}

func wireTime(ns int64) uint64 { return uint64(plant.Millis(ns) / millisecond) }

func appendUint(dst []byte, key byte, v uint64) []byte {
	return binary.AppendUvarint(append(dst, key), v)
}

func appendString(dst []byte, key byte, s string) []byte {
	dst = binary.AppendUvarint(append(dst, key), uint64(len(s)))
	return append(dst, s...)
}

// closeLength writes the length of what stands from at on into the one byte
// kept before at, and moves it up where the length needs more bytes. Metrics of
// data are shorter than 128 bytes, so that the move is rare.
func closeLength(dst []byte, at int) []byte {
	n := len(dst) - at
	if n < 0x80 {
		dst[at-1] = byte(n)
		return dst
	}
	var b [binary.MaxVarintLen64]byte
	w := binary.PutUvarint(b[:], uint64(n))
	dst = append(dst, b[:w-1]...)
	copy(dst[at+w-1:], dst[at:at+n])
	copy(dst[at-1:], b[:w])
	return dst
}

func appendMetric(dst []byte, m *Metric) []byte {
	if m.Name != "" {
		dst = appendString(dst, keyName, m.Name)
	}
	if m.HasAlias {
		dst = appendUint(dst, keyAlias, m.Alias)
	}
	if m.HasTime {
		dst = appendUint(dst, keyTime, wireTime(m.Time))
	}
	if m.Type != Unknown {
		dst = appendUint(dst, keyType, uint64(m.Type))
	}
	if m.Historical {
		dst = append(dst, keyHistorical, 1)
	}
	if m.Transient {
		dst = append(dst, keyTransient, 1)
	}
	if m.Null {
		dst = append(dst, keyNull, 1)
	}
	if m.Quality != plant.Good || len(m.Properties) > 0 {
		dst = append(dst, keyProperties, 0)
		at := len(dst)
		dst = appendProperties(dst, m.Quality, m.Properties)
		dst = closeLength(dst, at)
	}
	if m.Null {
		return dst
	}
	v := &m.Value
	switch v.Form {
	case Real:
		dst = append(dst, keyDouble)
		return binary.LittleEndian.AppendUint64(dst, v.Bits)
	case Single:
		dst = append(dst, keyFloat)
		return binary.LittleEndian.AppendUint32(dst, single(v.Bits))
	case Words:
		return appendString(dst, keyString, v.Text)
	case Raw:
		dst = binary.AppendUvarint(dst, keyBytes)
		dst = binary.AppendUvarint(dst, uint64(len(v.Bytes)))
		return append(dst, v.Bytes...)
	case Truth:
		return append(dst, keyBool, byte(v.Bits&1))
	case Int:
		return appendUint(dst, keyInt, uint64(uint32(v.Bits)))
	case Long:
		return appendUint(dst, keyLong, v.Bits)
	}
	return dst
}

func single(bits uint64) uint32 { return math.Float32bits(float32(math.Float64frombits(bits))) }

func appendProperties(dst []byte, q plant.Quality, props []Property) []byte {
	if q != plant.Good {
		dst = appendString(dst, keyPropKey, keyQuality)
		dst = appendString(dst, keyPropKey, keyStatusCode)
	}
	for i := range props {
		dst = appendString(dst, keyPropKey, props[i].Key)
	}
	if q != plant.Good {
		dst = appendProperty(dst, &Property{Type: Int32, Value: UInt32Value(sparkQuality(q))})
		dst = appendProperty(dst, &Property{Type: UInt32, Value: UInt32Value(uint32(q))})
	}
	for i := range props {
		dst = appendProperty(dst, &props[i])
	}
	return dst
}

func appendProperty(dst []byte, p *Property) []byte {
	dst = append(dst, keyPropValue, 0)
	at := len(dst)
	dst = appendUint(dst, keyPropType, uint64(p.Type))
	switch {
	case p.Null:
		dst = append(dst, keyPropNull, 1)
	case p.Value.Form == Real:
		dst = binary.LittleEndian.AppendUint64(append(dst, keyPropDouble), p.Value.Bits)
	case p.Value.Form == Single:
		dst = binary.LittleEndian.AppendUint32(append(dst, keyPropFloat), single(p.Value.Bits))
	case p.Value.Form == Words:
		dst = appendString(dst, keyPropString, p.Value.Text)
	case p.Value.Form == Truth:
		dst = append(dst, keyPropBool, byte(p.Value.Bits&1))
	case p.Value.Form == Int:
		dst = appendUint(dst, keyPropInt, uint64(uint32(p.Value.Bits)))
	case p.Value.Form == Long:
		dst = appendUint(dst, keyPropLong, p.Value.Bits)
	}
	return closeLength(dst, at)
}
