package storetest

import (
	"context"

	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
)

// What records carry is counted once for each, whatever comes again, and outlives
// the store's closing, folded or not.
func testTallies(s *suite) {
	const edge, epoch, records = "mill/a b", 7, 64 * 5000
	mark := func(n uint64) store.Mark {
		return store.Mark{Edge: edge, Epoch: epoch, Number: n, Counts: plant.Counts{n, 0, 0, 1, 0}}
	}
	tag := s.intern("A")[0]
	for first := uint64(1); first <= records; first += 16_000 {
		var marks []store.Mark
		for n := first; n < first+16_000; n += 32 { // two of each block
			marks = append(marks, mark(n))
		}
		s.put(plant.Batch{Samples: []plant.Sample{{Tag: tag, Time: base}}}, marks...)
		s.put(plant.Batch{}, marks[0])                                                               // again, all of it
		s.put(plant.Batch{Samples: []plant.Sample{{Tag: tag, Time: base}}}, marks[1], mark(first+1)) // and some of it
	}
	s.put(plant.Batch{}, store.Mark{Edge: edge, Epoch: 8, Number: 5, Counts: plant.Counts{5}})
	f := func(below uint64) {
		s.Helper()
		list, of, err := s.Tallies(edge, epoch)
		if n := plant.CountTallies(list); err != nil || n != sparkplug.CountSpans(of) {
			s.Fatal(n, of, err)
		}
		got, ok := plant.SumTallies(list, below)
		var want plant.Tally
		for n := uint64(1); n <= below*plant.TallyBlock; n++ {
			if n%32 == 1 || n%16_000 == 2 {
				want.Records++
				want.Counts.Add(mark(n).Counts)
			}
		}
		if got != want || !ok {
			s.Fatalf("below block %d: %+v %v, want %+v", below, got, ok, want)
		}
	}
	s.twice(func() { f(1); f(4321); f(5000) })
	if err := s.FoldTallies(edge, epoch, 4800); err != nil {
		s.Fatal(err)
	}
	if list, _, err := s.Tallies(edge, epoch); err != nil || len(list) > 201 || list[0].First != 0 || list[0].Last != 4799 {
		s.Fatalf("%d tallies after folding, %v", len(list), err)
	}
	s.put(plant.Batch{}, mark(64*4900+3), mark(70)) // into what was folded, too
	list, _, err := s.Tallies(edge, epoch)
	if err != nil || list[0].Records != 2*4800+20+1 || list[0].Counts[3] != list[0].Records {
		s.Fatalf("%+v %v", list[0], err)
	}
	s.twice(func() {
		list, of, err := s.Tallies(edge, epoch)
		if n := plant.CountTallies(list); err != nil || n != sparkplug.CountSpans(of) {
			s.Fatal(n, of, err)
		}
		sum, ok := plant.SumTallies(list, 5000)
		if want := uint64(2*5000 + 20 + 2); !ok || sum.Records != want || sum.Counts[3] != want {
			s.Fatalf("%+v %v, want %d records", sum, ok, want)
		}
		if list, _, err = s.Tallies(edge, 8); err != nil || len(list) != 1 || list[0] != (plant.Tally{Records: 1, Counts: plant.Counts{5}}) {
			s.Fatalf("%+v %v", list, err)
		}
	})
	if list, of, err := s.Tallies("nobody", 1); err != nil || len(list)+len(of) > 0 {
		s.Fatal(list, of, err)
	}
	if err := s.Append(context.Background(), plant.Batch{}, []store.Mark{mark(1)}); err != nil {
		s.Fatal(err)
	}
}
