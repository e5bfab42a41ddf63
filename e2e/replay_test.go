package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"millwright/plant/recording"
)

// dataDir is where the public recordings lie; tests that need them skip where
// they are absent. docs/data.md says by what public names to get them.
func dataDir(t *testing.T, set string) string {
	t.Helper()
	dir := os.Getenv("MILLWRIGHT_DATA")
	if dir == "" {
		dir = "../../shared/data"
	}
	dir = filepath.Join(dir, set)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("public recordings %q are not in %s: set MILLWRIGHT_DATA (see docs/data.md)", set, filepath.Dir(dir))
	}
	return dir
}

// TestReplayKeepsEveryRow replays a recording of a real test bench through the
// whole line: every row of every served column is in the historian exactly once
// and equal, and the fault is found with its reasons.
func TestReplayKeepsEveryRow(t *testing.T) {
	t.Parallel() // waits most of its time
	file := filepath.Join(dataDir(t, "skab"), "valve1", "1.csv")
	samples := filepath.Join(t.TempDir(), "samples.log")
	p := start(t, "up", binary, "up", "--no-login", "--data", filepath.Join(t.TempDir(), "data"),
		"--http", "127.0.0.1:0", "--replay", file, "--speed", "50", "--learn", "400", "--samples", samples)
	a := api{t, p.find(`(http://127\.0\.0\.1:\d+)`, 20*time.Second)}

	rec, err := recording.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	var rows []recording.Row
	for {
		var r recording.Row
		if err := rec.Next(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		r.Cells = append([]float64(nil), r.Cells...)
		rows = append(rows, r)
	}

	p.find(`(replay is over)`, 120*time.Second)
	log := offered(t, samples)
	eventually(t, 20*time.Second, "the historian has caught up", func() bool {
		return len(a.samples("REPLAY/Pressure")) == len(rows)
	})
	count(t, a, log, time.Now()).check(t)

	served := 0
	for i, col := range rec.Columns {
		if col.Class != recording.Numeric {
			continue
		}
		served++
		got := a.samples("REPLAY/" + col.Name)
		if len(got) != len(rows) {
			t.Errorf("%s: %d samples of %d rows", col.Name, len(got), len(rows))
			continue
		}
		for r := range rows {
			if got[r].V == nil || *got[r].V != rows[r].Cells[i] {
				t.Errorf("%s row %d: stored %v, recorded %v", col.Name, r, got[r].V, rows[r].Cells[i])
				break
			}
		}
	}
	if served != 8 || len(log) != 8 {
		t.Errorf("%d columns of the file are served, %d offered, want 8", served, len(log))
	}

	// The labelled window of this recording, by row, read from its own label
	// column only here, after the fact.
	first, last := labelled(t, file)
	times := a.samples("REPLAY/Pressure")
	var inside []string
	for _, al := range a.journal() {
		if al.Asset != "REPLAY" || al.Class != "advisory" {
			continue
		}
		if al.Raised.Before(times[first].T) || al.Raised.After(times[last].T) {
			continue // raised outside the window
		}
		if len(al.Finding.Contributions) > 0 {
			inside = append(inside, fmt.Sprintf("%s (%s, score %.2f)", al.Title, al.Finding.Detector, al.Finding.Score))
		}
	}
	if len(inside) == 0 {
		t.Errorf("no finding with contributions in the labelled window; alarms: %+v", a.alarms())
	}
	t.Log("found:", inside)
	if d := p.stop(); d > 15*time.Second {
		t.Errorf("Ctrl-C took %v", d)
	}
}

// labelled is the first and last row whose label column is set.
func labelled(t *testing.T, file string) (first, last int) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first = -1
	row, field, col, start := -1, 0, -1, 0
	for i, c := range b {
		switch c {
		case ';', '\n':
			text := string(b[start:i])
			if row == -1 && text == "anomaly" {
				col = field
			}
			if row >= 0 && field == col && text == "1.0" {
				if first < 0 {
					first = row
				}
				last = row
			}
			field++
			start = i + 1
			if c == '\n' {
				row, field = row+1, 0
			}
		}
	}
	if first < 0 {
		t.Fatal("the recording has no labelled window")
	}
	return first, last
}
