package simulator

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"millwright/plant"
	"millwright/simulator/ledger"
	"millwright/simulator/machine"
	"millwright/simulator/physics"
	"millwright/simulator/server"
	"millwright/simulator/wear"
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
	numbers  map[string]int // channels by their paths, of what is measured

	points     []point
	burstEvery time.Duration
	nextBurst  time.Duration // plant time; -1 never

	byVariable []int // channels, -1 for waveforms
	breaking   breaking
	truth      []Truth
}

const millStep = 50 * time.Millisecond // at the speed of the clock

// stepAt is the step at a speed: the longest one between which no tag could be scanned
// anyway. All divide a second, so that scans stay in time.
func stepAt(speed float64) time.Duration {
	step := millStep
	for _, s := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, LongestStep} {
		if float64(s) <= speed*float64(minInterval) {
			step = s
		}
	}
	return step
}

// minInterval is the shortest time on the clock between two values of a tag.
const minInterval = 20 * time.Millisecond

// NewMill starts a works that has been running for hours: warm, between two
// coils, the converter in a blow. Speed is plant time over clock time; it decides
// how often tags are scanned, so that no tag has more than 50 values a second, and
// the step.
func NewMill(w Works, seed uint64, speed float64) (*Mill, error) {
	return newMill(w, seed, speed, stepAt(speed))
}

func newMill(w Works, seed uint64, speed float64, step time.Duration) (*Mill, error) {
	m, err := assemble(w, seed, speed, step)
	if err != nil {
		return nil, err
	}
	m.warm()
	return m, nil
}

// assemble makes a mill that is cold: enough to know what it has.
func assemble(w Works, seed uint64, speed float64, step time.Duration) (*Mill, error) {
	m := &Mill{works: w, step: step, shop: newShop(seed, w.Setting)}
	m.machines = w.machines(m.shop)
	m.breaking.seed = seed
	m.breaking.meters = make([]wear.Meter, len(m.machines))
	m.breaking.usual = make([]wear.Duty, len(m.machines))
	err := m.wire(seed, speed)
	m.Calibrate(seed)
	return m, err
}

// Calibrate draws the errors of all sensors anew. A mill has those of its seed; runs of
// several seeds are of the same instruments where each is calibrated with one of them.
func (m *Mill) Calibrate(seed uint64) {
	for i := range m.channels {
		c := &m.channels[i]
		c.calibrate(physics.Stream(seed, "calibration of "+c.path))
	}
}

// warm brings the machines to the temperatures of steady production, and learns
// what they usually carry.
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
		for k, mc := range m.machines {
			if _, shallow := mc.(*machine.Shallow); shallow { // those begin warm and have nothing that wears
				continue
			}
			mc.Step(1)
			m.breaking.meters[k].Look(mc.Load())
		}
	}
	for k := range m.machines {
		m.breaking.usual[k] = m.breaking.meters[k].Take()
	}
	if s.strip != nil {
		s.strip.Begin(s.seed)
	}
}

// wire connects sensors to tags.
func (m *Mill) wire(seed uint64, speed float64) error {
	m.byVariable = slices.Repeat([]int{-1}, len(m.works.Tags))
	m.numbers = make(map[string]int, len(m.works.Tags))
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
		c := channel{Sensor: s, path: path, asset: tag.Asset, unit: tag.Unit, variable: i, low: tag.Low, high: tag.High, resolution: tag.Resolution,
			rng: physics.Stream(seed, path), stride: int(math.Ceil(float64(every) / float64(m.step)))}
		if s.Tau > 0 {
			c.keep = math.Exp(-m.step.Seconds() / s.Tau)
		}
		m.byVariable[i] = len(m.channels)
		if s.Value != nil {
			m.numbers[path] = len(m.channels)
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
		if t.Kind == plant.Burst {
			out[i].Length = burstLength
		}
	}
	return out
}

// Now is the plant time since the start.
func (m *Mill) Now() time.Duration { return time.Duration(m.steps) * m.step }

// StepTime is the plant time of a step.
func (m *Mill) StepTime() time.Duration { return m.step }

// channel finds the channel of a numeric tag.
func (m *Mill) channel(path string) *channel {
	if i, ok := m.numbers[path]; ok {
		return &m.channels[i]
	}
	return nil
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
	m.wear()
}

// Values appends what the scans of this step have to say to dst. The values
// carry no time: see Stamp.
func (m *Mill) Values(dst []server.Value) []server.Value {
	for i := range m.channels {
		c := &m.channels[i]
		if (m.steps-1)%int64(c.stride) != 0 {
			continue
		}
		if v, ok := c.scan(m.Now().Seconds(), float64(c.stride)*m.step.Seconds()); ok {
			dst = append(dst, v)
		}
	}
	return dst
}

// Stamp gives values of this step the time that their sources' clocks show when it
// is now, ns UTC.
func (m *Mill) Stamp(vals []server.Value, now int64) {
	for i := range vals {
		v := &vals[i]
		v.Time = plant.Millis(now)
		if k := m.byVariable[v.Var]; k >= 0 && m.channels[k].ail != nil {
			v.Time = plant.Millis(m.channels[k].ail.time(now))
		}
	}
}

// Truth appends the changes of severity since the last call to dst. They carry
// no wall time.
func (m *Mill) Truth(dst []Truth) []Truth {
	dst = append(dst, m.truth...)
	m.truth = m.truth[:0]
	return dst
}
