package plant

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestIsDerived(t *testing.T) {
	for path, want := range map[string]bool{
		"HSM/F3/$SCORE": true, "$RATE": true, "HSM/F3/VIB": false, "HSM/$X/VIB": false, "": false, "HSM/": false, "a$": false,
	} {
		if IsDerived(path) != want {
			t.Errorf("%q: %v", path, !want)
		}
	}
}

func TestCountOf(t *testing.T) {
	derived := func(id TagID) bool { return id > 100 }
	b := Batch{
		Samples: []Sample{{Tag: 1}, {Tag: 101}, {Tag: 2}}, States: []State{{Tag: 102}, {Tag: 3}},
		Waveforms: []Waveform{{Tag: 4}}, Gaps: []Gap{{Tag: 1}, {Tag: 2}},
	}
	if got, want := CountOf(&b, derived), (Counts{3, 2, 1, 0, 2}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	b.Findings = []Finding{{}}
	if got, want := CountOf(&b, derived), (Counts{CountFindings: 1}); got != want {
		t.Errorf("with a finding %v, want %v", got, want)
	}
}

// Numbers in any order, folded now and then, add up to what was put in, below
// every block that is not inside a fold.
func TestTallies(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		numbers := r.Perm(500)
		var list []Tally
		folded := uint64(0)
		for i, n := range numbers {
			var at int
			list, at = AddTally(list, uint64(n)+1, Counts{uint64(n)})
			if b := BlockOf(uint64(n) + 1); list[at].First > b || list[at].Last < b {
				t.Fatalf("number %d is counted in blocks %d to %d", n+1, list[at].First, list[at].Last)
			}
			if i%100 == 99 {
				folded = max(folded, uint64(r.IntN(4)))
				before := len(list)
				var gone []Tally
				list, gone = FoldTallies(list, folded)
				if len(list)+len(gone) != before {
					t.Fatalf("%d tallies of %d left, %d gone", len(list), before, len(gone))
				}
			}
		}
		if !slices.IsSortedFunc(list, func(a, b Tally) int { return int(a.Last) - int(b.First) }) {
			t.Fatalf("not disjoint: %+v", list)
		}
		for below := folded; below <= 8; below++ {
			var want Counts
			records := uint64(0)
			for n := range min(500, below*TallyBlock) {
				want[0] += n
				records++
			}
			sum, ok := SumTallies(list, below)
			if !ok || sum.Counts != want || sum.Records != records {
				t.Fatalf("below %d: %+v %v, want %v of %d records", below, sum, ok, want, records)
			}
		}
	}
	if _, ok := SumTallies([]Tally{{First: 0, Last: 3}}, 2); ok {
		t.Error("a fold that reaches over the block is taken for a part")
	}
}
