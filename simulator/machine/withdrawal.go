package machine

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"millwright/simulator/physics"
	"millwright/simulator/production"
	"millwright/simulator/vibration"
)

// Withdrawal is the withdrawal and straightening unit of a bloom caster's
// strand: six driven rolls of 450 mm, each with a motor of 4 kW at a converter
// and a bevel and planetary gear of 1:900, that share the pull.
//
// The rolls hold one strand, so their speeds are one but for creep. A drive's
// converter gives way with load (droop) and its roll creeps on the strand; both
// are lines, so the shares of the pull have a solution in closed form. A roll
// that turns hard takes more from its own motor and a little from all others.
//
// The rolls turn once in a minute and a half: no zones of ISO 20816, no
// bearing lines. What is known of a roll is its torque among its siblings.
type Withdrawal struct {
	cast  *production.Cast
	world *production.World
	rng   *rand.Rand

	seized, gear, phase, grease, coupling Fault

	noise struct{ pull, clamp, water, grip physics.Drift }

	drives           [6]withdrawalDrive
	speed, reference float64 // m/min of the strand and of the converters
	pull, length     float64 // kN, m
	inlet            float64 // bearing water, °C
	flow             float64 // l/min, all rolls
	wander           float64 // phase of the stick-slip, turns
}

// withdrawalDrive is a driven roll.
type withdrawalDrive struct {
	place, trim, eccentric float64 // share of the straightening, set point m/min, m/min
	angle                  float64 // of the roll, turns

	torque, current, speed float64 // motor: N·m, A, r/min
	clamp                  float64 // bar
	oil, winding, water    float64 // °C
	unbalance              float64 // of the phase currents, %
	mesh, high             float64 // m/s²
	roll                   float64 // torque at the roll, kN·m

	wear, dry float64 // of the gear
	shaft     [1]vibration.Line
	meshes    [1]vibration.Mesh
}

const (
	rollDiameter = 0.45   // m
	rollRatio    = 900.0  // motor over roll
	driveTorque  = 26.0   // N·m of the motor
	driveSpeed   = 1440.0 // r/min of the motor
	rollDroop    = 850.0  // kN·m at the roll for 1 m/min behind the reference
	rollCreep    = 1250.0 // kN·m for 1 m/min over the strand
	rollDrag     = 0.7    // bearings and seals, kN·m
	gearEta      = 0.82
)

// NewWithdrawal stands warm in the middle of a sequence.
func NewWithdrawal(seed uint64, w *production.World, c *production.Cast) *Withdrawal {
	d := &Withdrawal{cast: c, world: w, rng: physics.Stream(seed, "withdrawal"), inlet: w.Water + 4, flow: 72}
	d.noise.pull = physics.Drift{Sigma: 0.015, Tau: 30}
	d.noise.clamp = physics.Drift{Sigma: 0.6, Tau: 20}
	d.noise.water = physics.Drift{Sigma: 0.01, Tau: 60}
	d.noise.grip = physics.Drift{Sigma: 0.3, Tau: 4}
	places := [6]float64{-0.4, -0.1, 0.5, 0.4, -0.1, -0.3}
	trims := [6]float64{0.4, -0.3, 0.1, -0.4, 0.5, -0.3}
	for i := range d.drives {
		d.drives[i] = withdrawalDrive{place: places[i], trim: 0.0008 * trims[i], eccentric: 0.0004 + 0.0001*float64(i%3),
			angle: 0.17 * float64(i), clamp: 80, oil: 58, winding: 70, water: w.Water + 12}
	}
	const m = time.Minute
	d.seized = Fault{Name: "roll-seizure", Code: "M1", Growth: 20 * m, Life: 25 * day,
		About: "the bearing of driven roll 4 seizes: its torque leaves that of its siblings, stick-slip, warmer bearing water"}
	d.gear = Fault{Name: "gear-wear", Code: "M8", Growth: 20 * m, Life: 90 * day,
		About: "worn teeth in the gear of drive 2: mesh vibration, more torque for the same pull, warmer oil"}
	d.phase = Fault{Name: "phase-unbalance", Code: "M11", Course: Even, Growth: 15 * m, Life: 40 * day,
		About: "a bad contact in the supply of drive 5: unbalanced phase currents, a warmer winding"}
	d.grease = Fault{Name: "lubrication", Code: "M10", Growth: 15 * m, Life: 2 * day,
		About: "the gear of drive 3 runs short of oil: noise without a period, warm oil"}
	d.coupling = Fault{Name: "coupling-loss", Code: "M7", Growth: 15 * m, Life: 10 * day,
		About: "the coupling of drive 6 slips and lets go at last: its motor runs light, its siblings carry its share"}
	return d
}

func (d *Withdrawal) Path() string { return "CC/BC1/WD" }

// Step finds how the drives share the pull.
func (d *Withdrawal) Step(dt float64) {
	c := d.cast
	d.speed = c.Speed
	d.length = c.Length
	d.share(dt)
	d.inlet = physics.Lag(d.inlet, d.world.Water+4, dt, 300)
	d.flow = 72 * (1 + d.noise.water.Step(dt, d.rng))
	for i := range d.drives {
		d.drive(i, dt)
	}
}

// need is the pull that the strand takes, kN: mould, rolls, and above all the
// straightener, where a slow and so a cold strand resists more. While a sequence
// begins or ends, only a part of the machine holds a strand or dummy bar.
func (d *Withdrawal) need(dt float64) float64 {
	c := d.cast
	if c.Speed < 0.01 {
		return 0
	}
	wide := c.Width / 260
	cold := math.Pow(0.92/math.Max(0.3, c.Speed), 0.25)
	hold := 0.35 + 0.65*c.Length/production.CasterLength
	return 250 * wide * cold * hold * (1 + 0.15*(c.Carbon-0.2)) * (1 + d.noise.pull.Step(dt, d.rng))
}

// drag of roll i at its bearings, kN·m.
func (d *Withdrawal) drag(i int, grip float64) float64 {
	if i != 3 {
		return rollDrag
	}
	s := d.seized.Severity
	// Stick and slip: the torque climbs, then breaks loose.
	stick := d.wander - math.Floor(d.wander)
	return rollDrag + 14*s*(1+0.25*(stick-0.5)+0.1*grip)
}

func (d *Withdrawal) share(dt float64) {
	const r = rollDiameter / 2
	grip := d.noise.grip.Step(dt, d.rng)
	d.wander += 0.13 * (d.speed / 0.9) * dt
	d.wander -= math.Floor(d.wander)
	d.pull = d.need(dt)
	const stiff = rollDroop * rollCreep / (rollDroop + rollCreep)
	// Droop and creep in series: a drive whose reference is ahead of the strand by
	// a adds stiff·(a − drag/droop) to the pull, and its own drag to its torque.
	limit := 40 * (1 - d.coupling.Severity) // kN·m that coupling 6 holds
	var lead [6]float64                     // of each drive without the reference, m/min
	var drags [6]float64
	for i := range d.drives {
		v := &d.drives[i]
		v.angle += d.speed / (math.Pi * rollDiameter) / 60 * dt
		v.angle -= math.Floor(v.angle)
		drags[i] = d.drag(i, grip)
		place := 0.004 * v.place * d.pull / 250
		lead[i] = v.trim + place + v.eccentric*math.Sin(2*math.Pi*v.angle)
	}
	above := d.carry(lead, drags, 6, d.pull*r)
	torque := func(i int) float64 { // at the roll
		force := stiff * (above + lead[i] - drags[i]/rollDroop) // pull·r
		return force + drags[i]
	}
	slips := d.speed > 0.01 && torque(5) > limit
	if slips { // five share the rest
		above = d.carry(lead, drags, 5, d.pull*r-(limit-drags[5]))
	}
	d.reference = d.speed
	if d.speed > 0.01 {
		d.reference += above
	}
	for i := range d.drives {
		v := &d.drives[i]
		t := 0.0
		switch {
		case d.speed <= 0.01:
		case i == 5 && slips:
			t = limit * (1 + 0.15*grip)
		default:
			t = torque(i)
		}
		v.roll = physics.Lag(v.roll, t, dt, 1)
	}
}

// carry is how far the reference must be above the strand's speed for the first
// n drives to give a torque.
func (d *Withdrawal) carry(lead, drags [6]float64, n int, torque float64) float64 {
	const stiff = rollDroop * rollCreep / (rollDroop + rollCreep)
	var sum float64
	for i := range n {
		sum += lead[i] - drags[i]/rollDroop
	}
	return (torque/stiff - sum) / float64(n)
}

// drive is motor and gear i.
func (d *Withdrawal) drive(i int, dt float64) {
	v, w := &d.drives[i], d.world
	wear, dry, unbalance := 0.0, 0.0, 0.0
	switch i {
	case 1:
		wear = d.gear.Severity
	case 2:
		dry = d.grease.Severity
	case 4:
		unbalance = d.phase.Severity
	}
	on := math.Min(1, d.speed/0.1)
	eta := gearEta - 0.10*wear - 0.06*dry
	v.torque = v.roll*1000/rollRatio/eta + 1.2*on*(1+dry)
	front := math.Max(0, d.reference-v.roll/rollDroop) // of the roll's surface, m/min
	if d.speed <= 0.01 {
		front = 0
	}
	v.speed = front / (math.Pi * rollDiameter) * rollRatio
	turn := v.speed / driveSpeed

	amps := 7.4 * v.torque / driveTorque
	v.current = on * math.Hypot(4.4*w.Volts, amps)
	v.unbalance = (0.9 + 0.2*float64(i%3) + 7.5*unbalance) * on
	v.clamp = physics.Lag(v.clamp, d.pressure()+d.noise.clamp.Step(dt, d.rng), dt, 3)

	lost := v.torque * turn * driveSpeed * 2 * math.Pi / 60 * (1 - eta) / 1000 // kW in the gear
	v.oil = physics.Lag(v.oil, w.Hall+9+48*lost+12*dry*on, dt, 50*60)
	hot := v.current / 8.5
	v.winding = physics.Lag(v.winding, w.Hall+8+52*hot*hot+0.15*v.unbalance*v.unbalance, dt, 30*60)
	// The strand's heat, and what the bearings make of the roll's turning, in kW.
	friction := (d.drag(i, 0)) * d.speed / 60 / (rollDiameter / 2)
	strand := 4.5 * d.length / production.CasterLength * (1 + 0.2*v.place)
	v.water = physics.Lag(v.water, d.inlet+(strand+friction)/(4.18*d.flow/6/60), dt, 240)

	v.wear, v.dry = wear, dry
	signal := d.signal(i)
	seen := signal.Features()
	v.mesh, v.high = seen.Mesh, seen.High
}

// signal is what an accelerometer at the input of gear i sees: the mesh of the
// bevel stage, 17 teeth and so some 160 Hz, over the noise of rolling in oil. A
// gear without oil roars, worn teeth raise the second harmonic and sidebands. The
// accelerometer itself has 300 µg/√Hz.
func (d *Withdrawal) signal(i int) vibration.Signal {
	v := &d.drives[i]
	turn := v.speed / driveSpeed
	a := 2 * turn * (0.2 + math.Pow(math.Abs(v.torque)/driveTorque, 0.8))
	w := v.wear
	v.shaft[0] = vibration.Line{Order: 1, Amp: 0.1 * turn * turn}
	v.meshes[0] = vibration.Mesh{Teeth: 17, Amp: [3]float64{a * (1 + 0.5*w), 0.5 * a * (1 + 4*w), 0.25 * a * (1 + 2*w)}, AM: 0.3 * w, PM: 0.3 * w}
	return vibration.Signal{Speed: v.speed, Shaft: v.shaft[:], Mesh: v.meshes[:], Noise: math.Hypot(0.3, 1.2*turn*(1+5*v.dry)*(1+0.6*w))}
}

// Points are the accelerometers at the gears' inputs.
func (d *Withdrawal) Points() []Point {
	all := make([]Point, len(d.drives))
	for i := range all {
		all[i] = Point{Name: "VIB_D" + strconv.Itoa(i+1) + "_W", Signal: func() vibration.Signal { return d.signal(i) }}
	}
	return all
}

// pressure of the clamping cylinders, bar: hard on the dummy bar, soft on the
// strand.
func (d *Withdrawal) pressure() float64 {
	c := d.cast
	switch {
	case c.Mode == production.Turnaround:
		return 40
	case c.Length < production.CasterLength && c.Mode == production.StartUp:
		return 110
	}
	return 80 * c.Width / 260
}

// Faults are what can break.
func (d *Withdrawal) Faults() []*Fault {
	return []*Fault{&d.seized, &d.gear, &d.phase, &d.grease, &d.coupling}
}

// Load is the motors' mean torque over the rated one, and speed over 1 m/min.
func (d *Withdrawal) Load() (load, speed float64) {
	for i := range d.drives {
		load += d.drives[i].torque / driveTorque / 6
	}
	return load, d.speed
}

// Sensors are what the control system has.
func (d *Withdrawal) Sensors() []Sensor {
	c := d.cast
	all := []Sensor{
		{Name: "MODE", Text: &c.Mode, Every: Slow},
		{Name: "SEQUENCE", Text: &c.Sequence, Every: Slow},
		{Name: "HEAT", Text: &c.Heat, Every: Slow},
		{Name: "SECTION", Text: &c.Section, Every: Slow},
		{Name: "V_CAST", Value: &d.speed, Every: Slow, Tau: 0.5, Sigma: 0.001},
		{Name: "V_REF", Value: &d.reference, Every: Slow, Tau: 0.5, Sigma: 0.0005},
		{Name: "LENGTH", Value: &d.length, Every: Slow},
		{Name: "T_W_IN", Value: &d.inlet, Every: Slow, Tau: 20, Sigma: 0.05},
		{Name: "F_W", Value: &d.flow, Every: Slow, Tau: 0.5, Rel: 0.006},
	}
	for i := range d.drives {
		v, n := &d.drives[i], "_D"+strconv.Itoa(i+1)
		all = append(all,
			Sensor{Name: "I" + n, Value: &v.current, Every: Slow, Tau: 0.2, Sigma: 0.01, Rel: 0.005},
			Sensor{Name: "TORQ" + n, Value: &v.torque, Every: Slow, Tau: 0.2, Sigma: 0.05, Rel: 0.005},
			Sensor{Name: "SPEED" + n, Value: &v.speed, Every: Slow, Tau: 0.2, Sigma: 0.1},
			Sensor{Name: "P_CYL" + n, Value: &v.clamp, Every: Slow, Tau: 0.1, Sigma: 0.15},
			Sensor{Name: "OIL_T" + n, Value: &v.oil, Every: Slow, Tau: 30, Sigma: 0.06},
			Sensor{Name: "MOT_T_W" + n, Value: &v.winding, Every: Slow, Tau: 40, Sigma: 0.08, Hum: windingHum},
			Sensor{Name: "T_W" + n, Value: &v.water, Every: Slow, Tau: 20, Sigma: 0.06},
			Sensor{Name: "I_UNB" + n, Value: &v.unbalance, Every: Slow, Tau: 2, Sigma: 0.08},
			Sensor{Name: "VIB" + n + "_GMF", Value: &v.mesh, Every: Slow, Tau: 1, Sigma: 0.002, Rel: 0.02},
			Sensor{Name: "VIB" + n + "_HF", Value: &v.high, Every: Slow, Tau: 1, Sigma: 0.001, Rel: 0.015})
	}
	return all
}
