package offline

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"millwright/models/detect"
	"millwright/plant"
	"millwright/plant/recording"
)

// Options of Detect. Exactly one of TrainRows and Train is set.
type Options struct {
	TrainRows int      // rows of In that are training
	Train     string   // a recording of the same columns, all of it training
	In        string   // recording to judge
	Out       string   // CSV to write: timestamp,score,alarm,changepoint,top
	Budget    float64  // false alarms per asset-week, default 1
	Ignore    []string // columns that are not tags
	Report    string   // JSON to write, none where empty
	Log       *slog.Logger
}

// UsageError is a call that contradicts itself: exit code 2.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

func usage(format string, args ...any) error {
	return &UsageError{fmt.Sprintf(format, args...)}
}

// fewest rows that a model can be fitted and calibrated on.
const fewest = 120

// asset is the path of the one asset that a file's columns belong to.
const asset = "recording"

// Detect reads In row by row, trains on its first TrainRows rows or on Train,
// and writes one row to Out per row of In: the time text unchanged; the score, 0
// to 1, min(1, -log10 p / 8), empty where there is none; the alarm, 0 or 1 after
// persistence and hysteresis; 1 where the alarm begins or ends; up to three
// contributing columns as name=per cent.
//
// A row's output depends on the rows up to it alone, label columns are never
// looked at, and memory does not depend on the length of the files. Out and
// Report appear whole or not at all.
func Detect(ctx context.Context, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	in, err := recording.Open(o.In)
	if err != nil {
		return err
	}
	defer in.Close()
	columns, err := tagColumns(in, o.Ignore)
	if err != nil {
		return err
	}
	var train *recording.Recording
	rows := o.TrainRows
	if o.Train != "" {
		if train, err = recording.Open(o.Train); err != nil {
			return err
		}
		defer train.Close()
		if rows, err = count(ctx, o.Train); err != nil {
			return err
		}
		if rows < fewest {
			return fmt.Errorf("%s: %d rows: training needs at least %d", o.Train, rows, fewest)
		}
	}
	out, err := create(o.Out)
	if err != nil {
		return err
	}
	defer out.discard()
	r := run{options: o, in: in, columns: columns, rows: rows, sheet: csv.NewWriter(out.file)}
	if err := r.all(ctx, train); err != nil {
		return err
	}
	if o.Report == "" {
		return out.keep()
	}
	rep, err := create(o.Report)
	if err != nil {
		return err
	}
	defer rep.discard()
	enc := json.NewEncoder(rep.file)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r.report()); err != nil {
		return fmt.Errorf("%s: %w", o.Report, err)
	}
	if err := out.keep(); err != nil {
		return err
	}
	return rep.keep()
}

func (o *Options) check() error {
	if o.Budget == 0 {
		o.Budget = detect.DefaultBudget
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	switch {
	case o.In == "" || o.Out == "":
		return usage("detect needs --in and --out")
	case (o.TrainRows != 0) == (o.Train != ""):
		return usage("detect needs exactly one of --train-rows and --train")
	case o.Train == "" && o.TrainRows < fewest:
		return usage("--train-rows %d: training needs at least %d rows", o.TrainRows, fewest)
	case o.TrainRows > math.MaxInt32:
		return usage("--train-rows %d: at most %d", o.TrainRows, math.MaxInt32)
	case !(o.Budget > 0) || math.IsInf(o.Budget, 0):
		return usage("--budget %v: must be a positive number of false alarms per asset-week", o.Budget)
	}
	for _, read := range []string{o.In, o.Train} {
		for _, write := range []string{o.Out, o.Report} {
			if read != "" && write != "" && same(read, write) {
				return usage("%s would be written over the input", write)
			}
		}
	}
	if o.Report != "" && same(o.Report, o.Out) {
		return usage("--out and --report are the same file")
	}
	return nil
}

func same(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// tagColumns are the numeric columns that are not ignored. A column of texts is
// refused by name; one without any value says nothing and is left out.
func tagColumns(r *recording.Recording, ignore []string) ([]int, error) {
	var refused []error
	for _, name := range ignore {
		if !slices.ContainsFunc(r.Columns, func(c recording.Column) bool { return c.Name == name }) {
			refused = append(refused, fmt.Errorf("%s: --ignore %q: there is no such column", r.Name, name))
		}
	}
	var out []int
	for i, c := range r.Columns {
		switch {
		case slices.Contains(ignore, c.Name) || c.Class == recording.Label:
		case c.Class == recording.Numeric:
			out = append(out, i)
		case c.Why != "has no values":
			refused = append(refused, fmt.Errorf("%s: column %q is not numeric (%s); --ignore %q leaves it out", r.Name, c.Name, c.Why, c.Name))
		}
	}
	if len(refused) == 0 && len(out) == 0 {
		refused = append(refused, fmt.Errorf("%s: no column is left to judge", r.Name))
	}
	return out, oneLine(refused)
}

// oneLine joins faults into one line for a terminal; nil for none.
func oneLine(faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	var b strings.Builder
	for i, f := range faults {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Error())
	}
	return errors.New(b.String())
}

// count reads a recording through.
func count(ctx context.Context, path string) (int, error) {
	r, err := recording.Open(path)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	var row recording.Row
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		err := r.Next(&row)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// line is an input row that waits for its verdict.
type line struct {
	stamp string
	time  int64
}

// run is one pass over the files.
type run struct {
	options Options
	in      *recording.Recording
	columns []int // of in
	rows    int   // training
	set     *detect.Set
	sheet   *csv.Writer
	wait    []line
	fed     int // rows fed, training included
	alarm   bool
	written int
	alarms  int
	top     []byte
	write   error
	sensors map[string]int
	batch   plant.Batch
	found   plant.Batch
}

// rowTime is the source time given to a row: recorded times give an order only,
// rows are a second apart.
func rowTime(i int) int64 { return int64(i+1) * int64(time.Second) }

func (r *run) all(ctx context.Context, train *recording.Recording) error {
	var tags []plant.Tag
	for i, c := range r.columns {
		tags = append(tags, plant.Tag{ID: plant.TagID(i + 1), Path: r.in.Columns[c].Name, Asset: asset})
	}
	var err error
	r.set, err = detect.New(detect.Config{
		Assets: []plant.Asset{{Path: asset, Model: plant.Model{Rows: r.rows, Budget: r.options.Budget}}},
		Tags:   tags, Log: r.options.Log, Judged: r.judged,
	})
	if err != nil {
		return err
	}
	r.sensors = make(map[string]int)
	if err := r.sheet.Write([]string{"timestamp", "score", "alarm", "changepoint", "top"}); err != nil {
		return fmt.Errorf("%s: %w", r.options.Out, err)
	}
	if train != nil {
		order, err := r.match(train)
		if err != nil {
			return err
		}
		if err := r.feed(ctx, train, order, false); err != nil {
			return err
		}
	}
	if err := r.feed(ctx, r.in, r.columns, true); err != nil {
		return err
	}
	r.set.Flush(&r.found)
	r.note()
	r.sheet.Flush()
	if err := errors.Join(r.write, r.sheet.Error()); err != nil {
		return fmt.Errorf("%s: %w", r.options.Out, err)
	}
	if r.fed < r.rows {
		return fmt.Errorf("%s: %d rows, fewer than --train-rows %d", r.options.In, r.fed, r.rows)
	}
	for _, s := range r.set.Summaries() {
		if s.Failed != "" {
			return fmt.Errorf("training: %s", s.Failed)
		}
	}
	return nil
}

// match finds the columns of the judged file in the training file; a missing or
// an extra one is refused.
func (r *run) match(train *recording.Recording) ([]int, error) {
	known := slices.DeleteFunc(slices.Clone(r.options.Ignore), func(name string) bool {
		return !slices.ContainsFunc(train.Columns, func(c recording.Column) bool { return c.Name == name })
	})
	cols, err := tagColumns(train, known)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]int)
	for _, c := range cols {
		byName[train.Columns[c].Name] = c
	}
	var refused []error
	var order []int
	for _, c := range r.columns {
		name := r.in.Columns[c].Name
		at, ok := byName[name]
		if !ok {
			refused = append(refused, fmt.Errorf("%s: column %q of %s is missing", train.Name, name, r.in.Name))
			continue
		}
		delete(byName, name)
		order = append(order, at)
	}
	for _, c := range cols {
		if _, extra := byName[train.Columns[c].Name]; extra {
			refused = append(refused, fmt.Errorf("%s: column %q is not in %s", train.Name, train.Columns[c].Name, r.in.Name))
		}
	}
	return order, oneLine(refused)
}

// feed gives all rows of a recording to the Set.
func (r *run) feed(ctx context.Context, rec *recording.Recording, columns []int, judge bool) error {
	var row recording.Row
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		err := rec.Next(&row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		t := rowTime(r.fed)
		r.fed++
		r.batch.Reset()
		for i, c := range columns {
			if v := row.Cells[c]; !math.IsNaN(v) {
				r.batch.Samples = append(r.batch.Samples, plant.Sample{Tag: plant.TagID(i + 1), Time: t, Value: v})
			}
		}
		if len(r.batch.Samples) == 0 { // a row without any value is a row all the same
			r.batch.Samples = append(r.batch.Samples, plant.Sample{Tag: 1, Time: t, Quality: plant.BadNoData})
		}
		if judge {
			r.wait = append(r.wait, line{row.Stamp, t})
		}
		r.set.Observe(&r.found, r.batch)
		r.note()
		if r.write != nil {
			return fmt.Errorf("%s: %w", r.options.Out, r.write)
		}
	}
}

// note counts the sensor findings and forgets what was found.
func (r *run) note() {
	for i := range r.found.Findings {
		f := &r.found.Findings[i]
		if f.Class == plant.SensorFault && f.Phase == plant.Raise {
			r.sensors[f.Tag+": "+f.Detector]++
		}
	}
	r.found.Reset()
}

// judged is called by the Set for each row, in order.
func (r *run) judged(row detect.Row) {
	if len(r.wait) == 0 || r.wait[0].time != row.Time {
		return // a training row of another file
	}
	r.put(r.wait[0].stamp, row)
	r.wait = r.wait[:copy(r.wait, r.wait[1:])]
}

func (r *run) put(stamp string, row detect.Row) {
	score, alarm, change := "", "0", "0"
	if !math.IsNaN(row.Score) {
		score = strconv.FormatFloat(row.Score, 'f', 6, 64)
	}
	if row.Alarm {
		alarm = "1"
	}
	if row.Alarm != r.alarm {
		change = "1"
		if row.Alarm {
			r.alarms++
		}
	}
	r.alarm = row.Alarm
	r.top = r.top[:0]
	for i, c := range row.Contributions {
		if i == 3 {
			break
		}
		if i > 0 {
			r.top = append(r.top, ';')
		}
		r.top = append(r.top, c.Tag...)
		r.top = append(r.top, '=')
		r.top = strconv.AppendFloat(r.top, 100*c.Share, 'f', 1, 64)
	}
	r.written++
	if err := r.sheet.Write([]string{stamp, score, alarm, change, string(r.top)}); err != nil && r.write == nil {
		r.write = err
	}
}

// Report is the JSON of Options.Report.
type Report struct {
	In           string         `json:"in"`
	Train        string         `json:"train,omitempty"`
	TrainRows    int            `json:"train_rows"`
	Rows         int            `json:"rows"`
	Budget       float64        `json:"budget"`
	Tags         []string       `json:"tags"`     // columns in the model
	LeftOut      []string       `json:"left_out"` // stood still, wandered through the training or were missing
	Calibration  int            `json:"calibration_rows"`
	Limit        float64        `json:"limit"`
	Extrapolated bool           `json:"extrapolated"`
	Alarms       int            `json:"alarms"`
	Sensors      map[string]int `json:"sensor_findings"` // "column: fault" and how often
}

func (r *run) report() Report {
	rep := Report{
		In: r.options.In, Train: r.options.Train, TrainRows: r.rows, Rows: r.written, Budget: r.options.Budget,
		Tags: []string{}, LeftOut: []string{}, Alarms: r.alarms, Sensors: r.sensors,
	}
	for _, s := range r.set.Summaries() {
		rep.Limit, rep.Extrapolated, rep.Calibration = s.Limit, s.Extrapolated, s.Calibration
		rep.Tags, rep.LeftOut = append(rep.Tags, s.Tags...), append(rep.LeftOut, s.Out...)
	}
	return rep
}

// output is a file that appears under its name only when it is whole.
type output struct {
	path string
	file *os.File
}

func create(path string) (*output, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is not a file that can be replaced", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+strings.TrimPrefix(filepath.Base(path), ".")+".*")
	if err != nil {
		return nil, fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return &output{path: path, file: f}, nil
}

// keep makes the file durable under its name.
func (o *output) keep() error {
	f := o.file
	o.file = nil
	err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), o.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("%s: %w", o.path, err)
	}
	return nil
}

// discard removes what was not kept.
func (o *output) discard() {
	if o.file == nil {
		return
	}
	o.file.Close()
	os.Remove(o.file.Name())
	o.file = nil
}
