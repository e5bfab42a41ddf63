package simulator

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/simulator/ledger"
)

// Every accelerometer of the works records every ten minutes, one after the other,
// the same whoever asks and however often.
func TestBursts(t *testing.T) {
	long(t)
	run := func(every int) (paths []string, at []time.Duration, rms []float64) {
		m, err := newMill(reference(t), 3, 1, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var bursts []Burst
		for i := range 20 * 60 {
			m.Step()
			if i%every != every-1 {
				continue
			}
			bursts = m.Bursts(bursts[:0])
			for _, b := range bursts {
				if len(b.Values) != burstLength || b.Rate != 25_600 || m.Tags()[b.Variable].Path != b.Path {
					t.Fatalf("%s: %d values at %v", b.Path, len(b.Values), b.Rate)
				}
				paths, at, rms = append(paths, b.Path), append(at, b.Time), append(rms, b.RMS())
			}
		}
		return paths, at, rms
	}
	paths, at, rms := run(1)
	n := len(paths) / 3
	if n > 0 && at[n-1] > time.Second {
		t.Errorf("the first bursts at %v", at[:n])
	}
	paths, at, rms = paths[n:], at[n:], rms[n:]
	if n < 6 || !slices.Equal(paths[:n], paths[n:]) || !slices.Contains(paths, "BOF/C1/FAN/VIB_H_W") {
		t.Fatalf("recorded %v", paths)
	}
	for i := range n {
		if at[n+i]-at[i] != 10*time.Minute || rms[i] == rms[n+i] || i > 0 && at[i]-at[i-1] < 9*time.Minute/time.Duration(n) {
			t.Errorf("%s recorded at %v and %v, power %v and %v", paths[i], at[i], at[n+i], rms[i], rms[n+i])
		}
	}
	again, _, same := run(1)
	if !slices.Equal(again[n:], paths) || !slices.Equal(same[n:], rms) {
		t.Error("the same seed gives other bursts")
	}
	seldom, _, _ := run(300)
	if len(seldom) < 2*n {
		t.Errorf("%d bursts for one who asks every five minutes, want %d", len(seldom), 2*n)
	}
}

// The log of an offline run holds each burst by its root mean square.
func TestBurstsInTheLog(t *testing.T) {
	const span = 11 * time.Minute
	works := reference(t).Deep()
	s := &Simulator{Works: &works, Seed: 5, Samples: filepath.Join(t.TempDir(), "samples")}
	if err := s.RunOffline(t.Context(), Offline{For: span, Step: time.Second}); err != nil {
		t.Fatal(err)
	}
	type entry struct {
		tag   string
		value float64
	}
	var got, want []entry
	for o, err := range ledger.ReadSamples("samples", bytes.NewReader(file(t, s.Samples))) {
		if err != nil {
			t.Fatal(err)
		}
		if o.IsBurst {
			got = append(got, entry{o.Tag, o.Value})
		}
	}
	m, err := NewOffline(works, 5, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var bursts []Burst
	for m.Now() < span {
		m.Step()
		bursts = m.Bursts(bursts)
	}
	for i := range bursts {
		want = append(want, entry{bursts[i].Path, bursts[i].RMS()})
	}
	inOrder := func(a, b entry) int { return strings.Compare(a.tag, b.tag) }
	slices.SortStableFunc(got, inOrder)
	slices.SortStableFunc(want, inOrder)
	if len(want) < 2*len(m.points) || !slices.Equal(got, want) {
		t.Errorf("%d bursts in the log, %d of %d accelerometers were recorded", len(got), len(want), len(m.points))
	}
}
