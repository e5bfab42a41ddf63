package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"millwright/plant"
	"millwright/plant/chunk"

	"github.com/cockroachdb/pebble/v2"
)

// Delete implements Store. Chunks that reach over the ends of the range are
// written anew without it. Gaps stay: they say why data is missing. It holds up
// appends until it is on the disk.
func (s *Pebble) Delete(ctx context.Context, r plant.Range) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if r.From >= r.To {
		return nil
	}
	s.mu.Lock()
	err := s.delete(r)
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("store: delete: %w", err)
	}
	return nil
}

func (s *Pebble) delete(r plant.Range) error {
	if s.failed != nil {
		return s.failed
	}
	if int(r.Tag) >= len(s.heads) {
		return ErrUnknownTag
	}
	// The head goes into chunks first, so that the batches it came from cannot
	// bring anything back.
	commit := s.db.NewBatch()
	err := s.cut(commit, r.Tag)
	if err == nil {
		err = s.db.Apply(commit, pebble.NoSync)
	}
	if err != nil {
		s.failed = err
		return err
	}
	// The rest is one commit: what is deleted and what is then the last value.
	commit = s.db.NewBatch()
	defer commit.Close()
	for _, prefix := range []byte{prefixChunk, prefixLate} {
		if err := s.deleteChunks(commit, prefix, r); err != nil {
			return err
		}
	}
	if err := commit.DeleteRange(stateKey(nil, r.Tag, r.From), stateKey(nil, r.Tag, r.To), nil); err != nil {
		return err
	}
	if err := commit.DeleteRange(waveformKey(nil, r.Tag, r.From), waveformKey(nil, r.Tag, r.To), nil); err != nil {
		return err
	}
	last, state, err := s.lastBefore(r)
	if err != nil {
		return err
	}
	if err := s.fillCut(commit, r.Tag, &last); err != nil {
		return err
	}
	if err := s.db.Apply(commit, pebble.Sync); err != nil {
		s.failed = err
		return err
	}
	s.heads[r.Tag].endKnown = false
	s.last[r.Tag] = last
	if state.Tag != 0 {
		s.states[r.Tag] = state
	} else {
		delete(s.states, r.Tag)
	}
	return nil
}

func (s *Pebble) deleteChunks(commit *pebble.Batch, prefix byte, r plant.Range) error {
	it, err := s.db.NewIter(chunkBounds(prefix))
	if err != nil {
		return err
	}
	defer it.Close()
	st := stream{it: it, prefix: prefix}
	var decoder chunk.Decoder
	var b plant.Block
	for err = st.start(r.Tag, r.From, r.To, prefix == prefixChunk); st.ok && err == nil; err = st.next() {
		if err := commit.Delete(it.Key(), nil); err != nil {
			return err
		}
		if st.sum.First >= r.From && st.sum.Last < r.To {
			continue
		}
		if _, err := decoder.Decode(it.Value(), &b); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		i, _ := slices.BinarySearch(b.Times, r.From)
		j, _ := slices.BinarySearch(b.Times, r.To)
		c := columns{slices.Delete(b.Times, i, j), slices.Delete(b.Values, i, j), slices.Delete(b.Quality, i, j)}
		if len(c.times) == 0 {
			continue
		}
		if err := s.fillChunk(commit, prefix, r.Tag, st.seq, c); err != nil {
			return err
		}
	}
	return err
}

// lastBefore returns the last values of a tag as they are without the range.
func (s *Pebble) lastBefore(r plant.Range) (last plant.Sample, state plant.State, err error) {
	last, state = s.last[r.Tag], s.states[r.Tag]
	if last.Tag != 0 && last.Time >= r.From && last.Time < r.To {
		w := &walk{tag: r.Tag}
		if w.main.it, err = s.db.NewIter(chunkBounds(prefixChunk)); err != nil {
			return last, state, err
		}
		if w.late.it, err = s.db.NewIter(chunkBounds(prefixLate)); err != nil {
			return last, state, errors.Join(err, w.main.it.Close())
		}
		last = plant.Sample{}
		err = w.before(context.Background(), r.From, &last)
		if err = errors.Join(err, w.close()); err != nil {
			return last, state, err
		}
	}
	if state.Tag == 0 || state.Time < r.From || state.Time >= r.To {
		return last, state, nil
	}
	state = plant.State{}
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: stateKey(nil, r.Tag, math.MinInt64), UpperBound: stateKey(nil, r.Tag, r.From),
	})
	if err != nil {
		return last, state, err
	}
	if it.Last() {
		state, err = parseState(it.Key(), it.Value())
	}
	return last, state, errors.Join(err, it.Close())
}

// Compact brings every head into chunks and the database into its densest form:
// for measuring, and before a copy is taken. It takes as long as writing the
// folder anew.
func (s *Pebble) Compact(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	s.mu.Lock()
	err := s.failed
	if err == nil {
		commit := s.db.NewBatch()
		if err = s.cutAll(commit); err == nil {
			err = s.db.Apply(commit, pebble.Sync)
		}
		if err != nil {
			s.failed = err
		}
	}
	s.mu.Unlock()
	if err == nil {
		err = s.db.Flush()
	}
	if err == nil {
		err = s.db.Compact(ctx, []byte{0}, []byte{0xFF}, false)
	}
	if err != nil {
		return fmt.Errorf("store: compact: %w", err)
	}
	return nil
}
