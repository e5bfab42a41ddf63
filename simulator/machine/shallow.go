package machine

import (
	"math"
	"math/rand/v2"
	"slices"

	"millwright/plant"
	"millwright/simulator/physics"
	"millwright/simulator/production"
)

// Shallow is an asset of which no more is simulated than that its values move as
// those of its kind do: with the demand of its area, with weather and grid, each
// with inertia and a wander of its own. What is known of it is its entry in the
// asset file and its tags; it has no faults of its own.
//
// It moves once a second, whatever the step of the works.
type Shallow struct {
	asset    plant.Asset
	world    *production.World
	demand   *float64
	duty     Duty
	idles    bool // it turns without load where there is no demand, otherwise it stops
	rng      *rand.Rand
	motions  []motion
	passed   float64 // s since it moved
	period   float64 // s between two moves for which the motions are prepared
	begun    bool
	mode     string
	speed    float64 // of the rated one
	load     float64 // of the rated one
	sensors  []Sensor
	standing float64
}

// Duty is the turn that a machine takes with its siblings: of Of machines one
// stands by, each week another. Of below 2: it works alone.
type Duty struct {
	Member, Of int
	Phase      float64 // share of the week at plant time 0
}

// Modes of a shallow asset.
const (
	Running = "running"
	Idling  = "idle"
	Standby = "standby"
	Stopped = "stopped"
)

// drive says with what a value moves.
type drive uint8

const (
	fixed     drive = iota
	withSpeed       // 0 to 1
	withLoad        // 0.3 without demand to 1
	withHeat        // load squared
	withDemand
)

// air says which surroundings a value follows.
type air uint8

const (
	nowhere air = iota
	hall
	outdoors
	water
	sea
	volts
)

// motion is how one value moves: towards base + gain·drive + surroundings, with
// time constant tau, and a wander of standard deviation sigma around it.
type motion struct {
	base, gain float64
	drive      drive
	air        air
	tau        float64
	sigma      float64 // of the wander
	slow       float64 // s, correlation time of the wander
	factor     bool    // wander is a share of the value, and stops with it

	keep, rho, kick float64 // of a period
	settled, wander float64
	value           float64
}

// NewShallow stands where its area's demand has brought it. The tags are those
// of the asset that it shall move; texts other than MODE are not its own.
func NewShallow(seed uint64, w *production.World, demand *float64, d Duty, a plant.Asset, tags []plant.Tag) *Shallow {
	s := &Shallow{asset: a, world: w, demand: demand, duty: d, rng: physics.Stream(seed, "shallow "+a.Path)}
	s.idles = slices.ContainsFunc(a.Modes, func(m plant.Mode) bool { return m.Name == Idling })
	s.motions = make([]motion, 0, len(tags))
	for i := range tags {
		name := tags[i].Path[len(a.Path)+1:]
		if tags[i].Kind == plant.Text {
			s.sensors = append(s.sensors, Sensor{Name: name, Text: &s.mode, Every: Slow})
			continue
		}
		m, sensor := moves(&tags[i], name, s.rng)
		s.motions = append(s.motions, m)
		sensor.Name, sensor.Value, sensor.Every = name, &s.motions[len(s.motions)-1].value, Slow
		s.sensors = append(s.sensors, sensor)
	}
	return s
}

func (s *Shallow) Path() string { return s.asset.Path }

// Faults are none.
func (s *Shallow) Faults() []*Fault { return nil }

// Load is the share of the rated load and speed.
func (s *Shallow) Load() (load, speed float64) { return s.load, s.speed }

// Sensors are what the tags say.
func (s *Shallow) Sensors() []Sensor { return s.sensors }

func (s *Shallow) Step(dt float64) {
	s.passed += dt
	if s.passed < 1-1e-9 && s.begun {
		return
	}
	if s.passed != s.period {
		s.prepare(s.passed)
	}
	s.passed = 0
	s.turn()
	s.move()
	s.begun = true
}

// prepare reckons what a period leaves of lags and wanders.
func (s *Shallow) prepare(period float64) {
	s.period = period
	s.standing = math.Exp(-period / 8)
	for i := range s.motions {
		m := &s.motions[i]
		m.keep = 0
		if m.tau > 0 {
			m.keep = math.Exp(-period / m.tau)
		}
		m.rho = math.Exp(-period / m.slow)
		m.kick = m.sigma * math.Sqrt(1-m.rho*m.rho)
	}
}

// turn decides the mode. Criticality C is what stands while the grid sheds load.
func (s *Shallow) turn() {
	const week = 7 * 86_400
	d := *s.demand
	turns := 1.0
	switch {
	case s.world.Shed == 1 && s.asset.Criticality == "C":
		s.mode, turns = Stopped, 0
	case s.duty.Of > 1 && int(s.world.Time/week+s.duty.Phase)%s.duty.Of == s.duty.Member:
		s.mode, turns = Standby, 0
	case d > 0.05:
		s.mode = Running
	case s.idles:
		s.mode = Idling
	default:
		s.mode, turns = Stopped, 0
	}
	keep := s.standing
	if !s.begun {
		keep = 0
	}
	s.speed = turns + (s.speed-turns)*keep
	load := turns * (0.3 + 0.7*d)
	s.load = load + (s.load-load)*keep
}

func (s *Shallow) move() {
	w := s.world
	drives := [...]float64{fixed: 1, withSpeed: s.speed, withLoad: s.load, withHeat: s.load * s.load, withDemand: *s.demand * s.speed}
	airs := [...]float64{nowhere: 0, hall: w.Hall, outdoors: w.Out, water: w.Water, sea: w.Sea, volts: 0}
	for i := range s.motions {
		m := &s.motions[i]
		target := m.base + m.gain*drives[m.drive]
		if m.air == volts {
			target *= w.Volts
		} else {
			target += airs[m.air]
		}
		if !s.begun {
			m.settled = target
			m.wander = m.sigma * s.rng.NormFloat64()
		}
		m.settled = target + (m.settled-target)*m.keep
		m.wander = m.rho*m.wander + m.kick*s.rng.NormFloat64()
		if m.factor {
			m.value = m.settled * (1 + m.wander)
		} else {
			m.value = m.settled + m.wander
		}
	}
}
