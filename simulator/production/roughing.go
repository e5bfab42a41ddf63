package production

// Roughing is the way of a slab through the roughing mill, in front of the strip that
// becomes of it.
type Roughing struct {
	strip *Strip
	since float64 // s since the slab came to the first stand

	First, Second string // slab in each stand or last there
	Shear         string // slab of the bar at the crop shear or last there
}

const toSecond = 7 // s from the first stand to the second

// NewRoughing has roughed the bar that the finishing mill waits for.
func NewRoughing(strip *Strip) *Roughing {
	id := strip.Coil.Slab
	return &Roughing{strip: strip, First: id, Second: id, Shear: id}
}

// Step moves the bar on.
func (r *Roughing) Step(dt float64) {
	id := r.strip.Coil.Slab
	if r.since += dt; r.First != id {
		r.First, r.since = id, 0
	}
	if r.since >= toSecond {
		r.Second = r.First
	}
	if r.strip.InStrip() {
		r.Shear = id
	}
}
