package store

import (
	"math"
	"testing"

	"millwright/plant"
)

// A batch as it came decodes to itself, and anything else to an error.
func FuzzIncoming(f *testing.F) {
	f.Add(appendIncoming(nil, nil))
	f.Add(appendIncoming(nil, []plant.Sample{{Tag: 1, Time: 1_700_000_000_000 * ms, Value: 1.5}}))
	f.Add(appendIncoming(nil, []plant.Sample{
		{Tag: 9, Time: -ms, Value: math.NaN(), Quality: plant.Bad},
		{Tag: 3, Time: 5 * ms, Value: math.Inf(1), Quality: plant.Bad},
		{Tag: math.MaxUint32, Time: 6 * ms, Value: -1, Quality: plant.Good},
	}))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseIncoming(nil, data)
		if err != nil {
			if len(got) != 0 {
				t.Fatal("samples beside an error")
			}
			return
		}
		again, err := parseIncoming(nil, appendIncoming(nil, got))
		if err != nil || len(again) != len(got) {
			t.Fatalf("%d samples came back as %d, %v", len(got), len(again), err)
		}
		for i := range got {
			a, b := got[i], again[i]
			if a.Tag != b.Tag || a.Time != b.Time || a.Quality != b.Quality || math.Float64bits(a.Value) != math.Float64bits(b.Value) {
				t.Fatalf("%+v came back as %+v", a, b)
			}
		}
	})
}
