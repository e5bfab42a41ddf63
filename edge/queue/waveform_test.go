package queue

import (
	"reflect"
	"testing"

	"millwright/plant"
)

func wave(tag plant.TagID, at int64, n int) plant.Batch {
	w := plant.Waveform{Tag: tag, Time: at * msec, Rate: 25_600, Quality: plant.Uncertain, Values: make([]float32, n)}
	for i := range w.Values {
		w.Values[i] = float32(at) + float32(i)/8
	}
	return plant.Batch{Waveforms: []plant.Waveform{w}}
}

func TestWaveformsSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Config{Dir: dir})
	want := wave(3, 1000, plant.MaxWaveform)
	put(t, q, Waveforms, want)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, Config{Dir: dir})
	got := all(t, q, Waveforms)
	if len(got) != 1 || !reflect.DeepEqual(got[0].Batch, want) || got[0].Device != "plc" {
		t.Fatalf("%d records", len(got))
	}
	if s := q.Stats(); s.Records != 1 || s.Bytes < 4*plant.MaxWaveform || q.Oldest(got[0].Epoch) != got[0].Number {
		t.Errorf("%+v", s)
	}
}

// TestWaveformsDisplaceNoTelemetry: they have a bound of their own; what goes beyond
// it is declared.
func TestWaveformsDisplaceNoTelemetry(t *testing.T) {
	t.Parallel() // waits most of its time
	q := open(t, Config{Dir: t.TempDir(), Quotas: &Quotas{Telemetry: {Bytes: 40_000}, Waveforms: {Bytes: 10_000}}})
	for i := range 10 {
		put(t, q, Telemetry, samples(i*50, 50))
	}
	for i := range int64(40) {
		put(t, q, Waveforms, wave(9, 1000+i, 256))
	}
	await(t, "thinned", func() bool { return q.Stats().Lanes[Waveforms].Bytes <= 10_000 })
	if n := len(all(t, q, Telemetry)); n != 10 {
		t.Errorf("%d of 10 records of telemetry are left", n)
	}
	left := map[int64]bool{}
	for _, r := range all(t, q, Waveforms) {
		left[r.Batch.Waveforms[0].Time] = true
	}
	if len(left) < 5 || len(left) > 12 {
		t.Errorf("%d waveforms of 1 KiB in a quarter of 40,000 bytes", len(left))
	}
	for i := range int64(40) {
		at := (1000 + i) * msec
		declared := false
		for _, r := range all(t, q, Findings) {
			for _, g := range r.Batch.Gaps {
				declared = declared || g.Tag == 9 && g.From <= at && at < g.To && g.Reason == plant.GapQueueFull
			}
		}
		if !left[at] && !declared {
			t.Errorf("the waveform at %d is neither there nor declared", 1000+i)
		}
	}
}
