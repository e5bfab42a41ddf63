package export_test

import (
	"context"
	"iter"
	"math"

	"millwright/historian/export"
	"millwright/plant"
)

// made is a history as long as one likes, reckoned and not stored: one tag at
// 1 Hz.
type made struct{ rows int }

var madeQuery = export.Query{Tags: []string{"MADE/*"}, From: begin, To: begin + 400*86400*second}

var _ export.Source = made{}

func (made) Tags() []plant.Tag {
	return []plant.Tag{{ID: 1, Path: "MADE/SINE", Asset: "MADE", Unit: "bar", Kind: plant.Analog}}
}

func (made) Assets() []plant.Asset { return nil }

func (m made) Scan(ctx context.Context, r plant.Range) iter.Seq2[plant.Block, error] {
	return func(yield func(plant.Block, error) bool) {
		b := plant.Block{Tag: 1, Times: make([]int64, 1000), Values: make([]float64, 1000), Quality: make([]plant.Quality, 1000)}
		for i := 0; i < m.rows; {
			n := 0
			for ; n < 1000 && i < m.rows; n, i = n+1, i+1 {
				b.Times[n] = begin + int64(i)*second
				b.Values[n] = math.Round(1000*math.Sin(float64(i)/777)) / 100
			}
			err := ctx.Err()
			if !yield(plant.Block{Tag: 1, Times: b.Times[:n], Values: b.Values[:n], Quality: b.Quality[:n]}, err) || err != nil {
				return
			}
		}
	}
}

func (made) States(context.Context, plant.Range) ([]plant.State, error)          { return nil, nil }
func (made) Gaps(context.Context, plant.Range) ([]plant.Gap, error)              { return nil, nil }
func (made) Labels(context.Context, plant.LabelQuery) ([]plant.Label, error)     { return nil, nil }
func (made) Alarms(context.Context, string, int64, int64) ([]plant.Alarm, error) { return nil, nil }
