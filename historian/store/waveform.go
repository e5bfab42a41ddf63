package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"

	"millwright/plant"

	"github.com/cockroachdb/pebble/v2"
)

// Waveforms have a key per tag and time and are written once, as they are: bursts
// of vibration hold little that a code of ours could leave out.

const waveformHead = 1 + 4 + 8

func (s *Pebble) fillWaveform(commit *pebble.Batch, w *plant.Waveform) error {
	s.key = waveformKey(s.key, w.Tag, plant.Millis(w.Time))
	s.buf = append(s.buf[:0], waveformVersion)
	s.buf = binary.BigEndian.AppendUint32(s.buf, uint32(w.Quality))
	s.buf = binary.BigEndian.AppendUint64(s.buf, math.Float64bits(w.Rate))
	for _, v := range w.Values {
		s.buf = binary.LittleEndian.AppendUint32(s.buf, math.Float32bits(v))
	}
	return commit.Set(s.key, s.buf, nil)
}

const waveformVersion = 1

// parseWaveform reads into the memory of values.
func parseWaveform(k, v []byte, values []float32) (plant.Waveform, error) {
	if len(k) != 13 || len(v) < waveformHead || v[0] != waveformVersion || (len(v)-waveformHead)%4 != 0 {
		return plant.Waveform{}, damagedKey(k)
	}
	w := plant.Waveform{
		Tag:     plant.TagID(binary.BigEndian.Uint32(k[1:])),
		Time:    keyTime(k[5:]),
		Quality: plant.Quality(binary.BigEndian.Uint32(v[1:])),
		Rate:    math.Float64frombits(binary.BigEndian.Uint64(v[5:])),
		Values:  values[:0],
	}
	for v = v[waveformHead:]; len(v) > 0; v = v[4:] {
		w.Values = append(w.Values, math.Float32frombits(binary.LittleEndian.Uint32(v)))
	}
	return w, nil
}

// Waveforms implements Store.
func (s *Pebble) Waveforms(ctx context.Context, r plant.Range) iter.Seq2[plant.Waveform, error] {
	return func(yield func(plant.Waveform, error) bool) {
		if err := s.waveforms(ctx, r, yield); err != nil {
			yield(plant.Waveform{}, fmt.Errorf("store: waveforms: %w", err))
		}
	}
}

func (s *Pebble) waveforms(ctx context.Context, r plant.Range, yield func(plant.Waveform, error) bool) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: waveformKey(nil, r.Tag, r.From),
		UpperBound: waveformKey(nil, r.Tag, max(r.From, r.To)),
	})
	if err != nil {
		return err
	}
	defer it.Close()
	var values []float32
	for n, ok := 0, it.First(); ok && (r.Limit == 0 || n < r.Limit); n, ok = n+1, it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		w, err := parseWaveform(it.Key(), it.Value(), values)
		if err != nil {
			return err
		}
		values = w.Values
		if !yield(w, nil) {
			return nil
		}
	}
	return it.Error()
}

// LastWaveform implements Store.
func (s *Pebble) LastWaveform(ctx context.Context, tag plant.TagID) (w plant.Waveform, err error) {
	if err := s.enter(); err != nil {
		return w, err
	}
	defer s.leave()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: waveformKey(nil, tag, math.MinInt64), UpperBound: after(tagKey(nil, prefixWaveform, tag))})
	if err != nil {
		return w, fmt.Errorf("store: last waveform: %w", err)
	}
	if it.Last() {
		w, err = parseWaveform(it.Key(), it.Value(), nil)
	}
	return w, errors.Join(err, it.Close(), ctx.Err())
}
