package collector

import (
	"context"
	"fmt"
	"math"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	burstQueue = 10   // large values: a long queue costs the PLC memory
	burstBytes = 8    // of a value of a burst, at most
	burstGuess = 8192 // values, where the server does not say how many there are
	burstSpare = 8    // a message is filled to 7/8
	mostArray  = 1 << 24
)

// AllowBursts lets the codec take arrays as long as a waveform may be. It has one
// bound for the whole process, so this is called once, before any Source runs. How
// large a message may be bounds the rest.
func AllowBursts() { ua.MaxVariantArrayLength = mostArray }

// toWaveform makes a waveform of an array of numbers. The text says why it is none.
// A null value, which goes with a bad status, gives one without values.
func toWaveform(t *plant.Tag, v *ua.Variant) (w plant.Waveform, why string) {
	w = plant.Waveform{Tag: t.ID, Rate: t.Rate}
	if v == nil || v.Value() == nil {
		return w, ""
	}
	if n := v.ArrayLength(); n > plant.MaxWaveform {
		return w, fmt.Sprintf("sends an array of %d values, allowed are %d", n, plant.MaxWaveform)
	}
	if n := len(v.ArrayDimensions()); n > 1 {
		return w, fmt.Sprintf("sends an array of %d dimensions, a waveform has one", n)
	}
	switch x := v.Value().(type) {
	case []float32:
		w.Values = floats(t, x)
	case []float64:
		w.Values = floats(t, x)
	case []int8:
		w.Values = floats(t, x)
	case ua.ByteArray:
		w.Values = floats(t, x)
	case []int16:
		w.Values = floats(t, x)
	case []uint16:
		w.Values = floats(t, x)
	case []int32:
		w.Values = floats(t, x)
	case []uint32:
		w.Values = floats(t, x)
	case []int64:
		w.Values = floats(t, x)
	case []uint64:
		w.Values = floats(t, x)
	default:
		return w, fmt.Sprintf("sends %s, the tag is a waveform: an array of numbers", variantName(v))
	}
	return w, ""
}

// floats converts to the tag's unit and then to single precision; single precision
// that is not scaled stays as it is, bit by bit.
func floats[T float32 | float64 | int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64](t *plant.Tag, list []T) []float32 {
	out := make([]float32, len(list))
	if (t.Scale == 0 || t.Scale == 1) && t.Offset == 0 {
		for i, v := range list {
			out[i] = float32(v)
		}
		return out
	}
	for i, v := range list {
		out[i] = float32(t.Scaled(float64(v)))
	}
	return out
}

func (t *translator) waveform(i int, w plant.Waveform) {
	if pos, again := t.place(i, w.Time, len(t.batch.Waveforms)); again {
		t.batch.Waveforms[pos] = w
		return
	}
	t.batch.Waveforms = append(t.batch.Waveforms, w)
}

// measureBursts asks how long the arrays of waveforms are. Those that are too long
// are refused before the server samples them. It gives the bytes of the largest
// value of a tag, so that a message holds no more of them than fit.
func (e *engine) measureBursts(ctx context.Context, l *link, srv peer) (largest uint32, err error) {
	var which []int
	largest = bytesOfValue
	for i := range e.src.Tags {
		switch t := &e.src.Tags[i]; {
		case t.Kind != plant.Burst || e.items.list[i].fault != nil:
		case t.Field != "": // a part of a structure
			largest = max(largest, burstSize(burstGuess))
		default:
			which = append(which, i)
		}
	}
	nodes, of := e.nodesOf(which, srv)
	if len(nodes) == 0 {
		return largest, nil
	}
	values, err := l.read(ctx, requestTimeout, ua.AttributeIDArrayDimensions, nodes...)
	if err != nil {
		return largest, fmt.Errorf("asking how long the arrays of waveforms are: %w", err)
	}
	for k, i := range of {
		dims, _ := good[[]uint32](values[k])
		n := uint64(1)
		for _, d := range dims {
			n = min(n*uint64(d), math.MaxUint32)
		}
		it := &e.items.list[i]
		switch it.odd = nil; {
		case len(dims) == 0 || n == 0: // any length
			n = burstGuess
		case n > plant.MaxWaveform:
			it.odd = fmt.Errorf("its array has %d values, a waveform has at most %d: let the PLC offer it in parts", n, plant.MaxWaveform)
			continue
		}
		largest = max(largest, burstSize(uint32(n)))
	}
	return largest, nil
}

func burstSize(values uint32) uint32 {
	n := values * burstBytes
	return n + n/(burstSpare-1) + bytesOfValue
}
