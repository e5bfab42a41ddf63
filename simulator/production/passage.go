package production

// Passage is the way of coils through a line: each place of it holds one, and all move
// on together. While the store before it has none, the line stands.
type Passage struct {
	line  *Line
	from  *Store
	to    func(id string) // what takes the coils that leave
	every float64         // s that a coil takes at full demand
	left  float64         // of them

	At []string // the coil in each place or last there, the first place first
}

// NewPassage holds coils that came before those of the store.
func NewPassage(l *Line, from *Store, to func(string), every float64, at ...string) *Passage {
	return &Passage{line: l, from: from, to: to, every: every, left: every / 2, At: at}
}

// Step moves the coils on as fast as the line runs.
func (p *Passage) Step(dt float64) {
	p.left -= p.line.Demand * dt
	ready := p.from.Ready() > 0
	p.line.Hold = p.left <= 0 && !ready
	if p.left > 0 || !ready {
		return
	}
	p.left = p.every
	p.to(p.At[len(p.At)-1])
	copy(p.At[1:], p.At)
	p.At[0] = p.from.Take()
}
