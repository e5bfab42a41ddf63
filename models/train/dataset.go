package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"millwright/models/detect"
	"millwright/plant"
)

// lead is read before the period, plant time: windows and sensor checks are
// warm then.
const lead = 15 * time.Minute

// dataset is the part of a period that is trained on.
type dataset struct {
	asset   plant.Asset
	grid    time.Duration
	tags    []plant.Tag // heard
	watched []plant.Tag // in the order of a row's values
	speed   float64
	from    int64
	split   int64 // the backtest begins
	to      int64
	before  time.Duration // margin, plant time

	exclusions *exclusions
	rows       map[string]*rows // by mode
	all        map[Reason]int
	by         map[string]map[Reason]int // by mode
	total      int
	state      []byte // of the Set at split, as the edge would have it
	print      string // SHA-256 of the rows

	sieve *sieve
	out   plant.Batch
	told  int             // findings in out that were heard
	open  map[string]bool // limits that are exceeded
	ok    []bool
	hash  hash.Hash
	line  []byte
	idle  map[string]bool
	named int // modes that run
}

// unnamedModes is how many modes get room where only the PLC names them.
const unnamedModes = 4

// newDataset looks up the asset and what is said about its past.
func newDataset(ctx context.Context, o *Options) (*dataset, error) {
	assets := o.Source.Assets()
	i := slices.IndexFunc(assets, func(a plant.Asset) bool { return a.Path == o.Asset })
	if i < 0 {
		var known []string
		for _, a := range assets {
			known = append(known, a.Path)
		}
		if len(known) == 0 {
			return nil, fmt.Errorf("asset %s is not known; the source knows no asset: has an edge sent its births?", o.Asset)
		}
		return nil, fmt.Errorf("asset %s is not known; known are %s", o.Asset, strings.Join(known, ", "))
	}
	d := &dataset{asset: assets[i], speed: o.Speed, before: o.Before, from: o.From, to: o.To, rows: map[string]*rows{}, all: map[Reason]int{},
		by: map[string]map[Reason]int{}, open: map[string]bool{}, hash: sha256.New(), idle: map[string]bool{}}
	d.grid = d.asset.Model.Grid
	if d.grid == 0 {
		d.grid = detect.DefaultGrid
	}
	d.split = o.To - int64(o.Backtest*float64(o.To-o.From))
	d.tags = heard(&d.asset, o.Source.Tags())
	measured := 0
	for _, t := range d.tags {
		if t.Asset == o.Asset {
			measured++
		}
	}
	if measured == 0 {
		return nil, fmt.Errorf("asset %s has no measured tags in the source: export it with --asset %s, or look at the tag list", o.Asset, o.Asset)
	}
	if d.asset.Model.Off {
		return nil, fmt.Errorf("the model of asset %s is off in its asset file: no edge would run a trained one", o.Asset)
	}
	for _, m := range d.asset.Modes {
		d.idle[m.Name] = m.Idle
		if !m.Idle {
			d.named++
		}
	}
	if d.asset.ModeTag != "" && len(d.asset.Modes) == 0 {
		d.named = unnamedModes
	}
	var err error
	d.exclusions, err = exclusionsOf(ctx, o.Source, o.Asset, d.tags, d.from, d.to, d.source(o.Before), d.source(o.After))
	return d, err
}

// source turns plant time into source time.
func (d *dataset) source(plantTime time.Duration) time.Duration {
	return time.Duration(float64(plantTime) / d.speed)
}

// weeks of plant time in a span.
func (d *dataset) weeks(from, to int64) float64 { return float64(to-from) / 1e9 * d.speed / week }

// load reads the part before the backtest, row by row as the edge saw it.
func (d *dataset) load(ctx context.Context, src Source, told func(done float64)) error {
	set, err := d.set(d.take)
	if err != nil {
		return err
	}
	begin := d.from - int64(d.source(lead))
	err = read(ctx, src, d.tags, begin, d.split, func(b plant.Batch, until int64) error {
		set.Observe(&d.out, b)
		d.hear()
		d.out.Reset()
		d.told = 0
		told(float64(until-begin) / float64(d.split-begin))
		return nil
	})
	if err != nil {
		return err
	}
	if d.total == 0 {
		return fmt.Errorf("asset %s has no data between %s and %s: choose another period", d.asset.Path, date(d.from), date(d.split))
	}
	for _, r := range d.rows {
		if kept := r.n(); kept < r.seen {
			d.all[Thinned] += r.seen - kept
		}
	}
	d.print = hex.EncodeToString(d.hash.Sum(nil))
	d.state, err = set.MarshalBinary()
	return err
}

// set is the judgement of the asset as the edge has it, with the learned model.
func (d *dataset) set(judged func(detect.Row)) (*detect.Set, error) {
	return detect.New(detect.Config{Assets: []plant.Asset{d.asset}, Tags: d.tags, Speed: d.speed, Judged: judged,
		Log: slog.New(slog.DiscardHandler)})
}

// hear follows the limits. Rows are judged while a batch is observed, so it is
// asked before each of them.
func (d *dataset) hear() {
	for ; d.told < len(d.out.Findings); d.told++ {
		if f := &d.out.Findings[d.told]; f.Class == plant.LimitAlarm && f.Phase != plant.Update {
			d.open[f.Key] = f.Phase == plant.Raise
		}
	}
}

// take decides about one row.
func (d *dataset) take(r detect.Row) {
	d.hear()
	if d.sieve == nil {
		d.watch(r.Tags)
	}
	if r.Start {
		for _, m := range d.rows {
			m.interrupt()
		}
	}
	if r.Time < d.from {
		return
	}
	copy(d.ok, r.OK)
	why := d.against(&r)
	d.total++
	d.note(&r, why)
	m := d.rows[r.Mode]
	if why != "" {
		d.all[why]++
		if d.by[r.Mode] == nil {
			d.by[r.Mode] = map[Reason]int{}
		}
		d.by[r.Mode][why]++
		if m != nil {
			m.interrupt()
		}
		return
	}
	if m == nil {
		m = newRows(len(d.watched), d.named)
		d.rows[r.Mode] = m
	}
	m.add(r.Time, r.Values, d.ok)
}

// watch learns the order of a row's values.
func (d *dataset) watch(paths []string) {
	for _, p := range paths {
		i := slices.IndexFunc(d.tags, func(t plant.Tag) bool { return t.Path == p })
		d.watched = append(d.watched, d.tags[i])
	}
	d.ok = make([]bool, len(paths))
	d.sieve = d.exclusions.sieve(paths)
}

// against is what speaks against a row as a training row, or nothing.
func (d *dataset) against(r *detect.Row) Reason {
	switch {
	case d.idle[r.Mode]:
		return Standing
	case r.Mode == "unknown":
		return Unknown
	case !r.Settled:
		return Unsettled
	}
	if why := d.sieve.bars(r.Time); why != "" {
		return why
	}
	for _, open := range d.open {
		if open && !d.sieve.forgiven(r.Time) {
			return OverLimit
		}
	}
	if missing, gap := d.sieve.mask(r.Time, d.ok); 3*missing > len(d.ok) {
		if gap {
			return InGap
		}
		return Masked
	}
	return ""
}

// note puts the row into the hash of the training data.
func (d *dataset) note(r *detect.Row, why Reason) {
	b := d.line[:0]
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Time))
	b = append(b, r.Mode...)
	b = append(b, 0)
	b = append(b, why...)
	b = append(b, 0)
	for i, v := range r.Values {
		if !d.ok[i] {
			v = math.NaN()
		}
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	d.line = b
	d.hash.Write(b)
}

// Least amounts of healthy data of a mode.
const (
	leastWindows = 3000
	leastPiece   = 100 // windows in each piece that calibrates or says when to stop
)

// ErrTooLittle is the reason of a training that was refused for want of data.
var ErrTooLittle = errors.New("too little healthy data")

// enough sorts the modes into those that can be trained, by name, and those that
// cannot, with the reason.
func (d *dataset) enough(window int) (can []string, cannot []Short) {
	for mode, r := range d.rows {
		s := Short{Mode: mode, Rows: r.n(), Windows: r.windows(0, r.n(), window), Need: leastWindows, Of: window, Lost: d.by[mode]}
		_, calibration, stop := r.split()
		held := append(calibration, stop)
		for _, p := range held {
			if r.windows(p.from, p.to, window) >= leastPiece {
				s.Pieces++
			}
		}
		if s.Windows >= leastWindows && s.Pieces == len(held) {
			can = append(can, mode)
			continue
		}
		cannot = append(cannot, s)
	}
	for mode, lost := range d.by { // modes of which nothing stayed
		if d.rows[mode] == nil && !d.idle[mode] && mode != "unknown" {
			cannot = append(cannot, Short{Mode: mode, Need: leastWindows, Of: window, Lost: lost})
		}
	}
	slices.Sort(can)
	slices.SortFunc(cannot, func(a, b Short) int { return strings.Compare(a.Mode, b.Mode) })
	return can, cannot
}

// Short is a mode with too little healthy data, and what is missing.
type Short struct {
	Mode    string
	Rows    int            // that may be used
	Windows int            // whole ones in them
	Need    int            // windows
	Of      int            // rows in a window
	Pieces  int            // of time that can calibrate or stop
	Lost    map[Reason]int // rows
}

// String is one line for people.
func (s Short) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mode %s: %d healthy rows with %d whole windows of %d rows", s.Mode, s.Rows, s.Windows, s.Of)
	if s.Windows < s.Need {
		fmt.Fprintf(&b, ", needed are %d", s.Need)
	} else {
		fmt.Fprintf(&b, ", but only %d of the 5 pieces of time that calibrate it or stop its training have %d of them", s.Pieces, leastPiece)
	}
	var lost []string
	for _, why := range reasons {
		if n := s.Lost[why]; n > 0 {
			lost = append(lost, fmt.Sprintf("%s %d", why, n))
		}
	}
	if len(lost) > 0 {
		fmt.Fprintf(&b, "; left out: %s", strings.Join(lost, ", "))
	}
	return b.String()
}

// shortage is the error of a training without any mode to train.
func (d *dataset) shortage(cannot []Short) error {
	var lines []string
	for _, s := range cannot {
		lines = append(lines, s.String())
	}
	if len(lines) == 0 {
		lines = append(lines, fmt.Sprintf("in %d rows the machine never ran in a known mode", d.total))
	}
	return fmt.Errorf("%w of %s from %s to %s: %s. Choose a longer period, or answer its alarms", ErrTooLittle, d.asset.Path, date(d.from), date(d.split), strings.Join(lines, ". "))
}

// date is a time for people.
func date(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04") }
