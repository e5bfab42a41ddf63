package config

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"millwright/plant"
)

// ParseAssets reads an asset file in TOML, checks it against the tags and sets
// the asset of the tags that name none (see Assign). The error is Faults where
// the content is wrong.
//
//	[[asset]]                    path, number, name, class, criticality, mode_tag, settle, limits
//	[asset.nameplate]            maker, model, serial, power_kw, speed_min, speed_max, support, redundancy, lubricant
//	[[asset.bearing]]            position, designation, rollers, pitch_mm, diameter_mm, angle_deg, bpfo, bpfi, bsf, ftf
//	[[asset.gear]]               stage, pinion, wheel
//	[[asset.sensor]]             tag, mounting, direction, calibrated
//	[[asset.spare]]              part, number, stock, lead_days, place
//	[[asset.drawing]]            title, number, link
//	[[asset.mode]]               name, when = ["SPEED > 50"], idle
//	[[asset.limit]]              tag, kind, value, deadband, delay, modes, priority, basis
//	[asset.model]                off, learn, rows, grid, window, budget
//
// Nameplate, bearing, gear and limit also have source, author and date. With
// limits = "class" the default limits of the class hold where the asset has none.
//
// Tags are named by their path below the asset or by their full path.
func ParseAssets(name string, r io.Reader, tags []plant.Tag) ([]plant.Asset, error) {
	var faults Faults
	src, err := bounded(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	assets := readAssets([]source{{name, string(src)}}, tags, listed, library(nil, &faults), &faults)
	if err := faults.err(); err != nil {
		return nil, err
	}
	Assign(tags, assets)
	return assets, nil
}

// assetTable reads one [[asset]].
type assetTable struct {
	*table
	asset plant.Asset
	tags  map[string]*plant.Tag
	scope scope

	library func() Library
	known   *plant.AssetClass        // of the asset, nil where the library does not have it
	limits  map[limitKey]plant.Limit // its own, the first of each key
	given   map[limitKey]bool        // defaults of its class
	hinted  string                   // see hint
}

// scope says which tags are known when assets are read.
type scope int

const (
	listed     scope = iota // all
	discovered              // some, others are found by browsing
	unseen                  // none, the file is read by itself
)

// readAssets reads asset files that together hold every asset that a tag names.
func readAssets(files []source, tags []plant.Tag, scope scope, library func() Library, faults *Faults) []plant.Asset {
	byPath := make(map[string]*plant.Tag, len(tags))
	for i := range tags {
		byPath[tags[i].Path] = &tags[i]
	}
	var assets []plant.Asset
	known := map[string]bool{}
	for _, f := range files {
		root := parse(f.name, f.text, faults)
		if root == nil {
			return nil
		}
		tables := root.tables("asset")
		for _, t := range tables {
			a := assetTable{table: t, tags: byPath, scope: scope, library: library}
			a.read()
			if known[a.asset.Path] {
				t.fault("path", "%s is the path of two assets", a.asset.Path)
			}
			known[a.asset.Path] = true
			assets = append(assets, a.asset)
		}
		if len(tables) == 0 && !root.has("asset") {
			faults.add(f.name, 1, "", "names no asset, expected sections [[asset]]")
		}
		root.close()
	}
	said := map[string]bool{}
	for _, t := range tags {
		if t.Asset != "" && !known[t.Asset] && !said[t.Asset] && len(files) > 0 {
			said[t.Asset] = true
			where := "this file"
			if len(files) > 1 {
				where = "these files"
			}
			faults.add(files[0].name, 1, "", "the asset %s of the tag %s is not in %s", t.Asset, t.Path, where)
		}
	}
	return assets
}

func (t *assetTable) read() {
	defer t.close()
	a := &t.asset
	a.Path = t.need("path", "HSM/FM/F3/GBX")
	if err := checkPath(a.Path); err != nil && a.Path != "" {
		t.fault("path", "%v", err)
	}
	a.Number = t.text("number", "")
	a.Name = t.text("name", a.Path)
	t.class()
	a.Criticality = t.oneOf("criticality", "", "A", "B", "C")
	a.Settle = t.duration("settle", 0, 0, time.Hour)
	if tag := t.text("mode_tag", ""); tag != "" {
		a.ModeTag = t.tag(t.table, "mode_tag", tag, true)
	}
	modes := t.tables("mode")
	for i, m := range modes {
		a.Modes = append(a.Modes, t.mode(m, i == len(modes)-1))
	}
	t.machine()
	for _, l := range t.tables("limit") {
		x := t.limit(l)
		a.Limits = append(a.Limits, x)
		if t.limits == nil {
			t.limits = map[limitKey]plant.Limit{}
		}
		if _, ok := t.limits[limitKey{x.Tag, x.Kind}]; !ok {
			t.limits[limitKey{x.Tag, x.Kind}] = x
		}
	}
	t.order()
	t.classLimits()
	if m := t.table.table("model"); m != nil {
		a.Model = t.model(m)
	}
}

// tag resolves a tag name; text says that it must be a text tag.
func (t *assetTable) tag(at *table, key, name string, text bool) string {
	path := t.asset.Path + "/" + name
	tag, ok := t.tags[path]
	if !ok {
		if tag, ok = t.tags[name]; ok {
			path = name
		}
	}
	switch {
	case !ok && t.scope != listed:
		return path
	case !ok:
		at.fault(key, "%q is no tag, neither as %s nor as it stands%s", name, path, t.hint())
	case text && tag.Kind != plant.Text:
		at.fault(key, "%s is of kind %s, allowed is a text tag", path, tag.Kind)
	case !text && tag.Kind == plant.Text:
		at.fault(key, "%s is a text tag, allowed is a numeric one", path)
	case tag.Kind == plant.Burst:
		at.fault(key, "%s is a waveform, allowed is a tag of single numbers", path)
	}
	return path
}

// hint names some tags of the asset. There may be many faults and many tags.
func (t *assetTable) hint() string {
	if t.hinted == "" {
		t.hinted = t.names()
	}
	return t.hinted
}

func (t *assetTable) names() string {
	var names []string
	for path := range t.tags {
		if n, ok := strings.CutPrefix(path, t.asset.Path+"/"); ok {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return ", the asset has none"
	}
	slices.Sort(names)
	if len(names) > 6 {
		names = append(names[:6], "…")
	}
	return ", the asset has " + strings.Join(names, ", ")
}

func (t *assetTable) mode(m *table, last bool) plant.Mode {
	defer m.close()
	out := plant.Mode{Name: m.need("name", "rolling"), Idle: m.flag("idle")}
	if slices.ContainsFunc(t.asset.Modes, func(o plant.Mode) bool { return o.Name == out.Name && o.Name != "" }) {
		m.fault("name", "%q is the name of two modes", out.Name)
	}
	when := m.texts("when")
	switch {
	case len(when) > 0 && t.asset.ModeTag != "":
		m.fault("when", "has no use beside mode_tag, which names the mode")
	case len(when) == 0 && t.asset.ModeTag == "" && !last:
		m.fault("when", "is missing, only the last mode may go without conditions (it is the mode when no other holds)")
	}
	for _, w := range when {
		f := strings.Fields(w)
		if len(f) != 3 || !slices.Contains([]string{">", ">=", "<", "<="}, f[1]) || !isNumber(f[2]) {
			m.fault("when", "%q, allowed is TAG OPERATOR NUMBER with > >= < or <=, such as \"SPEED > 50\"", w)
			continue
		}
		v, _ := strconv.ParseFloat(f[2], 64)
		out.When = append(out.When, plant.Condition{Tag: t.tag(m, "when", f[0], false), Op: f[1], Value: v})
	}
	return out
}

func (t *assetTable) limit(m *table) plant.Limit {
	defer m.close()
	l := plant.Limit{
		Kind:     m.limitKind(),
		Value:    m.number("value", 0, -math.MaxFloat64, math.MaxFloat64),
		Deadband: m.number("deadband", 0, 0, math.MaxFloat64),
		Delay:    m.duration("delay", 0, 0, 24*time.Hour),
		Modes:    m.texts("modes"),
		Priority: int(m.integer("priority", 3, 1, 4)),
		Basis:    m.text("basis", ""),
		Origin:   m.origin(),
	}
	if name := m.need("tag", "VIB_H"); name != "" {
		l.Tag = t.tag(m, "tag", name, false)
	}
	if !m.has("value") {
		m.fault("value", "is missing, for example value = 4.5")
	}
	if tag := t.tags[l.Tag]; tag != nil && l.Kind != plant.LimitRate && tag.Low < tag.High && (l.Value < tag.Low || l.Value > tag.High) {
		m.fault("value", "%v is outside the range %v to %v of %s and never reached", l.Value, tag.Low, tag.High, l.Tag)
	}
	if l.Kind == plant.LimitRate && m.has("value") && l.Value <= 0 {
		m.fault("value", "%v, allowed is a rise per second above 0", l.Value)
	}
	for _, mode := range l.Modes {
		if len(t.asset.Modes) > 0 && !slices.ContainsFunc(t.asset.Modes, func(o plant.Mode) bool { return o.Name == mode }) {
			m.fault("modes", "%q is no mode of the asset", mode)
		}
	}
	if _, ok := t.limits[limitKey{l.Tag, l.Kind}]; ok && l.Tag != "" {
		m.fault("kind", "is the second %s limit of %s, allowed is one of each kind", l.Kind, l.Tag)
	}
	return l
}

// order checks that the urgent limit of a tag lies beyond the early one.
func (t *assetTable) order() {
	at := func(tag string, kind plant.LimitKind) (plant.Limit, bool) {
		l, ok := t.limits[limitKey{tag, kind}]
		return l, ok && tag != ""
	}
	for i, l := range t.asset.Limits {
		m := &table{document: t.document, path: index(t.path+".limit", i)}
		if h, ok := at(l.Tag, plant.LimitHigh); ok && l.Kind == plant.LimitHighHigh && l.Value <= h.Value {
			m.fault("value", "%v is not above the high limit %v of the same tag", l.Value, h.Value)
		}
		if h, ok := at(l.Tag, plant.LimitLow); ok && l.Kind == plant.LimitLowLow && l.Value >= h.Value {
			m.fault("value", "%v is not below the low limit %v of the same tag", l.Value, h.Value)
		}
	}
}

func (t *assetTable) model(m *table) plant.Model {
	defer m.close()
	out := plant.Model{
		Off:    m.flag("off"),
		Learn:  m.duration("learn", 0, time.Second, 365*24*time.Hour),
		Rows:   int(m.integer("rows", 0, 50, 10_000_000)),
		Grid:   m.duration("grid", 0, 10*time.Millisecond, time.Hour),
		Window: int(m.integer("window", 0, 2, 200)),
		Budget: m.number("budget", 0, 1e-6, 1e6),
	}
	if out.Learn > 0 && out.Rows > 0 {
		m.fault("rows", "stands beside learn, allowed is one of them")
	}
	return out
}
