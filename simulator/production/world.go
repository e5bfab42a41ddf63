package production

import (
	"math"
	"math/rand/v2"

	"millwright/simulator/physics"
)

// World is what all machines share.
type World struct {
	start   float64 // hour of the day at plant time 0
	day     float64 // day of the year
	weather physics.Drift
	grid    physics.Drift
	rng     *rand.Rand

	Hall  float64 // air in the halls, °C
	Water float64 // cooling water, °C
	Volts float64 // grid voltage over nominal
	KV    float64 // grid voltage
	Time  float64 // plant time, s
}

// NewWorld starts in the afternoon of a spring day on the coast of Karachi.
func NewWorld(seed uint64) *World {
	w := &World{start: 14, day: 100, weather: physics.Drift{Sigma: 0.2, Tau: 6 * 3600}, grid: physics.Drift{Sigma: 0.003, Tau: 20},
		rng: physics.Stream(seed, "world")}
	w.Step(0, 1)
	return w
}

// Step moves the world to plant time t, in seconds.
func (w *World) Step(t, dt float64) {
	w.Time = t
	hour := w.start + t/3600
	season := 26.5 + 6*math.Cos(2*math.Pi*(w.day-165)/365)
	// A hall of this mass passes a fifth of the outdoor swing, hours later.
	w.Hall = season + 8 + 0.9*math.Cos(2*math.Pi*(hour-18)/24) + w.weather.Step(dt, w.rng)
	w.Water = 25.5 + 5*math.Cos(2*math.Pi*(w.day-200)/365) + 3
	w.Volts = 1 + 0.002*math.Sin(2*math.Pi*hour/24) + w.grid.Step(dt, w.rng)
	w.KV = 6.6 * w.Volts
}
