package machine

import (
	"math"
	"math/rand/v2"
	"time"

	"millwright/simulator/physics"
	"millwright/simulator/production"
	"millwright/simulator/vibration"
)

// Water is cooling-water pump 1 of a closed circuit and the plate cooler in which
// sea water takes the circuit's heat: 3000 m³/h against 45 m, 450 kW, 990 r/min,
// six vanes. Pump 2 takes its place every other week.
type Water struct {
	world *production.World
	strip *production.Strip
	rng   *rand.Rand

	cavitation, low, rings          Fault
	fouling, filter                 Fault
	outer, inner, misaligned, loose Fault
	lube, bar, phases               Fault

	noise struct{ level, suction, system, heat, sea, unbalance, unbalanced, axial, floor, kurt, vane physics.Drift }

	mode                                        string
	n                                           float64 // speed over the rated one
	since                                       float64 // s since the motor was switched on
	speed, current, power                       float64
	suction, strainer, discharge, header, flow  float64
	level, hot, cold, load                      float64
	seaIn, seaOut, seaF, filterDp, approach     float64
	unbalanced, sideband                        float64
	winding, de, nde, motorDE                   float64
	vibH, vibV, vibA, acc, hf, bpfo, bpfi, kurt float64
	one, two, axialOne, axialTwo, vane, floor   float64 // what vibration is made of, mm/s; floor m/s²
	soft                                        float64 // response of a loose foot over that of a firm one
	effective                                   float64
	seen                                        [3]waterSeen
}

// waterSeen is the room for the signal of a direction.
type waterSeen struct {
	shaft   [3]vibration.Line
	impacts [2]vibration.Impacts
}

const (
	waterRPM     = 990.0
	waterRated   = 3000.0 // m³/h
	waterKW      = 450.0
	waterAmps    = 46.0
	waterStatic  = 12.0             // m
	waterSystem  = 33.0 / 9e6       // m per (m³/h)²
	waterBar     = 998 * 9.81 / 1e5 // bar of a metre
	waterVanes   = 6
	waterBasin   = 800.0  // m³ of the warm and of the cold basin
	waterLevel   = 3.5    // m over the bell of the suction
	waterBell    = 0.9    // m, its diameter
	coolerUA     = 5.5e6  // W/K, clean
	coolerArea   = 1560.0 // m²
	coolerFouled = 3e-4   // m²K/W at the end, half as much again in the monsoon
	seaRated     = 3600.0 // m³/h
	waterWeek    = 7 * 86_400.0
	waterChange  = 164 * 3600.0 // the first change, at ten in the morning
	innerRace    = 10.74        // order, of the bearing whose outer race has 8.27
)

// cooling has heads in m and flows in m³/h.
func cooling() physics.Centrifugal {
	return physics.Centrifugal{ShutOff: 56, Fall: 11.0 / 9e6, Best: 3050, Eta: 0.845, Need: 3, More: 3.0 / 9e6}
}

// NewWater runs.
func NewWater(seed uint64, w *production.World, strip *production.Strip) *Water {
	p := &Water{world: w, strip: strip, rng: physics.Stream(seed, "water"), mode: "running", n: 1, since: 1e6, flow: waterRated,
		hot: 38, cold: 31, load: 24e6, winding: 92, de: 58, nde: 56, motorDE: 60, level: waterLevel, header: 4.6, seaOut: 33, seaF: seaRated, effective: 0.97}
	p.noise.level = physics.Drift{Sigma: 0.05, Tau: 2400}
	p.noise.suction = physics.Drift{Sigma: 0.006, Tau: 8}
	p.noise.system = physics.Drift{Sigma: 0.02, Tau: 60}
	p.noise.heat = physics.Drift{Sigma: 1.2e6, Tau: 1200}
	p.noise.sea = physics.Drift{Sigma: 0.008, Tau: 90}
	p.noise.unbalanced = physics.Drift{Sigma: 0.1, Tau: 600}
	p.noise.unbalance = physics.Drift{Sigma: 0.02, Tau: 20}
	p.noise.axial = physics.Drift{Sigma: 0.03, Tau: 5}
	p.noise.floor = physics.Drift{Sigma: 0.02, Tau: 3}
	p.noise.kurt = physics.Drift{Sigma: 0.08, Tau: 2}
	p.noise.vane = physics.Drift{Sigma: 0.06, Tau: 10}
	const m = time.Minute
	p.cavitation = Fault{Name: "cavitation", Code: "F1", Growth: 12 * m, Life: 5 * day,
		About: "blocked suction strainer: its pressure loss rises, suction pressure falls, then broadband and axial vibration, less flow"}
	p.low = Fault{Name: "cavitation-level", Code: "F1", Course: Even, Growth: 20 * m, Life: 2 * day,
		About: "the basin runs low, as its make-up valve sticks: less suction pressure at a clean strainer, then vortices that draw air: broadband and axial vibration, less flow"}
	p.rings = Fault{Name: "wear-rings", Code: "F2", Course: Even, Growth: 20 * m, Life: 120 * day,
		About: "worn rings: less pressure and flow, more energy for a cubic metre"}
	p.fouling = Fault{Name: "fouling", Code: "T1", Course: Even, Growth: 30 * m, Life: 270 * day,
		About: "growth and scale in the cooler, fast at first, faster in the monsoon: approach and supply temperature rise"}
	p.filter = Fault{Name: "filter-blocking", Code: "P1", Course: Even, Growth: 20 * m, Life: 20 * day,
		About: "mussels in the cooler's sea water filter: its pressure loss rises, less sea water, which comes out warmer"}
	p.outer = Fault{Name: "bearing-outer", Code: "M1", Growth: 15 * m, Life: 45 * day,
		About: "spall on the outer race of the pump's drive end bearing"}
	p.inner = Fault{Name: "bearing-inner", Code: "M2", Growth: 15 * m, Life: 45 * day,
		About: "spall on the inner race of the pump's drive end bearing: impacts that come and go with the shaft"}
	p.misaligned = Fault{Name: "misalignment", Code: "M6", Course: Even, Growth: 15 * m, Life: 10 * day,
		About: "coupling out of line: twice the speed and axial vibration, both bearings at the coupling warmer"}
	p.loose = Fault{Name: "looseness", Code: "M7", Course: Even, Growth: 15 * m, Life: 30 * day,
		About: "loose foot: halves and multiples of the speed, most of all vertically"}
	p.lube = Fault{Name: "lubrication", Code: "M10", Growth: 10 * m, Life: 2 * day,
		About: "dry bearing at the pump's drive end: noise without a period, temperature follows"}
	p.bar = Fault{Name: "rotor-bar", Code: "M11", Course: Even, Growth: 15 * m, Life: 120 * day,
		About: "broken rotor bar: sidebands of the current at twice the slip, a little more slip"}
	p.phases = Fault{Name: "phase-unbalance", Code: "M11", Course: Even, Growth: 15 * m, Life: 60 * day,
		About: "stator winding: negative sequence current, warmer winding"}
	return p
}

func (p *Water) Path() string { return "WAT/CW/P1" }

func (p *Water) Step(dt float64) {
	p.drive(dt)
	p.speed = p.n * waterRPM
	lack := p.hydraulics(dt)
	p.cooler(dt)
	p.thermal(dt)
	p.vibration(lack, dt)
}

// drive switches the motor by the week and runs it up or lets it run out.
func (p *Water) drive(dt float64) {
	weeks := math.Floor((p.world.Time-waterChange)/waterWeek) + 1
	duty := math.Mod(weeks, 2) == 0 // the first weeks belong to pump 1
	slip := 0.010 * p.effective * (1 + 0.1*p.bar.Severity)
	if !duty {
		p.mode, p.since = "standby", 0
		p.n = physics.Lag(p.n, 0, dt, 5)
		if p.n < 0.01 {
			p.n = 0
		}
		return
	}
	p.since += dt
	p.mode = "running"
	if p.since < 60 {
		p.mode = "starting"
	}
	p.n = math.Min(p.n+dt/4, (1-slip)/0.99)
}

// hydraulics returns what the suction lacks, of pressure or of depth.
func (p *Water) hydraulics(dt float64) (lack float64) {
	w, pump := p.world, cooling()
	q := p.flow / waterRated
	p.level = waterLevel - 2.9*p.low.Severity + p.noise.level.Step(dt, p.rng)
	// Suction below the basin's level, behind a strainer.
	p.strainer = (0.05 + 0.62*p.cavitation.Severity) * q * q
	p.suction = p.level*waterBar - 0.02*q*q - p.strainer + p.noise.suction.Step(dt, p.rng)
	lack = max(pump.Lack(physics.NPSH(p.suction, p.cold), p.flow), physics.Vortex(p.level, waterBell, p.flow))
	factor := physics.Starved(lack) * (1 - 0.08*p.rings.Severity)

	demand := 1 + p.noise.system.Step(dt, p.rng) // consumers open and close
	valve := 1.0                                 // of the discharge, opens in half a minute
	if p.since < 30 {
		valve = math.Max(0.03, p.since/30)
	}
	target := 0.0
	if p.n > 0.5 {
		target = pump.Flow(p.n, factor, waterStatic, waterSystem*demand/(valve*valve))
	}
	p.flow = physics.Lag(p.flow, target, dt, 1.2)
	own := pump.Head(p.flow, p.n, factor) * waterBar
	p.discharge = p.suction + math.Max(0, own)
	// Where pump 1 does not carry the header pump 2 does.
	other := pump.Head(pump.Flow(1, 1, waterStatic, waterSystem*demand), 1, 1)*waterBar + p.level*waterBar - 0.07
	p.header = other
	if p.mode == "running" {
		p.header = p.discharge - 0.05*q*q
	}

	p.power, p.current, p.unbalanced, p.sideband, p.effective = 0, 0, 0, -90, 0
	if p.since > 0 {
		hydraulic := p.flow / 3600 * math.Max(0, own) * 1e5 / 1000 // kW
		loss := 12 + 90*math.Pow(p.n, 3)*math.Max(0, 1-q)          // churning at little flow
		if p.flow > 300 {
			hydraulic /= math.Max(0.3, pump.Efficiency(p.flow, math.Max(0.5, p.n))) * (1 - 0.09*p.rings.Severity) // what the rings let back is pumped again
		}
		shaft := hydraulic + loss
		p.effective = shaft / waterKW
		p.power = shaft / 0.955
		p.current = physics.Induction(shaft, p.effective+0.02, 6600*w.Volts, 0.955) * (1 + 0.015*p.phases.Severity)
		if p.since < 5 {
			p.current = 5.4 * waterAmps * w.Volts
			p.power = 0.35 * math.Sqrt(3) * 6.6 * p.current
		}
		p.unbalanced = 0.8 + p.noise.unbalanced.Step(dt, p.rng) + 7.2*p.phases.Severity
		p.sideband = -54 + 19*p.bar.Severity
	}
	return lack
}

// cooler: warm basin to cold basin through the plates, sea water on the other
// side.
func (p *Water) cooler(dt float64) {
	w := p.world
	heat := 15e6
	if p.strip.InStrip() {
		heat += 13e6
	}
	p.load = physics.Lag(p.load, heat+p.noise.heat.Step(dt, p.rng), dt, 300)
	p.seaIn = w.Sea

	clog := 0.15 + 0.95*p.filter.Severity // bar at the rated flow
	p.seaF = seaRated * math.Sqrt(2.2/(2.05+clog)) * (1 + p.noise.sea.Step(dt, p.rng))
	p.filterDp = clog * p.seaF * p.seaF / seaRated / seaRated

	circuit := p.flow // the header never lacks water: what pump 1 does not give comes from pump 2
	if p.mode != "running" {
		circuit = waterRated
	}
	fresh := circuit / 3600 * 996 * 4180 // W/K
	sea := p.seaF / 3600 * 1025 * 3990
	// Growth is asymptotic: three time constants in a life.
	grown := (1 - math.Exp(-3*p.fouling.Severity)) / (1 - math.Exp(-3))
	ua := physics.Fouled(coolerUA*math.Pow(fresh*sea/(3.47e6*4.09e6), 0.35), coolerFouled*(1+0.5*w.Monsoon)*grown, coolerArea)
	least, most := math.Min(fresh, sea), math.Max(fresh, sea)
	passed := physics.Effectiveness(ua/least, least/most) * least * (p.hot - p.seaIn)
	out := p.hot - passed/fresh
	p.seaOut = physics.Lag(p.seaOut, p.seaIn+passed/sea, dt, 20)
	basin := waterBasin * 3600 / circuit // s
	p.cold = physics.Lag(p.cold, out, dt, basin/4)
	p.hot = physics.Lag(p.hot, p.cold+p.load/fresh, dt, basin)
	p.approach = out - p.seaIn
}

func (p *Water) thermal(dt float64) {
	w := p.world
	amps := math.Min(1.5, p.current/waterAmps)
	negative := p.unbalanced / 100
	p.winding = physics.Lag(p.winding, 4+w.Hall+54*amps*amps*(1+6*negative*negative)+9*p.phases.Severity*amps, dt, 30*60)
	warm := w.Hall + 3
	spall := p.outer.Severity*p.outer.Severity + p.inner.Severity*p.inner.Severity
	friction := 1 + 3*p.lube.Severity
	p.de = physics.Lag(p.de, warm+p.n*(17*friction+22*spall+7*p.misaligned.Severity), dt, 35*60)
	p.nde = physics.Lag(p.nde, warm+p.n*(15+2*spall), dt, 35*60)
	p.motorDE = physics.Lag(p.motorDE, warm+p.n*(19+6*p.misaligned.Severity), dt, 35*60)
}

func (p *Water) vibration(lack, dt float64) {
	n := p.n
	cav := math.Pow(lack, 1.5)
	p.vane = 0.35 * (1 + 1.2*math.Abs(p.flow-3050)/3050) * n * (1 + p.noise.vane.Step(dt, p.rng))
	p.vane = vibration.Hypot(p.vane, 6*cav)
	p.floor = vibration.Hypot(0.02+0.55*n*n, 25*cav) * (1 + 5*p.lube.Severity*n) * (1 + p.noise.floor.Step(dt, p.rng))
	m := p.misaligned.Severity
	p.one = 1.0 * n * n * (1 + p.noise.unbalance.Step(dt, p.rng))
	p.two = n * n * (0.2 + 1.4*m)
	p.axialOne = 0.35*p.one + 1.5*m*n*n
	p.axialTwo = n * n * (0.1 + 1.2*m)
	axial := 1 + p.noise.axial.Step(dt, p.rng)

	// A foot that has let go also lets the housing follow its rotor further.
	p.soft = 1 + 1.2*p.loose.Severity
	h := p.signal(&p.seen[0], p.one, p.two, p.vane, 0.6, 1)
	f := h.Features()
	p.vibH, p.acc, p.hf = f.Velocity, f.RMS, f.High
	p.kurt = f.Kurtosis + p.noise.kurt.Step(dt, p.rng)
	v := p.signal(&p.seen[1], 0.8*p.one, 0.9*p.two, 0.8*p.vane, 1, 0.9)
	p.vibV = v.Features().Velocity
	a := p.signal(&p.seen[2], p.axialOne, p.axialTwo, 1.5*p.vane, 0.15, 0.7)
	p.vibA = a.Features().Velocity * axial

	// Lines of the two races, each against all else.
	both := p.seen[0].impacts
	h.Impacts = both[:1]
	p.bpfo = h.Features().Line
	h.Impacts = both[1:]
	p.bpfi = h.Features().Line
}

// signal is that of a direction: velocities in mm/s of the lines, its share of a
// loose foot and of what lies above 2 kHz.
func (p *Water) signal(s *waterSeen, one, two, vane, loose, high float64) vibration.Signal {
	n := p.n * waterRPM
	s.shaft = [3]vibration.Line{
		vibration.VelocityLine(1, one*(1+loose*(p.soft-1)), n),
		vibration.VelocityLine(2, two, n),
		vibration.VelocityLine(waterVanes, vane, n),
	}
	o := vibration.Orders{Outer: vibration.OuterRace, Inner: innerRace}
	s.impacts = [2]vibration.Impacts{o.OuterSpall(p.outer.Severity, n), o.InnerSpall(p.inner.Severity, n)}
	for i := range s.impacts {
		s.impacts[i].Amp *= high
	}
	return vibration.Signal{Speed: n, Shaft: s.shaft[:], Impacts: s.impacts[:], Noise: vibration.White(high * p.floor), Loose: loose * p.loose.Severity}
}

// Points are the accelerometers at the pump's drive end.
func (p *Water) Points() []Point {
	return []Point{
		{"VIB_H_W", func() vibration.Signal { return p.signal(&p.seen[0], p.one, p.two, p.vane, 0.6, 1) }},
		{"VIB_V_W", func() vibration.Signal { return p.signal(&p.seen[1], 0.8*p.one, 0.9*p.two, 0.8*p.vane, 1, 0.9) }},
		{"VIB_A_W", func() vibration.Signal {
			return p.signal(&p.seen[2], p.axialOne, p.axialTwo, 1.5*p.vane, 0.15, 0.7)
		}},
	}
}

// Faults are what can break.
func (p *Water) Faults() []*Fault {
	return []*Fault{&p.cavitation, &p.low, &p.rings, &p.fouling, &p.filter, &p.outer, &p.inner, &p.misaligned, &p.loose, &p.lube, &p.bar, &p.phases}
}

// Load is the share of the rated power and speed.
func (p *Water) Load() (load, speed float64) { return p.effective, p.n }

// Sensors are what the control system has.
func (p *Water) Sensors() []Sensor {
	return []Sensor{
		{Name: "MODE", Text: &p.mode, Every: Slow},
		{Name: "SPEED", Value: &p.speed, Every: Slow, Tau: 0.2, Sigma: 0.15},
		{Name: "CURRENT", Value: &p.current, Every: Slow, Tau: 0.2, Rel: 0.004},
		{Name: "POWER", Value: &p.power, Every: Slow, Tau: 0.5, Rel: 0.004},
		{Name: "P_SUC", Value: &p.suction, Every: Slow, Tau: 0.1, Sigma: 0.003},
		{Name: "STR_DP", Value: &p.strainer, Every: Slow, Tau: 0.3, Sigma: 0.002},
		{Name: "P_DIS", Value: &p.discharge, Every: Slow, Tau: 0.1, Sigma: 0.01},
		{Name: "P_HDR", Value: &p.header, Every: Slow, Tau: 0.1, Sigma: 0.01},
		{Name: "FLOW", Value: &p.flow, Every: Slow, Tau: 0.5, Rel: 0.007},
		{Name: "LEVEL", Value: &p.level, Every: Slow, Tau: 2, Sigma: 0.005},
		{Name: "T_IN", Value: &p.hot, Every: Slow, Tau: 30, Sigma: 0.05},
		{Name: "T_OUT", Value: &p.cold, Every: Slow, Tau: 30, Sigma: 0.05},
		{Name: "T_SEA_IN", Value: &p.seaIn, Every: Slow, Tau: 30, Sigma: 0.05},
		{Name: "T_SEA_OUT", Value: &p.seaOut, Every: Slow, Tau: 30, Sigma: 0.05},
		{Name: "F_SEA", Value: &p.seaF, Every: Slow, Tau: 0.5, Rel: 0.007},
		{Name: "FILT_DP", Value: &p.filterDp, Every: Slow, Tau: 0.3, Sigma: 0.004},
		{Name: "APPR", Value: &p.approach, Every: Slow, Tau: 30, Sigma: 0.07},
		{Name: "UNB", Value: &p.unbalanced, Every: Slow, Tau: 5, Sigma: 0.08},
		{Name: "SIDEBAND", Value: &p.sideband, Every: Slow, Tau: 10, Sigma: 0.6},
		{Name: "MOT_T_W", Value: &p.winding, Every: Slow, Tau: 40, Sigma: 0.08, Hum: windingHum},
		{Name: "BRG_T_DE", Value: &p.de, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "BRG_T_NDE", Value: &p.nde, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "BRG_T_MDE", Value: &p.motorDE, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "VIB_H", Value: &p.vibH, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_V", Value: &p.vibV, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_A", Value: &p.vibA, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "ACC_RMS", Value: &p.acc, Every: Slow, Tau: 1, Sigma: 0.003, Rel: 0.015},
		{Name: "VIB_HF", Value: &p.hf, Every: Slow, Tau: 1, Sigma: 0.002, Rel: 0.015},
		{Name: "VIB_BPFO", Value: &p.bpfo, Every: Slow, Tau: 1, Sigma: 0.5},
		{Name: "VIB_BPFI", Value: &p.bpfi, Every: Slow, Tau: 1, Sigma: 0.5},
		{Name: "VIB_KURT", Value: &p.kurt, Every: Slow, Tau: 1, Rel: 0.02},
	}
}
