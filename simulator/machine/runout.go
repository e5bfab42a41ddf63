package machine

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"millwright/simulator/physics"
	"millwright/simulator/production"
)

// RunOut is a group of twelve motors of the run-out table behind the hot strip
// mill, one a roll, and the laminar cooling above them.
type RunOut struct {
	world *production.World
	table *production.RunOut
	rng   *rand.Rand

	seizure, coupling, phase, damp Fault

	noise struct{ strip, water, coiling, wet, unbalance physics.Drift }

	rolls [tableRolls]roll

	reference, stripSpeed, link, unbalance, insulation, cabinet float64
	banks                                                       [4]float64
	cooling, level, coiling                                     float64
	before                                                      float64 // reference, r/min
	load                                                        float64
}

// roll is one with its motor: 5.5 kW, 8 poles, an inverter of its own.
type roll struct {
	friction float64 // over that of the group
	diameter float64 // over that of a new roll: worn ones turn their surface slower
	estimate float64 // of the inverter's speed over the true one
	rough    physics.Drift

	real   float64 // r/min
	speed  float64 // the same as the inverter says
	torque float64 // current component that makes torque, A
}

const (
	tableRolls  = 12
	tableRadius = 0.15   // m
	tableInert  = 5.0    // of roll and motor, kg·m²
	tableKT     = 6.25   // N·m for an ampere that makes torque
	tableLimit  = 105.0  // N·m that the inverter lets through
	tableRated  = 70.0   // N·m
	tablePlace  = 14.0   // m behind the mill
	tableRPM    = 600.0  // at some 9.4 m/s
	bankFlow    = 620.0  // m³/h of an open bank at full level
	poured      = 1600.0 // m³/h that the pumps send up to the tank
)

// Motors with a fault, from 0.
const (
	seizing  = 4
	uncouple = 8
	unphased = 2
)

// NewRunOut turns, without a strip.
func NewRunOut(seed uint64, w *production.World, table *production.RunOut) *RunOut {
	r := &RunOut{world: w, table: table, rng: physics.Stream(seed, "run-out"), cabinet: 38, insulation: 12, level: 4, coiling: 300, link: 540}
	for i := range r.rolls {
		r.rolls[i] = roll{
			friction: 1 + 0.05*(2*r.rng.Float64()-1),
			diameter: 1 - 0.006*r.rng.Float64(),
			estimate: 1 + 0.002*(2*r.rng.Float64()-1),
			rough:    physics.Drift{Sigma: 0.025, Tau: 1.5},
		}
	}
	r.noise.strip = physics.Drift{Sigma: 0.006, Tau: 2}
	r.noise.water = physics.Drift{Sigma: 0.006, Tau: 6}
	r.noise.coiling = physics.Drift{Sigma: 5, Tau: 4}
	r.noise.unbalance = physics.Drift{Sigma: 0.1, Tau: 600}
	r.noise.wet = physics.Drift{Sigma: 0.08, Tau: 3 * 3600}
	r.seizure = Fault{Name: "roll-seizure", Code: "M1", Growth: 15 * time.Minute, Life: 14 * day,
		About: "bearing of roll 5 seizes: its motor's current parts from its siblings, at last the roll stands and scratches the strip"}
	r.coupling = Fault{Name: "coupling", Code: "M7", Course: AtOnce,
		About: "the coupling of roll 9 has let go: the current of its motor is near zero"}
	r.phase = Fault{Name: "phase-unbalance", Code: "M11", Course: Even, Growth: 15 * time.Minute, Life: 30 * day,
		About: "a winding of motor 3 loses turns: negative sequence current, a little more current and less speed"}
	r.damp = Fault{Name: "insulation", Code: "M11", Course: Even, Growth: 30 * time.Minute, Life: 60 * day,
		About: "water in terminal boxes: the group's insulation resistance falls"}
	return r
}

func (r *RunOut) Path() string { return "HSM/ROT/G1" }

func (r *RunOut) Step(dt float64) {
	t, w := r.table, r.world
	r.stripSpeed = t.Speed * (1 + r.noise.strip.Step(dt, r.rng)*0.1)
	over := t.On(tablePlace)
	if !over {
		r.stripSpeed = 0
	}
	r.before = r.reference
	r.reference = t.Table / tableRadius * 60 / (2 * math.Pi)
	slope := (r.reference - r.before) / dt * 2 * math.Pi / 60 // rad/s²

	// What a roll carries of the strip, N: the weight of 0.4 m of it.
	c := t.Strip()
	weight := 0.0
	if over {
		weight = c.Gauge / 1000 * c.Pass.Width / 1000 * 0.4 * 7850 * 9.81
	}
	total := 0.0
	for i := range r.rolls {
		total += r.turn(i, slope, weight, dt)
	}
	r.load = total / tableRolls / tableRated
	r.link = 540*w.Volts - 6*math.Max(0, r.load)
	r.unbalance = 0.9 + r.noise.unbalance.Step(dt, r.rng) + 7.5*r.phase.Severity*(0.6+0.4*math.Min(1, r.reference/tableRPM))
	r.cabinet = physics.Lag(r.cabinet, w.Hall+3+14*math.Abs(r.load), dt, 20*60)
	// Insulation to earth halves for ten kelvin and in damp air, and collapses in wet boxes.
	wet := r.noise.wet.Step(dt, r.rng)
	r.insulation = 12 * math.Exp2((34-w.Hall)/10) * math.Exp(wet) / (1 + 40*r.damp.Severity)
	r.laminar(dt)
}

// turn moves one roll on and returns its torque at the motor.
func (r *RunOut) turn(i int, slope, weight, dt float64) float64 {
	o := &r.rolls[i]
	grease := 1 - 0.01*(r.world.Hall-34)
	friction := (11 + 6*o.real/tableRPM) * o.friction * grease * (1 + o.rough.Step(dt, r.rng))
	if i == seizing {
		s := r.seizure.Severity
		friction *= 1 + 0.8*s + 7*s*s*s*s
	}
	// The strip drags a slower roll along and is pushed by a faster one.
	slip := (o.real*2*math.Pi/60*tableRadius*o.diameter - r.table.Speed) / math.Max(1, r.table.Speed)
	drag := 0.25 * weight * tableRadius * math.Tanh(slip/0.015)
	inertia := tableInert * slope
	if i == uncouple && r.coupling.Severity > 0 {
		friction, drag, inertia = 0.7, 0, 0.25*slope // the motor alone
	}
	demand := friction + drag + inertia
	if r.reference < 1 && o.real < 5 {
		demand = 0 // pulses are off
	}
	reference := r.reference
	if i == unphased {
		reference *= 1 - 0.012*r.phase.Severity
		demand *= 1 + 0.06*r.phase.Severity
	}
	if demand > tableLimit {
		// What the inverter cannot give, the roll loses of its speed.
		o.real = math.Max(0, o.real-(demand-tableLimit)/tableInert*60/(2*math.Pi)*dt)
		demand = tableLimit
	} else {
		o.real = physics.Lag(o.real, reference, dt, 0.25)
	}
	o.torque = demand / tableKT
	o.speed = o.real * o.estimate
	return demand
}

// laminar cooling opens its banks when the head comes; the last one trims.
func (r *RunOut) laminar(dt float64) {
	c := r.table.Strip()
	ahead := r.table.Head > -15 && r.table.Tail < 60
	r.cooling = 0
	flow := bankFlow * math.Sqrt(math.Max(0.2, r.level)/4) * (1 + r.noise.water.Step(dt, r.rng))
	// Heat to take away: from 885 °C behind the mill to 600 °C at the coiler.
	need := c.Gauge / 3.2 * r.table.Speed / 9 * c.Pass.Width / 1050 * 2.75 // banks
	for i := range r.banks {
		open := 0.0
		if ahead {
			open = math.Min(1, math.Max(0, need-float64(i)))
		}
		r.banks[i] = physics.Lag(r.banks[i], open, dt, 0.8)
		r.cooling += r.banks[i] * flow
	}
	// The tank: 50 m² of surface, an overflow at 4 m.
	r.level = math.Min(4, math.Max(0, r.level+(poured-r.cooling)/3600/50*dt))
	target, tau := 300.0, 1.0 // below the pyrometer's range
	noise := r.noise.coiling.Step(dt, r.rng)
	if r.table.On(55) {
		taken := 285 * r.cooling / bankFlow / math.Max(0.5, need) * (1 - 0.004*(r.world.Water-30))
		target = 885 - taken + 4*math.Sin(2*math.Pi*c.Skids*(r.table.Head-55)/(c.Length*c.Pass.Exit/c.Gauge)) + noise
		tau = 0.3
	}
	r.coiling = physics.Lag(r.coiling, math.Max(300, target), dt, tau)
}

// Faults are what can break.
func (r *RunOut) Faults() []*Fault { return []*Fault{&r.seizure, &r.coupling, &r.phase, &r.damp} }

// Load is the share of the rated torque and speed.
func (r *RunOut) Load() (load, speed float64) { return r.load, r.reference / tableRPM }

// Sensors are what the control system has.
func (r *RunOut) Sensors() []Sensor {
	all := []Sensor{
		{Name: "MODE", Text: &r.table.Mode, Every: Fast},
		{Name: "COIL", Text: &r.table.Coil, Every: Fast},
		{Name: "SPEED_REF", Value: &r.reference, Every: Fast},
		{Name: "V_STRIP", Value: &r.stripSpeed, Every: Fast, Tau: 0.1, Sigma: 0.005},
		{Name: "U_DC", Value: &r.link, Every: Slow, Tau: 0.2, Sigma: 0.5},
		{Name: "UNB", Value: &r.unbalance, Every: Slow, Tau: 5, Sigma: 0.12},
		{Name: "R_ISO", Value: &r.insulation, Every: Slow, Tau: 60, Rel: 0.01},
		{Name: "T_CAB", Value: &r.cabinet, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "LAM_F", Value: &r.cooling, Every: Slow, Tau: 0.5, Sigma: 2, Rel: 0.007},
		{Name: "LAM_LEVEL", Value: &r.level, Every: Slow, Tau: 2, Sigma: 0.01},
		{Name: "T_COIL", Value: &r.coiling, Every: Slow, Tau: 0.3, Sigma: 2},
	}
	for i := range r.banks {
		all = append(all, Sensor{Name: "LAM_V" + strconv.Itoa(i+1), Value: &r.banks[i], Every: Slow})
	}
	for i := range r.rolls {
		o, n := &r.rolls[i], strconv.Itoa(i+1)
		all = append(all,
			Sensor{Name: "I_" + n, Value: &o.torque, Every: Fast, Tau: 0.1, Sigma: 0.02, Rel: 0.005},
			Sensor{Name: "SPEED_" + n, Value: &o.speed, Every: Fast, Tau: 0.1, Sigma: 0.2})
	}
	return all
}
