package main

import (
	"slices"
	"testing"
	"time"

	"millwright/plant"
)

// In fast motion a tag is sampled as much faster as plant time runs, though no faster
// than there can be new values; what is sent on change stays so, and the tags of the
// edge keep their own intervals.
func TestHasten(t *testing.T) {
	tags := []plant.Tag{{}, {Sampling: time.Second}, {Sampling: 100 * time.Millisecond}, {Sampling: 2 * time.Millisecond}, {Sampling: time.Hour}}
	for speed, want := range map[float64][]time.Duration{
		1:   {0, time.Second, 100 * time.Millisecond, 2 * time.Millisecond, time.Hour},
		20:  {0, 50 * time.Millisecond, 10 * time.Millisecond, 2 * time.Millisecond, 3 * time.Minute},
		0.5: {0, 2 * time.Second, 200 * time.Millisecond, 4 * time.Millisecond, 2 * time.Hour},
	} {
		var got []time.Duration
		for _, tag := range hasten(tags, speed) {
			got = append(got, tag.Sampling)
		}
		if !slices.Equal(got, want) {
			t.Errorf("at %v: %v, want %v", speed, got, want)
		}
	}
	if tags[1].Sampling != time.Second {
		t.Errorf("the edge's tag is sampled every %v", tags[1].Sampling)
	}
}
