package simulator

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// stream is a source of random numbers of its own for each purpose, so that one
// purpose does not shift the numbers of another.
func stream(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// drift is a stationary first-order process (Ornstein and Uhlenbeck) with
// standard deviation sigma and correlation time tau in seconds, exact at any
// step.
type drift struct {
	sigma, tau float64
	x          float64
}

func (d *drift) step(dt float64, r *rand.Rand) float64 {
	rho := math.Exp(-dt / d.tau)
	d.x = rho*d.x + math.Sqrt(1-rho*rho)*d.sigma*r.NormFloat64()
	return d.x
}

// lag moves y towards x with time constant tau in seconds, exact for constant x.
func lag(y, x, dt, tau float64) float64 { return x + (y-x)*math.Exp(-dt/tau) }

// world is what all machines share.
type world struct {
	start   float64 // hour of the day at plant time 0
	day     float64 // day of the year
	weather drift
	grid    drift
	rng     *rand.Rand

	hall  float64 // air in the halls, °C
	water float64 // cooling water, °C
	volts float64 // grid voltage over nominal
	kv    float64 // grid voltage
	time  float64 // plant time, s
}

// newWorld starts in the afternoon of a spring day on the coast of Karachi.
func newWorld(seed uint64) *world {
	w := &world{start: 14, day: 100, weather: drift{sigma: 0.2, tau: 6 * 3600}, grid: drift{sigma: 0.003, tau: 20},
		rng: stream(seed, "world")}
	w.step(0, 1)
	return w
}

// step moves the world to plant time t, in seconds.
func (w *world) step(t, dt float64) {
	w.time = t
	hour := w.start + t/3600
	season := 26.5 + 6*math.Cos(2*math.Pi*(w.day-165)/365)
	// A hall of this mass passes a fifth of the outdoor swing, hours later.
	w.hall = season + 8 + 0.9*math.Cos(2*math.Pi*(hour-18)/24) + w.weather.step(dt, w.rng)
	w.water = 25.5 + 5*math.Cos(2*math.Pi*(w.day-200)/365) + 3
	w.volts = 1 + 0.002*math.Sin(2*math.Pi*hour/24) + w.grid.step(dt, w.rng)
	w.kv = 6.6 * w.volts
}

func (w *world) sensors() []sensor {
	return []sensor{
		{path: "SIM/PLANT_TIME", value: &w.time, every: slow},
		{path: "SIM/T_HALL", value: &w.hall, every: slow, tau: 30, sigma: 0.06},
		{path: "SIM/U_GRID", value: &w.kv, every: slow, tau: 0.5, sigma: 0.005},
	}
}
