package wear

import "math"

// Duty is how hard a machine works, 1 at its rated load and speed.
type Duty struct {
	Fatigue float64 // load^(10/3)·speed: the life of roller bearings (ISO 281), and of teeth near enough
	Use     float64 // load·speed: what rubs, blocks and fouls
}

// Over is the duty over the usual one; over a usual one of none it is none.
func (d Duty) Over(usual Duty) Duty {
	var out Duty
	if usual.Fatigue > 0 {
		out.Fatigue = d.Fatigue / usual.Fatigue
	}
	if usual.Use > 0 {
		out.Use = d.Use / usual.Use
	}
	return out
}

// Meter takes the mean of a duty. Look at the machine once a second of plant time.
type Meter struct {
	looks int
	sum   Duty
}

// Look adds a second with this share of the rated load and speed.
func (m *Meter) Look(load, speed float64) {
	load, speed = math.Abs(load), math.Abs(speed)
	m.looks++
	m.sum.Fatigue += load * load * load * math.Cbrt(load) * speed
	m.sum.Use += load * speed
}

// Take is the mean since the last call.
func (m *Meter) Take() Duty {
	n := float64(max(m.looks, 1))
	d := Duty{m.sum.Fatigue / n, m.sum.Use / n}
	*m = Meter{}
	return d
}
