package storetest

import (
	"context"
	"math"
	"testing"
	"time"

	"millwright/historian/store"
	"millwright/plant"
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
	f("tallies", testTallies)
	f("last", testLast)
	f("states", testStates)
	f("gaps", testGaps)
	f("trend", testTrend)
	f("trend model", testTrendModel)
	f("names", testNames)
	f("waveforms", testWaveforms)
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
