package machine

import (
	"math"
	"math/rand/v2"
	"time"

	"millwright/simulator/physics"
	"millwright/simulator/production"
	"millwright/simulator/vibration"
)

// Pump is a descaling pump: 400 m³/h against 180 bar, 2.5 MW, 2980 r/min, seven
// vanes, a balance drum. The headers open for every bar.
type Pump struct {
	strip *production.Strip
	world *production.World
	rng   *rand.Rand

	cavitation, low, wear, outer Fault

	noise struct{ suction, system, axial, floor, kurt physics.Drift }

	mode                                  string
	valve                                 float64
	speed, current, power                 float64
	suction, discharge, flow              float64
	leak, leakT, water                    float64
	de, nde, winding                      float64
	vibH, vibA, hf, env, kurt             float64
	flowTrue, resistance, slip, effective float64

	unbalance, vane, flowNoise, spread, floor float64 // what vibration is made of: mm/s, floor m/s²
	seen                                      [2]seen
}

// NewPump stands warm.
func NewPump(seed uint64, w *production.World, strip *production.Strip) *Pump {
	p := &Pump{strip: strip, world: w, rng: physics.Stream(seed, "pump"), mode: "standby", de: 58, nde: 56, winding: 92, leakT: 44, flow: 120,
		resistance: 1, slip: 0.006, flowTrue: 120}
	p.noise.suction = physics.Drift{Sigma: 0.012, Tau: 5}
	p.noise.system = physics.Drift{Sigma: 0.012, Tau: 4}
	p.noise.axial = physics.Drift{Sigma: 0.02, Tau: 3}
	p.noise.floor = physics.Drift{Sigma: 0.02, Tau: 3}
	p.noise.kurt = physics.Drift{Sigma: 0.08, Tau: 2}
	p.cavitation = Fault{Name: "cavitation", Code: "F1", Course: Growing, Growth: 10 * time.Minute, Life: 5 * day,
		About: "blocked suction strainer: suction pressure falls, broadband and axial vibration, less head"}
	p.low = Fault{Name: "cavitation-level", Code: "F1", Course: Even, Growth: 15 * time.Minute, Life: 2 * day,
		About: "the tank that feeds the suction runs low: suction pressure falls, at little flow too, then broadband and axial vibration, less head"}
	p.wear = Fault{Name: "wear-rings", Code: "F2", Growth: 15 * time.Minute, Life: 120 * day,
		About: "worn rings and balance drum: pressure falls, leak-off flow and temperature rise"}
	p.outer = Fault{Name: "bearing-outer", Code: "M1", Growth: 10 * time.Minute, Life: 45 * day,
		About: "spall on the outer race of the drive end bearing"}
	return p
}

func (p *Pump) Path() string { return "HSM/DSC/P1" }

const (
	pumpSpeed = 2980.0
	spray     = 180.0 / 160_000     // system, headers open
	bypass    = 200.0 / (120 * 120) // system, minimum flow line
	drumLeak  = 12.0                // m³/h
)

// descaling has heads in bar and flows in m³/h.
func descaling() physics.Centrifugal {
	return physics.Centrifugal{ShutOff: 203, Fall: 23.0 / 160_000, Best: 410, Eta: 0.82, Need: 6, More: 6.0 / 160_000}
}

func (p *Pump) Step(dt float64) {
	w := p.world
	open := p.strip.Spraying()
	p.mode, p.valve = "standby", 0
	target := bypass
	if open {
		p.mode, p.valve, target = "spraying", 1, spray
	}
	// Valves take a second; resistances add as flows do not, so move the root.
	p.resistance = physics.Lag(p.resistance, math.Sqrt(target), dt, 0.7)
	k := p.resistance * p.resistance * (1 + p.noise.system.Step(dt, p.rng))
	n := (1 - p.slip) / (1 - 0.006)
	p.speed = 3000 * (1 - p.slip)

	// NPSH: what the suction offers over what the impeller needs.
	strainer := (0.12 + 0.75*p.cavitation.Severity) * (p.flowTrue / 400) * (p.flowTrue / 400)
	p.suction = 0.95 - 0.6*p.low.Severity - strainer + p.noise.suction.Step(dt, p.rng)
	p.water = w.Water + 2
	pump := descaling()
	lack := pump.Lack(physics.NPSH(p.suction, p.water), p.flowTrue)
	head := physics.Starved(lack)

	rings := 1 - 0.08*p.wear.Severity
	leak := drumLeak * (1 + 0.6*p.wear.Severity)
	p.flowTrue = physics.Lag(p.flowTrue, pump.Flow(n, head*rings, 0, k), dt, 0.5)
	p.flow = p.flowTrue
	p.discharge = pump.Head(p.flowTrue, n, head*rings) + p.suction
	p.leak = leak * math.Sqrt(p.discharge/180)

	eta := pump.Efficiency(p.flowTrue, n) * (1 - 0.03*p.wear.Severity)
	hydraulic := (p.flowTrue + p.leak) / 3600 * p.discharge * 1e5
	p.power = hydraulic/eta/1000*head + 40 // kW
	p.effective = p.power / 2500
	p.slip = 0.006 * p.effective
	p.current = physics.Induction(p.power, p.effective, 6600*w.Volts, 0.955)

	p.thermal(dt)
	p.vibration(lack, dt)
}

func (p *Pump) thermal(dt float64) {
	w := p.world
	amps := p.current / 262
	p.winding = physics.Lag(p.winding, 38+0.3*(w.Hall-34)+62*amps*amps, dt, 30*60)
	heat := 0.6 + 0.4*p.effective
	p.de = physics.Lag(p.de, 38+0.3*(w.Hall-34)+20*heat+24*p.outer.Severity*p.outer.Severity, dt, 25*60)
	p.nde = physics.Lag(p.nde, 38+0.3*(w.Hall-34)+18*heat+2*p.outer.Severity*p.outer.Severity+3*p.wear.Severity, dt, 25*60)
	p.leakT = physics.Lag(p.leakT, p.water+14+5*p.wear.Severity, dt, 90)
}

func (p *Pump) vibration(lack float64, dt float64) {
	shaft := p.speed / 60
	cav := math.Pow(lack, 1.5)
	off := math.Abs(p.flowTrue-410) / 410
	vane := vibration.Velocity(2.2*(1+0.8*off)+45*cav, 7*shaft)
	unbalance := 1.3
	flowNoise := 0.35*(1+1.2*off) + 1.8*cav
	spread := vibration.Late(p.outer.Severity)
	p.unbalance, p.vane, p.flowNoise, p.spread = unbalance, vane, flowNoise, spread
	p.vibH = vibration.Hypot(unbalance, vane, flowNoise, spread)
	p.vibA = vibration.Hypot(0.5*unbalance, 1.5*vane, 1.5*flowNoise, 0.5*spread) * (1 + p.noise.axial.Step(dt, p.rng))

	floor := vibration.Hypot(2.0*(1+0.8*off), 60*cav) * (1 + p.noise.floor.Step(dt, p.rng))
	p.floor = floor
	p.hf, p.kurt, p.env = vibration.Spall(p.outer.Severity, p.speed).Features(floor)
	p.kurt += p.noise.kurt.Step(dt, p.rng)
}

// Points are the accelerometers at the drive end, horizontal and axial.
func (p *Pump) Points() []Point {
	return []Point{
		{"VIB_H_W", func() vibration.Signal { return p.signal(&p.seen[0], 1, 1, 1, 1) }},
		{"VIB_A_W", func() vibration.Signal { return p.signal(&p.seen[1], 0.5, 1.5, 1.5, 0.5) }},
	}
}

// signal is that of a direction, which sees shares of the velocities. The noise of
// the flow below 1 kHz is that of vortices at the vanes, between their frequencies.
func (p *Pump) signal(s *seen, unbalance, vane, flow, spread float64) vibration.Signal {
	flow *= p.flowNoise / math.Sqrt2
	s.shaft = [5]vibration.Line{
		vibration.VelocityLine(1, unbalance*p.unbalance, p.speed),
		vibration.VelocityLine(7, vane*p.vane, p.speed),
		vibration.VelocityLine(3.3, flow, p.speed),
		vibration.VelocityLine(5.2, flow, p.speed),
		vibration.VelocityLine(spreadOrder, spread*p.spread, p.speed),
	}
	s.impacts[0] = outerImpacts(p.outer.Severity, p.speed)
	return vibration.Signal{Speed: p.speed, Shaft: s.shaft[:], Impacts: s.impacts[:1],
		Flow: vibration.Flow{RMS: p.floor / math.Sqrt(1+0.4*0.4/2), Order: 7, Depth: 0.4}}
}

// Faults are what can break.
func (p *Pump) Faults() []*Fault { return []*Fault{&p.cavitation, &p.low, &p.wear, &p.outer} }

// Load is the share of the rated power and speed.
func (p *Pump) Load() (load, speed float64) { return p.effective, p.speed / pumpSpeed }

// Sensors are what the control system has.
func (p *Pump) Sensors() []Sensor {
	return []Sensor{
		{Name: "MODE", Text: &p.mode, Every: Fast},
		{Name: "VALVE", Value: &p.valve, Every: Fast},
		{Name: "SPEED", Value: &p.speed, Every: Slow, Tau: 0.2, Sigma: 0.3},
		{Name: "CURRENT", Value: &p.current, Every: Fast, Tau: 0.2, Rel: 0.004},
		{Name: "POWER", Value: &p.power, Every: Slow, Tau: 0.5, Rel: 0.004},
		{Name: "P_SUC", Value: &p.suction, Every: Fast, Tau: 0.1, Sigma: 0.006},
		{Name: "P_DIS", Value: &p.discharge, Every: Fast, Tau: 0.1, Sigma: 0.2},
		{Name: "FLOW", Value: &p.flow, Every: Fast, Tau: 0.2, Rel: 0.007},
		{Name: "LEAK_F", Value: &p.leak, Every: Slow, Tau: 1, Rel: 0.008},
		{Name: "LEAK_T", Value: &p.leakT, Every: Slow, Tau: 20, Sigma: 0.06},
		{Name: "T_WATER", Value: &p.water, Every: Slow, Tau: 20, Sigma: 0.06},
		{Name: "BRG_T_DE", Value: &p.de, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "BRG_T_NDE", Value: &p.nde, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "MOT_T_W", Value: &p.winding, Every: Slow, Tau: 40, Sigma: 0.08, Hum: windingHum},
		{Name: "VIB_H", Value: &p.vibH, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_A", Value: &p.vibA, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.02},
		{Name: "VIB_HF", Value: &p.hf, Every: Slow, Tau: 1, Sigma: 0.01, Rel: 0.015},
		{Name: "VIB_ENV", Value: &p.env, Every: Slow, Tau: 1, Sigma: 0.5},
		{Name: "VIB_KURT", Value: &p.kurt, Every: Slow, Tau: 1, Rel: 0.02},
	}
}
