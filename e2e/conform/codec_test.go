package conform

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"millwright/plant"
	"millwright/sparkplug"
)

// foreignFolder is where the Sparkplug libraries of other people are. Where they
// are not the test is skipped (CI: fails).
func foreignFolder(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MILLWRIGHT_SPARKPLUG")
	if dir == "" {
		dir, _ = filepath.Abs("../../.ci/sparkplug")
	}
	for _, part := range []string{"node/node_modules/sparkplug-client", "venv/bin/python"} {
		if _, err := os.Stat(filepath.Join(dir, part)); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("no foreign Sparkplug libraries, make tools installs them: ", err)
			}
			t.Skip("no foreign Sparkplug libraries, make tools installs them: ", err)
		}
	}
	return dir
}

func nodeJS(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	modules := filepath.Join(foreignFolder(t), "node/node_modules")
	return exec.Command("node", append([]string{"testdata/" + script, modules}, args...)...)
}

func python(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	return exec.Command(filepath.Join(foreignFolder(t), "venv/bin/python"), append([]string{"testdata/" + script}, args...)...)
}

// told is a payload in terms that every library can be brought to. Numbers
// with a fraction are the bits of a float64 in hexadecimal, bytes are hexadecimal,
// other numbers decimal; arrays are joined by commas. Null is nil.
type told struct {
	Time    string       `json:"time"`
	Seq     *string      `json:"seq"`
	Metrics []toldMetric `json:"metrics"`
}

type toldMetric struct {
	Name       string         `json:"name"`
	Alias      *string        `json:"alias"`
	Time       *string        `json:"time"`
	Type       int            `json:"type"`
	Historical bool           `json:"historical"`
	Transient  bool           `json:"transient"`
	Value      *string        `json:"value"`
	Properties []toldProperty `json:"properties"`
}

type toldProperty struct {
	Key   string  `json:"key"`
	Type  int     `json:"type"`
	Value *string `json:"value"`
}

// codec is a library of other people in a process of its own.
type codec struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func startCodec(t *testing.T, cmd *exec.Cmd) *codec {
	t.Helper()
	in, out := startPiped(t, cmd)
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	c := &codec{t: t, in: in, out: bufio.NewScanner(out)}
	c.out.Buffer(nil, 1<<20)
	return c
}

func (c *codec) ask(request any) (answer struct {
	Hex, Error string
	Payload    *told
}) {
	c.t.Helper()
	b, err := json.Marshal(request)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c.in, "%s\n", b); err != nil {
		c.t.Fatal(err)
	}
	if !c.out.Scan() {
		c.t.Fatal("no answer: ", c.out.Err())
	}
	if err := json.Unmarshal(c.out.Bytes(), &answer); err != nil {
		c.t.Fatalf("%s: %v", c.out.Bytes(), err)
	}
	return answer
}

func (c *codec) decode(b []byte) *told {
	c.t.Helper()
	a := c.ask(map[string]string{"decode": hex.EncodeToString(b)})
	if a.Error != "" {
		c.t.Fatalf("%x: %s", b, a.Error)
	}
	return a.Payload
}

func (c *codec) encode(p *told) []byte {
	c.t.Helper()
	a := c.ask(map[string]any{"encode": p})
	b, err := hex.DecodeString(a.Hex)
	if a.Error != "" || err != nil {
		c.t.Fatalf("%+v: %s %v", p, a.Error, err)
	}
	return b
}

// maker makes up payloads.
type maker struct {
	*rand.Rand
	small bool // no negative Int8 and Int16: libraries disagree on their form
}

func ref(s string) *string { return &s }

func (r maker) one(types []int) *told {
	p := &told{Time: fmt.Sprint(1_700_000_000_000 + r.Int64N(1e11))}
	if r.IntN(5) > 0 {
		p.Seq = ref(fmt.Sprint(r.IntN(256)))
	}
	for i := range 1 + r.IntN(6) {
		m := toldMetric{Time: ref(fmt.Sprint(1_700_000_000_000 + r.Int64N(1e11))), Type: types[r.IntN(len(types))],
			Historical: r.IntN(3) == 0, Transient: r.IntN(4) == 0, Properties: []toldProperty{}}
		if r.IntN(3) > 0 {
			m.Alias = ref(fmt.Sprint(r.Uint64N(1 << uint(1+r.IntN(53)))))
		}
		if m.Alias == nil || r.IntN(2) == 0 {
			m.Name = []string{"F3/Drehzahl", "Temperatur außen °C", "a", "日本/鉄", strings.Repeat("n", 200)}[r.IntN(5)] + fmt.Sprint(i)
		}
		if r.IntN(6) > 0 || m.Type == 16 || m.Type == 19 { // no library writes these null
			m.Value = r.value(m.Type)
		}
		for j := range r.IntN(4) {
			x := toldProperty{Key: fmt.Sprint("p", j), Type: []int{3, 4, 9, 10, 11, 12}[r.IntN(6)]}
			if r.IntN(5) > 0 {
				x.Value = r.value(x.Type)
			}
			m.Properties = append(m.Properties, x)
		}
		p.Metrics = append(p.Metrics, m)
	}
	return p
}

// value makes up a value of a type, often one at its bounds.
func (r maker) value(kind int) *string {
	signed := func(bits int) *string {
		v := int64(r.Uint64()) >> (64 - bits)
		switch r.IntN(5) {
		case 0:
			v = -1 << (bits - 1)
		case 1:
			v = 1<<(bits-1) - 1
		case 2:
			v = 0
		}
		if r.small && v < 0 && bits < 32 {
			v = -(v + 1)
		}
		return ref(fmt.Sprint(v))
	}
	unsigned := func(bits int) *string {
		v := r.Uint64() >> (64 - bits)
		if r.IntN(4) == 0 {
			v = math.MaxUint64 >> (64 - bits)
		}
		return ref(fmt.Sprint(v))
	}
	float := func(single bool) *string {
		v := []float64{0, math.Copysign(0, -1), 1, -273.15, math.Inf(1), math.MaxFloat32, math.SmallestNonzeroFloat32, r.NormFloat64()}[r.IntN(8)]
		if single {
			v = float64(float32(v))
		}
		return ref(fmt.Sprintf("%016x", math.Float64bits(v)))
	}
	list := func(f func() *string) *string {
		var out []string
		for range 1 + r.IntN(9) {
			out = append(out, *f())
		}
		return ref(strings.Join(out, ","))
	}
	date := func() *string { return ref(fmt.Sprint(1_600_000_000_000 + r.Int64N(1e11))) }
	truth := func() *string { return ref(fmt.Sprint(r.IntN(2) == 1)) }
	text := func() *string { return ref([]string{"", "rolling", "heiß", "鉄", "a\tb\n"}[r.IntN(5)]) }
	switch kind {
	case 1, 2, 3, 4:
		return signed(8 << (kind - 1))
	case 5, 6, 7, 8:
		return unsigned(8 << (kind - 5))
	case 9, 10:
		return float(kind == 9)
	case 11:
		return truth()
	case 13:
		return date()
	case 12, 14:
		return text()
	case 15:
		return ref("123e4567-e89b-12d3-a456-426614174000")
	case 16, 19:
		return ref("nested")
	case 17, 18:
		b := make([]byte, r.IntN(40))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return ref(hex.EncodeToString(b))
	case 22, 23, 24, 25:
		return list(func() *string { return signed(8 << (kind - 22)) })
	case 26, 27, 28, 29:
		return list(func() *string { return unsigned(8 << (kind - 26)) })
	case 30, 31:
		return list(func() *string { return float(kind == 30) })
	case 32:
		return list(truth)
	case 33:
		return list(func() *string { return ref("n" + fmt.Sprint(r.IntN(100))) })
	case 34:
		return list(date)
	}
	panic(kind)
}

// ours turns the description into our own payload, as far as we write such types.
func ours(p *told) *sparkplug.Payload {
	ns := func(text string) int64 {
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			panic(err)
		}
		return v * ms
	}
	out := &sparkplug.Payload{Time: ns(p.Time)}
	if p.Seq != nil {
		v, _ := strconv.ParseUint(*p.Seq, 10, 8)
		out.Seq, out.HasSeq = uint8(v), true
	}
	for _, m := range p.Metrics {
		x := sparkplug.Metric{Name: m.Name, HasTime: true, Time: ns(*m.Time), Type: sparkplug.DataType(m.Type), Historical: m.Historical, Transient: m.Transient,
			Null: m.Value == nil, Value: ourValue(m.Type, m.Value)}
		if m.Alias != nil {
			x.Alias, _ = strconv.ParseUint(*m.Alias, 10, 64)
			x.HasAlias = true
		}
		for _, q := range m.Properties {
			x.Properties = append(x.Properties, sparkplug.Property{Key: q.Key, Type: sparkplug.DataType(q.Type), Null: q.Value == nil, Value: ourValue(q.Type, q.Value)})
		}
		out.Metrics = append(out.Metrics, x)
	}
	return out
}

func ourValue(kind int, text *string) sparkplug.Value {
	if text == nil {
		return sparkplug.Value{}
	}
	float := func(text string) float64 {
		bits, err := strconv.ParseUint(text, 16, 64)
		if err != nil {
			panic(err)
		}
		return math.Float64frombits(bits)
	}
	switch kind {
	case 1, 2, 3:
		v, _ := strconv.ParseInt(*text, 10, 64)
		return sparkplug.UInt32Value(uint32(int32(v)))
	case 5, 6, 7:
		v, _ := strconv.ParseUint(*text, 10, 32)
		return sparkplug.UInt32Value(uint32(v))
	case 4:
		v, _ := strconv.ParseInt(*text, 10, 64)
		return sparkplug.UInt64Value(uint64(v))
	case 8, 13:
		v, _ := strconv.ParseUint(*text, 10, 64)
		return sparkplug.UInt64Value(v)
	case 9:
		return sparkplug.Value{Form: sparkplug.Single, Bits: math.Float64bits(float(*text))}
	case 10:
		return sparkplug.DoubleValue(float(*text))
	case 11:
		return sparkplug.BoolValue(*text == "true")
	case 12, 14, 15:
		return sparkplug.TextValue(*text)
	case 17, 18:
		b, _ := hex.DecodeString(*text)
		return sparkplug.Value{Form: sparkplug.Raw, Bytes: b}
	case 30:
		var b []byte
		for one := range strings.SplitSeq(*text, ",") {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(float(one))))
		}
		return sparkplug.Value{Form: sparkplug.Raw, Bytes: b}
	}
	panic(kind)
}

// tellOurs describes what we have decoded.
func tellOurs(p *sparkplug.Payload) *told {
	out := &told{Time: fmt.Sprint(p.Time / ms)}
	if p.HasSeq {
		out.Seq = ref(fmt.Sprint(p.Seq))
	}
	for i := range p.Metrics {
		x := &p.Metrics[i]
		m := toldMetric{Name: x.Name, Type: int(x.Type), Historical: x.Historical, Transient: x.Transient, Properties: []toldProperty{}}
		if x.HasAlias {
			m.Alias = ref(fmt.Sprint(x.Alias))
		}
		if x.HasTime {
			m.Time = ref(fmt.Sprint(x.Time / ms))
		}
		if !x.Null {
			m.Value = tellValue(x.Value, x.Type, x)
		}
		for _, q := range x.Properties {
			y := toldProperty{Key: q.Key, Type: int(q.Type)}
			if !q.Null {
				y.Value = tellValue(q.Value, q.Type, nil)
			}
			m.Properties = append(m.Properties, y)
		}
		out.Metrics = append(out.Metrics, m)
	}
	return out
}

func tellValue(v sparkplug.Value, kind sparkplug.DataType, m *sparkplug.Metric) *string {
	float := func(v float64) string { return fmt.Sprintf("%016x", math.Float64bits(v)) }
	switch v.Form {
	case sparkplug.Words:
		return ref(v.Text)
	case sparkplug.Truth:
		return ref(fmt.Sprint(v.Bits == 1))
	case sparkplug.Raw:
		switch kind {
		case sparkplug.DataSet, sparkplug.Template:
			return ref("nested") // kept as it is
		case sparkplug.FloatArray:
			w, err := m.Waveform()
			if err != nil {
				return ref(err.Error())
			}
			var list []string
			for _, one := range w.Values {
				list = append(list, float(float64(one)))
			}
			return ref(strings.Join(list, ","))
		}
		return ref(hex.EncodeToString(v.Bytes))
	}
	n, ok := v.Number(kind)
	switch {
	case !ok:
		return ref("not a number")
	case kind == sparkplug.Float || kind == sparkplug.Double:
		return ref(float(n))
	case kind == sparkplug.Int64: // more digits than a float64 has
		return ref(fmt.Sprint(int64(v.Bits)))
	case kind == sparkplug.UInt64 || kind == sparkplug.DateTime:
		return ref(fmt.Sprint(v.Bits))
	}
	return ref(fmt.Sprint(int64(n)))
}

func same(t *testing.T, what string, got, want *told, raw []byte) {
	t.Helper()
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("%s\n got %s\nwant %s\nbytes %x", what, a, b, raw)
	}
}

// rounds is how many payloads pass in each direction, and the seed of what they hold.
func rounds() (n int, seed uint64) {
	if soak() {
		return 20_000, rand.Uint64()
	}
	return 400, 1
}

// Payloads that are made up pass between our codec and those of two other
// libraries, written by one and read by the other, all types that both know.
func TestCodecs(t *testing.T) {
	basic := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18}
	for _, peer := range []struct {
		name        string
		start       func() *exec.Cmd
		write, read []int // types that it writes, and that it reads of ours
		small       bool  // of what it reads, see maker
	}{
		// It reads UInt32 from the 64-bit field alone, against the specification;
		// arrays it does not know.
		{"npm sparkplug-payload", func() *exec.Cmd { return nodeJS(t, "codec.js") },
			append([]int{16, 19}, basic...), []int{1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18}, false},
		// It refuses the sign-extended form of Int8 and Int16, which it writes cut.
		{"PyPI pysparkplug", func() *exec.Cmd { return python(t, "codec.py") },
			append([]int{30}, basic...), append([]int{30}, basic...), true},
	} {
		t.Run(peer.name, func(t *testing.T) {
			t.Parallel()
			c := startCodec(t, peer.start())
			n, seed := rounds()
			t.Log("seed", seed)
			r := maker{Rand: rand.New(rand.NewPCG(seed, 2)), small: peer.small}
			for range n {
				p := r.one(peer.read)
				b := ours(p).AppendTo(nil)
				same(t, "ours, read by it", c.decode(b), p, b)
			}
			r.small = false
			for range n {
				p := r.one(peer.write)
				b := c.encode(p)
				var x sparkplug.Payload
				if err := x.Decode(b); err != nil {
					t.Fatalf("%x: %v", b, err)
				}
				same(t, "its own, read by us", tellOurs(&x), p, b)
			}
		})
	}
	t.Run("arrays", func(t *testing.T) { // of types that we do not store: they must not disturb what stands beside them
		c := startCodec(t, python(t, "codec.py"))
		n, seed := rounds()
		r := maker{Rand: rand.New(rand.NewPCG(seed, 4))}
		for range n / 4 {
			p := r.one([]int{22, 23, 24, 25, 26, 27, 28, 29, 31, 32, 33, 34})
			p.Metrics = append(p.Metrics, r.one([]int{10}).Metrics...)
			b := c.encode(p)
			var x sparkplug.Payload
			if err := x.Decode(b); err != nil {
				t.Fatalf("%x: %v", b, err)
			}
			got := tellOurs(&x)
			for i := range p.Metrics {
				if kind := p.Metrics[i].Type; kind >= 22 && p.Metrics[i].Value != nil {
					if x.Metrics[i].Value.Form != sparkplug.Raw {
						t.Errorf("%+v", x.Metrics[i])
					}
					got.Metrics[i].Value = p.Metrics[i].Value
				}
			}
			same(t, "arrays", got, p, b)
		}
	})
}

// Qualities: what we write as Quality and StatusCode is what others read, and the
// three values of theirs are ours.
func TestCodecQuality(t *testing.T) {
	c := startCodec(t, python(t, "codec.py"))
	for _, q := range []plant.Quality{plant.Uncertain, plant.BadSensorFailure, plant.StaleValue, plant.Bad} {
		var p sparkplug.Payload
		p.Begin(1_700_000_000_000*ms, 7)
		p.AddSample(plant.Sample{Time: 1_700_000_000_000 * ms, Value: 1, Quality: q}, 9, false)
		p.Metrics[0].Type = sparkplug.Double
		got := c.decode(p.AppendTo(nil)).Metrics[0].Properties
		want := map[bool]string{true: "500", false: "0"}[q == plant.StaleValue]
		if len(got) != 2 || got[0].Key != "Quality" || got[0].Type != 3 || *got[0].Value != want ||
			got[1].Key != "StatusCode" || got[1].Type != 7 || *got[1].Value != fmt.Sprint(uint32(q)) {
			t.Errorf("%v is read as %+v", q, got)
		}
	}
	for text, want := range map[string]plant.Quality{"0": plant.Bad, "192": plant.Good, "500": plant.StaleValue} {
		b := c.encode(&told{Time: "1", Seq: ref("1"), Metrics: []toldMetric{{Name: "a", Time: ref("1"), Type: 10, Value: ref("3ff0000000000000"),
			Properties: []toldProperty{{Key: "Quality", Type: 3, Value: &text}}}}})
		var x sparkplug.Payload
		if err := x.Decode(b); err != nil || x.Metrics[0].Quality != want {
			t.Errorf("Quality %s is read as %v (%v)", text, x.Metrics[0].Quality, err)
		}
	}
}
