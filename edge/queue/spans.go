package queue

import (
	"slices"
	"sort"

	"millwright/sparkplug"
)

// spans is a set of record numbers as ascending, disjoint, not adjacent,
// inclusive ranges: what of one opening is not settled. It stays small because
// records are settled almost in order.
type spans []sparkplug.Span

// add puts n, which is higher than all before, into the set.
func (s spans) add(n uint64) spans {
	if k := len(s); k > 0 && s[k-1].Last+1 == n {
		s[k-1].Last = n
		return s
	}
	return append(s, sparkplug.Span{First: n, Last: n})
}

// cut removes the numbers of c and returns those that were there.
func (s spans) cut(c sparkplug.Span) (rest spans, gone []sparkplug.Span) {
	i := sort.Search(len(s), func(i int) bool { return s[i].Last >= c.First })
	j := i
	var keep []sparkplug.Span
	for ; j < len(s) && s[j].First <= c.Last; j++ {
		have := s[j]
		gone = append(gone, sparkplug.Span{First: max(have.First, c.First), Last: min(have.Last, c.Last)})
		if have.First < c.First {
			keep = append(keep, sparkplug.Span{First: have.First, Last: c.First - 1})
		}
		if have.Last > c.Last {
			keep = append(keep, sparkplug.Span{First: c.Last + 1, Last: have.Last})
		}
	}
	if len(gone) == 0 {
		return s, nil
	}
	return slices.Replace(s, i, j, keep...), gone
}

// part are the numbers of the set from first to last.
func (s spans) part(first, last uint64) (out spans) {
	for i := sort.Search(len(s), func(i int) bool { return s[i].Last >= first }); i < len(s) && s[i].First <= last; i++ {
		out = append(out, sparkplug.Span{First: max(s[i].First, first), Last: min(s[i].Last, last)})
	}
	return out
}

// count is the number of record numbers in the set.
func (s spans) count() (n uint64) {
	for _, c := range s {
		n += c.Last - c.First + 1
	}
	return n
}

// has reports whether n is in the set.
func (s spans) has(n uint64) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].Last >= n })
	return i < len(s) && s[i].First <= n
}

// within is how many numbers of the set lie in c.
func (s spans) within(c sparkplug.Span) (n uint64) {
	for i := sort.Search(len(s), func(i int) bool { return s[i].Last >= c.First }); i < len(s) && s[i].First <= c.Last; i++ {
		n += min(s[i].Last, c.Last) - max(s[i].First, c.First) + 1
	}
	return n
}

// insert puts a range into the set, wherever it belongs.
func (s spans) insert(c sparkplug.Span) spans {
	return spans(sparkplug.AddSpan(s, c))
}
