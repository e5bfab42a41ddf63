package sparkplug

import (
	"math"
	"slices"
	"testing"

	"millwright/plant"
)

// What a hand would write: FloatArray is little-endian single precision in the
// bytes of the metric, the rate a property.
func TestWaveformHandmade(t *testing.T) {
	var p Payload
	p.Begin(1700000000000*millisecond, 3)
	p.AddWaveform(&plant.Waveform{Time: 1700000000001 * millisecond, Rate: 2, Values: []float32{1, -2}}, 5, true, nil)
	want := unhex(t, `
		08 80 d0 95 ff bc 31
		12 2b  10 05  18 81 d0 95 ff bc 31  28 01
		   4a 13  0a 04 72617465  12 0b 08 0a 31 0000000000000040   # rate, Double, 2
		   82 01 08  0000803f 000000c0
		18 03`)
	if got := p.AppendTo(nil); !slices.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func TestWaveformThereAndBack(t *testing.T) {
	list := []plant.Waveform{
		{Time: 5 * millisecond, Rate: 25_600, Values: []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), math.Float32frombits(0x7FC0_0123)}},
		{Time: 6 * millisecond, Quality: plant.Uncertain, Values: make([]float32, plant.MaxWaveform)},
		{Time: 7 * millisecond, Quality: plant.BadNoData},
	}
	var p, got Payload
	p.Begin(0, 1)
	var scratch []byte
	for i := range list {
		scratch = p.AddWaveform(&list[i], uint64(i), false, scratch)
	}
	if err := got.Decode(p.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	for i, want := range list {
		m := &got.Metrics[i]
		w, err := m.Waveform()
		if err != nil || w.Rate != want.Rate || w.Quality != want.Quality || m.Time != want.Time || m.Null != (len(want.Values) == 0) ||
			!slices.EqualFunc(w.Values, want.Values, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
			t.Errorf("%d: %v, rate %v, quality %v, %d values", i, err, w.Rate, w.Quality, len(w.Values))
		}
	}
	tag := plant.Tag{Kind: plant.Burst, Rate: 25_600, Unit: "g"}
	m := Metric{Type: TypeOf(&tag), Properties: TagProperties(nil, &tag)}
	if back := TagOf(&m); m.Type != FloatArray || back != tag {
		t.Errorf("%v, %+v", m.Type, back)
	}
}

// FuzzWaveform: whatever comes as a FloatArray is a waveform within its bounds or
// refused.
func FuzzWaveform(f *testing.F) {
	for _, w := range []plant.Waveform{{Rate: 100, Values: []float32{1, 2, 3}}, {Quality: plant.Bad}} {
		var p Payload
		p.Begin(0, 1)
		p.AddWaveform(&w, 1, true, nil)
		f.Add(p.AppendTo(nil))
	}
	f.Add(unhex(f, "12 07 10 05 82 01 02 0000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Payload
		if p.Decode(b) != nil {
			return
		}
		for i := range p.Metrics {
			m := &p.Metrics[i]
			w, err := m.Waveform()
			if err != nil {
				continue
			}
			if n := len(w.Values); n > plant.MaxWaveform || 4*n > len(b) || w.Rate < 0 || w.Rate-w.Rate != 0 {
				t.Fatalf("%d values of %d bytes, rate %v", n, len(b), w.Rate)
			}
			var q Payload
			q.Begin(0, 1)
			w.Time = m.Time
			q.AddWaveform(&w, m.Alias, m.Historical, nil)
			var again Payload
			if err := again.Decode(q.AppendTo(nil)); err != nil {
				t.Fatal(err)
			}
			x, err := again.Metrics[0].Waveform()
			if err != nil || x.Rate != w.Rate || len(x.Values) != len(w.Values) {
				t.Fatalf("%v: %+v, was %+v", err, x, w)
			}
		}
	})
}
