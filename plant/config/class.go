package config

import (
	"cmp"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	configs "millwright/firmware-configs"
	"millwright/plant"
)

// Machine is the class of an asset that names none. Nothing is known of it.
const Machine = "machine"

// Library is the classes of assets by name.
type Library []plant.AssetClass

// Classes is the library that ships, firmware-configs/classes, with the class
// files of a plant's own. Where both have a class of one name the plant's stands,
// also in what includes it. The error is Faults, all of all files.
func Classes(own ...string) (Library, error) {
	var faults Faults
	var read []source
	for _, file := range own {
		b, err := ReadFile(file)
		if err != nil {
			faults.add(file, 0, "", "%v", err)
			continue
		}
		read = append(read, source{file, string(b)})
	}
	l := readLibrary(configs.Classes, "classes", read, &faults)
	return l, faults.err()
}

// library is the library of a process that names class files of its own. It is
// read when somebody asks: thirty files, and many assets are of no class.
func library(own []source, faults *Faults) func() Library {
	return sync.OnceValue(func() Library { return readLibrary(configs.Classes, "classes", own, faults) })
}

// Find is the class of that name, also by another of its names and whatever the
// case, blanks and hyphens; nil where there is none.
func (l Library) Find(name string) *plant.AssetClass {
	name = className(name)
	for i := range l {
		if l[i].Name == name || slices.Contains(l[i].Also, name) {
			return &l[i]
		}
	}
	return nil
}

// near are the names most like one that the library does not have.
func (l Library) near(name string) []string {
	name = className(name)
	type like struct {
		name string
		far  int
	}
	var all []like
	for _, c := range l {
		for _, n := range append([]string{c.Name}, c.Also...) {
			far := distance(name, n)
			if len(name) > 2 && (strings.Contains(n, name) || strings.Contains(name, n)) {
				far = min(far, 1)
			}
			if far <= 1+len(n)/3 {
				all = append(all, like{n, far})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b like) int { return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.name, b.name)) })
	var out []string
	for _, a := range all[:min(len(all), 4)] {
		out = append(out, a.name)
	}
	return out
}

func className(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ' ' || r == '-' || r == '_' }), "-")
}

// distance is how many letters must be put in, left out or changed to make b of
// a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0] // of the row above, one to the left
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// readLibrary reads every class file of a folder, and a plant's own, which stand
// for those of the same name.
func readLibrary(from fs.FS, dir string, own []source, faults *Faults) Library {
	var read []*classTable
	has := func(list []*classTable, name string) bool {
		return slices.ContainsFunc(list, func(o *classTable) bool { return o.class.Name == name })
	}
	for _, s := range own {
		c := readClass(s.name, s.text, faults)
		switch {
		case c == nil:
		case has(read, c.class.Name):
			faults.add(s.name, 1, "", "two files are called %s.toml, and a class has the name of its file", c.class.Name)
		default:
			read = append(read, c)
		}
	}
	plants := len(read)
	files, err := fs.Glob(from, path.Join(dir, "*.toml"))
	if err != nil || len(files) == 0 {
		faults.add(dir, 0, "", "holds no class: %v", err)
	}
	for _, file := range files {
		src, err := fs.ReadFile(from, file)
		if err != nil {
			faults.add(file, 0, "", "%v", err)
			continue
		}
		c := readClass(file, string(src), faults)
		if c != nil && !has(read[:plants], c.class.Name) {
			read = append(read, c)
		}
	}
	return resolve(read, faults)
}

// ParseClass reads one class file as text and checks it against the library,
// where a class of the same name gives way to it:
//
//	[class]          title, number, iso14224, vibration, also, includes, author, date
//	[[class.tag]]    name, unit, low, high, every, rate, kind, description
//	[[class.limit]]  tag, unit, kind, value, deadband, delay, priority, basis, source, author, date, group, support
//	[[class.mode]]   name, title, of, id, iso14224, from, to
//	[[class.mode.symptom]]  tag, sign, weight
//
// The class has the name of the file. A class that includes others has their
// tags, limits and modes too, but for those that it has itself. The error is
// Faults where the content is wrong.
func ParseClass(file, src string, library Library) (*plant.AssetClass, error) {
	var faults Faults
	c := readClass(file, src, &faults)
	if c == nil {
		return nil, faults.err()
	}
	read := []*classTable{c}
	for i := range library {
		if library[i].Name != c.class.Name {
			read = append(read, &classTable{class: library[i]})
		}
	}
	all := resolve(read, &faults)
	return all.Find(c.class.Name), faults.err()
}

// classTable is a class file before others are included.
type classTable struct {
	*table
	class    plant.AssetClass
	includes []string
}

func readClass(file, src string, faults *Faults) *classTable {
	root := parse(file, src, faults)
	if root == nil {
		return nil
	}
	defer root.close()
	t := root.table("class")
	if t == nil {
		if !root.has("class") {
			faults.add(file, 1, "", "describes no class, expected a section [class]")
		}
		return nil
	}
	c := &classTable{table: t}
	c.read(strings.TrimSuffix(path.Base(file), ".toml"))
	return c
}

func (t *classTable) read(name string) {
	defer t.close()
	c := &t.class
	c.Name = name
	if className(name) != name {
		t.faults.add(t.file, 1, "", "the file is called %q, allowed are small letters and hyphens, such as descaling-pump.toml", name)
	}
	c.Title = t.need("title", "Descaling pump")
	c.Number = t.text("number", "")
	c.Code = t.checked("iso14224", "", func(s string) error {
		if s == "none" {
			return nil
		}
		return codeOf(2)(s)
	})
	c.Vibration = t.need("vibration", "ISO 20816-3, or why none applies")
	t.includes = t.texts("includes")
	for _, other := range t.texts("also") {
		if className(other) != other {
			t.fault("also", "%q, allowed are small letters and hyphens", other)
		}
		c.Also = append(c.Also, other)
	}
	for _, m := range t.tables("tag") {
		c.Tags = append(c.Tags, m.template())
	}
	author, date := t.text("author", ""), t.checked("date", "", checkDate)
	for _, m := range t.tables("limit") {
		l := m.classLimit()
		l.Author, l.Date = cmp.Or(l.Author, author), cmp.Or(l.Date, date)
		if l.Author == "" || l.Date == "" {
			m.fault("author", "is missing: who says so and when, in author and date of the limit or of the class")
		}
		c.Limits = append(c.Limits, l)
	}
	for _, m := range t.tables("mode") {
		f := m.failureMode()
		if c.Mode(f.Name) != nil {
			m.fault("name", "%q is the name of two modes", f.Name)
		}
		c.Modes = append(c.Modes, f)
	}
}

func codeOf(letters int) func(string) error {
	return func(s string) error {
		if len(s) != letters || strings.ToUpper(s) != s {
			return fmt.Errorf("%q, allowed are %d capital letters of ISO 14224", s, letters)
		}
		return nil
	}
}

func (t *table) pattern(key, example string) string {
	p := t.need(key, example)
	if _, err := path.Match(p, ""); err != nil {
		t.fault(key, "%q is no pattern, allowed are names with * and ?", p)
		return ""
	}
	return p
}

func (t *table) template() plant.TagTemplate {
	defer t.close()
	out := plant.TagTemplate{
		Name: t.pattern("name", "BRG_T*"), Unit: t.text("unit", ""),
		Low: t.number("low", 0, -math.MaxFloat64, math.MaxFloat64), High: t.number("high", 0, -math.MaxFloat64, math.MaxFloat64),
		Every: t.duration("every", 0, time.Microsecond, 24*time.Hour), Rate: t.number("rate", 0, 1, 10e6),
		Kind: plant.Kind(t.oneOf("kind", string(plant.Analog), string(plant.Analog), string(plant.SetPoint), string(plant.Discrete),
			string(plant.Text), string(plant.Burst))),
		Description: t.need("description", "Bearing temperature"),
	}
	if t.has("low") != t.has("high") || t.has("low") && out.Low >= out.High {
		t.fault("high", "%v is not above low %v", out.High, out.Low)
	}
	if (out.Kind == plant.Burst) != (out.Rate > 0) {
		t.fault("rate", "goes with kind waveform and with no other")
	}
	return out
}

func (t *table) classLimit() plant.ClassLimit {
	defer t.close()
	out := plant.ClassLimit{
		Limit: plant.Limit{
			Tag: t.pattern("tag", "BRG_T*"), Kind: t.limitKind(), Value: t.number("value", 0, -math.MaxFloat64, math.MaxFloat64),
			Deadband: t.number("deadband", 0, 0, math.MaxFloat64), Delay: t.duration("delay", 0, 0, 24*time.Hour),
			Priority: int(t.integer("priority", 3, 1, 4)), Basis: t.need("basis", "rolling bearing housing, warning"), Origin: t.origin(),
		},
		Unit: t.need("unit", "°C"), Group: int(t.integer("group", 0, 1, 2)),
		Support: t.support(),
	}
	if !t.has("value") {
		t.fault("value", "is missing, for example value = 80")
	}
	if out.Kind == plant.LimitRate && out.Value <= 0 {
		t.fault("value", "%v, allowed is a rise per second above 0", out.Value)
	}
	if out.Source == "" {
		t.fault("source", "is missing: a default without its source is worth nothing")
	}
	return out
}

func (t *table) limitKind() plant.LimitKind {
	return plant.LimitKind(t.oneOf("kind", string(plant.LimitHigh), string(plant.LimitHigh), string(plant.LimitHighHigh),
		string(plant.LimitLow), string(plant.LimitLowLow), string(plant.LimitRate)))
}

func (t *table) support() plant.Support {
	return plant.Support(t.oneOf("support", "", string(plant.Rigid), string(plant.Flexible)))
}

// origin reads who says so.
func (t *table) origin() plant.Origin {
	return plant.Origin{
		Source: plant.Provenance(t.oneOf("source", "", plant.Provenances()...)),
		Author: t.text("author", ""),
		Date:   t.checked("date", "", checkDate),
	}
}

func checkDate(s string) error {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return fmt.Errorf("%q is no date, allowed is year-month-day such as 2026-03-31", s)
	}
	return nil
}

func (t *table) failureMode() plant.FailureMode {
	defer t.close()
	m := plant.FailureMode{
		Name: t.need("name", "cavitation"), Title: t.need("title", "Cavitation"), Of: t.text("of", ""), ID: t.text("id", ""),
		Code: t.checked("iso14224", "", codeOf(3)),
		From: t.duration("from", 0, 0, 10*365*24*time.Hour), To: t.duration("to", 0, 0, 10*365*24*time.Hour),
	}
	if className(m.Name) != m.Name {
		t.fault("name", "%q, allowed are small letters and hyphens", m.Name)
	}
	if m.From > m.To {
		t.fault("to", "%v is before from %v", m.To, m.From)
	}
	if m.Of != "" && !strings.HasPrefix(m.Name, m.Of+"-") {
		t.fault("name", "%q, a kind of %s is called %s-…", m.Name, m.Of, m.Of)
	}
	for _, s := range t.tables("symptom") {
		m.Symptoms = append(m.Symptoms, s.symptom())
	}
	if len(m.Symptoms) == 0 {
		t.fault("symptom", "is missing: a mode without symptoms is never found")
	}
	return m
}

func (t *table) symptom() plant.Symptom {
	defer t.close()
	s := plant.Symptom{
		Tag:    t.pattern("tag", "VIB_H*"),
		Sign:   plant.Sign(t.oneOf("sign", string(plant.SignUp), string(plant.SignUp), string(plant.SignDown), string(plant.SignNoisy), string(plant.SignFrozen))),
		Weight: t.number("weight", 1, 0, 100),
	}
	if t.has("weight") && s.Weight <= 0 {
		t.fault("weight", "%v, allowed is more than 0", s.Weight)
	}
	return s
}

// resolve puts into each class what it includes, and checks what one class
// says of another.
func resolve(read []*classTable, faults *Faults) Library {
	slices.SortFunc(read, func(a, b *classTable) int { return cmp.Compare(a.class.Name, b.class.Name) })
	byName := map[string]*classTable{}
	owner := map[string]string{} // every name → class
	for _, t := range read {
		byName[t.class.Name] = t
		owner[t.class.Name] = t.class.Name
	}
	for _, t := range read {
		for _, other := range t.class.Also {
			if who, taken := owner[other]; taken && t.table != nil {
				t.fault("also", "%q is a name of %s already", other, who)
			}
			owner[other] = t.class.Name
		}
	}
	var out Library
	for _, t := range read {
		c := t.class
		c.Tags, c.Limits, c.Modes = slices.Clone(c.Tags), slices.Clone(c.Limits), slices.Clone(c.Modes)
		t.include(&c, byName, []string{c.Name})
		for i := range c.Modes {
			if m := &c.Modes[i]; m.Of != "" && c.Mode(m.Of) == nil && t.table != nil {
				t.fault("mode", "%s is a kind of %q, which is no mode of the class or what it includes", m.Name, m.Of)
			}
		}
		out = append(out, c)
	}
	return out
}

// include adds to c what t includes; way are the classes on the way here.
func (t *classTable) include(c *plant.AssetClass, all map[string]*classTable, way []string) {
	for _, name := range t.includes {
		other, ok := all[name]
		switch {
		case !ok:
			if len(way) == 1 {
				t.fault("includes", "%q is no class", name)
			}
			continue
		case slices.Contains(way, name):
			t.fault("includes", "%s includes itself: %s", name, strings.Join(append(way, name), ", "))
			continue
		}
		for _, tag := range other.class.Tags {
			if !slices.ContainsFunc(c.Tags, func(o plant.TagTemplate) bool { return o.Name == tag.Name }) {
				c.Tags = append(c.Tags, tag)
			}
		}
		for _, l := range other.class.Limits {
			same := func(o plant.ClassLimit) bool {
				return o.Tag == l.Tag && o.Unit == l.Unit && o.Kind == l.Kind && o.Group == l.Group && o.Support == l.Support
			}
			if !slices.ContainsFunc(c.Limits, same) {
				c.Limits = append(c.Limits, l)
			}
		}
		for _, m := range other.class.Modes {
			if c.Mode(m.Name) == nil {
				c.Modes = append(c.Modes, m)
			}
		}
		other.include(c, all, append(slices.Clip(way), name))
	}
}
