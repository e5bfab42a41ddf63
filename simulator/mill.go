package simulator

import (
	"fmt"
	"math"
	"strings"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

// machine is one of the mill's assets.
type machine interface {
	path() string
	step(w *world, dt float64)
	fault(name string, severity float64)
	sensors() []sensor
}

// Mill is the simulated mill. It has no clock: Step moves it on.
type Mill struct {
	tags     []plant.Tag
	step     time.Duration
	steps    int64
	world    *world
	line     *line
	fan      *fan
	machines []machine
	channels []channel
	faults   []growing
	truth    []Truth
}

// growing is a fault in the mill and the severity that the ledger has of it.
type growing struct {
	Fault
	noted float64
	begun bool
}

const millStep = 50 * time.Millisecond

// minInterval is the shortest time on the clock between two values of a tag.
const minInterval = 20 * time.Millisecond

// NewMill starts a mill that has been running for hours: warm, between two
// coils, the converter in a blow. Speed is plant time over clock time; it decides
// how often tags are scanned, so that no tag has more than 50 values a second.
func NewMill(seed uint64, speed float64) (*Mill, error) { return newMill(seed, speed, millStep) }

func newMill(seed uint64, speed float64, step time.Duration) (*Mill, error) {
	tags, err := MillTags()
	if err != nil {
		return nil, err
	}
	m := &Mill{tags: tags, step: step, world: newWorld(seed), line: newLine(seed)}
	m.warm(seed)
	if err := m.wire(seed, speed); err != nil {
		return nil, err
	}
	return m, nil
}

// warm brings the machines to the temperatures of steady production.
func (m *Mill) warm(seed uint64) {
	warm := newLine(seed + 1)
	warm.steady, warm.coils = true, math.MaxInt
	g, p := newGearbox(seed, warm), newPump(seed, warm)
	for range 3 * 3600 {
		warm.step(1)
		g.step(m.world, 1)
		p.step(m.world, 1)
	}
	g.line, p.line = m.line, m.line
	m.line.speed = warm.speed
	m.fan = newFan(seed)
	for s := 0; s < 4*3600 || m.fan.mode != "blow" || m.fan.blown < 30; s++ {
		m.fan.step(m.world, 1)
	}
	m.machines = []machine{g, p, m.fan}
}

// wire connects sensors to tags.
func (m *Mill) wire(seed uint64, speed float64) error {
	all := m.world.sensors()
	for _, mc := range m.machines {
		all = append(all, mc.sensors()...)
	}
	byPath := make(map[string]int, len(m.tags))
	for i, t := range m.tags {
		byPath[t.Path] = i
	}
	for _, s := range all {
		i, ok := byPath[s.path]
		if !ok {
			return fmt.Errorf("simulator: the sensor %s has no tag", s.path)
		}
		delete(byPath, s.path)
		every := max(s.every, time.Duration(speed*float64(minInterval)))
		c := channel{sensor: s, variable: i, low: m.tags[i].Low, high: m.tags[i].High, resolution: m.tags[i].Resolution,
			rng: stream(seed, s.path), stride: int(math.Ceil(float64(every) / float64(m.step)))}
		if s.tau > 0 {
			c.keep = math.Exp(-m.step.Seconds() / s.tau)
		}
		m.channels = append(m.channels, c)
	}
	for path := range byPath {
		return fmt.Errorf("simulator: the tag %s has no sensor", path)
	}
	return nil
}

// Tags are the mill's tags. Their indices are those of the variables.
func (m *Mill) Tags() []plant.Tag { return m.tags }

// Variables are the tags as variables of an OPC UA server.
func (m *Mill) Variables() []server.Variable { return variables(m.tags) }

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
	m.faults = append(m.faults, growing{Fault: f})
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
		m.apply(&f.Fault, 0)
		if f.begun {
			m.note(&f, 0)
		}
	}
	m.faults = kept
}

// channel finds the channel of a numeric tag.
func (m *Mill) channel(path string) *channel {
	for i := range m.channels {
		if c := &m.channels[i]; c.path == path && c.value != nil {
			return c
		}
	}
	return nil
}

func (m *Mill) measured(asset string) string {
	var names []string
	for i := range m.channels {
		if name, ok := strings.CutPrefix(m.channels[i].path, asset+"/"); ok && m.channels[i].value != nil {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// Step moves the mill on by StepTime.
func (m *Mill) Step() {
	dt := m.step.Seconds()
	m.grow()
	m.world.step(m.Now().Seconds(), dt)
	m.line.step(dt)
	for _, mc := range m.machines {
		mc.step(m.world, dt)
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
		m.apply(&m.faults[i].Fault, 0)
	}
	for i := range m.faults {
		f := &m.faults[i]
		s := f.At(now)
		for j := range m.faults {
			if o := &m.faults[j]; o.Asset == f.Asset && o.Name == f.Name && o.Tag == f.Tag {
				s = math.Max(s, o.At(now))
			}
		}
		m.apply(&f.Fault, s)
		own := f.At(now)
		if own > 0 && (!f.begun || math.Abs(own-f.noted) >= 0.05 || own == f.Severity && own != f.noted) {
			m.note(f, own)
		}
	}
}

func (m *Mill) apply(f *Fault, s float64) {
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
	for _, mc := range m.machines {
		if mc.path() == f.Asset {
			mc.fault(f.Name, s)
		}
	}
	if f.Name == "dust" && s > 0 {
		n, _ := f.sheds(m.Now())
		m.fan.lump = 0.8 + 2.4*float64(n)
	}
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
