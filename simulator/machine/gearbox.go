package machine

import (
	"math"
	"math/rand/v2"
	"time"

	"millwright/simulator/physics"
	"millwright/simulator/production"
	"millwright/simulator/vibration"
)

// Gearbox is the drive of stand F3: a direct current motor of 7 MW, a gear stage
// of 23 to 71 teeth, the work rolls.
type Gearbox struct {
	strip *production.Strip
	world *production.World
	rng   *rand.Rand

	outer, wear, crack, lube Fault

	noise struct{ force, tilt, oil, mesh, floor, kurt physics.Drift }

	// What there is to measure, in the units of the tags.
	speed, speedRef, torque, current, power       float64
	forceDS, forceOS, gap, entry                  float64
	winding, oil, oilP, oilF                      float64
	pde, pnde, wde                                float64
	vibH, vibV, vibA, acc, hf, env, kurt, gmf, sb float64

	mesh, rest, spread, floor float64 // what vibration is made of: of the load, mm/s, floor m/s²
	seen                      [2]seen
}

const (
	gearRatio = 71.0 / 23
	pinion    = 23    // teeth
	rollM     = 0.350 // work roll radius, m
	ratedRPM  = 320.0
	ratedKNM  = 220.0 // motor
	ratedAmps = 7000.0
)

// NewGearbox stands warm.
func NewGearbox(seed uint64, w *production.World, strip *production.Strip) *Gearbox {
	g := &Gearbox{strip: strip, world: w, rng: physics.Stream(seed, "gearbox"), winding: 92, oil: 50, pde: 62, pnde: 60, wde: 58, gap: 6}
	g.noise.force = physics.Drift{Sigma: 0.008, Tau: 0.5}
	g.noise.tilt = physics.Drift{Sigma: 0.004, Tau: 3}
	g.noise.oil = physics.Drift{Sigma: 0.3, Tau: 20}
	g.noise.mesh = physics.Drift{Sigma: 0.02, Tau: 3}
	g.noise.floor = physics.Drift{Sigma: 0.02, Tau: 3}
	g.noise.kurt = physics.Drift{Sigma: 0.10, Tau: 2}
	const m = time.Minute
	g.outer = Fault{Name: "bearing-outer", Code: "M1", Growth: 10 * m, Life: 60 * day,
		About: "spall on the outer race of the pinion's drive end bearing: envelope, high-frequency vibration and kurtosis first, temperature late"}
	g.wear = Fault{Name: "gear-wear", Code: "M8", Growth: 12 * m, Life: 90 * day,
		About: "worn teeth: second mesh harmonic and sidebands rise, more friction"}
	g.crack = Fault{Name: "gear-crack", Code: "M9", Growth: 12 * m, Life: 20 * day,
		About: "cracked tooth: an impact once a turn of the pinion, sidebands"}
	g.lube = Fault{Name: "lubrication", Code: "M10", Growth: 8 * m, Life: 2 * day,
		About: "loss of lubrication: oil pressure and flow fall, noise without a period, temperatures follow"}
	return g
}

func (g *Gearbox) Path() string { return "HSM/FM/F3/GBX" }

func (g *Gearbox) Step(dt float64) {
	l := g.strip
	g.speedRef = l.Speed / (2 * math.Pi * rollM) * 60 * gearRatio
	// The controller lets the speed dip for a moment when the head bites.
	dip := 0.0
	if l.InStrip() {
		dip = 0.012 * math.Exp(-l.Bite/0.25)
	}
	before := g.speed
	g.speed = physics.Lag(g.speed, g.speedRef*(1-dip), dt, 0.4)
	angular := g.speed * 2 * math.Pi / 60
	force, roll := g.rolling(dt)

	friction := 1500 * (0.4 + 0.6*g.speed/ratedRPM) * (1 + 0.5*g.lube.Severity + 0.3*g.wear.Severity)
	inertia := 4000 * (g.speed - before) / dt * 2 * math.Pi / 60
	torque := roll/gearRatio/0.97 + friction + inertia // N·m at the motor
	g.torque = torque / 1000
	g.power = torque * angular / 1000
	g.current = torque/ratedKNM/1000*ratedAmps + 180
	g.forceDS = force / 2 * (1 + g.noise.tilt.Step(dt, g.rng)) / 1e6
	g.forceOS = force/1e6 - g.forceDS
	g.thermal(dt)
	g.vibration(dt)
}

// rolling is roll force and torque, 0 without a strip.
func (g *Gearbox) rolling(dt float64) (force, torque float64) {
	l := g.strip
	g.entry = 500 // below the pyrometer's range
	noise := g.noise.force.Step(dt, g.rng)
	if !l.InStrip() {
		g.gap = physics.Lag(g.gap, l.Coil.Pass.Exit-2.5, dt, 3) // set for the next coil
		return 0, 0
	}
	g.entry = l.Temperature()
	force, torque = l.Roll(g.speed * 2 * math.Pi / 60 / gearRatio * rollM)
	force *= 1 + noise
	torque *= 1 + noise
	// Mill stretch: the strip leaves thicker than the gap by F/K.
	g.gap = l.Coil.Pass.Exit - force/5.5e6
	// Torsional ringing of the drive after the bite (amplification 1.7 at 15 Hz).
	ring := 2 * math.Pi * 15.0
	torque *= 1 + 0.7*math.Exp(-0.03*ring*l.Bite)*math.Cos(ring*l.Bite)
	return force, torque
}

func (g *Gearbox) thermal(dt float64) {
	w := g.world
	load := math.Abs(g.torque) * 1000 / ratedKNM / 1000
	turn := g.speed / ratedRPM
	amps := g.current / ratedAmps
	g.winding = physics.Lag(g.winding, 40+0.3*(w.Hall-34)+70*amps*amps, dt, 35*60)
	// The cooler's thermostat holds the oil; losses lift it a little.
	loss := turn * (0.4 + 0.6*load)
	g.oil = physics.Lag(g.oil, 46+5*loss*(1+0.5*g.wear.Severity)+14*g.lube.Severity*turn+0.1*(w.Hall-34)+g.noise.oil.Step(dt, g.rng), dt, 40*60)
	g.oilP = (2.2 - 0.012*(g.oil-50)) * (1 - 0.62*g.lube.Severity)
	g.oilF = 420 * (1 - 0.55*g.lube.Severity) * (1 - 0.002*(g.oil-50))
	heat := loss * (1 + 3*g.lube.Severity) // friction power over that of a healthy bearing
	g.pde = physics.Lag(g.pde, g.oil+14*heat+22*g.outer.Severity*g.outer.Severity*turn, dt, 25*60)
	g.pnde = physics.Lag(g.pnde, g.oil+12*heat+3*g.outer.Severity*g.outer.Severity*turn, dt, 25*60)
	g.wde = physics.Lag(g.wde, g.oil+9*heat, dt, 30*60)
}

// vibration at the housing of the pinion's drive end.
func (g *Gearbox) vibration(dt float64) {
	turn := g.speed / ratedRPM
	shaft := g.speed / 60
	load := math.Pow(math.Min(1.5, math.Abs(g.torque)/ratedKNM), 0.8)
	mesh := turn * (0.12 + load) * (1 + g.noise.mesh.Step(dt, g.rng))
	g1, g2, g3 := g.harmonics(mesh)
	g.gmf = vibration.Hypot(g1, g2, g3) / math.Sqrt2
	g.sb = 8 + 45*g.wear.Severity + 30*g.crack.Severity

	f := pinion * shaft
	line := vibration.Hypot(vibration.Velocity(g1, f), vibration.Velocity(g2, 2*f), vibration.Velocity(g3, 3*f)) / math.Sqrt2
	side := line * (0.3*g.wear.Severity + 0.2*g.crack.Severity)
	rest := 0.35 * turn
	spread := vibration.Late(g.outer.Severity) * turn
	g.mesh, g.rest, g.spread = mesh, rest, spread
	g.vibH = vibration.Hypot(line, side, rest, spread)
	g.vibV = vibration.Hypot(0.8*line, 0.8*side, 0.8*rest, 0.9*spread)
	g.vibA = vibration.Hypot(0.45*line, 0.6*side, 0.5*rest, 0.4*spread)

	floor := (0.03 + 0.27*turn*(0.7+0.3*load)) * (1 + 5*g.lube.Severity) * (1 + 0.8*g.wear.Severity) * (1 + g.noise.floor.Step(dt, g.rng))
	g.floor = floor
	hit := vibration.Spall(g.outer.Severity, g.speed)
	_, _, g.env = hit.Features(floor)
	if g.crack.Severity > 0 { // once a turn of the pinion
		k := vibration.Ringing(g.tooth(), shaft)
		hit.Kurt = (hit.Kurt*hit.Square + vibration.Peakedness(shaft)*k) / math.Max(hit.Square+k, 1e-12)
		hit.Square += k
	}
	g.hf, g.kurt, _ = hit.Features(floor)
	g.kurt += g.noise.kurt.Step(dt, g.rng)
	g.acc = vibration.Hypot(g.hf, g.gmf)
}

// harmonics of the mesh, m/s² peak.
func (g *Gearbox) harmonics(mesh float64) (g1, g2, g3 float64) {
	w := g.wear.Severity
	return 3.0 * mesh * (1 + 0.5*w), 1.5 * mesh * (1 + 4*w), 0.75 * mesh * (1 + 2*w)
}

// tooth is the knock of the cracked tooth, m/s².
func (g *Gearbox) tooth() float64 {
	return 4 * g.crack.Severity * math.Pow(math.Max(0, g.speed)/ratedRPM, 1.2)
}

// Points are the accelerometers at the pinion's drive end, horizontal and axial.
func (g *Gearbox) Points() []Point {
	return []Point{
		{"VIB_H_W", func() vibration.Signal { return g.signal(&g.seen[0], 1, 1, 1) }},
		{"VIB_A_W", func() vibration.Signal { return g.signal(&g.seen[1], 0.45, 0.5, 0.4) }},
	}
}

// signal is that of a direction, which sees shares of the mesh and of the
// velocities.
func (g *Gearbox) signal(s *seen, mesh, rest, spread float64) vibration.Signal {
	g1, g2, g3 := g.harmonics(mesh * g.mesh)
	s.shaft = [5]vibration.Line{
		vibration.VelocityLine(2, rest*g.rest, g.speed),
		vibration.VelocityLine(spreadOrder, spread*g.spread, g.speed),
	}
	s.mesh[0] = vibration.Mesh{Teeth: pinion, Amp: [3]float64{g1, g2, g3}, AM: 0.3 * g.wear.Severity, PM: 0.3 * g.wear.Severity, Crack: g.crack.Severity}
	s.impacts[0] = outerImpacts(g.outer.Severity, g.speed)
	s.impacts[1] = vibration.Impacts{Order: 1, Amp: g.tooth(), Modulation: vibration.Once}
	return vibration.Signal{Speed: g.speed, Shaft: s.shaft[:], Mesh: s.mesh[:], Impacts: s.impacts[:], Noise: vibration.White(g.floor)}
}

// Faults are what can break.
func (g *Gearbox) Faults() []*Fault { return []*Fault{&g.outer, &g.wear, &g.crack, &g.lube} }

// Load is the share of the rated torque and speed.
func (g *Gearbox) Load() (load, speed float64) { return g.torque / ratedKNM, g.speed / ratedRPM }

// Sensors are what the control system has.
func (g *Gearbox) Sensors() []Sensor {
	return []Sensor{
		{Name: "SPEED", Value: &g.speed, Every: Fast, Tau: 0.05, Sigma: 0.15},
		{Name: "SPEED_REF", Value: &g.speedRef, Every: Fast},
		{Name: "TORQUE", Value: &g.torque, Every: Fast, Tau: 0.1, Sigma: 0.4, Rel: 0.003},
		{Name: "CURRENT", Value: &g.current, Every: Fast, Tau: 0.1, Sigma: 10, Rel: 0.003},
		{Name: "POWER", Value: &g.power, Every: Fast, Tau: 0.1, Sigma: 6, Rel: 0.004},
		{Name: "FORCE_DS", Value: &g.forceDS, Every: Fast, Tau: 0.05, Sigma: 0.01},
		{Name: "FORCE_OS", Value: &g.forceOS, Every: Fast, Tau: 0.05, Sigma: 0.01},
		{Name: "GAP", Value: &g.gap, Every: Fast, Tau: 0.05, Sigma: 0.003},
		{Name: "T_ENTRY", Value: &g.entry, Every: Slow, Tau: 0.3, Sigma: 2},
		{Name: "MOT_T_W", Value: &g.winding, Every: Slow, Tau: 40, Sigma: 0.08, Hum: windingHum},
		{Name: "OIL_T", Value: &g.oil, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "OIL_P", Value: &g.oilP, Every: Slow, Tau: 0.2, Sigma: 0.008},
		{Name: "OIL_F", Value: &g.oilF, Every: Slow, Tau: 0.5, Rel: 0.006},
		{Name: "BRG_T_PDE", Value: &g.pde, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "BRG_T_PNDE", Value: &g.pnde, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "BRG_T_WDE", Value: &g.wde, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "VIB_H", Value: &g.vibH, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_V", Value: &g.vibV, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_A", Value: &g.vibA, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "ACC_RMS", Value: &g.acc, Every: Slow, Tau: 1, Sigma: 0.005, Rel: 0.015},
		{Name: "VIB_HF", Value: &g.hf, Every: Slow, Tau: 1, Sigma: 0.002, Rel: 0.015},
		{Name: "VIB_ENV", Value: &g.env, Every: Slow, Tau: 1, Sigma: 0.5},
		{Name: "VIB_KURT", Value: &g.kurt, Every: Slow, Tau: 1, Rel: 0.02},
		{Name: "VIB_GMF", Value: &g.gmf, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.015},
		{Name: "VIB_SB", Value: &g.sb, Every: Slow, Tau: 1, Sigma: 0.3, Rel: 0.02},
		{Name: "MODE", Text: &g.strip.Mode, Every: Fast},
		{Name: "COIL", Text: &g.strip.Coil.ID, Every: Fast},
	}
}
