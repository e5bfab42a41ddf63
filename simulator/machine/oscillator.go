package machine

import (
	"math"
	"math/rand/v2"
	"time"

	"millwright/simulator/physics"
	"millwright/simulator/production"
)

// Oscillator is the hydraulic mould oscillator of a bloom caster's strand: a
// table with the mould, 7.5 t, on two double-rod cylinders, each with a servo
// valve, and the mould's cooling water.
//
// x = S/2·sin 2πft, three times a second. The control system's drive controller
// samples the positions at 1 kHz and hands on what a period tells: stroke,
// offset, lag behind the reference, harmonics. So does this model, in closed
// form: it needs no step shorter than a period.
type Oscillator struct {
	cast  *production.Cast
	world *production.World
	rng   *rand.Rand

	silting, leak, guide, film, filter Fault

	noise struct{ friction, level, side, water, flux, supply, lateral physics.Drift }

	sides                     [2]oscillatorSide
	faces                     [4]mouldFace
	freq, strokeSet, strip    float64 // 1/min, mm, s
	friction, lateral, apart  float64 // kN, mm, mm
	supply, drop, flow, power float64 // bar, bar, l/min, kW
	oil, level, speed, inlet  float64
	trim                      float64 // of the stroke controller
}

// oscillatorSide is a cylinder with its valve.
type oscillatorSide struct {
	stroke, offset, phase  float64 // mm, mm, ° behind the reference
	second, third          float64 // harmonics over the stroke, %
	command, drive         float64 // of the valve: mean and amplitude, %
	pressureA, pressureB   float64 // means below and above the piston, bar
	swing                  float64 // amplitude of the load pressure, bar
	stroked, phased, ratio float64 // what the side differs by
}

// mouldFace is a face of the mould with its water.
type mouldFace struct {
	flow, rise   float64 // l/min, K
	upper, lower float64 // copper, °C
	share        float64 // of the heat
}

const (
	tableMass    = 7500.0 // kg
	pistonArea   = 5.0e-3 // m², each
	systemBar    = 160.0
	valveFlow    = 40.0 // l/min at 70 bar
	cylinderLeak = 0.6  // l/min at the load of the table
	pilotFlow    = 2.4  // l/min, both valves
	mouldFlow    = 500.0
	mouldLength  = 0.7  // m below the meniscus
	oscillatorK  = 1.2  // f = k·v/S
	servoLag     = 6e-3 // s, position loop
)

// NewOscillator stands warm in the middle of a sequence.
func NewOscillator(seed uint64, w *production.World, c *production.Cast) *Oscillator {
	o := &Oscillator{cast: c, world: w, rng: physics.Stream(seed, "oscillator"), oil: 45, trim: 1, level: 120, inlet: w.Water + 3}
	o.noise.friction = physics.Drift{Sigma: 0.05, Tau: 600}
	o.noise.level = physics.Drift{Sigma: 1, Tau: 6}
	o.noise.side = physics.Drift{Sigma: 0.012, Tau: 120}
	o.noise.water = physics.Drift{Sigma: 0.006, Tau: 40}
	o.noise.flux = physics.Drift{Sigma: 0.02, Tau: 90}
	o.noise.supply = physics.Drift{Sigma: 0.5, Tau: 10}
	o.noise.lateral = physics.Drift{Sigma: 0.06, Tau: 20}
	o.sides = [2]oscillatorSide{{stroked: 0.002, phased: 0.2, ratio: 1.01}, {stroked: -0.002, phased: -0.2, ratio: 0.99}}
	for i, share := range [4]float64{1.02, 0.99, 0.97, 1.02} {
		o.faces[i].share = share
	}
	const m = time.Minute
	o.silting = Fault{Name: "servo-silting", Code: "H2", Growth: 15 * m, Life: 21 * day,
		About: "silt in servo valve 1: its side lags, odd harmonics, the null wanders, the stroke falls short at last"}
	o.leak = Fault{Name: "leak", Code: "H1", Growth: 15 * m, Life: 30 * day,
		About: "worn piston seal of cylinder 2: its valve must feed the leak at rest, more oil flows, the side hangs lower"}
	o.guide = Fault{Name: "looseness", Code: "M7", Growth: 20 * m, Life: 60 * day,
		About: "worn guides of the mould table: lateral motion, second harmonic, the two sides part"}
	o.film = Fault{Name: "lubrication", Code: "M10", Growth: 10 * m, Life: 2 * day,
		About: "the powder film between strand and mould starves: friction and load pressure rise"}
	o.filter = Fault{Name: "filter-blocking", Code: "P1", Course: Even, Growth: 15 * m, Life: 20 * day,
		About: "the pressure filter of the hydraulic unit blocks"}
	return o
}

func (o *Oscillator) Path() string { return "CC/BC1/OSC" }

// Step moves the table, its hydraulics and the mould's heat.
func (o *Oscillator) Step(dt float64) {
	c := o.cast
	o.speed = c.Speed
	freq, stroke := 0.0, 0.0
	if c.Mould && c.Mode != production.Turnaround {
		stroke = 3 + 3*c.Speed
		freq = math.Max(80, oscillatorK*c.Speed*1000/stroke)
	}
	o.freq = physics.Lag(o.freq, freq, dt, 4)
	o.strokeSet = physics.Lag(o.strokeSet, stroke, dt, 4)
	o.move(dt)
	o.hydraulics(dt)
	o.heat(dt)
}

// NegativeStrip is the time in seconds of each period in which a mould with the
// given stroke (mm) and frequency (1/min) moves down faster than a strand of the
// given speed (m/min): t = arccos(v/πfS)/πf.
func NegativeStrip(stroke, freq, speed float64) float64 {
	f := freq / 60
	top := math.Pi * f * stroke // mm/s, highest speed of the mould
	v := speed * 1000 / 60
	if f <= 0 || v >= top {
		return 0
	}
	return math.Acos(v/top) / (math.Pi * f)
}

// move follows the position loops: each lags behind the reference by its time
// constant, and a slow controller makes up for what that costs of the stroke.
func (o *Oscillator) move(dt float64) {
	omega := 2 * math.Pi * o.freq / 60
	lag := [2]float64{servoLag * (1 + 2*o.silting.Severity), servoLag}
	gain := 0.0
	for i := range lag {
		gain += 0.5 / math.Hypot(1, omega*lag[i])
	}
	o.trim = physics.Lag(o.trim, math.Min(1.015, 1/gain), dt, 30)
	side := o.noise.side.Step(dt, o.rng)
	loose := o.guide.Severity
	for i := range o.sides {
		s := &o.sides[i]
		sign := 1 - 2*float64(i)
		s.stroke = o.strokeSet * o.trim / math.Hypot(1, omega*lag[i]) * (1 + s.stroked + 0.1*sign*side)
		s.phase, s.second, s.third = 0, 0, 0
		if o.strokeSet < 1 {
			continue
		}
		s.phase = math.Atan(omega*lag[i])*180/math.Pi + s.phased + 10*sign*side
		s.second = 0.5 + 3.5*loose*(1+0.2*sign) + 4*math.Abs(side)
		s.third = 0.4
		if i == 0 {
			s.third += 1.8 * o.silting.Severity
			s.second += 0.2 * o.silting.Severity
		}
	}
	moving := math.Min(1, o.strokeSet/3)
	o.lateral = (0.06 + 0.25*loose) * (1 + o.noise.lateral.Step(dt, o.rng)) * moving
	phase := (o.sides[0].phase - o.sides[1].phase) * math.Pi / 180 * o.strokeSet / 2
	o.apart = math.Hypot(math.Hypot(phase, 0.03+0.15*loose), (o.sides[0].stroke-o.sides[1].stroke)/2) / math.Sqrt2 * moving
}

// hydraulics is the balance of forces at the table, and what oil it takes.
func (o *Oscillator) hydraulics(dt float64) {
	c := o.cast
	omega := 2 * math.Pi * o.freq / 60
	top := omega * o.strokeSet / 2 // mm/s
	v := c.Speed * 1000 / 60
	o.strip = 0
	// Friction between strand and mould: a liquid film above, solid powder below.
	// The strand is long in the mould of a long section.
	wander := o.noise.friction.Step(dt, o.rng)
	contact := c.Powder * (c.Thickness + c.Width) / 520 * (1 + wander) * (1 + 1.5*o.film.Severity) * c.Filled()
	viscous, solid := 0.045*contact, 2.4*contact // kN s/mm, kN
	drag := 0.0
	if period := 60 / math.Max(o.freq, 1e-3); o.strokeSet > 2.5 {
		o.strip = NegativeStrip(o.strokeSet, o.freq, c.Speed)
		drag = viscous*v + solid*(1-2*o.strip/period)
	}
	o.friction = viscous*top + solid*math.Min(1, top/10)
	o.supply = systemBar + o.noise.supply.Step(dt, o.rng) - o.drop

	rod := 0.008 * top // guides and seals, kN
	total := pilotFlow
	for i := range o.sides {
		s := &o.sides[i]
		inertia := tableMass / 2 * omega * omega * s.stroke / 2 / 1e6 // kN
		rub := (o.friction/2 + rod + 0.8*o.guide.Severity) * s.ratio
		s.swing = math.Hypot(inertia, rub) / pistonArea / 100
		load := (tableMass/2*9.81/1000 + drag/2) * s.ratio / pistonArea / 100 // bar
		s.pressureA = (o.supply + load) / 2
		s.pressureB = (o.supply - load) / 2

		up := valveFlow * math.Sqrt((o.supply-load)/70) // l/min at full command
		down := valveFlow * math.Sqrt((o.supply+load)/70)
		peak := omega * s.stroke / 2 / 1000 * pistonArea * 60_000 // l/min
		leak := cylinderLeak * load / 78
		if i == 1 {
			leak *= 1 + 9*o.leak.Severity
		}
		s.command = 100 * ((peak/up-peak/down)/math.Pi + leak/up)
		s.drive = 100 * (peak/up + peak/down) / 2
		lag := servoLag
		if i == 0 { // the spool sticks: it is driven harder, and its null has moved
			s.drive *= 1 + 0.08*o.silting.Severity
			s.command += 3 * o.silting.Severity
			lag *= 1 + 2*o.silting.Severity
		}
		// What a loop without an integrator leaves: command over velocity gain.
		s.offset = -s.command / 100 * up / 60_000 / pistonArea * lag * 1000
		total += 2*s.stroke/1000*pistonArea*o.freq*1000 + leak
	}
	o.flow = total
	o.power = o.supply*o.flow/600/0.85 + 1.5
	thick := math.Exp(-0.03 * (o.oil - 45)) // viscosity of the oil over that at 45 °C
	o.drop = (0.6 + 2.9*o.filter.Severity) * thick * (0.7 + 0.3*o.flow/25)
	o.oil = physics.Lag(o.oil, 40+0.25*(o.world.Hall-34)+0.55*o.power, dt, 25*60)
}

// heat is what the mould takes out of the strand: 1.35 MW/m² at 0.92 m/min with
// medium carbon, less for steels that shrink off the mould (0.09 to 0.12 %).
func (o *Oscillator) heat(dt float64) {
	c := o.cast
	noise := o.noise.level.Step(dt, o.rng)
	if c.Mode == production.LadleChange {
		noise *= 2
	}
	level := 0.0
	if c.Mould {
		level = math.Max(120*c.Filled()+noise, 0)
	}
	o.level = physics.Lag(o.level, level, dt, 1.5)
	o.inlet = physics.Lag(o.inlet, o.world.Water+3, dt, 300)

	flux := 0.0 // MW/m²
	if c.Mould {
		flux = 1.35 * math.Sqrt(math.Max(c.Speed, 0.1)/0.92) * c.Filled() * (1 + 0.004*(c.Superheat-28)) * (1 + 0.04*o.film.Severity)
		if math.Abs(c.Carbon-0.10) < 0.025 {
			flux *= 0.88
		}
	}
	flux *= 1 + o.noise.flux.Step(dt, o.rng)
	water := 1 + o.noise.water.Step(dt, o.rng)
	for i := range o.faces {
		f := &o.faces[i]
		side := c.Width
		if i%2 == 1 {
			side = c.Thickness
		}
		f.flow = mouldFlow * side / 260 * water
		kilowatts := flux * f.share * side / 1000 * mouldLength * 1000
		f.rise = physics.Lag(f.rise, kilowatts/(4.18*f.flow/60), dt, 8)
		// Copper: what the water's film and the wall behind the thermocouple cost.
		mean := o.inlet + f.rise/2
		f.upper = physics.Lag(f.upper, mean+flux*f.share*(88+0.25*(o.level-120)), dt, 4)
		f.lower = physics.Lag(f.lower, mean+flux*f.share*42, dt, 4)
	}
}

// Faults are what can break.
func (o *Oscillator) Faults() []*Fault {
	return []*Fault{&o.silting, &o.leak, &o.guide, &o.film, &o.filter}
}

// Load is the load pressure's amplitude and the frequency over those of 1 m/min.
func (o *Oscillator) Load() (load, speed float64) { return o.sides[0].swing / 14, o.freq / 200 }

// Sensors are what the control system has.
func (o *Oscillator) Sensors() []Sensor {
	c := o.cast
	all := []Sensor{
		{Name: "MODE", Text: &c.Mode, Every: Slow},
		{Name: "SEQUENCE", Text: &c.Sequence, Every: Slow},
		{Name: "HEAT", Text: &c.Heat, Every: Slow},
		{Name: "SECTION", Text: &c.Section, Every: Slow},
		{Name: "V_CAST", Value: &o.speed, Every: Slow, Tau: 0.5, Sigma: 0.001},
		{Name: "FREQ", Value: &o.freq, Every: Slow, Sigma: 0.05},
		{Name: "STROKE_SP", Value: &o.strokeSet, Every: Slow},
		{Name: "T_NEG", Value: &o.strip, Every: Slow, Sigma: 0.0003},
		{Name: "F_FRIC", Value: &o.friction, Every: Slow, Tau: 2, Sigma: 0.08, Rel: 0.03},
		{Name: "LATERAL", Value: &o.lateral, Every: Slow, Tau: 1, Sigma: 0.004},
		{Name: "POS_DIFF", Value: &o.apart, Every: Slow, Tau: 1, Sigma: 0.002},
		{Name: "LEVEL", Value: &o.level, Every: Slow, Tau: 0.3, Sigma: 0.3},
		{Name: "P_S", Value: &o.supply, Every: Slow, Tau: 0.1, Sigma: 0.25},
		{Name: "FILTER_DP", Value: &o.drop, Every: Slow, Tau: 0.5, Sigma: 0.01},
		{Name: "OIL_F", Value: &o.flow, Every: Slow, Tau: 0.5, Sigma: 0.05, Rel: 0.007},
		{Name: "OIL_T", Value: &o.oil, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "POWER", Value: &o.power, Every: Slow, Tau: 0.5, Sigma: 0.02, Rel: 0.005},
		{Name: "T_W_IN", Value: &o.inlet, Every: Slow, Tau: 20, Sigma: 0.05},
	}
	names := [2]string{"_1", "_2"}
	for i := range o.sides {
		s, n := &o.sides[i], names[i]
		all = append(all,
			Sensor{Name: "STROKE" + n, Value: &s.stroke, Every: Slow, Tau: 0.5, Sigma: 0.006},
			Sensor{Name: "OFFSET" + n, Value: &s.offset, Every: Slow, Tau: 0.5, Sigma: 0.002},
			Sensor{Name: "PHASE" + n, Value: &s.phase, Every: Slow, Tau: 0.5, Sigma: 0.08},
			Sensor{Name: "H2" + n, Value: &s.second, Every: Slow, Tau: 0.5, Sigma: 0.03},
			Sensor{Name: "H3" + n, Value: &s.third, Every: Slow, Tau: 0.5, Sigma: 0.03},
			Sensor{Name: "NULL" + n, Value: &s.command, Every: Slow, Tau: 0.5, Sigma: 0.05},
			Sensor{Name: "U_AMP" + n, Value: &s.drive, Every: Slow, Tau: 0.5, Sigma: 0.1},
			Sensor{Name: "P_A" + n, Value: &s.pressureA, Every: Slow, Tau: 0.1, Sigma: 0.25},
			Sensor{Name: "P_B" + n, Value: &s.pressureB, Every: Slow, Tau: 0.1, Sigma: 0.25},
			Sensor{Name: "P_AMP" + n, Value: &s.swing, Every: Slow, Tau: 0.5, Sigma: 0.1, Rel: 0.01})
	}
	numbers := [4]string{"_1", "_2", "_3", "_4"}
	for i := range o.faces {
		f, n := &o.faces[i], numbers[i]
		all = append(all,
			Sensor{Name: "F_W" + n, Value: &f.flow, Every: Slow, Tau: 0.5, Rel: 0.005},
			Sensor{Name: "DT_W" + n, Value: &f.rise, Every: Slow, Tau: 10, Sigma: 0.03},
			Sensor{Name: "TC_U" + n, Value: &f.upper, Every: Slow, Tau: 3, Sigma: 0.4},
			Sensor{Name: "TC_L" + n, Value: &f.lower, Every: Slow, Tau: 3, Sigma: 0.3})
	}
	return all
}
