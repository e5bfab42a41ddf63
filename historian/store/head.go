package store

import (
	"slices"

	"millwright/plant"
)

// headLen is the number of samples at which a head is cut. The first cut of a
// tag comes earlier, at a length of its own, so that tags that are sampled
// alike are not all cut at once.
const headLen = 1024

const segmentLen = 64

// segment is a piece of a head. Heads are made of pieces so that ten thousand
// slow tags do not each hold the memory of a thousand samples.
type segment struct {
	times   [segmentLen]int64
	values  [segmentLen]float64
	quality [segmentLen]plant.Quality
}

// head holds the samples of a tag that are not in chunks, as they arrived.
type head struct {
	segments []*segment
	n        int
	first    uint64 // batch of the oldest sample
	limit    int    // cut at this many

	// Where the day that was cut last ends in prefix 'c', once known: samples
	// behind it follow there, others go to prefix 'l'.
	end      int64
	endDay   int32
	endKnown bool
}

// columns are samples of one tag.
type columns struct {
	times   []int64
	values  []float64
	quality []plant.Quality
}

func (c *columns) reset() {
	c.times, c.values, c.quality = c.times[:0], c.values[:0], c.quality[:0]
}

func (c *columns) add(t int64, v float64, q plant.Quality) {
	c.times, c.values, c.quality = append(c.times, t), append(c.values, v), append(c.quality, q)
}

func (c *columns) slice(i, j int) columns {
	return columns{c.times[i:j], c.values[i:j], c.quality[i:j]}
}

// heap is the memory of all heads.
type heap struct {
	free []*segment
	held int // samples in heads
}

func (m *heap) add(h *head, s *plant.Sample, seq uint64) {
	at := h.n % segmentLen
	if at == 0 {
		var g *segment
		if k := len(m.free); k > 0 {
			g, m.free = m.free[k-1], m.free[:k-1]
		} else {
			g = new(segment)
		}
		h.segments = append(h.segments, g)
	}
	if h.n == 0 {
		h.first = seq
	}
	g := h.segments[len(h.segments)-1]
	g.times[at], g.values[at], g.quality[at] = plant.Millis(s.Time), s.Value, s.Quality
	h.n++
	m.held++
}

// drop empties a head.
func (m *heap) drop(h *head) {
	const most = 1 << 14 // free segments kept: 20 MB
	for i, g := range h.segments {
		if len(m.free) < most {
			m.free = append(m.free, g)
		}
		h.segments[i] = nil
	}
	h.segments = h.segments[:0]
	m.held -= h.n
	h.n = 0
}

// gather replaces c by the samples of the head in [from, to), ascending, the
// latest arrival of each time.
func (h *head) gather(c *columns, from, to int64) {
	c.reset()
	ascending := true
	last := int64(0)
	left := h.n
	for _, g := range h.segments {
		n := min(left, segmentLen)
		left -= n
		for i, t := range g.times[:n] {
			if t < from || t >= to {
				continue
			}
			if len(c.times) > 0 && t <= last {
				ascending = false
			}
			last = t
			c.add(t, g.values[i], g.quality[i])
		}
	}
	if !ascending {
		c.sort()
	}
}

// sort orders by time and keeps the last of equal times.
func (c *columns) sort() {
	order := make([]int32, len(c.times))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		switch ta, tb := c.times[a], c.times[b]; {
		case ta < tb:
			return -1
		case ta > tb:
			return 1
		}
		return 0
	})
	var out columns
	for k, i := range order {
		if k+1 < len(order) && c.times[order[k+1]] == c.times[i] {
			continue
		}
		out.add(c.times[i], c.values[i], c.quality[i])
	}
	*c = out
}
