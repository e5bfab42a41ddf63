package physics

import "math"

// Accumulator is a bladder accumulator: gas of Volume m³ at the pre-charge
// (absolute, any unit of pressure) when it holds no oil, polytropic with exponent
// 1.25 in quick changes (between isothermal 1 and adiabatic 1.4 of nitrogen).
type Accumulator struct {
	Volume, Precharge float64
}

const polytropic = 1.25

// Oil is the volume in m³ that it holds at a pressure, none below the pre-charge.
func (a Accumulator) Oil(pressure float64) float64 {
	if pressure <= a.Precharge {
		return 0
	}
	return a.Volume * (1 - math.Pow(a.Precharge/pressure, 1/polytropic))
}

// Pressure at which it holds a volume of oil in m³; the pre-charge where empty.
func (a Accumulator) Pressure(oil float64) float64 {
	return a.Precharge * math.Pow(1-math.Min(math.Max(oil, 0), 0.95*a.Volume)/a.Volume, -polytropic)
}
