package store

import (
	"context"
	"fmt"
	"math"
	"slices"

	"millwright/plant"
	"millwright/plant/chunk"

	"github.com/cockroachdb/pebble/v2"
)

// walk goes through the samples of one tag in [from, to), ascending, over
// chunks and head as they were at one moment. Where sources hold the same
// millisecond the later write wins.
type walk struct {
	tag      plant.TagID
	from, to int64
	main     stream // chunks that follow each other
	late     stream // chunks that may overlap anything
	head     *cursor
	active   []*cursor // decoded and not used up; their next samples are the candidates
	spare    []*cursor
	decoder  chunk.Decoder
	out      plant.Block // collects what comes in small pieces
	cols     columns
}

// cursor is a decoded chunk, or a head.
type cursor struct {
	block plant.Block
	at    int
	seq   uint64
}

func (c *cursor) time() int64 { return c.block.Times[c.at] }

// headSeq makes a head win over all chunks.
const headSeq = math.MaxUint64

// outLen is the length of blocks that are put together from small pieces.
const outLen = 1024

// newWalk takes the view: iterators and a copy of the head at one moment.
func (s *Pebble) newWalk(tag plant.TagID, from, to int64) (*walk, error) {
	w := &walk{tag: tag, from: from, to: to}
	w.out.Tag = tag
	if err := s.view(w); err != nil {
		return nil, err
	}
	if err := w.main.start(tag, from, to, true); err != nil {
		_ = w.close()
		return nil, err
	}
	if err := w.late.start(tag, from, to, false); err != nil {
		_ = w.close()
		return nil, err
	}
	return w, nil
}

func (s *Pebble) view(w *walk) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var err error
	if w.main.it, err = s.db.NewIter(chunkBounds(prefixChunk)); err != nil {
		return err
	}
	if w.late.it, err = s.db.NewIter(chunkBounds(prefixLate)); err != nil {
		_ = w.main.it.Close()
		return err
	}
	w.main.prefix, w.late.prefix = prefixChunk, prefixLate
	if int(w.tag) < len(s.heads) && s.heads[w.tag].n > 0 {
		s.heads[w.tag].gather(&w.cols, w.from, w.to)
		if len(w.cols.times) > 0 {
			w.head = &cursor{seq: headSeq, block: plant.Block{
				Tag: w.tag, Times: w.cols.times, Values: w.cols.values, Quality: w.cols.quality,
			}}
		}
	}
	return nil
}

func chunkBounds(prefix byte) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: []byte{prefix, classRaw}, UpperBound: []byte{prefix, classRaw + 1}}
}

func (w *walk) close() error {
	err := w.main.it.Close()
	if e := w.late.it.Close(); err == nil {
		err = e
	}
	return err
}

// run yields blocks until yield returns false. whole, where given, is offered
// the summary of every chunk that lies in the range and overlaps nothing; if it
// takes it, the chunk is not decoded.
func (w *walk) run(ctx context.Context, whole func(*chunk.Summary) bool, yield func(*plant.Block) bool) error {
	for {
		if len(w.active) == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if whole != nil && w.alone() {
				if !w.flush(yield) {
					return nil
				}
				if whole(&w.main.sum) {
					if err := w.main.next(); err != nil {
						return err
					}
					continue
				}
			}
			more, err := w.activate(math.MaxInt64)
			if err != nil {
				return err
			}
			if !more {
				w.flush(yield)
				return nil
			}
			continue
		}
		first := w.active[0]
		for _, c := range w.active[1:] {
			if t := c.time(); t < first.time() || t == first.time() && c.seq > first.seq {
				first = c
			}
		}
		if more, err := w.activate(first.time()); err != nil {
			return err
		} else if more {
			continue
		}
		if !w.emit(first, yield) {
			return nil
		}
	}
}

// alone reports whether the next chunk in order lies wholly in the range, comes
// before everything else and overlaps nothing.
func (w *walk) alone() bool {
	m := &w.main
	return m.ok && m.sum.First >= w.from && m.sum.Last < w.to &&
		(!w.late.ok || w.late.sum.First > m.sum.Last) &&
		(w.head == nil || w.head.time() > m.sum.Last)
}

// activate decodes the waiting source that starts first, if it starts at or
// before t.
func (w *walk) activate(t int64) (bool, error) {
	var from *stream
	if w.main.ok {
		from = &w.main
	}
	if w.late.ok && (from == nil || w.late.sum.First < from.sum.First) {
		from = &w.late
	}
	if w.head != nil && (from == nil || w.head.time() < from.sum.First) {
		if w.head.time() > t {
			return false, nil
		}
		w.active = append(w.active, w.head)
		w.head = nil
		return true, nil
	}
	if from == nil || from.sum.First > t {
		return false, nil
	}
	c := w.newCursor()
	if _, err := w.decoder.Decode(from.it.Value(), &c.block); err != nil {
		return false, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	c.seq = from.seq
	c.trim(w.from, w.to)
	if len(c.block.Times) > 0 {
		w.active = append(w.active, c)
	} else {
		w.spare = append(w.spare, c)
	}
	return true, from.next()
}

func (w *walk) newCursor() *cursor {
	if n := len(w.spare); n > 0 {
		c := w.spare[n-1]
		w.spare = w.spare[:n-1]
		c.at = 0
		return c
	}
	return &cursor{block: plant.Block{Tag: w.tag}}
}

func (c *cursor) trim(from, to int64) {
	b := &c.block
	if n := len(b.Times); n == 0 || b.Times[0] >= from && b.Times[n-1] < to {
		return
	}
	i, _ := slices.BinarySearch(b.Times, from)
	j, _ := slices.BinarySearch(b.Times, to)
	j = max(i, j)
	// Moved to the front, since a slice that starts later loses its memory.
	n := copy(b.Times, b.Times[i:j])
	copy(b.Values, b.Values[i:j])
	copy(b.Quality, b.Quality[i:j])
	b.Times, b.Values, b.Quality = b.Times[:n], b.Values[:n], b.Quality[:n]
}

// emit gives out the samples of c up to where another source has one, and steps
// the others over the millisecond that c wins.
func (w *walk) emit(c *cursor, yield func(*plant.Block) bool) bool {
	t := c.time()
	bound := int64(math.MaxInt64)
	if w.main.ok {
		bound = min(bound, w.main.sum.First)
	}
	if w.late.ok {
		bound = min(bound, w.late.sum.First)
	}
	if w.head != nil {
		bound = min(bound, w.head.time())
	}
	for _, o := range w.active {
		if o == c {
			continue
		}
		if o.time() == t {
			o.at++
		}
		if o.at < len(o.block.Times) {
			bound = min(bound, o.time())
		}
	}
	times := c.block.Times[c.at:]
	n := len(times)
	if times[n-1] >= bound {
		n, _ = slices.BinarySearch(times, bound)
		n = max(n, 1) // c's own first sample is won
	}
	piece := plant.Block{
		Tag:     w.tag,
		Times:   times[:n],
		Values:  c.block.Values[c.at : c.at+n],
		Quality: c.block.Quality[c.at : c.at+n],
	}
	c.at += n
	ok := true
	if n >= outLen/4 {
		ok = w.flush(yield) && yield(&piece)
	} else {
		w.out.Times = append(w.out.Times, piece.Times...)
		w.out.Values = append(w.out.Values, piece.Values...)
		w.out.Quality = append(w.out.Quality, piece.Quality...)
		if len(w.out.Times) >= outLen {
			ok = w.flush(yield)
		}
	}
	w.active = slices.DeleteFunc(w.active, func(o *cursor) bool {
		done := o.at == len(o.block.Times)
		if done && o.seq != headSeq {
			w.spare = append(w.spare, o)
		}
		return done
	})
	return ok
}

func (w *walk) flush(yield func(*plant.Block) bool) bool {
	if len(w.out.Times) == 0 {
		return true
	}
	ok := yield(&w.out)
	w.out.Times, w.out.Values, w.out.Quality = w.out.Times[:0], w.out.Values[:0], w.out.Quality[:0]
	return ok
}

// stream is the chunks of one prefix for a tag, ascending by their first time,
// over the days of a range. The one it stands on is it.Value().
type stream struct {
	it     *pebble.Iterator
	prefix byte
	tag    plant.TagID
	from   int64
	to     int64
	day    int32
	ok     bool
	sum    chunk.Summary
	seq    uint64
	key    []byte
}

// start stands on the first chunk that reaches into [from, to). Where chunks do
// not overlap, that is found without reading those before it.
func (s *stream) start(tag plant.TagID, from, to int64, disjoint bool) error {
	s.tag, s.from, s.to = tag, from, to
	if from >= to {
		return nil
	}
	s.day = dayOf(from)
	if !disjoint {
		return s.seekDay()
	}
	s.key = appendTime(chunkPrefix(s.key, s.prefix, s.day, tag), from)
	if s.it.SeekLT(s.key) {
		if d, id, _, _, ok := parseChunkKey(s.it.Key()); ok && d == s.day && id == tag {
			return s.settle(true)
		}
	}
	return s.settle(s.it.SeekGE(s.key))
}

func (s *stream) seekDay() error {
	s.key = chunkPrefix(s.key, s.prefix, s.day, s.tag)
	return s.settle(s.it.SeekGE(s.key))
}

func (s *stream) next() error { return s.settle(s.it.Next()) }

// settle moves on from wherever the iterator stands to the next chunk of the
// tag that reaches into the range.
func (s *stream) settle(valid bool) error {
	s.ok = false
	for ; valid; valid = s.it.Next() {
		d, tag, first, seq, ok := parseChunkKey(s.it.Key())
		if !ok {
			return damagedKey(s.it.Key())
		}
		if d != s.day || tag != s.tag {
			// Days and tags without chunks are jumped over.
			switch {
			case d > s.day && tag <= s.tag:
				s.day = d
			case d == math.MaxInt32:
				return nil
			default:
				s.day = d + 1
			}
			if s.day > dayOf(s.to-1) {
				return nil
			}
			if tag != s.tag || d != s.day {
				return s.seekDay()
			}
		}
		if first >= s.to {
			return nil
		}
		var err error
		if s.sum, err = chunk.ReadSummary(s.it.Value()); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if s.sum.Last < s.from {
			continue
		}
		s.seq, s.ok = seq, true
		return nil
	}
	return s.it.Error()
}
