package production

// Coilers are the two down coilers behind the run-out table, which take turns. What
// they have wound that suits the cold mill is kept for it.
type Coilers struct {
	table   *RunOut
	store   *Store
	coil    Coil // being wound or wound last
	winding bool
	turn    int

	At [2]string // coil on each mandrel or last there
}

// ForColdMill is the grade of which the cold mill rolls.
const ForColdMill = "SAE1006"

// NewCoilers wait for a coil.
func NewCoilers(table *RunOut, store *Store) *Coilers {
	id := table.strip.Before(1)
	return &Coilers{table: table, store: store, coil: Coil{ID: id}, At: [2]string{id, id}}
}

// Step follows the strip on the table.
func (c *Coilers) Step(dt float64) {
	c.store.Step(dt)
	t := c.table
	on, id := t.Head > coilerM && t.Tail < coilerM, t.Strip().ID
	if c.winding && (!on || id != c.coil.ID) {
		if c.winding = false; c.coil.Grade == ForColdMill {
			c.store.Put(c.coil.ID)
		}
	}
	if on && !c.winding && id != c.coil.ID {
		c.winding, c.coil = true, *t.Strip()
		c.turn = 1 - c.turn
		c.At[c.turn] = id
	}
}
