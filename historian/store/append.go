package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"millwright/plant"
	"millwright/sparkplug"

	"github.com/cockroachdb/pebble/v2"
)

var scratch = sync.Pool{New: func() any { return new([]byte) }}

// Append implements Store. Calls from several goroutines share their syncs.
// Times are cut to whole milliseconds; empty gaps are left out.
func (s *Pebble) Append(ctx context.Context, b plant.Batch, marks []Mark) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := checkMarks(marks); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if len(b.Samples)+len(b.States)+len(b.Gaps)+len(b.Waveforms)+len(marks) == 0 {
		return nil
	}
	if err := s.space.check(); err != nil {
		s.stats.refused.Add(1)
		return err
	}
	var packed []byte
	if len(b.Samples) > 0 {
		buf := scratch.Get().(*[]byte)
		defer scratch.Put(buf)
		*buf = appendIncoming((*buf)[:0], b.Samples)
		packed = *buf
	}

	commit, repeated, err := s.apply(&b, marks, packed)
	if err != nil {
		return err
	}
	// The batch is applied in order; the wait for the disk is shared.
	if err := commit.SyncWait(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := commit.Close(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s.stats.commits.Add(1)
	if repeated {
		s.stats.repeated.Add(1)
	} else {
		s.stats.appended.Add(uint64(len(b.Samples)))
	}
	if len(marks) > 0 {
		s.mu.Lock()
		for _, m := range marks {
			s.marks[markSet{m.Edge, m.Epoch}].durable.add(m.Number)
		}
		s.mu.Unlock()
	}
	return nil
}

// apply puts the batch into the memory of the database and of the heads, in one
// order for both. It is durable when the batch returned has been synced.
func (s *Pebble) apply(b *plant.Batch, marks []Mark, packed []byte) (commit *pebble.Batch, repeated bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return nil, false, s.failed
	}
	if err := s.known(b); err != nil {
		return nil, false, err
	}
	commit = s.db.NewBatch()
	if len(marks) > 0 && s.applied(marks) {
		// Another call may still wait for the disk with these very numbers: an
		// empty log record behind them is durable when they are.
		repeated = true
		err = commit.LogData([]byte{0}, nil)
	} else {
		err = s.fill(commit, b, marks, packed)
	}
	if err == nil {
		err = s.db.ApplyNoSyncWait(commit, pebble.Sync)
	}
	if err != nil {
		s.failed = fmt.Errorf("store: commit: %w", err)
		return nil, false, s.failed
	}
	return commit, repeated, nil
}

// known refuses a batch with a tag that was never interned.
func (s *Pebble) known(b *plant.Batch) error {
	n := plant.TagID(len(s.heads))
	for i := range b.Samples {
		if id := b.Samples[i].Tag; id == 0 || id >= n {
			return fmt.Errorf("store: sample of tag %d: %w", id, ErrUnknownTag)
		}
	}
	for i := range b.States {
		if id := b.States[i].Tag; id == 0 || id >= n {
			return fmt.Errorf("store: state of tag %d: %w", id, ErrUnknownTag)
		}
	}
	for i := range b.Waveforms {
		if id := b.Waveforms[i].Tag; id == 0 || id >= n {
			return fmt.Errorf("store: waveform of tag %d: %w", id, ErrUnknownTag)
		}
	}
	for i := range b.Gaps {
		if id := b.Gaps[i].Tag; id == 0 || id >= n {
			return fmt.Errorf("store: gap of tag %d: %w", id, ErrUnknownTag)
		}
	}
	return nil
}

func (s *Pebble) applied(marks []Mark) bool {
	for _, m := range marks {
		r := s.marks[markSet{m.Edge, m.Epoch}]
		if r == nil {
			return false
		}
		if _, in := r.applied.find(m.Number); !in {
			return false
		}
	}
	return true
}

// fill writes all of a batch, and the chunks that it completes, into commit.
func (s *Pebble) fill(commit *pebble.Batch, b *plant.Batch, marks []Mark, packed []byte) error {
	for _, m := range marks {
		if err := s.fillMark(commit, m); err != nil {
			return err
		}
	}
	for i := range b.States {
		if err := s.fillState(commit, &b.States[i]); err != nil {
			return err
		}
	}
	for i := range b.Waveforms {
		if err := s.fillWaveform(commit, &b.Waveforms[i]); err != nil {
			return err
		}
	}
	for i := range b.Gaps {
		g := b.Gaps[i]
		g.From, g.To = plant.Millis(g.From), plant.Millis(g.To)
		if g.From >= g.To {
			continue
		}
		s.key = gapKey(s.key, &g)
		if err := commit.Set(s.key, nil, nil); err != nil {
			return err
		}
	}
	if len(b.Samples) == 0 {
		return nil
	}
	s.seq++
	s.key = incomingKey(s.key, s.seq)
	if err := commit.Set(s.key, packed, nil); err != nil {
		return err
	}
	s.incoming = append(s.incoming, incomingBatch{s.seq, int64(len(packed)), time.Now()})
	s.incomingN += int64(len(packed))

	s.full = s.full[:0]
	for i := range b.Samples {
		sample := &b.Samples[i]
		h := &s.heads[sample.Tag]
		s.heap.add(h, sample, s.seq)
		if h.n == h.limit {
			s.full = append(s.full, sample.Tag)
		}
		s.see(sample)
	}
	for _, id := range s.full {
		if err := s.cut(commit, id); err != nil {
			return err
		}
	}
	return s.tidy(commit)
}

// fillMark writes the range that a record number belongs to now.
func (s *Pebble) fillMark(commit *pebble.Batch, m Mark) error {
	r := s.marks[markSet{m.Edge, m.Epoch}]
	if r == nil {
		r = &markRanges{day: -1}
		s.marks[markSet{m.Edge, m.Epoch}] = r
	}
	if _, in := r.applied.find(m.Number); !in {
		if err := s.fillTally(commit, m, r); err != nil {
			return err
		}
	}
	now, joined := r.applied.add(m.Number)
	s.key = markKey(s.key, m.Edge, m.Epoch, now.First)
	s.buf = appendUint64(s.buf[:0], now.Last)
	if err := commit.Set(s.key, s.buf, nil); err != nil {
		return err
	}
	if joined != 0 {
		s.key = markKey(s.key, m.Edge, m.Epoch, joined)
		if err := commit.Delete(s.key, nil); err != nil {
			return err
		}
	}
	return s.fillMarkDay(commit, m, r)
}

// Committed implements Store.
func (s *Pebble) Committed(edge string, epoch uint64) ([]sparkplug.Span, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.marks[markSet{edge, epoch}]
	if r == nil {
		return nil, nil
	}
	return append([]sparkplug.Span(nil), r.durable...), nil
}

// see keeps the sample with the latest source time.
func (s *Pebble) see(sample *plant.Sample) {
	l := &s.last[sample.Tag]
	if t := plant.Millis(sample.Time); l.Tag == 0 || t >= l.Time {
		*l = *sample
		l.Time = t
	}
}
