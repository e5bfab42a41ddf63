package simulator

import (
	"math"
	"math/rand/v2"

	"millwright/plant"
	"millwright/simulator/machine"
	"millwright/simulator/server"
)

// channel is a sensor in use: its state, its faults, what it said last.
type channel struct {
	machine.Sensor
	path, asset string
	variable    int
	low, high   float64
	resolution  float64
	rng         *rand.Rand

	stride int     // steps between two scans
	keep   float64 // share of y that a step leaves, 0 without lag
	y      float64 // behind the lag
	begun  bool

	drift, stuck, spike, dropout float64 // severities
	silent                       bool    // the dropout's present state

	said bool // last is what the channel said last
	last server.Value
}

// follow moves the lag by one step.
func (c *channel) follow() {
	switch {
	case c.Value == nil:
	case !c.begun:
		c.y, c.begun = *c.Value, true
	default:
		c.y = *c.Value + (c.y-*c.Value)*c.keep
	}
}

// scan measures, and reports whether the channel has something new to say.
func (c *channel) scan(dt float64) (server.Value, bool) {
	v := server.Value{Var: c.variable}
	if c.Text != nil {
		v.Text = *c.Text
	} else {
		v.Number = c.measure(dt)
	}
	if c.fail(dt) {
		v.Quality, v.Number = plant.BadSensorFailure, c.last.Number
	}
	if c.said && v.Number == c.last.Number && v.Text == c.last.Text && v.Quality == c.last.Quality {
		return v, false
	}
	c.said, c.last = true, v
	return v, true
}

func (c *channel) measure(dt float64) float64 {
	noise := math.Hypot(c.Sigma, c.Rel*c.y)
	x := c.y + noise*c.rng.NormFloat64()
	span := c.high - c.low
	x += c.drift * 0.10 * span
	if c.spike > 0 && c.rng.Float64() < c.spike*dt*3/60 {
		size := (0.2 + 0.8*c.rng.Float64()) * span
		if c.rng.Float64() < 0.5 {
			size = -size
		}
		x += size
	}
	if c.stuck > 0 && c.said {
		return c.last.Number
	}
	return c.quantise(x)
}

// quantise rounds to the resolution and clips to the range.
func (c *channel) quantise(x float64) float64 {
	if c.low < c.high {
		x = math.Min(math.Max(x, c.low), c.high)
	}
	switch {
	case c.resolution <= 0:
		return x
	case c.resolution < 1: // dividing by a whole number gives the decimal nearest to the step
		n := math.Round(1 / c.resolution)
		return math.Round(x*n) / n
	}
	return math.Round(x/c.resolution) * c.resolution
}

// fail moves the dropout between speech and silence (Gilbert and Elliott): at
// severity 1 a failure begins every minute and lasts 20 s.
func (c *channel) fail(dt float64) bool {
	if c.dropout <= 0 {
		c.silent = false
		return false
	}
	p := c.dropout * dt / 60
	if c.silent {
		p = dt / (20 * c.dropout)
	}
	if c.rng.Float64() < p {
		c.silent = !c.silent
	}
	return c.silent
}
