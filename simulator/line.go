package simulator

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Modes of the finishing mill as its control names them.
const (
	modeThreading   = "threading"
	modeRolling     = "rolling"
	modeRollingHard = "rolling-hard"
	modeTailOut     = "tail-out"
	modeGap         = "gap"
	modeIdle        = "idle"
	modeRollChange  = "roll-change"
	modeWarmUp      = "warm-up"
)

// coil is one strip as stand F3 meets it.
type coil struct {
	id          string
	hard        bool
	pass        pass    // temperature and speed are those of a steady middle
	length      float64 // behind the stand, m
	zoom        float64 // speed in the middle over the threading speed
	skids       float64 // skid marks of the furnace along the strip
	temperature float64 // °C
}

// line is the finishing mill from coil to coil: what it rolls, how fast, and in
// which mode.
type line struct {
	rng      *rand.Rand
	number   int
	hard     bool // grade of the campaign
	coils    int  // left until the work rolls are changed
	steady   bool // no delays
	warm     float64
	mode     string
	left     float64 // s of the mode, where it ends by time
	coil     coil
	position float64 // of the coil's head behind the stand, m; negative while it comes
	bite     float64 // s since the head met the rolls
	speed    float64 // reference of the roll surface, m/s
}

func newLine(seed uint64) *line {
	l := &line{rng: stream(seed, "line")}
	l.number = 100_000 + l.rng.IntN(800_000)
	l.campaign(false)
	l.next()
	l.gap(5)
	return l
}

// campaign begins one between two changes of the work rolls. The grade is a
// Markov chain.
func (l *line) campaign(change bool) {
	l.coils = 60 + l.rng.IntN(31)
	if change && l.rng.Float64() < 0.4 {
		l.hard = !l.hard
	}
}

// next draws the next coil of the campaign.
func (l *line) next() {
	l.number++
	gauge, width, hardness := 3.2, 1050.0, 1.0
	if l.hard {
		gauge, width, hardness = 3.6, 1150, 1.25
	}
	gauge *= 1 + 0.005*l.uniform()
	width += 15 * l.uniform()
	// The reductions of a schedule for 3.2 mm, stretched to the gauge.
	stretch := math.Log(32/gauge) / math.Log(32/3.2)
	exit := 32 * math.Pow(7.6/32, stretch)
	c := coil{id: fmt.Sprintf("C%06d", l.number), hard: l.hard, zoom: 1.2 + 0.02*l.uniform(), skids: 6,
		temperature: 970 + 5*l.uniform()}
	c.pass = pass{entry: 32 * math.Pow(11.6/32, stretch), exit: exit, width: width, carbon: 0.10 + 0.01*l.uniform(),
		hardness: hardness, radius: 350, speed: 0.8 * 9 * 3.2 / exit}
	mass := 18_000 + 400*l.uniform() // kg
	c.length = mass / 7850 / (exit / 1000) / (width / 1000)
	l.coil = c
}

// uniform is between -1 and 1.
func (l *line) uniform() float64 { return 2*l.rng.Float64() - 1 }

func (l *line) gap(seconds float64) {
	l.mode, l.left = modeGap, seconds
	l.position = -1
}

// inStrip reports whether the rolls hold a strip.
func (l *line) inStrip() bool { return l.position >= 0 && l.position < l.coil.length }

// step moves the line on.
func (l *line) step(dt float64) {
	l.left -= dt
	l.warm = math.Max(0, l.warm-dt)
	switch l.mode {
	case modeGap, modeIdle, modeRollChange:
		l.wait(dt)
	default:
		l.roll(dt)
	}
}

func (l *line) wait(dt float64) {
	target := l.coil.pass.speed
	switch l.mode {
	case modeIdle:
		target = 1.5
	case modeRollChange:
		target = 0
	}
	l.ramp(target, 0.5, dt)
	if l.left > 0 {
		return
	}
	if l.mode != modeGap { // speed up for the strip to come
		l.gap(15)
		return
	}
	l.mode, l.position, l.bite = modeThreading, 0, 0
}

func (l *line) roll(dt float64) {
	c := &l.coil
	l.position += l.speed * dt
	l.bite += dt
	rest := c.length - l.position
	switch {
	case rest <= 0:
		l.done()
	case rest < 0.07*c.length:
		l.mode = modeTailOut
		l.ramp(c.pass.speed, 0.3, dt)
	case l.bite < 9: // until the coiler has the head
		l.mode = modeThreading
	default:
		l.mode = modeRolling
		if c.hard {
			l.mode = modeRollingHard
		}
		if l.warm > 0 {
			l.mode = modeWarmUp
		}
		l.ramp(c.pass.speed*c.zoom, 0.12, dt)
	}
}

// done ends a coil and says what comes: mostly a gap, now and then a delay or a
// change of the work rolls.
func (l *line) done() {
	l.coils--
	switch {
	case l.coils <= 0:
		l.campaign(true)
		l.mode, l.left = modeRollChange, 600+120*l.rng.Float64()
		l.warm = l.left + 25*60
	case l.rng.Float64() < 0.01 && !l.steady:
		l.mode, l.left = modeIdle, 60+180*l.rng.Float64()
		l.warm = l.left + 15*60
	default:
		l.gap(28 + 4*l.rng.Float64())
	}
	l.position = -1
	l.next()
}

func (l *line) ramp(target, rate, dt float64) {
	d := target - l.speed
	l.speed += math.Copysign(math.Min(math.Abs(d), rate*dt), d)
}

// temperature of the strip in the stand, °C: skid marks, cold ends.
func (l *line) temperature() float64 {
	c := &l.coil
	x := l.position / c.length
	t := c.temperature + 12*math.Sin(2*math.Pi*c.skids*x)
	end := math.Min(l.position, c.length-l.position) * c.pass.exit / 32 // metres of transfer bar
	return t - 25*math.Exp(-end/2)
}

// spraying reports whether the descaling headers are open: from the bar's head
// at the mill's entry until its tail has passed there, both earlier than in F3.
func (l *line) spraying() bool {
	switch l.mode {
	case modeGap:
		return l.left < 8
	case modeThreading, modeRolling, modeRollingHard, modeWarmUp:
		return true
	}
	return false
}
