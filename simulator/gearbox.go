package simulator

import (
	"math"
	"math/rand/v2"
)

// gearbox is the drive of stand F3: a direct current motor of 7 MW, a gear stage
// of 23 to 71 teeth, the work rolls.
type gearbox struct {
	line *line
	rng  *rand.Rand

	outer, wear, crack, lube float64 // severities

	noise struct{ force, tilt, oil, mesh, floor, kurt drift }

	// What there is to measure, in the units of the tags.
	speed, speedRef, torque, current, power       float64
	forceDS, forceOS, gap, entry                  float64
	winding, oil, oilP, oilF                      float64
	pde, pnde, wde                                float64
	vibH, vibV, vibA, acc, hf, env, kurt, gmf, sb float64
}

const (
	gearRatio = 71.0 / 23
	pinion    = 23    // teeth
	rollM     = 0.350 // work roll radius, m
	ratedRPM  = 320.0
	ratedKNM  = 220.0 // motor
	ratedAmps = 7000.0
)

func newGearbox(seed uint64, l *line) *gearbox {
	g := &gearbox{line: l, rng: stream(seed, "gearbox"), winding: 92, oil: 50, pde: 62, pnde: 60, wde: 58, gap: 6}
	g.noise.force = drift{sigma: 0.008, tau: 0.5}
	g.noise.tilt = drift{sigma: 0.004, tau: 3}
	g.noise.oil = drift{sigma: 0.3, tau: 20}
	g.noise.mesh = drift{sigma: 0.02, tau: 3}
	g.noise.floor = drift{sigma: 0.02, tau: 3}
	g.noise.kurt = drift{sigma: 0.10, tau: 2}
	return g
}

func (g *gearbox) path() string { return "HSM/FM/F3/GBX" }

func (g *gearbox) fault(name string, s float64) {
	switch name {
	case "bearing-outer":
		g.outer = s
	case "gear-wear":
		g.wear = s
	case "gear-crack":
		g.crack = s
	case "lubrication":
		g.lube = s
	}
}

func (g *gearbox) step(w *world, dt float64) {
	l := g.line
	g.speedRef = l.speed / (2 * math.Pi * rollM) * 60 * gearRatio
	// The controller lets the speed dip for a moment when the head bites.
	dip := 0.0
	if l.inStrip() {
		dip = 0.012 * math.Exp(-l.bite/0.25)
	}
	before := g.speed
	g.speed = lag(g.speed, g.speedRef*(1-dip), dt, 0.4)
	angular := g.speed * 2 * math.Pi / 60
	force, roll := g.strip(dt)

	friction := 1500 * (0.4 + 0.6*g.speed/ratedRPM) * (1 + 0.5*g.lube + 0.3*g.wear)
	inertia := 4000 * (g.speed - before) / dt * 2 * math.Pi / 60
	torque := roll/gearRatio/0.97 + friction + inertia // N·m at the motor
	g.torque = torque / 1000
	g.power = torque * angular / 1000
	g.current = torque/ratedKNM/1000*ratedAmps + 180
	g.forceDS = force / 2 * (1 + g.noise.tilt.step(dt, g.rng)) / 1e6
	g.forceOS = force/1e6 - g.forceDS
	g.thermal(w, dt)
	g.vibration(dt)
}

// strip is roll force and torque, 0 without a strip.
func (g *gearbox) strip(dt float64) (force, torque float64) {
	l := g.line
	g.entry = 500 // below the pyrometer's range
	noise := g.noise.force.step(dt, g.rng)
	if !l.inStrip() {
		g.gap = lag(g.gap, l.coil.pass.exit-2.5, dt, 3) // set for the next coil
		return 0, 0
	}
	p := l.coil.pass
	p.speed = math.Max(0.1, g.speed*2*math.Pi/60/gearRatio*rollM)
	g.entry = l.temperature()
	p.temperature = g.entry
	force, torque = p.solve()
	force *= 1 + noise
	torque *= 1 + noise
	// Mill stretch: the strip leaves thicker than the gap by F/K.
	g.gap = p.exit - force/5.5e6
	// Torsional ringing of the drive after the bite (amplification 1.7 at 15 Hz).
	ring := 2 * math.Pi * 15.0
	torque *= 1 + 0.7*math.Exp(-0.03*ring*l.bite)*math.Cos(ring*l.bite)
	return force, torque
}

func (g *gearbox) thermal(w *world, dt float64) {
	load := math.Abs(g.torque) * 1000 / ratedKNM / 1000
	turn := g.speed / ratedRPM
	amps := g.current / ratedAmps
	g.winding = lag(g.winding, 40+0.3*(w.hall-34)+70*amps*amps, dt, 35*60)
	// The cooler's thermostat holds the oil; losses lift it a little.
	loss := turn * (0.4 + 0.6*load)
	g.oil = lag(g.oil, 46+5*loss*(1+0.5*g.wear)+14*g.lube*turn+0.1*(w.hall-34)+g.noise.oil.step(dt, g.rng), dt, 40*60)
	g.oilP = (2.2 - 0.012*(g.oil-50)) * (1 - 0.62*g.lube)
	g.oilF = 420 * (1 - 0.55*g.lube) * (1 - 0.002*(g.oil-50))
	heat := loss * (1 + 3*g.lube) // friction power over that of a healthy bearing
	g.pde = lag(g.pde, g.oil+14*heat+22*g.outer*g.outer*turn, dt, 25*60)
	g.pnde = lag(g.pnde, g.oil+12*heat+3*g.outer*g.outer*turn, dt, 25*60)
	g.wde = lag(g.wde, g.oil+9*heat, dt, 30*60)
}

// vibration at the housing of the pinion's drive end.
func (g *gearbox) vibration(dt float64) {
	turn := g.speed / ratedRPM
	shaft := g.speed / 60
	load := math.Pow(math.Min(1.5, math.Abs(g.torque)/ratedKNM), 0.8)
	mesh := turn * (0.12 + load) * (1 + g.noise.mesh.step(dt, g.rng))
	g1 := 3.0 * mesh * (1 + 0.5*g.wear)
	g2 := 1.5 * mesh * (1 + 4*g.wear)
	g3 := 0.75 * mesh * (1 + 2*g.wear)
	g.gmf = hypot(g1, g2, g3) / math.Sqrt2
	g.sb = 8 + 45*g.wear + 30*g.crack

	f := pinion * shaft
	line := hypot(velocity(g1, f), velocity(g2, 2*f), velocity(g3, 3*f)) / math.Sqrt2
	side := line * (0.3*g.wear + 0.2*g.crack)
	rest := 0.35 * turn
	spread := late(g.outer) * turn
	g.vibH = hypot(line, side, rest, spread)
	g.vibV = hypot(0.8*line, 0.8*side, 0.8*rest, 0.9*spread)
	g.vibA = hypot(0.45*line, 0.6*side, 0.5*rest, 0.4*spread)

	floor := (0.03 + 0.27*turn*(0.7+0.3*load)) * (1 + 5*g.lube) * (1 + 0.8*g.wear) * (1 + g.noise.floor.step(dt, g.rng))
	hit := spall(g.outer, g.speed)
	_, _, g.env = hit.features(floor)
	if g.crack > 0 { // once a turn of the pinion
		k := ringing(4*g.crack*math.Pow(turn, 1.2), shaft)
		hit.kurt = (hit.kurt*hit.square + peakedness(shaft)*k) / math.Max(hit.square+k, 1e-12)
		hit.square += k
	}
	g.hf, g.kurt, _ = hit.features(floor)
	g.kurt += g.noise.kurt.step(dt, g.rng)
	g.acc = hypot(g.hf, g.gmf)
}

func (g *gearbox) sensors() []sensor {
	const p = "HSM/FM/F3/GBX/"
	return []sensor{
		{path: p + "SPEED", value: &g.speed, every: fast, tau: 0.05, sigma: 0.15},
		{path: p + "SPEED_REF", value: &g.speedRef, every: fast},
		{path: p + "TORQUE", value: &g.torque, every: fast, tau: 0.1, sigma: 0.4, rel: 0.003},
		{path: p + "CURRENT", value: &g.current, every: fast, tau: 0.1, sigma: 10, rel: 0.003},
		{path: p + "POWER", value: &g.power, every: fast, tau: 0.1, sigma: 6, rel: 0.004},
		{path: p + "FORCE_DS", value: &g.forceDS, every: fast, tau: 0.05, sigma: 0.01},
		{path: p + "FORCE_OS", value: &g.forceOS, every: fast, tau: 0.05, sigma: 0.01},
		{path: p + "GAP", value: &g.gap, every: fast, tau: 0.05, sigma: 0.003},
		{path: p + "T_ENTRY", value: &g.entry, every: slow, tau: 0.3, sigma: 2},
		{path: p + "MOT_T_W", value: &g.winding, every: slow, tau: 40, sigma: 0.08},
		{path: p + "OIL_T", value: &g.oil, every: slow, tau: 30, sigma: 0.06},
		{path: p + "OIL_P", value: &g.oilP, every: slow, tau: 0.2, sigma: 0.008},
		{path: p + "OIL_F", value: &g.oilF, every: slow, tau: 0.5, rel: 0.006},
		{path: p + "BRG_T_PDE", value: &g.pde, every: slow, tau: 30, sigma: 0.06},
		{path: p + "BRG_T_PNDE", value: &g.pnde, every: slow, tau: 30, sigma: 0.06},
		{path: p + "BRG_T_WDE", value: &g.wde, every: slow, tau: 30, sigma: 0.06},
		{path: p + "VIB_H", value: &g.vibH, every: slow, tau: 1, sigma: 0.01, rel: 0.02},
		{path: p + "VIB_V", value: &g.vibV, every: slow, tau: 1, sigma: 0.01, rel: 0.02},
		{path: p + "VIB_A", value: &g.vibA, every: slow, tau: 1, sigma: 0.01, rel: 0.02},
		{path: p + "ACC_RMS", value: &g.acc, every: slow, tau: 1, sigma: 0.005, rel: 0.015},
		{path: p + "VIB_HF", value: &g.hf, every: slow, tau: 1, sigma: 0.002, rel: 0.015},
		{path: p + "VIB_ENV", value: &g.env, every: slow, tau: 1, sigma: 0.5},
		{path: p + "VIB_KURT", value: &g.kurt, every: slow, tau: 1, rel: 0.02},
		{path: p + "VIB_GMF", value: &g.gmf, every: slow, tau: 1, sigma: 0.01, rel: 0.015},
		{path: p + "VIB_SB", value: &g.sb, every: slow, tau: 1, sigma: 0.3, rel: 0.02},
		{path: p + "MODE", text: &g.line.mode, every: fast},
		{path: p + "COIL", text: &g.line.coil.id, every: fast},
	}
}
