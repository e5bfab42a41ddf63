package production

import (
	"fmt"
	"math"
)

// ladle is a heat on its way to a caster.
type ladle struct {
	heat  string
	treat float64 // s of treatment and transport that are left
	last  bool    // of its sequence
	slabs []Slab  // that it is to become, none of a heat for billets
}

// Caster is a slab or billet caster, heat by heat. It goes as fast as steel comes:
// a little slower while no other ladle waits, slowly from the tundish alone, and its
// sequence ends with the ladle that was planned as the last one.
type Caster struct {
	full   float64 // s that a heat takes at full speed
	number int     // of the sequence
	queue  []ladle
	open   ladle
	rest   float64 // share of the heat in the open ladle

	Demand   float64 // speed over the full one
	Sequence string  // being cast or last cast, "Q1234"
	Heat     string  // whose ladle is open or was the last one
	Slab     string  // being cut or cut last, empty where blooms and billets are cut
}

const treatment = 30 * 60 // s from tapping to the opening of the ladle

// newCaster stands in the middle of a sequence, or behind its end if its ladle is the
// last one and empty.
func newCaster(full float64, number int, open ladle, rest float64) *Caster {
	c := &Caster{full: full, number: number, rest: rest}
	c.begin()
	c.pour(open)
	c.rest = rest
	if rest > 0 {
		c.Demand = 0.9
	}
	c.cut()
	return c
}

func (c *Caster) begin() {
	c.number = c.number%9999 + 1
	c.Sequence = fmt.Sprintf("Q%04d", c.number)
}

// bring hangs a ladle behind the others.
func (c *Caster) bring(l ladle) { c.queue = append(c.queue, l) }

// pour opens a ladle.
func (c *Caster) pour(l ladle) {
	c.open, c.rest, c.Heat = l, 1, l.heat
	if len(l.slabs) > 0 {
		c.Slab = l.slabs[0].ID
	}
}

// Step moves the caster on by dt seconds and gives the slabs that it has cut in them.
func (c *Caster) Step(dt float64) []Slab {
	for i := range c.queue {
		c.queue[i].treat -= dt
	}
	waits := len(c.queue) > 0 && c.queue[0].treat <= 0
	if c.rest <= 0 && waits {
		if c.open.last {
			c.begin()
		}
		c.pour(c.queue[0])
		c.queue = append(c.queue[:0], c.queue[1:]...)
		waits = len(c.queue) > 0 && c.queue[0].treat <= 0
	}
	speed := 0.0
	switch {
	case c.rest > 0 && waits:
		speed = 1
	case c.rest > 0:
		speed = 0.9
	case !c.open.last:
		speed = 0.5
	}
	ramp := dt / 120
	c.Demand += math.Max(-ramp, math.Min(ramp, speed-c.Demand))
	if c.rest > 0 {
		c.rest -= c.Demand * dt / c.full
	}
	return c.cut()
}

// cut gives the slabs of the open ladle that are ready.
func (c *Caster) cut() []Slab {
	slabs := c.open.slabs
	left := int(math.Ceil(math.Max(0, c.rest) * slabsOfHeat)) // with the one being cut
	n := max(0, len(slabs)-left)
	if c.open.slabs = slabs[n:]; len(c.open.slabs) > 0 {
		c.Slab = c.open.slabs[0].ID
	}
	return slabs[:n]
}
