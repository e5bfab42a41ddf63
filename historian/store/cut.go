package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"millwright/plant"
	"millwright/plant/chunk"

	"github.com/cockroachdb/pebble/v2"
)

// chunkLen is the most samples in one chunk of ours.
const chunkLen = 2 * headLen

// cut writes the head of a tag as chunks and remembers that all batches up to
// the present one are in chunks as far as this tag goes. Chunks do not cross
// midnight (UTC), so that a day is found without knowing what lies before it.
func (s *Pebble) cut(commit *pebble.Batch, tag plant.TagID) error {
	h := &s.heads[tag]
	if h.n == 0 {
		return nil
	}
	h.gather(&s.cols, math.MinInt64, math.MaxInt64)
	c := s.cols
	for i := 0; i < len(c.times); {
		d := dayOf(c.times[i])
		j := i + 1
		for j < len(c.times) && dayOf(c.times[j]) == d {
			j++
		}
		if err := s.cutDay(commit, tag, d, c.slice(i, j)); err != nil {
			return err
		}
		i = j
	}
	s.heap.drop(h)
	h.limit = headLen
	return s.fillCut(commit, tag, &s.last[tag])
}

// cutDay writes what follows the end of the day's chunks behind them, and what
// came late under a prefix of its own: so the chunks under 'c' never overlap,
// and what may overlap is kept apart.
func (s *Pebble) cutDay(commit *pebble.Batch, tag plant.TagID, d int32, c columns) error {
	h := &s.heads[tag]
	if !h.endKnown || h.endDay != d {
		end, err := s.endOfDay(tag, d)
		if err != nil {
			return err
		}
		h.end, h.endDay, h.endKnown = end, d, true
	}
	late := 0
	for late < len(c.times) && c.times[late] <= h.end {
		late++
	}
	if err := s.cutRun(commit, prefixLate, tag, c.slice(0, late)); err != nil {
		return err
	}
	if late == len(c.times) {
		return nil
	}
	h.end = c.times[len(c.times)-1]
	return s.cutRun(commit, prefixChunk, tag, c.slice(late, len(c.times)))
}

func (s *Pebble) cutRun(commit *pebble.Batch, prefix byte, tag plant.TagID, c columns) error {
	for n := len(c.times); n > 0; n = len(c.times) {
		pieces := (n + chunkLen - 1) / chunkLen
		k := (n + pieces - 1) / pieces
		if err := s.fillChunk(commit, prefix, tag, s.seq, c.slice(0, k)); err != nil {
			return err
		}
		c = c.slice(k, n)
	}
	return nil
}

func (s *Pebble) fillChunk(commit *pebble.Batch, prefix byte, tag plant.TagID, seq uint64, c columns) error {
	var err error
	s.buf, err = s.encoder.Append(s.buf[:0], c.times, c.values, c.quality)
	if err != nil {
		return err
	}
	s.key = chunkKey(s.key, prefix, tag, c.times[0], seq)
	s.stats.chunks.Add(1)
	s.stats.chunkSamples.Add(uint64(len(c.times)))
	s.stats.chunkBytes.Add(uint64(len(s.buf) + len(s.key)))
	return commit.Set(s.key, s.buf, nil)
}

// endOfDay is the last time in the chunks of a tag and day under 'c'.
func (s *Pebble) endOfDay(tag plant.TagID, d int32) (int64, error) {
	lower := chunkPrefix(nil, prefixChunk, d, tag)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(lower)})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	if !it.Last() {
		return math.MinInt64, it.Error()
	}
	sum, err := chunk.ReadSummary(it.Value())
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return sum.Last, nil
}

// The cut record of a tag: through which batch its samples are in chunks, and
// the sample with the latest time, where there is one.

func (s *Pebble) fillCut(commit *pebble.Batch, tag plant.TagID, l *plant.Sample) error {
	s.buf = appendUint64(s.buf[:0], s.seq)
	if l.Tag != 0 {
		s.buf = appendUint64(s.buf, uint64(l.Time))
		s.buf = appendUint64(s.buf, math.Float64bits(l.Value))
		s.buf = binary.BigEndian.AppendUint32(s.buf, uint32(l.Quality))
	}
	s.key = tagKey(s.key, prefixCut, tag)
	return commit.Set(s.key, s.buf, nil)
}

func parseCut(tag plant.TagID, b []byte) (seq uint64, last plant.Sample, ok bool) {
	switch len(b) {
	case 8:
		return binary.BigEndian.Uint64(b), last, true
	case 28:
		return binary.BigEndian.Uint64(b), plant.Sample{
			Tag:     tag,
			Time:    int64(binary.BigEndian.Uint64(b[8:])),
			Value:   math.Float64frombits(binary.BigEndian.Uint64(b[16:])),
			Quality: plant.Quality(binary.BigEndian.Uint32(b[24:])),
		}, true
	}
	return 0, last, false
}

func appendUint64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }

// tidy drops the batches whose tags are all in chunks, and where there are too
// many or too old ones left, cuts the heads that hold on to the oldest.
func (s *Pebble) tidy(commit *pebble.Batch) error {
	now := time.Now()
	tooMany := s.incomingN > s.uncut
	tooOld := len(s.incoming) > 0 && now.Sub(s.incoming[0].at) > s.age
	if !tooMany && !tooOld && s.incomingN < s.tidied+s.uncut/16 {
		return nil
	}
	if tooMany || tooOld {
		// A quarter at once: the cost is spread, and chunks stay long.
		over, old := s.incomingN-s.uncut*3/4, now.Add(-s.age*3/4)
		var through uint64
		for _, b := range s.incoming {
			if over <= 0 && !b.at.Before(old) {
				break
			}
			through = b.seq
			over -= b.bytes
		}
		for id := range s.heads {
			if h := &s.heads[id]; h.n > 0 && h.first <= through {
				if err := s.cut(commit, plant.TagID(id)); err != nil {
					return err
				}
			}
		}
	}
	return s.dropIncoming(commit)
}

// dropIncoming removes the batches that no head needs any more.
func (s *Pebble) dropIncoming(commit *pebble.Batch) error {
	needed := s.seq + 1
	for id := range s.heads {
		if h := &s.heads[id]; h.n > 0 {
			needed = min(needed, h.first)
		}
	}
	n := 0
	for n < len(s.incoming) && s.incoming[n].seq < needed {
		s.incomingN -= s.incoming[n].bytes
		n++
	}
	s.tidied = s.incomingN
	if n == 0 {
		return nil
	}
	from, to := incomingKey(nil, s.incoming[0].seq), incomingKey(nil, needed)
	s.incoming = append(s.incoming[:0], s.incoming[n:]...)
	return commit.DeleteRange(from, to, nil)
}

// cutAll cuts every head and drops every batch.
func (s *Pebble) cutAll(commit *pebble.Batch) error {
	for id := range s.heads {
		if err := s.cut(commit, plant.TagID(id)); err != nil {
			return err
		}
	}
	return s.dropIncoming(commit)
}
