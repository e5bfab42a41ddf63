package export

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"millwright/plant"
)

// Errors of files that are read back.
var (
	ErrForeign = errors.New("not a long Parquet file of millwright export")
	ErrNewer   = errors.New("written by a newer version of millwright")
	ErrDamaged = errors.New("damaged")
)

// manifestFormat is the number of what is described here.
const manifestFormat = 1

// Manifest says what a file holds and where it comes from. Inside a file it has
// no File, since that describes the file's bytes; inside an Arrow file, which
// begins with it, nothing is counted either.
type Manifest struct {
	Format   int           `json:"format"`
	Software string        `json:"software"` // "millwright 1.4.0"
	Query    Query         `json:"query"`
	Counted  bool          `json:"counted"` // Rows, First and Last hold, here and in Tags
	Rows     int64         `json:"rows"`
	First    stamp         `json:"first"` // time of the first row in time
	Last     stamp         `json:"last"`
	Columns  []string      `json:"columns"`
	Tags     []TagInfo     `json:"tags"` // in the order of the file: by path
	Assets   []plant.Asset `json:"assets"`
	Gaps     []gapInfo     `json:"gaps"`
	Labels   []labelInfo   `json:"labels"`
	Alarms   []alarmInfo   `json:"alarms"`
	File     *FileInfo     `json:"file,omitempty"`
}

// FileInfo describes the bytes of the file.
type FileInfo struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// TagInfo describes a tag and what the file has of it: rows of a long file, cells
// with a value of a wide one.
type TagInfo struct {
	Path        string     `json:"path"`
	Asset       string     `json:"asset"`
	Unit        string     `json:"unit"`
	Kind        plant.Kind `json:"kind"`
	Description string     `json:"description"`
	Low         float64    `json:"low"` // low = high: unknown
	High        float64    `json:"high"`
	Resolution  float64    `json:"resolution"`
	MaxRate     float64    `json:"max_rate"`
	Cyclic      bool       `json:"cyclic"`
	SamplingMS  int64      `json:"sampling_ms"`
	Derived     bool       `json:"derived"`
	Rows        int64      `json:"rows"`
	First       stamp      `json:"first"`
	Last        stamp      `json:"last"`
}

type gapInfo struct {
	Tag    string `json:"tag"`
	From   stamp  `json:"from"`
	To     stamp  `json:"to"`
	Reason string `json:"reason"`
}

type labelInfo struct {
	ID       int64         `json:"id"`
	Alarm    int64         `json:"alarm"`
	Asset    string        `json:"asset"`
	Detector string        `json:"detector"`
	Tag      string        `json:"tag"`
	Verdict  plant.Verdict `json:"verdict"`
	Code     string        `json:"code"`
	Of       int64         `json:"of"`
	Note     string        `json:"note"`
	From     stamp         `json:"from"`
	To       stamp         `json:"to"`
	Who      string        `json:"who"`
	At       stamp         `json:"at"`
}

// alarmInfo is an alarm for each time that it was open.
type alarmInfo struct {
	ID       int64         `json:"id"`
	Edge     string        `json:"edge"`
	Raised   stamp         `json:"raised"`
	Returned stamp         `json:"returned"` // null: it lasts
	Finding  plant.Finding `json:"finding"`
}

func newTagInfo(t *plant.Tag) TagInfo {
	kind := t.Kind
	if kind == "" {
		kind = plant.Analog
	}
	return TagInfo{
		Path: t.Path, Asset: t.Asset, Unit: t.Unit, Kind: kind, Description: t.Description, Low: t.Low, High: t.High,
		Resolution: t.Resolution, MaxRate: t.MaxRate, Cyclic: t.Cyclic, SamplingMS: t.Sampling.Milliseconds(), Derived: t.Derived,
	}
}

// tag is the tag again; its ID is its place, from 1.
func (t *TagInfo) tag(id plant.TagID) plant.Tag {
	return plant.Tag{
		ID: id, Path: t.Path, Asset: t.Asset, Unit: t.Unit, Kind: t.Kind, Description: t.Description, Low: t.Low, High: t.High,
		Resolution: t.Resolution, MaxRate: t.MaxRate, Cyclic: t.Cyclic,
		Sampling: time.Duration(t.SamplingMS) * time.Millisecond, Derived: t.Derived,
	}
}

// count adds a row of the tag.
func (t *TagInfo) count(rows, first, last int64) {
	if rows == 0 {
		return
	}
	if t.Rows == 0 {
		t.First, t.Last = stamp(first), stamp(last)
	}
	t.Rows += rows
	t.First, t.Last = min(t.First, stamp(first)), max(t.Last, stamp(last))
}

func newLabelInfo(l plant.Label) labelInfo {
	return labelInfo{l.ID, l.Alarm, l.Asset, l.Detector, l.Tag, l.Verdict, l.Code, l.Of, l.Note, stamp(l.From), stamp(l.To), l.Who, stamp(l.At)}
}

func (l *labelInfo) label() plant.Label {
	return plant.Label{
		ID: l.ID, Alarm: l.Alarm, Asset: l.Asset, Detector: l.Detector, Tag: l.Tag, Verdict: l.Verdict, Code: l.Code, Of: l.Of,
		Note: l.Note, From: int64(l.From), To: int64(l.To), Who: l.Who, At: int64(l.At),
	}
}

// newAlarmInfo leaves out what people did with the alarm: it says nothing of the
// data.
func newAlarmInfo(a plant.Alarm) alarmInfo {
	return alarmInfo{a.ID, a.Edge, stamp(a.Raised), stamp(a.Returned), a.Finding}
}

func (a *alarmInfo) alarm() plant.Alarm {
	state := plant.Unacked
	if a.Returned != 0 {
		state = plant.RtnUnacked
	}
	return plant.Alarm{ID: a.ID, State: state, Edge: a.Edge, Finding: a.Finding, Raised: int64(a.Raised), Returned: int64(a.Returned), Count: 1}
}

func compareGaps(a, b plant.Gap) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), strings.Compare(a.Reason, b.Reason))
}

func compareLabels(a, b labelInfo) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.ID, b.ID))
}

func compareAlarms(a, b alarmInfo) int {
	return cmp.Or(cmp.Compare(a.Raised, b.Raised), cmp.Compare(a.ID, b.ID), strings.Compare(a.Finding.Asset, b.Finding.Asset),
		strings.Compare(a.Finding.Key, b.Finding.Key))
}

// parseManifest reads the manifest inside a file and holds it against itself.
func parseManifest(b []byte) (*Manifest, error) {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &version); err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
	}
	if version.Format > manifestFormat {
		return nil, fmt.Errorf("%w: manifest %d, this one reads up to %d; use that version", ErrNewer, version.Format, manifestFormat)
	}
	m := &Manifest{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
	}
	return m, nil
}

func (m *Manifest) check() error {
	if m.Format != manifestFormat {
		return fmt.Errorf("format %d", m.Format)
	}
	if err := m.Query.Check(); err != nil {
		return fmt.Errorf("query: %w", err)
	}
	sum := int64(0)
	for i := range m.Tags {
		t := &m.Tags[i]
		if t.Path == "" || i > 0 && m.Tags[i-1].Path >= t.Path {
			return fmt.Errorf("tag %d: %q is out of order", i, t.Path)
		}
		if t.Rows < 0 || t.Rows > m.Rows-sum && m.Query.Shape == Long {
			return fmt.Errorf("%s: %d rows of %d", t.Path, t.Rows, m.Rows)
		}
		if t.SamplingMS < 0 || t.SamplingMS > maxReach.Milliseconds() {
			return fmt.Errorf("%s: sampled every %d ms", t.Path, t.SamplingMS)
		}
		sum += t.Rows
	}
	if m.Query.Shape == Long && sum != m.Rows {
		return fmt.Errorf("%d rows of tags, %d in all", sum, m.Rows)
	}
	for i, a := range m.Assets {
		if a.Path == "" || i > 0 && m.Assets[i-1].Path >= a.Path {
			return fmt.Errorf("asset %d: %q is out of order", i, a.Path)
		}
	}
	for i, g := range m.Gaps {
		if g.From >= g.To || m.tag(g.Tag) < 0 {
			return fmt.Errorf("gap %d", i)
		}
	}
	return nil
}

// tag is the place of a tag; -1: it is not there.
func (m *Manifest) tag(path string) int {
	i, ok := slices.BinarySearchFunc(m.Tags, path, func(t TagInfo, path string) int { return strings.Compare(t.Path, path) })
	if !ok {
		return -1
	}
	return i
}
