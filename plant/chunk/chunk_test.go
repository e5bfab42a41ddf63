package chunk

import (
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millwright/plant"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

func same(t interface {
	Helper()
	Fatalf(string, ...any)
}, got *plant.Block, times []int64, values []float64, quality []plant.Quality) {
	t.Helper()
	if len(got.Times) != len(times) || len(got.Values) != len(times) || len(got.Quality) != len(times) {
		t.Fatalf("%d, %d, %d rows, want %d", len(got.Times), len(got.Values), len(got.Quality), len(times))
	}
	for i := range times {
		if got.Times[i] != times[i] || got.Quality[i] != quality[i] ||
			math.Float64bits(got.Values[i]) != math.Float64bits(values[i]) {
			t.Fatalf("row %d: %d %x %v, want %d %x %v", i,
				got.Times[i], math.Float64bits(got.Values[i]), got.Quality[i],
				times[i], math.Float64bits(values[i]), quality[i])
		}
	}
}

// valueMode finds the mode byte by decoding up to it.
func valueMode(t *testing.T, data []byte) byte {
	t.Helper()
	s, columns, err := readHeader(data)
	if err != nil {
		t.Fatal(err)
	}
	r := reader{b: columns}
	r.quality(make([]plant.Quality, s.Count))
	r.times(make([]int64, s.Count), s.First)
	return r.byte()
}

// Each kind of signal ends in its own mode, comes back exactly and looks on
// disk as it did when the golden file was written.
func TestGolden(t *testing.T) {
	for k, s := range signals() {
		t.Run(s.name, func(t *testing.T) {
			jitter := time.Duration(k%3) * 3 * time.Millisecond
			times, values, quality := columns(rand.New(rand.NewPCG(7, uint64(k))), 500, 100*time.Millisecond, jitter, &s)
			var e Encoder
			data, err := e.Append(nil, times, values, quality)
			if err != nil {
				t.Fatal(err)
			}
			if got := valueMode(t, data); got != s.mode {
				t.Errorf("mode %#x, want %#x (%d bytes)", got, s.mode, len(data))
			}
			name := filepath.Join("testdata", strings.ReplaceAll(s.name, " ", "-")+".chunk")
			if *update {
				if err := os.WriteFile(name, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var d Decoder
			var b plant.Block
			if _, err := d.Decode(golden, &b); err != nil {
				t.Fatalf("golden file: %v", err)
			}
			same(t, &b, times, values, quality)
			if _, err := d.Decode(data, &b); err != nil {
				t.Fatal(err)
			}
			same(t, &b, times, values, quality)
		})
	}
}

// How times are written, and that nothing is too odd for them.
func TestTimes(t *testing.T) {
	const ms = int64(time.Millisecond)
	f := func(mode byte, times ...int64) {
		t.Helper()
		n := len(times)
		quality := make([]plant.Quality, n)
		values := make([]float64, n)
		var e Encoder
		data, err := e.Append(nil, times, values, quality)
		if err != nil {
			t.Fatal(err)
		}
		var d Decoder
		var b plant.Block
		s, err := d.Decode(data, &b)
		if err != nil {
			t.Fatal(err)
		}
		same(t, &b, times, values, quality)
		if s.First != times[0] || s.Last != times[n-1] || s.Count != n {
			t.Fatalf("summary %+v", s)
		}
		_, columns, _ := readHeader(data)
		r := reader{b: columns}
		r.quality(quality)
		if n > 1 && r.byte() != mode {
			t.Errorf("times are not written as mode %d: %d bytes", mode, len(data))
		}
	}
	run := func(n int, step func(i int) int64) []int64 {
		out := make([]int64, n)
		at := int64(1_700_000_000_000) * ms
		for i := range out {
			out[i] = at
			at += step(i)
		}
		return out
	}
	rng := rand.New(rand.NewPCG(1, 2))
	f(timesEven, 5)
	f(timesEven, 5, 6)
	f(timesEven, run(1000, func(int) int64 { return 100 * ms })...)
	f(timesLinear, run(1000, func(i int) int64 { return 100*ms + int64(i%2*2-1)*3*ms })...)
	f(timesSteps, run(1000, func(int) int64 { return 100 * ms * (1 + rng.Int64N(9)) })...)
	f(timesLinear, run(1000, func(i int) int64 { // half an hour is lost once
		if i == 400 {
			return 1800_000 * ms
		}
		return 100 * ms
	})...)
	f(timesEven, math.MinInt64, -1)
	f(timesLinear, -9, -1, 0, 7, math.MaxInt64-100)
}

func TestSummary(t *testing.T) {
	const sec = int64(time.Second)
	var e Encoder
	data, err := e.Append(nil,
		[]int64{0, sec, 3 * sec, 4 * sec, 6 * sec},
		[]float64{2, 10, 99, math.NaN(), -1},
		[]plant.Quality{plant.Good, plant.Good, plant.BadSensorFailure, plant.Good, plant.Good})
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadSummary(data)
	want := Summary{First: 0, Last: 6 * sec, Count: 5, Good: 4, Min: -1, Max: 10, Sum: 11,
		FirstValue: 2, LastValue: -1, LastGood: true, Area: 2*1 + 10*2, GoodTime: 3 * sec}
	if err != nil || s != want {
		t.Errorf("got  %+v %v\nwant %+v", s, err, want)
	}

	data, err = e.Append(nil, []int64{1}, []float64{5}, []plant.Quality{plant.Bad})
	if err != nil {
		t.Fatal(err)
	}
	s, err = ReadSummary(data)
	if err != nil || !math.IsNaN(s.Min) || !math.IsNaN(s.Max) || s.LastGood || s.Good != 0 || s.Count != 1 {
		t.Errorf("all bad: %+v %v", s, err)
	}
}

func TestRefusedInput(t *testing.T) {
	f := func(times []int64, values, quality int) {
		t.Helper()
		var e Encoder
		got, err := e.Append([]byte("x"), times, make([]float64, values), make([]plant.Quality, quality))
		if !errors.Is(err, ErrInput) || string(got) != "x" {
			t.Errorf("%v: %q", err, got)
		}
	}
	f(nil, 0, 0)
	f([]int64{1, 2}, 1, 2)
	f([]int64{1, 2}, 2, 1)
	f([]int64{2, 2}, 2, 2)
	f([]int64{3, 2}, 2, 2)
	f([]int64{math.MinInt64, 0, math.MaxInt64}, 3, 3)
	f(make([]int64, MaxSamples+1), MaxSamples+1, MaxSamples+1)
}

// Every single damaged byte, and every cut, is noticed.
func TestDamage(t *testing.T) {
	s := signals()[4]
	times, values, quality := columns(rand.New(rand.NewPCG(3, 3)), 100, time.Second, 0, &s)
	var e Encoder
	data, err := e.Append(nil, times, values, quality)
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	var b plant.Block
	for i := range data {
		for bit := range 8 {
			data[i] ^= 1 << bit
			if _, err := d.Decode(data, &b); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
				t.Fatalf("byte %d bit %d: %v", i, bit, err)
			}
			data[i] ^= 1 << bit
		}
		if _, err := d.Decode(data[:i], &b); err == nil || len(b.Times) != 0 {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

// Whatever columns go in come out bit for bit, and the summary is what a plain
// reckoning says.
func TestRoundTrip(t *testing.T) {
	var e Encoder
	var d Decoder
	var b plant.Block
	raw := rapid.Custom(func(t *rapid.T) float64 { return math.Float64frombits(rapid.Uint64().Draw(t, "bits")) })
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 700).Draw(t, "n")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		all := signals()
		s := all[rapid.IntRange(0, len(all)-1).Draw(t, "signal")]
		unit := rapid.SampledFrom([]int64{1, 1e3, 1e6, 1e8, 1e9, 3600e9}).Draw(t, "unit")
		wild := rapid.IntRange(1, 50).Draw(t, "step")
		values := make([]float64, n)
		s.fill(rng, values)
		times := make([]int64, n)
		at := rapid.Int64Range(math.MinInt64/4, math.MaxInt64/4).Draw(t, "first")
		quality := make([]plant.Quality, n)
		for i := range times {
			times[i] = at
			at += unit * (1 + rng.Int64N(int64(wild)))
			if rng.IntN(20) == 0 {
				quality[i] = plant.Quality(rng.Uint32())
			}
		}
		for _, v := range rapid.SliceOfN(raw, 0, 10).Draw(t, "odd") {
			values[rng.IntN(n)] = v
		}
		data, err := e.Append(nil, times, values, quality)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Decode(data, &b)
		if err != nil {
			t.Fatal(err)
		}
		same(t, &b, times, values, quality)
		if want := summarise(times, values, quality); math.Float64bits(want.Area) != math.Float64bits(got.Area) ||
			got.Good != want.Good || got.GoodTime != want.GoodTime || got.Last != want.Last || got.LastGood != want.LastGood {
			t.Fatalf("summary %+v, want %+v", got, want)
		}
	})
}

func TestAllocations(t *testing.T) {
	var e Encoder
	var d Decoder
	var b plant.Block
	var data []byte
	for _, s := range signals() {
		times, values, quality := columns(rand.New(rand.NewPCG(9, 9)), 1000, time.Second, 3*time.Millisecond, &s)
		f := func() {
			var err error
			if data, err = e.Append(data[:0], times, values, quality); err != nil {
				t.Fatal(err)
			}
			if _, err = d.Decode(data, &b); err != nil {
				t.Fatal(err)
			}
		}
		f()
		if n := testing.AllocsPerRun(10, f); n > 0 {
			t.Errorf("%s: %v allocations a chunk", s.name, n)
		}
	}
}
