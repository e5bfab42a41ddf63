package store

import (
	"context"
	"encoding/binary"

	"millwright/plant"

	"github.com/cockroachdb/pebble/v2"
)

// States have a key per tag and time, so a correction is a plain overwrite.

func (s *Pebble) fillState(commit *pebble.Batch, st *plant.State) error {
	t := plant.Millis(st.Time)
	s.key = stateKey(s.key, st.Tag, t)
	s.buf = binary.BigEndian.AppendUint32(s.buf[:0], uint32(st.Quality))
	s.buf = append(s.buf, st.Value...)
	if l, ok := s.states[st.Tag]; !ok || t >= l.Time {
		own := *st
		own.Time = t
		s.states[st.Tag] = own
	}
	return commit.Set(s.key, s.buf, nil)
}

func parseState(k, v []byte) (plant.State, error) {
	if len(k) != 13 || len(v) < 4 {
		return plant.State{}, damagedKey(k)
	}
	return plant.State{
		Tag:     plant.TagID(binary.BigEndian.Uint32(k[1:])),
		Time:    keyTime(k[5:]),
		Quality: plant.Quality(binary.BigEndian.Uint32(v)),
		Value:   string(v[4:]),
	}, nil
}

// States implements Store.
func (s *Pebble) States(ctx context.Context, r plant.Range) ([]plant.State, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: stateKey(nil, r.Tag, r.From),
		UpperBound: stateKey(nil, r.Tag, max(r.From, r.To)),
	})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var out []plant.State
	for ok := it.First(); ok; ok = it.Next() {
		if len(out)%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		st, err := parseState(it.Key(), it.Value())
		if err != nil {
			return nil, err
		}
		if out = append(out, st); len(out) == r.Limit {
			break
		}
	}
	return out, it.Error()
}

// Last implements Store. It reads memory only.
func (s *Pebble) Last(ctx context.Context, tags []plant.TagID) ([]plant.Sample, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]plant.Sample, 0, len(tags))
	for _, id := range tags {
		if int(id) < len(s.last) && s.last[id].Tag != 0 {
			out = append(out, s.last[id])
		}
	}
	return out, ctx.Err()
}

// LastStates implements Store.
func (s *Pebble) LastStates(ctx context.Context, tags []plant.TagID) ([]plant.State, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []plant.State
	for _, id := range tags {
		if st, ok := s.states[id]; ok {
			out = append(out, st)
		}
	}
	return out, ctx.Err()
}
