package production

import (
	"fmt"
	"math"
	"math/rand/v2"

	"millwright/simulator/physics"
)

// Modes of the finishing mill as its control names them.
const (
	Threading   = "threading"
	Rolling     = "rolling"
	RollingHard = "rolling-hard"
	TailOut     = "tail-out"
	Gap         = "gap"
	Idle        = "idle"
	RollChange  = "roll-change"
	WarmUp      = "warm-up"
)

// Coil is one strip as stand F3 meets it.
type Coil struct {
	ID          string
	Slab, Heat  string // of what it is rolled, empty where nobody keeps account
	Grade       string
	Gauge       float64 // behind the last stand, mm
	Width       float64 // mm
	Hard        bool
	Pass        physics.Pass // temperature and speed are those of a steady middle
	Length      float64      // behind the stand, m
	Zoom        float64      // speed in the middle over the threading speed
	Skids       float64      // skid marks of the furnace along the strip
	Temperature float64      // °C
}

// Strip is the finishing mill from coil to coil: what it rolls, how fast, and in
// which mode.
type Strip struct {
	rng      *rand.Rand
	number   int
	yard     *Yard   // nil: a mix of two products
	program  []Slab  // of the yard, left of the campaign
	spent    bool    // the campaign is over and there is no other one yet
	changed  float64 // s since the backup rolls were changed
	backup   float64 // s that they last
	hard     bool    // grade of the campaign
	coils    int     // left until the work rolls are changed
	Steady   bool    // no delays
	warm     float64
	Hold     bool // no bar is drawn: the grid sheds the mill's load
	Mode     string
	left     float64 // s of the mode, where it ends by time
	Coil     Coil
	Position float64 // of the coil's head behind the stand, m; negative while it comes
	Bite     float64 // s since the head met the rolls
	Speed    float64 // reference of the roll surface, m/s
}

// NewStrip stands before the first coil of a campaign.
func NewStrip(seed uint64) *Strip {
	l := &Strip{rng: physics.Stream(seed, "line")}
	l.number = 100_000 + l.rng.IntN(800_000)
	l.campaign(false)
	l.next()
	l.gap(5)
	return l
}

// NewStripOf rolls what a slab yard has, in campaigns from wide to narrow, and
// waits where it has too little.
func NewStripOf(seed uint64, y *Yard) *Strip {
	l := &Strip{rng: physics.Stream(seed, "line"), yard: y}
	l.number = 100_000 + l.rng.IntN(800_000)
	l.backup = l.lasting()
	l.changed = l.rng.Float64() * l.backup
	l.program = y.Program(60 + l.rng.IntN(31))
	l.next()
	l.gap(5)
	return l
}

// lasting is how long backup rolls stay: 10 to 15 days.
func (l *Strip) lasting() float64 { return 86_400 * (10 + 5*l.rng.Float64()) }

// supplied sees to it that there is a next coil, false where the yard has no
// campaign for the mill.
func (l *Strip) supplied() bool {
	switch {
	case l.Hold:
		return false
	case !l.spent:
		return true
	}
	n := 60 + l.rng.IntN(31)
	if l.yard.Stock() < n {
		return false
	}
	l.program, l.spent = l.yard.Program(n), false
	l.next()
	return true
}

// campaign begins one between two changes of the work rolls. The grade is a
// Markov chain.
func (l *Strip) campaign(change bool) {
	l.coils = 60 + l.rng.IntN(31)
	if change && l.rng.Float64() < 0.4 {
		l.hard = !l.hard
	}
}

// next draws the next coil of the campaign.
func (l *Strip) next() {
	if l.yard != nil {
		if len(l.program) > 0 {
			l.take()
		}
		return
	}
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
	grade := "SAE1010"
	if l.hard {
		grade = "HSLA340"
	}
	c := Coil{ID: l.Before(0), Grade: grade, Gauge: gauge, Width: width, Hard: l.hard, Zoom: 1.2 + 0.02*l.uniform(), Skids: 6,
		Temperature: 970 + 5*l.uniform()}
	c.Pass = physics.Pass{Entry: 32 * math.Pow(11.6/32, stretch), Exit: exit, Width: width, Carbon: 0.10 + 0.01*l.uniform(),
		Hardness: hardness, Radius: 350, Speed: 0.8 * 9 * 3.2 / exit}
	mass := 18_000 + 400*l.uniform() // kg
	c.Length = mass / 7850 / (exit / 1000) / (width / 1000)
	l.Coil = c
}

// take makes the coil of the next slab of the program. A schedule for the whole
// train from the bar to the gauge is that of 32 to 3.2 mm, stretched; where F3
// would have to give more torque than its motor bears, the bar comes thinner.
func (l *Strip) take() {
	l.number++
	slab := l.program[0]
	l.program = l.program[1:]
	grade := grades()[slab.Grade]
	hard := grade.Hardness > 1
	// Wide and hard strip cannot be thin.
	thinnest := 1.6 + math.Ceil(14*(slab.Width-700)/800)/10
	if hard {
		thinnest += 0.6
	}
	gauge := l.gauge(grade.Gauges, thinnest)
	width := slab.Width + 8*l.uniform()
	c := Coil{ID: l.Before(0), Slab: slab.ID, Heat: slab.Heat, Grade: grade.Name, Gauge: gauge, Width: width,
		Hard: hard, Zoom: 1.1 + 0.2*math.Min(1, 3.2/gauge) + 0.02*l.uniform() - 0.02, Skids: 6, Temperature: 970 + 5*l.uniform()}
	const torque = 640e3 // N·m at the rolls
	for bar := 34.0; ; bar -= 2 {
		stretch := math.Log(bar/gauge) / math.Log(10)
		c.Pass = physics.Pass{Entry: bar * math.Pow(11.6/32, stretch), Exit: bar * math.Pow(7.6/32, stretch), Width: width,
			Carbon: grade.Carbon + 0.01*l.uniform(), Hardness: grade.Hardness, Radius: 350, Temperature: c.Temperature}
		// Behind the last stand 7.2 m/s at 3.2 mm, 10 m/s at most.
		c.Pass.Speed = math.Min(10, 7.2*math.Pow(3.2/gauge, 0.55)) * gauge / c.Pass.Exit
		if _, m := c.Pass.Solve(); m <= torque || bar <= 22 {
			c.Pass.Speed = math.Min(c.Pass.Speed, 3.1*torque/math.Max(m, torque))
			break
		}
	}
	c.Length = 17 * width / 7850 / (c.Pass.Exit / 1000) / (width / 1000) // 17 kg a millimetre of width
	l.Coil = c
}

// Before is the number of the coil that was rolled n coils before the present one.
func (l *Strip) Before(n int) string { return fmt.Sprintf("C%06d", l.number-n) }

// gauge is that of the coil before or a neighbour of it that the grade comes in.
func (l *Strip) gauge(gauges []float64, thinnest float64) float64 {
	at := 0
	for i, g := range gauges {
		if math.Abs(g-l.Coil.Gauge) < math.Abs(gauges[at]-l.Coil.Gauge) {
			at = i
		}
	}
	switch u := l.rng.Float64(); {
	case u < 0.12 && at > 0:
		at--
	case u > 0.88 && at < len(gauges)-1:
		at++
	}
	for gauges[at] < thinnest && at < len(gauges)-1 {
		at++
	}
	return math.Max(gauges[at], thinnest)
}

// uniform is between -1 and 1.
func (l *Strip) uniform() float64 { return 2*l.rng.Float64() - 1 }

func (l *Strip) gap(seconds float64) {
	l.Mode, l.left = Gap, seconds
	l.Position = -1
}

// InStrip reports whether the rolls hold a strip.
func (l *Strip) InStrip() bool { return l.Position >= 0 && l.Position < l.Coil.Length }

// Begin ends a time of Steady production. Without a yard, what follows is what a new
// Strip of this seed rolls, from the present speed on.
func (l *Strip) Begin(seed uint64) {
	if l.yard == nil {
		speed := l.Speed
		*l = *NewStrip(seed)
		l.Speed = speed
	}
	l.Steady, l.warm = false, 0
	l.gap(5)
}

// Step moves the line on.
func (l *Strip) Step(dt float64) {
	l.left -= dt
	l.warm = math.Max(0, l.warm-dt)
	l.changed += dt
	switch l.Mode {
	case Gap, Idle, RollChange:
		l.wait(dt)
	default:
		l.roll(dt)
	}
}

func (l *Strip) wait(dt float64) {
	target := l.Coil.Pass.Speed
	switch l.Mode {
	case Idle:
		target = 1.5
	case RollChange:
		target = 0
	}
	l.ramp(target, 0.5, dt)
	if l.left > 0 {
		return
	}
	if l.Mode != Gap && !l.supplied() {
		l.Mode, l.left, l.warm = Idle, 60, 15*60
		return
	}
	if l.Mode != Gap { // speed up for the strip to come
		l.gap(15)
		return
	}
	l.Mode, l.Position, l.Bite = Threading, 0, 0
}

func (l *Strip) roll(dt float64) {
	c := &l.Coil
	l.Position += l.Speed * dt
	l.Bite += dt
	rest := c.Length - l.Position
	switch {
	case rest <= 0:
		l.done()
	case rest < 0.07*c.Length:
		l.Mode = TailOut
		l.ramp(c.Pass.Speed, 0.3, dt)
	case l.Bite < 9: // until the coiler has the head
		l.Mode = Threading
	default:
		l.Mode = Rolling
		if c.Hard {
			l.Mode = RollingHard
		}
		if l.warm > 0 {
			l.Mode = WarmUp
		}
		l.ramp(c.Pass.Speed*c.Zoom, 0.12, dt)
	}
}

// done ends a coil and says what comes: mostly a gap, now and then a delay or a
// change of the work rolls.
func (l *Strip) done() {
	over := len(l.program) == 0
	if l.yard == nil {
		if !l.Steady {
			l.coils--
		}
		over = l.coils <= 0
	}
	switch {
	case over && l.Steady:
		l.program = l.yard.Program(60)
		l.gap(28 + 4*l.rng.Float64())
	case over:
		l.campaign(true)
		l.spent = l.yard != nil
		l.Mode, l.left = RollChange, 600+120*l.rng.Float64()
		l.warm = l.left + 25*60
		if l.yard != nil && l.changed > l.backup { // the backup rolls too: 4 to 6 hours
			l.left += 3600 * (4 + 2*l.rng.Float64())
			l.warm = l.left + 45*60
			l.changed, l.backup = 0, l.lasting()
		}
	case l.rng.Float64() < 0.01 && !l.Steady || l.Hold:
		l.Mode, l.left = Idle, 60+180*l.rng.Float64()
		l.warm = l.left + 15*60
	case l.yard != nil:
		l.gap(40 + 30*l.rng.Float64())
	default:
		l.gap(28 + 4*l.rng.Float64())
	}
	l.Position = -1
	l.next()
}

func (l *Strip) ramp(target, rate, dt float64) {
	d := target - l.Speed
	l.Speed += math.Copysign(math.Min(math.Abs(d), rate*dt), d)
}

// Temperature of the strip in the stand, °C: skid marks, cold ends.
func (l *Strip) Temperature() float64 {
	c := &l.Coil
	x := l.Position / c.Length
	t := c.Temperature + 12*math.Sin(2*math.Pi*c.Skids*x)
	end := math.Min(l.Position, c.Length-l.Position) * c.Pass.Exit / 32 // metres of transfer bar
	return t - 25*math.Exp(-end/2)
}

// Roll gives roll force in N and roll torque in N·m of the strip in the stand as
// it is now, at a surface speed of the rolls in m/s; 0 without a strip.
func (l *Strip) Roll(speed float64) (force, torque float64) {
	if !l.InStrip() {
		return 0, 0
	}
	p := l.Coil.Pass
	p.Speed = math.Max(0.1, speed)
	p.Temperature = l.Temperature()
	return p.Solve()
}

// Spraying reports whether the descaling headers are open: from the bar's head
// at the mill's entry until its tail has passed there, both earlier than in F3.
func (l *Strip) Spraying() bool {
	switch l.Mode {
	case Gap:
		return l.left < 8
	case Threading, Rolling, RollingHard, WarmUp:
		return true
	}
	return false
}
