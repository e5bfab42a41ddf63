package collector

import (
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// hole is what may be missing of a tag whose server keeps history: instead of
// being declared at once, it is read from there, and declared is only what the
// history did not give.
type hole struct {
	span
	tag int // position
	why reason

	saved span   // as the state file may have it
	batch uint64 // span is durable when this batch is
	dirty bool   // span belongs to values that nobody has taken yet

	born  time.Time // zero: before this Run
	tries int
	after time.Time // no try before
}

// span is how far the reading of a hole has got. It is read from its end, so
// that the newest comes first.
type span struct {
	from, to int64 // not read yet, half-open, ns UTC in whole ms; nothing when equal
	next     int64 // source time of the earliest value known after that
	open     bool  // it is not shown yet that the history has all that lies before next
	cut      int64 // history is not believed to go on across this time: the server was started
}

func newHole(tag int, from, to int64, why reason, cut int64) *hole {
	h := &hole{tag: tag, why: why, span: span{from: from, to: to, next: to, open: true}}
	if cut != 0 {
		// Where the clocks of server and source differ, it is still in between.
		h.cut = min(max(plant.Millis(cut), from), to)
	}
	h.saved = h.span
	return h
}

func (h *hole) done() bool { return h.from == h.to }

// keep brings saved up to what is durable.
func (h *hole) keep(committed uint64) {
	if !h.dirty && h.batch <= committed {
		h.saved = h.span
	}
}

// give ends the hole: what was not read is declared.
func (h *hole) give(dst []plant.Gap, tag plant.TagID) []plant.Gap {
	dst = appendGap(dst, tag, h.from-oneMilli, h.next, h.why.String())
	h.to = h.from
	return dst
}

// slice is a part of a hole that is being read, oldest value first.
type slice struct {
	hole       *hole
	node       *ua.NodeID
	from       int64
	point      []byte // continuation point
	read       bool   // all of it
	low        int64  // first value in it, noTime none
	prev       int64  // newest value so far, noTime none
	begin, end bool   // history has the value before the hole, and the one after
	disorder   bool
	pages      int
}

func newSlice(h *hole, node *ua.NodeID, from int64) *slice {
	return &slice{hole: h, node: node, from: from, low: noTime, prev: noTime}
}

// take looks at the time of one value. It reports whether the value is one that
// is missing, and appends what the history does not have before it.
func (s *slice) take(dst []plant.Gap, tag plant.TagID, at int64) ([]plant.Gap, bool) {
	h := s.hole
	switch {
	case s.prev != noTime && at < s.prev:
		s.disorder = true
		return dst, at >= s.from && at < h.to
	case s.from == h.from && at == h.from-oneMilli:
		s.begin = true
	case at == h.next && h.next == h.to:
		s.end = true
		return dst, false
	case at < s.from || at >= h.to:
		return dst, false
	default:
		if s.prev != noTime && s.prev < h.cut && at >= h.cut {
			dst = appendGap(dst, tag, s.prev, at, h.why.String())
		}
		if s.low == noTime {
			s.low = at
		}
		s.prev = at
		return dst, true
	}
	s.prev = at
	return dst, false
}

// finish ends the slice: the hole is smaller by it. What the history does not
// show to be whole is appended.
func (s *slice) finish(dst []plant.Gap, tag plant.TagID) []plant.Gap {
	h := s.hole
	why := h.why.String()
	if s.end {
		h.open = false
	}
	if s.disorder {
		dst = appendGap(dst, tag, s.from-oneMilli, h.next, why)
		h.next, h.open, h.to = s.from, true, s.from
		return dst
	}
	if s.prev != noTime {
		if h.open || s.prev < h.cut && h.next >= h.cut {
			dst = appendGap(dst, tag, s.prev, h.next, why)
		}
		h.open = false
		if s.low != noTime {
			h.next = s.low
		}
	}
	if s.from == h.from && !s.begin {
		dst = appendGap(dst, tag, h.from-oneMilli, h.next, why)
	}
	h.to = s.from
	return dst
}
