package simulator

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"millwright/plant"
	"millwright/simulator/ledger"
	"millwright/simulator/machine"
	"millwright/simulator/physics"
	"millwright/simulator/server"
)

// Truth is an entry of the ledger.
type Truth = ledger.Truth

// Mill is the simulated mill. It has no clock: Step moves it on.
type Mill struct {
	works    Works
	step     time.Duration
	steps    int64
	shop     *shop
	machines []machine.Machine
	channels []channel
	faults   []growing
	truth    []Truth

	points     []point
	burstEvery time.Duration
	nextBurst  time.Duration // plant time; -1 never
}

// growing is a fault in the mill and the severity that the ledger has of it.
type growing struct {
	Fault
	machine *machine.Fault // nil: of a sensor
	noted   float64
	begun   bool
}

const millStep = 50 * time.Millisecond

// minInterval is the shortest time on the clock between two values of a tag.
const minInterval = 20 * time.Millisecond

// NewMill starts a works that has been running for hours: warm, between two
// coils, the converter in a blow. Speed is plant time over clock time; it decides
// how often tags are scanned, so that no tag has more than 50 values a second.
func NewMill(w Works, seed uint64, speed float64) (*Mill, error) {
	return newMill(w, seed, speed, millStep)
}

func newMill(w Works, seed uint64, speed float64, step time.Duration) (*Mill, error) {
	m := &Mill{works: w, step: step, shop: newShop(seed, w.Setting)}
	m.machines = w.machines(m.shop)
	m.warm()
	if err := m.wire(seed, speed); err != nil {
		return nil, err
	}
	return m, nil
}

// warm brings the machines to the temperatures of steady production.
func (m *Mill) warm() {
	s := m.shop
	if s.strip != nil {
		s.strip.Steady = true
	}
	ready := func(i int) bool {
		return i >= 4*3600 && (s.heats == nil || s.heats.Mode == "blow" && s.heats.Blown > 30)
	}
	for i := 0; !ready(i); i++ {
		for _, p := range s.parts {
			p.Step(1)
		}
		for _, mc := range m.machines {
			mc.Step(1)
		}
	}
	if s.strip != nil {
		s.strip.Begin()
	}
}

// wire connects sensors to tags.
func (m *Mill) wire(seed uint64, speed float64) error {
	byPath := make(map[string]int, len(m.works.Tags))
	for i, t := range m.works.Tags {
		byPath[t.Path] = i
	}
	connect := func(path string, s machine.Sensor) error {
		i, ok := byPath[path]
		if !ok {
			return fmt.Errorf("simulator: the sensor %s has no tag", path)
		}
		delete(byPath, path)
		tag := &m.works.Tags[i]
		every := max(s.Every, time.Duration(speed*float64(minInterval)))
		c := channel{Sensor: s, path: path, asset: tag.Asset, variable: i, low: tag.Low, high: tag.High, resolution: tag.Resolution,
			rng: physics.Stream(seed, path), stride: int(math.Ceil(float64(every) / float64(m.step)))}
		if s.Tau > 0 {
			c.keep = math.Exp(-m.step.Seconds() / s.Tau)
		}
		m.channels = append(m.channels, c)
		return nil
	}
	var errs []error
	for _, s := range m.shop.sensors() {
		if _, wanted := byPath[s.Name]; wanted {
			errs = append(errs, connect(s.Name, s))
		}
	}
	for _, mc := range m.machines {
		for _, s := range mc.Sensors() {
			errs = append(errs, connect(mc.Path()+"/"+s.Name, s))
		}
	}
	m.addPoints(speed, byPath)
	for path := range byPath {
		errs = append(errs, fmt.Errorf("simulator: the tag %s has no sensor", path))
	}
	return errors.Join(errs...)
}

// Tags are the mill's tags. Their indices are those of the variables.
func (m *Mill) Tags() []plant.Tag { return m.works.Tags }

// Variables are the tags as variables of an OPC UA server.
func (m *Mill) Variables() []server.Variable { return variables(m.works.Tags) }

func variables(tags []plant.Tag) []server.Variable {
	out := make([]server.Variable, len(tags))
	for i, t := range tags {
		out[i] = server.Variable{Path: t.Path, Kind: t.Kind, Unit: t.Unit, Description: t.Description,
			Low: t.Low, High: t.High, Resolution: t.Resolution}
	}
	return out
}

// Now is the plant time since the start.
func (m *Mill) Now() time.Duration { return time.Duration(m.steps) * m.step }

// StepTime is the plant time of a step.
func (m *Mill) StepTime() time.Duration { return m.step }

// Inject adds a fault. One whose offset has passed begins now.
func (m *Mill) Inject(f Fault) error {
	if err := m.check(f); err != nil {
		return err
	}
	f.Offset = max(f.Offset, m.Now())
	m.faults = append(m.faults, growing{Fault: f, machine: m.fault(&f)})
	return nil
}

// check reads only what never changes.
func (m *Mill) check(f Fault) error {
	if _, err := f.kind(); err != nil {
		return fmt.Errorf("fault %s: %w", f, err)
	}
	if !(f.Severity > 0 && f.Severity <= 1) {
		return fmt.Errorf("fault %s: severity %v, allowed is a number above 0, at most 1", f, f.Severity)
	}
	if f.Tag == "" && m.fault(&f) == nil {
		return fmt.Errorf("fault %s: this works has no asset %s, its machines are %s", f, f.Asset, m.paths())
	}
	if f.Tag != "" && m.channel(f.Tag) == nil {
		return fmt.Errorf("fault %s: %s is no measured tag of %s, allowed are %s", f, f.Tag, f.Asset, m.measured(f.Asset))
	}
	return nil
}

// Repair takes all faults from an asset and its sensors.
func (m *Mill) Repair(asset string) {
	kept := m.faults[:0]
	for _, f := range m.faults {
		if f.Asset != asset {
			kept = append(kept, f)
			continue
		}
		m.apply(&f, 0)
		if f.begun {
			m.note(&f, 0)
		}
	}
	m.faults = kept
}

// paths are those of the machines.
func (m *Mill) paths() string {
	var paths []string
	for _, mc := range m.machines {
		paths = append(paths, mc.Path())
	}
	return strings.Join(paths, ", ")
}

// channel finds the channel of a numeric tag.
func (m *Mill) channel(path string) *channel {
	for i := range m.channels {
		if c := &m.channels[i]; c.path == path && c.Value != nil {
			return c
		}
	}
	return nil
}

func (m *Mill) measured(asset string) string {
	var names []string
	for i := range m.channels {
		if name, ok := strings.CutPrefix(m.channels[i].path, asset+"/"); ok && m.channels[i].Value != nil {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// Step moves the mill on by StepTime.
func (m *Mill) Step() {
	dt := m.step.Seconds()
	m.grow()
	m.shop.step(m.Now().Seconds(), dt)
	for _, mc := range m.machines {
		mc.Step(dt)
	}
	for i := range m.channels {
		m.channels[i].follow()
	}
	m.steps++
}

// grow sets the severities of all faults for the step. Of two faults of one
// kind the worse one counts.
func (m *Mill) grow() {
	now := m.Now()
	for i := range m.faults {
		m.apply(&m.faults[i], 0)
	}
	for i := range m.faults {
		f := &m.faults[i]
		s := f.At(now)
		for j := range m.faults {
			if o := &m.faults[j]; o.Asset == f.Asset && o.Name == f.Name && o.Tag == f.Tag {
				s = math.Max(s, o.At(now))
			}
		}
		m.apply(f, s)
		own := f.At(now)
		if own > 0 && (!f.begun || math.Abs(own-f.noted) >= 0.05 || own == f.Severity && own != f.noted) {
			m.note(f, own)
		}
	}
}

func (m *Mill) apply(f *growing, s float64) {
	if c := m.channel(f.Tag); f.Tag != "" && c != nil {
		switch f.Name {
		case "drift":
			c.drift = s
		case "stuck":
			c.stuck = s
		case "spike":
			c.spike = s
		case "dropout":
			c.dropout = s
		}
		return
	}
	if mf := f.machine; mf != nil {
		mf.Severity = s
		if mf.Course == machine.Shedding && s > 0 {
			mf.Lumps, _ = f.sheds(m.Now())
		}
	}
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

// note puts a change of severity into the ledger.
func (m *Mill) note(f *growing, s float64) {
	f.begun, f.noted = true, s
	m.truth = append(m.truth, Truth{PlantTime: m.Now(), Asset: f.Asset, Fault: f.label(), Severity: math.Round(s*1e4) / 1e4})
}

// Values appends what the scans of this step have to say to dst. The values
// carry no time.
func (m *Mill) Values(dst []server.Value) []server.Value {
	for i := range m.channels {
		c := &m.channels[i]
		if (m.steps-1)%int64(c.stride) != 0 {
			continue
		}
		if v, ok := c.scan(float64(c.stride) * m.step.Seconds()); ok {
			dst = append(dst, v)
		}
	}
	return dst
}

// Truth appends the changes of severity since the last call to dst. They carry
// no wall time.
func (m *Mill) Truth(dst []Truth) []Truth {
	dst = append(dst, m.truth...)
	m.truth = m.truth[:0]
	return dst
}
