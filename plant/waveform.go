package plant

import "math"

// Waveform is a burst of one tag: values at equal distances, from Time on. Its
// values are nobody's to change once it is in a batch.
type Waveform struct {
	Tag     TagID
	Quality Quality
	Time    int64     // ns UTC of the first value as the source says it, whole milliseconds
	Rate    float64   // values a second, Hz; 0 unknown
	Values  []float32 // none where the source had none, which the quality then says
}

// MaxWaveform is how many values a waveform may have.
const MaxWaveform = 65_536

// GapNotKept is the reason of a span whose waveforms came to the plant and were
// not stored, because its store keeps none.
const GapNotKept = "not-kept"

// Level gives the root of the mean square of the values that are numbers and the
// largest of their amounts; NaN where there is none.
func (w *Waveform) Level() (rms, peak float64) {
	n, sum := 0, 0.0
	for _, x := range w.Values {
		v := float64(x)
		if v-v != 0 {
			continue
		}
		n++
		sum += v * v
		peak = max(peak, math.Abs(v))
	}
	if n == 0 {
		return math.NaN(), math.NaN()
	}
	return math.Sqrt(sum / float64(n)), peak
}
