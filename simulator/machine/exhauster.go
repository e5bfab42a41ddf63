package machine

import (
	"math"
	"math/rand/v2"
	"time"

	"millwright/simulator/physics"
	"millwright/simulator/production"
	"millwright/simulator/vibration"
)

// Exhauster is the main exhaust fan of a sinter strand: 200 m³/s of hot, dusty gas
// against 120 mbar, an induction motor of 3.6 MW at 990 r/min without a drive, a
// vane that throttles.
type Exhauster struct {
	rng    *rand.Rand
	world  *production.World
	strand *production.Sinter

	outer, inner, roller, cage, dust, misaligned, loose, lube, bar, casing Fault

	noise struct{ draught, stack, oxygen, unbalance, film, floor, kurt, sidebands physics.Drift }

	mode                                  string
	asked                                 bool    // to run: by the strand, and there is power
	strandSpeed                           float64 // that it has with the power there is
	speed, vane, flow, dp, gas            float64
	power, current, sidebands, beat       float64
	stack, oxygen                         float64 // dust and oxygen in the stack
	de, nde, motor, winding               float64
	vibH, vibV, vibA, once, twice, others float64
	hf, kurt, bpfo, bpfi, bsf, ftf        float64

	since   float64 // s since the features were made
	vector  float64 // unbalance, mm/s r.m.s. at rated speed
	noisy   float64 // r.m.s. above 2 kHz without impacts, m/s²
	shaft   [3]vibration.Line
	impacts [4]vibration.Impacts
}

const (
	exhaustRPM  = 990.0
	exhaustSync = 1000.0
	exhaustFlow = 200.0  // m³/s, vane open
	exhaustLift = 12.5e3 // Pa, at 130 °C
	exhaustKW   = 3600.0
	exhaustAmps = 360.0
	exhaustWarm = 403.0 // K, at which the fan is rated
)

// exhaustBearing is a spherical roller bearing 22340 as catalogues have it: 16
// rollers. Estimate of the geometry: ratio and angle of its series.
func exhaustBearing() vibration.Orders {
	return vibration.Bearing{Rollers: 16, Ratio: 0.17, Angle: 14 * math.Pi / 180}.Orders()
}

// NewExhauster stands warm.
func NewExhauster(seed uint64, w *production.World, strand *production.Sinter) *Exhauster {
	f := &Exhauster{rng: physics.Stream(seed, "exhauster"), world: w, strand: strand, mode: production.Sintering, speed: exhaustRPM, vane: 85, gas: 130,
		de: 64, nde: 60, motor: 58, winding: 92, flow: 193, stack: 45, oxygen: 15, sidebands: -54, strandSpeed: 1}
	f.noise.draught = physics.Drift{Sigma: 0.008, Tau: 4}
	f.noise.stack = physics.Drift{Sigma: 0.10, Tau: 120}
	f.noise.oxygen = physics.Drift{Sigma: 0.12, Tau: 300}
	f.noise.unbalance = physics.Drift{Sigma: 0.02, Tau: 3}
	f.noise.film = physics.Drift{Sigma: 0.08, Tau: 4 * 3600} // thin dust, warped by heat
	f.noise.floor = physics.Drift{Sigma: 0.02, Tau: 3}
	f.noise.kurt = physics.Drift{Sigma: 0.06, Tau: 3}
	f.noise.sidebands = physics.Drift{Sigma: 0.8, Tau: 600}
	const m = time.Minute
	f.outer = Fault{Name: "bearing-outer", Code: "M1", Growth: 10 * m, Life: 60 * day,
		About: "spall on the outer race of the drive end bearing: its envelope line, then high-frequency vibration, temperature late"}
	f.inner = Fault{Name: "bearing-inner", Code: "M2", Growth: 10 * m, Life: 60 * day,
		About: "spall on the inner race of the drive end bearing: an envelope line with sidebands at the speed"}
	f.roller = Fault{Name: "bearing-roller", Code: "M3", Growth: 10 * m, Life: 60 * day,
		About: "spall on a roller of the drive end bearing: a line at twice its spin, modulated by the cage"}
	f.cage = Fault{Name: "bearing-cage", Code: "M4", Growth: 10 * m, Life: 40 * day,
		About: "worn cage of the drive end bearing: knocks at 0.4 times the speed"}
	f.dust = Fault{Name: "dust", Code: "M5", Course: Shedding, Growth: 15 * m, Life: 20 * day,
		About: "dust on the impeller: unbalance creeps up by tenths of a mm/s a day, then a cake falls off and it jumps"}
	f.misaligned = Fault{Name: "misalignment", Code: "M6", Course: Even, Growth: 10 * m, Life: 10 * day,
		About: "fan and motor out of line: twice the speed, axial vibration, both bearings at the coupling warmer"}
	f.loose = Fault{Name: "looseness", Code: "M7", Growth: 10 * m, Life: 30 * day,
		About: "loose foot of the bearing pedestal: halves and multiples of the speed, vertical more than horizontal"}
	f.lube = Fault{Name: "lubrication", Code: "M10", Course: Even, Growth: 8 * m, Life: 2 * day,
		About: "the drive end bearing runs dry: noise without a period, then temperature"}
	f.bar = Fault{Name: "rotor-bar", Code: "M11", Growth: 10 * m, Life: 60 * day,
		About: "broken rotor bars: sidebands of the current at twice the slip rise from -54 to -35 dB, the current beats"}
	f.casing = Fault{Name: "false-air", Course: Even, Growth: 20 * m, Life: 45 * day,
		About: "the gas main leaks before the fan: cold air in, less suction for the strand, more power, more oxygen in the stack (no code in the common list)"}
	return f
}

func (f *Exhauster) Path() string { return "SIN/S1/FAN" }

func (f *Exhauster) Step(dt float64) {
	w, s := f.world, f.strand
	f.asked = s.Running && w.Shed == 0
	strand := s.Speed
	if w.Shed > 0 {
		strand = 0
	}
	f.strandSpeed = physics.Lag(f.strandSpeed, strand, dt, 5)
	f.run(dt)
	n := f.speed / exhaustRPM

	// The vane follows the strand, and is shut while the fan runs up.
	vane := 15 + 70*math.Max(0, math.Min(1, (f.strandSpeed-0.2)/0.8))
	if n < 0.98 || !f.asked {
		vane = 5
	}
	f.vane += math.Copysign(math.Min(1.2*dt, math.Abs(vane-f.vane)), vane-f.vane)

	// Gas of the strand and false air behind it, each with the root of the suction.
	leak := 0.20 * f.casing.Severity
	warm := 40 + (90+s.Through)*(0.45+0.55*f.strandSpeed)
	if !f.asked {
		warm = w.Hall + 6
	}
	mixed := (warm + leak*w.Hall) / (1 + leak)
	f.gas = physics.Lag(f.gas, mixed, dt, 240)
	density := exhaustWarm / (273 + f.gas)

	// Fan: lift over the rated one = n²·(a0 + a1·x − a2·x²), x the flow that the
	// vane's passage has over its own. Bed: lift with the square of the flow.
	const a0, a1, a2 = 1.12, 0.25, 0.37
	passage := 0.08 + 0.92*f.vane/100
	bed := passage * passage / squared(s.Permeability*(1+leak))
	x := (a1 + math.Sqrt(a1*a1+4*a0*(a2+bed))) / (2 * (a2 + bed))
	x *= 1 + f.noise.draught.Step(dt, f.rng)
	q := x * passage * n
	lift := density * n * n * (a0 + a1*x - a2*x*x)
	f.flow, f.dp = q*exhaustFlow, lift*exhaustLift/100
	eta := 0.80 * (1 - 0.7*squared(1-passage)) * (1 - 0.4*squared(x-1))
	f.power = q*lift*exhaustFlow*exhaustLift/1000/math.Max(0.3, eta) + 60*n*n
	f.electric(n, dt)

	scatter := 1 + f.noise.stack.Step(dt, f.rng)
	burning := math.Min(1, f.strandSpeed+0.15)
	f.stack = physics.Lag(f.stack, (8+37*burning*f.strandSpeed)*n*scatter/(1+leak), dt, 60)
	f.oxygen = physics.Lag(f.oxygen, 20.9-(6*burning*(1+0.004*s.Through)+f.noise.oxygen.Step(dt, f.rng))/(1+leak)*math.Min(1, 2*n), dt, 60)
	f.thermal(n, dt)
	f.vibrate(n, dt)
}

// run is start, stop, and the slip of the motor.
func (f *Exhauster) run(dt float64) {
	slip := 0.0100 * f.power / exhaustKW
	switch {
	case f.asked && f.speed < 0.97*exhaustSync: // by way of a liquid starter
		f.speed = math.Min(0.97*exhaustSync+0.1, f.speed+exhaustSync/50*dt)
	case f.asked:
		f.speed = physics.Lag(f.speed, exhaustSync*(1-slip), dt, 1)
	default: // air and bearings brake
		f.speed = math.Max(0, f.speed-dt*(f.speed/160+0.9))
	}
	switch {
	case f.asked && f.speed < 0.97*exhaustSync:
		f.mode = "run-up"
	case f.asked:
		f.mode = f.strand.Mode
	case f.speed > 5:
		f.mode = "run-down"
	default:
		f.mode = production.Standstill
	}
}

func (f *Exhauster) electric(n, dt float64) {
	w := f.world
	if !f.asked {
		f.power, f.current = 0, 0
		f.sidebands = physics.Lag(f.sidebands, -70, dt, 5)
		return
	}
	load := f.power / exhaustKW
	cosphi := 0.88*(1-math.Exp(-3*(load+0.05))) + 0.02
	kw := f.power / 0.957
	f.current = kw * 1000 / (math.Sqrt(3) * 6600 * w.Volts * cosphi)
	if n < 0.97 { // the flywheel takes most of it
		f.current = exhaustAmps * (1.3 + 1.2*(1-n))
		kw = 2200*n + 400
	}
	f.power = kw
	db := -54 + 19*f.bar.Severity
	slip := math.Max(0, 1-f.speed/exhaustSync)
	f.beat = math.Mod(f.beat+2*slip*50*dt, 1)
	f.current *= 1 + 2*math.Pow(10, db/20)*math.Sin(2*math.Pi*f.beat)
	f.sidebands = physics.Lag(f.sidebands, db+f.noise.sidebands.Step(dt, f.rng), dt, 30)
}

func (f *Exhauster) thermal(n, dt float64) {
	hall := f.world.Hall
	amps := f.current / exhaustAmps
	f.winding = physics.Lag(f.winding, hall+4+70*amps*amps, dt, 35*60)
	spall := squared(f.outer.Severity) + squared(f.inner.Severity) + 0.8*squared(f.roller.Severity) + 0.5*squared(f.cage.Severity)
	gas := 0.05 * (f.gas - 60) // along the shaft
	f.de = physics.Lag(f.de, hall+n*(23+gas+22*math.Min(1.5, spall)+28*f.lube.Severity+5*f.misaligned.Severity), dt, 45*60)
	f.nde = physics.Lag(f.nde, hall+n*(20+gas), dt, 45*60)
	f.motor = physics.Lag(f.motor, hall+n*(21+5*f.misaligned.Severity), dt, 40*60)
}

// vibrate adds residual unbalance and dust as vectors, as the pedestal answers: it
// resonates at 0.77 (horizontal) and 0.85 (vertical) times the speed.
func (f *Exhauster) vibrate(n, dt float64) {
	lump := 0.7 + 2.4*float64(f.dust.Lumps)
	x := 1.5 + f.noise.film.Step(dt, f.rng) + 6*f.dust.Severity*math.Cos(lump)
	y := 6 * f.dust.Severity * math.Sin(lump)
	f.vector = math.Hypot(x, y) * (1 + f.noise.unbalance.Step(dt, f.rng))
	stir := 1 + 0.5*(1-f.vane/100) // a throttled fan is noisier
	f.noisy = (0.02 + 0.5*n*n*stir*(1+5*f.lube.Severity)*(1+0.3*f.loose.Severity)) * (1 + f.noise.floor.Step(dt, f.rng))
	scatter := f.noise.kurt.Step(dt, f.rng)
	if f.since += dt; f.since < 0.999 {
		return
	}
	f.since = 0
	h := f.signal('H')
	all := h.Features()
	f.vibH, f.hf, f.kurt = all.Velocity, all.High, all.Kurtosis+scatter
	f.once, f.twice = f.line(1), f.line(2)
	f.others = math.Hypot(0.14*n, 0.364*h.Loose*f.once) // lines of looseness from 2.5 to 8 times the speed
	side := f.signal('V')
	f.vibV = side.Features().Velocity
	side = f.signal('A')
	f.vibA = side.Features().Velocity
	o := exhaustBearing()
	line := func(severity, order float64) float64 {
		rate := order * f.speed / 60
		hits := vibration.Hits{Square: vibration.Ringing(12*severity*math.Pow(f.speed/1000, 1.2), rate), Kurt: 3}
		_, _, db := hits.Features(f.noisy)
		return db
	}
	f.bpfo, f.bpfi = line(f.outer.Severity, o.Outer), line(0.55*f.inner.Severity, o.Inner)
	f.bsf, f.ftf = line(0.5*f.roller.Severity, 2*o.Roller), line(f.cage.Severity, o.Cage)
}

// line is the velocity (r.m.s., mm/s) of a line of the last signal.
func (f *Exhauster) line(order int) float64 {
	l := f.shaft[order-1]
	if f.speed < 1 {
		return 0
	}
	return 1000 * l.Amp / math.Sqrt2 / (2 * math.Pi * l.Order * f.speed / 60)
}

// signal at the drive end in a direction, H, V or A.
func (f *Exhauster) signal(direction byte) vibration.Signal {
	n := f.speed / exhaustRPM
	answer := func(r float64) float64 { return r * r / math.Hypot(1-r*r, 0.16*r) }
	m := f.misaligned.Severity
	var once, twice, blades, loose, share float64
	switch direction {
	case 'H':
		once, twice, blades, loose, share = f.vector*answer(n/0.77)/answer(1/0.77), 0.25+1.9*m, 0.35, 0.35, 1
	case 'V':
		once, twice, blades, loose, share = 0.6*f.vector*answer(n/0.85)/answer(1/0.85), 0.2+2.2*m, 0.35, 1, 1
	case 'A':
		once, twice, blades, loose, share = (0.25*f.vector+1.9*m)*n*n, 0.15+1.0*m, 0.25, 0.2, 0.6
	}
	const bladesPerTurn = 12
	f.shaft = [3]vibration.Line{
		vibration.VelocityLine(1, once, f.speed),
		vibration.VelocityLine(2, twice*n*n, f.speed),
		vibration.VelocityLine(bladesPerTurn, blades*n*n*(1+0.6*(1-f.vane/100)), f.speed),
	}
	o := exhaustBearing()
	f.impacts = [4]vibration.Impacts{o.OuterSpall(f.outer.Severity, f.speed), o.InnerSpall(f.inner.Severity, f.speed),
		o.RollerSpall(f.roller.Severity, f.speed), o.CageWear(f.cage.Severity, f.speed)}
	for i := range f.impacts {
		f.impacts[i].Amp *= share
	}
	return vibration.Signal{Speed: f.speed, Shaft: f.shaft[:], Impacts: f.impacts[:], Noise: vibration.White(share * f.noisy), Loose: loose * f.loose.Severity}
}

// Points are the accelerometers at the drive end, horizontal and axial.
func (f *Exhauster) Points() []Point {
	return []Point{
		{"VIB_H_W", func() vibration.Signal { return f.signal('H') }},
		{"VIB_A_W", func() vibration.Signal { return f.signal('A') }},
	}
}

// Faults are what can break.
func (f *Exhauster) Faults() []*Fault {
	return []*Fault{&f.outer, &f.inner, &f.roller, &f.cage, &f.dust, &f.misaligned, &f.loose, &f.lube, &f.bar, &f.casing}
}

// Load is the share of the rated power and speed.
func (f *Exhauster) Load() (load, speed float64) { return f.power / exhaustKW, f.speed / exhaustRPM }

// Sensors are what the control system has.
func (f *Exhauster) Sensors() []Sensor {
	return []Sensor{
		{Name: "MODE", Text: &f.mode, Every: Fast},
		{Name: "BLEND", Text: &f.strand.Blend, Every: Slow},
		{Name: "SPEED", Value: &f.speed, Every: Slow, Tau: 0.2, Sigma: 0.15},
		{Name: "VANE", Value: &f.vane, Every: Slow, Tau: 0.5, Sigma: 0.08},
		{Name: "I_MOT", Value: &f.current, Every: Fast, Tau: 0.1, Sigma: 0.1, Rel: 0.004},
		{Name: "P_EL", Value: &f.power, Every: Slow, Tau: 0.5, Sigma: 1, Rel: 0.004},
		{Name: "I_SIDEBANDS", Value: &f.sidebands, Every: Slow, Tau: 1, Sigma: 0.4},
		{Name: "DP", Value: &f.dp, Every: Slow, Tau: 0.3, Sigma: 0.1, Rel: 0.002},
		{Name: "FLOW", Value: &f.flow, Every: Slow, Tau: 1, Rel: 0.007},
		{Name: "T_GAS", Value: &f.gas, Every: Slow, Tau: 15, Sigma: 0.1},
		{Name: "STACK_DUST", Value: &f.stack, Every: Slow, Tau: 10, Sigma: 0.3, Rel: 0.02},
		{Name: "STACK_O2", Value: &f.oxygen, Every: Slow, Tau: 15, Sigma: 0.03},
		{Name: "BRG_T_DE", Value: &f.de, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "BRG_T_NDE", Value: &f.nde, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "MOT_BRG_T", Value: &f.motor, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "MOT_T_W", Value: &f.winding, Every: Slow, Tau: 40, Sigma: 0.08, Hum: windingHum},
		{Name: "VIB_H", Value: &f.vibH, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_V", Value: &f.vibV, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_A", Value: &f.vibA, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_1X", Value: &f.once, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_2X", Value: &f.twice, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_HARM", Value: &f.others, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_HF", Value: &f.hf, Every: Slow, Tau: 1, Sigma: 0.003, Rel: 0.015},
		{Name: "VIB_KURT", Value: &f.kurt, Every: Slow, Tau: 1, Rel: 0.02},
		{Name: "VIB_BPFO", Value: &f.bpfo, Every: Slow, Tau: 1, Sigma: 0.5},
		{Name: "VIB_BPFI", Value: &f.bpfi, Every: Slow, Tau: 1, Sigma: 0.5},
		{Name: "VIB_BSF", Value: &f.bsf, Every: Slow, Tau: 1, Sigma: 0.5},
		{Name: "VIB_FTF", Value: &f.ftf, Every: Slow, Tau: 1, Sigma: 0.5},
	}
}
