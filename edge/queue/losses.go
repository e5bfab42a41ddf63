package queue

import (
	"maps"
	"slices"

	"millwright/plant"
)

// Losses is what goes, by tag.
type Losses map[plant.TagID]*loss

type loss struct {
	gap     plant.Gap
	samples uint64
}

// Add notes the values of a batch, which go for that reason.
func (l Losses) Add(b plant.Batch, reason string) {
	for _, s := range b.Samples {
		l.note(s.Tag, s.Time, s.Time+msec, reason, 1)
	}
	for _, s := range b.States {
		l.note(s.Tag, s.Time, s.Time+msec, reason, 1)
	}
	for i := range b.Waveforms {
		w := &b.Waveforms[i]
		l.note(w.Tag, w.Time, w.Time+msec, reason, 1)
	}
}

func (l Losses) note(tag plant.TagID, from, to int64, reason string, samples uint64) {
	have := l[tag]
	if have == nil {
		have = &loss{gap: plant.Gap{Tag: tag, From: from, To: to, Reason: reason}}
		l[tag] = have
	}
	have.samples += samples
	have.gap.From, have.gap.To = min(have.gap.From, from), max(have.gap.To, to)
}

// Gaps is one gap per tag, from its first to just behind its last sample.
func (l Losses) Gaps() []plant.Gap {
	out := make([]plant.Gap, 0, len(l))
	for _, tag := range slices.Sorted(maps.Keys(l)) {
		out = append(out, l[tag].gap)
	}
	return out
}

func (l Losses) samples() (n uint64) {
	for _, x := range l {
		n += x.samples
	}
	return n
}
