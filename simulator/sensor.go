package simulator

import (
	"math"
	"math/rand/v2"

	"millwright/simulator/machine"
	"millwright/simulator/physics"
	"millwright/simulator/server"
)

// channel is a sensor in use: its state, its faults, what it said last.
type channel struct {
	machine.Sensor
	path, asset string
	unit        string
	variable    int
	low, high   float64
	resolution  float64
	rng         *rand.Rand

	stride int     // steps between two scans
	keep   float64 // share of y that a step leaves, 0 without lag
	y      float64 // behind the lag
	begun  bool

	zero, gain float64 // errors that it was calibrated with: in the unit, and over the reading

	ail *ailment // nil: healthy

	said bool // last is what the channel said last
	last server.Value
}

// calibrate draws the errors that the sensor has for good, anywhere in its class of
// accuracy. The lists of sensors have noise and no class, so the class goes with the
// noise: of the zero two of its standard deviations, of the gain as much as noise is of
// the reading. What is computed or set has no noise and no error either.
func (c *channel) calibrate(rng *rand.Rand) {
	c.zero = 2 * c.Sigma * (2*rng.Float64() - 1)
	c.gain = c.Rel * (2*rng.Float64() - 1)
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

// scan measures at plant time t, dt behind the scan before, and reports whether
// the channel has something new to say.
func (c *channel) scan(t, dt float64) (server.Value, bool) {
	v := server.Value{Var: c.variable}
	if c.Text != nil {
		v.Text = *c.Text
	} else {
		v.Number = c.measure(t, dt)
	}
	fresh := !c.said
	if c.ail != nil {
		var silent bool
		if v.Quality, silent = c.ail.quality(dt, c.rng); silent {
			return v, false
		}
		if !v.Quality.IsGood() {
			v.Number = c.last.Number
		}
		fresh = fresh || c.ail.severity[sensorStuckFresh] > 0
	}
	if !fresh && v.Number == c.last.Number && v.Text == c.last.Text && v.Quality == c.last.Quality {
		return v, false
	}
	c.said, c.last = true, v
	return v, true
}

func (c *channel) measure(t, dt float64) float64 {
	s := c.source()
	noise, hum := math.Hypot(s.Sigma, s.Rel*s.y), s.Hum
	if c.ail != nil {
		noise *= 1 + 9*c.ail.severity[sensorNoise]
		hum += c.ail.severity[sensorHum] * 0.02 * (c.high - c.low)
	}
	// The conversions keep arm64 from fusing a product with the sum.
	x := s.y + s.zero + float64(s.gain*s.y) + float64(noise*c.rng.NormFloat64())
	if hum > 0 {
		x += hum * math.Sin(2*math.Pi*physics.Mains(t))
	}
	if c.ail != nil {
		return c.ail.distort(c, x, dt)
	}
	return quantise(x, c.low, c.high, c.resolution)
}

// quantise rounds to the resolution and clips to the range.
func quantise(x, low, high, resolution float64) float64 {
	if low < high {
		x = math.Min(math.Max(x, low), high)
	}
	switch {
	case resolution <= 0:
		return x
	case resolution < 1: // dividing by a whole number gives the decimal nearest to the step
		n := math.Round(1 / resolution)
		return math.Round(x*n) / n
	}
	return math.Round(x/resolution) * resolution
}
