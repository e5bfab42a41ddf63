package influx

import (
	"context"
	"fmt"
	"iter"

	"millwright/plant"
)

// InfluxDB has no type for a burst, and a point for each of its values would be
// what it is worst at. So none are kept, and each is declared.

// declareWaveforms declares the waveforms of a batch as gaps. The gaps of b are not changed.
func (s *Store) declareWaveforms(b *plant.Batch) {
	if len(b.Waveforms) == 0 {
		return
	}
	s.waves.Do(func() {
		s.log.Warn("waveforms are not kept over InfluxDB and declared as gaps: use the store of the historian's own for them", "tag", b.Waveforms[0].Tag)
	})
	gaps := b.Gaps[:len(b.Gaps):len(b.Gaps)]
	for i := range b.Waveforms {
		w := &b.Waveforms[i]
		at := plant.Millis(w.Time)
		gaps = append(gaps, plant.Gap{Tag: w.Tag, From: at, To: at + ms, Reason: plant.GapNotKept})
	}
	b.Gaps = gaps
}

// Waveforms implements store.Store: there are none.
func (s *Store) Waveforms(ctx context.Context, _ plant.Range) iter.Seq2[plant.Waveform, error] {
	return func(yield func(plant.Waveform, error) bool) {
		_, leave, err := s.enter(ctx)
		if err != nil {
			yield(plant.Waveform{}, fmt.Errorf("influx: waveforms: %w", err))
			return
		}
		leave()
	}
}

// LastWaveform implements store.Store: there is none.
func (s *Store) LastWaveform(ctx context.Context, _ plant.TagID) (plant.Waveform, error) {
	_, leave, err := s.enter(ctx)
	if err != nil {
		return plant.Waveform{}, fmt.Errorf("influx: last waveform: %w", err)
	}
	leave()
	return plant.Waveform{}, nil
}
