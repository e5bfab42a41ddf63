package production

import (
	"fmt"
	"math"
	"math/rand/v2"

	"millwright/simulator/physics"
)

// Modes of the caster beside Casting; a tail-out is called as the mill's.
const (
	StartUp     = "start-up"     // the mould fills, the dummy bar leads the strand through the machine
	Casting     = "casting"      //
	LadleChange = "ladle-change" // a tenth slower, to spare the tundish
	Turnaround  = "turnaround"   // the next sequence is prepared
)

// Strands of the caster, and what a ladle holds.
const (
	Strands   = 6
	HeatTons  = 130.0
	castSteel = 7.7 // t/m³, hot
)

// Cast is a bloom caster from sequence to sequence, seen at one strand: blooms
// of 260 × 260 or 260 × 320 mm, six strands that share heats of 130 t, four to
// twelve of them in a sequence. The heats are those of the second converter, which
// follows the caster: see Blowing.
type Cast struct {
	rng          *rand.Rand
	number, heat int
	blown        int     // heat that was blown last
	heats        int     // left in the sequence, with the present one
	left         float64 // s of the mode, where it ends by time
	ladle        float64 // t left in it for this strand
	target       float64 // speed, m/min
	base         float64 // speed of the section at the usual superheat, m/min

	Mode      string
	Sequence  string  // "Q1234"
	Heat      string  // "H64321"
	Blown     string  // heat in the converter that blows for the caster, or last there
	Section   string  // "260x260"
	Thickness float64 // mm
	Width     float64 // mm
	Carbon    float64 // %
	Superheat float64 // of the steel in the tundish over its liquidus, K
	Speed     float64 // of casting, m/min
	Mould     bool    // there is steel in the mould
	Length    float64 // of the strand below the mould's top, m, the machine's length at most
	Powder    float64 // friction of this sequence's mould powder over the usual
}

// CasterLength is that of the machine from mould to withdrawal, m.
const CasterLength = 25.0

// NewCast stands in a long sequence, at speed.
func NewCast(seed uint64) *Cast {
	c := &Cast{rng: physics.Stream(seed, "cast")}
	c.number, c.heat = 1000+c.rng.IntN(8000), 60_000+c.rng.IntN(60_000)/2
	c.sequence()
	c.heats = 12
	c.tap()
	c.Blown = c.Heat
	c.begin(Casting)
	c.Speed, c.Length, c.Mould = c.target, CasterLength, true
	return c
}

// sequence draws what is cast next.
func (c *Cast) sequence() {
	c.number++
	c.Sequence = fmt.Sprintf("Q%04d", c.number)
	c.heats = 4 + c.rng.IntN(9)
	c.Section, c.Thickness, c.Width, c.base = "260x260", 260, 260, 0.92
	if c.rng.Float64() < 0.25 {
		c.Section, c.Width, c.base = "260x320", 320, 0.78
	}
	grades := [...]float64{0.09, 0.18, 0.22, 0.42}
	c.Carbon = grades[c.rng.IntN(len(grades))] + 0.01*(2*c.rng.Float64()-1)
	c.Powder = 1 + 0.08*(2*c.rng.Float64()-1)
}

// tap opens the next ladle. Hotter steel is cast more slowly.
func (c *Cast) tap() {
	c.heat++
	c.Heat = heatName(c.heat)
	c.ladle = HeatTons / Strands * (1 + 0.02*(2*c.rng.Float64()-1))
	c.Superheat = math.Min(42, math.Max(18, 28+5*c.rng.NormFloat64()))
	c.target = c.base * (1 - 0.004*(c.Superheat-28))
}

func (c *Cast) begin(mode string) {
	c.Mode = mode
	switch mode {
	case StartUp:
		c.left, c.Length = 75+30*c.rng.Float64(), 0
	case LadleChange:
		c.left = 150 + 90*c.rng.Float64()
	case TailOut:
		c.left = 300
	case Turnaround:
		c.left = 60 * (60 + 30*c.rng.Float64())
		c.Mould, c.Length = false, 0
	}
}

// Step moves the caster on by dt seconds.
func (c *Cast) Step(dt float64) {
	c.left -= dt
	speed, rate := c.target, 0.1/60 // m/min a second
	switch c.Mode {
	case StartUp:
		c.Mould = true
		if c.left > 0 { // the mould fills
			speed = 0
		} else if c.Length >= CasterLength {
			c.begin(Casting)
		}
		c.pour(dt)
	case Casting:
		if c.pour(dt); c.ladle <= 0 {
			c.emptied()
		}
	case LadleChange:
		speed = 0.9 * c.target
		if c.left <= 0 {
			c.begin(Casting)
		}
		c.pour(dt)
	case TailOut:
		// The end of the strand is let freeze, then it is pulled through the machine.
		if speed = 0.4; c.left <= 0 {
			c.Mould, speed = false, 1.1
			if c.Length -= c.Speed / 60 * dt; c.Length <= 0 {
				c.begin(Turnaround)
			}
		}
	case Turnaround:
		speed, rate = 0, 0.1
		if c.left <= 0 {
			c.sequence()
			c.tap()
			c.begin(StartUp)
		}
	}
	d := speed - c.Speed
	c.Speed += math.Copysign(math.Min(math.Abs(d), rate*dt), d)
	if c.Mode != TailOut && c.Mode != Turnaround {
		c.Length = math.Min(CasterLength, c.Length+c.Speed/60*dt)
	}
	if c.blown <= c.heat && c.Blowing() {
		c.blown = c.heat + 1
		c.Blown = heatName(c.blown)
	}
}

// emptied says what follows a ladle.
func (c *Cast) emptied() {
	if c.heats--; c.heats > 0 {
		c.tap()
		c.begin(LadleChange)
		return
	}
	c.begin(TailOut)
}

// Rate of the strand, t/min.
func (c *Cast) Rate() float64 { return c.Thickness * c.Width * 1e-6 * castSteel * c.Speed }

func (c *Cast) pour(dt float64) { c.ladle -= c.Rate() / 60 * dt }

// Blowing reports whether the second converter blows the next heat: while the present
// one is cast, and before a sequence begins, early enough for tapping and treatment.
func (c *Cast) Blowing() bool {
	if c.Mode == Turnaround {
		return c.left > 38*60 && c.left < 55*60
	}
	share := c.ladle / (HeatTons / Strands)
	return c.heats > 1 && share > 0.3 && share < 0.68
}

// Filled is the share of the mould that is filled with steel: it rises at a
// start-up and is 1 until the strand leaves.
func (c *Cast) Filled() float64 {
	switch {
	case !c.Mould:
		return 0
	case c.Mode == StartUp && c.left > 0:
		return 1 - math.Min(1, c.left/75)
	}
	return 1
}
