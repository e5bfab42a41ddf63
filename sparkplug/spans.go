package sparkplug

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Span is a run of record numbers, both ends included.
type Span struct{ First, Last uint64 }

// Bounds of a list of spans in one acknowledgement (FORMAT.md, acknowledgement).
const (
	MaxNumber    = 1<<53 - 1 // the largest record number and epoch: exact in a float64
	MaxSpans     = 1000
	MaxSpansText = 32 << 10
)

// spansPerText spans fit MaxSpansText whatever their numbers: 34 bytes is the
// longest one with its comma.
const spansPerText = MaxSpansText / 34

var errSpans = errors.New("record ranges")

// ParseSpans reads ranges such as "1-5000,5003,5007-5100": ascending, disjoint,
// without blanks, signs or leading zeros, at most MaxSpans of them. It takes all
// of the text or, with an error, nothing: half of a broken acknowledgement
// would be a guess about data that is deleted on its word.
func ParseSpans(s string) ([]Span, error) {
	if s == "" || len(s) > MaxSpansText {
		return nil, fmt.Errorf("%w: %d bytes, allowed are 1 to %d", errSpans, len(s), MaxSpansText)
	}
	n := strings.Count(s, ",") + 1
	if n > MaxSpans {
		return nil, fmt.Errorf("%w: %d of them, allowed are %d", errSpans, n, MaxSpans)
	}
	out := make([]Span, 0, n)
	var last uint64
	for part := range strings.SplitSeq(s, ",") {
		first, second, two := strings.Cut(part, "-")
		a, ok := parseNumber(first)
		b := a
		if ok && two {
			b, ok = parseNumber(second)
		}
		if !ok || b < a || a <= last {
			return nil, fmt.Errorf("%w: %.40q after %d", errSpans, part, last)
		}
		out = append(out, Span{a, b})
		last = b
	}
	return out, nil
}

// parseNumber reads a decimal record number without sign or leading zero.
func parseNumber(s string) (uint64, bool) {
	if s == "" || len(s) > 16 || s[0] == '0' {
		return 0, false
	}
	var v uint64
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		v = v*10 + uint64(c)
	}
	return v, v <= MaxNumber
}

// FormatSpans writes what ParseSpans reads. The spans must be ascending and
// disjoint; SplitSpans cuts a list that is too long for one text.
func FormatSpans(spans []Span) string {
	var b []byte
	for i, s := range spans {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, s.First, 10)
		if s.Last != s.First {
			b = append(b, '-')
			b = strconv.AppendUint(b, s.Last, 10)
		}
	}
	return string(b)
}

// SplitSpans cuts spans into lists of which each fits one text. The lists share
// the memory of spans.
func SplitSpans(spans []Span) [][]Span {
	return slices.Collect(slices.Chunk(spans, spansPerText))
}

// AddSpan adds x to spans, which are ascending and disjoint and stay so;
// neighbours melt into one. It changes spans in place and returns it.
func AddSpan(spans []Span, x Span) []Span {
	n := len(spans)
	if n == 0 || x.First > spans[n-1].Last+1 { // the usual case: numbers grow
		return append(spans, x)
	}
	// i: the first span that touches x or follows it; j: the first one behind.
	i, _ := slices.BinarySearchFunc(spans, x, func(s, x Span) int {
		if s.Last+1 < x.First {
			return -1
		}
		return 1
	})
	j := i
	for j < n && spans[j].First <= x.Last+1 {
		x.First = min(x.First, spans[j].First)
		x.Last = max(x.Last, spans[j].Last)
		j++
	}
	return slices.Replace(spans, i, j, x)
}

// AddSpans adds every span of more to spans, as AddSpan does.
func AddSpans(spans, more []Span) []Span {
	for _, x := range more {
		spans = AddSpan(spans, x)
	}
	return spans
}

// ContainsSpan reports whether every number of x is in spans, which are
// ascending, disjoint and without neighbours.
func ContainsSpan(spans []Span, x Span) bool {
	i, _ := slices.BinarySearchFunc(spans, x.First, func(s Span, first uint64) int {
		if s.Last < first {
			return -1
		}
		return 1
	})
	return i < len(spans) && spans[i].First <= x.First && x.Last <= spans[i].Last
}

// Contains reports whether number n is in spans.
func Contains(spans []Span, n uint64) bool { return ContainsSpan(spans, Span{n, n}) }

// SpansFrom returns the part of spans from number n upwards, as a new slice.
func SpansFrom(spans []Span, n uint64) []Span {
	var out []Span
	for _, s := range spans {
		if s.Last >= n {
			out = append(out, Span{max(s.First, n), s.Last})
		}
	}
	return out
}

// SpansBetween returns the numbers from first to below end that are not in spans.
func SpansBetween(spans []Span, first, end uint64) []Span {
	var out []Span
	for _, s := range spans {
		if s.First >= end {
			break
		}
		if s.First > first {
			out = append(out, Span{first, s.First - 1})
		}
		first = max(first, s.Last+1)
	}
	if first < end {
		out = append(out, Span{first, end - 1})
	}
	return out
}

// CountSpans is the number of numbers in spans.
func CountSpans(spans []Span) uint64 {
	var n uint64
	for _, s := range spans {
		n += s.Last - s.First + 1
	}
	return n
}
