package train

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"millwright/plant"
)

// bench is a past of a test bench with four sensors on one load: a machine that
// always runs. In the spells that it is given, the third sensor goes its own way.
type spell struct {
	from, length time.Duration
}

const benchAsset = "LAB/BENCH"

func benchPast(seed uint64, length time.Duration, spells ...spell) *past {
	var tags []plant.Tag
	for _, name := range []string{"FLOW", "PRESSURE", "CURRENT", "TEMP"} {
		tags = append(tags, plant.Tag{Path: benchAsset + "/" + name, Asset: benchAsset, Kind: plant.Analog, Unit: "1", Resolution: 0.001})
	}
	p := newPast(tags, []plant.Asset{{Path: benchAsset, Name: "Bench", Class: "bench"}})
	rng := rand.New(rand.NewPCG(seed, 7))
	load := 0.0
	for i := range int(length / time.Second) {
		now := at(time.Duration(i+1) * time.Second)
		load += 0.1*(math.Sin(float64(i)/40)-load) + 0.1*rng.NormFloat64()
		current := 12 + 3*load
		for _, s := range spells {
			if d := time.Duration(i) * time.Second; d >= s.from && d < s.from+s.length {
				current = 15 - 3*load
			}
		}
		for j, v := range []float64{80 + 10*load, 4 + load, current, 50 + 2*load} {
			p.sample(plant.TagID(j+1), now, math.Round(1000*(v+[]float64{0.5, 0.05, 0.2, 0.3}[j]*rng.NormFloat64()))/1000, plant.Good)
		}
	}
	return p
}

// quick are options for small trainings.
func quick(p *past, asset string) Options {
	o := Options{Source: p, Asset: asset, From: begin, To: p.end, Seed: 3, Window: 20, Epochs: 6, Nets: 1}
	if raceDetector {
		o.Epochs = 1
	}
	return o
}

func run(t *testing.T, o Options) *Result {
	t.Helper()
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// benchTime is what the small trainings learn from.
func benchTime() time.Duration {
	if raceDetector {
		return 100 * time.Minute
	}
	return 4 * time.Hour
}
