package config

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"millwright/plant"
)

// class reads the class of the asset and checks it against the library.
func (t *assetTable) class() {
	name := t.text("class", Machine)
	t.asset.Class = name
	if name == Machine {
		return
	}
	if t.known = t.library().Find(name); t.known != nil {
		return
	}
	hint := "see firmware-configs/classes"
	if near := t.library().near(name); len(near) > 0 {
		hint = "near are " + strings.Join(near, ", ")
	}
	t.fault("class", "%q is no class of the library, %s; %q stands for what has none", name, hint, Machine)
}

// mostParts of a kind that one asset has: a whole caster strand has some hundred
// bearings.
const (
	mostParts = 500
	tooMany   = "the asset has more than 500 of these: divide it into several"
)

// machine reads what the asset is made of.
func (t *assetTable) machine() {
	a := &t.asset
	if m := t.table.table("nameplate"); m != nil {
		a.Nameplate = m.nameplate()
	}
	a.Bearings = several(t, "bearing", "position", "is the position of two bearings", (*assetTable).bearing, func(b plant.Bearing) string { return b.Position })
	a.Gears = several(t, "gear", "stage", "is the name of two stages", (*assetTable).gear, func(g plant.Gear) string { return g.Stage })
	a.Sensors = several(t, "sensor", "tag", "is here twice", (*assetTable).sensor, func(m plant.Mount) string { return m.Tag })
	a.Spares = several(t, "spare", "part", "is here twice under one number", (*assetTable).spare, spareKey)
	a.Drawings = several(t, "drawing", "title", "is the title of two drawings", (*assetTable).drawing, func(d plant.Drawing) string { return d.Title })
}

// several reads the parts of one kind, of which no two have the same key.
func several[P any](t *assetTable, kind, column, twice string, read func(*assetTable, *table) P, key func(P) string) []P {
	var parts []P
	seen := map[string]bool{}
	for _, m := range t.tables(kind) {
		if len(parts) == mostParts {
			m.fault(column, "%s", tooMany)
			break
		}
		p := read(t, m)
		if k := key(p); k != "" && seen[k] {
			m.fault(column, "%q %s", k, twice)
		} else {
			seen[k] = true
		}
		parts = append(parts, p)
	}
	return parts
}

// sourced reads the origin of figures: who states one says from what, who and
// when. Nobody signs what is unknown.
func (t *table) sourced() plant.Origin {
	o := t.origin()
	t.signed(o)
	return o
}

// signed checks an origin that must be there.
func (t *table) signed(o plant.Origin) {
	switch {
	case o.Source == "" && !t.has("source"):
		t.fault("source", "is missing, allowed are %s", strings.Join(plant.Provenances(), ", "))
	case o.Source == plant.SourceUnknown || o.Source == "":
	default:
		for _, key := range []string{"author", "date"} {
			if !t.has(key) {
				t.fault(key, "is missing: who says so, and when (year-month-day)")
			}
		}
	}
}

func (t *table) nameplate() *plant.Nameplate {
	defer t.close()
	n := &plant.Nameplate{
		Maker: t.text("maker", ""), Model: t.text("model", ""), Serial: t.text("serial", ""),
		Power:    t.number("power_kw", 0, 1e-3, 1e6),
		SpeedMin: t.number("speed_min", 0, 0, 1e6), SpeedMax: t.number("speed_max", 0, 0, 1e6),
		Support: t.support(), Redundancy: t.checked("redundancy", "", checkRedundancy), Lubricant: t.text("lubricant", ""),
		Origin: t.sourced(),
	}
	if n.SpeedMax < n.SpeedMin {
		t.fault("speed_max", "%v is below speed_min %v", n.SpeedMax, n.SpeedMin)
	}
	return n
}

// checkRedundancy reads how many machines there are and how much of the duty each
// takes, such as 2x100.
func checkRedundancy(s string) error {
	var n, percent int
	if _, err := fmt.Sscanf(s, "%dx%d", &n, &percent); err != nil || fmt.Sprintf("%dx%d", n, percent) != s || n < 1 || n > 99 || percent < 1 || percent > 100 {
		return fmt.Errorf("%q, allowed are the number of machines and the percentage of the duty that each takes, such as 2x100", s)
	}
	return nil
}

// Bounds of a bearing: the largest in a works have a pitch of some metres.
const (
	mostRollers = 200
	mostPitch   = 5000 // mm
)

func (*assetTable) bearing(t *table) plant.Bearing {
	defer t.close()
	b := plant.Bearing{
		Position: t.need("position", "DE"), Designation: t.text("designation", ""),
		Rollers: int(t.integer("rollers", 0, 3, mostRollers)), Pitch: t.number("pitch_mm", 0, 1, mostPitch),
		Diameter: t.number("diameter_mm", 0, 0.1, mostPitch), Angle: t.number("angle_deg", 0, 0, 85),
	}
	t.together("rollers", "pitch_mm", "diameter_mm")
	if b.Diameter >= b.Pitch && b.Pitch > 0 {
		t.fault("diameter_mm", "%v is not below pitch_mm %v", b.Diameter, b.Pitch)
	}
	o := plant.BearingOrders{BPFO: t.number("bpfo", 0, 0.1, mostRollers), BPFI: t.number("bpfi", 0, 0.1, mostRollers),
		BSF: t.number("bsf", 0, 0.1, mostRollers), FTF: t.number("ftf", 0, 0.01, 0.5)}
	if t.together("bpfo", "bpfi", "bsf", "ftf") {
		t.orders(&b, o)
		b.Given = &o
	}
	b.Origin = t.sourced()
	return b
}

// orders checks orders given. Each roller passes either race, so that bpfo and
// bpfi sum to their number.
func (t *table) orders(b *plant.Bearing, o plant.BearingOrders) {
	if o.BPFO == 0 || o.BPFI == 0 { // said already
		return
	}
	sum := o.BPFO + o.BPFI
	switch z := math.Round(sum); {
	case o.BPFO >= o.BPFI:
		t.fault("bpfo", "%v is not below bpfi %v: the inner race is passed more often", o.BPFO, o.BPFI)
	case math.Abs(sum-z) > 0.1:
		t.fault("bpfi", "%v and bpfo %v sum to %.3g, which is the number of rollers and so a whole number", o.BPFI, o.BPFO, sum)
	case b.Rollers > 0 && int(z) != b.Rollers:
		t.fault("rollers", "%d, bpfo and bpfi sum to %.3g rollers", b.Rollers, sum)
	}
}

// together checks that all of the keys are there or none, and reports whether
// all are.
func (t *table) together(keys ...string) bool {
	var missing []string
	for _, k := range keys {
		if _, unreadable := t.lines[join(t.path, k)]; !t.has(k) && !unreadable {
			missing = append(missing, k)
		}
	}
	if len(missing) > 0 && len(missing) < len(keys) {
		t.fault(missing[0], "is missing, %s go together", strings.Join(keys, ", "))
	}
	return len(missing) == 0
}

func (*assetTable) gear(t *table) plant.Gear {
	defer t.close()
	g := plant.Gear{Stage: t.need("stage", "1"), Pinion: int(t.integer("pinion", 0, 1, 2000)), Wheel: int(t.integer("wheel", 0, 1, 2000))}
	t.together("pinion", "wheel")
	g.Origin = t.sourced()
	return g
}

// classLimits gives the asset the default limits of its class, where it asks
// for them. A limit of its own goes before.
func (t *assetTable) classLimits() {
	a := &t.asset
	if t.oneOf("limits", "", "class") == "" {
		return
	}
	if t.known == nil {
		if a.Class == Machine {
			t.fault("limits", "class %s has none, leave the key out or say which class it is", Machine)
		}
		return
	}
	if t.scope == discovered {
		t.fault("limits", "has no use with a PLC whose tags are discovered, allowed is one with a tag list")
		return
	}
	var tags []*plant.Tag
	for path, tag := range t.tags {
		if strings.HasPrefix(path, a.Path+"/") && tag.Kind != plant.Text && tag.Kind != plant.Burst {
			tags = append(tags, tag)
		}
	}
	slices.SortFunc(tags, func(x, y *plant.Tag) int { return cmp.Compare(x.Path, y.Path) })
	own := len(a.Limits)
	for _, d := range t.known.Limits {
		if !fits(&d, a.Nameplate) {
			continue
		}
		for _, tag := range tags {
			if tag.Unit == d.Unit && plant.Matches(d.Tag, a.Path, tag.Path) {
				t.classLimit(d.Limit, tag)
			}
		}
	}
	if t.scope == listed && len(a.Limits) == own {
		t.fault("limits", "no tag of the asset has the name and unit of a limit of class %s, leave the key out or look into firmware-configs/classes/%s.toml", t.known.Name, t.known.Name)
	}
}

func (t *assetTable) classLimit(l plant.Limit, tag *plant.Tag) {
	a := &t.asset
	own := func(kind plant.LimitKind) (plant.Limit, bool) {
		o, ok := t.limits[limitKey{tag.Path, kind}]
		return o, ok
	}
	key := limitKey{tag.Path, l.Kind}
	if _, mine := own(l.Kind); mine || t.given[key] {
		return
	}
	what := fmt.Sprintf("the %s limit %v of %s (%s)", l.Kind, l.Value, tag.Path, l.Basis)
	const step = "give the asset one of its own"
	if l.Kind != plant.LimitRate && tag.Low < tag.High && (l.Value < tag.Low || l.Value > tag.High) {
		t.fault("limits", "%s is outside the range %v to %v of the tag and never reached: %s", what, tag.Low, tag.High, step)
		return
	}
	if kind, sign := partner(l.Kind); kind != "" {
		if o, mine := own(kind); mine && (l.Value-o.Value)*sign <= 0 {
			t.fault("limits", "%s does not go with the %s limit %v of the asset: %s", what, o.Kind, o.Value, step)
			return
		}
	}
	l.Tag = tag.Path
	l.Basis = fmt.Sprintf("class %s: %s", t.known.Name, l.Basis)
	a.Limits = append(a.Limits, l)
	if t.given == nil {
		t.given = map[limitKey]bool{}
	}
	t.given[key] = true
}

// partner is the limit beyond or before another one, and on which side of it that
// one must lie.
func partner(kind plant.LimitKind) (plant.LimitKind, float64) {
	switch kind {
	case plant.LimitHigh:
		return plant.LimitHighHigh, -1
	case plant.LimitHighHigh:
		return plant.LimitHigh, 1
	case plant.LimitLow:
		return plant.LimitLowLow, 1
	case plant.LimitLowLow:
		return plant.LimitLow, -1
	}
	return "", 0
}

// fits reports whether a default limit is for a machine with that nameplate.
func fits(l *plant.ClassLimit, n *plant.Nameplate) bool {
	if l.Group == 0 && l.Support == "" {
		return true
	}
	return n != nil && (l.Group == 0 || l.Group == n.Group()) && (l.Support == "" || l.Support == n.Support)
}

// Unsourced names the limits of which nobody has said where they come from, by
// whom and when.
func Unsourced(assets []plant.Asset) []string {
	var out []string
	for i := range assets {
		for _, l := range assets[i].Limits {
			if l.Source == "" || l.Source != plant.SourceUnknown && (l.Author == "" || l.Date == "") {
				out = append(out, fmt.Sprintf("the %s limit of %s lacks source, author or date", l.Kind, l.Tag))
			}
		}
	}
	return out
}

// Undersampled names the tags that are sampled more slowly than their machine's class
// asks, by asset. One that is sent on change is none.
func Undersampled(assets []plant.Asset, tags []plant.Tag, library Library) []string {
	var out []string
	for i := range assets {
		class := library.Find(assets[i].Class)
		if class == nil {
			continue
		}
		for j := range tags {
			t := &tags[j]
			if t.Asset != assets[i].Path {
				continue
			}
			if m := class.Template(t); m != nil && m.Every > 0 && t.Sampling > m.Every {
				out = append(out, fmt.Sprintf("%s is sampled every %v, the class %s asks for %v", t.Path, t.Sampling, class.Name, m.Every))
			}
		}
	}
	return out
}
