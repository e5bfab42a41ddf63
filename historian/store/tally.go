package store

import (
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"millwright/plant"
	"millwright/sparkplug"
)

// foldLeast tallies are folded at once, so that a fold is worth its writes.
const foldLeast = 64

// fillTally counts a record that was not committed before.
func (s *Pebble) fillTally(commit *pebble.Batch, m Mark, r *markRanges) error {
	var i int
	r.tallies, i = plant.AddTally(r.tallies, m.Number, m.Counts)
	t := &r.tallies[i]
	s.key = tallyKey(s.key, m.Edge, m.Epoch, t.Last)
	s.buf = appendTally(s.buf[:0], t)
	return commit.Set(s.key, s.buf, nil)
}

// Tallies implements Store.
func (s *Pebble) Tallies(edge string, epoch uint64) (list []plant.Tally, of []sparkplug.Span, err error) {
	if err := s.enter(); err != nil {
		return nil, nil, err
	}
	defer s.leave()
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.marks[markSet{edge, epoch}]
	if r == nil {
		return nil, nil, nil
	}
	return slices.Clone(r.tallies), slices.Clone(r.applied), nil
}

// FoldTallies implements Store. A fold that is lost is made again.
func (s *Pebble) FoldTallies(edge string, epoch, below uint64) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.marks[markSet{edge, epoch}]
	if r == nil || len(r.tallies) < foldLeast || r.tallies[foldLeast-1].Last >= below || s.failed != nil {
		return nil
	}
	rest, gone := plant.FoldTallies(r.tallies, below)
	r.tallies = rest
	b := s.db.NewBatch()
	defer b.Close()
	for i := range gone {
		if err := b.Delete(tallyKey(nil, edge, epoch, gone[i].Last), nil); err != nil {
			return err
		}
	}
	if err := b.Set(tallyKey(nil, edge, epoch, rest[0].Last), appendTally(nil, &rest[0]), nil); err != nil {
		return err
	}
	return b.Commit(pebble.NoSync)
}

func (s *Pebble) loadTallies() error {
	return s.each(prefixTally, func(k, v []byte) error {
		edge, epoch, last, ok := parseMarkKey(k)
		t, good := parseTally(v, last)
		if !ok || !good {
			return damagedKey(k)
		}
		r := s.marks[markSet{edge, epoch}]
		if r == nil || len(r.tallies) > 0 && t.First <= r.tallies[len(r.tallies)-1].Last {
			return damagedKey(k)
		}
		r.tallies = append(r.tallies, t)
		return nil
	})
}

// tallyKey is that of the tally whose last block is last.
func tallyKey(k []byte, edge string, epoch, last uint64) []byte {
	k = markKey(k, edge, epoch, last)
	k[0] = prefixTally
	return k
}

// appendTally encodes a tally: see FORMAT.md.
func appendTally(dst []byte, t *plant.Tally) []byte {
	dst = binary.AppendUvarint(dst, t.Last-t.First)
	dst = binary.AppendUvarint(dst, t.Records)
	for _, n := range t.Counts {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func parseTally(b []byte, last uint64) (t plant.Tally, ok bool) {
	var fields [2 + plant.CountClasses]uint64
	for i := range fields {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return t, false
		}
		fields[i], b = v, b[n:]
	}
	if fields[0] > last || len(b) != 0 {
		return t, false
	}
	return plant.Tally{First: last - fields[0], Last: last, Records: fields[1], Counts: plant.Counts(fields[2:])}, true
}
