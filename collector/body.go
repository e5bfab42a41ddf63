package collector

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gopcua/opcua/ua"
)

const mostDeep = 64 // structures, variants and diagnostics in each other

// errLayout is the reason of a body that is not as the server describes it.
var errLayout = errors.New("the bytes are not as the server describes them")

// found is a field's value as a tag wants it.
type found struct {
	tag    int
	value  any // what a Variant holds
	names  texts
	status ua.StatusCode
}

// bodyReader reads a structure in the binary encoding (OPC 10000-6, 5.2.6 to
// 5.2.8) and picks from it what tags want. What comes is from outside: it takes at
// most a fixed effort for each byte and for each level.
type bodyReader struct {
	reader
	types structures
	left  int // values that may still come
	found []found
}

// read appends the wanted fields of one body to dst.
func (t structures) read(dst []found, s *structure, body []byte, want *branch) ([]found, error) {
	r := bodyReader{reader: reader{b: body}, types: t, left: 4*len(body) + 1000, found: dst}
	r.structure(s, want, 0)
	switch {
	case r.err != nil:
		return dst, fmt.Errorf("%s: %w", s.name, errLayout)
	case len(r.b) > 0:
		return dst, fmt.Errorf("%s: %w: %d more", s.name, errLayout, len(r.b))
	}
	return r.found, nil
}

func (r *bodyReader) fail() {
	if r.err == nil {
		r.err = errLayout
	}
}

// spend reports whether a value may be read at this depth.
func (r *bodyReader) spend(depth int) bool {
	if r.left--; r.left < 0 || depth > mostDeep {
		r.fail()
	}
	return r.err == nil
}

func (r *bodyReader) structure(s *structure, want *branch, depth int) {
	if !r.spend(depth) {
		return
	}
	if s.broken {
		r.fail()
		return
	}
	if s.kind == ua.StructureTypeUnion || s.kind == ua.StructureTypeUnionWithSubtypedValues {
		r.union(s, want, depth)
		return
	}
	mask, bit := uint32(0), uint32(1)
	if s.kind == ua.StructureTypeStructureWithOptionalFields {
		mask = r.u32()
	}
	for i := range s.fields {
		f := &s.fields[i]
		if f.optional {
			there := mask&bit != 0
			bit <<= 1
			if !there {
				continue
			}
		}
		r.member(f, want.name(f.name), depth+1)
		if r.err != nil {
			return
		}
	}
	if mask >= bit && bit != 0 {
		r.fail() // a field that is not described
	}
}

// union reads the one field that is there, or none.
func (r *bodyReader) union(s *structure, want *branch, depth int) {
	switch n := r.u32(); {
	case n == 0:
	case int64(n) > int64(len(s.fields)):
		r.fail()
	default:
		f := &s.fields[n-1]
		r.member(f, want.name(f.name), depth+1)
	}
}

func (r *bodyReader) member(f *member, want *branch, depth int) {
	before := len(r.found)
	r.content(f, want, depth)
	for i := before; f.names != nil && i < len(r.found); i++ {
		r.found[i].names = f.names
	}
}

func (r *bodyReader) content(f *member, want *branch, depth int) {
	if f.rank <= 0 {
		r.element(f.kind, f.of, want, depth)
		return
	}
	n := r.i32()
	if f.rank > 1 { // the lengths of the dimensions come first
		n = r.product(n)
	}
	r.list(n, f.kind, f.of, want, depth)
}

// product reads n lengths and gives the number of elements.
func (r *bodyReader) product(n int32) int32 {
	total := int64(1)
	for range n {
		if d := int64(r.i32()); d <= 0 {
			total = 0
		} else if total *= d; total > math.MaxInt32 {
			r.fail()
		}
		if r.err != nil {
			return 0
		}
	}
	if n <= 0 {
		return 0
	}
	return int32(total)
}

// list reads n elements.
func (r *bodyReader) list(n int32, kind ua.TypeID, of *structure, want *branch, depth int) {
	if n <= 0 || r.err != nil {
		return
	}
	if int(n) > len(r.b) {
		r.fail()
		return
	}
	if want != nil && len(want.tags) > 0 && of == nil {
		r.whole(n, kind, want)
	}
	for i := range int(n) {
		r.element(kind, of, want.at(i), depth)
		if r.err != nil {
			return
		}
	}
}

// whole gives a list of numbers to the tags that want all of it. It stays to be
// read.
func (r *bodyReader) whole(n int32, kind ua.TypeID, want *branch) {
	size := numberSize(kind)
	if size == 0 || int(n)*size > len(r.b) {
		return
	}
	b := []byte{byte(kind) | ua.VariantArrayValues, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
	m := new(ua.Variant)
	if _, err := m.Decode(append(b, r.b[:int(n)*size]...)); err == nil {
		r.give(want, m.Value())
	}
}

// numberSize is how many bytes a number takes, 0 for what is none.
func numberSize(kind ua.TypeID) int {
	switch kind {
	case ua.TypeIDSByte, ua.TypeIDByte:
		return 1
	case ua.TypeIDInt16, ua.TypeIDUint16:
		return 2
	case ua.TypeIDInt32, ua.TypeIDUint32, ua.TypeIDFloat:
		return 4
	case ua.TypeIDInt64, ua.TypeIDUint64, ua.TypeIDDouble:
		return 8
	}
	return 0
}

// element reads one value and gives it to those who want it.
func (r *bodyReader) element(kind ua.TypeID, of *structure, want *branch, depth int) {
	if of != nil {
		r.structure(of, want, depth)
		return
	}
	if !r.spend(depth) {
		return
	}
	var v any
	switch kind {
	case ua.TypeIDBoolean:
		v = r.byte() != 0
	case ua.TypeIDSByte:
		v = int8(r.byte())
	case ua.TypeIDByte:
		v = r.byte()
	case ua.TypeIDInt16:
		v = int16(r.u16())
	case ua.TypeIDUint16:
		v = r.u16()
	case ua.TypeIDInt32:
		v = r.i32()
	case ua.TypeIDUint32, ua.TypeIDStatusCode:
		v = r.u32()
	case ua.TypeIDInt64:
		v = int64(r.u64())
	case ua.TypeIDUint64:
		v = r.u64()
	case ua.TypeIDFloat:
		v = math.Float32frombits(r.u32())
	case ua.TypeIDDouble:
		v = math.Float64frombits(r.u64())
	case ua.TypeIDString, ua.TypeIDXMLElement:
		v = string(r.bytes())
	case ua.TypeIDByteString:
		v = r.bytes()
	case ua.TypeIDDateTime:
		v = dateText(r.u64())
	case ua.TypeIDGUID:
		v = r.guid()
	case ua.TypeIDNodeID, ua.TypeIDExpandedNodeID:
		v = r.nodeID()
	case ua.TypeIDQualifiedName:
		r.u16()
		v = string(r.bytes())
	case ua.TypeIDLocalizedText:
		v = r.localized()
	case ua.TypeIDExtensionObject:
		r.extension(want, depth)
		return
	case ua.TypeIDDataValue:
		r.dataValue(want, depth)
		return
	case ua.TypeIDVariant:
		r.variant(want, depth)
		return
	case ua.TypeIDDiagnosticInfo:
		r.diagnostic(depth)
		return
	default:
		r.fail()
	}
	r.give(want, v)
}

func (r *bodyReader) give(want *branch, v any) {
	if want == nil || r.err != nil {
		return
	}
	for _, tag := range want.tags {
		r.found = append(r.found, found{tag: tag, value: v})
	}
}

// extension reads a structure in a structure that is not encoded in place
// (OPC 10000-6, 5.2.2.15).
func (r *bodyReader) extension(want *branch, depth int) {
	id := r.nodeID()
	mask := r.byte()
	if mask == ua.ExtensionObjectEmpty || r.err != nil {
		return
	}
	body := r.bytes()
	if want == nil || mask != ua.ExtensionObjectBinary || r.err != nil {
		return
	}
	s := r.types[id]
	if s == nil {
		return
	}
	in := bodyReader{reader: reader{b: body}, types: r.types, left: r.left, found: r.found}
	in.structure(s, want, depth+1)
	r.left, r.found = in.left, in.found
	if in.err != nil || len(in.b) > 0 {
		r.fail()
	}
}

func (r *bodyReader) variant(want *branch, depth int) {
	mask := r.byte()
	kind := ua.TypeID(mask & 0x3F)
	if kind == ua.TypeIDNull {
		return
	}
	if mask&ua.VariantArrayValues == 0 {
		r.element(kind, nil, want, depth+1)
		return
	}
	r.list(r.i32(), kind, nil, want, depth+1)
	if mask&ua.VariantArrayDimensions != 0 {
		r.product(r.i32())
	}
}

// dataValue takes a status that is not good over to the values in it
// (OPC 10000-6, 5.2.2.17).
func (r *bodyReader) dataValue(want *branch, depth int) {
	from := len(r.found)
	mask := r.byte()
	if mask&ua.DataValueValue != 0 {
		r.variant(want, depth+1)
	}
	if mask&ua.DataValueStatusCode != 0 {
		status := ua.StatusCode(r.u32())
		for i := range r.found[from:] {
			r.found[from+i].status = status
		}
	}
	for _, part := range [...]struct {
		bit  byte
		size int
	}{{ua.DataValueSourceTimestamp, 8}, {ua.DataValueSourcePicoseconds, 2}, {ua.DataValueServerTimestamp, 8}, {ua.DataValueServerPicoseconds, 2}} {
		if mask&part.bit != 0 {
			r.take(part.size)
		}
	}
}

// diagnostic passes over a DiagnosticInfo (OPC 10000-6, 5.2.2.12).
func (r *bodyReader) diagnostic(depth int) {
	if !r.spend(depth) {
		return
	}
	mask := r.byte()
	for _, bit := range [...]byte{0x01, 0x02, 0x08, 0x04} {
		if mask&bit != 0 {
			r.u32()
		}
	}
	if mask&0x10 != 0 {
		r.bytes()
	}
	if mask&0x20 != 0 {
		r.u32()
	}
	if mask&0x40 != 0 {
		r.diagnostic(depth + 1)
	}
}

func (r *bodyReader) localized() *ua.LocalizedText {
	mask := r.byte()
	t := new(ua.LocalizedText)
	if mask&ua.LocalizedTextLocale != 0 {
		t.Locale = string(r.bytes())
	}
	if mask&ua.LocalizedTextText != 0 {
		t.Text = string(r.bytes())
	}
	return t
}

// nodeID gives the text of a NodeId or an ExpandedNodeId.
func (r *bodyReader) nodeID() string {
	all := r.b
	first := r.byte()
	switch ua.NodeIDType(first & 0x3F) {
	case ua.NodeIDTypeTwoByte:
		r.take(1)
	case ua.NodeIDTypeFourByte:
		r.take(3)
	case ua.NodeIDTypeNumeric:
		r.take(6)
	case ua.NodeIDTypeString, ua.NodeIDTypeByteString:
		r.u16()
		r.bytes()
	case ua.NodeIDTypeGUID:
		r.take(18)
	default:
		r.fail()
	}
	if r.err != nil {
		return ""
	}
	id := new(ua.NodeID)
	if _, err := id.Decode(all[:len(all)-len(r.b)]); err != nil {
		r.fail()
		return ""
	}
	if first&0x80 != 0 {
		r.bytes()
	}
	if first&0x40 != 0 {
		r.u32()
	}
	return id.String()
}

func (r *bodyReader) guid() string {
	p := r.take(16)
	if p == nil {
		return ""
	}
	g := new(ua.GUID)
	if _, err := g.Decode(p); err != nil {
		r.fail()
		return ""
	}
	return g.String()
}

// bytes reads a string or byte string; what it gives belongs to the body.
func (r *bodyReader) bytes() []byte {
	n := r.i32()
	if n <= 0 {
		return nil
	}
	return r.take(int(n))
}

func (r *bodyReader) u16() uint16 {
	if p := r.take(2); p != nil {
		return uint16(p[0]) | uint16(p[1])<<8
	}
	return 0
}

func (r *bodyReader) i32() int32 { return int32(r.u32()) }

// dateText is a DateTime, 100 ns since 1601, in RFC 3339; empty where there is none.
func dateText(ticks uint64) string {
	const epoch = 116_444_736_000_000_000
	if ticks == 0 || ticks > math.MaxInt64 {
		return ""
	}
	since := int64(ticks) - epoch
	return time.Unix(since/1e7, since%1e7*100).UTC().Format(time.RFC3339Nano)
}
