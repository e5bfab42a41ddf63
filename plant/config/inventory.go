package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"millwright/plant"
)

// inventoryColumns are those of an inventory. Every row says of which record it
// is: an asset with its nameplate, a part of it or a limit.
func inventoryColumns() []column {
	var out []column
	add := func(c cell, names string) {
		for _, n := range strings.Fields(names) {
			out = append(out, column{n, c})
		}
	}
	add(textCell, "record path")
	add(textCell, assetKeys)
	add(textCell, "maker model serial")
	add(numberCell, "power_kw speed_min speed_max")
	add(textCell, "support redundancy lubricant")
	add(textCell, "position designation")
	add(wholeCell, "rollers")
	add(numberCell, "pitch_mm diameter_mm angle_deg bpfo bpfi bsf ftf")
	add(textCell, "stage")
	add(wholeCell, "pinion wheel")
	add(textCell, "part title")
	add(wholeCell, "stock lead_days")
	add(textCell, "place link tag mounting direction calibrated kind")
	add(numberCell, "value deadband")
	add(textCell, "delay")
	add(listCell, "modes")
	add(wholeCell, "priority")
	add(textCell, "basis source author date")
	return out
}

// Keys of a row by what they describe, in the order of the file written.
const (
	assetKeys     = "number name class criticality mode_tag limits"
	nameplateKeys = "maker model serial power_kw speed_min speed_max support redundancy lubricant"
	originKeys    = " source author date"
	bearingKeys   = "position designation rollers pitch_mm diameter_mm angle_deg bpfo bpfi bsf ftf" + originKeys
	gearKeys      = "stage pinion wheel" + originKeys
	sensorKeys    = "tag mounting direction calibrated"
	spareKeys     = "part number stock lead_days place"
	drawingKeys   = "title number link"
	limitKeys     = "tag kind value deadband delay modes priority basis" + originKeys
)

// InventoryTemplate is an inventory to begin with: its columns and a row of each
// record.
func InventoryTemplate() string {
	rows := []map[string]string{
		{"record": "asset", "path": "WAT/CW/P1", "number": "20-P-0101", "name": "Cooling-water pump 1", "class": "water-pump", "criticality": "A", "maker": "Weir", "model": "SDB 350", "serial": "8871",
			"power_kw": "450", "speed_min": "980", "speed_max": "990", "support": "rigid", "redundancy": "3x50", "lubricant": "ISO VG 68, ring oiled", "source": "nameplate", "author": "A. Khan", "date": "2026-03-31"},
		{"record": "bearing", "path": "WAT/CW/P1", "position": "DE", "designation": "6205", "rollers": "9", "pitch_mm": "39.04", "diameter_mm": "7.94",
			"source": "drawing", "author": "A. Khan", "date": "2026-03-31"},
		{"record": "bearing", "path": "WAT/CW/P1", "position": "motor DE", "bpfo": "3.585", "bpfi": "5.415", "bsf": "2.357", "ftf": "0.398",
			"source": "maker", "author": "A. Khan", "date": "2026-03-31"},
		{"record": "bearing", "path": "WAT/CW/P1", "position": "motor NDE", "source": "unknown"},
		{"record": "gear", "path": "WAT/CW/P1", "stage": "1", "pinion": "23", "wheel": "71", "source": "drawing", "author": "A. Khan", "date": "2026-03-31"},
		{"record": "sensor", "path": "WAT/CW/P1", "tag": "VIB_H", "mounting": "stud", "direction": "H", "calibrated": "2026-03-31"},
		{"record": "spare", "path": "WAT/CW/P1", "part": "bearing DE", "number": "M-104711", "stock": "2", "lead_days": "60", "place": "store 3"},
		{"record": "drawing", "path": "WAT/CW/P1", "title": "sectional drawing", "number": "CW-2-0815", "link": "http://drawings.plant/CW-2-0815.pdf"},
		{"record": "limit", "path": "WAT/CW/P1", "tag": "BRG_T_DE", "kind": "high", "value": "80", "deadband": "2", "delay": "30s", "priority": "2", "basis": "rolling bearing housing, warning",
			"source": "judgement", "author": "A. Khan", "date": "2026-03-31"},
	}
	var b strings.Builder
	line := func(cell func(column) string) {
		for i, c := range inventoryColumns() {
			if i > 0 {
				b.WriteByte(',')
			}
			text := cell(c)
			if strings.Contains(text, ",") {
				text = `"` + text + `"`
			}
			b.WriteString(text)
		}
		b.WriteByte('\n')
	}
	line(func(c column) string { return c.name })
	for _, r := range rows {
		line(func(c column) string { return r[c.name] })
	}
	return b.String()
}

// Imported is what an import makes.
type Imported struct {
	Text   string // the asset file
	Assets int    // that the inventory names
	Added  int    // records that the file did not have
}

// ImportInventory makes an asset file of an inventory, a CSV file with a row for
// each asset, each of its parts and each limit (see InventoryTemplate). With a base,
// an asset file as text, the records go into it: what stands there stays as it
// is, comments too, and a record that says something else than the base is a
// fault. The error is Faults, all of the file.
func ImportInventory(name, src, baseName, base string, classes Library) (Imported, error) {
	var faults Faults
	i := &inventory{name: name, faults: &faults, base: baseName, open: map[string]*entry{}, library: func() Library { return classes }}
	i.read(src, base)
	if err := faults.err(); err != nil {
		return Imported{}, err
	}
	text := i.write(base)
	// What nobody could read again is not written.
	readAssets([]source{{cmp.Or(baseName, name), text}}, nil, unseen, i.library, &faults)
	if err := faults.err(); err != nil {
		return Imported{}, errors.Join(errors.New("the inventory makes an asset file that cannot be read"), err)
	}
	return Imported{Text: text, Assets: i.named, Added: i.added}, nil
}

// inventory is an import on its way.
type inventory struct {
	name, base string
	faults     *Faults
	lines      map[string]int // of the base
	open       map[string]*entry
	library    func() Library
	order      []*entry // assets of the inventory that the base does not have
	named      int
	added      int
}

// limitKey is what an asset has one limit of.
type limitKey struct {
	tag  string
	kind plant.LimitKind
}

// entry is an asset of the base or the inventory.
type entry struct {
	assetTable
	at    int              // index in the base, -1 where it is new
	raw   map[string]any   // as the base has it
	row   bool             // the inventory has a row of record asset
	limit map[limitKey]int // of asset.Limits
	parts map[string]int   // index of each of the others, by "bearing DE"
	fresh []string         // sections to write
}

func (i *inventory) read(src, base string) {
	if base != "" {
		assets := readAssets([]source{{i.base, base}}, nil, unseen, i.library, i.faults)
		if len(*i.faults) > 0 {
			return
		}
		root := parse(i.base, base, i.faults)
		for n, t := range root.tables("asset") {
			l := &entry{at: n, raw: t.m}
			l.asset = assets[n]
			i.open[l.asset.Path] = l
		}
		i.lines = root.lines
	}
	rows := readSheet(i.name, src, inventoryColumns(), i.faults)
	if len(rows) == 0 && len(*i.faults) == 0 {
		i.faults.add(i.name, 1, "", "has no rows below the header")
	}
	paths := make([]string, len(rows))
	records := make([]string, len(rows))
	for n, t := range rows {
		if record, ok := t.m["record"].(string); ok {
			t.m["record"] = strings.ToLower(record)
		}
		records[n] = t.oneOf("record", "", inventoryRecords()...)
		if records[n] == "" && !t.has("record") {
			t.fault("record", "is missing, allowed are %s", strings.Join(inventoryRecords(), ", "))
		}
		paths[n] = t.need("path", "HSM/FM/F3/GBX")
		delete(t.m, "record")
		delete(t.m, "path")
	}
	for n, t := range rows { // assets first, wherever they stand
		if records[n] == "asset" && paths[n] != "" {
			i.asset(t, paths[n])
		}
	}
	seen := map[string]bool{}
	for n, t := range rows {
		if records[n] == "asset" || records[n] == "" || paths[n] == "" {
			continue
		}
		l, ok := i.open[paths[n]]
		if !ok {
			t.fault("path", "%s has no row of record asset%s", paths[n], i.orBase())
			continue
		}
		if !seen[paths[n]] && !l.row {
			i.named++
		}
		seen[paths[n]] = true
		switch records[n] {
		case "bearing":
			inventoryPart(i, t, l, partOf[plant.Bearing]{"bearing", bearingKeys, "position", &l.asset.Bearings, (*assetTable).bearing, func(b plant.Bearing) string { return b.Position }})
		case "gear":
			inventoryPart(i, t, l, partOf[plant.Gear]{"gear", gearKeys, "stage", &l.asset.Gears, (*assetTable).gear, func(g plant.Gear) string { return g.Stage }})
		case "sensor":
			t.below(l.asset.Path)
			inventoryPart(i, t, l, partOf[plant.Mount]{"sensor", sensorKeys, "tag", &l.asset.Sensors, (*assetTable).sensor, func(m plant.Mount) string { return m.Tag }})
		case "spare":
			inventoryPart(i, t, l, partOf[plant.Spare]{"spare", spareKeys, "part", &l.asset.Spares, (*assetTable).spare, spareKey})
		case "drawing":
			inventoryPart(i, t, l, partOf[plant.Drawing]{"drawing", drawingKeys, "title", &l.asset.Drawings, (*assetTable).drawing, func(d plant.Drawing) string { return d.Title }})
		case "limit":
			i.limit(t, l)
		}
	}
}

func (i *inventory) orBase() string {
	if i.base == "" {
		return ""
	}
	return " and is not in " + i.base
}

// part is a table of some keys of a row, which has them no longer.
func part(t *table, keys string) *table {
	out := &table{document: t.document, m: map[string]any{}}
	for _, k := range strings.Fields(keys) {
		if v, ok := t.m[k]; ok {
			out.m[k] = v
			delete(t.m, k)
		}
	}
	return out
}

// rest are the cells that no record of the row's kind has.
func rest(t *table, record string) {
	for _, k := range slices.Sorted(maps.Keys(t.m)) {
		t.fault(k, "has no use in a row of record %s", record)
	}
}

func (i *inventory) asset(t *table, path string) {
	plate := part(t, nameplateKeys)
	if len(plate.m) > 0 {
		maps.Copy(plate.m, part(t, originKeys).m)
	}
	head := part(t, assetKeys)
	for _, k := range strings.Fields(originKeys) { // left over where no nameplate took them
		if t.has(k) {
			t.fault(k, "has no use in a row of record asset without a nameplate: fill in maker, power_kw or another of its columns, or leave it empty")
			delete(t.m, k)
		}
	}
	rest(t, "asset")
	l := i.open[path]
	switch {
	case l != nil && l.row:
		t.fault("path", "%s has a row of record asset already", path)
		return
	case l == nil:
		l = &entry{at: -1}
		l.asset.Path = path
		i.open[path] = l
		i.order = append(i.order, l)
	}
	l.row = true
	i.named++
	if l.at >= 0 {
		i.sameHead(head, l)
	} else {
		i.newHead(head, l)
	}
	if len(plate.m) == 0 {
		return
	}
	section := tomlSection("[asset.nameplate]", plate, nameplateKeys+originKeys)
	n := plate.nameplate()
	switch {
	case l.asset.Nameplate == nil:
		l.asset.Nameplate = n
		i.add(l, section)
	case !reflect.DeepEqual(l.asset.Nameplate, n):
		i.differs(t, "path", l, "nameplate")
	}
}

func (i *inventory) newHead(head *table, l *entry) {
	text := tomlSection("[[asset]]\npath = "+tomlText(l.asset.Path), head, assetKeys)
	m := maps.Clone(head.m)
	m["path"] = l.asset.Path
	check := assetTable{table: &table{document: head.document, m: m}, scope: unseen, library: i.library}
	check.read()
	l.asset = check.asset
	i.add(l, text)
}

// sameHead checks what a row says of an asset that the base has.
func (i *inventory) sameHead(head *table, l *entry) {
	for _, k := range strings.Fields(assetKeys) {
		v, said := head.m[k].(string)
		have, _ := l.raw[k].(string)
		if !said || v == have || k == "mode_tag" && l.asset.ModeTag == l.asset.Path+"/"+v {
			continue
		}
		where := i.base
		if n, ok := i.lines[index("asset", l.at)+"."+k]; ok {
			where += ":" + strconv.Itoa(n)
		}
		head.fault(k, "%q, %s has %q: change it there, or leave the cell empty", v, where, have)
	}
}

// inventoryRecords are what a row may be of.
func inventoryRecords() []string {
	return []string{"asset", "bearing", "gear", "sensor", "spare", "drawing", "limit"}
}

// partOf is how a kind of part of an asset is read and told apart.
type partOf[P any] struct {
	record, keys, column string
	have                 *[]P
	read                 func(*assetTable, *table) P
	key                  func(P) string
}

func inventoryPart[P any](i *inventory, t *table, l *entry, o partOf[P]) {
	m := part(t, o.keys)
	rest(t, o.record)
	section := tomlSection("[[asset."+o.record+"]]", m, o.keys)
	p := o.read(&assetTable{table: m, asset: l.asset, scope: unseen}, m)
	if len(*o.have) == mostParts {
		m.fault(o.column, "%s", tooMany)
		return
	}
	l.index()
	key := o.record + " " + o.key(p)
	n, ok := l.parts[key]
	switch {
	case !ok:
		l.parts[key] = len(*o.have)
		*o.have = append(*o.have, p)
		i.add(l, section)
	case !reflect.DeepEqual((*o.have)[n], p):
		i.differs(m, o.column, l, index(o.record, n))
	}
}

func (i *inventory) limit(t *table, l *entry) {
	m := part(t, limitKeys)
	rest(t, "limit")
	m.below(l.asset.Path)
	section := tomlSection("[[asset.limit]]", m, limitKeys)
	reader := assetTable{table: m, asset: l.asset, scope: unseen}
	reader.asset.Limits = nil // the second one is judged here
	x := reader.limit(m)
	m.signed(x.Origin)
	if l.limit == nil {
		l.limit = map[limitKey]int{}
		for n, o := range l.asset.Limits {
			l.limit[limitKey{o.Tag, o.Kind}] = n
		}
	}
	if n, ok := l.limit[limitKey{x.Tag, x.Kind}]; ok {
		if !reflect.DeepEqual(l.asset.Limits[n], x) {
			i.differs(m, "tag", l, index("limit", n))
		}
		return
	}
	if kind, sign := partner(x.Kind); kind != "" {
		if n, ok := l.limit[limitKey{x.Tag, kind}]; ok && (x.Value-l.asset.Limits[n].Value)*sign <= 0 {
			m.fault("value", "%v does not go with the %s limit %v of the same tag", x.Value, kind, l.asset.Limits[n].Value)
		}
	}
	l.limit[limitKey{x.Tag, x.Kind}] = len(l.asset.Limits)
	l.asset.Limits = append(l.asset.Limits, x)
	i.add(l, section)
}

// index finds the parts that the base has, once.
func (l *entry) index() {
	if l.parts != nil {
		return
	}
	l.parts = map[string]int{}
	a := &l.asset
	for n, p := range a.Bearings {
		l.parts["bearing "+p.Position] = n
	}
	for n, p := range a.Gears {
		l.parts["gear "+p.Stage] = n
	}
	for n, p := range a.Sensors {
		l.parts["sensor "+p.Tag] = n
	}
	for n, p := range a.Spares {
		l.parts["spare "+spareKey(p)] = n
	}
	for n, p := range a.Drawings {
		l.parts["drawing "+p.Title] = n
	}
}

// below takes the path of the asset from the name of a tag.
func (t *table) below(asset string) {
	if tag, ok := t.m["tag"].(string); ok {
		t.m["tag"] = strings.TrimPrefix(tag, asset+"/")
	}
}

// differs says that a record says something else than one before it.
func (i *inventory) differs(t *table, column string, l *entry, key string) {
	line, inBase := i.lines[index("asset", l.at)+"."+key]
	if l.at < 0 || !inBase {
		t.fault(column, "the inventory has this record already and says something else of it")
		return
	}
	t.fault(column, "%s:%d says something else of it: change it there, or leave the row out", i.base, line)
}

func (i *inventory) add(l *entry, section string) {
	l.fresh = append(l.fresh, section)
	i.added++
}

// write puts new sections at the end of the asset that they belong to.
func (i *inventory) write(base string) string {
	end := "\n"
	if strings.Contains(base, "\r\n") {
		end = "\r\n"
	}
	lines := strings.Split(strings.TrimRight(base, "\r\n"), "\n")
	after := map[int][]string{} // by number of lines before
	for _, l := range i.open {
		if l.at >= 0 && len(l.fresh) > 0 {
			last, ok := i.lines[index("asset", l.at+1)]
			if !ok {
				last = len(lines) + 1
			}
			n := last - 1
			for n > 0 && idle(lines[n-1]) { // the comment above the next asset is its own
				n--
			}
			after[n] = l.fresh
		}
	}
	var b strings.Builder
	section := func(s string) {
		if b.Len() > 0 {
			b.WriteString(end)
		}
		b.WriteString(strings.ReplaceAll(s, "\n", end))
	}
	if base != "" {
		for n, line := range lines {
			b.WriteString(strings.TrimSuffix(line, "\r") + end)
			for _, s := range after[n+1] {
				section(s)
			}
		}
	}
	for _, l := range i.order {
		for _, s := range l.fresh {
			section(s)
		}
	}
	return b.String()
}

func idle(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#'
}

// tomlSection writes the keys that the row has below a header.
func tomlSection(head string, t *table, keys string) string {
	var b strings.Builder
	b.WriteString(head + "\n")
	for _, k := range strings.Fields(keys) {
		v, ok := t.m[k]
		if !ok {
			continue
		}
		b.WriteString(k + " = ")
		switch v := v.(type) {
		case string:
			b.WriteString(tomlText(v))
		case int64:
			b.WriteString(strconv.FormatInt(v, 10))
		case float64:
			b.WriteString(tomlNumber(v))
		case []any:
			b.WriteByte('[')
			for i, e := range v {
				if i > 0 {
					b.WriteString(", ")
				}
				b.WriteString(tomlText(fmt.Sprint(e)))
			}
			b.WriteByte(']')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// tomlNumber writes a number without a dot where it is whole and short.
func tomlNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
