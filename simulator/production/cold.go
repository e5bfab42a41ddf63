package production

// Cold is what becomes of hot strip: the pickling line with the tandem mill behind it,
// bell annealing with the skin-pass mill behind it, and galvanizing. Each has the coils
// that the one before has made; all keep the number that the hot mill gave them.
type Cold struct {
	lines     [4]*Line
	hot       *Store // of the coilers
	hard      *Store // rolled, for galvanizing
	soft      *Store // rolled, for annealing
	annealed  *Store
	Mill      *Passage // places: pickling line, tandem mill
	Annealing *Annealing
	Temper    *Passage // the skin-pass mill
	Zinc      *Passage // galvanizing: entry, furnace with pot, exit
}

// What the cold end has at plant time 0, and how long a coil takes at full demand.
const (
	hotCoils, hardCoils, softCoils = 240, 30, 2 * stackCoils

	rollTime   = 18 * 60 // s
	temperTime = 25 * 60
	zincTime   = 25 * 60
)

// NewHotStore is where coils of the hot mill cool for two days.
func NewHotStore() *Store { return NewStore(48*3600, 300) }

// NewCold has coils of days before the first one of the strip: the longer a coil is on
// its way the lower is its number. The lines are those of mill, annealing, skin-pass
// mill and galvanizing.
func NewCold(strip *Strip, hot *Store, lines [4]*Line) *Cold {
	c := &Cold{lines: lines, hot: hot, hard: NewStore(0, 60), soft: NewStore(0, 60), annealed: NewStore(0, 60)}
	age := 1 + Bases*stackCoils + 3 + hardCoils + softCoils + 2 + hotCoils
	next := func() string { age--; return strip.Before(age + 1) }
	some := func(n int) []string {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = next()
		}
		return ids
	}
	gone := func(string) {}
	c.Temper = NewPassage(lines[2], c.annealed, gone, temperTime, next())
	var stacks [Bases][]string
	for i := range stacks {
		stacks[i] = some(stackCoils)
	}
	c.Annealing = NewAnnealing(lines[1], c.soft, c.annealed, stacks)
	z := some(3)
	c.Zinc = NewPassage(lines[3], c.hard, gone, zincTime, z[2], z[1], z[0])
	c.hard.Stock(some(hardCoils)...)
	c.soft.Stock(some(softCoils)...)
	m := some(2)
	c.Mill = NewPassage(lines[0], hot, c.rolled, rollTime, m[1], m[0])
	hot.Stock(some(hotCoils)...)
	return c
}

// rolled sends a coil on. Annealing has its stacks first, galvanizing the rest; what
// neither has room for is sold.
func (c *Cold) rolled(id string) {
	if c.soft.Ready() < softCoils {
		c.soft.Put(id)
		return
	}
	c.hard.Put(id)
}

// Step moves everything on.
func (c *Cold) Step(dt float64) {
	for _, l := range c.lines {
		l.Step(dt)
	}
	c.Mill.Step(dt)
	c.Annealing.Step(dt)
	c.Temper.Step(dt)
	c.Zinc.Step(dt)
}
