package physics

import "math"

// Pass is one rolling pass of a hot strip mill.
type Pass struct {
	Entry, Exit float64 // strip thickness, mm
	Width       float64 // mm
	Temperature float64 // °C
	Carbon      float64 // %
	Hardness    float64 // factor on the flow stress, 1 for plain grades
	Radius      float64 // work roll, mm
	Speed       float64 // of the roll surface, m/s
}

// Solve gives roll force in N and roll torque in N·m: flow stress after Misaka,
// geometry factor after Ford and Alexander, roll flattening after Hitchcock.
func (p *Pass) Solve() (force, torque float64) {
	draft := p.Entry - p.Exit
	if draft <= 0 || p.Speed <= 0 {
		return 0, 0
	}
	reduction := math.Log(p.Entry / p.Exit)
	strain := 2 / math.Sqrt(3) * reduction
	kelvin := p.Temperature + 273.15
	c := p.Carbon
	base := 9.807 * math.Exp(0.126-1.75*c+0.594*c*c+(2851+2968*c-1120*c*c)/kelvin) * math.Pow(strain, 0.21)
	mean := (p.Entry + 2*p.Exit) / 3
	flattened, contact := p.Radius, 0.0
	for range 10 {
		contact = math.Sqrt(flattened * draft)
		rate := 2 / math.Sqrt(3) * (p.Speed * 1000 / contact) * reduction
		stress := 1.15 * base * math.Pow(rate, 0.13) * p.Hardness // MPa
		force = p.Width * contact * stress * (math.Pi/4 + 0.25*contact/mean)
		flattened = p.Radius * (1 + 2.2e-5*force/(p.Width*draft))
	}
	const arm = 0.45 // lever arm over contact length
	return force, 2 * arm * contact / 1000 * force
}
