package simulator

import "math"

// pass is one rolling pass of a hot strip mill.
type pass struct {
	entry, exit float64 // strip thickness, mm
	width       float64 // mm
	temperature float64 // °C
	carbon      float64 // %
	hardness    float64 // factor on the flow stress, 1 for plain grades
	radius      float64 // work roll, mm
	speed       float64 // of the roll surface, m/s
}

// solve gives roll force in N and roll torque in N·m: flow stress after Misaka,
// geometry factor after Ford and Alexander, roll flattening after Hitchcock.
func (p *pass) solve() (force, torque float64) {
	draft := p.entry - p.exit
	if draft <= 0 || p.speed <= 0 {
		return 0, 0
	}
	reduction := math.Log(p.entry / p.exit)
	strain := 2 / math.Sqrt(3) * reduction
	kelvin := p.temperature + 273.15
	c := p.carbon
	base := 9.807 * math.Exp(0.126-1.75*c+0.594*c*c+(2851+2968*c-1120*c*c)/kelvin) * math.Pow(strain, 0.21)
	mean := (p.entry + 2*p.exit) / 3
	flattened, contact := p.radius, 0.0
	for range 10 {
		contact = math.Sqrt(flattened * draft)
		rate := 2 / math.Sqrt(3) * (p.speed * 1000 / contact) * reduction
		stress := 1.15 * base * math.Pow(rate, 0.13) * p.hardness // MPa
		force = p.width * contact * stress * (math.Pi/4 + 0.25*contact/mean)
		flattened = p.radius * (1 + 2.2e-5*force/(p.width*draft))
	}
	const arm = 0.45 // lever arm over contact length
	return force, 2 * arm * contact / 1000 * force
}
