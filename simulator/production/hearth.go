package production

import (
	"fmt"
	"math/rand/v2"

	"millwright/simulator/physics"
)

// Hearth is a blast furnace of which no more is known than its rhythm, as its tap hole
// meets it: a cast every two to three hours, for about half of them, while it has wind.
type Hearth struct {
	rng    *rand.Rand
	line   *Line
	number int
	left   float64 // s until the next cast begins

	Cast string // running or last, "T54711"
}

// NewHearth is between two casts.
func NewHearth(seed uint64, name string, l *Line) *Hearth {
	h := &Hearth{rng: physics.Stream(seed, "hearth "+name), line: l}
	h.number = 50_000 + h.rng.IntN(40_000)
	h.next()
	return h
}

func (h *Hearth) next() {
	h.number++
	h.Cast = fmt.Sprintf("T%05d", h.number)
	h.left = (120 + 60*h.rng.Float64()) * 60
}

// Step moves the furnace on. Iron gathers with the wind.
func (h *Hearth) Step(dt float64) {
	if h.left -= h.line.Demand * dt; h.left <= 0 {
		h.next()
	}
}
