package store

import (
	"encoding/binary"
	"slices"
	"time"

	"millwright/plant"
	"millwright/sparkplug"

	"github.com/cockroachdb/pebble/v2"
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
	day              int32 // of the last record, as it is on the disk
}

func checkMarks(marks []Mark) error {
	for _, m := range marks {
		if err := m.Check(); err != nil {
			return err
		}
	}
	return nil
}

// fillMarkDay writes the day of an epoch's last record, and on a new day looks for
// epochs to forget.
func (s *Pebble) fillMarkDay(commit *pebble.Batch, m Mark, r *markRanges) error {
	today := dayOf(time.Now().UnixNano())
	if r.day == today {
		return nil
	}
	r.day = today
	if err := s.setMarkDay(commit, m.Edge, m.Epoch, today); err != nil {
		return err
	}
	return s.forgetMarks(commit, today)
}

func (s *Pebble) setMarkDay(commit *pebble.Batch, edge string, epoch uint64, day int32) error {
	s.key = markDayKey(s.key, edge, epoch)
	s.buf = binary.BigEndian.AppendUint32(s.buf[:0], uint32(day))
	return commit.Set(s.key, s.buf, nil)
}

// forgetMarks drops the epochs whose last record is long ago. It looks once a day.
func (s *Pebble) forgetMarks(commit *pebble.Batch, today int32) error {
	if s.marksDay == today {
		return nil
	}
	s.marksDay = today
	for k, r := range s.marks {
		if today-r.day <= int32(KeepMarks/(24*time.Hour)) {
			continue
		}
		for _, key := range [][]byte{markKey(nil, k.edge, k.epoch, 0), tallyKey(nil, k.edge, k.epoch, 0)} {
			from := key[:len(key)-8]
			if err := commit.DeleteRange(from, after(from), nil); err != nil {
				return err
			}
		}
		if err := commit.Delete(markDayKey(nil, k.edge, k.epoch), nil); err != nil {
			return err
		}
		delete(s.marks, k)
	}
	return nil
}
