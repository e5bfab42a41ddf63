package storetest

import (
	"context"
	"errors"
	"math"
	"slices"

	"millwright/historian/store"
	"millwright/plant"
)

// testWaveforms: what is put in comes out bit for bit, or is declared as a gap by a
// back end that keeps no waveforms.
func testWaveforms(s *suite) {
	ids := s.intern("A", "B")
	long := make([]float32, plant.MaxWaveform)
	for i := range long {
		long[i] = float32(math.Sin(float64(i)/17)) * float32(i)
	}
	odd := []float32{0, float32(math.Copysign(0, -1)), math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Inf(-1)), math.Float32frombits(0x7FC0_0123)}
	in := []plant.Waveform{
		{Tag: ids[0], Time: base, Rate: 25_600, Values: odd},
		{Tag: ids[0], Time: base + ms, Rate: 0, Quality: plant.BadSensorFailure},
		{Tag: ids[0], Time: base + 5*second, Rate: 1e6, Quality: plant.Uncertain, Values: long},
	}
	other := plant.Waveform{Tag: ids[1], Time: base, Values: []float32{9}}
	mark := store.Mark{Edge: "e", Epoch: 1, Number: 1}
	s.put(plant.Batch{Waveforms: append(slices.Clone(in), other), Samples: []plant.Sample{{Tag: ids[1], Time: base, Value: 1}}}, mark)

	list := func(r plant.Range) (out []plant.Waveform) {
		s.Helper()
		for w, err := range s.Waveforms(context.Background(), r) {
			if err != nil {
				s.Fatal(err)
			}
			w.Values = slices.Clone(w.Values)
			out = append(out, w)
		}
		return out
	}
	if len(list(all(ids[1]))) == 0 {
		s.twice(func() {
			gaps, err := s.Gaps(context.Background(), all(ids[0]))
			if err != nil {
				s.Fatal(err)
			}
			for _, w := range in {
				if !slices.ContainsFunc(gaps, func(g plant.Gap) bool { return g.From <= w.Time && w.Time < g.To && g.Reason == plant.GapNotKept }) {
					s.Errorf("a waveform at %d is neither kept nor declared: %v", w.Time, gaps)
				}
			}
			s.same("the sample beside it", s.scan(all(ids[1])), []plant.Sample{{Tag: ids[1], Time: base, Value: 1}})
		})
		return
	}
	same := func(what string, got, want []plant.Waveform) {
		s.Helper()
		if !slices.EqualFunc(got, want, sameWaveform) {
			s.Errorf("%s: %d waveforms, want %d equal ones", what, len(got), len(want))
		}
	}
	s.twice(func() {
		same("all", list(all(ids[0])), in)
		same("two", list(plant.Range{Tag: ids[0], From: base, To: base + 5*second}), in[:2])
		same("limit", list(plant.Range{Tag: ids[0], From: base + 1, To: math.MaxInt64, Limit: 1}), in[1:2])
		same("none", list(plant.Range{Tag: ids[0], From: base + second, To: base}), nil)
		same("the other tag", list(all(ids[1])), []plant.Waveform{other})
		for tag, want := range map[plant.TagID]plant.Waveform{ids[0]: in[2], ids[1]: other, ids[1] + 9: {}} {
			if got, err := s.LastWaveform(context.Background(), tag); err != nil || !sameWaveform(got, want) {
				s.Errorf("the last one of tag %d: at %d, %v", tag, got.Time, err)
			}
		}
	})
	in[0].Values, in[0].Time = []float32{1}, base+ms/2 // corrected, and cut to its ms
	s.put(plant.Batch{Waveforms: in[:1]})
	in[0].Time = base
	s.twice(func() { same("corrected", list(all(ids[0])), in) })
	for range s.Waveforms(context.Background(), all(ids[0])) { // left early
		break
	}
	if err := s.Delete(context.Background(), plant.Range{Tag: ids[0], From: base, To: base + second}); err != nil {
		s.Fatal(err)
	}
	s.twice(func() {
		same("deleted", list(all(ids[0])), in[2:])
		same("not deleted", list(all(ids[1])), []plant.Waveform{other})
	})
	err := s.Append(context.Background(), plant.Batch{Waveforms: []plant.Waveform{{Tag: ids[1] + 9}}}, nil)
	if !errors.Is(err, store.ErrUnknownTag) {
		s.Errorf("a waveform of no tag: %v", err)
	}
}

// sameWaveform compares bit for bit.
func sameWaveform(a, b plant.Waveform) bool {
	return a.Tag == b.Tag && a.Time == b.Time && a.Quality == b.Quality && a.Rate == b.Rate &&
		slices.EqualFunc(a.Values, b.Values, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}
