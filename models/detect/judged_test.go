package detect

import (
	"slices"
	"testing"

	"millwright/plant"
)

// TestEveryRowIsShown holds the hook against what was fed: each row comes once,
// whatever phase the asset is in, with the values that a model would see.
func TestEveryRowIsShown(t *testing.T) {
	b := newBench(t, 4, func(b *bench) {
		b.asset.Limits = []plant.Limit{{Tag: "M/TB", Kind: plant.LimitHigh, Value: 60, Deadband: 1}}
	})
	type seen struct {
		Row
		values []float64
		ok     []bool
	}
	var rows []seen
	set, err := New(Config{Assets: []plant.Asset{b.asset}, Tags: b.tags, Log: quiet(), Judged: func(r Row) {
		rows = append(rows, seen{r, slices.Clone(r.Values), slices.Clone(r.OK)})
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.set = set
	var fed []float64
	b.spoil = func(row int, x []float64, q []plant.Quality) {
		if row >= 200 && row < 210 {
			q[0] = plant.BadSensorFailure
		}
		if row >= 300 && row < 310 {
			x[1] = 70
		}
		fed = append(fed, x[3])
	}
	for i := range 2 * benchLearn {
		b.mode = "rolling"
		if i >= 100 && i < 150 {
			b.mode = "idle"
		}
		b.run(1)
	}
	b.set.Flush(&b.out)
	// Mode and first tag come on the second, the others just behind it: a row later.
	if len(rows) != 2*benchLearn+1 {
		t.Fatalf("%d rows shown of %d fed", len(rows), 2*benchLearn)
	}
	for i, r := range rows {
		if !slices.Equal(r.Tags, []string{"M/TA", "M/TB", "M/TC", "M/TD"}) {
			t.Fatalf("row %d: tags %q", i, r.Tags)
		}
		if i == 0 {
			if !r.Start || r.ok[3] {
				t.Errorf("first row: start %v, ok %v", r.Start, r.ok)
			}
			continue
		}
		if r.values[3] != fed[i-1] {
			t.Fatalf("row %d: value %v, fed %v", i, r.values[3], fed[i-1])
		}
		if bad := i >= 200 && i < 210; bad && r.ok[0] || !r.ok[3] {
			t.Errorf("row %d: ok %v", i, r.ok)
		}
		if start := i == 100 || i == 150; r.Start != start {
			t.Errorf("row %d: start %v", i, r.Start)
		}
		if unsettled := i < 5 || i >= 100 && i < 105 || i >= 150 && i < 155; r.Settled == unsettled {
			t.Errorf("row %d: settled %v", i, r.Settled)
		}
		if guarded := i > 300 && i <= 310; r.Guarded != guarded {
			t.Errorf("row %d: guarded %v", i, r.Guarded)
		}
	}
}
