package simulator

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"time"

	"millwright/plant"
	"millwright/simulator/machine"
	"millwright/simulator/physics"
	"millwright/simulator/wear"
)

// breaking is what is wrong with a mill, and what is going to be.
type breaking struct {
	seed    uint64
	faults  []growing
	planned []growing // in the order of their offsets where sorted
	due     []growing // that begin now
	repairs []Repair  // in the order of their times where sorted
	sorted  bool
	noted   map[label]*note

	meters []wear.Meter // of each machine
	usual  []wear.Duty  // what it carries in steady production
}

// growing is a fault in the mill.
type growing struct {
	Fault
	machine *machine.Fault // nil: of a sensor
	sensor  *float64       // the severity that the sensor knows, nil: of a machine
	damage  *wear.Damage   // of a natural fault, nil before its offset
	noted   *note          // nil before its offset
}

// label is how the ledger names a fault. Two faults of one label are one there:
// the machine is as bad as the worse of them.
type label struct{ asset, fault string }

// note is the severity that the ledger has of a fault.
type note struct {
	severity float64
	begun    bool
}

// Repair takes all faults from an asset and its sensors at a plant time, or those
// of one sensor. Hands that mend one thing spoil another now and then: with the
// probability Chance the repair leaves the fault Introduces.
type Repair struct {
	Asset      string
	Tag        string        // path, of the one sensor that is mended
	At         time.Duration // plant time since the start
	Introduces *Fault        // nil: none. Its Offset counts from the repair
	Chance     float64
}

// Inject adds a fault. One whose offset has passed begins now.
func (m *Mill) Inject(f Fault) error {
	if err := m.check(f); err != nil {
		return fmt.Errorf("fault %s: %w", f, err)
	}
	m.plan(m.growing(f))
	return nil
}

func (m *Mill) plan(g growing) {
	b := &m.breaking
	g.Offset = max(g.Offset, m.Now())
	if g.Offset == m.Now() { // a repair introduces one, and a million may be planned
		b.due = append(b.due, g)
		return
	}
	b.planned, b.sorted = append(b.planned, g), false
}

// sort brings what is planned into its order.
func (b *breaking) sort() {
	if b.sorted {
		return
	}
	slices.SortStableFunc(b.planned, func(x, y growing) int { return cmp.Compare(x.Offset, y.Offset) })
	slices.SortStableFunc(b.repairs, func(x, y Repair) int { return cmp.Compare(x.At, y.At) })
	b.sorted = true
}

// Repair takes all faults from an asset and its sensors. What is planned stays.
func (m *Mill) Repair(asset string) { m.repair(Repair{Asset: asset}) }

func (m *Mill) repair(r Repair) {
	b := &m.breaking
	kept := b.faults[:0]
	for _, f := range b.faults {
		if f.Asset != r.Asset || r.Tag != "" && r.Tag != f.Tag && r.Tag != f.With {
			kept = append(kept, f)
			continue
		}
		f.put(0, 0)
		if f.noted.begun {
			m.note(&f, 0)
		}
	}
	clear(b.faults[len(kept):])
	b.faults = kept
}

// PlanRepair has an asset repaired when its time comes.
func (m *Mill) PlanRepair(r Repair) error {
	if err := m.checkRepair(r); err != nil {
		return fmt.Errorf("repair of %s: %w", r.Asset, err)
	}
	b := &m.breaking
	r.At = max(r.At, m.Now())
	b.repairs, b.sorted = append(b.repairs, r), false
	return nil
}

// mend does what is planned for now.
func (m *Mill) mend() {
	b := &m.breaking
	b.sort()
	for len(b.repairs) > 0 && b.repairs[0].At <= m.Now() {
		r := b.repairs[0]
		b.repairs = b.repairs[1:]
		m.repair(r)
		if r.Introduces == nil || physics.Stream(b.seed, fmt.Sprint("repair ", r.Asset, r.At)).Float64() >= r.Chance {
			continue
		}
		f := *r.Introduces
		f.Offset += r.At
		m.plan(m.growing(f))
	}
}

// refusal says which part of a fault or repair is wrong, and what is allowed.
type refusal struct {
	key  string // as in the file of a scenario
	what string
}

func (r *refusal) Error() string { return r.what }

func refuse(key, format string, args ...any) error {
	return &refusal{key, fmt.Sprintf(format, args...)}
}

// check reads only what never changes.
func (m *Mill) check(f Fault) error {
	if f.Tag != "" {
		if err := m.checkSensor(f); err != nil {
			return err
		}
	} else if err := m.checkMachine(f); err != nil {
		return err
	}
	if !(f.Severity > 0 && f.Severity <= 1) {
		return refuse("severity", "severity %v, allowed is a number above 0, at most 1", f.Severity)
	}
	return nil
}

func (m *Mill) checkMachine(f Fault) error {
	if m.fault(&f) == nil {
		if names := m.breakable(f.Asset); names != "" {
			return refuse("fault", "%s has no fault %q, allowed are %s", f.Asset, f.Name, names)
		}
		return refuse("asset", "this works has no asset %s, its machines are %s", f.Asset, m.paths())
	}
	if f.Natural && f.Growth <= 0 {
		return refuse("over", "a natural fault needs the time that it takes")
	}
	return nil
}

func (m *Mill) checkSensor(f Fault) error {
	s, known := sensorFaultNamed(f.Name)
	switch {
	case !m.measures(f.Asset):
		return refuse("asset", "this works has no asset %s that is measured, its machines are %s", f.Asset, m.paths())
	case !known:
		return refuse("fault", "sensors have no fault %q, allowed are %s", f.Name, strings.Join(sensorFaultNames(), ", "))
	case f.Natural:
		return refuse("natural", "only faults of machines grow naturally")
	}
	c := m.channel(f.Tag)
	can, only := s.ofWaves()
	switch wave := m.point(f.Tag) != nil; {
	case c == nil && !wave:
		return refuse("tag", "%s is no measured tag of %s, allowed are %s", f.Tag, f.Asset, m.measured(f.Asset))
	case wave && !can:
		return refuse("fault", "waveforms have no %s, allowed are hum, saturation, loose-magnet, bias", f.Name)
	case only && !wave:
		return refuse("tag", "%s is no waveform, which %s is a fault of", f.Tag, f.Name)
	case wave:
		return nil
	}
	unit := c.unit
	scale, _ := otherUnit(unit)
	switch {
	case f.Name == "wrong-unit" && scale == 0:
		return refuse("tag", "%q has no other unit to be taken for, allowed are tags in °C, bar, mbar, mm/s, m³/h, kW and the like", unit)
	case f.Name != "swap" && f.With != "":
		return refuse("with", "%s concerns one sensor, allowed is with swap", f.Name)
	case f.Name == "swap" && (m.channel(f.With) == nil || f.With == f.Tag):
		return refuse("with", "%q is no other measured tag of %s, allowed are %s", f.With, f.Asset, m.measured(f.Asset))
	}
	return nil
}

func (m *Mill) checkRepair(r Repair) error {
	if !slices.ContainsFunc(m.works.Assets, func(a plant.Asset) bool { return a.Path == r.Asset }) {
		return refuse("asset", "this works has no asset %s, its machines are %s", r.Asset, m.paths())
	}
	if r.Tag != "" && m.channel(r.Tag) == nil && m.point(r.Tag) == nil {
		return refuse("tag", "%s is no measured tag of %s, allowed are %s", r.Tag, r.Asset, m.measured(r.Asset))
	}
	f := r.Introduces
	if f == nil {
		return nil
	}
	if f.Asset != r.Asset {
		return refuse("introduces", "a fault of %s, allowed is one of the asset itself", f.Asset)
	}
	if err := m.check(*f); err != nil {
		return refuse("introduces", "%v", err)
	}
	if !(r.Chance > 0 && r.Chance <= 1) {
		return refuse("chance", "chance %v, allowed is a number above 0, at most 1", r.Chance)
	}
	return nil
}

// growing connects a fault, which was checked, to what it breaks.
func (m *Mill) growing(f Fault) growing {
	g := growing{Fault: f}
	if f.Tag == "" {
		g.machine = m.fault(&f)
		g.course = g.machine.Course
		return g
	}
	s, _ := sensorFaultNamed(f.Name)
	g.course = sensorKinds()[s].Course
	switch c := m.channel(f.Tag); {
	case c == nil:
		p := m.point(f.Tag)
		if p.sick == nil {
			p.sick = &sick{}
		}
		g.sensor = &p.sick[s]
	case s == sensorSwap:
		g.sensor = c.swapWith(m.channel(f.With))
	default:
		g.sensor = c.ails(s)
	}
	return g
}

// breakable names the faults of a machine.
func (m *Mill) breakable(asset string) string {
	var names []string
	for _, mc := range m.machines {
		if mc.Path() != asset {
			continue
		}
		for _, mf := range mc.Faults() {
			names = append(names, mf.Name)
		}
		names = append(names, sensorFaultNames()...)
	}
	return strings.Join(names, ", ")
}

// measures reports whether an asset has a sensor.
func (m *Mill) measures(asset string) bool {
	return slices.ContainsFunc(m.channels, func(c channel) bool { return c.asset == asset && c.Value != nil }) ||
		slices.ContainsFunc(m.points, func(p point) bool { return strings.HasPrefix(p.path, asset+"/") })
}

// measured names the tags of an asset that have a sensor: numbers and waveforms.
func (m *Mill) measured(asset string) string {
	var names []string
	for i := range m.channels {
		if name, ok := strings.CutPrefix(m.channels[i].path, asset+"/"); ok && m.channels[i].Value != nil {
			names = append(names, name)
		}
	}
	for i := range m.points {
		if name, ok := strings.CutPrefix(m.points[i].path, asset+"/"); ok {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// point finds the accelerometer of a waveform's tag.
func (m *Mill) point(path string) *point {
	i := slices.IndexFunc(m.points, func(p point) bool { return p.path == path })
	if i < 0 {
		return nil
	}
	return &m.points[i]
}

// paths are those of the machines.
func (m *Mill) paths() string {
	var paths []string
	for _, mc := range m.machines {
		paths = append(paths, mc.Path())
	}
	return strings.Join(paths, ", ")
}

// fault finds the machine's own.
func (m *Mill) fault(f *Fault) *machine.Fault {
	for _, mc := range m.machines {
		if mc.Path() != f.Asset {
			continue
		}
		for _, mf := range mc.Faults() {
			if mf.Name == f.Name {
				return mf
			}
		}
	}
	return nil
}

// grow sets the severities of all faults for the step. Of two faults of one
// kind the worse one counts.
func (m *Mill) grow() {
	m.mend()
	b, now := &m.breaking, m.Now()
	b.sort()
	for len(b.planned) > 0 && b.planned[0].Offset <= now {
		b.begin(b.planned[0])
		b.planned = b.planned[1:]
	}
	for _, g := range b.due {
		b.begin(g)
	}
	b.due = b.due[:0]
	for i := range b.faults {
		b.faults[i].put(0, 0)
	}
	for i := range b.faults {
		f := &b.faults[i]
		f.put(f.now(now))
	}
	for i := range b.faults {
		f := &b.faults[i]
		s := f.severity()
		if n := f.noted; s > 0 && (!n.begun || math.Abs(s-n.severity) >= 0.05 || s == f.Severity && s != n.severity) {
			m.note(f, s)
		}
	}
}

// wear looks at what the machines carry, once a second of plant time, and moves
// natural faults on.
func (m *Mill) wear() {
	b, now := &m.breaking, m.Now()
	before := now - m.step
	if now/time.Second == before/time.Second {
		return
	}
	for i, mc := range m.machines {
		b.meters[i].Look(mc.Load())
	}
	if now/wear.Grid == before/wear.Grid {
		return
	}
	for i, mc := range m.machines {
		duty := b.meters[i].Take().Over(b.usual[i])
		for j := range b.faults {
			if f := &b.faults[j]; f.damage != nil && f.Asset == mc.Path() {
				f.damage.Grow(duty)
			}
		}
	}
}

func (b *breaking) begin(g growing) {
	g.start(b)
	b.faults = append(b.faults, g)
}

// start begins a fault: it has a line in the ledger from now on.
func (g *growing) start(b *breaking) {
	key := label{g.Asset, g.label()}
	if b.noted == nil {
		b.noted = map[label]*note{}
	}
	if b.noted[key] == nil {
		b.noted[key] = &note{}
	}
	g.noted = b.noted[key]
	if !g.Natural {
		return
	}
	h := fnv.New64a()
	fmt.Fprint(h, b.seed, g.Asset, g.Name, g.Offset)
	g.damage = wear.New(wear.Law{Course: g.course, Life: g.Growth, Most: g.Severity, Incubation: g.Incubation, Seed: h.Sum64()})
}

// now is the fault's own severity, and how many lumps have fallen.
func (g *growing) now(t time.Duration) (severity float64, lumps int) {
	if g.damage != nil {
		return g.damage.Severity, g.damage.Lumps
	}
	if g.course == machine.Shedding {
		lumps, _ = g.sheds(t)
	}
	return g.At(t), lumps
}

// put makes machine or sensor at least as bad as this; severity 0 heals it.
func (g *growing) put(severity float64, lumps int) {
	switch {
	case g.sensor != nil && (severity == 0 || severity > *g.sensor):
		*g.sensor = severity
	case g.machine != nil && (severity == 0 || severity > g.machine.Severity):
		g.machine.Severity, g.machine.Lumps = severity, lumps
	}
}

// severity is that of the machine or sensor, which may be another fault's of the
// same kind.
func (g *growing) severity() float64 {
	if g.sensor != nil {
		return *g.sensor
	}
	return g.machine.Severity
}

// note puts a change of severity into the ledger, where 0 stands for a repair.
func (m *Mill) note(f *growing, s float64) {
	*f.noted = note{s, s > 0}
	if s > 0 {
		s = math.Max(1e-4, math.Round(s*1e4)/1e4)
	}
	m.truth = append(m.truth, Truth{PlantTime: m.Now(), Asset: f.Asset, Fault: f.label(), Severity: s})
}
