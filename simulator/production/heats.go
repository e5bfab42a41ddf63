package production

import (
	"fmt"
	"math/rand/v2"

	"millwright/simulator/physics"
)

// Heats is a converter from heat to heat.
type Heats struct {
	rng    *rand.Rand
	number int
	left   float64 // s of the step

	Mode  string  // "charge", "blow", "sample", "tap", "slag"
	Heat  string  // its number, "H20001"
	Blown float64 // s since the blow began
	Blow  float64 // length of this heat's blow, s
	Rich  float64 // CO of this heat over the usual
}

// NewHeats begins with a blow.
func NewHeats(seed uint64) *Heats {
	h := &Heats{rng: physics.Stream(seed, "heats")}
	h.number = 20_000 + h.rng.IntN(60_000)/2 // those of the other converter are higher
	h.begin("blow")
	return h
}

// begin begins a step of the heat; a charge begins a new heat.
func (h *Heats) begin(step string) {
	h.Mode = step
	u := h.rng.Float64()
	switch step {
	case "charge":
		h.number++
		h.left = 330 + 60*u
	case "blow":
		h.left = 960 + 120*u
		h.Blow, h.Blown = h.left, 0
		h.Rich = 1 + 0.02*(2*h.rng.Float64()-1)
	case "sample":
		h.left = 210 + 60*u
	case "tap":
		h.left = 330 + 60*u
	case "slag":
		h.left = 420 + 240*u
	}
	h.Heat = heatName(h.number)
}

func heatName(number int) string { return fmt.Sprintf("H%05d", number) }

// Before is the heat that was made n heats before the present one.
func (h *Heats) Before(n int) string { return heatName(h.number - n) }

var heatSteps = map[string]string{"charge": "blow", "blow": "sample", "sample": "tap", "tap": "slag", "slag": "charge"}

// Step moves the converter on by dt seconds.
func (h *Heats) Step(dt float64) {
	h.left -= dt
	h.Blown += dt
	if h.left <= 0 {
		h.begin(heatSteps[h.Mode])
	}
}
