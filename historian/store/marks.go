package store

import (
	"fmt"
	"slices"

	"millwright/plant"
	"millwright/sparkplug"
)

// spans are record numbers as ascending ranges that do not touch.
type spans []sparkplug.Span

// find returns the place of the first range that ends at or after n, and
// whether it holds n.
func (s spans) find(n uint64) (int, bool) {
	if k := len(s); k == 0 || s[k-1].Last < n { // the common case: behind the last one
		return k, false
	}
	i, _ := slices.BinarySearchFunc(s, n, func(r sparkplug.Span, n uint64) int {
		if r.Last < n {
			return -1
		}
		return 1
	})
	return i, s[i].First <= n
}

// add puts n in. The range that holds it now comes back, and with joined the
// start of the range that it swallowed on its right.
func (s *spans) add(n uint64) (now sparkplug.Span, joined uint64) {
	r := *s
	i, in := r.find(n)
	if in {
		return r[i], 0
	}
	left := i > 0 && r[i-1].Last+1 == n
	right := i < len(r) && r[i].First == n+1
	switch {
	case left && right:
		joined = r[i].First
		r[i-1].Last = r[i].Last
		r = slices.Delete(r, i, i+1)
		i--
	case left:
		i--
		r[i].Last = n
	case right:
		joined = r[i].First
		r[i].First = n
	default:
		r = slices.Insert(r, i, sparkplug.Span{First: n, Last: n})
	}
	*s = r
	return r[i], joined
}

type markSet struct {
	edge  string
	epoch uint64
}

// markRanges are the record numbers of one epoch. What is applied is on its way
// to the disk; only what is durable may be acknowledged.
type markRanges struct {
	applied, durable spans
	tallies          []plant.Tally
}

func checkMarks(marks []Mark) error {
	for _, m := range marks {
		if m.Edge == "" || len(m.Edge) > 255 || m.Epoch == 0 || m.Number == 0 || m.Number > sparkplug.MaxNumber {
			return fmt.Errorf("record %d of epoch %d of edge %.40q: not a record number", m.Number, m.Epoch, m.Edge)
		}
	}
	return nil
}
