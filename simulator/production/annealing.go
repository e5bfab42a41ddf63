package production

import "strings"

// Annealing is the bases of a bell annealing plant. Each anneals a stack of coils at a
// time, which then go to the next line.
type Annealing struct {
	line  *Line
	from  *Store
	to    *Store
	bases [Bases]base

	Coils [Bases]string // on each base, by their numbers from below
}

// base is a base of the plant with its stack.
type base struct {
	coils []string
	left  float64 // s at full demand
}

const (
	// Bases of the plant.
	Bases = 3

	stackCoils = 4
	annealing  = 40 * 3600 // s at full demand
)

// NewAnnealing has a stack on each base, of coils that came before those of the store.
func NewAnnealing(l *Line, from, to *Store, coils [Bases][]string) *Annealing {
	a := &Annealing{line: l, from: from, to: to}
	for i := range a.bases {
		a.charge(i, coils[i])
		a.bases[i].left = annealing * float64(i+1) / Bases
	}
	return a
}

func (a *Annealing) charge(i int, coils []string) {
	a.bases[i] = base{coils: coils, left: annealing}
	a.Coils[i] = strings.Join(coils, " ")
}

// Step anneals. A stack that is ready stays until there is another.
func (a *Annealing) Step(dt float64) {
	for i := range a.bases {
		b := &a.bases[i]
		if b.left -= a.line.Demand * dt; b.left > 0 || a.from.Ready() < stackCoils {
			continue
		}
		for _, id := range b.coils {
			a.to.Put(id)
		}
		next := make([]string, stackCoils)
		for k := range next {
			next[k] = a.from.Take()
		}
		a.charge(i, next)
	}
}
