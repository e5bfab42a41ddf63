package storetest

import (
	"context"
	"math"
	"slices"

	"millwright/plant"
)

func testValues(s *suite) {
	tag := s.intern("A")[0]
	var want []plant.Sample
	for i, v := range []float64{0, math.Copysign(0, -1), 1.5, -1e300, 5e-324, math.Inf(1), math.Inf(-1), math.NaN(),
		math.Float64frombits(0x7FF4000000000123), math.Pi, 0.1, 12.34} {
		for k, q := range []plant.Quality{plant.Good, plant.BadSensorFailure, plant.Uncertain.WithOverflow(), 0xFFFFFFFF} {
			want = append(want, plant.Sample{Tag: tag, Time: base + int64(i*4+k)*ms, Value: v, Quality: q})
		}
	}
	s.samples(want...)
	s.twice(func() { s.same("values", s.scan(all(tag)), want) })
}

func testKeys(s *suite) {
	ids := s.intern("A", "B")
	a := plant.Sample{Tag: ids[0], Time: base, Value: 1}
	b := plant.Sample{Tag: ids[1], Time: base, Value: 2}
	s.samples(a, a, b)
	s.samples(b, a)
	s.twice(func() {
		s.same("A", s.scan(all(ids[0])), []plant.Sample{a})
		s.same("B", s.scan(all(ids[1])), []plant.Sample{b})
		s.same("unknown", s.scan(all(ids[0]+ids[1]+7)), nil)
	})
}

func testCorrections(s *suite) {
	tag := s.intern("A")[0]
	at := func(i int, v float64, q plant.Quality) plant.Sample {
		return plant.Sample{Tag: tag, Time: base + int64(i)*second, Value: v, Quality: q}
	}
	s.samples(at(0, 1, 0), at(1, 1, plant.Bad), at(2, 1, 0), at(0, 2, plant.Bad))
	s.samples(at(1, 3, 0))
	s.twice(func() {
		s.same("before", s.scan(all(tag)), []plant.Sample{at(0, 2, plant.Bad), at(1, 3, 0), at(2, 1, 0)})
	})
	s.samples(at(2, 9, 0), at(2, math.NaN(), plant.BadSensorFailure))
	s.twice(func() {
		s.same("after", s.scan(all(tag)), []plant.Sample{at(0, 2, plant.Bad), at(1, 3, 0), at(2, math.NaN(), plant.BadSensorFailure)})
	})
}

func testLate(s *suite) {
	tag := s.intern("A")[0]
	var want []plant.Sample
	for _, h := range []int64{0, -1, 5, 24 * 365, -24 * 40, 3, -24 * 365 * 60, 24, 23} {
		x := plant.Sample{Tag: tag, Time: base + h*hour, Value: float64(h)}
		s.samples(x)
		want = append(want, x)
	}
	slices.SortFunc(want, func(a, b plant.Sample) int { return int((a.Time - b.Time) / hour) })
	s.twice(func() { s.same("all", s.scan(all(tag)), want) })
}

func testMillis(s *suite) {
	tag := s.intern("A")[0]
	s.put(plant.Batch{
		Samples: []plant.Sample{{Tag: tag, Time: base + 3*ms + 999_999, Value: 1}, {Tag: tag, Time: -1, Value: 2}},
		States:  []plant.State{{Tag: tag, Time: base + 3*ms + 1, Value: "x"}},
	})
	s.twice(func() {
		s.same("cut", s.scan(all(tag)), []plant.Sample{{Tag: tag, Time: -ms, Value: 2}, {Tag: tag, Time: base + 3*ms, Value: 1}})
		if st, err := s.States(context.Background(), all(tag)); err != nil || len(st) != 1 || st[0].Time != base+3*ms {
			s.Fatalf("states %+v %v", st, err)
		}
	})
}

func testRanges(s *suite) {
	tag := s.intern("A")[0]
	var in []plant.Sample
	for i := range 3000 {
		in = append(in, plant.Sample{Tag: tag, Time: base + int64(i)*second, Value: float64(i)})
	}
	s.samples(in...)
	f := func(from, to int64, want []plant.Sample) {
		s.Helper()
		s.same("range", s.scan(plant.Range{Tag: tag, From: from, To: to}), want)
	}
	s.twice(func() {
		f(base, base+3000*second, in)
		f(base, base, nil)
		f(base+5*second, base+2*second, nil)
		f(base+second, base+2*second, in[1:2])
		f(base+second+1, base+2*second+1, in[2:3])
		f(base+599*second, base+601*second, in[599:601]) // midnight
		f(base+1000*second, base+1900*second, in[1000:1900])
		f(base-hour, base, nil)
		f(base+3000*second, base+hour, nil)
	})
}

func testLimit(s *suite) {
	tag := s.intern("A")[0]
	var in []plant.Sample
	var states []plant.State
	for i := range 2500 {
		in = append(in, plant.Sample{Tag: tag, Time: base + int64(i)*second, Value: float64(i % 7)})
		states = append(states, plant.State{Tag: tag, Time: base + int64(i)*second, Value: "s"})
	}
	s.put(plant.Batch{Samples: in, States: states})
	s.twice(func() {
		for _, n := range []int{1, 7, 1024, 1500, 2500, 9999} {
			r := all(tag)
			r.Limit = n
			s.same("limit", s.scan(r), in[:min(n, len(in))])
			if st, err := s.States(context.Background(), r); err != nil || len(st) != min(n, len(in)) {
				s.Fatalf("%d states of %d, %v", len(st), n, err)
			}
		}
		r := all(tag)
		for range s.Scan(context.Background(), r) {
			break // a reader that stops early
		}
	})
}

func testLast(s *suite) {
	ids := s.intern("A", "B", "C")
	a := plant.Sample{Tag: ids[0], Time: base + second, Value: 1, Quality: plant.Bad}
	b := plant.Sample{Tag: ids[1], Time: base, Value: math.NaN()}
	s.samples(plant.Sample{Tag: ids[0], Time: base, Value: 5}, b, a)
	s.samples(plant.Sample{Tag: ids[0], Time: base - hour, Value: 7}) // late
	f := func(want ...plant.Sample) {
		s.Helper()
		s.twice(func() {
			s.Helper()
			got, err := s.Last(context.Background(), []plant.TagID{ids[1], ids[2], ids[0], ids[2] + 100})
			if err != nil {
				s.Fatal(err)
			}
			s.same("last", got, want)
		})
	}
	f(b, a)
	a.Value, a.Quality = 2, plant.Good // corrected
	s.samples(a)
	f(b, a)
}
