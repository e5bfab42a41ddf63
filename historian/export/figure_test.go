package export_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"millwright/historian/export"
	"millwright/historian/store/storetest"
	"millwright/plant"
)

// TestFigure exports 12 million samples of a store on the disk to Parquet and
// prints how many rows a second that is, from store to file.
func TestFigure(t *testing.T) {
	if os.Getenv("MILLWRIGHT_FIGURES") == "" {
		t.Skip("figures: set MILLWRIGHT_FIGURES=1")
	}
	w := newWorks(t)
	const tags, rounds = 200, 60_000
	all := storetest.Tags(tags)
	ids := w.intern(all...)
	const step = int64(100 * time.Millisecond)
	mix := storetest.NewMix(ids, begin, step, 1)
	var b plant.Batch
	for range rounds / 100 {
		b.Reset()
		for range 100 {
			b.Samples = mix.Next(b.Samples)
		}
		w.append(b)
	}
	q := export.Query{Tags: []string{"*"}, From: begin - int64(time.Hour), To: begin + rounds*step + int64(time.Hour)}
	for _, format := range []export.Format{export.Parquet, export.Arrow, export.CSV} {
		q.Format = format
		name := filepath.Join(t.TempDir(), "mix."+string(format))
		start := time.Now()
		m, err := w.job().WriteFile(t.Context(), q, name)
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		rate := float64(m.Rows) / took.Seconds()
		t.Logf("%s: %d rows in %v, %.2f B a row, %.0f rows/s", format, m.Rows, took, float64(m.File.Size)/float64(m.Rows), rate)
		if m.Rows != tags*rounds {
			t.Errorf("%d rows", m.Rows)
		}
		if format == export.Parquet {
			fmt.Printf("FIGURE users.parquet_rows_s %.0f rows/s\n", rate)
		}
	}
}
