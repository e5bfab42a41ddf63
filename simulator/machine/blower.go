package machine

import (
	"math"
	"math/rand/v2"
	"time"

	"millwright/simulator/physics"
	"millwright/simulator/production"
	"millwright/simulator/vibration"
)

// Blower is a turbo-blower of a blast furnace: a centrifugal compressor for 3250
// m³/min against 3.6 bar, driven at 2300 to 3500 r/min by a steam turbine of 12
// MW. The turbine's governor holds the wind that the furnace asks for, guide vanes
// follow it, and an antisurge valve blows off when the flow comes near the surge
// line.
type Blower struct {
	rng   *rand.Rand
	world *production.World
	blast *production.Blast

	fouling, journal, misaligned, salt, filter Fault

	noise struct{ air, flow, pressure, steam, header, bow, film, oil, lube, whirl, gap, axial physics.Drift }

	air         greitzer
	blowing     float64 // s for which the antisurge valve stays open after a surge
	surging     bool
	surges      int     // since the start
	delivered   float64 // flow to the furnace behind a lag, as the governor has it
	seen        float64 // flow over the rated one as the antisurge control has it
	wild        float64 // how violently the flow swings, behind a lag
	pressureAbs float64 // bar, discharge

	speed, speedRef, flow, wind, windRef, vanes, antisurge float64
	discharge, suction, suctionT, dischargeT               float64
	steamP, steamT, steam, power                           float64
	shaftX, shaftY, once, twice, sub, gap, axial           float64
	brg                                                    [4]float64
	thrust, lubeP, lubeT, lubeDP                           float64

	lines [4]vibration.Line // memory of signal
}

const (
	blowerRPM   = 3200.0
	blowerLow   = 2300.0 // lowest speed of the governor
	blowerHigh  = 3500.0
	blowerVol   = 3250.0 / 60 // m³/s at the suction
	blowerHead  = 135.5e3     // J/kg, from 1.0 to 3.6 bar at 32 °C
	blowerMW    = 12.0
	fullWind    = 150.0  // kNm³/h
	leastWind   = 0.62   // share that the blower always gives; the snort valve takes the rest
	windHeat    = 1005.0 // J/(kg·K)
	windDensity = 1.293  // kg/Nm³
)

// NewBlower stands warm.
func NewBlower(seed uint64, w *production.World, b *production.Blast) *Blower {
	t := &Blower{rng: physics.Stream(seed, "blower"), world: w, blast: b, speed: 3060, speedRef: 3060, vanes: 85, suctionT: w.Out, dischargeT: 200, steamP: 33, steamT: 430,
		brg: [4]float64{66, 63, 70, 67}, thrust: 68, lubeT: 43, delivered: fullWind, seen: 0.87, pressureAbs: 3.6}
	t.air = greitzer{x: 0.87, y: 1, fast: 1}
	t.noise.air = physics.Drift{Sigma: 0.6, Tau: 1800}
	t.noise.flow = physics.Drift{Sigma: 0.004, Tau: 6}
	t.noise.pressure = physics.Drift{Sigma: 0.004, Tau: 40}
	t.noise.steam = physics.Drift{Sigma: 3, Tau: 900}
	t.noise.header = physics.Drift{Sigma: 0.35, Tau: 300}
	t.noise.bow = physics.Drift{Sigma: 1.0, Tau: 7200}
	t.noise.film = physics.Drift{Sigma: 0.02, Tau: 4}
	t.noise.oil = physics.Drift{Sigma: 0.3, Tau: 600}
	t.noise.lube = physics.Drift{Sigma: 0.006, Tau: 120}
	t.noise.whirl = physics.Drift{Sigma: 0.25, Tau: 30}
	t.noise.gap = physics.Drift{Sigma: 0.6, Tau: 3600}
	t.noise.axial = physics.Drift{Sigma: 0.004, Tau: 60}
	const m = time.Minute
	t.fouling = Fault{Name: "fouling", Code: "T1", Course: Even, Growth: 20 * m, Life: 75 * day,
		About: "salt and dust on the blades: discharge temperature, speed and steam rise at equal wind, the surge line comes nearer until a reduction of the wind ends in surge"}
	t.journal = Fault{Name: "journal-wear", Code: "J1", Growth: 12 * m, Life: 14 * day,
		About: "worn journal bearing at the drive end: oil whirl at 0.45 times the speed, the shaft sinks, the metal gets warmer (no code in the common list: J1)"}
	t.misaligned = Fault{Name: "misalignment", Code: "M6", Growth: 10 * m, Life: 10 * day,
		About: "blower and turbine out of line: twice the speed in the shaft vibration, the bearings beside the coupling get warmer"}
	t.salt = Fault{Name: "dust", Code: "M5", Course: Shedding, Growth: 15 * m, Life: 20 * day,
		About: "salt on one side of the rotor: unbalance creeps up, then a crust falls off and it jumps"}
	t.filter = Fault{Name: "filter-blocking", Code: "P1", Course: Even, Growth: 12 * m, Life: 20 * day,
		About: "the lube oil filter blocks: its pressure drop rises to 3.5 bar, lube pressure falls, bearings get warmer"}
	return t
}

func (t *Blower) Path() string { return "BF/TBS/TB1" }

func (t *Blower) Step(dt float64) {
	w := t.world
	t.suctionT = physics.Lag(t.suctionT, w.Out+t.noise.air.Step(dt, t.rng), dt, 300)
	t.steamP = 33 + t.noise.header.Step(dt, t.rng)
	t.steamT = 430 + t.noise.steam.Step(dt, t.rng)
	t.govern(dt)
	t.compress(dt)

	// Heat goes into the air as the efficiency has it, and out through it only.
	x := t.flow / fullWind * 0.87
	off := x/math.Max(0.1, t.speed/blowerRPM*t.open())/0.94 - 1
	eta := math.Max(0.45, 0.805*(1-0.9*off*off)-0.04*t.fouling.Severity)
	head := t.air.fast * blowerHead
	t.dischargeT = physics.Lag(t.dischargeT, t.suctionT+head/windHeat/eta, dt, 45)
	mass := t.flow * 1000 / 3600 * windDensity
	power := mass*head/eta/1e6 + 0.18*t.speed/blowerRPM
	t.power = physics.Lag(t.power, power, dt, 4)
	// Willans line: what an empty turbine takes, and 4 t/h for a megawatt at rated steam.
	t.steam = (5 + 4.0*t.power) * (1 - 0.0011*(t.steamT-430)) * (1 - 0.004*(t.steamP-33))
	t.lubricate(dt)
	t.shake(dt)
}

// open is the share of the flow that the guide vanes pass.
func (t *Blower) open() float64 { return 0.75 + 0.25*t.vanes/100 }

// govern moves guide vanes and speed towards the wind that is asked for.
func (t *Blower) govern(dt float64) {
	t.windRef = t.blast.Wind * fullWind
	vanes := 85 + 55*math.Min(0, math.Max(-1, (t.blast.Wind-1)/0.4))
	t.vanes += math.Copysign(math.Min(2*dt, math.Abs(vanes-t.vanes)), vanes-t.vanes)
	target := math.Max(t.blast.Wind, leastWind) * fullWind
	t.speedRef += blowerRPM * (target - t.delivered) / fullWind * dt / 60
	t.speedRef = math.Min(blowerHigh, math.Max(blowerLow, t.speedRef))
	t.speed = physics.Lag(t.speed, t.speedRef*(1+0.02*math.Min(0, (t.steamP-33)/33)), dt, 6)
}

// compress moves the air in steps of at most 20 ms.
func (t *Blower) compress(dt float64) {
	b := t.blast
	t.suction = -14 * t.air.x * math.Abs(t.air.x) // mbar, of the filter
	p1 := 1.013 + t.suction/1000
	kelvin := t.suctionT + 273.15
	volume := blowerVol * 3.6 * p1 / 1.01325 * 273.15 / kelvin // kNm³/h of flow 1
	s := mapAt(t.speed/blowerRPM, t.open(), t.fouling.Severity)
	lift := blowerHead / windHeat / kelvin
	resistance := b.Resistance * (1 + t.noise.pressure.Step(dt, t.rng))
	top := 1.013 + 1.2*b.Wind // bar, what the furnace sets against the wind
	wobble := 1 + t.noise.flow.Step(dt, t.rng)
	before := t.air.x

	n := max(1, int(math.Ceil(dt/0.02-1e-9)))
	h := dt / float64(n)
	for range n {
		rise := 1 + lift*t.air.y
		p := p1 * rise * rise * rise * math.Sqrt(rise) // to the power of γ/(γ−1)
		t.pressureAbs = p
		// Ergun: what a packed bed takes goes with the square of the flow.
		through := fullWind * math.Copysign(math.Sqrt(math.Abs(p*p-top*top)/8.0/resistance), p-top)
		through += fullWind * b.Filling * (p - 1) / 2.6
		relief := 0.55 * fullWind * t.antisurge / 100 * p / 3.6
		t.protect(h)
		t.air.move(s, (through*wobble+relief)/volume, h)
		t.wind = through
		t.delivered += (through - t.delivered) * h / 5
	}
	t.flow = t.air.x * volume
	t.discharge = t.pressureAbs - 1.013
	t.wild = physics.Lag(t.wild, math.Abs(t.air.x-before)/math.Min(1, dt*4)+math.Abs(t.air.y-t.air.fast), dt, 3)
}

// protect is the antisurge control: it knows the surge line of a clean blower,
// opens from 10 % in front of it, and opens wide when the flow collapses.
func (t *Blower) protect(h float64) {
	line := surgeAt(t.air.fast, t.open())
	t.seen += (t.air.x - t.seen) * h / 0.6
	if t.air.x < 0.45*line {
		if !t.surging {
			t.surges++
		}
		t.surging, t.blowing = true, 90
	}
	if t.air.x > 0.8*line {
		t.surging = false
	}
	t.blowing = math.Max(0, t.blowing-h)
	target := 100 * math.Min(1, math.Max(0, (1.10*line-t.seen)/(0.15*line)))
	if t.blowing > 0 {
		target = 100
	}
	rate := 1.5 // % a second, closing
	if target > t.antisurge {
		rate = 60
	}
	t.antisurge += math.Copysign(math.Min(rate*h, math.Abs(target-t.antisurge)), target-t.antisurge)
}

// lubricate is the oil, and the white metal that it carries.
func (t *Blower) lubricate(dt float64) {
	t.lubeT = physics.Lag(t.lubeT, t.world.Water+14+t.noise.oil.Step(dt, t.rng), dt, 900)
	t.lubeDP = (0.62 + 2.88*t.filter.Severity) * (1 - 0.012*(t.lubeT-43))
	t.lubeP = 1.62 + t.noise.lube.Step(dt, t.rng) - 0.006*(t.lubeT-43) - 0.25*(t.lubeDP-0.62)
	n := t.speed / blowerRPM
	shear := math.Pow(n, 1.7) * (1 + 0.25*math.Max(0, 1.6-t.lubeP))
	load := 0.7 + 0.3*t.power/9
	metal := func(i int, rise float64) {
		t.brg[i] = physics.Lag(t.brg[i], t.lubeT+rise*shear*load, dt, 420)
	}
	metal(0, 29+6*t.journal.Severity)
	metal(1, 27+5*t.misaligned.Severity+t.journal.Severity)
	metal(2, 33+5*t.misaligned.Severity)
	metal(3, 30)
	push := t.air.fast + 0.8*t.wild
	t.thrust = physics.Lag(t.thrust, t.lubeT+32*shear*(0.4+0.6*push), dt, 420)
	t.axial = 0.12 + 0.10*push + 0.9*(t.air.y-t.air.fast) + t.noise.axial.Step(dt, t.rng)
}

// shake is the shaft in its bearing at the drive end, µm peak to peak. It runs
// above its first critical speed.
func (t *Blower) shake(dt float64) {
	const critical = 1550.0
	gain := func(n float64) float64 {
		r := n / critical
		return r * r / math.Hypot(1-r*r, 0.25*r)
	}
	g := gain(t.speed) / gain(3060)
	crust := 1.1 + 2.4*float64(t.salt.Lumps) // angle of the salt's unbalance, rad
	bow := t.noise.bow.Step(dt, t.rng)
	x := 21 + bow + 48*t.salt.Severity*math.Cos(crust)
	y := 48 * t.salt.Severity * math.Sin(crust)
	film := 1 + t.noise.film.Step(dt, t.rng)
	t.once = math.Hypot(x, y) * g * film
	t.twice = (2.6 + 24*t.misaligned.Severity) * film
	// A worn bearing whirls off and on; near a surge the air shakes the rotor.
	j := t.journal.Severity
	t.sub = 1.4 + 46*math.Pow(j, 1.2)*math.Max(0.2, 1+t.noise.whirl.Step(dt, t.rng)) + 60*math.Min(0.6, t.wild)
	t.shaftX = math.Sqrt(t.once*t.once+0.5*t.twice*t.twice) + 0.35*t.twice + 0.8*t.sub + 1.5
	t.shaftY = 0.86*math.Sqrt(t.once*t.once+0.9*t.twice*t.twice) + 0.25*t.twice + 0.9*t.sub + 1.5
	t.gap = 62 + 3*(t.speed/blowerRPM-1) - 45*j + t.noise.gap.Step(dt, t.rng)
}

// Points are the accelerometer on the pedestal of the drive end.
func (t *Blower) Points() []Point { return []Point{{"VIB_H_W", t.signal}} }

// signal is what passes from the shaft through the oil film into the pedestal,
// with the wheel's blades and the noise of the air.
func (t *Blower) signal() vibration.Signal {
	const passes, blades = 0.3, 19
	line := func(order, peakToPeak float64) vibration.Line {
		omega := 2 * math.Pi * order * t.speed / 60
		return vibration.Line{Order: order, Amp: passes * peakToPeak / 2e6 * omega * omega}
	}
	t.lines = [4]vibration.Line{line(1, t.once), line(2, t.twice), line(0.45, t.sub), {Order: blades, Amp: 0.8 * t.air.fast}}
	return vibration.Signal{Speed: t.speed, Shaft: t.lines[:], Noise: 0.25, Flow: vibration.Flow{RMS: 0.6 + 6*math.Min(1, t.wild), Order: blades, Depth: 0.2}}
}

// Faults are what can break.
func (t *Blower) Faults() []*Fault {
	return []*Fault{&t.fouling, &t.journal, &t.misaligned, &t.salt, &t.filter}
}

// Load is the share of the rated power and speed.
func (t *Blower) Load() (load, speed float64) { return t.power / blowerMW, t.speed / blowerRPM }

// Sensors are what the control system has.
func (t *Blower) Sensors() []Sensor {
	return []Sensor{
		{Name: "MODE", Text: &t.blast.Mode, Every: Fast},
		{Name: "CAST", Text: &t.blast.Cast, Every: Slow},
		{Name: "SPEED", Value: &t.speed, Every: Fast, Tau: 0.1, Sigma: 0.6},
		{Name: "SPEED_REF", Value: &t.speedRef, Every: Slow},
		{Name: "FLOW", Value: &t.flow, Every: Fast, Tau: 0.15, Rel: 0.006},
		{Name: "WIND", Value: &t.wind, Every: Slow, Tau: 1, Rel: 0.006},
		{Name: "WIND_REF", Value: &t.windRef, Every: Slow},
		{Name: "P_DIS", Value: &t.discharge, Every: Fast, Tau: 0.1, Sigma: 0.004},
		{Name: "P_SUC", Value: &t.suction, Every: Slow, Tau: 0.5, Sigma: 0.08},
		{Name: "T_SUC", Value: &t.suctionT, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "T_DIS", Value: &t.dischargeT, Every: Slow, Tau: 20, Sigma: 0.12},
		{Name: "IGV", Value: &t.vanes, Every: Slow, Tau: 0.5, Sigma: 0.08},
		{Name: "ANTISURGE_POS", Value: &t.antisurge, Every: Fast, Tau: 0.1, Sigma: 0.08},
		{Name: "P_STEAM", Value: &t.steamP, Every: Slow, Tau: 0.5, Sigma: 0.03},
		{Name: "T_STEAM", Value: &t.steamT, Every: Slow, Tau: 25, Sigma: 0.15},
		{Name: "STEAM_F", Value: &t.steam, Every: Slow, Tau: 1, Rel: 0.006},
		{Name: "SHAFT_X", Value: &t.shaftX, Every: Slow, Tau: 0.5, Sigma: 0.25, Rel: 0.01},
		{Name: "SHAFT_Y", Value: &t.shaftY, Every: Slow, Tau: 0.5, Sigma: 0.25, Rel: 0.01},
		{Name: "SHAFT_1X", Value: &t.once, Every: Slow, Tau: 1, Sigma: 0.15, Rel: 0.01},
		{Name: "SHAFT_2X", Value: &t.twice, Every: Slow, Tau: 1, Sigma: 0.15, Rel: 0.01},
		{Name: "SHAFT_SUB", Value: &t.sub, Every: Slow, Tau: 1, Sigma: 0.15, Rel: 0.03},
		{Name: "GAP_Y", Value: &t.gap, Every: Slow, Tau: 1, Sigma: 0.3},
		{Name: "AX_POS", Value: &t.axial, Every: Fast, Tau: 0.1, Sigma: 0.003},
		{Name: "BRG_T1", Value: &t.brg[0], Every: Slow, Tau: 15, Sigma: 0.06},
		{Name: "BRG_T2", Value: &t.brg[1], Every: Slow, Tau: 15, Sigma: 0.06},
		{Name: "BRG_T3", Value: &t.brg[2], Every: Slow, Tau: 15, Sigma: 0.06},
		{Name: "BRG_T4", Value: &t.brg[3], Every: Slow, Tau: 15, Sigma: 0.06},
		{Name: "THRUST_T", Value: &t.thrust, Every: Slow, Tau: 15, Sigma: 0.06},
		{Name: "LUBE_P", Value: &t.lubeP, Every: Slow, Tau: 0.3, Sigma: 0.005},
		{Name: "LUBE_T", Value: &t.lubeT, Every: Slow, Tau: 25, Sigma: 0.06},
		{Name: "LUBE_DP", Value: &t.lubeDP, Every: Slow, Tau: 0.5, Sigma: 0.008},
	}
}
