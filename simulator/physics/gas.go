package physics

import "math"

// Gas constants of air, J/(kg·K), its heat capacity ratio, and the mass of a
// normal cubic metre (0 °C, 1.01325 bar) in kg.
const (
	AirR     = 287.05
	AirGamma = 1.4
	AirNorm  = 1.2929
	AirCp    = 1005.0
)

// Choked is the mass flow in kg/s of air at absolute pressure p (Pa) and
// temperature kelvin out of a hole of area (m²) into the open: at more than some
// 0.9 bar above atmosphere it leaves at the speed of sound, whatever is outside.
// discharge is the coefficient of the hole, 0.6 for a sharp edge.
func Choked(area, discharge, p, kelvin float64) float64 {
	const g = AirGamma
	critical := math.Pow(2/(g+1), (g+1)/(2*(g-1)))
	return discharge * area * p * math.Sqrt(g/(AirR*kelvin)) * critical
}

// Compression is the work in J/kg and the final temperature in K of the
// polytropic compression of air from kelvin by a pressure ratio, at exponent n.
func Compression(kelvin, ratio, n float64) (work, final float64) {
	e := (n - 1) / n
	rise := math.Pow(ratio, e)
	return AirR * kelvin * (rise - 1) / e, kelvin * rise
}
