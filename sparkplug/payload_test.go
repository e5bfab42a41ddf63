package sparkplug

import (
	"encoding/hex"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"millwright/plant"

	"pgregory.net/rapid"
)

// unhex reads bytes with comments: everything behind a # is left out.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "#")
		b.WriteString(strings.Join(strings.Fields(line), ""))
	}
	out, err := hex.DecodeString(b.String())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// handmade is a DDATA written down by hand from the field numbers.
const handmade = `
08 80 d0 95 ff bc 31            # payload time 1700000000000 ms (varint)
12 16                           # metric, 22 bytes
   10 2a                        #   alias 42
   18 d2 d0 95 ff bc 31         #   time 1700000000082 ms
   69 00 00 00 00 00 00 f8 3f   #   double 1.5
   28 01                        #   is_historical
   30 01                        #   is_transient
12 33                           # metric, 51 bytes
   10 ac 02                     #   alias 300
   18 80 d0 95 ff bc 31         #   time
   38 01                        #   is_null
   4a 25                        #   properties, 37 bytes
      0a 07 51 75 61 6c 69 74 79                       # key Quality
      0a 0a 53 74 61 74 75 73 43 6f 64 65              # key StatusCode
      12 04 08 03 18 00                                # Int32 0
      12 08 08 07 18 80 80 b0 84 08                    # UInt32 0x808C0000
18 07                           # seq 7
`

func TestDecodeHandmade(t *testing.T) {
	var p Payload
	if err := p.Decode(unhex(t, handmade)); err != nil {
		t.Fatal(err)
	}
	const at = 1700000000000 * millisecond
	if p.Time != at || !p.HasSeq || p.Seq != 7 || len(p.Metrics) != 2 {
		t.Fatalf("%+v", p)
	}
	want := []Metric{
		{Alias: 42, HasAlias: true, HasTime: true, Time: at + 82*millisecond, Historical: true, Transient: true, Value: DoubleValue(1.5)},
		{Alias: 300, HasAlias: true, HasTime: true, Time: at, Null: true, Quality: plant.BadSensorFailure},
	}
	for i := range want {
		got := p.Metrics[i]
		got.Properties = nil
		if !reflect.DeepEqual(got, want[i]) {
			t.Errorf("metric %d: %+v, want %+v", i, got, want[i])
		}
	}
}

// The encoder writes, byte for byte, what a hand would (fields ascending).
func TestEncodeHandmade(t *testing.T) {
	var p Payload
	p.Begin(1700000000000*millisecond, 3)
	p.AddSample(plant.Sample{Time: 1700000000001 * millisecond, Value: -2}, 5, true)
	want := unhex(t, `
		08 80 d0 95 ff bc 31
		12 14  10 05  18 81 d0 95 ff bc 31  28 01  69 00 00 00 00 00 00 00 c0
		18 03`)
	if got := p.AppendTo(nil); !slices.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func TestDecodeTolerates(t *testing.T) {
	var p Payload
	one := func(what, hexed string) *Metric {
		t.Helper()
		if err := p.Decode(unhex(t, hexed)); err != nil || len(p.Metrics) != 1 {
			t.Fatalf("%s: %d metrics, %v", what, len(p.Metrics), err)
		}
		return &p.Metrics[0]
	}
	if m := one("unknown fields of every wire type", `
		f8 7f 01  f9 7f 0102030405060708  fa 7f 02 abcd  fd 7f 01020304
		12 0e  10 01 f8 7f 05 fa 7f 01 00 50 07 c8 01 09`); m.Value.Form != Int || m.Value.Bits != 7 {
		t.Errorf("unknown fields: %+v", m)
	}
	if m := one("data set", "12 06 10 01 8a 01 01 08"); m.Value.Form != Raw || len(m.Value.Bytes) != 1 {
		t.Errorf("data set: %+v", m)
	}
	if m := one("template", "12 06 10 01 92 01 01 08"); m.Value.Form != Raw {
		t.Errorf("template: %+v", m)
	}
	if m := one("metadata", "12 06 10 01 42 02 ffff"); m.Alias != 1 {
		t.Errorf("metadata: %+v", m)
	}
	if m := one("name that is not UTF-8", "12 04 0a 02 61 ff"); m.Name != "a\uFFFD" {
		t.Errorf("name: %q", m.Name)
	}
	if m := one("nested property set", "12 0b 4a 09  0a 01 78  12 04 08 14 4a 00"); len(m.Properties) != 1 || m.Properties[0].Value.Form != None {
		t.Errorf("nested set: %+v", m)
	}
	if m := one("quality of OPC Classic without a status code", "12 11 4a 0f 0a 07 5175616c697479 12 04 08 03 18 44"); m.Quality != plant.Uncertain {
		t.Errorf("quality: %v", m.Quality)
	}
	if m := one("time before 1970", "12 0b 18 ff ff ff ff ff ff ff ff ff 01"); m.Time != -millisecond {
		t.Errorf("time: %d", m.Time)
	}
}

func TestDecodeRefuses(t *testing.T) {
	var p Payload
	refuse := func(what string, b []byte) {
		t.Helper()
		if err := p.Decode(b); err == nil {
			t.Errorf("%s was read as %+v", what, p.Metrics)
		}
	}
	refuse("a cut varint", unhex(t, "08 80"))
	refuse("a length beyond the end", unhex(t, "12 05 10 01"))
	refuse("field number 0", unhex(t, "00 01"))
	refuse("a group", unhex(t, "0b 0c"))
	refuse("seq 256", unhex(t, "18 80 02"))
	refuse("more keys than values", unhex(t, "12 07 4a 05 0a 01 61 0a 00"))
	refuse("a value without a key", unhex(t, "12 04 4a 02 12 00"))
	refuse("a time beyond 2262", unhex(t, "12 0b 18 ff ff ff ff ff ff ff ff 7f 10 01"))
	refuse("too many metrics", slices.Repeat([]byte{0x12, 0}, MaxMetrics+1))
	refuse("too many bytes", make([]byte, MaxPayload+1))
	refuse("too many properties", metricOf(slices.Repeat([]byte{0x0a, 0}, MaxProperties+1)))
}

// metricOf wraps a property set into a message.
func metricOf(set []byte) []byte {
	b := append([]byte{0x12, 0, 0x4a, 0}, set...)
	b = closeLength(b, 4)
	return closeLength(b, 2)
}

func TestNumbers(t *testing.T) {
	number := func(v Value, as DataType, want float64) {
		t.Helper()
		if got, ok := v.Number(as); !ok || got != want {
			t.Errorf("%+v as %d: %v, %v; want %v", v, as, got, ok, want)
		}
	}
	number(UInt32Value(0xFE), Int8, -2)       // cut to its width
	number(UInt32Value(0xFFFFFFFE), Int8, -2) // sign-extended
	number(UInt32Value(0xFFFE), Int16, -2)
	number(UInt32Value(0xFFFFFFFE), Int16, -2)
	number(UInt32Value(0xFFFFFFFE), Int32, -2)
	number(UInt64Value(0xFFFFFFFFFFFFFFFE), Int32, -2)
	number(UInt64Value(0xFFFFFFFFFFFFFFFE), Int64, -2)
	number(UInt64Value(0xFFFFFFFE), UInt32, 4294967294)
	number(UInt32Value(200), UInt8, 200)
	number(UInt32Value(60000), UInt16, 60000)
	number(UInt64Value(1<<63), UInt64, 1<<63)
	number(UInt64Value(1700000000000), DateTime, 1700000000000)
	number(UInt32Value(3), Boolean, 1)
	number(BoolValue(true), Boolean, 1)
	number(BoolValue(false), Boolean, 0)
	number(Value{Form: Single, Bits: double(uint64(math.Float32bits(1.25)))}, Float, 1.25)
	number(DoubleValue(math.Inf(-1)), Double, math.Inf(-1))
	number(UInt32Value(7), Unknown, 7)
	if _, ok := TextValue("1").Number(String); ok {
		t.Error("a text is a number")
	}
	if _, ok := (Value{}).Number(Double); ok {
		t.Error("nothing is a number")
	}
}

func drawValue(t *rapid.T) Value {
	switch rapid.IntRange(0, 5).Draw(t, "form") {
	case 0:
		return UInt32Value(rapid.Uint32().Draw(t, "int"))
	case 1:
		return UInt64Value(rapid.Uint64().Draw(t, "long"))
	case 2:
		return Value{Form: Single, Bits: double(uint64(math.Float32bits(rapid.Float32().Draw(t, "float"))))}
	case 3:
		return DoubleValue(rapid.Float64().Draw(t, "double"))
	case 4:
		return BoolValue(rapid.Bool().Draw(t, "bool"))
	}
	return TextValue(rapid.String().Draw(t, "text"))
}

func drawTime(t *rapid.T) int64 {
	const end = math.MaxInt64 / millisecond
	return rapid.Int64Range(-end, end).Draw(t, "ms") * millisecond
}

// What is encoded comes back, in a payload that has been used before.
func TestRoundTrip(t *testing.T) {
	var back Payload
	rapid.Check(t, func(t *rapid.T) {
		var p Payload
		p.Begin(rapid.Int64Range(1, math.MaxInt64/millisecond).Draw(t, "at")*millisecond, rapid.Byte().Draw(t, "seq"))
		for range rapid.IntRange(0, 8).Draw(t, "metrics") {
			m := Metric{
				Name: rapid.StringN(0, 200, 400).Draw(t, "name"), Alias: rapid.Uint64().Draw(t, "alias"),
				HasAlias: true, HasTime: true, Time: drawTime(t),
				Historical: rapid.Bool().Draw(t, "h"), Transient: rapid.Bool().Draw(t, "t"),
				Type:    DataType(rapid.IntRange(0, 34).Draw(t, "type")),
				Quality: plant.Quality(rapid.Uint32().Draw(t, "q")),
			}
			if m.Null = rapid.Bool().Draw(t, "null"); !m.Null {
				m.Value = drawValue(t)
			}
			for range rapid.IntRange(0, 3).Draw(t, "props") {
				m.Properties = append(m.Properties, Property{
					Key: "k" + rapid.String().Draw(t, "key"), Type: String, Value: drawValue(t)})
			}
			p.Metrics = append(p.Metrics, m)
		}
		if err := back.Decode(p.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		if back.Time != p.Time || back.Seq != p.Seq || !back.HasSeq || len(back.Metrics) != len(p.Metrics) {
			t.Fatalf("got %+v, want %+v", back, p)
		}
		for i := range p.Metrics {
			got, want := back.Metrics[i], p.Metrics[i]
			if len(got.Properties) == 0 && len(want.Properties) == 0 {
				got.Properties, want.Properties = nil, nil
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("metric %d: got %+v, want %+v", i, got, want)
			}
		}
	})
}

// An NBIRTH names the openings of which there are records.
func TestOpenings(t *testing.T) {
	var p Payload
	if list, err := p.Openings(); list != nil || err != nil {
		t.Error(list, err)
	}
	p.DeclareOpenings(1, []uint64{5, MaxNumber})
	if list, err := p.Openings(); err != nil || !slices.Equal(list, []uint64{5, MaxNumber}) {
		t.Error(list, err)
	}
	for _, bad := range []string{"", ",", "5,", "0", "-1", "x", "9007199254740992", strings.Repeat("5,", maxOpenings) + "5"} {
		p.Reset()
		p.Declare(1, MetricQueueOpenings, 0, String, TextValue(bad), true)
		if list, err := p.Openings(); err == nil {
			t.Errorf("%.20q is %d openings", bad, len(list))
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(unhex(f, handmade))
	var p Payload
	p.SetNodeBirth(1700000000000*millisecond, 9)
	p.DeclareQueue(1, QueueAliases{1, 2, 3}, 77, 1)
	p.Declare(1, "a/b", 4, Double, DoubleValue(3), false).Properties = TagProperties(nil,
		&plant.Tag{Unit: "mm/s", High: 3, Kind: plant.Analog, Resolution: 0.1, Derived: true})
	f.Add(p.AppendTo(nil))
	p.DeclareOpenings(1, []uint64{5, 77})
	f.Add(p.AppendTo(nil))
	f.Add([]byte{0x12, 0x02, 0x4a, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, again Payload
		if p.Decode(b) != nil {
			return
		}
		p.Command()
		if list, err := p.Openings(); err == nil && list != nil {
			again.Begin(1, 0)
			again.DeclareOpenings(1, list)
			if same, err := again.Openings(); err != nil || !slices.Equal(same, list) {
				t.Fatalf("openings %v became %v, %v", list, same, err)
			}
		}
		for i := range p.Metrics {
			TagOf(&p.Metrics[i])
			p.Metrics[i].Value.Number(p.Metrics[i].Type)
		}
		if err := again.Decode(p.AppendTo(nil)); err != nil {
			t.Fatalf("%+v cannot be read back: %v", p, err)
		}
		if len(again.Metrics) != len(p.Metrics) {
			t.Fatalf("%d metrics became %d", len(p.Metrics), len(again.Metrics))
		}
	})
}

// sampled is a record of n samples as an edge sends it.
func sampled(p *Payload, n int) {
	p.Begin(1700000000000*millisecond, 1)
	for i := range n {
		p.AddSample(plant.Sample{Time: (1700000000000 + int64(i)) * millisecond, Value: 1.5 * float64(i)}, uint64(i+1), false)
	}
	p.AddQueue(1700000000000*millisecond, QueueAliases{1001, 1002, 1003}, 1<<52, 77, 0, false)
}

func TestNoAllocation(t *testing.T) {
	var p, q Payload
	sampled(&p, 500)
	p.Metrics[3].Quality = plant.BadSensorFailure
	buf := p.AppendTo(nil)
	if err := q.Decode(buf); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { buf = p.AppendTo(buf[:0]) }); n != 0 {
		t.Errorf("encoding allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := q.Decode(buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("decoding allocates %v times", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	var p Payload
	var buf []byte
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		sampled(&p, 500)
		buf = p.AppendTo(buf[:0])
		n += 500
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/sample")
	b.ReportMetric(float64(len(buf))/500, "B/sample")
}

func BenchmarkDecode(b *testing.B) {
	var p Payload
	sampled(&p, 500)
	buf := p.AppendTo(nil)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := p.Decode(buf); err != nil {
			b.Fatal(err)
		}
		n += 500
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/sample")
}
