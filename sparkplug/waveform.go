package sparkplug

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"millwright/plant"
)

var errWaveform = errors.New("waveform")

// AddWaveform adds a waveform as a FloatArray: its values in little-endian order
// one behind the other, its rate as a property, so that a later birth with another
// rate cannot change what it was. Without values it is null. scratch is memory for
// the bytes of the message's waveforms; it comes back longer and belongs to the
// payload until that is encoded.
func (p *Payload) AddWaveform(w *plant.Waveform, alias uint64, historical bool, scratch []byte) []byte {
	m := Metric{Alias: alias, HasAlias: true, HasTime: true, Time: w.Time, Historical: historical, Quality: w.Quality, Null: len(w.Values) == 0}
	if w.Rate != 0 {
		m.Properties = []Property{{Key: propRate, Type: Double, Value: DoubleValue(w.Rate)}}
	}
	if !m.Null {
		start := len(scratch)
		for _, v := range w.Values {
			scratch = binary.LittleEndian.AppendUint32(scratch, math.Float32bits(v))
		}
		m.Value = Value{Form: Raw, Bytes: scratch[start:len(scratch):len(scratch)]}
	}
	p.Metrics = append(p.Metrics, m)
	return scratch
}

// Waveform reads a metric that was declared as a FloatArray. Tag and Time are the
// caller's to set. The values are a copy.
func (m *Metric) Waveform() (plant.Waveform, error) {
	w := plant.Waveform{Quality: m.Quality}
	for i := range m.Properties {
		if x := &m.Properties[i]; x.Key == propRate {
			if hz, ok := x.Value.Number(x.Type); ok && hz > 0 && hz-hz == 0 {
				w.Rate = hz
			}
		}
	}
	if m.Null {
		return w, nil
	}
	b := m.Value.Bytes
	if m.Value.Form != Raw || len(b)%4 != 0 || len(b)/4 > plant.MaxWaveform {
		return w, fmt.Errorf("%w: %d bytes, allowed are four for each of up to %d values", errWaveform, len(b), plant.MaxWaveform)
	}
	w.Values = make([]float32, len(b)/4)
	for i := range w.Values {
		w.Values[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return w, nil
}
