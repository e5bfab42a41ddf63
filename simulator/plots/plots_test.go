package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"millwright/simulator"
)

// Bursts of a resonance that come 40 times a second are a line at 40 Hz.
func TestEnvelope(t *testing.T) {
	const rate, n = 25_600, 32_768
	x := make([]float32, n)
	for i := range x {
		at := math.Mod(float64(i)/rate, 1.0/40)
		x[i] = float32(math.Exp(-at*800) * math.Sin(2*math.Pi*3200*at))
	}
	hz, amp := envelope(x, rate)
	best := 0
	for i := range amp {
		if amp[i] > amp[best] {
			best = i
		}
	}
	if math.Abs(hz[best]-40) > 1 {
		t.Errorf("the largest line is at %.1f Hz", hz[best])
	}
}

// The pictures of the documentation are those that the code draws today: each has its
// file, and two of them are drawn anew. Another processor may round a point otherwise.
func TestPicturesAreFresh(t *testing.T) {
	works, err := simulator.Reference()
	if err != nil {
		t.Fatal(err)
	}
	const docs = "../../docs/mill"
	for _, s := range stories() {
		drawn, err := os.ReadFile(filepath.Join(docs, s.file()))
		if err != nil {
			t.Error(err)
			continue
		}
		if s.asset != "BOF/C1/FAN" && s.asset != "UTL/AIR/NET" || runtime.GOARCH != "amd64" {
			continue
		}
		if fresh, err := s.draw(works); err != nil || !bytes.Equal(fresh, drawn) {
			t.Errorf("%s is not what the code draws: go run ./simulator/plots docs/mill, and look at them (%v)", s.file(), err)
		}
	}
	files, err := filepath.Glob(docs + "/*.svg")
	if err != nil || len(files) != len(stories()) {
		t.Errorf("%d pictures of %d stories, %v", len(files), len(stories()), err)
	}
}

// The tags that are drawn are those that tell, and faults exist.
func TestStories(t *testing.T) {
	works, err := simulator.Reference()
	if err != nil {
		t.Fatal(err)
	}
	picture, err := story{"BOF/C1/FAN", "bearing-outer"}.draw(works)
	if err != nil || !strings.Contains(string(picture), "FAN/VIB_ENV, bearing-outer") || !strings.Contains(string(picture), ", envelope") {
		t.Errorf("%v, %.200s", err, picture)
	}
	mill, err := simulator.NewOffline(works.Deep(), seed, simulator.LongestStep)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stories() {
		if err := mill.Inject(simulator.Fault{Asset: s.asset, Name: s.fault, Severity: 1, Offset: onset, Growth: onset}); err != nil {
			t.Error(err)
		}
	}
}
