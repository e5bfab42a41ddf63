package production

import (
	"fmt"
	"math"
	"math/rand/v2"

	"millwright/simulator/physics"
)

// Modes of a blast furnace's wind.
const (
	NormalWind  = "normal"
	ReducedWind = "reduced"
	NoWind      = "stop"
)

// Modes of a hot-blast stove.
const (
	OnGas      = "on-gas"
	ChangeOver = "change-over"
	OnBlast    = "on-blast"
	Isolated   = "isolated" // full of heat, while the furnace takes no wind
)

// Blast is a blast furnace as its blower and its stoves meet it. Three stoves
// take turns: while one heats the wind, gas heats the other two.
type Blast struct {
	rng            *rand.Rand
	left           float64 // s of the wind's mode
	wind           float64 // target of Wind
	casting        float64 // s until the tap hole opens or closes
	number         int
	turn           int     // the stove on blast
	blown, blow    float64 // s of its blast that have passed, and all of them
	in, out        float64 // s of the change-overs before and after
	hang, hanging  float64 // share of resistance by a burden that hangs, and s until it slips
	slip, operator float64 // s until it hangs, until the operator changes something
	burden         physics.Drift

	Mode       string  // of the wind
	Wind       float64 // that the furnace asks for over its full wind
	Resistance float64 // of the burden to the wind, over the usual
	Filling    float64 // share of the full wind that fills a stove with pressure
	Hot        float64 // set point of the hot blast, °C
	Cast       string  // running or last, "T04711"
	Casting    bool
	Load       float64 // heat to the cooling circuits over that of full wind between casts

	// Stove 1: its mode, the seconds in it, and where a change-over leads.
	Stove   string
	Since   float64
	ToBlast bool
}

// NewBlast begins between two casts, with stove 1 on gas.
func NewBlast(seed uint64) *Blast {
	b := &Blast{rng: physics.Stream(seed, "blast"), Mode: NormalWind, Wind: 1, wind: 1, Resistance: 1, Hot: 1050, Load: 1, turn: 1, Stove: OnGas}
	b.burden = physics.Drift{Sigma: 0.012, Tau: 1200}
	b.number = 1000 + b.rng.IntN(8000)
	b.left = b.between(2, 34) * 3600
	b.casting = b.between(60, 100) * 60
	b.slip = b.between(2, 8) * 3600
	b.operator = b.between(1, 3) * 3600
	b.change()
	b.blown = b.out
	b.Cast = fmt.Sprintf("T%05d", b.number)
	return b
}

func (b *Blast) between(low, high float64) float64 { return low + (high-low)*b.rng.Float64() }

// change gives the blast to the next stove.
func (b *Blast) change() {
	b.blow = b.between(37, 43) * 60
	b.in, b.out = b.between(4.2, 5.8)*60, b.between(4.2, 5.8)*60
	b.blown = 0
}

// Step moves the furnace on by dt seconds.
func (b *Blast) Step(dt float64) {
	b.steer(dt)
	b.tap(dt)
	b.descend(dt)
	b.stoves(dt)
}

// steer moves the wind: of a day 97 % are at full wind, 2 % reduced, 1 % without,
// and the operator changes wind and blast temperature a little now and then.
func (b *Blast) steer(dt float64) {
	const slew = 0.1 / 60 // of the full wind a second
	b.Wind += math.Copysign(math.Min(slew*dt, math.Abs(b.wind-b.Wind)), b.wind-b.Wind)
	if b.operator -= dt; b.operator <= 0 {
		b.operator = b.between(2, 5) * 3600
		b.Hot = math.Min(1070, math.Max(1030, b.Hot+10*float64(b.rng.IntN(3)-1)))
		if b.Mode == NormalWind {
			b.wind = 1 - 0.01*float64(b.rng.IntN(4))
		}
	}
	if b.left -= dt; b.left > 0 {
		return
	}
	switch {
	case b.Mode == NormalWind:
		b.Mode, b.wind, b.left = ReducedWind, b.between(0.64, 0.74), b.between(15, 25)*60
	case b.Mode == ReducedWind && b.wind < 0.75 && b.rng.Float64() < 0.5:
		b.Mode, b.wind, b.left = NoWind, 0, b.between(20, 40)*60
	case b.Mode == NoWind: // and back by way of little wind
		b.Mode, b.wind, b.left = ReducedWind, 0.8, b.between(15, 25)*60
	default:
		b.Mode, b.wind, b.left = NormalWind, 1, b.between(14, 34)*3600
	}
}

// tap opens and closes the tap hole: a cast every two to three hours, for about
// half of them. Iron and slag that run off give the hearth's heat to the staves.
func (b *Blast) tap(dt float64) {
	if b.casting -= dt; b.casting <= 0 {
		b.Casting = !b.Casting
		b.casting = b.between(60, 100) * 60
		if b.Casting {
			b.number = b.number%99_999 + 1
			b.Cast = fmt.Sprintf("T%05d", b.number)
			b.casting = b.between(60, 80) * 60
		}
	}
	load := 0.4 + 0.6*b.Wind
	if b.Casting {
		load *= 1.05
	}
	b.Load = physics.Lag(b.Load, load, dt, 600)
}

// descend is the burden: its permeability wanders, it hangs a few times a day and
// slips, and a dry hearth lets the wind pass more easily.
func (b *Blast) descend(dt float64) {
	if b.slip -= dt; b.slip <= 0 && b.Mode == NormalWind {
		b.hanging = b.between(8, 16) * 60
		b.slip = b.between(4, 12) * 3600
	}
	switch {
	case b.hanging > 0:
		b.hang += 0.008 / 60 * dt
		if b.hanging -= dt; b.hanging <= 0 {
			b.hang = -0.5 * b.hang
		}
	default:
		b.hang = physics.Lag(b.hang, 0, dt, 420)
	}
	dry := 0.0
	if b.Casting {
		dry = 0.015
	}
	b.Resistance = 1 + b.burden.Step(dt, b.rng) + b.hang - dry
}

// stoves moves their turns, which wait for the wind.
func (b *Blast) stoves(dt float64) {
	before, direction := b.Stove, b.ToBlast
	if b.Wind > 0.05 {
		b.blown += dt
		if b.blown >= b.blow {
			b.turn = (b.turn + 1) % 3
			b.change()
		}
	}
	rest := b.blow - b.blown
	b.Filling = 0
	if e := b.in - rest; e > 60 && e < 180 && b.Wind > 0.05 {
		b.Filling = 0.04
	}
	b.ToBlast = false
	switch {
	case b.turn == 0 && b.Wind > 0.05:
		b.Stove = OnBlast
	case b.turn == 0:
		b.Stove = Isolated
	case b.turn == 1 && b.blown < b.out:
		b.Stove = ChangeOver
	case b.turn == 2 && rest < b.in:
		b.Stove, b.ToBlast = ChangeOver, true
	default:
		b.Stove = OnGas
	}
	b.Since += dt
	if b.Stove != before || b.ToBlast != direction {
		b.Since = 0
	}
}
