package physics

import "math"

// Centrifugal is a centrifugal pump by its curves at rated speed. Head is in any
// unit of head or pressure, flow in any unit of flow: those of its user. What the
// pump needs at its suction (NPSH) is in m.
type Centrifugal struct {
	ShutOff float64 // head at no flow
	Fall    float64 // of the head, per flow²
	Best    float64 // flow of the best efficiency
	Eta     float64 // best efficiency
	Need    float64 // NPSH at no flow, m
	More    float64 // NPSH per flow², m
}

// Flow through a system of a static head and a resistance per flow², at speed n
// over the rated one and with a factor on the head; none where the head does not
// suffice.
func (c *Centrifugal) Flow(n, factor, static, resistance float64) float64 {
	return math.Sqrt(math.Max(0, c.ShutOff*n*n*factor-static) / (c.Fall + resistance))
}

// Head at a flow.
func (c *Centrifugal) Head(flow, n, factor float64) float64 {
	return c.ShutOff*n*n*factor - c.Fall*flow*flow
}

// Efficiency at a flow.
func (c *Centrifugal) Efficiency(flow, n float64) float64 {
	off := (flow - c.Best*n) / (c.Best * n)
	return c.Eta * (1 - 0.8*off*off)
}

// Lack at a flow with a net positive suction head in m: how much the ratio of offer
// to need lacks of the 1.3 that keep cavitation quiet.
func (c *Centrifugal) Lack(offered, flow float64) float64 {
	return math.Max(0, 1.3-offered/(c.Need+c.More*flow*flow))
}

// Vortex is what a suction lacks that lies too shallow for its flow in m³/h, on the
// scale of [Centrifugal.Lack]: below the submergence of ANSI/HI 9.8 at a bell's
// diameter, both in m, vortices draw air. 0.4 with no water above the bell, less at
// less than 1 m/s.
func Vortex(level, bell, flow float64) float64 {
	speed := flow / 3600 / (math.Pi / 4 * bell * bell)
	needed := bell * (1 + 2.3*speed/math.Sqrt(9.81*bell))
	return 0.4 * math.Max(0, 1-level/needed) * math.Min(1, speed)
}

// Starved is the factor on the head of a pump whose suction lacks something.
func Starved(lack float64) float64 { return 1 - 0.03*math.Pow(lack/0.3, 2) }

// NPSH in m that water at celsius offers at a suction pressure in bar above
// atmosphere; vapour pressure after Magnus.
func NPSH(suction, celsius float64) float64 {
	vapour := 0.0061 * math.Exp(17.27*celsius/(celsius+237.3))
	return (suction + 1.013 - vapour) * 1e5 / (998 * 9.81)
}

// Induction is the current in A of a three-phase induction motor that gives kw at
// a share of its rated load, on volts between the phases.
func Induction(kw, load, volts, efficiency float64) float64 {
	cosphi := 0.88*(1-math.Exp(-3*load)) + 0.02
	return kw * 1000 / (math.Sqrt(3) * volts * cosphi * efficiency)
}
