// Package machine is the physics of the assets that the simulated works knows
// deeply: what they do in the hands of production, what their sensors would see,
// and how they break.
package machine

import (
	"time"

	"millwright/simulator/vibration"
)

// Machine is an asset with physics of its own. Step must be right for any dt from
// 10 ms to 1 s: slow states move by exact solutions (physics.Lag, physics.Drift).
type Machine interface {
	Path() string // of the asset
	Step(dt float64)
	Sensors() []Sensor // always the same ones, with the same pointers
	Faults() []*Fault  // always the same ones
	// Load is the share of its rated load that the machine carries now, and its
	// speed over the rated one. Wear goes with them.
	Load() (load, speed float64)
}

// Vibrating is a machine with accelerometers whose waveform can be had.
type Vibrating interface {
	Machine
	Points() []Point
}

// Point is where an accelerometer sits. Signal describes what it sees now; its
// slices may change with the next Step.
type Point struct {
	Name   string // of the waveform's tag below the asset, "VIB_H_W"
	Signal func() vibration.Signal
}

// seen is the room for the signal of a point, so that asking for it costs no
// memory.
type seen struct {
	shaft   [5]vibration.Line
	mesh    [1]vibration.Mesh
	impacts [2]vibration.Impacts
}

// spreadOrder is where the velocity of the Late stage lies in a waveform: between
// the lines of the impacts, so that it adds to them and does not beat with them.
const spreadOrder = 1.5 * vibration.OuterRace

// outerImpacts are those of the Spall that the features are made of.
func outerImpacts(s, n float64) vibration.Impacts {
	i := vibration.Orders{Outer: vibration.OuterRace}.OuterSpall(s, n)
	i.Spread = 0 // the features hold the Late stage in the velocity alone
	return i
}

// Scan intervals of the control system, plant time.
const (
	Fast = 200 * time.Millisecond
	Slow = time.Second
)

// windingHum is what the wires of a resistance thermometer between the windings of a
// motor pick up of the mains, K.
const windingHum = 0.08

// Sensor is a quantity and the transmitter that measures it: first-order lag Tau
// in seconds, white noise of standard deviation Sigma (in the unit) and Rel (of
// the reading), mains hum of amplitude Hum (in the unit). Range and resolution
// are those of the tag.
type Sensor struct {
	Name            string // of the tag below the asset
	Value           *float64
	Text            *string // a text instead of a value
	Every           time.Duration
	Tau, Sigma, Rel float64
	Hum             float64
}

// Course is how the severity of a fault moves from its onset.
type Course uint8

// Courses.
const (
	Growing  Course = iota // ds = λ·s·dt: what is damaged is damaged faster
	Even                   // the same in equal times: wear, blocking, fouling
	Shedding               // even, until a lump falls off
	AtOnce                 // a step
)

// Fault is a way in which a machine breaks. Severity is for the machine to read:
// 0 is healthy, 1 the functional failure, at which it cannot do its work.
type Fault struct {
	Name   string // "bearing-outer"
	Code   string // "M1"
	About  string // for people
	Course Course
	Growth time.Duration // from onset to failure in a demonstration, plant time
	Life   time.Duration // the same in service: the P–F interval

	Severity float64
	Lumps    int // that have fallen off, of a Shedding fault
}

const day = 24 * time.Hour
