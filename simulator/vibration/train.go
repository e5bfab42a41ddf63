package vibration

import "math"

// train is a sequence of impacts as it is sampled.
type train struct {
	Impacts
	next   float64 // sample of the next impact, a fraction
	period float64 // samples
	phase  float64 // of the modulation, rad

	anywhere bool // impacts at any time instead of equal distances
}

const (
	extra   = 12  // impacts to one where the damage has spread over the race
	milder  = 0.6 // is each of them
	loaded  = 0.5 // ε_l of the load zone: half the race
	warming = 12  // times 1/ζω before the first sample, in which impacts ring already
)

func (g *generator) train(p Impacts) train {
	t := train{Impacts: p, period: 1 / (p.Order * g.turn), phase: 2 * math.Pi * g.events.Float64()}
	before := warming / g.decay
	if p.Modulation == Once {
		angle := g.start * p.Order
		t.next = (math.Ceil(angle) - angle - math.Ceil(before/t.period)) * t.period
		return t
	}
	t.next = -before - t.period*g.events.Float64()
	return t
}

// spread are the impacts of the rest of the race.
func (g *generator) spread(p Impacts) train {
	t := g.train(p)
	t.anywhere = true
	t.Amp *= milder
	t.period /= extra * p.Spread
	return t
}

// strike puts the impacts of the block that begins at sample n into the
// resonance.
func (g *generator) strike(t *train, n float64) {
	for t.next <= n+block-1 {
		g.ringAt(t.next-n, t.Amp*g.modulation(t, t.next))
		switch {
		case t.anywhere:
			t.next += t.period * g.events.ExpFloat64()
		case t.Modulation == Once:
			t.next += t.period
		default:
			t.next += t.period * math.Max(0.1, 1+t.Jitter*g.events.NormFloat64())
		}
	}
}

// ringAt lets an impact ring at a sample of the block.
func (g *generator) ringAt(at, amp float64) {
	i := max(0, math.Ceil(at))
	if i >= block || amp == 0 {
		return
	}
	age := i - at
	sin, cos := math.Sincos(g.omega * age)
	amp *= math.Exp(-g.decay * age)
	g.re[int(i)] += amp * cos
	g.im[int(i)] += amp * sin
}

// modulation is m(t) at a sample.
func (g *generator) modulation(t *train, sample float64) float64 {
	switch t.Modulation {
	case Even:
		return 1 + 0.1*g.events.NormFloat64()
	case LoadZone:
		return zone(2*math.Pi*g.turn*sample + t.phase)
	case Spin:
		return zone(2*math.Pi*t.Cage*g.turn*sample + t.phase)
	}
	return 1
}

// zone is the load at an angle from the middle of the load zone, to the power 1.5
// of the contact.
func zone(angle float64) float64 {
	return math.Pow(math.Max(0, 1-(1-math.Cos(angle))/(2*loaded)), 1.5)
}
