package machine

import (
	"math"
	"math/rand/v2"
	"time"

	"millwright/simulator/physics"
	"millwright/simulator/production"
)

// AGC is the hydraulic gap control of stand F3: a cylinder and a servo valve on
// each side, and the station that feeds them at 275 bar: a pump that loads and
// unloads on accumulators.
type AGC struct {
	strip *production.Strip
	world *production.World
	rng   *rand.Rand

	leak, silting, gas, filter, wear Fault

	noise struct{ force, tilt, oil, dust physics.Drift }

	ds, os      cylinder
	pump        bool
	angle       float64 // of the backup roll, turns
	hold        float64 // s that the strip has been held
	held        bool
	before      float64 // supply pressure at the bite
	lowest      float64 // and the lowest one since
	mode        string  // of the step before
	starts      float64 // a decaying count of the pump's loadings
	on          float64 // share of the time that it is on load, an hour's mean
	oil         float64 // in the accumulators, m³
	contaminate float64 // ISO 4406 class above the clean one
	consumption float64 // l/min, of the valves and cylinders

	supply, dip, precharge, droop    float64
	temperature, filterDp, drain     float64
	pumpDrain, current, duty, cycles float64
	iso4, iso6, iso14                float64
}

// cylinder is one side with its servo valve.
type cylinder struct {
	position    float64 // mm of stroke
	force       float64 // MN
	piston, rod float64 // bar
	command     float64 // of the servo valve, %
	feedback    float64
	null        float64 // command that holds, a mean while the strip is held
	response    float64 // of a step, ms
	trembling   float64 // amplitude of the dither that the controller needs, %
	stuck       float64 // spool position behind the stiction, %

	valve, dither, step physics.Drift
}

const (
	agcArea       = 0.5    // of a piston, m²
	agcRing       = 0.08   // of its rod side, m²
	agcRod        = 40.0   // bar, held by a valve
	agcBalance    = 0.9    // MN of a side: roll balance and bending press back
	agcMill       = 5.5    // stiffness of the stand, MN/mm
	agcTrapped    = 0.08   // oil in a cylinder and its lines, m³
	agcBulk       = 12_000 // bulk modulus of the oil with its hoses, bar
	agcValve      = 7.17   // l/min of a valve fully open, per √bar: 60 l/min at 70 bar
	agcLeak       = 0.002  // l/min of a new cylinder, per bar over the piston
	agcPilot      = 3.0    // l/min that a servo valve itself needs
	agcOthers     = 7.0    // l/min of the roll bending
	agcCutIn      = 265.0  // bar
	agcCutOut     = 285.0
	agcRelief     = 300.0
	agcPump       = 90.0  // l/min
	agcTau        = 6.0   // ms of the position loop
	agcPrecharge  = 238.0 // bar, 0.9 of the lowest pressure
	agcLoss       = 90.0  // bar of it that a failed one has lost
	agcGas        = 0.200 // m³
	agcTravel     = 45.0  // mm of stroke where the rolls would touch
	agcMotor      = 92.0  // A at 275 bar
	agcMotorIdle  = 34.0
	agcEccentric  = 0.018 // mm of the backup roll
	agcBackupRoll = 0.68  // its radius, m
)

// NewAGC holds an open gap.
func NewAGC(seed uint64, w *production.World, strip *production.Strip) *AGC {
	a := &AGC{strip: strip, world: w, rng: physics.Stream(seed, "agc"), supply: 275, temperature: 45, precharge: agcPrecharge, droop: 6,
		iso4: 16, iso6: 14, iso14: 11, dip: 3.5, filterDp: 0.8, duty: 17, cycles: 58, on: 0.17, starts: 58}
	a.oil = physics.Accumulator{Volume: agcGas, Precharge: agcPrecharge}.Oil(275)
	for _, c := range []*cylinder{&a.ds, &a.os} {
		*c = cylinder{position: 39, piston: 25, rod: agcRod, response: agcTau, trembling: 1, null: 0.6,
			valve: physics.Drift{Sigma: 0.35, Tau: 0.3}, dither: physics.Drift{Sigma: 0.04, Tau: 4}, step: physics.Drift{Sigma: 0.25, Tau: 5}}
	}
	a.noise.force = physics.Drift{Sigma: 0.008, Tau: 0.5}
	a.noise.tilt = physics.Drift{Sigma: 0.004, Tau: 3}
	a.noise.oil = physics.Drift{Sigma: 0.5, Tau: 120}
	a.noise.dust = physics.Drift{Sigma: 0.2, Tau: 1800}
	const m = time.Minute
	a.leak = Fault{Name: "leak", Code: "H1", Growth: 20 * m, Life: 30 * day,
		About: "piston seal of the drive side's cylinder leaks: its null command and the droop with blocked valves grow, the pump loads more often"}
	a.silting = Fault{Name: "servo-silting", Code: "H2", Growth: 15 * m, Life: 14 * day,
		About: "silt in the drive side's servo valve: slower step response, its spool sticks, more dither, dirtier oil"}
	a.gas = Fault{Name: "accumulator", Code: "H3", Course: Even, Growth: 30 * m, Life: 630 * day,
		About: "accumulators lose nitrogen, 1 bar a week: deeper dips of the supply at the bite, the pump cycles faster"}
	a.filter = Fault{Name: "filter-blocking", Code: "P1", Course: Even, Growth: 15 * m, Life: 20 * day,
		About: "the pressure filter blocks: its pressure loss rises until the bypass opens and dirt passes"}
	a.wear = Fault{Name: "pump-wear", Code: "F2", Course: Even, Growth: 20 * m, Life: 180 * day,
		About: "the worn pump loses oil inside: more case drain, longer on load, warmer oil"}
	return a
}

func (a *AGC) Path() string { return "HSM/FM/F3/AGC" }

func (a *AGC) Step(dt float64) {
	l := a.strip
	in := l.InStrip()
	force, _ := l.Roll(l.Speed)
	force *= (1 + a.noise.force.Step(dt, a.rng)) / 1e6
	tilt := a.noise.tilt.Step(dt, a.rng)
	a.angle = math.Mod(a.angle+l.Speed/(2*math.Pi*agcBackupRoll)*dt, 1)

	if in {
		a.hold += dt
	} else {
		a.hold = 0
	}
	moved := a.side(&a.ds, force*0.5*(1+tilt), a.leak.Severity, a.silting.Severity, in, dt)
	moved += a.side(&a.os, force*0.5*(1-tilt), 0, 0, in, dt)
	a.station(moved, in, dt)
	a.oils(dt)
	if a.mode == production.RollChange && l.Mode != production.RollChange {
		a.tests()
	}
	a.mode = l.Mode
}

// side moves a cylinder on and returns the oil that it took, m³.
func (a *AGC) side(c *cylinder, force, leak, silt float64, in bool, dt float64) float64 {
	c.force = force
	before := c.piston
	c.piston = (force + agcBalance + agcRod*1e5*agcRing/1e6) * 1e6 / agcArea / 1e5
	// The loop is done in milliseconds; the step sees where it ends.
	from := c.position
	// The gap that gives the wanted exit: the stand stretches by F/K.
	gap, tau := a.strip.Coil.Pass.Exit-2*force/agcMill, 0.02
	if !in { // set without haste for the next coil
		gap, tau = a.strip.Coil.Pass.Exit-2.5, 0.8
	}
	c.position = physics.Lag(c.position, agcTravel-gap, dt, tau)
	speed := (c.position - from) / dt // mm/s
	c.rod = agcRod + 0.02*(a.supply-275) + 2*math.Min(2, math.Max(-2, speed))

	// Null command: what leaks over the piston must come through the valve.
	// (u0 = C_l·Δp/(K_v·√Δp_v))
	leakage := agcLeak * (1 + 9*leak) * math.Max(0, c.piston-agcRod*agcRing/agcArea) // l/min
	room := math.Sqrt(math.Max(1, a.supply-c.piston))
	null := leakage / (agcValve * room) * 100
	moving := math.Min(4, math.Max(-4, speed*agcArea*60/(agcValve*room)*100)) // mm/s · m² = l/s
	eccentric := 0.0
	if in {
		eccentric = 100 * agcEccentric * 2 * math.Pi * a.strip.Speed / (2 * math.Pi * agcBackupRoll) * agcArea * 60 / (agcValve * room) * math.Cos(2*math.Pi*a.angle)
	}
	// A sticking spool makes the controller hunt.
	hunt := c.valve.Step(dt, a.rng) * (1 + 3*silt)
	c.command = null + moving + eccentric + hunt + 0.2
	stick := 0.1 + 3*silt // %, hysteresis
	if d := c.command - c.stuck; math.Abs(d) > stick/2 {
		c.stuck = c.command - math.Copysign(stick/2, d)
	}
	c.feedback = c.stuck
	if in && a.hold > 3 {
		c.null = physics.Lag(c.null, null+hunt+0.2, dt, 20)
	}
	c.trembling = (1 + 2.2*silt) * (1 + c.dither.Step(dt, a.rng))
	// Colder oil and less supply make the valve slower.
	c.response = agcTau*(1+2*silt)*math.Sqrt(275/math.Max(100, a.supply))*(1-0.006*(a.temperature-45)) + c.step.Step(dt, a.rng)

	// Oil that a bite takes, or the way to the next gap; then what the piston
	// follows the backup roll with. Its trembling is no flow: it comes back.
	took := leakage / 60_000 * dt
	if !in || !a.held {
		took += math.Max(0, c.position-from)/1000*agcArea + agcTrapped*math.Max(0, c.piston-before)/agcBulk
	} else {
		took += 2 * agcEccentric / 1000 * agcArea * a.strip.Speed / (2 * math.Pi * agcBackupRoll) * dt
	}
	return took
}

// station is the pump and its accumulators.
func (a *AGC) station(moved float64, in bool, dt float64) {
	bottle := physics.Accumulator{Volume: agcGas, Precharge: agcPrecharge - agcLoss*a.gas.Severity}
	needs := 2*agcPilot + agcOthers
	a.consumption = physics.Lag(a.consumption, needs+moved*60_000/dt, dt, 60)
	if in && !a.held {
		a.before, a.lowest = a.supply, a.supply
	}
	a.held = in
	slip := 0.06 + 0.30*a.wear.Severity // share of its flow that the pump loses inside
	out := needs/60_000*dt + moved
	if a.pump {
		out -= agcPump * (1 - slip) / 60_000 * dt
	}
	a.oil = math.Min(math.Max(0, a.oil-out), bottle.Oil(agcRelief))
	a.supply = bottle.Pressure(a.oil)
	switch {
	case a.pump && a.supply > agcCutOut:
		a.pump = false
	case !a.pump && a.supply < agcCutIn:
		a.pump = true
		a.starts++
	}
	const hour = 3600.0
	a.starts *= math.Exp(-dt / hour)
	a.cycles = a.starts
	load := 0.0
	if a.pump {
		load = 1
	}
	a.on = physics.Lag(a.on, load, dt, hour)
	a.duty = 100 * a.on
	if in && a.hold < 1.5 {
		a.lowest = math.Min(a.lowest, a.supply)
	} else if in && a.lowest > 0 {
		a.dip, a.lowest = a.before-a.lowest, 0
	}
	target := agcMotorIdle
	if a.pump {
		target = agcMotorIdle + (agcMotor-agcMotorIdle)*a.supply/275
	}
	a.current = physics.Lag(a.current, target/a.world.Volts, dt, 0.3)
	a.pumpDrain = agcPump * slip * (0.35 + 0.65*load) * math.Exp(0.02*(a.temperature-45))
}

// oils are temperature, filter, drain and cleanliness.
func (a *AGC) oils(dt float64) {
	// All power that the pump gives ends as heat; the cooler's valve holds 44 °C
	// as well as the water lets it.
	heat := 0.3 + a.on + 1.2*a.wear.Severity*(0.3+a.on)
	target := 42 + 3.5*heat + 0.15*(a.world.Water-30) + 0.1*(a.world.Hall-34) + a.noise.oil.Step(dt, a.rng)
	a.temperature = physics.Lag(a.temperature, target, dt, 25*60)
	thin := math.Exp(-0.025 * (a.temperature - 45))
	flow := 0.45
	if a.pump {
		flow = 1
	}
	clean := 0.75 * flow * thin
	blocked := math.Min(3.6, clean*(1+5.2*a.filter.Severity))
	a.filterDp = physics.Lag(a.filterDp, blocked, dt, 1.5)
	a.drain = 2*agcPilot + agcLeak*((1+9*a.leak.Severity)*a.ds.piston+a.os.piston)
	// Classes double the count each: an open bypass and silt raise them over days;
	// the demonstration's hours are long enough to see it.
	bypass := math.Max(0, a.filter.Severity-0.75) / 0.25
	a.contaminate = physics.Lag(a.contaminate, 2.2*a.silting.Severity+2.5*bypass+0.6*a.wear.Severity, dt, 20*60)
	dust := a.noise.dust.Step(dt, a.rng)
	a.iso4 = 15.6 + dust + a.contaminate
	a.iso6 = 13.5 + dust + 0.95*a.contaminate
	a.iso14 = 10.4 + 1.2*dust + 0.9*a.contaminate
}

// tests at the end of a roll change: the accumulators are emptied and their gas
// is read; the rolls are pressed together with 5 MN a side, the valves blocked,
// and the droop is measured.
func (a *AGC) tests() {
	a.precharge = agcPrecharge - agcLoss*a.gas.Severity + 0.5*a.rng.NormFloat64() + 0.15*(a.temperature-45)
	piston := (5.0 + agcBalance) * 1e6 / agcArea / 1e5
	leak := agcLeak * (1 + 9*a.leak.Severity) * piston / 60_000 // m³/s
	a.droop = leak / agcArea * 1e6 * (1 + 0.04*a.rng.NormFloat64())
}

// Faults are what can break.
func (a *AGC) Faults() []*Fault {
	return []*Fault{&a.leak, &a.silting, &a.gas, &a.filter, &a.wear}
}

// Load is the share of 20 MN, and of the strip's usual speed.
func (a *AGC) Load() (load, speed float64) { return (a.ds.force + a.os.force) / 20, a.strip.Speed / 4 }

// Sensors are what the control system has.
func (a *AGC) Sensors() []Sensor {
	all := []Sensor{
		{Name: "MODE", Text: &a.strip.Mode, Every: Fast},
		{Name: "COIL", Text: &a.strip.Coil.ID, Every: Fast},
		{Name: "P_S", Value: &a.supply, Every: Fast, Tau: 0.05, Sigma: 0.25},
		{Name: "P_DIP", Value: &a.dip, Every: Slow, Sigma: 0.05},
		{Name: "P_N2", Value: &a.precharge, Every: Slow},
		{Name: "DROOP", Value: &a.droop, Every: Slow},
		{Name: "OIL_T", Value: &a.temperature, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "FILT_DP", Value: &a.filterDp, Every: Slow, Tau: 0.3, Sigma: 0.015},
		{Name: "DRAIN_F", Value: &a.drain, Every: Slow, Tau: 2, Rel: 0.01},
		{Name: "PUMP_DRAIN", Value: &a.pumpDrain, Every: Slow, Tau: 2, Rel: 0.01},
		{Name: "PUMP_I", Value: &a.current, Every: Fast, Tau: 0.2, Sigma: 0.2, Rel: 0.004},
		{Name: "PUMP_DUTY", Value: &a.duty, Every: Slow, Sigma: 0.05},
		{Name: "PUMP_CYCLES", Value: &a.cycles, Every: Slow, Sigma: 0.1},
		{Name: "ISO4406_4", Value: &a.iso4, Every: Slow, Tau: 60, Sigma: 0.08},
		{Name: "ISO4406_6", Value: &a.iso6, Every: Slow, Tau: 60, Sigma: 0.08},
		{Name: "ISO4406_14", Value: &a.iso14, Every: Slow, Tau: 60, Sigma: 0.12},
	}
	for _, s := range []struct {
		name string
		c    *cylinder
	}{{"_DS", &a.ds}, {"_OS", &a.os}} {
		c := s.c
		all = append(all,
			Sensor{Name: "POS" + s.name, Value: &c.position, Every: Fast, Tau: 0.02, Sigma: 0.002},
			Sensor{Name: "FORCE" + s.name, Value: &c.force, Every: Fast, Tau: 0.05, Sigma: 0.01},
			Sensor{Name: "P_PIST" + s.name, Value: &c.piston, Every: Fast, Tau: 0.05, Sigma: 0.2},
			Sensor{Name: "P_ROD" + s.name, Value: &c.rod, Every: Fast, Tau: 0.05, Sigma: 0.1},
			Sensor{Name: "SV_CMD" + s.name, Value: &c.command, Every: Fast, Sigma: 0.02},
			Sensor{Name: "SV_FB" + s.name, Value: &c.feedback, Every: Fast, Sigma: 0.05},
			Sensor{Name: "SV_NULL" + s.name, Value: &c.null, Every: Slow, Sigma: 0.01},
			Sensor{Name: "RESP" + s.name, Value: &c.response, Every: Slow, Sigma: 0.1},
			Sensor{Name: "DITHER" + s.name, Value: &c.trembling, Every: Slow, Sigma: 0.01})
	}
	return all
}
