package collector

import (
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// bodyWriter encodes what the tests read.
type bodyWriter struct{ b []byte }

func (w *bodyWriter) put(list ...any) *bodyWriter {
	for _, v := range list {
		switch v := v.(type) {
		case string:
			w.b = binary.LittleEndian.AppendUint32(w.b, uint32(len(v)))
			w.b = append(w.b, v...)
		case []byte:
			w.b = append(w.b, v...)
		default:
			var err error
			if w.b, err = binary.Append(w.b, binary.LittleEndian, v); err != nil {
				panic(err)
			}
		}
	}
	return w
}

func encoded(t testing.TB, v interface{ Encode() ([]byte, error) }) []byte {
	t.Helper()
	b, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// one is a structure of fields that are no structures.
func one(name string, kind ua.StructureType, fields ...member) *structure {
	return &structure{name: name, kind: kind, fields: fields}
}

func TestReadBody(t *testing.T) {
	bearing := one("Bearing", 0, member{name: "Label", kind: ua.TypeIDString}, member{name: "T", kind: ua.TypeIDFloat})
	tree := one("Tree", 0, member{name: "V", kind: ua.TypeIDByte})
	tree.fields = append(tree.fields, member{name: "Below", of: tree, rank: 1})
	all := one("All", 0, member{name: "Bool", kind: ua.TypeIDBoolean}, member{name: "I8", kind: ua.TypeIDSByte}, member{name: "U64", kind: ua.TypeIDUint64},
		member{name: "Double", kind: ua.TypeIDDouble}, member{name: "Time", kind: ua.TypeIDDateTime}, member{name: "Guid", kind: ua.TypeIDGUID},
		member{name: "Bytes", kind: ua.TypeIDByteString}, member{name: "Node", kind: ua.TypeIDNodeID}, member{name: "Far", kind: ua.TypeIDExpandedNodeID},
		member{name: "Status", kind: ua.TypeIDStatusCode}, member{name: "Name", kind: ua.TypeIDQualifiedName}, member{name: "Text", kind: ua.TypeIDLocalizedText},
		member{name: "Diag", kind: ua.TypeIDDiagnosticInfo}, member{name: "Last", kind: ua.TypeIDInt32})
	when := time.Date(2026, 11, 30, 4, 5, 6, 7_000_000, time.UTC)
	ticks := uint64(when.UnixNano()/100 + 116_444_736_000_000_000)
	far := ua.NewExpandedNodeID(ua.NewStringNodeID(2, "pump"), "urn:x", 3)
	allBody := new(bodyWriter).put(true, int8(-5), uint64(1<<60), 2.5, ticks, make([]byte, 16), "xyz",
		encoded(t, ua.NewNumericNodeID(2, 70000)), encoded(t, far), uint32(0x80310000), uint16(3), "name", []byte{3}, "en", "hello",
		[]byte{0x7F}, int32(1), int32(2), int32(3), int32(4), "more", uint32(9), []byte{0x01}, int32(8), int32(77)).b
	optional := one("Optional", ua.StructureTypeStructureWithOptionalFields, member{name: "A", kind: ua.TypeIDInt32, optional: true},
		member{name: "Always", kind: ua.TypeIDInt16}, member{name: "B", kind: ua.TypeIDDouble, optional: true})
	union := one("Union", ua.StructureTypeUnion, member{name: "Number", kind: ua.TypeIDDouble}, member{name: "Text", kind: ua.TypeIDString})
	outer := one("Outer", 0, member{name: "Bearing", of: bearing}, member{name: "List", of: bearing, rank: 1}, member{name: "Phase", kind: ua.TypeIDInt16, rank: 1},
		member{name: "Matrix", kind: ua.TypeIDInt32, rank: 2}, member{name: "Any", kind: ua.TypeIDVariant}, member{name: "Value", kind: ua.TypeIDDataValue},
		member{name: "Wrapped", kind: ua.TypeIDExtensionObject}, member{name: "Last", kind: ua.TypeIDInt32})
	outerBody := new(bodyWriter).put("one", float32(1.5), int32(2), "first", float32(2.5), "second", float32(3.5), int32(3), []int16{7, 8, 9},
		int32(2), int32(2), int32(3), []int32{1, 2, 3, 4, 5, 6}, []byte{byte(ua.TypeIDFloat) | 0x80}, int32(2), []float32{10, 11},
		[]byte{ua.DataValueValue | ua.DataValueStatusCode | ua.DataValueSourceTimestamp, byte(ua.TypeIDUint16)}, uint16(300), uint32(0x408F0000), ticks,
		encoded(t, ua.NewFourByteExpandedNodeID(2, 5001)), []byte{1}, int32(4+1+4), "w", float32(9.5), int32(42)).b
	known := structures{ua.NewNumericNodeID(2, 5001).String(): bearing}

	for _, c := range []struct {
		s    *structure
		body []byte
		want map[string]any
		lack []string
	}{
		{all, allBody, map[string]any{"Bool": true, "I8": int8(-5), "U64": uint64(1 << 60), "Double": 2.5, "Time": "2026-11-30T04:05:06.007Z",
			"Guid": "00000000-0000-0000-0000-000000000000", "Node": "ns=2;i=70000", "Far": "ns=2;s=pump", "Status": uint32(0x80310000), "Name": "name", "Last": int32(77)},
			[]string{"Diag", "last", "Last.X", "Last[0]"}},
		{optional, new(bodyWriter).put(uint32(2), int16(6), 8.25).b, map[string]any{"Always": int16(6), "B": 8.25}, []string{"A"}},
		{optional, new(bodyWriter).put(uint32(1), int32(3), int16(6)).b, map[string]any{"Always": int16(6), "A": int32(3)}, []string{"B"}},
		{union, new(bodyWriter).put(uint32(1), 4.5).b, map[string]any{"Number": 4.5}, []string{"Text"}},
		{union, new(bodyWriter).put(uint32(2), "x").b, map[string]any{"Text": "x"}, []string{"Number"}},
		{union, new(bodyWriter).put(uint32(0)).b, nil, []string{"Number", "Text"}},
		{outer, outerBody, map[string]any{"Bearing.Label": "one", "Bearing.T": float32(1.5), "List[1].Label": "second", "List[0].T": float32(2.5), "Phase[2]": int16(9),
			"Phase": []int16{7, 8, 9}, "Matrix[5]": int32(6), "Any[1]": float32(11), "Any": []float32{10, 11}, "Value": uint16(300), "Wrapped.T": float32(9.5), "Last": int32(42)},
			[]string{"List[2].T", "Phase[3]", "List", "Bearing", "Matrix[6]", "Wrapped"}},
		{tree, new(bodyWriter).put(byte(1), int32(2), byte(2), int32(0), byte(3), int32(1), byte(4), int32(-1)).b,
			map[string]any{"V": byte(1), "Below[1].Below[0].V": byte(4)}, []string{"Below[0].Below[0].V"}},
	} {
		var want branch
		var ways []string
		for w := range c.want {
			ways = append(ways, w)
		}
		ways = append(ways, c.lack...)
		for i, w := range ways {
			way, err := plant.ParseField(w)
			if err != nil {
				t.Fatal(err)
			}
			want.grow(way, i)
		}
		got, err := known.read(nil, c.s, c.body, &want)
		if err != nil {
			t.Errorf("%s: %v", c.s.name, err)
			continue
		}
		values := map[string]any{}
		for _, f := range got {
			values[ways[f.tag]] = f.value
			if (ways[f.tag] == "Value") != (f.status != 0) {
				t.Errorf("%s: status %v", ways[f.tag], f.status)
			}
		}
		if c.want == nil {
			c.want = map[string]any{}
		}
		if !reflect.DeepEqual(values, c.want) {
			t.Errorf("%s: got %v, want %v", c.s.name, values, c.want)
		}
		// A byte less, a byte more: not as described.
		for _, bad := range [][]byte{c.body[:len(c.body)-1], append(c.body[:len(c.body):len(c.body)], 0)} {
			if got, err := known.read(nil, c.s, bad, &want); err == nil || len(got) > 0 {
				t.Errorf("%s: %d bytes for %d: %v, %v", c.s.name, len(bad), len(c.body), got, err)
			}
		}
	}
	if got, err := known.read(nil, optional, new(bodyWriter).put(uint32(4), int16(1)).b, &branch{}); err == nil {
		t.Errorf("a bit of no field: %v", got)
	}
}

// TestBodyBounds: what a hostile server sends costs a bounded effort.
func TestBodyBounds(t *testing.T) {
	empty := one("Empty", 0)
	loop := one("Loop", 0)
	loop.fields = []member{{name: "Again", of: loop}}
	lists := one("Lists", 0)
	for range 2000 {
		lists.fields = append(lists.fields, member{name: "L", of: empty, rank: 1})
	}
	var long bodyWriter
	for range 2000 {
		long.put(int32(4000))
	}
	deep := make([]byte, 1<<20)
	for i := range deep {
		deep[i] = byte(ua.TypeIDVariant)
	}
	for name, c := range map[string]struct {
		s    *structure
		body []byte
	}{
		"a structure within itself":   {loop, nil},
		"lists of nothing":            {lists, long.b},
		"variants in each other":      {one("V", 0, member{name: "V", kind: ua.TypeIDVariant}), deep},
		"a list longer than the body": {one("L", 0, member{name: "L", kind: ua.TypeIDByte, rank: 1}), new(bodyWriter).put(int32(math.MaxInt32), "x").b},
		"a matrix beyond all numbers": {one("M", 0, member{name: "M", kind: ua.TypeIDByte, rank: 3}), new(bodyWriter).put(int32(3), int32(math.MaxInt32), int32(math.MaxInt32), int32(4)).b},
	} {
		begin := time.Now()
		if _, err := (structures{}).read(nil, c.s, c.body, &branch{}); err == nil {
			t.Errorf("%s: taken", name)
		}
		if d := time.Since(begin); d > 10*time.Second {
			t.Errorf("%s: %v", name, d)
		}
	}
}

// FuzzReadBody: a description and bytes that need not fit each other.
func FuzzReadBody(f *testing.F) {
	f.Add([]byte{0, 12, 0, 0, 10, 1, 0}, new(bodyWriter).put("one", int32(1), float32(1.5)).b)
	f.Add([]byte{1, 6, 0, 1, 11, 0, 1}, new(bodyWriter).put(uint32(2), 2.5).b)
	f.Add([]byte{2, 24, 0, 0, 25, 0, 0, 22, 1, 0}, new(bodyWriter).put(uint32(1), []byte{6}, int32(7)).b)
	f.Fuzz(func(t *testing.T, shape, body []byte) {
		if len(shape) == 0 {
			return
		}
		s := &structure{name: "S", kind: ua.StructureType(shape[0] % 5)}
		var want branch
		for i := 1; i+2 < len(shape) && len(s.fields) < 50; i += 3 {
			m := member{name: string(rune('a' + len(s.fields))), kind: ua.TypeID(shape[i] % 27), rank: int32(shape[i+1]) % 4, optional: shape[i+2]&1 != 0}
			if shape[i+2]&2 != 0 {
				m.of = s
			}
			s.fields = append(s.fields, m)
			want.grow([]plant.FieldStep{{Name: m.name}}, i)
			want.grow([]plant.FieldStep{{Name: m.name}, {Index: 1}}, i+1)
			want.grow([]plant.FieldStep{{Name: m.name}, {Name: "a"}}, i+2)
		}
		known := structures{ua.NewNumericNodeID(0, 1).String(): s}
		got, err := known.read(nil, s, body, &want)
		if err != nil && len(got) > 0 {
			t.Fatal("values of a body that is wrong")
		}
		if len(got) > 4*len(body)+1000 {
			t.Fatalf("%d values of %d bytes", len(got), len(body))
		}
		for _, x := range got {
			if _, err := ua.NewVariant(x.value); err != nil && !strings.Contains(err.Error(), "not supported") {
				t.Fatal(err)
			}
		}
	})
}

// TestRawBody: the codec keeps the bytes of an id that it did not know, says so
// twice without harm, and goes on knowing OPC UA's own types.
func TestRawBody(t *testing.T) {
	id := ua.NewNumericNodeID(77, 5001)
	for range 2 {
		if err := keepRaw(id); err != nil {
			t.Fatal(err)
		}
	}
	if err := keepRaw(ua.NewNumericNodeID(0, 886)); err != nil { // of Range
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 300} {
		b := new(bodyWriter).put(encoded(t, ua.NewNumericExpandedNodeID(77, 5001)), []byte{1}, int32(n), make([]byte, n)).b
		var x ua.ExtensionObject
		if _, err := x.Decode(b); err != nil {
			t.Fatal(err)
		}
		if got, err := rawBytes(&x); err != nil || len(got) != n {
			t.Errorf("%d bytes for %d, %v", len(got), n, err)
		}
	}
	x := ua.NewExtensionObject(&ua.Range{Low: 1, High: 2})
	var again ua.ExtensionObject
	if _, err := again.Decode(encoded(t, x)); err != nil {
		t.Fatal(err)
	}
	if got, err := rawBytes(&again); err != nil || len(got) != 16 {
		t.Errorf("a range of %d bytes, %v", len(got), err)
	}
}
