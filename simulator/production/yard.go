package production

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"millwright/simulator/physics"
)

// Grade is a class of steel.
type Grade struct {
	Name     string
	Carbon   float64 // %
	Hardness float64 // factor on the flow stress over that of its carbon
	Gauges   []float64
}

// grades that the slab casters make, softest first.
func grades() []Grade {
	return []Grade{
		{"SAE1006", 0.05, 1, []float64{1.6, 2, 2.5, 3.2, 4}},     // deep drawing, for the cold mill
		{"SAE1010", 0.10, 1, []float64{2, 2.5, 3.2, 4, 5}},       // commercial, pipe
		{"A36", 0.18, 1, []float64{3.2, 4, 5, 6, 8, 10, 12}},     // structural
		{"HSLA340", 0.09, 1.25, []float64{2.5, 3.2, 4, 5, 6, 8}}, // high-strength, "hard"
	}
}

// Slab waits for the hot mill.
type Slab struct {
	ID    string // "H20001-03": heat, and the slab's number in it
	Heat  string
	Grade int     // index into grades
	Width float64 // mm
}

// Yard is the slab yard: what the casters have made of the converter's heats,
// and what ships have brought.
type Yard struct {
	rng    *rand.Rand
	heats  *Heats
	last   string  // heat that was tapped last
	grade  int     // of the sequence being cast
	left   int     // heats of the sequence
	ship   float64 // s since slabs were bought
	bought int
	slabs  []Slab

	// What was cast last of the works' own, and how many slabs there are.
	Heat, Slab, Grade string
	Width             float64 // mm
	Slabs             float64
}

const (
	slabsOfHeat = 8       // of 130 t
	shipEvery   = 75 * 60 // s between as many bought ones
)

// NewYard is well stocked.
func NewYard(seed uint64, heats *Heats) *Yard {
	y := &Yard{rng: physics.Stream(seed, "yard"), heats: heats, last: heats.Heat, bought: 40_000}
	for range 20 {
		y.buy()
	}
	return y
}

// sequence begins one of 4 to 9 heats of a grade. Grades are a Markov
// chain: a caster keeps to what it makes or goes to its neighbour.
func (y *Yard) sequence() {
	y.left = 4 + y.rng.IntN(6)
	switch u := y.rng.Float64(); {
	case u < 0.25:
		y.grade = (y.grade + 1) % len(grades())
	case u < 0.45:
		y.grade = (y.grade + len(grades()) - 1) % len(grades())
	}
}

// cast adds the slabs of a heat.
func (y *Yard) cast(heat string) {
	if y.left == 0 {
		y.sequence()
	}
	y.left--
	width := 700 + 50*float64(y.rng.IntN(17)) // the mould is set anew for each heat
	for i := range slabsOfHeat {
		y.slabs = append(y.slabs, Slab{ID: fmt.Sprintf("%s-%02d", heat, i+1), Heat: heat, Grade: y.grade, Width: width})
	}
}

// buy adds as many that a ship has brought.
func (y *Yard) buy() {
	y.bought++
	y.cast(fmt.Sprintf("P%05d", y.bought))
}

// Stock is the number of slabs.
func (y *Yard) Stock() int { return len(y.slabs) }

// Step follows the converter: of four heats that it has tapped three go to the
// slab casters, the others to blooms and billets. Bought slabs come evenly.
func (y *Yard) Step(dt float64) {
	y.Slabs = float64(len(y.slabs))
	y.ship += dt
	if y.ship > shipEvery {
		y.ship = 0
		y.buy()
	}
	if y.heats.Mode != "slag" || y.heats.Heat == y.last {
		return
	}
	y.last = y.heats.Heat
	if y.rng.Float64() < 0.75 {
		y.cast(y.last)
		s := y.slabs[len(y.slabs)-1]
		y.Heat, y.Slab, y.Grade, y.Width = s.Heat, s.ID, grades()[s.Grade].Name, s.Width
	}
}

// Program takes n slabs for a campaign of the hot mill, the oldest first; the
// last stock is bought. The planner brings them into the shape of a coffin: a
// few that widen while the rolls take up heat, then falling in width, so that no
// strip meets the edge that a narrower one has worn into the rolls.
func (y *Yard) Program(n int) []Slab {
	for len(y.slabs) < n {
		y.buy()
	}
	program := slices.Clone(y.slabs[:n])
	y.slabs = append(y.slabs[:0], y.slabs[n:]...)
	slices.SortStableFunc(program, func(a, b Slab) int { return cmp.Compare(b.Width, a.Width) })
	const opening = 6
	if n < 5*opening {
		return program
	}
	// The opening slabs are taken from the middle, in which nobody misses them.
	head := make([]Slab, 0, opening)
	for i := range opening {
		at := (n - i) / 2
		head = append(head, program[at])
		program = slices.Delete(program, at, at+1)
	}
	slices.SortStableFunc(head, func(a, b Slab) int { return cmp.Compare(a.Width, b.Width) })
	return append(head, program...)
}
