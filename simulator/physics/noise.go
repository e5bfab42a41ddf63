package physics

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// Stream is a source of random numbers of its own for each purpose, so that one
// purpose does not shift the numbers of another.
func Stream(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Drift is a stationary first-order process (Ornstein and Uhlenbeck) with
// standard deviation sigma and correlation time tau in seconds, exact at any
// step.
type Drift struct {
	Sigma, Tau float64
	x          float64
}

// Step moves the process on by dt seconds and returns its value.
func (d *Drift) Step(dt float64, r *rand.Rand) float64 {
	rho := math.Exp(-dt / d.Tau)
	d.x = rho*d.x + math.Sqrt(1-rho*rho)*d.Sigma*r.NormFloat64()
	return d.x
}

// Lag moves y towards x with time constant tau in seconds, exact for constant x.
func Lag(y, x, dt, tau float64) float64 { return x + (y-x)*math.Exp(-dt/tau) }
