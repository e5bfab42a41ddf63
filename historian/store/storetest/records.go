package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"

	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
)

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
	f(nil, plant.Batch{Samples: []plant.Sample{ok}}, store.Mark{Edge: strings.Repeat("e", store.MaxEdge+1), Epoch: 1, Number: 3})
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
	_, err = s.LastWaveform(ctx, tag)
	f(err)
	for _, err := range s.Waveforms(ctx, all(tag)) {
		f(err)
	}
	s.Store = s.open(s.T, s.dir)
}
