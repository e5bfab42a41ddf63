package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"millwright/plant"
	"millwright/sparkplug"

	"github.com/cockroachdb/pebble/v2"
)

// layoutVersion is the version of FORMAT.md.
const layoutVersion = 1

// layout checks the version of the folder. A new database is opened twice: the
// first log that Pebble writes in one has the oldest format, in which damage in
// the middle looks like a torn end and would go unnoticed.
func (s *Pebble) layout(engine func() (*pebble.DB, error)) error {
	fresh, err := s.checkLayout()
	if err != nil || !fresh {
		return err
	}
	err = s.db.Close()
	s.db = nil
	if err == nil {
		s.db, err = engine()
	}
	return err
}

// load reads what the store keeps in memory: tags, assets, record numbers, last
// values, and the batches that are not yet in chunks.
func (s *Pebble) load() error {
	cuts := map[plant.TagID]uint64{}
	for _, f := range []func() error{
		s.loadTags, s.loadAssets, s.loadMarks, s.loadTallies, s.loadMarkDays,
		func() error { return s.loadCuts(cuts) },
		func() error { return s.loadIncoming(cuts) },
		s.loadStates,
	} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// checkLayout refuses a folder of a newer version and marks a new one.
func (s *Pebble) checkLayout() (fresh bool, err error) {
	key := []byte{prefixFormat}
	v, closer, err := s.db.Get(key)
	if err == pebble.ErrNotFound {
		return true, s.db.Set(key, []byte(strconv.Itoa(layoutVersion)), pebble.Sync)
	}
	if err != nil {
		return false, err
	}
	n, err := strconv.Atoi(string(v))
	_ = closer.Close()
	switch {
	case err != nil:
		return false, fmt.Errorf("%w: format version %q", ErrDamaged, v)
	case n > layoutVersion:
		return false, fmt.Errorf("%w: format %d, this one reads up to %d; use that version, or another folder",
			ErrNewer, n, layoutVersion)
	}
	return false, nil
}

// each calls f with every key below a prefix.
func (s *Pebble) each(prefix byte, f func(k, v []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if err := f(it.Key(), it.Value()); err != nil {
			_ = it.Close()
			return err
		}
	}
	return it.Close()
}

func damagedKey(k []byte) error { return fmt.Errorf("%w: key %x", ErrDamaged, k) }

func (s *Pebble) loadTags() error {
	defer s.grow()
	return s.each(prefixTag, func(k, v []byte) error {
		var tag plant.Tag
		if len(k) != 5 || json.Unmarshal(v, &tag) != nil ||
			int(tag.ID) != len(s.tags.byID)+1 || binary.BigEndian.Uint32(k[1:]) != uint32(tag.ID) {
			return damagedKey(k)
		}
		s.tags.put(tag)
		return nil
	})
}

func (s *Pebble) loadAssets() error {
	return s.each(prefixAssets, func(k, v []byte) error {
		var assets []plant.Asset
		if err := json.Unmarshal(v, &assets); err != nil {
			return damagedKey(k)
		}
		s.assets[string(k[1:])] = assets
		return nil
	})
}

func (s *Pebble) loadMarks() error {
	return s.each(prefixMark, func(k, v []byte) error {
		edge, epoch, first, ok := parseMarkKey(k)
		if !ok || len(v) != 8 {
			return damagedKey(k)
		}
		r := s.marks[markSet{edge, epoch}]
		if r == nil {
			r = &markRanges{day: -1}
			s.marks[markSet{edge, epoch}] = r
		}
		last := binary.BigEndian.Uint64(v)
		if last < first || len(r.durable) > 0 && first <= r.durable[len(r.durable)-1].Last {
			return damagedKey(k)
		}
		r.durable = append(r.durable, sparkplug.Span{First: first, Last: last})
		r.applied = append(r.applied, sparkplug.Span{First: first, Last: last})
		return nil
	})
}

// loadMarkDays reads the day of each epoch's last record. Versions of before wrote
// none: there it is today.
func (s *Pebble) loadMarkDays() error {
	err := s.each(prefixMarkDay, func(k, v []byte) error {
		edge, epoch, ok := parseMarkDayKey(k)
		if !ok || len(v) != 4 {
			return damagedKey(k)
		}
		if r := s.marks[markSet{edge, epoch}]; r != nil {
			r.day = int32(binary.BigEndian.Uint32(v))
		}
		return nil
	})
	if err != nil {
		return err
	}
	commit := s.db.NewBatch()
	today := dayOf(time.Now().UnixNano())
	for k, r := range s.marks {
		if r.day >= 0 {
			continue
		}
		r.day = today
		if err := s.setMarkDay(commit, k.edge, k.epoch, today); err != nil {
			return errors.Join(err, commit.Close())
		}
	}
	return errors.Join(commit.Commit(pebble.NoSync), commit.Close())
}

func (s *Pebble) loadCuts(cuts map[plant.TagID]uint64) error {
	return s.each(prefixCut, func(k, v []byte) error {
		if len(k) != 5 {
			return damagedKey(k)
		}
		tag := plant.TagID(binary.BigEndian.Uint32(k[1:]))
		seq, last, ok := parseCut(tag, v)
		if !ok || int(tag) >= len(s.last) {
			return damagedKey(k)
		}
		cuts[tag] = seq
		s.seq = max(s.seq, seq)
		s.last[tag] = last
		return nil
	})
}

// loadIncoming puts back into the heads what was there, in the same order.
func (s *Pebble) loadIncoming(cuts map[plant.TagID]uint64) error {
	now := time.Now()
	var samples []plant.Sample
	return s.each(prefixIncoming, func(k, v []byte) error {
		var err error
		if samples, err = parseIncoming(samples[:0], v); err != nil || len(k) != 9 {
			return damagedKey(k)
		}
		seq := binary.BigEndian.Uint64(k[1:])
		s.seq = max(s.seq, seq)
		s.incoming = append(s.incoming, incomingBatch{seq, int64(len(v)), now})
		s.incomingN += int64(len(v))
		for i := range samples {
			sample := &samples[i]
			if int(sample.Tag) >= len(s.heads) {
				return damagedKey(k)
			}
			if seq <= cuts[sample.Tag] {
				continue
			}
			s.heap.add(&s.heads[sample.Tag], sample, seq)
			s.see(sample)
		}
		return nil
	})
}

// loadStates finds the last text of each tag that has any: one seek per tag.
func (s *Pebble) loadStates() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixState}, UpperBound: []byte{prefixState + 1}})
	if err != nil {
		return err
	}
	ok := it.Last()
	for ok {
		st, err := parseState(it.Key(), it.Value())
		if err != nil {
			_ = it.Close()
			return err
		}
		s.states[st.Tag] = st
		ok = it.SeekLT(stateKey(nil, st.Tag, math.MinInt64))
	}
	return it.Close()
}
