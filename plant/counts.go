package plant

import (
	"slices"
	"strings"
)

// What records carry is counted in classes on both ends of the line, so that the
// counts can be held against each other. A value's class follows from the part of
// the batch that it stands in and from its tag's path, which no birth, no restart
// and no new configuration changes. Numbers and texts are one class: a value that
// its source did not have travels as null, which says of neither that it was one.
const (
	CountMeasured  = iota // numbers and texts read from a PLC
	CountDerived          // numbers and texts of the edge's own: $SCORE, $STATE, …
	CountWaveforms        // bursts
	CountFindings
	CountGaps // declared gaps, tag by tag
	CountClasses
)

// CountNames are the classes as /metrics and the API name them.
func CountNames() [CountClasses]string {
	return [...]string{"measured", "derived", "waveforms", "findings", "gaps"}
}

// Counts is a number for each class.
type Counts [CountClasses]uint64

// Add adds o.
func (c *Counts) Add(o Counts) {
	for i := range c {
		c[i] += o[i]
	}
}

// CountOf counts a batch. derived says whether a tag is one of the edge's own: see
// IsDerived. Of a batch with findings nothing else is counted: such records hold
// nothing else, and who keeps findings keeps nothing else.
func CountOf(b *Batch, derived func(TagID) bool) (c Counts) {
	if n := len(b.Findings); n > 0 {
		c[CountFindings] = uint64(n)
		return c
	}
	for i := range b.Samples {
		if derived(b.Samples[i].Tag) {
			c[CountDerived]++
		}
	}
	for i := range b.States {
		if derived(b.States[i].Tag) {
			c[CountDerived]++
		}
	}
	c[CountMeasured] = uint64(len(b.Samples)+len(b.States)) - c[CountDerived]
	c[CountWaveforms] = uint64(len(b.Waveforms))
	c[CountGaps] = uint64(len(b.Gaps))
	return c
}

// IsDerived reports whether a path is that of a tag of the edge's own: its last
// step begins with $, which no tag of a PLC may (see plant/config).
func IsDerived(path string) bool {
	return strings.HasPrefix(path[strings.LastIndexByte(path, '/')+1:], "$")
}

// TallyBlock is how many record numbers a Tally stands for, from 1 + Block × 64 on.
const TallyBlock = 64

// BlockOf is the block of a record number.
func BlockOf(number uint64) uint64 { return (number - 1) / TallyBlock }

// Tally is what the records of the blocks First to Last carried: of one block, or
// of several that were folded.
type Tally struct {
	First, Last uint64
	Records     uint64
	Counts      Counts
}

// AddTally adds what one record carried. The tallies ascend and are disjoint; the
// index of the one that the record is in comes back.
func AddTally(list []Tally, number uint64, c Counts) ([]Tally, int) {
	block := BlockOf(number)
	i := len(list)
	for i > 0 && list[i-1].Last >= block { // numbers come almost in order
		i--
	}
	if i == len(list) || list[i].First > block {
		list = slices.Insert(list, i, Tally{First: block, Last: block})
	}
	list[i].Records++
	list[i].Counts.Add(c)
	return list, i
}

// FoldTallies adds up, in place, the tallies of all blocks below one. The tallies
// that are gone come back; the first of those that stay stands for them.
func FoldTallies(list []Tally, below uint64) (rest, gone []Tally) {
	k := 0
	for k < len(list) && list[k].Last < below {
		k++
	}
	if k < 2 {
		return list, nil
	}
	gone = slices.Clone(list[:k-1])
	sum := Tally{First: list[0].First, Last: list[k-1].Last}
	for _, t := range list[:k] {
		sum.Records += t.Records
		sum.Counts.Add(t.Counts)
	}
	list[k-1] = sum
	return append(list[:0], list[k-1:]...), gone
}

// SumTallies adds up the tallies of the blocks below one. ok is false where one of
// them reaches over it.
func SumTallies(list []Tally, below uint64) (sum Tally, ok bool) {
	for _, t := range list {
		if t.First >= below {
			break
		}
		if t.Last >= below {
			return sum, false
		}
		sum.Records += t.Records
		sum.Counts.Add(t.Counts)
	}
	return sum, true
}

// CountTallies is the number of records in tallies.
func CountTallies(list []Tally) (n uint64) {
	for i := range list {
		n += list[i].Records
	}
	return n
}
