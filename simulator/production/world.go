package production

import (
	"math"
	"math/rand/v2"
	"time"

	"millwright/simulator/physics"
)

// Setting is where and when a works stands, and what it makes.
type Setting struct {
	Start time.Time // the works' own clock at plant time 0; zero: two in the afternoon of 10 April

	// Weak says that the public grid is one as around Karachi, with a voltage that
	// follows the day and with load-shedding; otherwise it is stiff and never fails.
	Weak bool

	// Mix says that the hot mill rolls what the slab yard has (see NewStripOf),
	// otherwise two products in turn.
	Mix bool
}

// World is what all machines share: weather, sea and grid of a works on the
// coast of Karachi.
type World struct {
	setting                             Setting
	start                               float64 // hours of the year at plant time 0
	weather, outdoor, moist, tide, grid physics.Drift
	rng, sky, power                     *rand.Rand
	shedding, shedEnd                   float64 // plant time, s, of the next load-shedding
	dip                                 float64 // share of the voltage that a change-over takes

	Hall  float64 // air in the halls, °C
	Water float64 // cooling water, °C
	Volts float64 // voltage over nominal of what the works runs on
	KV    float64 // the same, in kV
	Time  float64 // plant time, s

	Out      float64 // air outdoors, °C
	Humidity float64 // relative, outdoors, %
	Sea      float64 // sea water at the intake, °C
	Monsoon  float64 // 0 to 1 at its height, July to mid-September
	Day      float64 // of the year
	Hour     float64 // of the day

	// Shed is 1 while the public grid sheds the works' load. The works' own power
	// plant then carries what it cannot do without; all else stands.
	Shed float64
}

// NewWorld starts in the afternoon of a spring day, on a stiff grid.
func NewWorld(seed uint64) *World { return NewWorldAt(seed, Setting{}) }

// NewWorldAt starts in a setting.
func NewWorldAt(seed uint64, s Setting) *World {
	if s.Start.IsZero() {
		s.Start = time.Date(2025, time.April, 10, 14, 0, 0, 0, time.UTC)
	}
	newYear := time.Date(s.Start.Year(), time.January, 1, 0, 0, 0, 0, s.Start.Location())
	w := &World{setting: s, start: s.Start.Sub(newYear).Hours(),
		weather: physics.Drift{Sigma: 0.2, Tau: 6 * 3600}, grid: physics.Drift{Sigma: 0.003, Tau: 20},
		outdoor: physics.Drift{Sigma: 1, Tau: 60_000}, moist: physics.Drift{Sigma: 3, Tau: 20_000}, tide: physics.Drift{Sigma: 0.3, Tau: 40_000},
		rng: physics.Stream(seed, "world"), sky: physics.Stream(seed, "sky"), power: physics.Stream(seed, "load-shedding")}
	if s.Weak {
		w.grid.Sigma = 0.008
	}
	w.shedNext(0)
	w.Step(0, 1)
	return w
}

// Load-shedding: 0.2 times a day, 15 to 90 minutes.
func (w *World) shedNext(t float64) {
	w.shedding = math.Inf(1)
	if w.setting.Weak {
		w.shedding = t + w.power.ExpFloat64()*5*86_400
		w.shedEnd = w.shedding + 60*(15+75*w.power.Float64())
	}
}

// HourAt is the hour of the day at plant time t, in seconds.
func (w *World) HourAt(t float64) float64 { return math.Mod(w.start+t/3600, 24) }

// Step moves the world to plant time t, in seconds.
func (w *World) Step(t, dt float64) {
	w.Time = t
	day := math.Mod((w.start+t/3600)/24, 365) + 1
	hour := w.HourAt(t)
	w.Day, w.Hour = day, hour
	year := func(top float64) float64 { return math.Cos(2 * math.Pi * (day - top) / 365) }
	clock := func(top float64) float64 { return math.Cos(2 * math.Pi * (hour - top) / 24) }

	season := 26.5 + 6*year(165)
	w.Out = season + 4.5*clock(15) + w.outdoor.Step(dt, w.sky)
	w.Monsoon = math.Min(math.Max(0, math.Min(day-180, 260-day)/10), 1)
	humid := 62 + 14*year(215) - 18*clock(15) + 6*w.Monsoon + w.moist.Step(dt, w.sky)
	w.Humidity = math.Min(math.Max(humid, 15), 98)
	w.Sea = 25.5 + 5*year(200) + w.tide.Step(dt, w.sky)
	// A hall of this mass passes a fifth of the outdoor swing, hours later.
	w.Hall = season + 8 + 0.9*clock(18) + w.weather.Step(dt, w.rng)
	w.Water = 25.5 + 5*year(200) + 3
	w.supply(t, dt, hour)
}

// supply is the voltage that the works runs on.
func (w *World) supply(t, dt, hour float64) {
	swing := 0.002
	if w.setting.Weak {
		swing = 0.02
	}
	public := 1 + swing*math.Sin(2*math.Pi*hour/24) + w.grid.Step(dt, w.rng)
	switch {
	case t >= w.shedEnd && w.Shed == 1:
		w.Shed = 0
		w.dip = 0.05 // a gentler one: both run side by side
		w.shedNext(t)
	case t >= w.shedding && w.Shed == 0:
		w.Shed = 1
		w.dip = 0.14
	}
	w.Volts = public
	if w.Shed == 1 { // the own generators' droop, a small grid that feels every coil
		w.Volts = 0.975 + 1.5*(public-1-swing*math.Sin(2*math.Pi*hour/24))
	}
	w.Volts *= 1 - w.dip
	w.dip = physics.Lag(w.dip, 0, dt, 1.5)
	w.KV = 6.6 * w.Volts
}
