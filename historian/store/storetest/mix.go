package storetest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"millwright/plant"
)

// Mix is a load like that of a plant, for measuring: of every ten tags five are
// quantised to 0.01, three are counts of an analogue input in float32, one is
// noise in all its bits and one steps rarely. Every second tag has ±3 ms of
// jitter, one sample in a thousand is bad.
type Mix struct {
	Interval int64 // ns between the samples of a tag
	at       int64
	ids      []plant.TagID
	values   []float64
	rng      *rand.Rand
}

// NewMix starts the load at a source time.
func NewMix(ids []plant.TagID, from, interval int64, seed uint64) *Mix {
	m := &Mix{Interval: interval, at: from, ids: ids, rng: rand.New(rand.NewPCG(seed, 8))}
	for range ids {
		m.values = append(m.values, 20+60*m.rng.Float64())
	}
	return m
}

// Tags names n tags for the load.
func Tags(n int) []plant.Tag {
	tags := make([]plant.Tag, n)
	for i := range tags {
		tags[i] = plant.Tag{Path: fmt.Sprintf("MIX/T%05d", i), Asset: "MIX", Unit: "mm/s", High: 100}
	}
	return tags
}

// Next appends one round of samples, one per tag.
func (m *Mix) Next(dst []plant.Sample) []plant.Sample {
	for i, id := range m.ids {
		v := &m.values[i]
		s := plant.Sample{Tag: id, Time: m.at}
		if i%2 == 1 {
			s.Time += (m.rng.Int64N(7) - 3) * ms
		}
		switch k := i % 10; {
		case k < 5:
			*v += m.rng.NormFloat64() * 0.2
			s.Value = math.Round(*v*100) / 100
		case k < 8:
			*v += m.rng.NormFloat64() * 0.3
			s.Value = float64(float32(math.Round((*v+m.rng.NormFloat64())*27648/400) * 400 / 27648))
		case k == 8:
			s.Value = *v + m.rng.NormFloat64()
		default:
			if m.rng.IntN(300) == 0 {
				*v = m.rng.Float64() * 100
			}
			s.Value = *v
		}
		if m.rng.IntN(1000) == 0 {
			s.Quality = plant.BadSensorFailure
		}
		dst = append(dst, s)
	}
	m.at += m.Interval
	return dst
}
