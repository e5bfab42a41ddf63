package ledger

import (
	"errors"
	"iter"
	"math"
	"reflect"
	"strings"
	"testing"

	"millwright/plant"
)

func list[T any](all ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range all {
			if !yield(x, nil) {
				return
			}
		}
	}
}

func TestEpisodes(t *testing.T) {
	got, err := Episodes(list(
		Truth{Time: 1, Asset: "A", Fault: "wear", Severity: 0.02},
		Truth{Time: 2, Asset: "B", Fault: "wear", Severity: 1},
		Truth{Time: 3, Asset: "A", Fault: "wear", Severity: 1},
		Truth{Time: 4, Asset: "A", Fault: "dust", Severity: 0.5},
		Truth{Time: 5, Asset: "A", Fault: "wear", Severity: 0},
		Truth{Time: 6, Asset: "A", Fault: "dust", Severity: 0.3},
		Truth{Time: 7, Asset: "A", Fault: "wear", Severity: 0.02},
		Truth{Time: 8, Asset: "C", Fault: "wear", Severity: 0},
	))
	want := []Episode{
		{"A", "wear", 1, 3, 5, 1}, {"B", "wear", 2, 2, 0, 1}, {"A", "dust", 4, 0, 0, 0.5}, {"A", "wear", 7, 0, 0, 0.02},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	broken := errors.New("broken")
	if _, err := Episodes(func(yield func(Truth, error) bool) { yield(Truth{}, broken) }); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestCompare(t *testing.T) {
	base := []Offer{{Tag: "A", Seq: 1, Time: 1e6, Value: 100}, {Tag: "B", Seq: 1, Time: 1e6, Text: "x", IsText: true}, {Tag: "C", Seq: 1, Time: 1e6, Value: math.NaN()}}
	f := func(want string, change func([]Offer) []Offer) {
		t.Helper()
		c, err := Compare(list(base...), list(change(append([]Offer(nil), base...))...), 1e-9)
		if got := strings.Join(c.Differ, "; "); err != nil || (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	f("", func(o []Offer) []Offer { return o })
	f("", func(o []Offer) []Offer { o[0].Value *= 1 + 5e-10; return o })
	f("A at 1 ms is 100", func(o []Offer) []Offer { o[0].Value *= 1 + 5e-9; return o })
	f("A at 1 ms is 100", func(o []Offer) []Offer { o[0].Value = math.NaN(); return o })
	f("A at 1 ms is 100", func(o []Offer) []Offer { o[0].Value = math.Inf(1); return o })
	f("A at 1 ms is 100", func(o []Offer) []Offer { o[0].Quality = plant.Bad; return o })
	f("B at 1 ms is 0 x", func(o []Offer) []Offer { o[1].Text = "y"; return o })
	f("entry 1 is number 1 of B at 1 ms", func(o []Offer) []Offer { o[1].Time = 2e6; return o })
	f("the second log ends before entry 2", func(o []Offer) []Offer { return o[:2] })
	f("the first log ends before entry 3", func(o []Offer) []Offer { return append(o, o[0]) })
}
