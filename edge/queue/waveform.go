package queue

import (
	"encoding/binary"
	"math"

	"millwright/plant"
)

// appendWaveforms encodes waveforms: see FORMAT.md.
func appendWaveforms(dst []byte, list []plant.Waveform, created int64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for i := range list {
		w := &list[i]
		dst = binary.AppendUvarint(dst, uint64(w.Tag))
		dst = binary.AppendVarint(dst, w.Time/msec-created)
		dst = binary.AppendUvarint(dst, uint64(w.Quality))
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(w.Rate))
		dst = binary.AppendUvarint(dst, uint64(len(w.Values)))
		for _, v := range w.Values {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
		}
	}
	return dst
}

func (d *decoder) waveforms(created int64) []plant.Waveform {
	n := d.count(12)
	if n == 0 {
		return nil
	}
	list := make([]plant.Waveform, n)
	for i := range list {
		w := &list[i]
		w.Tag = plant.TagID(d.uvarint())
		w.Time = (created + d.varint()) * msec
		w.Quality = plant.Quality(d.uvarint())
		w.Rate = math.Float64frombits(d.uint64())
		k := d.count(4)
		b := d.take(4 * k)
		if k == 0 || b == nil {
			continue
		}
		w.Values = make([]float32, k)
		for j := range w.Values {
			w.Values[j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*j:]))
		}
	}
	return list
}
