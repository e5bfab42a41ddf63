package sparkplug

import (
	"math/rand/v2"
	"slices"
	"testing"

	"millwright/plant"
)

func FuzzAccounts(f *testing.F) {
	f.Add(FormatAccounts([]Account{{Epoch: 7, Last: 200, Queued: "150-200", Never: "3,9-12", Through: plant.Counts{128, 128, 200, 200, 200},
		Sent: plant.Counts{9}, Total: plant.Counts{12}}}))
	f.Add(`[{"epoch":1,"last":1,"queued":"1-","through":[0,0,0,0,0]}]`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParseAccounts(text)
		if err != nil {
			return
		}
		for i := range list {
			for _, s := range append(list[i].Settled(), list[i].Open()...) {
				if s.First == 0 || s.Last < s.First {
					t.Fatalf("span %v of %+v", s, list[i])
				}
			}
		}
		again, err := ParseAccounts(FormatAccounts(list))
		if err != nil || !slices.Equal(again, list) {
			t.Fatalf("%+v is read as %+v, %v", list, again, err)
		}
	})
}

func TestAccountRefused(t *testing.T) {
	f := func(a Account) {
		t.Helper()
		if _, err := ParseAccounts(FormatAccounts([]Account{a})); err == nil {
			t.Errorf("taken: %+v", a)
		}
	}
	f(Account{})
	f(Account{Epoch: 1, Last: MaxNumber + 1})
	f(Account{Epoch: 1, Last: 100, Through: plant.Counts{65}})
	f(Account{Epoch: 1, Last: 100, Through: plant.Counts{128}})
	f(Account{Epoch: 1, Last: 100, Queued: "2-1"})
	f(Account{Epoch: 1, Last: 100, Sent: plant.Counts{5}, Total: plant.Counts{4}})
	if _, err := ParseAccounts(`[{"epoch":1,"last":1},{"epoch":1,"last":2}]`); err == nil {
		t.Error("an epoch twice is taken")
	}
}

// Spans against sets.
func TestCutCoarse(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	draw := func() (spans []Span) {
		for n := uint64(1); n < 200; n++ {
			if r.IntN(3) == 0 {
				spans = AddSpan(spans, Span{n, n + uint64(r.IntN(3))})
			}
		}
		return spans
	}
	for range 300 {
		a, b := draw(), draw()
		cut := CutSpans(a, b)
		n := 1 + r.IntN(9)
		coarse := CoarseSpans(slices.Clone(a), n)
		if len(coarse) > n {
			t.Fatalf("%d spans, wanted at most %d", len(coarse), n)
		}
		for x := uint64(1); x < 210; x++ {
			if Contains(cut, x) != (Contains(a, x) && !Contains(b, x)) {
				t.Fatalf("%v without %v: %v", a, b, cut)
			}
			if Contains(a, x) && !Contains(coarse, x) {
				t.Fatalf("%v is coarse as %v", a, coarse)
			}
		}
	}
	few := CoarseSpans([]Span{{1, 1}, {3, 3}, {90, 90}}, 2)
	if !slices.Equal(few, []Span{{1, 3}, {90, 90}}) {
		t.Errorf("%v: the nearest are not joined", few)
	}
}
