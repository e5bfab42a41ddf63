package sparkplug

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"millwright/plant"
)

// Bounds of a message that is taken apart. They are far above what we send and
// keep a hostile message from costing more memory than its own size times a
// small number.
const (
	MaxPayload    = 8 << 20
	MaxMetrics    = 200_000
	MaxProperties = 256 // of one metric
)

var errPayload = errors.New("sparkplug payload")

// Decode reads the message b into p and reuses p's memory. Fields it does not
// know are skipped; nested property sets and metadata too. Values of the form
// Raw, and the body, are parts of b. After an error p is not to be used.
func (p *Payload) Decode(b []byte) error {
	p.Reset()
	if len(b) > MaxPayload {
		return fmt.Errorf("%w: %d bytes, allowed are %d", errPayload, len(b), MaxPayload)
	}
	for r := (reader{b: b}); ; {
		f, ok := r.next()
		if !ok {
			return r.err
		}
		switch f.key {
		case keyPayloadTime:
			t, ok := sourceTime(f.num)
			if !ok {
				return fmt.Errorf("%w: its time is not a time", errPayload)
			}
			p.Time = t
		case keyPayloadSeq:
			if f.num > math.MaxUint8 {
				return fmt.Errorf("%w: seq %d", errPayload, f.num)
			}
			p.Seq, p.HasSeq = uint8(f.num), true
		case keyPayloadUUID:
			p.UUID = text(f.bytes)
		case keyPayloadBody:
			p.Body = f.bytes
		case keyPayloadMetric:
			if len(p.Metrics) == MaxMetrics {
				return fmt.Errorf("%w: more than %d metrics", errPayload, MaxMetrics)
			}
			p.Metrics = append(p.Metrics, Metric{})
			if err := p.decodeMetric(&p.Metrics[len(p.Metrics)-1], f.bytes); err != nil {
				return err
			}
		}
	}
}

func (p *Payload) decodeMetric(m *Metric, b []byte) error {
	for r := (reader{b: b}); ; {
		r.b = m.common(r.b)
		f, ok := r.next()
		if !ok {
			return r.err
		}
		switch f.key {
		case keyName:
			m.Name = text(f.bytes)
		case keyAlias:
			m.Alias, m.HasAlias = f.num, true
		case keyTime:
			if m.Time, m.HasTime = sourceTime(f.num); !m.HasTime {
				return fmt.Errorf("%w: the time of a metric is not a time", errPayload)
			}
		case keyType:
			m.Type = DataType(min(f.num, math.MaxUint32))
		case keyHistorical:
			m.Historical = f.num != 0
		case keyTransient:
			m.Transient = f.num != 0
		case keyNull:
			m.Null = f.num != 0
		case keyProperties:
			if err := p.decodeProperties(m, f.bytes); err != nil {
				return err
			}
		case keyInt:
			m.Value = Value{Form: Int, Bits: f.num}
		case keyLong:
			m.Value = UInt64Value(f.num)
		case keyFloat:
			m.Value = Value{Form: Single, Bits: double(f.num)}
		case keyDouble:
			m.Value = Value{Form: Real, Bits: f.num}
		case keyBool:
			m.Value = BoolValue(f.num != 0)
		case keyString:
			m.Value = TextValue(text(f.bytes))
		default:
			if n := f.key >> 3; n >= 16 && n <= 19 && f.key&7 == 2 { // bytes, data set, template, extension
				m.Value = Value{Form: Raw, Bytes: f.bytes}
			}
		}
	}
}

// common reads the three fields that every sample of DATA consists of, as far as
// they stand at the front of b, and returns what follows. It leaves what it does
// not take to the general way.
func (m *Metric) common(b []byte) []byte {
	for len(b) > 8 {
		switch b[0] {
		case keyAlias:
			v, n := binary.Uvarint(b[1:])
			if n <= 0 {
				return b
			}
			m.Alias, m.HasAlias, b = v, true, b[1+n:]
		case keyTime:
			v, n := binary.Uvarint(b[1:])
			at, ok := sourceTime(v)
			if n <= 0 || !ok {
				return b
			}
			m.Time, m.HasTime, b = at, true, b[1+n:]
		case keyDouble:
			m.Value, b = Value{Form: Real, Bits: binary.LittleEndian.Uint64(b[1:])}, b[9:]
		default:
			return b
		}
	}
	return b
}

// double turns the bits of a float32 into those of the equal float64.
func double(bits uint64) uint64 {
	return math.Float64bits(float64(math.Float32frombits(uint32(bits))))
}

// sourceTime turns milliseconds of the wire into nanoseconds. Times before 1970
// come as the two's complement.
func sourceTime(ms uint64) (ns int64, ok bool) {
	v := int64(ms)
	return v * millisecond, v >= math.MinInt64/millisecond && v <= math.MaxInt64/millisecond
}

// text copies a string field. What is not UTF-8 is repaired rather than
// refused: one sloppy name must not cost a birth.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// decodeProperties reads a property set: a list of keys and a list of values,
// the n-th of one belonging to the n-th of the other. Quality and StatusCode
// become the metric's quality, the rest its properties.
func (p *Payload) decodeProperties(m *Metric, b []byte) error {
	start := len(p.props)
	values := start
	var hasStatus bool
	for r := (reader{b: b}); ; {
		f, ok := r.next()
		if !ok {
			if r.err != nil {
				return r.err
			}
			break
		}
		switch f.key {
		case keyPropKey:
			if len(p.props)-start == MaxProperties {
				return fmt.Errorf("%w: more than %d properties", errPayload, MaxProperties)
			}
			p.props = append(p.props, Property{Key: propertyKey(f.bytes)})
		case keyPropValue:
			if values == len(p.props) {
				return fmt.Errorf("%w: a property without a key", errPayload)
			}
			if err := decodeProperty(&p.props[values], f.bytes); err != nil {
				return err
			}
			values++
		}
	}
	if values != len(p.props) { // tck-id-payloads-propertyset-keys-array-size
		return fmt.Errorf("%w: %d property keys, %d values", errPayload, len(p.props)-start, values-start)
	}
	kept := start
	for i := start; i < values; i++ {
		q := &p.props[i]
		switch {
		case q.Key == keyStatusCode && q.Value.whole():
			m.Quality, hasStatus = plant.Quality(uint32(q.Value.Bits)), true
		case q.Key == keyQuality && q.Value.whole():
			if !hasStatus {
				m.Quality = qualityOfSpark(q.Value.Bits)
			}
		default:
			p.props[kept] = *q
			kept++
		}
	}
	p.props = p.props[:kept]
	m.Properties = p.props[start:kept:kept]
	return nil
}

// propertyKey saves the allocation for the keys that DATA carries.
func propertyKey(b []byte) string {
	switch string(b) {
	case keyQuality:
		return keyQuality
	case keyStatusCode:
		return keyStatusCode
	}
	return text(b)
}

func decodeProperty(p *Property, b []byte) error {
	for r := (reader{b: b}); ; {
		f, ok := r.next()
		if !ok {
			return r.err
		}
		switch f.key {
		case keyPropType:
			p.Type = DataType(min(f.num, math.MaxUint32))
		case keyPropNull:
			p.Null = f.num != 0
		case keyPropInt:
			p.Value = Value{Form: Int, Bits: f.num}
		case keyPropLong:
			p.Value = UInt64Value(f.num)
		case keyPropFloat:
			p.Value = Value{Form: Single, Bits: double(f.num)}
		case keyPropDouble:
			p.Value = Value{Form: Real, Bits: f.num}
		case keyPropBool:
			p.Value = BoolValue(f.num != 0)
		case keyPropString:
			p.Value = TextValue(text(f.bytes))
		}
	}
}

// field is one protobuf field: num for numbers, bytes for what has a length.
type field struct {
	key   uint64 // number<<3 | wire type
	num   uint64
	bytes []byte
}

// reader walks over the fields of a message.
type reader struct {
	b   []byte
	err error
}

// next returns the next field, or false at the end and on an error.
func (r *reader) next() (f field, ok bool) {
	if len(r.b) == 0 {
		return f, false
	}
	if f.key, ok = r.uvarint(); !ok || f.key>>3 == 0 || f.key>>32 != 0 {
		return f, r.fail("a field number")
	}
	switch f.key & 7 {
	case 0:
		if f.num, ok = r.uvarint(); !ok {
			return f, r.fail("a number")
		}
	case 1:
		if len(r.b) < 8 {
			return f, r.fail("eight bytes")
		}
		f.num, r.b = binary.LittleEndian.Uint64(r.b), r.b[8:]
	case 2:
		n, ok := r.uvarint()
		if !ok || n > uint64(len(r.b)) {
			return f, r.fail("a length")
		}
		f.bytes, r.b = r.b[:n:n], r.b[n:]
	case 5:
		if len(r.b) < 4 {
			return f, r.fail("four bytes")
		}
		f.num, r.b = uint64(binary.LittleEndian.Uint32(r.b)), r.b[4:]
	default:
		return f, r.fail("a wire type")
	}
	return f, true
}

func (r *reader) fail(what string) bool {
	r.err = fmt.Errorf("%w: broken or cut off in %s", errPayload, what)
	return false
}

func (r *reader) uvarint() (uint64, bool) {
	if len(r.b) > 0 && r.b[0] < 0x80 { // most numbers have one byte
		v := uint64(r.b[0])
		r.b = r.b[1:]
		return v, true
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		return 0, false
	}
	r.b = r.b[n:]
	return v, true
}
