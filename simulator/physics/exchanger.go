package physics

import "math"

// Effectiveness of a counterflow heat exchanger: the share of the greatest
// possible heat that it passes. ntu is UA over the smaller heat capacity rate,
// ratio the smaller over the larger one (ε-NTU method, Kays and London).
func Effectiveness(ntu, ratio float64) float64 {
	if math.Abs(1-ratio) < 1e-6 {
		return ntu / (1 + ntu)
	}
	x := math.Exp(-ntu * (1 - ratio))
	return (1 - x) / (1 - ratio*x)
}

// Fouled is the UA in W/K that is left of a clean one behind a fouling resistance
// rf in m²K/W on an area in m².
func Fouled(ua, rf, area float64) float64 { return 1 / (1/ua + rf/area) }
