package production

import (
	"math"
	"math/rand/v2"

	"millwright/simulator/physics"
)

// Modes of a line.
const (
	Running = "running"
	Reduced = "reduced"
	Stopped = "stopped"
)

// Pattern is how a line works: mean lengths of its times in seconds, and the
// range of the demand that it makes of its machines while it runs.
type Pattern struct {
	Run, Stop float64
	Short     float64 // share of a run at reduced demand
	Low, High float64 // of the full demand
	Ramp      float64 // s from standstill to full demand
	Shed      bool    // it stops while the grid sheds the works' load
}

// Line is a unit of the works of which no more is known than that it runs,
// sometimes at less than full demand, and sometimes stops.
type Line struct {
	rng     *rand.Rand
	world   *World
	pattern Pattern
	left    float64 // s of the mode
	target  float64

	Hold   bool // it has nothing to work on
	Mode   string
	Demand float64 // of the full one
}

// NewLine runs.
func NewLine(seed uint64, name string, w *World, p Pattern) *Line {
	l := &Line{rng: physics.Stream(seed, "line "+name), world: w, pattern: p}
	l.run()
	l.left *= l.rng.Float64()
	l.Demand = l.target
	return l
}

// run begins a run; its length and those of stops are exponential, with a floor.
func (l *Line) run() {
	p := &l.pattern
	l.Mode = Running
	l.target = p.Low + (p.High-p.Low)*l.rng.Float64()
	l.left = p.Run * (0.2 + 0.8*l.rng.ExpFloat64())
	if l.rng.Float64() < p.Short {
		l.Mode = Reduced
		l.target *= 0.7
		l.left *= 0.5
	}
}

// Step moves the line on.
func (l *Line) Step(dt float64) {
	l.left -= dt
	target := l.target
	switch {
	case l.Hold || l.pattern.Shed && l.world.Shed == 1:
		l.Mode, l.target, target = Stopped, 0, 0
		l.left = 60 // it begins again when there is work, and the grid is back
	case l.left > 0:
	case l.Mode == Stopped:
		l.run()
	case l.pattern.Stop > 0 && l.rng.Float64() < 0.5:
		l.Mode, l.target = Stopped, 0
		l.left = l.pattern.Stop * (0.3 + 0.7*l.rng.ExpFloat64())
	default:
		l.run()
	}
	step := dt / l.pattern.Ramp
	l.Demand += math.Max(-step, math.Min(step, target-l.Demand))
}
