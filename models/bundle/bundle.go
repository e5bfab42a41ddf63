package bundle

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"millwright/models/autoencoder"
	"millwright/models/detect"
	"millwright/plant"
)

// Bounds of a bundle.
const (
	MaxSize     = 64 << 20 // bytes of the file
	maxModes    = 16
	maxText     = 1 << 20 // bytes of the manifest, the report, a plot
	maxPlots    = 16
	minGolden   = 16 // windows of a mode
	maxGolden   = 256
	maxName     = 200 // bytes of a path, a name, a unit
	formatV1    = 1
	autoencoded = "autoencoder"
)

// Suffix of a bundle's file name.
const Suffix = ".mwb"

// ErrBundle is the reason of every refused bundle.
var ErrBundle = errors.New("bundle")

// Manifest says what a bundle holds and where it comes from. Times are ns UTC.
type Manifest struct {
	Format   int                `json:"format"` // 1; Write sets it
	ID       string             `json:"id"`     // "HSM.FM.F3.GBX-20261130T0405-1f3a9c"
	Version  int                `json:"version"`
	Kind     string             `json:"kind"` // "autoencoder"
	Asset    string             `json:"asset"`
	Class    string             `json:"class"`
	Tags     []Tag              `json:"tags"`   // of all modes
	Window   int                `json:"window"` // rows
	Budget   float64            `json:"budget"` // false alarms per asset-week that the limits allow
	From     int64              `json:"from"`   // span of the training data
	To       int64              `json:"to"`
	Rows     int64              `json:"rows"`
	Hash     string             `json:"hash"` // SHA-256 of the training data's manifest, hexadecimal
	Seed     uint64             `json:"seed"`
	Metrics  map[string]float64 `json:"metrics"` // of the backtest
	Scores   []Scores           `json:"scores"`  // one per mode, in the order of the modes
	Author   string             `json:"author"`
	Created  int64              `json:"created"`
	Software string             `json:"software"` // version of the trainer
}

// Tag is a tag with the unit that the model was trained on.
type Tag struct {
	Path string `json:"path"`
	Unit string `json:"unit"`
}

// Golden is what a device replays before it runs a mode: windows of scaled
// values (Window rows of the mode's tags, oldest row first) and the scores that
// the trainer got, at least 16 of them.
type Golden struct {
	Windows [][]float32
	Scores  []float64
}

// Plot is a picture of the report.
type Plot struct {
	Name string // "loss.svg"
	SVG  []byte
}

// Bundle is a model with all that belongs to it. Golden has an element for each
// mode of Trained, in that order.
type Bundle struct {
	Manifest
	Trained *detect.Trained
	Golden  []Golden
	Report  string // Markdown
	Plots   []Plot // by name, ascending
}

// idPattern keeps an ID fit for a file name and a URL.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$`)

// CheckID says what is wrong with the ID of a bundle, or nil.
func CheckID(id string) error {
	if !idPattern.MatchString(id) || strings.Contains(id, "..") || id == plant.LearnedModel {
		return fmt.Errorf("%w: %.130q is no ID: letters, digits, dot, dash and underscore, at most 120, and not %q", ErrBundle, id, plant.LearnedModel)
	}
	return nil
}

// Check says what is wrong with the bundle, or nil: every part against every
// other, all sizes, and all numbers finite.
func (b *Bundle) Check() error {
	if err := CheckID(b.ID); err != nil {
		return err
	}
	for _, c := range []func() error{b.checkManifest, b.checkTags, b.checkModes, b.checkPlots} {
		if err := c(); err != nil {
			return fmt.Errorf("%w %s: %w", ErrBundle, b.ID, err)
		}
	}
	return nil
}

func (b *Bundle) checkManifest() error {
	m := &b.Manifest
	switch {
	case m.Kind != autoencoded:
		return fmt.Errorf("kind %.40q: this version runs %q", m.Kind, autoencoded)
	case b.Trained == nil:
		return errors.New("no model")
	case b.Trained.ID != m.ID || b.Trained.Asset != m.Asset:
		return fmt.Errorf("the model is %.130q of %.200q, the manifest says %.200q", b.Trained.ID, b.Trained.Asset, m.Asset)
	case m.Asset == "" && m.Class == "":
		return errors.New("names neither asset nor class")
	case len(m.Asset) > maxName || len(m.Class) > maxName || len(m.Author) > maxName || len(m.Software) > maxName || len(m.Hash) > maxName:
		return fmt.Errorf("a text of the manifest is longer than %d bytes", maxName)
	case m.Version < 1:
		return fmt.Errorf("version %d: counts from 1", m.Version)
	case m.Window < 1 || m.Window > autoencoder.MaxWindow:
		return fmt.Errorf("window of %d rows: 1 to %d", m.Window, autoencoder.MaxWindow)
	case !positive(m.Budget):
		return fmt.Errorf("budget %v: must be positive", m.Budget)
	case m.From > m.To || m.Rows < 0:
		return fmt.Errorf("trained from %d to %d on %d rows", m.From, m.To, m.Rows)
	case len(b.Report) > maxText:
		return fmt.Errorf("report of %d bytes: at most %d", len(b.Report), maxText)
	case len(m.Metrics) > 200:
		return fmt.Errorf("%d metrics: at most 200", len(m.Metrics))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Metrics)) {
		if len(name) > maxName || !finite(m.Metrics[name]) {
			return fmt.Errorf("metric %.40q is %v", name, m.Metrics[name])
		}
	}
	return nil
}

// checkTags wants the manifest's tags to be those of the modes, each once.
func (b *Bundle) checkTags() error {
	left := map[string]bool{}
	for _, t := range b.Tags {
		if t.Path == "" || len(t.Path) > maxName || len(t.Unit) > maxName || left[t.Path] {
			return fmt.Errorf("tag %.200q: empty, too long or named twice", t.Path)
		}
		left[t.Path] = true
	}
	for _, m := range b.Trained.Modes {
		for _, t := range m.Tags {
			if _, known := left[t]; !known {
				return fmt.Errorf("mode %.200q uses tag %.200q, which the manifest does not name", m.Mode, t)
			}
			left[t] = false
		}
	}
	for _, t := range b.Tags {
		if left[t.Path] {
			return fmt.Errorf("no mode uses tag %s", t.Path)
		}
	}
	return nil
}

func (b *Bundle) checkModes() error {
	t := b.Trained
	if t.Grid < time.Millisecond || t.Grid > 24*time.Hour {
		return fmt.Errorf("grid %v: 1 ms to 24 h", t.Grid)
	}
	if len(t.Modes) == 0 || len(t.Modes) > maxModes {
		return fmt.Errorf("%d modes: 1 to %d", len(t.Modes), maxModes)
	}
	if len(b.Golden) != len(t.Modes) || len(b.Scores) != len(t.Modes) {
		return fmt.Errorf("%d modes, but golden windows of %d and scores of %d", len(t.Modes), len(b.Golden), len(b.Scores))
	}
	seen := map[string]bool{}
	for i := range t.Modes {
		m := &t.Modes[i]
		if m.Mode == "" || len(m.Mode) > maxName || seen[m.Mode] {
			return fmt.Errorf("mode %.200q: empty, too long or named twice", m.Mode)
		}
		seen[m.Mode] = true
		if err := b.checkMode(m); err != nil {
			return fmt.Errorf("mode %s: %w", m.Mode, err)
		}
		if err := b.Golden[i].check(m.Network.Window * m.Network.Tags); err != nil {
			return fmt.Errorf("mode %s: %w", m.Mode, err)
		}
		if err := b.Scores[i].check(); err != nil {
			return fmt.Errorf("mode %s: %w", m.Mode, err)
		}
	}
	return nil
}

func (b *Bundle) checkMode(m *detect.TrainedMode) error {
	if m.Network == nil {
		return errors.New("no network")
	}
	if err := m.Network.Check(); err != nil {
		return err
	}
	n := len(m.Tags)
	switch {
	case m.Network.Window != b.Window || m.Network.Tags != n:
		return fmt.Errorf("network of %d rows by %d tags, manifest of %d by %d", m.Network.Window, m.Network.Tags, b.Window, n)
	case len(m.Mean) != n || len(m.Scale) != n:
		return fmt.Errorf("%d means and %d scales for %d tags", len(m.Mean), len(m.Scale), n)
	case !positive(m.Reach):
		return fmt.Errorf("reach %v: must be positive", m.Reach)
	case !positive(m.Limit):
		return fmt.Errorf("limit %v: must be positive", m.Limit)
	}
	for i, t := range m.Tags {
		if !finite(m.Mean[i]) || !positive(m.Scale[i]) {
			return fmt.Errorf("tag %s: mean %v, scale %v", t, m.Mean[i], m.Scale[i])
		}
		if slices.Contains(m.Tags[:i], t) {
			return fmt.Errorf("tag %s is named twice", t)
		}
	}
	// Whatever the law is made of, more is never more likely.
	last := math.Inf(-1)
	for e := -12.0; e <= 12; e++ {
		d := m.Law.Decades(math.Pow(10, e))
		if !finite(d) || d < last || d < 0 {
			return fmt.Errorf("law gives %v decades at a score of 1e%v", d, e)
		}
		last = d
	}
	return nil
}

func (b *Bundle) checkPlots() error {
	if len(b.Plots) > maxPlots {
		return fmt.Errorf("%d plots: at most %d", len(b.Plots), maxPlots)
	}
	for i, p := range b.Plots {
		name, svg := strings.CutSuffix(p.Name, ".svg")
		if !svg || !idPattern.MatchString(name) || len(p.SVG) > maxText || i > 0 && p.Name <= b.Plots[i-1].Name {
			return fmt.Errorf("plot %.130q: out of order, above %d bytes or not NAME.svg", p.Name, maxText)
		}
	}
	return nil
}

func (g *Golden) check(width int) error {
	if len(g.Windows) < minGolden || len(g.Windows) > maxGolden || len(g.Scores) != len(g.Windows) {
		return fmt.Errorf("%d golden windows and %d scores: %d to %d", len(g.Windows), len(g.Scores), minGolden, maxGolden)
	}
	for i, w := range g.Windows {
		if len(w) != width {
			return fmt.Errorf("golden window %d has %d values for %d", i, len(w), width)
		}
		for _, v := range w {
			if !finite(float64(v)) {
				return fmt.Errorf("golden window %d holds %v", i, v)
			}
		}
		if s := g.Scores[i]; !finite(s) || s < 0 {
			return fmt.Errorf("golden score %d is %v", i, s)
		}
	}
	return nil
}

// For returns the model as it runs on an asset, with the units of its tags. A bundle
// that names a class and no asset has its tags relative to the asset.
func (b *Bundle) For(asset plant.Asset) (*detect.Trained, error) {
	below := "" // what the bundle leaves out of the paths of its tags
	switch {
	case b.Asset == asset.Path:
	case b.Asset != "":
		return nil, fmt.Errorf("%w %s is for %s, not for %s", ErrBundle, b.ID, b.Asset, asset.Path)
	case b.Class != asset.Class:
		return nil, fmt.Errorf("%w %s is for the class %q, %s is of the class %q", ErrBundle, b.ID, b.Class, asset.Path, asset.Class)
	default:
		below = asset.Path + "/"
	}
	t := *b.Trained
	t.Units = make(map[string]string, len(b.Tags))
	for _, tag := range b.Tags {
		t.Units[below+tag.Path] = tag.Unit
	}
	if below == "" {
		return &t, nil
	}
	t.Asset, t.Modes = asset.Path, slices.Clone(t.Modes)
	for i := range t.Modes {
		tags := slices.Clone(t.Modes[i].Tags)
		for j := range tags {
			tags[j] = below + tags[j]
		}
		t.Modes[i].Tags = tags
	}
	return &t, nil
}

// Summary is the bundle as the plant lists it.
func (b *Bundle) Summary() plant.Bundle {
	s := plant.Bundle{
		ID: b.ID, Version: b.Version, Kind: b.Kind, Asset: b.Asset, Class: b.Class, Window: b.Window,
		From: b.From, To: b.To, Rows: b.Rows, Hash: b.Hash, Author: b.Author, Created: b.Created,
		Budget: b.Budget, Metrics: b.Metrics,
	}
	for _, t := range b.Tags {
		s.Tags = append(s.Tags, t.Path)
	}
	for i := range b.Trained.Modes {
		s.Modes = append(s.Modes, b.Trained.Modes[i].Mode)
	}
	return s
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func positive(x float64) bool { return finite(x) && x > 0 }
