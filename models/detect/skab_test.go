package detect

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"millwright/plant"
	"millwright/plant/recording"
)

// skabFile is one labelled recording of the Skoltech Anomaly Benchmark.
type skabFile struct {
	name   string
	tags   []plant.Tag
	x      [][]float64
	time   []float64 // s
	fault  []bool
	change []bool
}

// skabTrain rows are for training; the protocol judges those behind them.
const skabTrain = 400

func skabFiles(tb testing.TB) []skabFile {
	tb.Helper()
	root := os.Getenv("MILLWRIGHT_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	paths, _ := filepath.Glob(filepath.Join(root, "skab", "valve*", "*.csv"))
	if len(paths) == 0 {
		tb.Skipf("no recordings below %s; MILLWRIGHT_DATA names the folder that holds skab/", root)
	}
	var files []skabFile
	for _, p := range paths {
		f, err := readSkab(p)
		if err != nil {
			tb.Fatal(err)
		}
		f.name, _ = filepath.Rel(filepath.Join(root, "skab"), p)
		files = append(files, f)
	}
	return files
}

func readSkab(path string) (skabFile, error) {
	r, err := recording.Open(path)
	if err != nil {
		return skabFile{}, err
	}
	defer r.Close()
	var f skabFile
	numeric := r.Numeric()
	for i, c := range numeric {
		f.tags = append(f.tags, plant.Tag{ID: plant.TagID(i + 1), Path: "REPLAY/" + r.Columns[c].Name, Asset: "REPLAY"})
	}
	label := map[string]int{}
	for _, c := range r.Labels() {
		label[r.Columns[c].Name] = c
	}
	var row recording.Row
	for {
		err := r.Next(&row)
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return f, err
		}
		x := make([]float64, len(numeric))
		for i, c := range numeric {
			x[i] = row.Cells[c]
		}
		f.x = append(f.x, x)
		f.time = append(f.time, float64(row.Time)/1e9)
		f.fault = append(f.fault, row.Cells[label["anomaly"]] > 0.5)
		f.change = append(f.change, row.Cells[label["changepoint"]] > 0.5)
	}
}

// skabScore is the board's own count over recordings, with what its F1 hides.
type skabScore struct {
	tp, tn, fp, fn                  int
	early, earlyRows, late, lateRow int
	events, found, earlyFiles       int
	delays                          []float64
	points, worth                   [3]float64 // windows and their worth per profile
}

func (s *skabScore) add(f *skabFile, alarm []bool) {
	first, last := -1, -1
	for i := skabTrain; i < len(alarm); i++ {
		if f.fault[i] {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	delay := math.Inf(1)
	early := false
	for i := skabTrain; i < len(alarm); i++ {
		switch a := alarm[i]; {
		case f.fault[i] && a:
			s.tp++
			delay = min(delay, f.time[i]-f.time[first])
		case f.fault[i]:
			s.fn++
		case a:
			s.fp++
		default:
			s.tn++
		}
		if i < first {
			s.earlyRows++
			if alarm[i] {
				s.early++
				early = true
			}
		}
		if i > last {
			s.lateRow++
			if alarm[i] {
				s.late++
			}
		}
	}
	if early {
		s.earlyFiles++
	}
	s.events++
	if !math.IsInf(delay, 1) {
		s.found++
	}
	s.delays = append(s.delays, delay)
	var said []float64
	for i := skabTrain; i < len(alarm); i++ {
		if i == skabTrain && alarm[i] || i > skabTrain && alarm[i] != alarm[i-1] {
			said = append(said, f.time[i])
		}
	}
	s.changepoints(f, said)
}

// changepoints scores predicted changepoints in windows of 60 s after the true
// ones, for the profiles standard, low FP and low FN.
func (s *skabScore) changepoints(f *skabFile, said []float64) {
	const wide = 60
	var l, r []float64
	for i := skabTrain; i < len(f.change); i++ {
		if f.change[i] {
			l, r = append(l, f.time[i]), append(r, f.time[i]+wide)
		}
	}
	for i := range l {
		if i+1 < len(l) && r[i] >= l[i+1] {
			l[i+1] = r[i]
		}
	}
	profiles := [3][3]float64{{1, -0.11, -1}, {1, -0.22, -1}, {1, -0.11, -2}}
	for k, p := range profiles {
		tp, fp, fn := p[0], p[1], p[2]
		sum := 0.0
		for i := range l {
			hit := slices.IndexFunc(said, func(t float64) bool { return t >= l[i] && t <= r[i] })
			if hit < 0 {
				sum += fn
				continue
			}
			j := 0.0
			if r[i] > l[i] {
				j = min(999, math.Floor(1000*(said[hit]-l[i])/(r[i]-l[i])))
			}
			x := -math.Pi/2 + math.Pi*j/999
			sum += (tp-fp)/2*(1-math.Tanh(x)/math.Tanh(math.Pi/2)) + fp
		}
		for _, t := range said {
			if !slices.ContainsFunc(l, func(a float64) bool {
				i := slices.Index(l, a)
				return t >= l[i] && t <= r[i]
			}) {
				sum += fp
			}
		}
		n := float64(len(l))
		s.points[k] += n * (tp - fn)
		s.worth[k] += sum - n*fn
	}
}

func (s *skabScore) rates() (f1, far, mar, early, late float64) {
	f1 = float64(s.tp) / (float64(s.tp) + float64(s.fn+s.fp)/2)
	return f1, 100 * float64(s.fp) / float64(s.fp+s.tn), 100 * float64(s.fn) / float64(s.fn+s.tp),
		100 * float64(s.early) / float64(s.earlyRows), 100 * float64(s.late) / float64(s.lateRow)
}

func (s *skabScore) String() string {
	f1, far, mar, early, late := s.rates()
	slices.Sort(s.delays)
	return fmt.Sprintf("F1 %.3f FAR %.1f MAR %.1f, early %.1f%% in %d recordings, late %.0f%%, events %d/%d, median delay %.0f s, changepoints %.1f / %.1f / %.1f",
		f1, far, mar, early, s.earlyFiles, late, s.found, s.events, s.delays[len(s.delays)/2],
		100*s.worth[0]/s.points[0], 100*s.worth[1]/s.points[1], 100*s.worth[2]/s.points[2])
}

// replay runs a recording through a fresh Set as the replay does: every row
// carries one source time, rows are 20 ms apart.
func (f *skabFile) replay(tb testing.TB, rows int) ([]Row, []plant.Finding) {
	tb.Helper()
	var judged []Row
	s, err := New(Config{
		Assets: []plant.Asset{{Path: "REPLAY", Name: "Recording", Class: "bench", Model: plant.Model{Rows: skabTrain}}},
		Tags:   f.tags, Speed: 50, Log: quiet(),
		Judged: func(r Row) { judged = append(judged, r) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	var in, out plant.Batch
	for i, x := range f.x[:rows] {
		in.Reset()
		for j, v := range x {
			in.Samples = append(in.Samples, plant.Sample{Tag: f.tags[j].ID, Time: rowTime(i, 20*time.Millisecond), Value: v})
		}
		s.Observe(&out, in)
	}
	s.Flush(&out)
	if len(judged) != rows {
		tb.Fatalf("%s: %d rows judged, want %d", f.name, len(judged), rows)
	}
	return judged, out.Findings
}

func alarms(rows []Row) []bool {
	a := make([]bool, len(rows))
	for i, r := range rows {
		a[i] = r.Alarm
	}
	return a
}

// TestSkab runs the default configuration over the labelled recordings by the
// board's protocol: rows 0-399 of each recording train it, a fresh model per
// recording, limits from those rows alone.
func TestSkab(t *testing.T) {
	long(t)
	files := skabFiles(t)
	var ours, always skabScore
	for i := range files {
		f := &files[i]
		rows, found := f.replay(t, len(f.x))
		a := alarms(rows)
		ours.add(f, a)
		every := make([]bool, len(a))
		for j := range every {
			every[j] = true
		}
		always.add(f, every)
		for j := range skabTrain {
			if a[j] || !math.IsNaN(rows[j].Score) {
				t.Errorf("%s: row %d is a training row and has a score or an alarm", f.name, j)
				break
			}
		}
		early, sensors := 0, ""
		for j := skabTrain; !f.fault[j]; j++ {
			if a[j] {
				early++
			}
		}
		top := ""
		inside := false
		for _, x := range found {
			switch {
			case x.Class == plant.SensorFault && x.Phase == plant.Raise:
				sensors += fmt.Sprintf(" %s@%d", x.Key, rowOf(x.Time, 20*time.Millisecond))
			case x.Class == plant.Advisory && x.Phase == plant.Raise:
				at := rowOf(x.Time, 20*time.Millisecond)
				top += fmt.Sprintf(" %d:%s(%.0f%%)", at, x.Contributions[0].Tag, 100*x.Contributions[0].Share)
				inside = inside || f.fault[at] && len(x.Contributions) > 0
			}
		}
		t.Logf("%-14s early %3d raised%s sensors%s", f.name, early, top, sensors)
		if filepath.ToSlash(f.name) == "valve1/1.csv" && !inside {
			t.Errorf("%s: no finding inside the labelled window names contributing tags", f.name)
		}
	}
	t.Logf("protocol: rows 0-399 train, a fresh model per recording, rows pooled over %d recordings", len(files))
	t.Logf("window-PCA T²+Q and T² of weighted means, default configuration: %s", &ours)
	t.Logf("every row an alarm: %s", &always)
	f1, _, _, early, _ := ours.rates()
	base, _, _, _, _ := always.rates()
	if f1 < base+0.05 {
		t.Errorf("F1 %.3f is hardly above the alarm that is always on (%.3f)", f1, base)
	}
	if early > 3 {
		t.Errorf("early false alarms %.1f %% of rows, want at most 3", early)
	}
	if ours.found*10 < ours.events*9 {
		t.Errorf("%d of %d events found, want 90 %%", ours.found, ours.events)
	}
}

// TestSkabScorer holds the scorer against figures that are known of these
// recordings: the labels themselves, and the alarm that is always on.
func TestSkabScorer(t *testing.T) {
	files := skabFiles(t)
	if len(files) != 18 {
		t.Skipf("known figures are of 18 recordings, here are %d", len(files))
	}
	var truth, points skabScore
	for i := range files {
		f := &files[i]
		truth.add(f, f.fault)
		var said []float64
		for j := skabTrain; j < len(f.change); j++ {
			if f.change[j] {
				said = append(said, f.time[j])
			}
		}
		points.changepoints(f, said)
	}
	near := func(name string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.06 {
			t.Errorf("%s: %.2f, want %.1f", name, got, want)
		}
	}
	for k, want := range []float64{54.8, 53.9, 57.7} {
		near("labels as alarm, changepoints", 100*truth.worth[k]/truth.points[k], want)
	}
	for k := range 3 {
		near("labels as changepoints", 100*points.worth[k]/points.points[k], 97.2)
	}
	f1, far, mar, _, _ := truth.rates()
	near("labels as alarm, F1", f1, 1)
	near("labels as alarm, FAR", far, 0)
	near("labels as alarm, MAR", mar, 0)
}
