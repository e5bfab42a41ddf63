package production

import "math"

// Modes of the run-out table.
const (
	TableWait = "wait" // turning, no strip
	TableHead = "head" // the head is on its way to the coiler
	TableRun  = "run"  // the strip is taut between mill and coiler
	TableTail = "tail" // the tail has left the mill
	TableIdle = "idle" // the mill waits or changes rolls
)

// RunOut is the strip behind the mill: it carries on what stand F3 began, through
// three more stands and over the table to the coiler.
type RunOut struct {
	strip *Strip
	coil  Coil
	held  bool // by F3

	Mode  string
	Coil  string  // the one on the table, or last there
	Head  float64 // m behind the last stand
	Tail  float64 // the same, far below 0 while the mill has it
	Speed float64 // of the strip behind the last stand, m/s
	Table float64 // reference of the rolls' surface, m/s
}

const (
	standsM = 12.2 // strip between F3 and the last stand, in metres of F3's thickness
	coilerM = 60.0 // length of the table
	farM    = 1e6
)

// NewRunOut has an empty table.
func NewRunOut(strip *Strip) *RunOut {
	return &RunOut{strip: strip, Mode: TableWait, Head: farM, Tail: farM, coil: strip.Coil, Coil: strip.Coil.ID}
}

// On reports whether strip lies over the table at x metres behind the mill.
func (r *RunOut) On(x float64) bool { return r.Head > x && r.Tail < x }

// Strip is the coil on the table, or last there.
func (r *RunOut) Strip() *Coil { return &r.coil }

// Step moves the strip on.
func (r *RunOut) Step(dt float64) {
	l := r.strip
	in := l.InStrip()
	thin := func(c *Coil) float64 { return c.Pass.Exit / c.Gauge }
	switch {
	case in && !r.held:
		r.coil = l.Coil
		r.Head, r.Tail = -standsM*thin(&r.coil), -farM
	case !in && r.held:
		r.Tail = -standsM * thin(&r.coil)
	}
	r.held = in
	if in {
		r.Speed = l.Speed * thin(&r.coil)
	}
	r.Head = math.Min(farM, r.Head+r.Speed*dt)
	if !in {
		r.Tail = math.Min(farM, r.Tail+r.Speed*dt)
	}

	next := l.Coil.Pass.Speed * thin(&l.Coil)
	target := 1.05 * next
	switch {
	case r.Tail < coilerM && r.Head > 0:
		r.Coil = r.coil.ID
		switch {
		case r.Tail > 0:
			r.Mode, target = TableTail, 0.94*r.Speed
		case r.Head > coilerM:
			r.Mode, target = TableRun, 1.005*r.Speed
		default:
			r.Mode, target = TableHead, 1.06*r.Speed
		}
	case l.Mode == Idle:
		r.Mode, target = TableIdle, 1.5
	case l.Mode == RollChange:
		r.Mode, target = TableIdle, 0
	default:
		r.Mode = TableWait
	}
	d := target - r.Table
	r.Table += math.Copysign(math.Min(math.Abs(d), 1.2*dt), d)
}
