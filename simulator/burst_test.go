package simulator

import (
	"slices"
	"testing"
	"time"
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
				var sum float64
				for _, x := range b.Values {
					sum += float64(x) * float64(x)
				}
				paths, at, rms = append(paths, b.Path), append(at, b.Time), append(rms, sum)
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
