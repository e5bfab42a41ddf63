package machine

import (
	"math"
	"math/rand/v2"
	"time"

	"millwright/simulator/physics"
	"millwright/simulator/production"
	"millwright/simulator/vibration"
)

// Air is the compressed-air net of the works: three two-stage piston compressors
// that load and unload, a dryer, one header, and who takes air from it.
type Air struct {
	world *production.World
	strip *production.Strip
	rng   *rand.Rand

	leaks, fouling, valve, filter, outer Fault

	noise struct{ use, mill, suction, dew, floor, kurt physics.Drift }

	set     [3]compressor
	low     float64 // s that the pressure has been low
	batch   float64 // s left of a batch of pneumatic transport, or to the next one
	sending bool
	tower   float64 // s in the dryer's present tower
	means   struct{ power, flow float64 }

	mode                                      string
	wet, header, flow, loaded                 float64 // bar above atmosphere, Nm³/h
	dryerDp, dew, suctionT, water, total, per float64
	spread, floor                             float64 // what vibration is made of, mm/s and m/s²
	seen                                      seen
	bearing, vib, hf, env, kurtosis           float64 // motor of compressor 2
}

// compressor is one of the three: 6000 m³/h as sucked, 630 kW, 500 r/min.
type compressor struct {
	state       float64 // 0 stands, 1 runs unloaded, 2 runs loaded
	age         float64 // s in the state, negative while it starts
	load        float64 // share of its flow that the valves let pass
	flow, power float64 // Nm³/h, kW
	amps        float64
	inter       float64 // pressure between the stages, bar above atmosphere
	t1, t2      float64 // behind the stages, °C
	cooled      float64 // behind the intercooler, °C
	approach    float64 // of the intercooler to its water, K
	winding     float64
	leak        float64 // share of the first stage's air that comes back through its valve
	ua          float64 // of the intercooler, W/K
}

const (
	airAtmosphere = 1.013
	airMotor      = 630.0 // kW
	airRPM        = 500.0
	airVolume     = 160.0  // receivers and mains, m³
	airHoles      = 6.5e-4 // leaks of a works in use, m²
	airSwept      = 1.86   // of the first stages, m³/s
	airRatio      = 2.77   // swept volume of the first stage over the second
	airCooler     = 5100.0 // UA of a clean intercooler, W/K
	airCoolerArea = 85.0   // m²
	airPolytropic = 1.35   // cylinders are water-jacketed
	airIdle       = 85.0   // kW unloaded
	airStart      = 20.0   // s from standing to loaded
	airWeek       = 7 * 24 * 3600.0
)

// NewAir runs two compressors.
func NewAir(seed uint64, w *production.World, strip *production.Strip) *Air {
	a := &Air{world: w, strip: strip, rng: physics.Stream(seed, "air"), wet: 7, header: 6.8, dew: -42, batch: 300, bearing: 60, suctionT: 33, mode: "normal"}
	for i := range a.set {
		a.set[i] = compressor{t1: 40, t2: 40, cooled: 34, winding: 45}
	}
	for i := range 2 {
		a.set[i] = compressor{state: 2, age: 3600, load: 1, t1: 130, t2: 135, cooled: 38, winding: 95, inter: 1.9, power: 580}
	}
	a.noise.use = physics.Drift{Sigma: 160, Tau: 45}
	a.noise.mill = physics.Drift{Sigma: 60, Tau: 5}
	a.noise.suction = physics.Drift{Sigma: 0.6, Tau: 900}
	a.noise.dew = physics.Drift{Sigma: 0.5, Tau: 600}
	a.noise.floor = physics.Drift{Sigma: 0.02, Tau: 3}
	a.noise.kurt = physics.Drift{Sigma: 0.08, Tau: 2}
	const m = time.Minute
	a.leaks = Fault{Name: "air-leaks", Code: "E1", Course: Even, Growth: 40 * m, Life: 350 * day,
		About: "leaks in the net: more flow at the same production, nights too, longer loading, more energy"}
	a.fouling = Fault{Name: "fouling", Code: "T1", Course: Even, Growth: 30 * m, Life: 180 * day,
		About: "fouled intercooler of compressor 1: air comes warmer to the second stage, pressure between the stages and power rise"}
	a.valve = Fault{Name: "valve-leak", Code: "H1", Course: Growing, Growth: 20 * m, Life: 30 * day,
		About: "leaking discharge valve of the first stage of compressor 1: less pressure between the stages and less flow, the second stage does more and gets hotter"}
	a.filter = Fault{Name: "filter-blocking", Code: "P1", Course: Even, Growth: 20 * m, Life: 60 * day,
		About: "blocked filter of the dryer: its pressure loss rises, the net gets less pressure than the compressors make"}
	a.outer = Fault{Name: "bearing-outer", Code: "M1", Growth: 15 * m, Life: 75 * day,
		About: "spall on the outer race of the motor's drive end bearing of compressor 2"}
	return a
}

func (a *Air) Path() string { return "UTL/AIR/NET" }

func (a *Air) Step(dt float64) {
	w := a.world
	a.suctionT = w.Out + 2 + a.noise.suction.Step(dt, a.rng)
	a.water = w.Water + 2
	a.flow = physics.Lag(a.flow, a.demand(dt), dt, 4)
	a.sequence(dt)

	in, running := 0.0, 0
	a.total, a.loaded = 0, 0
	a.set[0].leak = 0.28 * a.valve.Severity
	for i := range a.set {
		c := &a.set[i]
		c.ua = airCooler
		if i == 0 {
			c.ua = physics.Fouled(airCooler, 6.5e-3*a.fouling.Severity, airCoolerArea)
		}
		c.step(dt, a.suctionT+273.15, a.water+273.15, a.wet+airAtmosphere, w)
		in += c.flow
		a.total += c.power
		if c.state > 0 {
			running++
		}
		if c.state == 2 {
			a.loaded++
		}
	}
	a.mode = "normal"
	if running == len(a.set) {
		a.mode = "peak"
	}
	// What is in the vessels: normal volume over volume is pressure.
	a.wet += (in - a.flow) / 3600 * airAtmosphere * (a.suctionT + 283.15) / 273.15 / airVolume * dt
	a.wet = math.Max(a.wet, 0)
	a.dryer(dt)

	a.means.power = physics.Lag(a.means.power, a.total, dt, 900)
	a.means.flow = physics.Lag(a.means.flow, a.flow, dt, 900)
	a.per = a.means.power / math.Max(a.means.flow, 500)
	a.motor(dt)
}

// demand is what the works takes, in Nm³/h: holes for ever, lines that never stop,
// cylinders of the mill in its rhythm, batches of pneumatic transport, and tools
// by the hour of the shift.
func (a *Air) demand(dt float64) float64 {
	holes := airHoles * (1 + 1.3*a.leaks.Severity)
	leak := physics.Choked(holes, 0.65, (a.header+airAtmosphere)*1e5, a.suctionT+273.15) / physics.AirNorm * 3600

	hour := a.world.Hour
	tools := 700.0
	switch {
	case hour >= 12.5 && hour < 13.25: // meal of the day shift
		tools = 1300
	case hour >= 7.5 && hour < 15:
		tools = 3000
	case hour >= 15.5 && hour < 22.5:
		tools = 1500
	}
	use := tools + a.noise.use.Step(dt, a.rng)*math.Sqrt(tools/1500)

	mill := 500.0
	if a.strip.InStrip() {
		mill = 1100
	}
	if a.strip.Mode == production.RollChange {
		mill = 900
	}
	mill += a.noise.mill.Step(dt, a.rng)

	a.batch -= dt
	if a.batch <= 0 {
		a.sending = !a.sending
		a.batch = 420 + 600*a.rng.Float64()
		if a.sending {
			a.batch = 180 + 120*a.rng.Float64()
		}
	}
	send := 0.0
	if a.sending {
		send = 1300
	}
	const process = 4300 // instruments, burners, galvanizing line
	pressure := (a.header + airAtmosphere) / 7.8
	return leak + math.Max(0, use+mill+send+process)*(0.4+0.6*pressure)
}

// sequence loads and unloads by pressure, in roles that move on by one every
// week: the first carries the base, the second the rest, the third the peaks.
func (a *Air) sequence(dt float64) {
	first := int(a.world.Time/airWeek) % 3
	if a.wet < 6.7 {
		a.low += dt
	} else {
		a.low = 0
	}
	for role := range 3 {
		c := &a.set[(first+role)%3]
		step := 0.2 * float64(role)
		c.age += dt
		switch c.state {
		case 0:
			if role < 2 && a.wet < 6.9 || a.low > 8 {
				c.state, c.age, a.low = 1, -airStart, 0
			}
		case 1:
			switch {
			case a.wet < 7.0-step && c.age > 0:
				c.state, c.age = 2, 0
			case c.age > 900 && role > 0:
				c.state, c.age = 0, 0
			}
		case 2:
			if a.wet > 7.4-step {
				c.state, c.age = 1, 0
			}
		}
	}
}

// step moves a compressor on: suction and cooling water temperature in K, the
// absolute pressure that it delivers against in bar.
func (c *compressor) step(dt, suction, water, delivery float64, w *production.World) {
	open := 0.0
	if c.state == 2 {
		open = 1
	}
	c.load = physics.Lag(c.load, open, dt, 1.5)
	inter := c.inter + airAtmosphere
	r1 := math.Max(1.05, inter/airInlet)
	r2 := math.Max(1.05, delivery/inter)

	// A leaking valve lets hot air back into the cylinder: it takes the room of
	// fresh air, warms it, and is compressed again.
	work1, hot1 := physics.Compression(suction, r1, airPolytropic)
	mixed := suction * (1 - c.leak) / (1 - c.leak*hot1/suction)
	work1, hot1 = work1*mixed/suction, hot1*mixed/suction
	cooled := c.cooled + 273.15
	work2, hot2 := physics.Compression(cooled, r2, airPolytropic)

	moved := airSwept * volumetric(r1) * airInlet * 1e5 / (physics.AirR * mixed) // kg/s through the valve
	mass := moved * (1 - c.leak) * c.load
	c.flow = mass / physics.AirNorm * 3600
	// Between the stages there is what the second one needs to swallow it all.
	need := mass * physics.AirR * cooled / (airSwept / airRatio * volumetric(r2)) / 1e5
	c.inter = physics.Lag(c.inter, math.Max(need, 0.99)-airAtmosphere, dt, 4)

	run := 0.0
	if c.state > 0 {
		run = 1
	}
	share := 0.0
	if c.load > 0.01 {
		ratio := mass * physics.AirCp / 21_000 // 18 m³/h of water
		share = physics.Effectiveness(c.ua/(mass*physics.AirCp), ratio)
	}
	idle := suction - 273.15 + 18*run
	c.t1 = physics.Lag(c.t1, idle+c.load*(hot1-273.15-idle), dt, 90)
	c.t2 = physics.Lag(c.t2, idle+c.load*(hot2-273.15-idle), dt, 90)
	out := c.t1 - share*(c.t1-(water-273.15))
	if c.load <= 0.01 {
		out = water - 273.15 + 0.2 + 2.8*run
	}
	c.cooled = physics.Lag(c.cooled, out, dt, 30)
	c.approach = c.cooled - (water - 273.15)

	const losses = 0.81 // valves, pistons, bearings, motor
	gas := (moved*c.load*work1 + mass*work2) / losses / 1000
	c.power = run * (airIdle + gas)
	if c.state == 1 && c.age < 8-airStart {
		c.power = 190 // until it has its speed
	}
	// Synchronous motor with constant excitation: the same reactive power at any load.
	c.amps = 0
	if run > 0 {
		c.amps = math.Hypot(c.power, 290*w.Volts) / (math.Sqrt(3) * 6.6 * w.Volts)
	}
	rated := c.amps / 61
	c.winding = physics.Lag(c.winding, w.Hall+4+58*rated*rated, dt, 30*60)
}

// airInlet is the pressure behind an inlet filter, bar absolute.
const airInlet = 1.0

// volumetric is the share of the swept volume that a stage fills with fresh gas:
// what stays in the clearance expands first.
func volumetric(ratio float64) float64 {
	return 0.97 - 0.055*(math.Pow(ratio, 1/airPolytropic)-1)
}

// dryer: two towers with desiccant in turns, a filter behind them.
func (a *Air) dryer(dt float64) {
	load := a.flow / 10_000
	density := (a.wet + airAtmosphere) / 8
	a.dryerDp = (0.24 + 1.0*a.filter.Severity) * load * load / math.Max(density, 0.2)
	a.header = math.Max(0, a.wet-a.dryerDp)
	a.tower = math.Mod(a.tower+dt, 300)
	// The tower fills with water towards its change; warm wet air fills it faster.
	target := -42 + 5*(load-0.9) + 0.5*(a.water-30) + 2.5*math.Pow(a.tower/300, 3) + a.noise.dew.Step(dt, a.rng)
	a.dew = physics.Lag(a.dew, target, dt, 25)
}

// motor of compressor 2, as the accelerometer on its drive end sees it.
func (a *Air) motor(dt float64) {
	c := &a.set[1]
	run, s := 0.0, a.outer.Severity
	if c.state > 0 {
		run = 1
	}
	warm := a.world.Hall + 3
	a.bearing = physics.Lag(a.bearing, warm+run*(14+9*c.power/airMotor+22*s*s), dt, 35*60)
	spread := vibration.Late(s)
	a.vib = run * vibration.Hypot(1.1+0.5*c.load, 0.5, spread)
	floor := (0.02 + run*(0.16+0.10*c.load)) * (1 + a.noise.floor.Step(dt, a.rng))
	a.spread, a.floor = run*spread, floor
	a.hf, a.kurtosis, a.env = vibration.Spall(s, run*airRPM).Features(floor)
	a.kurtosis += a.noise.kurt.Step(dt, a.rng)
}

// Points are the accelerometer on the drive end of compressor 2's motor: the
// pistons shake it twice and four times a turn.
func (a *Air) Points() []Point {
	return []Point{{"VIB_C2_H_W", func() vibration.Signal {
		c, n := &a.set[1], 0.0
		if c.state > 0 {
			n = airRPM
		}
		a.seen.shaft = [5]vibration.Line{
			vibration.VelocityLine(2, 1.1+0.5*c.load, n),
			vibration.VelocityLine(4, 0.5, n),
			vibration.VelocityLine(vibration.OuterRace, a.spread, n),
		}
		a.seen.impacts[0] = outerImpacts(a.outer.Severity, n)
		return vibration.Signal{Speed: n, Shaft: a.seen.shaft[:], Impacts: a.seen.impacts[:1], Noise: vibration.White(a.floor)}
	}}}
}

// Faults are what can break.
func (a *Air) Faults() []*Fault {
	return []*Fault{&a.leaks, &a.fouling, &a.valve, &a.filter, &a.outer}
}

// Load is the share of the rated power of two compressors.
func (a *Air) Load() (load, speed float64) { return a.total / (2 * airMotor), 1 }

// Sensors are what the control system has.
func (a *Air) Sensors() []Sensor {
	all := []Sensor{
		{Name: "MODE", Text: &a.mode, Every: Slow},
		{Name: "LOADED", Value: &a.loaded, Every: Slow},
		{Name: "P_COMP", Value: &a.wet, Every: Slow, Tau: 0.1, Sigma: 0.006},
		{Name: "P_NET", Value: &a.header, Every: Slow, Tau: 0.1, Sigma: 0.006},
		{Name: "FLOW", Value: &a.flow, Every: Slow, Tau: 0.5, Rel: 0.007},
		{Name: "POWER", Value: &a.total, Every: Slow, Tau: 0.5, Rel: 0.004},
		{Name: "SPEC", Value: &a.per, Every: Slow, Sigma: 0.0003},
		{Name: "FILT_DP", Value: &a.dryerDp, Every: Slow, Tau: 1, Sigma: 0.003},
		{Name: "DEW", Value: &a.dew, Every: Slow, Tau: 30, Sigma: 0.15},
		{Name: "T_SUC", Value: &a.suctionT, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "T_CW", Value: &a.water, Every: Slow, Tau: 30, Sigma: 0.06},
	}
	for i := range a.set {
		c, n := &a.set[i], "_C"+string(rune('1'+i))
		all = append(all,
			Sensor{Name: "STATE" + n, Value: &c.state, Every: Slow},
			Sensor{Name: "POWER" + n, Value: &c.power, Every: Slow, Tau: 0.5, Sigma: 0.5, Rel: 0.004},
			Sensor{Name: "CURRENT" + n, Value: &c.amps, Every: Slow, Tau: 0.2, Rel: 0.004},
			Sensor{Name: "P_ST" + n, Value: &c.inter, Every: Slow, Tau: 0.1, Sigma: 0.004},
			Sensor{Name: "T_ST1" + n, Value: &c.t1, Every: Slow, Tau: 20, Sigma: 0.1},
			Sensor{Name: "T_IC" + n, Value: &c.cooled, Every: Slow, Tau: 20, Sigma: 0.06},
			Sensor{Name: "APPR" + n, Value: &c.approach, Every: Slow, Tau: 20, Sigma: 0.09},
			Sensor{Name: "T_ST2" + n, Value: &c.t2, Every: Slow, Tau: 20, Sigma: 0.1},
			Sensor{Name: "MOT_T_W" + n, Value: &c.winding, Every: Slow, Tau: 40, Sigma: 0.08, Hum: windingHum})
	}
	return append(all,
		Sensor{Name: "BRG_T_C2", Value: &a.bearing, Every: Slow, Tau: 30, Sigma: 0.06},
		Sensor{Name: "VIB_C2_H", Value: &a.vib, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		Sensor{Name: "VIB_C2_HF", Value: &a.hf, Every: Slow, Tau: 1, Sigma: 0.002, Rel: 0.015},
		Sensor{Name: "VIB_C2_ENV", Value: &a.env, Every: Slow, Tau: 1, Sigma: 0.5},
		Sensor{Name: "VIB_C2_KURT", Value: &a.kurtosis, Every: Slow, Tau: 1, Rel: 0.02})
}
