package queue

import (
	"slices"
	"sort"
	"time"

	"millwright/sparkplug"
)

// Lane is a class of records with a quota of its own.
type Lane uint8

// The lanes. Their numbers are on disk; what goes out first is the uplink's
// business: findings, audit, telemetry, waveforms.
const (
	Findings  Lane = 0 // findings and gap records: small, first, never dropped
	Telemetry Lane = 1
	Waveforms Lane = 2 // large: with a bound of their own, so that they displace no telemetry
	Audit     Lane = 3 // what the edge itself did: never dropped
	Lanes          = 4
)

func (l Lane) String() string {
	return [Lanes]string{"findings", "telemetry", "waveforms", "audit"}[l]
}

// mayGo reports whether records of the lane may be thinned out, declared as gaps.
func (l Lane) mayGo() bool { return l == Telemetry || l == Waveforms }

// opening is what is left of one epoch.
type opening struct {
	counter uint32
	epoch   uint64
	lanes   [Lanes]lane
}

// lane is what is left of one lane of one epoch.
type lane struct {
	left  spans  // numbers that are not settled, those not yet on disk too
	items []item // what is on disk, ascending
	bytes uint64 // of the items
}

// item is one value on disk: a record, or a pack of many.
type item struct {
	first, last uint64 // numbers; equal but in a pack
	left        uint32 // records in it that are not settled
	bytes       uint32
	created     int64 // ms: of its first record
	newest      int64 // ms: of its last one
	pack        bool
	broken      bool // cannot be read: is about to be declared
}

// lowest is the lowest number that is left, 0 if nothing is.
func (o *opening) lowest() (n uint64) {
	for i := range o.lanes {
		if left := o.lanes[i].left; len(left) > 0 && (n == 0 || left[0].First < n) {
			n = left[0].First
		}
	}
	return n
}

// from is the index of the first item that holds a number, or one behind it.
func (l *lane) from(number uint64) int {
	return sort.Search(len(l.items), func(i int) bool { return l.items[i].last >= number })
}

// unpacked is the index of the first item behind the packs at the front.
func (l *lane) unpacked() int {
	return sort.Search(len(l.items), func(i int) bool { return !l.items[i].pack })
}

// add notes what was written. Records come in ascending order, but for packs and
// what is salvaged.
func (l *lane) add(it item) {
	l.bytes += uint64(it.bytes)
	if n := len(l.items); n == 0 || l.items[n-1].last < it.first {
		l.items = append(l.items, it)
		return
	}
	l.items = slices.Insert(l.items, l.from(it.first), it)
}

// drop takes numbers, which were left, off the items and returns what no longer
// need be on disk, as runs of neighbours.
func (l *lane) drop(g sparkplug.Span) (dead []item) {
	i := l.from(g.First)
	j := i
	for ; j < len(l.items) && l.items[j].first <= g.Last; j++ {
		it := &l.items[j]
		it.left -= uint32(min(it.last, g.Last) - max(it.first, g.First) + 1)
		if it.left == 0 {
			l.bytes -= uint64(it.bytes)
			dead = append(dead, *it)
		}
	}
	switch {
	case len(dead) == 0:
	case len(dead) == j-i && i == 0: // the usual case: the oldest
		l.items = l.items[j:]
	default:
		kept := slices.DeleteFunc(l.items[i:j], func(it item) bool { return it.left == 0 })
		l.items = append(l.items[:i+len(kept)], l.items[j:]...)
	}
	return dead
}

// Quota is what a lane may hold. Zero of either: no bound.
type Quota struct {
	Bytes int64         // on disk
	Age   time.Duration // of the oldest record
}

// Quotas by lane. Telemetry and waveforms beyond theirs are thinned out, oldest
// first, and declared; findings and audit are kept whatever their quota says,
// which is where people are warned.
type Quotas [Lanes]Quota

const day = 24 * time.Hour

// DefaultQuotas hold 72 h of 5,000 samples a second.
func DefaultQuotas() Quotas {
	return Quotas{
		Findings:  {Bytes: 256 << 20, Age: 90 * day},
		Telemetry: {Bytes: 4e9, Age: 30 * day},
		Waveforms: {Bytes: 1e9, Age: 7 * day},
		Audit:     {Bytes: 64 << 20, Age: 90 * day},
	}
}
