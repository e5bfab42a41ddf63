package ledger

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millwright/plant"
)

func open(t testing.TB, path string, tags []plant.Tag) *Samples {
	t.Helper()
	s, err := OpenSamples(path, tags)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shut(t testing.TB, s *Samples) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// read gives what a log holds up to its first error.
func read(b []byte) (out []Offer, err error) {
	for o, e := range ReadSamples("s", bytes.NewReader(b)) {
		if e != nil {
			return out, e
		}
		out = append(out, o)
	}
	return out, nil
}

func alike(a, b Offer) bool {
	same := math.Float64bits(a.Value) == math.Float64bits(b.Value)
	a.Value, b.Value = 0, 0
	return same && a == b
}

func mixed() []plant.Tag {
	return []plant.Tag{
		{Path: "A/SPEED", Resolution: 0.05}, {Path: "A/MODE", Kind: plant.Text}, {Path: "A/CURRENT", Resolution: 4},
		{Path: "A/COUNT", Kind: plant.Discrete}, {Path: "REPLAY/Volume \"Flow\"; ü"}, {Path: "A/ODD", Resolution: math.Inf(1)},
		{Path: "A/VIB_W", Kind: plant.Burst},
	}
}

// Whatever is written is read again bit for bit, over any number of openings.
func TestSamplesComeBack(t *testing.T) {
	tags := mixed()
	path := filepath.Join(t.TempDir(), "samples")
	rapid.Check(t, func(t *rapid.T) {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		number := rapid.OneOf(
			rapid.Float64(), rapid.Map(rapid.Int32(), func(n int32) float64 { return math.Round(float64(n)) / 20 }),
			rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.NaN(), math.Float64frombits(0x7FF8000000000123), math.Inf(1), math.Inf(-1),
				0.1 + 0.2, 1 << 53, 1<<53 + 2, math.MaxFloat64, 5e-324}))
		ms := int64(1_700_000_000_000)
		var want []Offer
		for range rapid.IntRange(1, 3).Draw(t, "openings") {
			s, err := OpenSamples(path, tags)
			if err != nil {
				t.Fatal(err)
			}
			seq := make([]uint64, len(tags))
			for range rapid.IntRange(0, 6).Draw(t, "writes") {
				var vals []Value
				for range rapid.IntRange(0, 12).Draw(t, "values") {
					if rapid.Bool().Draw(t, "moves") {
						ms += rapid.Int64Range(-5000, 5000).Draw(t, "ms")
					}
					v := Value{Tag: rapid.IntRange(0, len(tags)-1).Draw(t, "tag"), Time: ms * 1e6,
						Quality: rapid.SampledFrom([]plant.Quality{0, plant.BadSensorFailure, math.MaxUint32}).Draw(t, "quality")}
					o := Offer{Tag: tags[v.Tag].Path, Time: v.Time, Quality: v.Quality, IsText: v.Tag == 1, IsBurst: v.Tag == 6}
					if o.IsText {
						v.Text = rapid.SampledFrom([]string{"", "a\n\"b\"", "rolling", "ü"}).Draw(t, "text")
						o.Text = v.Text
					} else {
						v.Number = number.Draw(t, "number")
						o.Value = v.Number
					}
					seq[v.Tag]++
					o.Seq = seq[v.Tag]
					vals, want = append(vals, v), append(want, o)
				}
				s.Write(vals)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(b)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d of %d values, %v", len(got), len(want), err)
		}
		for _, tag := range tags { // the order is that of each tag
			of := func(all []Offer) []Offer {
				return slices.DeleteFunc(slices.Clone(all), func(o Offer) bool { return o.Tag != tag.Path })
			}
			if g, w := of(got), of(want); !slices.EqualFunc(g, w, alike) {
				t.Fatalf("%+v\nwant %+v", g, w)
			}
		}
	})
}

// A kill leaves any beginning of what was written: all whole frames are read,
// and the next start goes on behind them.
func TestTornFrame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples")
	tags := mixed()
	put := func(from, n int) {
		s := open(t, path, tags)
		for i := range n {
			s.Write([]Value{{Tag: 0, Time: int64(from+i) * 1e9, Number: float64(from + i)}, {Tag: 1, Time: int64(from+i) * 1e9, Text: fmt.Sprint(from + i)}})
		}
		shut(t, s)
	}
	put(0, 3)
	whole := load(t, path)
	for cut := range whole {
		got, err := read(whole[:cut])
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		put(100, 1)
		again, err := read(load(t, path))
		if err != nil || len(again) != len(got)+2 || again[len(got)].Value != 100 || again[len(got)].Seq != 1 {
			t.Fatalf("cut at %d and continued: %+v, %v", cut, again, err)
		}
	}
}

// Every flipped bit is found, and named by the offset of its frame.
func TestFlippedBit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples")
	s := open(t, path, mixed())
	last := len(load(t, path))
	s.Write([]Value{{Tag: 0, Time: 1e9, Number: 1.05}, {Tag: 3, Time: 1e9, Number: 7}})
	shut(t, s)
	whole := load(t, path)
	for bit := range 8 * len(whole) {
		b := slices.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		_, err := read(b)
		want := "s: offset 0: "
		switch {
		case bit/8 >= last:
			want = fmt.Sprintf("s: offset %d: ", last)
		case bit/8 >= len(magic):
			want = fmt.Sprintf("s: offset %d: ", len(magic))
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Fatalf("bit %d of byte %d: %v, want %s…", bit%8, bit/8, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	f := func(content, want string) {
		t.Helper()
		path := filepath.Join(dir, "file")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := OpenSamples(path, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", content, s, err, want)
		}
	}
	f(`{"tag":"A","seq":1}`, "file: is no sample log of this version")
	f("X", "file: is no sample log of this version")
	f(magic+"\x01\x02\x03\x04\x05\x06\x07\x08", "offset 8: the length of a frame is damaged")
	for _, b := range [][]byte{
		body(9), body(sampleFrame, 0), body(sampleFrame, 0, 1, 0), body(sampleFrame, 0, 200), body(tableFrame, 1, 1, 'A'),
	} {
		if _, err := read(b); err == nil {
			t.Errorf("%q is read", b)
		}
	}
}

// body is a log of one frame.
func body(kind byte, b ...byte) []byte {
	out, err := frame([]byte(magic), kind, func(dst []byte) []byte { return append(dst, b...) })
	if err != nil {
		panic(err)
	}
	return out
}

// A caller may stop anywhere.
func TestReadSome(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples")
	s := open(t, path, mixed())
	for i := range 3 {
		s.Write([]Value{{Tag: 0, Number: float64(i)}, {Tag: 2, Number: float64(i)}})
	}
	shut(t, s)
	for stop := range 7 {
		n := 0
		for _, err := range ReadSamples("s", bytes.NewReader(load(t, path))) {
			if err != nil {
				t.Fatal(err)
			}
			if n == stop {
				break
			}
			n++
		}
		if n != min(stop, 6) {
			t.Errorf("%d values, want %d", n, stop)
		}
	}
}

func FuzzReadSamples(f *testing.F) {
	path := filepath.Join(f.TempDir(), "samples")
	s := open(f, path, mixed())
	s.Write([]Value{{Tag: 0, Time: 1e9, Number: 1.05, Quality: plant.Bad}, {Tag: 1, Time: 1e9, Text: "x"}, {Tag: 4, Time: 2e9, Number: math.Pi}})
	shut(f, s)
	b := load(f, path)
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Add(body(sampleFrame, 2, 3, 4))
	f.Fuzz(func(t *testing.T, data []byte) {
		read(data)
		// What a checksum guards is decoded as well: with one that is right.
		if len(data) > 0 {
			read(body(sampleFrame, data...))
			read(append(body(tableFrame, 2, 1, 'A', 0, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 1, 'B', 1, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F), body(sampleFrame, data...)[len(magic):]...))
			read(body(tableFrame, data...))
		}
	})
}

// A value of a noisy sensor takes less than 4 bytes.
func TestBytesPerValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples")
	var tags []plant.Tag
	for i := range 500 {
		tags = append(tags, plant.Tag{Path: fmt.Sprintf("AREA/UNIT%d/TAG%d", i/10, i), Resolution: 0.02})
	}
	s := open(t, path, tags)
	n := 0
	for second := range int64(600) {
		var vals []Value
		for i := range tags {
			vals = append(vals, Value{Tag: i, Time: second * 1e9, Number: math.Round((50+20*math.Sin(float64(int(second)*(i+3))))*50) / 50})
		}
		s.Write(vals)
		n += len(vals)
	}
	shut(t, s)
	if per := float64(len(load(t, path))) / float64(n); per > 4 {
		t.Errorf("%.2f bytes a value", per)
	}
}

func BenchmarkWrite(b *testing.B) {
	tags := make([]plant.Tag, 2000)
	vals := make([]Value, len(tags))
	for i := range tags {
		tags[i] = plant.Tag{Path: fmt.Sprint(i), Resolution: 0.05}
	}
	s := open(b, filepath.Join(b.TempDir(), "samples"), tags)
	b.ReportAllocs()
	for n := int64(0); b.Loop(); n++ {
		for i := range vals {
			vals[i] = Value{Tag: i, Time: n * 1e9, Number: float64((n*7+int64(i))%1000) / 20}
		}
		s.Write(vals)
	}
	shut(b, s)
}
