package machine

import (
	"math"
	"math/rand/v2"
	"time"

	"millwright/simulator/physics"
	"millwright/simulator/production"
)

// Stove is a hot-blast stove: gas heats its checkers from the dome down, then the
// wind takes the heat from below. Cold blast that passes the stove by holds the
// set point, the less of it the cooler the checkers are.
//
// The checkers are a column of lumps in counterflow, each C·dT/dt = ±ε·ṁc·(T_gas −
// T) with ε = 1 − exp(−hA/ṁc): one lump cannot show that the gas leaves at 300 °C
// what is 1250 °C at the top.
type Stove struct {
	rng   *rand.Rand
	world *production.World
	blast *production.Blast

	fouling, burner, rich, leak, slow, spot Fault

	noise struct{ heat, others, gas, air, sun, water, oxygen, cold physics.Drift }

	checkers            [checkerLumps]float64 // °C, from the dome down
	gasBase             float64               // kNm³/h, what the operator asks for
	bypass              float64               // share of the wind that passes the stove by
	hot, cold, off, chm stoveValve
	mode                string // before this step
	heatIn, heatOut     float64

	dome, hotBlast, hotRef, exit, mixer, coldBlast, wind float64
	gas, air, oxygen, waste, drop, pressure              float64
	shell                                                [6]float64
	waterIn, waterOut, waterInT, waterOutT               float64
}

const (
	checkerLumps   = 10
	checkerHeat    = 0.95e9 / checkerLumps // J/K
	checkerHA      = 800e3 / checkerLumps  // W/K at full wind or gas
	stoveGas       = 41.0                  // kNm³/h
	stoveGasHeat   = 3.95e6                // J/Nm³: blast-furnace gas with 5 % coke-oven gas
	stoveGasAir    = 0.82                  // Nm³ of air for one of gas
	stoveGasFlue   = 1.69                  // Nm³ of waste gas from it, without excess air
	stoveFlameHeat = 1580.0                // J/(Nm³·K), hot
	stoveWasteHeat = 1450.0                // J/(Nm³·K), over the whole fall of temperature
	stoveAirHeat   = 1120.0                // J/(kg·K), mean from 180 to 1050 °C
	domeLimit      = 1350.0                // °C
	wasteLimit     = 362.0                 // °C
	stoveLossKW    = 900.0
	valveWater     = 30.0 // m³/h
	valveHeatOpen  = 340.0
	valveHeatShut  = 130.0 // kW into the hot-blast valve's cooling
)

// stoveValve is one that travels between open and shut.
type stoveValve struct {
	position float64
	usual    float64 // travel time of a stroke, s
	stroke   float64 // travel time of this stroke, s
	since    float64 // s in this stroke
	travel   float64 // s that the last whole stroke took
	open     float64 // limit switch: 1 or 0
}

// drive moves the valve towards open (1) or shut (0); slow lengthens its stroke.
func (v *stoveValve) drive(target, slow, dt float64, rng *rand.Rand) {
	if v.position == target {
		v.since = 0
		return
	}
	if v.since == 0 {
		v.stroke = v.usual * (1 + slow + 0.012*rng.NormFloat64())
	}
	v.since += dt
	step := dt / v.stroke
	if math.Abs(target-v.position) > step {
		v.position += math.Copysign(step, target-v.position)
		return
	}
	v.position = target
	v.travel = v.stroke
	v.open = target
}

// NewStove stands in the middle of its heating.
func NewStove(seed uint64, w *production.World, b *production.Blast) *Stove {
	s := &Stove{rng: physics.Stream(seed, "stove"), world: w, blast: b, gasBase: 39, dome: 1300, hotBlast: 1050, hotRef: 1050, exit: 1100,
		coldBlast: 180, waste: 220, oxygen: 1.2, waterOutT: 36, bypass: 0.1, mode: production.OnGas}
	s.checkers = [checkerLumps]float64{1310, 1200, 1077, 958, 845, 738, 635, 537, 444, 356}
	s.shell = [6]float64{110, 104, 88, 93, 78, 62}
	s.hot = stoveValve{usual: 28, travel: 28}
	s.cold = stoveValve{usual: 30, travel: 30}
	s.off = stoveValve{usual: 20, travel: 20, position: 1, open: 1}
	s.chm = stoveValve{usual: 35, travel: 35, position: 1, open: 1}
	s.noise.heat = physics.Drift{Sigma: 0.012, Tau: 3600}
	s.noise.others = physics.Drift{Sigma: 3, Tau: 300}
	s.noise.gas = physics.Drift{Sigma: 0.006, Tau: 20}
	s.noise.air = physics.Drift{Sigma: 0.008, Tau: 15}
	s.noise.sun = physics.Drift{Sigma: 1.2, Tau: 7200}
	s.noise.water = physics.Drift{Sigma: 0.004, Tau: 240}
	s.noise.oxygen = physics.Drift{Sigma: 0.04, Tau: 40}
	s.noise.cold = physics.Drift{Sigma: 1.5, Tau: 1200}
	const m = time.Minute
	s.fouling = Fault{Name: "fouling", Code: "T1", Course: Even, Growth: 8 * 60 * m, Life: 120 * day,
		About: "dust and slag in the checkers: waste gas gets hot sooner, the blast falls below its set point at the end, pressure drop rises"}
	s.burner = Fault{Name: "burner-drift", Code: "T2", Course: Even, Growth: 60 * m, Life: 60 * day,
		About: "the burner gets a tenth more air than its meter says: oxygen in the waste gas, more gas for the same blast"}
	s.rich = Fault{Name: "burner-drift-rich", Code: "T2", Course: Even, Growth: 60 * m, Life: 60 * day,
		About: "the burner gets a tenth less air than its meter says: more air by the meter for the same dome, unburnt gas until the dome is hot"}
	s.leak = Fault{Name: "element-leak", Code: "T4", Course: Growing, Growth: 30 * m, Life: 8 * time.Hour,
		About: "the hot-blast valve leaks cooling water into the blast: less comes out than goes in, up to 2 %"}
	s.slow = Fault{Name: "valve-slow", Code: "V1", Course: Even, Growth: 60 * m, Life: 28 * day,
		About: "the chimney valve sticks and does not close tightly: its travel takes 20 % longer, and warm air leaks to the chimney while the stove is on blast (no code in the common list: V1)"}
	s.spot = Fault{Name: "hot-spot", Code: "R1", Course: Growing, Growth: 60 * m, Life: 45 * day,
		About: "the lining at the top of the combustion chamber is thin: the shell there gets up to 80 K warmer (no code in the common list: R1)"}
	return s
}

func (s *Stove) Path() string { return "BF/BF1/ST1" }

func (s *Stove) Step(dt float64) {
	b := s.blast
	s.hotRef = b.Hot
	s.wind = b.Wind * fullWind
	s.coldBlast = physics.Lag(s.coldBlast, 95+85*b.Wind+0.8*(s.world.Out-30)+s.noise.cold.Step(dt, s.rng), dt, 300)
	s.operate()
	s.valves(dt)
	burning := s.burn(dt)
	blowing := s.blow(dt)
	if !burning && !blowing {
		s.dome = physics.Lag(s.dome, s.checkers[0], dt, 1800)
		s.exit = physics.Lag(s.exit, 0.8*s.checkers[0], dt, 2400)
	}
	loss := stoveLossKW * 1000 / checkerLumps / checkerHeat * dt
	mean := 0.0
	for i := range s.checkers {
		mean += s.checkers[i] / checkerLumps
	}
	for i := range s.checkers {
		s.checkers[i] -= loss * s.checkers[i] / mean
	}
	s.surface(dt)
	s.cool(dt)
}

// operate trims the gas once a cycle, at the end of the blast, so that a little
// cold blast is still needed then.
func (s *Stove) operate() {
	if s.mode == production.OnBlast && s.blast.Stove != production.OnBlast && s.blast.Wind > 0.9 {
		s.gasBase = math.Min(stoveGas*1.16, math.Max(0.7*stoveGas, s.gasBase*(1+0.4*(0.07-s.bypass))))
	}
	s.mode = s.blast.Stove
}

// valves follow the change-over: gas off, chimney shut, fill with cold blast, open
// to the blast; and back by way of a blow-off. The pressure goes with them.
func (s *Stove) valves(dt float64) {
	b, e := s.blast, s.blast.Since
	var gas, chimney, cold, hot float64
	full := 2.55 * b.Wind * b.Wind * (0.4 + 0.6*b.Resistance)
	pressure, tau := 0.012, 25.0
	switch {
	case s.mode == production.OnGas:
		gas, chimney = 1, 1
	case s.mode == production.OnBlast:
		cold, hot, pressure, tau = 1, 1, full, 3
	case s.mode == production.Isolated:
		pressure, tau = 0.3, 900
	case b.ToBlast:
		if e < 30 {
			chimney = 1
		}
		if e > 60 {
			pressure, tau = full, 35
		}
		if e > 185 {
			cold = 1
		}
		if e > 212 {
			hot = 1
		}
	default: // to gas
		if e < 15 {
			cold = 1
		}
		if e < 60 {
			pressure, tau = s.pressure, 1
		}
		if e > 160 {
			chimney = 1
		}
		if e > 205 {
			gas = 1
		}
	}
	s.hot.drive(hot, 0, dt, s.rng)
	s.cold.drive(cold, 0, dt, s.rng)
	s.off.drive(gas, 0, dt, s.rng)
	s.chm.drive(chimney, 0.2*s.slow.Severity, dt, s.rng)
	s.pressure = physics.Lag(s.pressure, pressure, dt, tau)
}

// counterflow passes c W/K of gas at t through the checkers, from the dome down
// or from below up, and gives the temperature at which it leaves.
func (s *Stove) counterflow(t, c, share float64, down bool, dt float64) float64 {
	ha := checkerHA * (1 - 0.26*s.fouling.Severity) * math.Pow(share, 0.6)
	heat := checkerHeat * (1 - 0.08*s.fouling.Severity) // blocked channels take no part
	eps := 1 - math.Exp(-ha/c)
	for i := range s.checkers {
		if !down {
			i = checkerLumps - 1 - i
		}
		given := eps * (t - s.checkers[i])
		t -= given
		s.checkers[i] += given * c / heat * dt
	}
	return t
}

// burn is the burner and the waste gas. The dome's limit is held with air, the
// waste gas's with gas.
func (s *Stove) burn(dt float64) bool {
	share := 0.0
	if s.off.position > 0.5 && s.mode != production.Isolated {
		share = math.Min(1, math.Max(0.15, (wasteLimit-s.waste)/30))
	}
	target := s.gasBase * share
	s.gas = physics.Lag(s.gas, target, dt, 15)
	wobble, breath := s.noise.gas.Step(dt, s.rng), s.noise.air.Step(dt, s.rng)
	worth := stoveGasHeat * (1 + s.noise.heat.Step(dt, s.rng))
	excess := 1.10 + math.Min(0.3, math.Max(0, (s.dome-domeLimit+18)/60))
	scatter := s.noise.oxygen.Step(dt, s.rng)
	burning := share > 0 && s.gas > 2
	if !burning {
		if share == 0 && s.gas < 0.3 {
			s.gas = 0
		}
		s.air = s.gas * stoveGasAir
		s.oxygen = physics.Lag(s.oxygen, 20.9, dt, 60)
		// A chimney valve that does not close lets blast out past the probe.
		target, tau := 80.0, 2700.0
		if s.pressure > 0.5 && s.slow.Severity > 0 {
			target, tau = 80+(s.checkers[checkerLumps-1]+20-80)*math.Min(1, 1.3*s.slow.Severity), 900
		}
		s.waste = physics.Lag(s.waste, target, dt, tau)
		s.drop = physics.Lag(s.drop, 0.35*s.wind/fullWind*s.hot.position, dt, 2)
		return false
	}
	gas := s.gas * (1 + wobble)
	s.air = gas * stoveGasAir * excess * (1 + breath)
	air := s.air * (1 + 0.10*(s.burner.Severity-s.rich.Severity))
	burnt := math.Min(gas, air/stoveGasAir)
	spare := air - burnt*stoveGasAir
	flue := burnt*stoveGasFlue + (gas - burnt) + spare // kNm³/h
	perSecond := flue * 1000 / 3600
	flame := 30 + 0.95*worth*burnt*1000/3600/(perSecond*stoveFlameHeat)
	s.dome = physics.Lag(s.dome, flame-18, dt, 300)
	c := perSecond * stoveWasteHeat
	// What the flame holds over the mean heat capacity of its way down.
	in := 30 + (flame-30)*stoveFlameHeat/stoveWasteHeat*0.93
	out := s.counterflow(in, c, flue/72, true, dt)
	s.heatIn += c * (in - out) * dt
	s.waste = physics.Lag(s.waste, out, dt, 45)
	s.oxygen = physics.Lag(s.oxygen, math.Max(0.1, 20.9*spare/flue+scatter), dt, 20)
	s.drop = 9 * squared(flue/72) * (1 + 1.1*s.fouling.Severity)
	return true
}

// blow is the wind through the checkers, and the mixer.
func (s *Stove) blow(dt float64) bool {
	others := s.noise.others.Step(dt, s.rng)
	if s.mode != production.OnBlast || s.hot.position < 0.5 || s.wind < 5 {
		// Another stove blows, or the main cools.
		ref := s.hotRef + others
		tau := 40.0
		if s.wind < 5 {
			ref, tau = 500, 5400
		}
		s.hotBlast = physics.Lag(s.hotBlast, ref, dt, tau)
		s.mixer = physics.Lag(s.mixer, 0, dt, 10)
		return false
	}
	bypass := 1 - (s.hotRef+8-s.coldBlast)/math.Max(1, s.exit-s.coldBlast)
	bypass = math.Min(0.4, math.Max(0, bypass))
	s.bypass = physics.Lag(s.bypass, bypass, dt, 10)
	s.mixer = 100 * s.bypass / 0.4
	mass := s.wind * 1000 / 3600 * windDensity * (1 - s.bypass)
	out := s.counterflow(s.coldBlast, mass*stoveAirHeat, s.wind/fullWind*(1-s.bypass), false, dt)
	s.heatOut += mass * stoveAirHeat * (out - s.coldBlast) * dt
	s.exit = physics.Lag(s.exit, out, dt, 25)
	s.dome = physics.Lag(s.dome, out+12, dt, 400)
	s.hotBlast = physics.Lag(s.hotBlast, s.coldBlast+(s.exit-s.coldBlast)*(1-s.bypass)-8+0.4*others, dt, 8)
	return true
}

// surface is the shell: what comes through the lining, the weather outside.
func (s *Stove) surface(dt float64) {
	weather := s.world.Out + 3 + s.noise.sun.Step(dt, s.rng)
	rise := func(i int, inside, share, spot float64) {
		s.shell[i] = physics.Lag(s.shell[i], weather+share*(inside-30)+spot*s.spot.Severity, dt, 3*3600)
	}
	rise(0, s.dome, 0.062, 6)
	rise(1, s.dome, 0.056, 70)
	rise(2, 0.5*s.dome+300, 0.054, 0)
	rise(3, s.checkers[1], 0.051, 4)
	rise(4, s.checkers[5], 0.058, 0)
	rise(5, s.checkers[9], 0.085, 0)
}

// cool is the water of the hot-blast valve.
func (s *Stove) cool(dt float64) {
	s.waterInT = s.world.Water + 1.5
	s.waterIn = valveWater * (1 + s.noise.water.Step(dt, s.rng)) * (1 + 0.006*s.leak.Severity)
	s.waterOut = s.waterIn - valveWater*0.02*s.leak.Severity
	kw := valveHeatShut + (valveHeatOpen-valveHeatShut)*s.hot.position*math.Min(1, s.wind/fullWind)
	s.waterOutT = physics.Lag(s.waterOutT, s.waterInT+kw*s.blast.Load/(s.waterOut/3.6*4.186), dt, 90)
}

// Faults are what can break.
func (s *Stove) Faults() []*Fault {
	return []*Fault{&s.fouling, &s.burner, &s.rich, &s.leak, &s.slow, &s.spot}
}

// Load is the share of the full gas or wind. Nothing turns.
func (s *Stove) Load() (load, speed float64) {
	if s.mode == production.OnBlast {
		return s.wind / fullWind, 1
	}
	return s.gas / stoveGas, 1
}

// Sensors are what the control system has.
func (s *Stove) Sensors() []Sensor {
	return []Sensor{
		{Name: "MODE", Text: &s.mode, Every: Fast},
		{Name: "CAST", Text: &s.blast.Cast, Every: Slow},
		{Name: "T_DOME", Value: &s.dome, Every: Slow, Tau: 5, Sigma: 1},
		{Name: "T_BLAST", Value: &s.hotBlast, Every: Slow, Tau: 8, Sigma: 0.8},
		{Name: "T_BLAST_REF", Value: &s.hotRef, Every: Slow},
		{Name: "T_EXIT", Value: &s.exit, Every: Slow, Tau: 15, Sigma: 0.8},
		{Name: "MIXER", Value: &s.mixer, Every: Slow, Tau: 0.5, Sigma: 0.08},
		{Name: "T_COLD", Value: &s.coldBlast, Every: Slow, Tau: 20, Sigma: 0.12},
		{Name: "F_BLAST", Value: &s.wind, Every: Slow, Tau: 1, Rel: 0.006},
		{Name: "F_GAS", Value: &s.gas, Every: Slow, Tau: 0.5, Rel: 0.007},
		{Name: "F_AIR", Value: &s.air, Every: Slow, Tau: 0.5, Rel: 0.007},
		{Name: "O2_WASTE", Value: &s.oxygen, Every: Slow, Tau: 10, Sigma: 0.02},
		{Name: "T_WASTE", Value: &s.waste, Every: Slow, Tau: 20, Sigma: 0.2},
		{Name: "DP", Value: &s.drop, Every: Slow, Tau: 0.5, Sigma: 0.05, Rel: 0.008},
		{Name: "P_STOVE", Value: &s.pressure, Every: Slow, Tau: 0.3, Sigma: 0.004},
		{Name: "HBV", Value: &s.hot.open, Every: Slow},
		{Name: "CBV", Value: &s.cold.open, Every: Slow},
		{Name: "GAS_V", Value: &s.off.open, Every: Slow},
		{Name: "CHM_V", Value: &s.chm.open, Every: Slow},
		{Name: "TRAVEL_HBV", Value: &s.hot.travel, Every: Slow},
		{Name: "TRAVEL_CBV", Value: &s.cold.travel, Every: Slow},
		{Name: "TRAVEL_GAS", Value: &s.off.travel, Every: Slow},
		{Name: "TRAVEL_CHM", Value: &s.chm.travel, Every: Slow},
		{Name: "T_SHELL_1", Value: &s.shell[0], Every: Slow, Tau: 60, Sigma: 0.1},
		{Name: "T_SHELL_2", Value: &s.shell[1], Every: Slow, Tau: 60, Sigma: 0.1},
		{Name: "T_SHELL_3", Value: &s.shell[2], Every: Slow, Tau: 60, Sigma: 0.1},
		{Name: "T_SHELL_4", Value: &s.shell[3], Every: Slow, Tau: 60, Sigma: 0.1},
		{Name: "T_SHELL_5", Value: &s.shell[4], Every: Slow, Tau: 60, Sigma: 0.1},
		{Name: "T_SHELL_6", Value: &s.shell[5], Every: Slow, Tau: 60, Sigma: 0.1},
		{Name: "F_IN", Value: &s.waterIn, Every: Slow, Tau: 1, Rel: 0.003},
		{Name: "F_OUT", Value: &s.waterOut, Every: Slow, Tau: 1, Rel: 0.003},
		{Name: "T_IN", Value: &s.waterInT, Every: Slow, Tau: 20, Sigma: 0.03},
		{Name: "T_OUT", Value: &s.waterOutT, Every: Slow, Tau: 20, Sigma: 0.03},
	}
}

func squared(x float64) float64 { return x * x }
