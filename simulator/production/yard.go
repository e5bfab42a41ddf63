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

// Yard is the slab yard: what the slab casters have made of the converter's heats,
// and what ships have brought. The steel goes where the melt shop's plan sends it: a
// sequence for both slab casters at once, heat by heat in turn, then one for the billet
// caster.
type Yard struct {
	rng   *rand.Rand
	heats *Heats
	last  string // heat that was tapped last

	billets bool    // the billet caster has its turn
	left    int     // heats of that turn
	own     int     // grade of the slab casters' sequences
	bought  int     // heats of others, by ship
	ship    float64 // s since slabs were bought
	grade   int     // of the load
	load    int     // heats left of it
	slabs   []Slab

	SlabCasters  [2]*Caster
	BilletCaster *Caster

	// What was cut last of the works' own, and how many slabs there are.
	Heat, Slab, Grade string
	Width             float64 // mm
	Slabs             float64
}

const (
	slabsOfHeat = 8       // of 130 t
	shipEvery   = 75 * 60 // s between as many bought ones

	slabHeat   = 80 * 60 // s of a heat at full speed: one strand of 200 × 1100 mm
	billetHeat = 40 * 60 // six strands of 160 × 160 mm
)

// NewYard is well stocked, and the casters have the heats that were tapped before.
func NewYard(seed uint64, heats *Heats) *Yard {
	y := &Yard{rng: physics.Stream(seed, "yard"), heats: heats, last: heats.Heat, bought: 40_000}
	for range 20 {
		y.buy()
	}
	y.left = 2 * (1 + y.rng.IntN(4))
	sequence := func() int { return 1000 + y.rng.IntN(8000) }
	slabs := func(before int) ladle {
		return ladle{heat: heats.Before(before), slabs: y.plan(heats.Before(before), y.grade)}
	}
	y.own = y.grade
	y.SlabCasters = [2]*Caster{newCaster(slabHeat, sequence(), slabs(2), 0.6), newCaster(slabHeat, sequence(), slabs(1), 1)}
	y.BilletCaster = newCaster(billetHeat, sequence(), ladle{heat: heats.Before(3), last: true}, 0)
	return y
}

// next is the grade behind another. Grades are a Markov chain: a caster keeps to what
// it makes or goes to its neighbour.
func (y *Yard) next(grade int) int {
	switch u := y.rng.Float64(); {
	case u < 0.25:
		return (grade + 1) % len(grades())
	case u < 0.45:
		return (grade + len(grades()) - 1) % len(grades())
	}
	return grade
}

// plan is the slabs of a heat.
func (y *Yard) plan(heat string, grade int) []Slab {
	width := 700 + 50*float64(y.rng.IntN(17)) // the mould is set anew for each heat
	slabs := make([]Slab, slabsOfHeat)
	for i := range slabs {
		slabs[i] = Slab{ID: fmt.Sprintf("%s-%02d", heat, i+1), Heat: heat, Grade: grade, Width: width}
	}
	return slabs
}

// buy adds the slabs of a heat that a ship has brought, loads of 4 to 9 heats of a grade.
func (y *Yard) buy() {
	if y.load == 0 {
		y.load = 4 + y.rng.IntN(6)
		y.grade = y.next(y.grade)
	}
	y.load--
	y.bought++
	y.slabs = append(y.slabs, y.plan(fmt.Sprintf("P%05d", y.bought), y.grade)...)
}

// send gives a heat that has been tapped to a caster. Of four heats three become slabs.
func (y *Yard) send(heat string) {
	if y.left == 0 {
		y.billets = !y.billets
		if y.billets {
			y.left = 3 + y.rng.IntN(4)
		} else { // 4 to 9 heats for each
			y.left = 2 * (4 + y.rng.IntN(6))
			y.own = y.next(y.own)
		}
	}
	if y.billets {
		y.BilletCaster.bring(ladle{heat: heat, treat: treatment, last: y.left == 1})
	} else {
		k := y.left % 2
		y.SlabCasters[k].bring(ladle{heat: heat, treat: treatment, last: y.left <= 2, slabs: y.plan(heat, y.own)})
	}
	y.left--
}

// Stock is the number of slabs.
func (y *Yard) Stock() int { return len(y.slabs) }

// Step follows the converter and moves the casters on. Bought slabs come evenly.
func (y *Yard) Step(dt float64) {
	y.Slabs = float64(len(y.slabs))
	y.ship += dt
	if y.ship > shipEvery {
		y.ship = 0
		y.buy()
	}
	if y.heats.Mode == "slag" && y.heats.Heat != y.last {
		y.last = y.heats.Heat
		y.send(y.last)
	}
	for _, c := range y.SlabCasters {
		for _, s := range c.Step(dt) {
			y.slabs = append(y.slabs, s)
			y.Heat, y.Slab, y.Grade, y.Width = s.Heat, s.ID, grades()[s.Grade].Name, s.Width
		}
	}
	y.BilletCaster.Step(dt)
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
