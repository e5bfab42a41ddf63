package production

import (
	"fmt"
	"math"
	"math/rand/v2"

	"millwright/simulator/physics"
)

// Modes of a sinter strand. While its fan stands it is at Standstill.
const (
	Sintering     = "normal"
	SlowSintering = "reduced"
	StrandStop    = "strand-stop"
	Standstill    = "standstill"
)

// Sinter is a sinter strand as its exhaust fan meets it: it runs, creeps while
// something behind it is slow, stops for minutes several times a day, and stands
// for hours about once a week.
type Sinter struct {
	rng    *rand.Rand
	left   float64 // s of the mode
	repair float64 // s until the fan is stopped
	heap   float64 // s until the next blend
	number int
	level  float64 // of the blend's permeability
	bed    physics.Drift
	burn   physics.Drift

	Mode         string
	Blend        string  // heap of ore mix on the strand, "B0123"
	Speed        float64 // of the strand over its usual one
	Permeability float64 // of the bed, over the usual
	Through      float64 // K by which the waste gas is warmer than usual
	Running      bool    // the fan is asked to run
}

// NewSinter begins in the middle of a run.
func NewSinter(seed uint64) *Sinter {
	s := &Sinter{rng: physics.Stream(seed, "sinter"), Mode: Sintering, Speed: 1, Permeability: 1, Running: true}
	s.bed = physics.Drift{Sigma: 0.02, Tau: 1500}
	s.burn = physics.Drift{Sigma: 3.5, Tau: 1800}
	s.number = 100 + s.rng.IntN(800)
	s.left = s.between(2, 7) * 3600
	s.repair = s.between(1, 8) * 86_400
	s.pile()
	return s
}

func (s *Sinter) between(low, high float64) float64 { return low + (high-low)*s.rng.Float64() }

// pile begins the next blend.
func (s *Sinter) pile() {
	s.heap = s.between(4, 7) * 86_400
	s.number = s.number%9999 + 1
	s.Blend = fmt.Sprintf("B%04d", s.number)
	s.level = 0.02 * (2*s.rng.Float64() - 1)
}

// Step moves the strand on by dt seconds.
func (s *Sinter) Step(dt float64) {
	if s.heap -= dt; s.heap <= 0 {
		s.pile()
	}
	s.repair -= dt
	if s.left -= dt; s.left <= 0 {
		s.next()
	}
	speed := 0.0
	switch s.Mode {
	case Sintering:
		speed = 1
	case SlowSintering:
		speed = 0.7
	}
	s.Speed = physics.Lag(s.Speed, speed, dt, 20)
	s.Permeability = (1 + s.level) * math.Exp(s.bed.Step(dt, s.rng))
	s.Through = s.burn.Step(dt, s.rng)
}

func (s *Sinter) next() {
	s.Running = true
	switch {
	case s.Mode != Sintering:
		s.Mode, s.left = Sintering, s.between(3, 9)*3600
	case s.repair <= 0:
		s.Mode, s.left, s.Running = Standstill, s.between(6, 10)*3600, false
		s.repair = s.between(6, 8) * 86_400
	case s.rng.Float64() < 0.55:
		s.Mode, s.left = SlowSintering, s.between(15, 40)*60
	default:
		s.Mode, s.left = StrandStop, s.between(8, 40)*60
	}
}
