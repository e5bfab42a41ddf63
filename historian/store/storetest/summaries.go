package storetest

import (
	"context"
	"math"
	"slices"

	"millwright/plant"
)

func testTrend(s *suite) {
	tag := s.intern("A")[0]
	at := func(sec int64, v float64, q plant.Quality) plant.Sample {
		return plant.Sample{Tag: tag, Time: base + sec*second, Value: v, Quality: q}
	}
	s.samples(at(-5, 4, 0), at(2, 10, 0), at(6, 20, 0), at(8, 99, plant.Bad), at(9, math.NaN(), 0),
		at(32, 7, 0), at(34, 7, 0), at(41, 1, plant.Bad), at(-5, 8, 0))
	nan := math.NaN()
	s.twice(func() {
		got, err := s.Trend(context.Background(), plant.TrendQuery{Tag: tag, From: base, To: base + 50*second, Buckets: 5})
		if err != nil {
			s.Fatal(err)
		}
		want := []plant.Bucket{
			// 8 holds for 2 s, 10 for 4 s, 20 for 2 s, then nothing usable
			{Time: base, Min: 10, Max: 20, Mean: (8*2 + 10*4 + 20*2) / 8.0, Count: 4, Good: 0.75},
			{Time: base + 10*second, Min: nan, Max: nan, Mean: nan},
			{Time: base + 20*second, Min: nan, Max: nan, Mean: nan},
			{Time: base + 30*second, Min: 7, Max: 7, Mean: 7, Count: 2, Good: 1},
			{Time: base + 40*second, Min: nan, Max: nan, Mean: nan, Count: 1, Good: 0},
		}
		sameBuckets(s, got, want)
		got, err = s.Trend(context.Background(), plant.TrendQuery{Tag: tag, From: base + hour, To: base + 2*hour, Buckets: 1})
		if err != nil {
			s.Fatal(err)
		}
		sameBuckets(s, got, []plant.Bucket{{Time: base + hour, Min: nan, Max: nan, Mean: nan}})
	})
	for _, q := range []plant.TrendQuery{
		{Tag: tag, From: 0, To: 10, Buckets: 0}, {Tag: tag, From: 10, To: 10, Buckets: 3}, {Tag: tag, From: 10, To: 0, Buckets: 3},
	} {
		if _, err := s.Trend(context.Background(), q); err == nil {
			s.Errorf("%+v was answered", q)
		}
	}
}

func sameBuckets(s *suite, got, want []plant.Bucket) {
	s.Helper()
	close := func(a, b float64) bool {
		return a != a && b != b || math.Abs(a-b) <= 1e-9*max(1, math.Abs(b))
	}
	if len(got) != len(want) {
		s.Fatalf("%d buckets, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		if g.Time != w.Time || g.Count != w.Count || !close(g.Min, w.Min) || !close(g.Max, w.Max) ||
			!close(g.Mean, w.Mean) || !close(g.Good, w.Good) {
			s.Fatalf("bucket %d is %+v, want %+v", i, g, w)
		}
	}
}

func testGaps(s *suite) {
	ids := s.intern("A", "B")
	g := func(from, to int64, reason string) plant.Gap {
		return plant.Gap{Tag: ids[0], From: base + from*second, To: base + to*second, Reason: reason}
	}
	s.put(plant.Batch{Gaps: []plant.Gap{
		g(10, 20, "a"), g(15, 30, "a"), g(30, 40, "a"), g(18, 19, "b"), g(50, 60, "a"), g(60, 60, "empty"), g(70, 65, "empty"),
		{Tag: ids[1], From: base, To: base + hour, Reason: "other"},
	}})
	s.put(plant.Batch{Gaps: []plant.Gap{g(10, 20, "a")}})
	f := func(from, to int64, want ...plant.Gap) {
		s.Helper()
		got, err := s.Gaps(context.Background(), plant.Range{Tag: ids[0], From: base + from*second, To: base + to*second})
		if err != nil || !slices.Equal(got, want) {
			s.Fatalf("gaps [%d, %d): %+v %v, want %+v", from, to, got, err, want)
		}
	}
	s.twice(func() {
		f(0, 100, g(10, 40, "a"), g(18, 19, "b"), g(50, 60, "a"))
		f(39, 50, g(10, 40, "a"))
		f(40, 50)
		f(0, 10)
		f(18, 51, g(10, 40, "a"), g(18, 19, "b"), g(50, 60, "a"))
	})
}

func testStates(s *suite) {
	ids := s.intern("A", "B")
	st := func(i int, i2 int64, v string, q plant.Quality) plant.State {
		return plant.State{Tag: ids[i], Time: base + i2*second, Value: v, Quality: q}
	}
	s.put(plant.Batch{States: []plant.State{st(0, 0, "idle", 0), st(0, 9, "", plant.Bad), st(1, 1, "прокатка", 0), st(0, 5, "old", 0)}})
	s.put(plant.Batch{States: []plant.State{st(0, 5, "rolling", plant.Uncertain)}})
	s.twice(func() {
		got, err := s.States(context.Background(), all(ids[0]))
		want := []plant.State{st(0, 0, "idle", 0), st(0, 5, "rolling", plant.Uncertain), st(0, 9, "", plant.Bad)}
		if err != nil || !slices.Equal(got, want) {
			s.Fatalf("states %+v %v", got, err)
		}
		got, err = s.States(context.Background(), plant.Range{Tag: ids[0], From: base + 1, To: base + 9*second})
		if err != nil || !slices.Equal(got, want[1:2]) {
			s.Fatalf("states of a range %+v %v", got, err)
		}
		got, err = s.LastStates(context.Background(), []plant.TagID{ids[1], ids[0], ids[0] + 50})
		if err != nil || !slices.Equal(got, []plant.State{st(1, 1, "прокатка", 0), want[2]}) {
			s.Fatalf("last states %+v %v", got, err)
		}
	})
}
