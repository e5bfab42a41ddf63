package sparkplug

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseSpans(t *testing.T) {
	good := func(s string, want ...Span) {
		t.Helper()
		got, err := ParseSpans(s)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("ParseSpans(%q) = %v, %v; want %v", s, got, err, want)
		}
		if f := FormatSpans(got); f != s {
			t.Errorf("%q is written as %q", s, f)
		}
	}
	bad := func(s string) {
		t.Helper()
		if got, err := ParseSpans(s); err == nil || got != nil {
			t.Errorf("ParseSpans(%.40q) = %v, %v; want nothing and an error", s, got, err)
		}
	}
	good("1", Span{1, 1})
	good("1-5000,5003,5007-5100", Span{1, 5000}, Span{5003, 5003}, Span{5007, 5100})
	good("9007199254740991", Span{MaxNumber, MaxNumber})
	bad("")
	bad("0")
	bad("01")
	bad("1-")
	bad("-1")
	bad("+1")
	bad("1 ")
	bad("1, 2")
	bad("1,")
	bad(",1")
	bad("5-4")
	bad("1-2-3")
	bad("1-5,5")
	bad("7,3")
	bad("9007199254740992")
	bad("99999999999999999999")
	bad("１")
	bad(strings.Repeat("1,", MaxSpans) + "1")
	bad(strings.Repeat("1", MaxSpansText+1))
}

func TestSplitSpans(t *testing.T) {
	var spans []Span
	for i := range uint64(2500) {
		spans = append(spans, Span{MaxNumber - 20000 + 4*i, MaxNumber - 20000 + 4*i + 1})
	}
	var back []Span
	for _, part := range SplitSpans(spans) {
		got, err := ParseSpans(FormatSpans(part))
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, got...)
	}
	if !slices.Equal(back, spans) {
		t.Error("the parts do not make up the whole")
	}
}

// The set operations agree with a map of numbers.
func TestSpanSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var spans []Span
		set := map[uint64]bool{}
		for range rapid.IntRange(0, 40).Draw(t, "n") {
			a := rapid.Uint64Range(1, 200).Draw(t, "a")
			b := a + rapid.Uint64Range(0, 20).Draw(t, "len")
			spans = AddSpan(spans, Span{a, b})
			for i := a; i <= b; i++ {
				set[i] = true
			}
		}
		var want []Span
		for i := uint64(1); i <= 230; i++ {
			if Contains(spans, i) != set[i] {
				t.Fatalf("Contains(%v, %d) = %v", spans, i, !set[i])
			}
			switch {
			case !set[i]:
			case set[i-1]:
				want[len(want)-1].Last = i
			default:
				want = append(want, Span{i, i})
			}
		}
		if !slices.Equal(spans, want) {
			t.Fatalf("%v, want %v", spans, want)
		}
		if CountSpans(spans) != uint64(len(set)) {
			t.Fatalf("CountSpans(%v) = %d, want %d", spans, CountSpans(spans), len(set))
		}
		from := rapid.Uint64Range(1, 230).Draw(t, "from")
		for i := uint64(1); i <= 230; i++ {
			if got := Contains(SpansFrom(spans, from), i); got != (set[i] && i >= from) {
				t.Fatalf("SpansFrom(%v, %d) wrong at %d", spans, from, i)
			}
		}
	})
}

func FuzzParseSpans(f *testing.F) {
	f.Add("1-5000,5003,5007-5100")
	f.Add("1")
	f.Add("0-0")
	f.Add("9007199254740991-9007199254740992")
	f.Fuzz(func(t *testing.T, s string) {
		spans, err := ParseSpans(s)
		if err != nil {
			return
		}
		again, err := ParseSpans(FormatSpans(spans))
		if err != nil || !reflect.DeepEqual(again, spans) {
			t.Fatalf("%q: %v, read back as %v, %v", s, spans, again, err)
		}
	})
}
