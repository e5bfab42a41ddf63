package storetest

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
)

// Base is the source time that the suite counts from.
var base = time.Date(2026, 3, 1, 23, 50, 0, 0, time.UTC).UnixNano()

const (
	ms     = int64(time.Millisecond)
	second = int64(time.Second)
	hour   = 3600 * second
)

// Run puts a back end through the contract of store.Store. open opens the store
// that dir names, again after it was closed.
func Run(t *testing.T, open func(t *testing.T, dir string) store.Store) {
	f := func(name string, test func(s *suite)) {
		t.Run(name, func(t *testing.T) {
			s := &suite{T: t, dir: t.TempDir(), open: open}
			s.Store = open(t, s.dir)
			t.Cleanup(func() {
				if err := s.Store.Close(); err != nil {
					t.Error(err)
				}
			})
			test(s)
		})
	}
	f("tags", testTags)
	f("assets", testAssets)
	f("values", testValues)
	f("keys", testKeys)
	f("corrections", testCorrections)
	f("late", testLate)
	f("millis", testMillis)
	f("ranges", testRanges)
	f("limit", testLimit)
	f("marks", testMarks)
	f("repeated", testRepeated)
	f("last", testLast)
	f("states", testStates)
	f("gaps", testGaps)
	f("trend", testTrend)
	f("delete", testDelete)
	f("refused", testRefused)
	f("closed", testClosed)
	f("many", testMany)
}

type suite struct {
	*testing.T
	store.Store
	dir  string
	open func(t *testing.T, dir string) store.Store
}

// reopen closes the store and opens it again.
func (s *suite) reopen() {
	s.Helper()
	if err := s.Store.Close(); err != nil {
		s.Fatal(err)
	}
	s.Store = s.open(s.T, s.dir)
}

// twice runs a check, opens the store anew and runs it again.
func (s *suite) twice(check func()) {
	s.Helper()
	check()
	s.reopen()
	check()
}

func (s *suite) intern(paths ...string) []plant.TagID {
	s.Helper()
	tags := make([]plant.Tag, len(paths))
	for i, p := range paths {
		tags[i].Path = p
	}
	if err := s.Intern(tags); err != nil {
		s.Fatal(err)
	}
	ids := make([]plant.TagID, len(tags))
	for i := range tags {
		ids[i] = tags[i].ID
	}
	return ids
}

func (s *suite) put(b plant.Batch, marks ...store.Mark) {
	s.Helper()
	if err := s.Append(context.Background(), b, marks); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) samples(in ...plant.Sample) {
	s.Helper()
	s.put(plant.Batch{Samples: in})
}

func (s *suite) scan(r plant.Range) []plant.Sample {
	s.Helper()
	var out []plant.Sample
	for b, err := range s.Scan(context.Background(), r) {
		if err != nil {
			s.Fatal(err)
		}
		if b.Tag != r.Tag || len(b.Values) != len(b.Times) || len(b.Quality) != len(b.Times) || len(b.Times) == 0 {
			s.Fatalf("block of tag %d with %d times, %d values, %d qualities", b.Tag, len(b.Times), len(b.Values), len(b.Quality))
		}
		for i := range b.Times {
			out = append(out, plant.Sample{Tag: b.Tag, Time: b.Times[i], Value: b.Values[i], Quality: b.Quality[i]})
		}
	}
	return out
}

func all(tag plant.TagID) plant.Range {
	return plant.Range{Tag: tag, From: math.MinInt64, To: math.MaxInt64}
}

// same compares bit for bit: NaN is NaN.
func (s *suite) same(what string, got, want []plant.Sample) {
	s.Helper()
	if len(got) != len(want) {
		s.Fatalf("%s: %d samples, want %d", what, len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		if g.Tag != w.Tag || g.Time != w.Time || g.Quality != w.Quality || math.Float64bits(g.Value) != math.Float64bits(w.Value) {
			s.Fatalf("%s: sample %d is %+v, want %+v", what, i, g, w)
		}
	}
}

func testTags(s *suite) {
	in := []plant.Tag{
		{Path: "B/Y", Asset: "B", Unit: "mm/s", Low: -1, High: 20, Kind: plant.Analog, Sampling: time.Second},
		{Path: "A/X", Asset: "A", Kind: plant.Text},
		{Path: "B/Y", Asset: "B", Unit: "µm/s"},
	}
	if err := s.Intern(in); err != nil {
		s.Fatal(err)
	}
	if in[0].ID == 0 || in[0].ID != in[2].ID || in[0].ID == in[1].ID {
		s.Fatalf("ids %d %d %d", in[0].ID, in[1].ID, in[2].ID)
	}
	want := []plant.Tag{in[1], in[2]} // by path, the last one wins
	s.twice(func() {
		if got := s.Tags(); !slices.Equal(got, want) {
			s.Fatalf("tags\n%+v\nwant\n%+v", got, want)
		}
	})
	again := s.intern("C", "B/Y", "A/X")
	want = []plant.Tag{{ID: in[1].ID, Path: "A/X"}, {ID: in[0].ID, Path: "B/Y"}, {ID: again[0], Path: "C"}}
	s.twice(func() {
		if got := s.Tags(); !slices.Equal(got, want) || again[1] != in[0].ID || again[2] != in[1].ID {
			s.Fatalf("tags %+v, interned %v", got, again)
		}
	})
	if err := s.Intern([]plant.Tag{{Path: "D"}, {}}); err == nil {
		s.Error("a tag without a path was interned")
	}
	if got := s.Tags(); len(got) != 3 {
		s.Errorf("beside it: %+v", got)
	}
}

func testAssets(s *suite) {
	a := []plant.Asset{{Path: "B", Name: "pump", Limits: []plant.Limit{{Tag: "B/Y", Kind: plant.LimitHigh, Value: 7}}}}
	b := []plant.Asset{{Path: "A", Name: "fan"}, {Path: "C"}}
	for edge, assets := range map[string][]plant.Asset{"one": {{Path: "old"}}, "two": b} {
		if err := s.SetAssets(edge, assets); err != nil {
			s.Fatal(err)
		}
	}
	if err := s.SetAssets("one", a); err != nil {
		s.Fatal(err)
	}
	s.twice(func() {
		if got, want := s.Assets(), []plant.Asset{b[0], a[0], b[1]}; !reflect.DeepEqual(got, want) {
			s.Fatalf("assets\n%+v\nwant\n%+v", got, want)
		}
	})
}

// Every value and every quality comes back bit for bit.
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

// The key is (tag, time): the same twice is one, tags do not mix.
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

// Another value at the same key wins, in the same batch, a later one, and after
// the store was opened again.
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

// Data comes in any order of time, years apart, before 1970 too.
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

// Times are kept in whole milliseconds, cut towards the past.
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

// Spans are half-open.
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

func testMarks(s *suite) {
	m := func(edge string, epoch, n uint64) store.Mark { return store.Mark{Edge: edge, Epoch: epoch, Number: n} }
	s.put(plant.Batch{}, m("e", 7, 5), m("e", 7, 1), m("e", 7, 2))
	s.put(plant.Batch{}, m("e", 7, 4))
	s.put(plant.Batch{}, m("e", 8, 1), m("e2", 7, 9))
	s.put(plant.Batch{}, m("e", 7, sparkplug.MaxNumber))
	f := func(edge string, epoch uint64, want ...sparkplug.Span) {
		s.Helper()
		got, err := s.Committed(edge, epoch)
		if err != nil || !slices.Equal(got, want) {
			s.Fatalf("committed of %s %d: %v %v, want %v", edge, epoch, got, err, want)
		}
	}
	s.twice(func() {
		f("e", 7, sparkplug.Span{First: 1, Last: 2}, sparkplug.Span{First: 4, Last: 5},
			sparkplug.Span{First: sparkplug.MaxNumber, Last: sparkplug.MaxNumber})
		f("e", 8, sparkplug.Span{First: 1, Last: 1})
		f("e2", 7, sparkplug.Span{First: 9, Last: 9})
		f("e", 9)
		f("x", 7)
	})
	s.put(plant.Batch{}, m("e", 7, 3))
	s.twice(func() {
		f("e", 7, sparkplug.Span{First: 1, Last: 5}, sparkplug.Span{First: sparkplug.MaxNumber, Last: sparkplug.MaxNumber})
	})
}

// A record that is delivered again does not undo what came after it.
func testRepeated(s *suite) {
	tag := s.intern("A")[0]
	mark := store.Mark{Edge: "e", Epoch: 3, Number: 1}
	old := plant.Sample{Tag: tag, Time: base, Value: 1}
	corrected := plant.Sample{Tag: tag, Time: base, Value: 2}
	s.put(plant.Batch{Samples: []plant.Sample{old}}, mark)
	s.samples(corrected)
	s.twice(func() {
		s.put(plant.Batch{Samples: []plant.Sample{old}}, mark)
		s.same("delivered again", s.scan(all(tag)), []plant.Sample{corrected})
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

func testRefused(s *suite) {
	tag := s.intern("A")[0]
	ctx := context.Background()
	f := func(want error, b plant.Batch, marks ...store.Mark) {
		s.Helper()
		err := s.Append(ctx, b, marks)
		if err == nil || want != nil && !errors.Is(err, want) {
			s.Errorf("got %v, want %v", err, want)
		}
	}
	ok := plant.Sample{Tag: tag, Time: base}
	f(store.ErrUnknownTag, plant.Batch{Samples: []plant.Sample{ok, {Tag: tag + 9, Time: base}}})
	f(store.ErrUnknownTag, plant.Batch{Samples: []plant.Sample{ok}, States: []plant.State{{Tag: 0}}})
	f(store.ErrUnknownTag, plant.Batch{Samples: []plant.Sample{ok}, Gaps: []plant.Gap{{Tag: tag + 9, To: 1}}})
	f(nil, plant.Batch{Samples: []plant.Sample{ok}}, store.Mark{Edge: "", Epoch: 1, Number: 1})
	f(nil, plant.Batch{Samples: []plant.Sample{ok}}, store.Mark{Edge: "e", Epoch: 0, Number: 1})
	f(nil, plant.Batch{Samples: []plant.Sample{ok}}, store.Mark{Edge: "e", Epoch: 1, Number: 0})
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Append(gone, plant.Batch{Samples: []plant.Sample{ok}}, nil); !errors.Is(err, context.Canceled) {
		s.Errorf("after cancel: %v", err)
	}
	s.same("refused batches leave nothing", s.scan(all(tag)), nil)
	s.put(plant.Batch{}) // nothing is nothing
	s.samples(ok)
	s.same("the next one is taken", s.scan(all(tag)), []plant.Sample{ok})
}

func testClosed(s *suite) {
	tag := s.intern("A")[0]
	if err := s.Store.Close(); err != nil {
		s.Fatal(err)
	}
	if err := s.Store.Close(); err != nil {
		s.Errorf("closed twice: %v", err)
	}
	ctx := context.Background()
	f := func(err error) {
		s.Helper()
		if !errors.Is(err, store.ErrClosed) {
			s.Errorf("got %v", err)
		}
	}
	f(s.Append(ctx, plant.Batch{Samples: []plant.Sample{{Tag: tag}}}, nil))
	f(s.Intern([]plant.Tag{{Path: "x"}}))
	f(s.SetAssets("e", nil))
	f(s.Delete(ctx, all(tag)))
	_, err := s.Last(ctx, nil)
	f(err)
	_, err = s.LastStates(ctx, nil)
	f(err)
	_, err = s.Trend(ctx, plant.TrendQuery{Tag: tag, To: 1, Buckets: 1})
	f(err)
	_, err = s.Gaps(ctx, all(tag))
	f(err)
	_, err = s.States(ctx, all(tag))
	f(err)
	_, err = s.Committed("e", 1)
	f(err)
	for _, err := range s.Scan(ctx, all(tag)) {
		f(err)
	}
	s.Store = s.open(s.T, s.dir)
}
