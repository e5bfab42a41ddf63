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
	planned []growing // in the order of their offsets
	repairs []Repair  // in the order of their times

	meters []wear.Meter // of each machine
	usual  []wear.Duty  // what it carries in steady production
}

// growing is a fault in the mill and the severity that the ledger has of it.
type growing struct {
	Fault
	machine *machine.Fault // nil: of a sensor
	sensor  *float64       // the severity that the sensor knows, nil: of a machine
	damage  *wear.Damage   // of a natural fault, nil before its offset
	noted   float64
	begun   bool
}

// Repair takes all faults from an asset and its sensors at a plant time. Hands
// that mend one thing spoil another now and then: with the probability Chance
// the repair leaves the fault Introduces.
type Repair struct {
	Asset      string
	At         time.Duration // plant time since the start
	Introduces *Fault        // nil: none. Its Offset counts from the repair
	Chance     float64
}

// Inject adds a fault. One whose offset has passed begins now.
func (m *Mill) Inject(f Fault) error {
	g, err := m.growing(f)
	if err != nil {
		return err
	}
	m.plan(g)
	return nil
}

func (m *Mill) plan(g growing) {
	b := &m.breaking
	g.Offset = max(g.Offset, m.Now())
	i, _ := slices.BinarySearchFunc(b.planned, g.Offset+1, func(p growing, at time.Duration) int { return cmp.Compare(p.Offset, at) })
	b.planned = slices.Insert(b.planned, i, g)
}

// Repair takes all faults from an asset and its sensors. What is planned stays.
func (m *Mill) Repair(asset string) {
	b := &m.breaking
	kept := b.faults[:0]
	for _, f := range b.faults {
		if f.Asset != asset {
			kept = append(kept, f)
			continue
		}
		f.put(0, 0)
		if f.begun {
			m.note(&f, 0)
		}
	}
	clear(b.faults[len(kept):])
	b.faults = kept
}

// PlanRepair has an asset repaired when its time comes.
func (m *Mill) PlanRepair(r Repair) error {
	if !slices.ContainsFunc(m.works.Assets, func(a plant.Asset) bool { return a.Path == r.Asset }) {
		return fmt.Errorf("repair of %s: this works has no such asset, its machines are %s", r.Asset, m.paths())
	}
	if f := r.Introduces; f != nil {
		if err := m.check(*f); err != nil {
			return fmt.Errorf("repair of %s: %w", r.Asset, err)
		}
		if f.Asset != r.Asset {
			return fmt.Errorf("repair of %s: introduces a fault of %s, allowed is one of the asset itself", r.Asset, f.Asset)
		}
		if !(r.Chance > 0 && r.Chance <= 1) {
			return fmt.Errorf("repair of %s: chance %v, allowed is a number above 0, at most 1", r.Asset, r.Chance)
		}
	}
	b := &m.breaking
	r.At = max(r.At, m.Now())
	i, _ := slices.BinarySearchFunc(b.repairs, r.At+1, func(p Repair, at time.Duration) int { return cmp.Compare(p.At, at) })
	b.repairs = slices.Insert(b.repairs, i, r)
	return nil
}

// mend does what is planned for now.
func (m *Mill) mend() {
	b := &m.breaking
	for len(b.repairs) > 0 && b.repairs[0].At <= m.Now() {
		r := b.repairs[0]
		b.repairs = b.repairs[1:]
		m.Repair(r.Asset)
		if r.Introduces == nil || physics.Stream(b.seed, fmt.Sprint("repair ", r.Asset, r.At)).Float64() >= r.Chance {
			continue
		}
		f := *r.Introduces
		f.Offset += r.At
		if g, err := m.growing(f); err == nil { // was checked when it was planned
			m.plan(g)
		}
	}
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
		return fmt.Errorf("fault %s: severity %v, allowed is a number above 0, at most 1", f, f.Severity)
	}
	return nil
}

func (m *Mill) checkMachine(f Fault) error {
	if m.fault(&f) == nil {
		if names := m.breakable(f.Asset); names != "" {
			return fmt.Errorf("fault %s: %s has no fault %q, allowed are %s", f, f.Asset, f.Name, names)
		}
		return fmt.Errorf("fault %s: this works has no asset %s, its machines are %s", f, f.Asset, m.paths())
	}
	if f.Natural && f.Growth <= 0 {
		return fmt.Errorf("fault %s: a natural fault needs the time that it takes", f)
	}
	return nil
}

func (m *Mill) checkSensor(f Fault) error {
	_, known := sensorFaultNamed(f.Name)
	switch {
	case m.measured(f.Asset) == "":
		return fmt.Errorf("fault %s: this works has no asset %s that is measured, its machines are %s", f, f.Asset, m.paths())
	case !known:
		return fmt.Errorf("fault %s: sensors have no fault %q, allowed are %s", f, f.Name, strings.Join(sensorFaultNames(), ", "))
	case f.Natural:
		return fmt.Errorf("fault %s: only faults of machines grow naturally", f)
	}
	for _, tag := range []string{f.Tag, f.With} {
		if tag != "" && m.channel(tag) == nil {
			return fmt.Errorf("fault %s: %s is no measured tag of %s, allowed are %s", f, tag, f.Asset, m.measured(f.Asset))
		}
	}
	c := m.channel(f.Tag)
	if scale, _ := otherUnit(c.unit); f.Name == "wrong-unit" && scale == 0 {
		return fmt.Errorf("fault %s: %q has no other unit to be taken for, allowed are tags in °C, bar, mbar, mm/s, m³/h, kW and the like", f, c.unit)
	}
	if f.Name == "swap" && (f.With == "" || f.With == f.Tag) {
		return fmt.Errorf("fault %s: needs two tags, allowed is swap=TAG,TAG", f)
	}
	return nil
}

// growing connects a fault to what it breaks.
func (m *Mill) growing(f Fault) (growing, error) {
	if err := m.check(f); err != nil {
		return growing{}, err
	}
	g := growing{Fault: f}
	if f.Tag == "" {
		g.machine = m.fault(&f)
		g.course = g.machine.Course
		return g, nil
	}
	c, s := m.channel(f.Tag), sensorFault(0)
	if s, _ = sensorFaultNamed(f.Name); s == sensorSwap {
		g.sensor = c.swapWith(m.channel(f.With))
	} else {
		g.sensor = c.ails(s)
	}
	return g, nil
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

// measured names the numeric tags of an asset.
func (m *Mill) measured(asset string) string {
	var names []string
	for i := range m.channels {
		if name, ok := strings.CutPrefix(m.channels[i].path, asset+"/"); ok && m.channels[i].Value != nil {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
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
	for len(b.planned) > 0 && b.planned[0].Offset <= now {
		b.planned[0].start(b.seed)
		b.faults = append(b.faults, b.planned[0])
		b.planned = b.planned[1:]
	}
	for i := range b.faults {
		b.faults[i].put(0, 0)
	}
	for i := range b.faults {
		f := &b.faults[i]
		s, lumps := f.now(now)
		f.put(s, lumps)
		if s > 0 && (!f.begun || math.Abs(s-f.noted) >= 0.05 || s == f.Severity && s != f.noted) {
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

// start begins a natural fault.
func (g *growing) start(seed uint64) {
	if !g.Natural {
		return
	}
	h := fnv.New64a()
	fmt.Fprint(h, seed, g.Asset, g.Name, g.Offset)
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

// note puts a change of severity into the ledger, where 0 stands for a repair.
func (m *Mill) note(f *growing, s float64) {
	f.begun, f.noted = true, s
	if s > 0 {
		s = math.Max(1e-4, math.Round(s*1e4)/1e4)
	}
	m.truth = append(m.truth, Truth{PlantTime: m.Now(), Asset: f.Asset, Fault: f.label(), Severity: s})
}
