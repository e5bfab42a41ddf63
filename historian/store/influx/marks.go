package influx

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
)

// Record numbers are ranges. A range is a point whose time is its first number,
// so one that grows is the same point anew; one that was swallowed stays behind,
// which adds nothing to the set. Numbers go beyond the times of the database: the
// upper bits are a tag, which a plant never sees in use.
const timeBits = 40 // 34 years of ms

type markSet struct {
	edge  string
	epoch uint64
}

func checkMarks(marks []store.Mark) error {
	for _, m := range marks {
		if err := m.Check(); err != nil {
			return err
		}
	}
	return nil
}

// committed reports whether all marks are in the database.
func (s *Store) committed(marks []store.Mark) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, m := range marks {
		if !sparkplug.Contains(s.marks[markSet{m.Edge, m.Epoch}], m.Number) {
			return false
		}
	}
	return true
}

// commit stores record numbers. newest is the latest source time of what they
// stand for: where the next start looks for last values first.
func (s *Store) commit(ctx context.Context, marks []store.Mark, newest int64) error {
	s.markMu.Lock()
	defer s.markMu.Unlock()
	next := map[markSet][]sparkplug.Span{}
	tallies := map[markSet][]plant.Tally{}
	var changed []tallied
	s.mu.RLock()
	for _, m := range marks {
		k := markSet{m.Edge, m.Epoch}
		if next[k] == nil {
			next[k] = slices.Clone(s.marks[k])
			tallies[k] = slices.Clone(s.tallies[k])
		}
		if !sparkplug.Contains(next[k], m.Number) {
			var i int
			tallies[k], i = plant.AddTally(tallies[k], m.Number, m.Counts)
			changed = append(changed, tallied{k, tallies[k][i].Last})
		}
		next[k] = sparkplug.AddSpan(next[k], sparkplug.Span{First: m.Number, Last: m.Number})
	}
	s.mu.RUnlock()

	var b []byte
	today := time.Now().UnixNano() / int64(24*time.Hour)
	for k := range next {
		if s.markDays[k] == today {
			continue
		}
		b = appendTag(append(b, "epoch"...), "edge", k.edge)
		b = fmt.Appendf(b, ",epoch=%d day=%di 0\n", k.epoch, today)
	}
	written := map[store.Mark]bool{} // by the first number of the range
	for _, m := range marks {
		r := spanOf(next[markSet{m.Edge, m.Epoch}], m.Number)
		m.Number = r.First
		m.Counts = plant.Counts{}
		if written[m] {
			continue
		}
		written[m] = true
		b = appendTag(append(b, "mark"...), "edge", m.Edge)
		b = append(b, ",epoch="...)
		b = strconv.AppendUint(b, m.Epoch, 10)
		if high := r.First >> timeBits; high > 0 {
			b = append(b, ",high="...)
			b = strconv.AppendUint(b, high, 10)
		}
		b = fmt.Appendf(b, " at=%di,last=%di %d\n", newest/ms, r.Last, r.First&(1<<timeBits-1))
	}
	b = appendTallies(b, tallies, changed)
	if err := s.server.write(ctx, string(b)); err != nil {
		return fmt.Errorf("record numbers: %w", err)
	}
	s.mu.Lock()
	for k, spans := range next {
		s.marks[k], s.tallies[k], s.markDays[k] = spans, tallies[k], today
	}
	s.mu.Unlock()
	return nil
}

// spanOf is the span that holds n.
func spanOf(spans []sparkplug.Span, n uint64) sparkplug.Span {
	i, _ := slices.BinarySearchFunc(spans, n, func(s sparkplug.Span, n uint64) int {
		if s.Last < n {
			return -1
		}
		return 1
	})
	return spans[i]
}

// loadMarks reads all record numbers. The newest source time comes back, or now
// where there is none; never one that lies ahead.
func (s *Store) loadMarks(ctx context.Context) (newest int64, err error) {
	now := time.Now().UnixNano()
	err = s.server.rows(ctx, &selection{measurement: "mark", from: 0, to: latest}, func(t *table) error {
		n, err := strconv.ParseUint(string(t.cell("_value")), 10, 64)
		if err != nil {
			return nil // a time before 1970
		}
		if string(t.cell("_field")) == "at" {
			if n <= uint64(now/ms) {
				newest = max(newest, int64(n)*ms)
			}
			return nil
		}
		at, err := t.time()
		if err != nil {
			return err
		}
		k, err := markSetOf(t)
		if err != nil {
			return err
		}
		var high uint64
		if c := t.cell("high"); len(c) > 0 {
			if high, err = strconv.ParseUint(string(c), 10, 64); err != nil {
				return fmt.Errorf("%w: record number %q", errDamaged, c)
			}
		}
		r := sparkplug.Span{First: high<<timeBits | uint64(at/ms), Last: n}
		if r.First == 0 || r.Last < r.First || r.Last > sparkplug.MaxNumber {
			return fmt.Errorf("%w: record numbers %d to %d", errDamaged, r.First, r.Last)
		}
		s.marks[k] = sparkplug.AddSpan(s.marks[k], r)
		return nil
	})
	if err != nil {
		return 0, err
	}
	if newest == 0 {
		newest = now
	}
	return plant.Millis(newest), nil
}

func markSetOf(t *table) (markSet, error) {
	epoch, err := strconv.ParseUint(string(t.cell("epoch")), 10, 64)
	if err != nil {
		return markSet{}, fmt.Errorf("%w: epoch %q", errDamaged, t.cell("epoch"))
	}
	return markSet{tagText(string(t.cell("edge"))), epoch}, nil
}

// loadMarkDays reads the day of each epoch's last record, and forgets those of
// long ago: their points stay in the database and are passed over. Versions of
// before wrote no days: those epochs stay.
func (s *Store) loadMarkDays(ctx context.Context) error {
	now := time.Now().UnixNano()
	return s.server.rows(ctx, &selection{measurement: "epoch", from: 0, to: latest}, func(t *table) error {
		day, err := strconv.ParseInt(string(t.cell("_value")), 10, 64)
		if err != nil {
			return fmt.Errorf("%w: day of an epoch %q", errDamaged, t.cell("_value"))
		}
		k, err := markSetOf(t)
		if err != nil {
			return err
		}
		s.markDays[k] = day
		if now/int64(24*time.Hour)-day > int64(store.KeepMarks/(24*time.Hour)) {
			delete(s.marks, k)
			delete(s.tallies, k)
		}
		return nil
	})
}

// Committed implements store.Store.
func (s *Store) Committed(edge string, epoch uint64) ([]sparkplug.Span, error) {
	_, leave, err := s.enter(context.Background())
	if err != nil {
		return nil, err
	}
	defer leave()
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.marks[markSet{edge, epoch}]), nil
}
