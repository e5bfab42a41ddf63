package simulator

import (
	"math"
	"math/rand/v2"
)

// pump is a descaling pump: 400 m³/h against 180 bar, 2.5 MW, 2980 r/min, seven
// vanes, a balance drum. The headers open for every bar.
type pump struct {
	line *line
	rng  *rand.Rand

	cavitation, wear, outer float64 // severities

	noise struct{ suction, system, axial, floor, kurt drift }

	mode                                  string
	valve                                 float64
	speed, current, power                 float64
	suction, discharge, flow              float64
	leak, leakT, water                    float64
	de, nde, winding                      float64
	vibH, vibA, hf, env, kurt             float64
	flowTrue, resistance, slip, effective float64
}

func newPump(seed uint64, l *line) *pump {
	p := &pump{line: l, rng: stream(seed, "pump"), mode: "standby", de: 58, nde: 56, winding: 92, leakT: 44, flow: 120,
		resistance: 1, slip: 0.006, flowTrue: 120}
	p.noise.suction = drift{sigma: 0.012, tau: 5}
	p.noise.system = drift{sigma: 0.012, tau: 4}
	p.noise.axial = drift{sigma: 0.02, tau: 3}
	p.noise.floor = drift{sigma: 0.02, tau: 3}
	p.noise.kurt = drift{sigma: 0.08, tau: 2}
	return p
}

func (p *pump) path() string { return "HSM/DSC/P1" }

func (p *pump) fault(name string, s float64) {
	switch name {
	case "cavitation":
		p.cavitation = s
	case "wear-rings":
		p.wear = s
	case "bearing-outer":
		p.outer = s
	}
}

const (
	pumpSpeed = 2980.0
	shutOff   = 203.0               // bar at no flow
	fall      = 23.0 / 160_000      // bar per (m³/h)²
	spray     = 180.0 / 160_000     // system, headers open
	bypass    = 200.0 / (120 * 120) // system, minimum flow line
	drumLeak  = 12.0                // m³/h
)

func (p *pump) step(w *world, dt float64) {
	open := p.line.spraying()
	p.mode, p.valve = "standby", 0
	target := bypass
	if open {
		p.mode, p.valve, target = "spraying", 1, spray
	}
	// Valves take a second; resistances add as flows do not, so move the root.
	p.resistance = lag(p.resistance, math.Sqrt(target), dt, 0.7)
	k := p.resistance * p.resistance * (1 + p.noise.system.step(dt, p.rng))
	n := (1 - p.slip) / (1 - 0.006)
	p.speed = 3000 * (1 - p.slip)

	// NPSH: what the suction offers over what the impeller needs.
	strainer := (0.12 + 0.75*p.cavitation) * (p.flowTrue / 400) * (p.flowTrue / 400)
	p.suction = 0.95 - strainer + p.noise.suction.step(dt, p.rng)
	p.water = w.water + 2
	vapour := 0.0061 * math.Exp(17.27*p.water/(p.water+237.3)) // bar, after Magnus
	offered := (p.suction + 1.013 - vapour) * 1e5 / (998 * 9.81)
	needed := 6 + 6*(p.flowTrue/400)*(p.flowTrue/400)
	lack := math.Max(0, 1.3-offered/needed)
	head := 1 - 0.03*math.Pow(lack/0.3, 2)

	rings := 1 - 0.08*p.wear
	h0 := shutOff * n * n * head * rings
	leak := drumLeak * (1 + 0.6*p.wear)
	q := math.Sqrt(h0 / (fall + k))
	p.flowTrue = lag(p.flowTrue, q, dt, 0.5)
	p.flow = p.flowTrue
	p.discharge = h0 - fall*p.flowTrue*p.flowTrue + p.suction
	p.leak = leak * math.Sqrt(p.discharge/180)

	off := (p.flowTrue - 410*n) / (410 * n)
	eta := 0.82 * (1 - 0.8*off*off) * (1 - 0.03*p.wear)
	hydraulic := (p.flowTrue + p.leak) / 3600 * p.discharge * 1e5
	p.power = hydraulic/eta/1000*head + 40 // kW
	p.effective = p.power / 2500
	p.slip = 0.006 * p.effective
	cosphi := 0.88*(1-math.Exp(-3*p.effective)) + 0.02
	p.current = p.power * 1000 / (math.Sqrt(3) * 6600 * w.volts * cosphi * 0.955)

	p.thermal(w, dt)
	p.vibration(lack, dt)
}

func (p *pump) thermal(w *world, dt float64) {
	amps := p.current / 262
	p.winding = lag(p.winding, 38+0.3*(w.hall-34)+62*amps*amps, dt, 30*60)
	heat := 0.6 + 0.4*p.effective
	p.de = lag(p.de, 38+0.3*(w.hall-34)+20*heat+24*p.outer*p.outer, dt, 25*60)
	p.nde = lag(p.nde, 38+0.3*(w.hall-34)+18*heat+2*p.outer*p.outer+3*p.wear, dt, 25*60)
	p.leakT = lag(p.leakT, p.water+14+5*p.wear, dt, 90)
}

func (p *pump) vibration(lack float64, dt float64) {
	shaft := p.speed / 60
	cav := math.Pow(lack, 1.5)
	off := math.Abs(p.flowTrue-410) / 410
	vane := velocity(2.2*(1+0.8*off)+45*cav, 7*shaft)
	unbalance := 1.3
	flowNoise := 0.35*(1+1.2*off) + 1.8*cav
	spread := late(p.outer)
	p.vibH = hypot(unbalance, vane, flowNoise, spread)
	p.vibA = hypot(0.5*unbalance, 1.5*vane, 1.5*flowNoise, 0.5*spread) * (1 + p.noise.axial.step(dt, p.rng))

	floor := hypot(2.0*(1+0.8*off), 60*cav) * (1 + p.noise.floor.step(dt, p.rng))
	p.hf, p.kurt, p.env = spall(p.outer, p.speed).features(floor)
	p.kurt += p.noise.kurt.step(dt, p.rng)
}

func (p *pump) sensors() []sensor {
	const a = "HSM/DSC/P1/"
	return []sensor{
		{path: a + "MODE", text: &p.mode, every: fast},
		{path: a + "VALVE", value: &p.valve, every: fast},
		{path: a + "SPEED", value: &p.speed, every: slow, tau: 0.2, sigma: 0.3},
		{path: a + "CURRENT", value: &p.current, every: fast, tau: 0.2, rel: 0.004},
		{path: a + "POWER", value: &p.power, every: slow, tau: 0.5, rel: 0.004},
		{path: a + "P_SUC", value: &p.suction, every: fast, tau: 0.1, sigma: 0.006},
		{path: a + "P_DIS", value: &p.discharge, every: fast, tau: 0.1, sigma: 0.2},
		{path: a + "FLOW", value: &p.flow, every: fast, tau: 0.2, rel: 0.007},
		{path: a + "LEAK_F", value: &p.leak, every: slow, tau: 1, rel: 0.008},
		{path: a + "LEAK_T", value: &p.leakT, every: slow, tau: 20, sigma: 0.06},
		{path: a + "T_WATER", value: &p.water, every: slow, tau: 20, sigma: 0.06},
		{path: a + "BRG_T_DE", value: &p.de, every: slow, tau: 30, sigma: 0.06},
		{path: a + "BRG_T_NDE", value: &p.nde, every: slow, tau: 30, sigma: 0.06},
		{path: a + "MOT_T_W", value: &p.winding, every: slow, tau: 40, sigma: 0.08},
		{path: a + "VIB_H", value: &p.vibH, every: slow, tau: 1, sigma: 0.01, rel: 0.02},
		{path: a + "VIB_A", value: &p.vibA, every: slow, tau: 1, sigma: 0.01, rel: 0.02},
		{path: a + "VIB_HF", value: &p.hf, every: slow, tau: 1, sigma: 0.01, rel: 0.015},
		{path: a + "VIB_ENV", value: &p.env, every: slow, tau: 1, sigma: 0.5},
		{path: a + "VIB_KURT", value: &p.kurt, every: slow, tau: 1, rel: 0.02},
	}
}
