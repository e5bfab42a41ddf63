package simulator

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"millwright/plant"
	"millwright/simulator/machine"
)

// sensorFault is a way in which a sensor, its wire, its card or its clock is wrong.
type sensorFault uint8

// Faults of sensors.
const (
	sensorDrift sensorFault = iota
	sensorStuck
	sensorStuckFresh
	sensorStuckBad
	sensorSpike
	sensorDropout
	sensorSilence
	sensorZero
	sensorGain
	sensorNoise
	sensorHum
	sensorSaturation
	sensorMagnet
	sensorBias
	sensorSwap
	sensorUnit
	sensorScale
	sensorClock
	sensorZone
	sensorRepeat
	sensorBack
	sensorResolution
	sensorDeadband

	sensorFaults
)

// sensorKinds are the faults of sensors in the order of the constants.
func sensorKinds() []FaultKind {
	at := func(code, name, about string) FaultKind {
		return FaultKind{Code: code, Name: name, Course: machine.AtOnce, About: about}
	}
	return []FaultKind{
		{Code: "S1", Name: "drift", Course: machine.Even, Growth: 30 * time.Minute, Life: 30 * 24 * time.Hour, About: "the sensor drifts by a twentieth of its range"},
		at("S2", "stuck", "the sensor repeats its last value"),
		at("S2", "stuck-fresh", "the same, and every scan sends it anew with a fresh time"),
		at("S2", "stuck-bad", "the same, and its quality says so"),
		at("S3", "spike", "single readings jump by 20 to 100 % of the range, one an hour"),
		at("S4", "dropout", "the sensor reports bad quality in bursts of some 20 s, one a minute; one in 200 lasts 10 min to 6 h"),
		at("S4", "dropout-silent", "the sensor says nothing in such bursts"),
		at("S5", "zero-step", "the zero moves by a tenth of the range, up or down"),
		at("S5", "gain-step", "the reading is a tenth too large or too small"),
		at("S6", "noise", "ten times the noise"),
		at("S6", "hum", "the mains is picked up, 2 % of the range, 2 m/s² in a waveform"),
		at("S7", "saturation", "the amplifier saturates: no reading above that of the moment, a waveform is clipped"),
		at("S7", "loose-magnet", "an accelerometer is mounted loosely: its resonance falls from 25 to 4 kHz (waveforms)"),
		at("S7", "bias", "an accelerometer's supply is open or short: noise in place of the signal (waveforms)"),
		at("S8", "swap", "two sensors are connected the wrong way round, written swap=TAG,TAG"),
		at("S8", "wrong-unit", "the reading is in another unit: °F, psi"),
		at("S8", "wrong-scale", "the reading is ten times too large"),
		at("S9", "clock", "the clock of the source is 37 s ahead"),
		at("S9", "clock-zone", "the source gives the time of its zone, UTC+5, for UTC"),
		at("S9", "clock-repeat", "the source gives all values of a minute one time"),
		at("S9", "clock-back", "the clock of the source gains 5 s a minute and is set back"),
		at("S10", "resolution", "8 bits of resolution in place of 12"),
		at("S10", "deadband", "the control system sends only changes of 1 % of the range"),
	}
}

func sensorFaultNames() []string {
	var names []string
	for _, k := range sensorKinds() {
		names = append(names, k.Name)
	}
	return names
}

func sensorFaultNamed(name string) (sensorFault, bool) {
	i := slices.Index(sensorFaultNames(), name)
	return sensorFault(i), i >= 0
}

// otherUnit converts to the unit that somebody would take for it.
func otherUnit(unit string) (scale, offset float64) {
	switch strings.TrimSuffix(unit, "(g)") {
	case "°C":
		return 1.8, 32 // °F
	case "bar":
		return 14.5038, 0 // psi
	case "mbar":
		return 0.401463, 0 // inches of water
	case "m³/h", "m3/h":
		return 4.40287, 0 // US gallons a minute
	case "l/min":
		return 0.264172, 0
	case "mm/s", "mm":
		return 1 / 25.4, 0 // inches
	case "m/s²":
		return 1 / 9.80665, 0 // g
	case "kW", "MW":
		return 1.34102, 0 // horsepower
	case "kN·m":
		return 0.737562, 0 // thousands of pound-feet
	case "MN", "kN":
		return 0.224809, 0 // of pounds
	case "r/min":
		return 1.0 / 60, 0 // Hz
	}
	return 0, 0
}

// ailment is what is wrong with a sensor: the severity of each fault, and where
// it stands in them.
type ailment struct {
	severity [sensorFaults]float64

	with    *channel // the sensor that it is swapped with
	swapped *float64 // severity of that

	failing, silent outage
	sign            float64 // of a step, 0 before
	ceiling         float64 // of the saturated amplifier, NaN before
	shown           float64 // behind the deadband, NaN before
	stamp           int64   // the repeated source time, ns
}

// ails gives the severity of a fault of the sensor, to be set.
func (c *channel) ails(f sensorFault) *float64 {
	if c.ail == nil {
		c.ail = &ailment{ceiling: math.NaN(), shown: math.NaN()}
	}
	return &c.ail.severity[f]
}

// swapWith connects two sensors the wrong way round.
func (c *channel) swapWith(o *channel) *float64 {
	s := c.ails(sensorSwap)
	o.ails(sensorSwap)
	c.ail.with, c.ail.swapped = o, s
	o.ail.with, o.ail.swapped = c, s
	return s
}

// source is the sensor that is connected to the channel.
func (c *channel) source() *channel {
	if a := c.ail; a != nil && a.with != nil && *a.swapped > 0 {
		return a.with
	}
	return c
}

// distort is what the sick sensor makes of x, behind its card.
func (a *ailment) distort(c *channel, x, dt float64) float64 {
	s, span := &a.severity, c.high-c.low
	x += s[sensorDrift] * 0.05 * span
	x = a.shift(c, x, span)
	if p := s[sensorSpike]; p > 0 && c.rng.Float64() < p*dt/3600 {
		size := (0.2 + 0.8*c.rng.Float64()) * span
		if c.rng.Float64() < 0.5 {
			size = -size
		}
		x += size
	}
	x = a.saturate(c, x)
	if c.said && math.Max(s[sensorStuck], math.Max(s[sensorStuckFresh], s[sensorStuckBad])) > 0 {
		return c.last.Number
	}
	x = quantise(x, c.low, c.high, c.resolution)
	if p := s[sensorResolution]; p > 0 && span > 0 {
		step := span / 4096 * math.Pow(16, p)
		x = c.low + math.Round((x-c.low)/step)*step
	}
	if p := s[sensorDeadband]; p <= 0 || !(math.Abs(x-a.shown) < p*0.01*span) {
		a.shown = x
	}
	x = a.shown
	if s[sensorUnit] > 0 {
		scale, offset := otherUnit(c.unit)
		x = x*scale + offset
	}
	if s[sensorScale] > 0 {
		x *= 10
	}
	return x
}

// shift is a step of zero or gain, up or down by chance: the other way where the card
// could not show it.
func (a *ailment) shift(c *channel, x, span float64) float64 {
	if a.severity[sensorZero] <= 0 && a.severity[sensorGain] <= 0 {
		a.sign = 0
		return x
	}
	if a.sign == 0 {
		a.sign = 1
		if c.rng.Float64() < 0.5 {
			a.sign = -1
		}
		if y := a.step(c.y, span); span > 0 && (y < c.low || y > c.high) {
			a.sign = -a.sign
		}
	}
	return a.step(x, span)
}

func (a *ailment) step(x, span float64) float64 {
	return x*(1+a.sign*a.severity[sensorGain]*0.10) + a.sign*a.severity[sensorZero]*0.10*span
}

func (a *ailment) saturate(c *channel, x float64) float64 {
	p := a.severity[sensorSaturation]
	if p <= 0 {
		a.ceiling = math.NaN()
		return x
	}
	if math.IsNaN(a.ceiling) {
		a.ceiling = c.y + (1-p)*math.Max(0, c.high-c.y)
	}
	return math.Min(x, a.ceiling)
}

// quality is that of the next value; silent says that there is none.
func (a *ailment) quality(dt float64, rng *rand.Rand) (q plant.Quality, silent bool) {
	failing := a.failing.step(a.severity[sensorDropout], dt, rng)
	silent = a.silent.step(a.severity[sensorSilence], dt, rng)
	switch {
	case failing:
		q = plant.BadSensorFailure
	case a.severity[sensorStuckBad] > 0:
		q = plant.BadNoCommunication
	}
	return q, silent
}

// outage is a loose contact: speech and silence take turns (Gilbert and Elliott). At
// severity 1 a failure begins every minute and lasts 20 s; one in 200 stays until
// somebody walks past, ten minutes to six hours.
type outage struct {
	failing bool
	left    float64 // s of a long failure
}

const (
	longOutages   = 1.0 / 200
	shortestLong  = 600.0 // s
	longestOutage = 6 * 3600.0
)

// step moves on by dt and reports whether the contact is open.
func (o *outage) step(severity, dt float64, rng *rand.Rand) bool {
	if severity <= 0 {
		*o = outage{}
		return false
	}
	if o.left > 0 {
		o.left -= dt
		o.failing = o.left > 0
		return o.failing
	}
	p := severity * dt / 60
	if o.failing {
		p = dt / (20 * severity)
	}
	if rng.Float64() >= p {
		return o.failing
	}
	o.failing = !o.failing
	if o.failing && rng.Float64() < longOutages {
		o.left = shortestLong * math.Pow(longestOutage/shortestLong, rng.Float64()) // as many in each decade
	}
	return o.failing
}

// time is what the source's clock shows when it is now, ns UTC.
func (a *ailment) time(now int64) int64 {
	const second, minute = int64(time.Second), int64(time.Minute)
	s := &a.severity
	if s[sensorRepeat] > 0 {
		if d := now - a.stamp; d < 0 || d >= minute {
			a.stamp = now
		}
		now = a.stamp
	}
	if p := s[sensorBack]; p > 0 {
		now += int64(p * 5 * float64(now%minute) / 60)
	}
	if s[sensorZone] > 0 {
		now += 5 * 60 * minute
	}
	return now + int64(s[sensorClock]*37*float64(second))
}
