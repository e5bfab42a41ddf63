package simulator

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// fan is the induced draught fan of a converter, 1.25 MW at 990 r/min behind a
// wet scrubber, and the heats it serves.
type fan struct {
	rng   *rand.Rand
	heats *rand.Rand

	dust, outer float64 // severities; dust is the unbalance over 6 mm/s
	lump        float64 // angle of the dust's unbalance, rad

	noise struct{ gas, draught, spray, co, unbalance, floor, kurt drift }

	mode   string
	heat   string
	number int
	left   float64 // s of the step
	blown  float64 // s into the blow
	blow   float64 // length of this heat's blow, s
	rich   float64 // CO of this heat over the usual

	speed, speedRef, current, power, dp       float64
	gas, spray, flow, co                      float64 // flow is the spray as it is measured
	de, nde, winding                          float64
	vibH, vibV, vibA, hf, env, kurt, residual float64
}

const (
	fanRPM  = 990.0
	fanIdle = 0.3 * fanRPM
)

func newFan(seed uint64) *fan {
	f := &fan{rng: stream(seed, "fan"), heats: stream(seed, "heats"), de: 60, nde: 56, winding: 92, gas: 62, speed: fanRPM,
		speedRef: fanRPM, spray: 120, residual: 1.5}
	f.number = 20_000 + f.heats.IntN(60_000)
	f.noise.gas = drift{sigma: 1.5, tau: 10}
	f.noise.draught = drift{sigma: 0.012, tau: 5}
	f.noise.spray = drift{sigma: 1.5, tau: 3}
	f.noise.co = drift{sigma: 2, tau: 5}
	f.noise.unbalance = drift{sigma: 0.02, tau: 3}
	f.noise.floor = drift{sigma: 0.02, tau: 3}
	f.noise.kurt = drift{sigma: 0.10, tau: 2}
	f.begin("blow")
	return f
}

func (f *fan) path() string { return "BOF/C1/FAN" }

func (f *fan) fault(name string, s float64) {
	switch name {
	case "dust":
		f.dust = s
	case "bearing-outer":
		f.outer = s
	}
}

// begin begins a step of the heat; a charge begins a new heat.
func (f *fan) begin(step string) {
	f.mode = step
	u := f.heats.Float64()
	switch step {
	case "charge":
		f.number++
		f.left = 330 + 60*u
	case "blow":
		f.left = 960 + 120*u
		f.blow, f.blown = f.left, 0
		f.rich = 1 + 0.02*(2*f.heats.Float64()-1)
	case "sample":
		f.left = 210 + 60*u
	case "tap":
		f.left = 330 + 60*u
	case "slag":
		f.left = 420 + 240*u
	}
	f.heat = fmt.Sprintf("H%05d", f.number)
}

var heatSteps = map[string]string{"charge": "blow", "blow": "sample", "sample": "tap", "tap": "slag", "slag": "charge"}

func (f *fan) step(w *world, dt float64) {
	f.left -= dt
	f.blown += dt
	if f.left <= 0 {
		f.begin(heatSteps[f.mode])
	}
	blowing := f.mode == "blow"
	target := fanIdle
	if blowing {
		target = fanRPM
	}
	rate := (fanRPM - fanIdle) / 40 * dt
	f.speedRef += math.Copysign(math.Min(rate, math.Abs(target-f.speedRef)), target-f.speedRef)
	f.speed = lag(f.speed, f.speedRef, dt, 1.5)
	n := f.speed / fanRPM

	gas, co, spray := 38.0, 0.3, 45.0
	if blowing {
		x := f.blown / f.blow
		gas = 66 + 3*math.Sin(math.Pi*x)
		co = 60 * math.Sqrt(math.Sin(math.Pi*math.Min(1, math.Max(0.01, x)))) * f.rich
		spray = 130
	}
	f.gas = lag(f.gas, gas+f.noise.gas.step(dt, f.rng), dt, 45)
	f.flow = f.spray + f.noise.spray.step(dt, f.rng)
	f.co = math.Max(0, lag(f.co, math.Max(0, co+f.noise.co.step(dt, f.rng)*n), dt, 25))
	f.spray = lag(f.spray, spray, dt, 10)

	// Fan law at the density of the wet gas; q is the flow over the rated one.
	density := 338.0 / (273 + f.gas) * (1 - 0.05*f.co/100)
	q := 0.95 + f.noise.draught.step(dt, f.rng)
	f.dp = 165 * density * n * n * (0.85 + 0.4*q - 0.25*q*q)
	f.power = 1050*density*n*n*n*q + 18*n
	load := f.power / 1250
	cosphi := 0.88*(1-math.Exp(-3*(load+0.05))) + 0.02
	f.current = f.power * 1000 / (math.Sqrt(3) * 6600 * w.volts * cosphi * 0.95)
	f.thermal(w, n, dt)
	f.vibration(n, dt)
}

func (f *fan) thermal(w *world, n, dt float64) {
	amps := f.current / 125
	f.winding = lag(f.winding, 40+0.3*(w.hall-34)+62*amps*amps, dt, 40*60)
	warm := 40 + 0.3*(w.hall-34)
	f.de = lag(f.de, warm+17*n+24*f.outer*f.outer*n+2.5*f.dust*n, dt, 45*60)
	f.nde = lag(f.nde, warm+14*n+2*f.outer*f.outer*n+1.5*f.dust*n, dt, 45*60)
}

func (f *fan) vibration(n, dt float64) {
	// One turn a time: residual unbalance and dust add as vectors; the shaft's
	// resonance lies at 1.6 times the rated speed.
	x := f.residual + 6*f.dust*math.Cos(f.lump)
	y := 6 * f.dust * math.Sin(f.lump)
	gain := func(r float64) float64 { return r * r / math.Hypot(1-r*r, 0.1*r) }
	one := math.Hypot(x, y) * gain(n/1.6) / gain(1/1.6) * (1 + f.noise.unbalance.step(dt, f.rng))
	rest := 0.3 * n * n
	spread := late(f.outer) * n
	f.vibH = hypot(one, rest, spread)
	f.vibV = hypot(0.75*one, rest, spread)
	f.vibA = hypot(0.25*one, 0.8*rest, 0.5*spread)

	floor := (0.06 + 0.44*n*n) * (1 + f.noise.floor.step(dt, f.rng))
	f.hf, f.kurt, f.env = spall(f.outer, f.speed).features(floor)
	f.kurt += f.noise.kurt.step(dt, f.rng)
}

func (f *fan) sensors() []sensor {
	const p = "BOF/C1/FAN/"
	return []sensor{
		{path: p + "MODE", text: &f.mode, every: fast},
		{path: p + "HEAT", text: &f.heat, every: fast},
		{path: p + "SPEED", value: &f.speed, every: slow, tau: 0.2, sigma: 0.25},
		{path: p + "SPEED_REF", value: &f.speedRef, every: slow},
		{path: p + "CURRENT", value: &f.current, every: slow, tau: 0.2, sigma: 0.05, rel: 0.004},
		{path: p + "POWER", value: &f.power, every: slow, tau: 0.5, sigma: 0.5, rel: 0.004},
		{path: p + "DP", value: &f.dp, every: slow, tau: 0.3, sigma: 0.15, rel: 0.003},
		{path: p + "T_GAS", value: &f.gas, every: slow, tau: 8, sigma: 0.1},
		{path: p + "SPRAY_F", value: &f.flow, every: slow, tau: 0.5, rel: 0.006},
		{path: p + "CO", value: &f.co, every: slow, tau: 5, sigma: 0.15},
		{path: p + "BRG_T_DE", value: &f.de, every: slow, tau: 30, sigma: 0.06},
		{path: p + "BRG_T_NDE", value: &f.nde, every: slow, tau: 30, sigma: 0.06},
		{path: p + "MOT_T_W", value: &f.winding, every: slow, tau: 40, sigma: 0.08},
		{path: p + "VIB_H", value: &f.vibH, every: slow, tau: 1, sigma: 0.01, rel: 0.02},
		{path: p + "VIB_V", value: &f.vibV, every: slow, tau: 1, sigma: 0.01, rel: 0.02},
		{path: p + "VIB_A", value: &f.vibA, every: slow, tau: 1, sigma: 0.01, rel: 0.02},
		{path: p + "VIB_HF", value: &f.hf, every: slow, tau: 1, sigma: 0.003, rel: 0.015},
		{path: p + "VIB_ENV", value: &f.env, every: slow, tau: 1, sigma: 0.5},
		{path: p + "VIB_KURT", value: &f.kurt, every: slow, tau: 1, rel: 0.02},
	}
}
