package machine

import (
	"math"
	"math/rand/v2"
	"time"

	"millwright/simulator/physics"
	"millwright/simulator/production"
	"millwright/simulator/vibration"
)

// Fan is the induced draught fan of a converter, 1.25 MW at 990 r/min behind a
// wet scrubber, and the heats it serves.
type Fan struct {
	rng   *rand.Rand
	world *production.World
	heats *production.Heats

	dust, outer Fault // dust is the unbalance over 6 mm/s

	noise struct{ gas, draught, spray, co, unbalance, floor, kurt physics.Drift }

	speed, speedRef, current, power, dp       float64
	gas, spray, flow, co                      float64 // flow is the spray as it is measured
	de, nde, winding                          float64
	vibH, vibV, vibA, hf, env, kurt, residual float64

	one, rest, spread, floor float64 // what vibration is made of: mm/s, floor m/s²
	seen                     [2]seen
}

const (
	fanRPM  = 990.0
	fanIdle = 0.3 * fanRPM
)

// NewFan stands warm.
func NewFan(seed uint64, w *production.World, heats *production.Heats) *Fan {
	f := &Fan{rng: physics.Stream(seed, "fan"), world: w, heats: heats, de: 60, nde: 56, winding: 92, gas: 62, speed: fanRPM,
		speedRef: fanRPM, spray: 120, residual: 1.5}
	f.noise.gas = physics.Drift{Sigma: 1.5, Tau: 10}
	f.noise.draught = physics.Drift{Sigma: 0.012, Tau: 5}
	f.noise.spray = physics.Drift{Sigma: 1.5, Tau: 3}
	f.noise.co = physics.Drift{Sigma: 2, Tau: 5}
	f.noise.unbalance = physics.Drift{Sigma: 0.02, Tau: 3}
	f.noise.floor = physics.Drift{Sigma: 0.02, Tau: 3}
	f.noise.kurt = physics.Drift{Sigma: 0.10, Tau: 2}
	f.dust = Fault{Name: "dust", Code: "M5", Course: Shedding, Growth: 15 * time.Minute, Life: 20 * day,
		About: "dust on the impeller: unbalance creeps up, then a lump falls off and it jumps"}
	f.outer = Fault{Name: "bearing-outer", Code: "M1", Growth: 10 * time.Minute, Life: 60 * day,
		About: "spall on the outer race of the drive end bearing"}
	return f
}

func (f *Fan) Path() string { return "BOF/C1/FAN" }

func (f *Fan) Step(dt float64) {
	w, h := f.world, f.heats
	blowing := h.Mode == "blow"
	target := fanIdle
	if blowing {
		target = fanRPM
	}
	rate := (fanRPM - fanIdle) / 40 * dt
	f.speedRef += math.Copysign(math.Min(rate, math.Abs(target-f.speedRef)), target-f.speedRef)
	f.speed = physics.Lag(f.speed, f.speedRef, dt, 1.5)
	n := f.speed / fanRPM

	gas, co, spray := 38.0, 0.3, 45.0
	if blowing {
		x := h.Blown / h.Blow
		gas = 66 + 3*math.Sin(math.Pi*x)
		co = 60 * math.Sqrt(math.Sin(math.Pi*math.Min(1, math.Max(0.01, x)))) * h.Rich
		spray = 130
	}
	f.gas = physics.Lag(f.gas, gas+f.noise.gas.Step(dt, f.rng), dt, 45)
	f.flow = f.spray + f.noise.spray.Step(dt, f.rng)
	f.co = math.Max(0, physics.Lag(f.co, math.Max(0, co+f.noise.co.Step(dt, f.rng)*n), dt, 25))
	f.spray = physics.Lag(f.spray, spray, dt, 10)

	// Fan law at the density of the wet gas; q is the flow over the rated one.
	density := 338.0 / (273 + f.gas) * (1 - 0.05*f.co/100)
	q := 0.95 + f.noise.draught.Step(dt, f.rng)
	f.dp = 165 * density * n * n * (0.85 + 0.4*q - 0.25*q*q)
	f.power = 1050*density*n*n*n*q + 18*n
	load := f.power / 1250
	f.current = physics.Induction(f.power, load+0.05, 6600*w.Volts, 0.95)
	f.thermal(n, dt)
	f.vibration(n, dt)
}

func (f *Fan) thermal(n, dt float64) {
	w := f.world
	amps := f.current / 125
	f.winding = physics.Lag(f.winding, 40+0.3*(w.Hall-34)+62*amps*amps, dt, 40*60)
	warm := 40 + 0.3*(w.Hall-34)
	f.de = physics.Lag(f.de, warm+17*n+24*f.outer.Severity*f.outer.Severity*n+2.5*f.dust.Severity*n, dt, 45*60)
	f.nde = physics.Lag(f.nde, warm+14*n+2*f.outer.Severity*f.outer.Severity*n+1.5*f.dust.Severity*n, dt, 45*60)
}

func (f *Fan) vibration(n, dt float64) {
	// One turn a time: residual unbalance and dust add as vectors; the shaft's
	// resonance lies at 1.6 times the rated speed.
	lump := 0.8 + 2.4*float64(f.dust.Lumps) // angle of the dust's unbalance, rad
	x := f.residual + 6*f.dust.Severity*math.Cos(lump)
	y := 6 * f.dust.Severity * math.Sin(lump)
	gain := func(r float64) float64 { return r * r / math.Hypot(1-r*r, 0.1*r) }
	one := math.Hypot(x, y) * gain(n/1.6) / gain(1/1.6) * (1 + f.noise.unbalance.Step(dt, f.rng))
	rest := 0.3 * n * n
	spread := vibration.Late(f.outer.Severity) * n
	f.one, f.rest, f.spread = one, rest, spread
	f.vibH = vibration.Hypot(one, rest, spread)
	f.vibV = vibration.Hypot(0.75*one, rest, spread)
	f.vibA = vibration.Hypot(0.25*one, 0.8*rest, 0.5*spread)

	floor := (0.06 + 0.44*n*n) * (1 + f.noise.floor.Step(dt, f.rng))
	f.floor = floor
	f.hf, f.kurt, f.env = vibration.Spall(f.outer.Severity, f.speed).Features(floor)
	f.kurt += f.noise.kurt.Step(dt, f.rng)
}

// Points are the accelerometers at the drive end, horizontal and axial.
func (f *Fan) Points() []Point {
	return []Point{
		{"VIB_H_W", func() vibration.Signal { return f.signal(&f.seen[0], 1, 1, 1) }},
		{"VIB_A_W", func() vibration.Signal { return f.signal(&f.seen[1], 0.25, 0.8, 0.5) }},
	}
}

// signal is that of a direction, which sees shares of the three velocities.
func (f *Fan) signal(s *seen, one, rest, spread float64) vibration.Signal {
	s.shaft = [5]vibration.Line{
		vibration.VelocityLine(1, one*f.one, f.speed),
		vibration.VelocityLine(2, rest*f.rest, f.speed),
		vibration.VelocityLine(spreadOrder, spread*f.spread, f.speed),
	}
	s.impacts[0] = outerImpacts(f.outer.Severity, f.speed)
	return vibration.Signal{Speed: f.speed, Shaft: s.shaft[:], Impacts: s.impacts[:1], Noise: vibration.White(f.floor)}
}

// Faults are what can break.
func (f *Fan) Faults() []*Fault { return []*Fault{&f.dust, &f.outer} }

// Load is the share of the rated power and speed.
func (f *Fan) Load() (load, speed float64) { return f.power / 1250, f.speed / fanRPM }

// Sensors are what the control system has.
func (f *Fan) Sensors() []Sensor {
	return []Sensor{
		{Name: "MODE", Text: &f.heats.Mode, Every: Fast},
		{Name: "HEAT", Text: &f.heats.Heat, Every: Fast},
		{Name: "SPEED", Value: &f.speed, Every: Slow, Tau: 0.2, Sigma: 0.25},
		{Name: "SPEED_REF", Value: &f.speedRef, Every: Slow},
		{Name: "CURRENT", Value: &f.current, Every: Slow, Tau: 0.2, Sigma: 0.05, Rel: 0.004},
		{Name: "POWER", Value: &f.power, Every: Slow, Tau: 0.5, Sigma: 0.5, Rel: 0.004},
		{Name: "DP", Value: &f.dp, Every: Slow, Tau: 0.3, Sigma: 0.15, Rel: 0.003},
		{Name: "T_GAS", Value: &f.gas, Every: Slow, Tau: 8, Sigma: 0.1},
		{Name: "SPRAY_F", Value: &f.flow, Every: Slow, Tau: 0.5, Rel: 0.006},
		{Name: "CO", Value: &f.co, Every: Slow, Tau: 5, Sigma: 0.15},
		{Name: "BRG_T_DE", Value: &f.de, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "BRG_T_NDE", Value: &f.nde, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "MOT_T_W", Value: &f.winding, Every: Slow, Tau: 40, Sigma: 0.08, Hum: windingHum},
		{Name: "VIB_H", Value: &f.vibH, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_V", Value: &f.vibV, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_A", Value: &f.vibA, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_HF", Value: &f.hf, Every: Slow, Tau: 1, Sigma: 0.003, Rel: 0.015},
		{Name: "VIB_ENV", Value: &f.env, Every: Slow, Tau: 1, Sigma: 0.5},
		{Name: "VIB_KURT", Value: &f.kurt, Every: Slow, Tau: 1, Rel: 0.02},
	}
}
