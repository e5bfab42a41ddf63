package storetest

import (
	"context"
	"slices"

	"millwright/plant"
)

func testDelete(s *suite) {
	ids := s.intern("A", "B")
	var in []plant.Sample
	for i := range 2500 {
		in = append(in, plant.Sample{Tag: ids[0], Time: base + int64(i)*second, Value: float64(i)})
	}
	other := plant.Sample{Tag: ids[1], Time: base, Value: 1}
	st := []plant.State{{Tag: ids[0], Time: base, Value: "a"}, {Tag: ids[0], Time: base + 2400*second, Value: "b"}}
	s.put(plant.Batch{Samples: append(slices.Clone(in), other), States: st})
	f := func(i, j int) {
		s.Helper()
		if err := s.Delete(context.Background(), plant.Range{Tag: ids[0], From: base + int64(i)*second, To: base + int64(j)*second}); err != nil {
			s.Fatal(err)
		}
	}
	last := func(want plant.Sample, state plant.State) {
		s.Helper()
		got, err := s.Last(context.Background(), ids[:1])
		if err != nil {
			s.Fatal(err)
		}
		s.same("last", got, []plant.Sample{want})
		if got, err := s.LastStates(context.Background(), ids[:1]); err != nil || !slices.Equal(got, []plant.State{state}) {
			s.Fatalf("last state %+v %v, want %+v", got, err, state)
		}
	}
	f(100, 1200)
	want := append(slices.Clone(in[:100]), in[1200:]...)
	s.twice(func() { s.same("a hole", s.scan(all(ids[0])), want); last(in[2499], st[1]) })
	f(2300, 9000)
	want = want[:len(want)-200]
	s.twice(func() { s.same("the end", s.scan(all(ids[0])), want); last(in[2299], st[0]) })
	s.samples(in[150], in[2400])
	want = append(want[:100:100], append([]plant.Sample{in[150]}, append(want[100:], in[2400])...)...)
	s.twice(func() { s.same("written again", s.scan(all(ids[0])), want); last(in[2400], st[0]) })
	f(-10, 99999)
	s.twice(func() {
		s.same("all", s.scan(all(ids[0])), nil)
		if got, _ := s.Last(context.Background(), ids); !slices.Equal(got, []plant.Sample{other}) {
			s.Fatalf("last after all was deleted: %+v", got)
		}
	})
	s.same("the other tag", s.scan(all(ids[1])), []plant.Sample{other})
}
