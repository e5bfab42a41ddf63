package machine

import (
	"cmp"
	"math"
	"math/rand/v2"
	"time"

	"millwright/simulator/physics"
	"millwright/simulator/production"
)

// Furnace is one of the walking-beam furnaces in front of the hot strip mill: 28
// slabs of some 18 t, 170 min from door to door, natural gas, a recuperator. It
// gives a slab whenever its beam has one ready for the mill, every second or third
// of the mill's; the others come from its sister.
//
// The slabs walk against the gas through a dark preheating zone, two heating
// zones and a soaking zone. Gas and lining of a zone have one temperature; each
// slab has one. A zone's heat goes to its slabs by radiation, to walls, skids and
// openings, and with the gas into the zone before it, at last through the
// recuperator, so that the balance of the whole closes.
type Furnace struct {
	strip *production.Strip
	world *production.World
	rng   *rand.Rand

	burner, rich, recuperator, skid, leak, filter Fault

	noise struct{ gas, pressure, skid, beam, ratio physics.Drift }

	slabs [furnaceSlabs]furnaceSlab // the last one is discharged next
	zones [4]furnaceZone
	skids [3]furnaceSkid

	mode       string
	seen       string  // coil that the mill had last
	since      float64 // s since a slab was discharged
	trim       float64 // of the heating zones' set points, K
	slab       string
	sister     string  // slab that the other furnace discharged last
	discharged float64 // °C
	door       float64

	fuel, lhv, power, airAll, specific float64 // Nm³/h, MJ/Nm³, MW, Nm³/h, GJ/t
	spent, heated                      float64 // forgetting sums behind the specific energy
	steel, wall, open, stackLoss       float64 // MW
	pressure, damper                   float64 // Pa, %
	flue, stack, stackO2, preheat      float64 // °C, °C, %, °C
	gas                                float64 // Nm³/s into the recuperator
	blast, fan                         float64 // mbar, A
	inlet                              float64 // skid water, °C
	cycle, beam, pumping, oil, drop    float64 // s, bar, %, °C, bar
	phase                              float64 // s of the beam's cycle, beyond it at rest
}

// furnaceSlab is a slab on its way.
type furnaceSlab struct{ heat, mass float64 } // GJ/t over 20 °C, t

// furnaceZone is a zone with its controller.
type furnaceZone struct {
	temp, set, integral, fuel, air float64 // °C, °C, share of full, share of full, Nm³/h
	ratio, o2, gas                 float64 // λ, %, Nm³/s that leave it
	flow                           float64 // of fuel, Nm³/h

	full       float64 // Nm³/s
	base       float64 // set point, °C
	wall, skid float64 // MW at 1250 °C
	first, end int     // slabs
	hold       float64 // K less while the mill stands
}

// furnaceSkid is a circuit of the skids' cooling.
type furnaceSkid struct{ flow, out, loss float64 } // m³/h, °C, MW

const (
	furnaceSlabs = 28
	slabWeight   = 0.017                // t for a millimetre of width
	slabFace     = 2 * 10.9 / 17        // m² for a t, above and below
	slabPitch    = 295.0                // s between two slabs at least, for their cores
	slabTime     = 17.5                 // s that a t needs at full fire: 206 t/h
	slabView     = 0.5                  // emissivity and view together
	stefan       = 5.67e-14             // MW/m²K⁴
	airNeed      = 9.5                  // Nm³ for a Nm³ of gas
	gasHeat      = 1.55e-3              // MJ/Nm³K
	airHeat      = 1.35e-3              // MJ/Nm³K
	gasLHV       = 35.8                 // MJ/Nm³
	liningHeat   = 12.0                 // MJ/K of a zone
	soakEntry    = 1175.0               // °C at which slabs should enter the soaking zone
	fullAir      = 1.08 * airNeed * 2.7 // Nm³/s
	skidFlow     = 215.0                // m³/h a circuit
	beamCycle    = 46.0                 // s
)

// Modes of the furnace.
const (
	furnaceHeating  = "heating"
	furnaceHold     = "hold"
	furnaceRecovery = "recovery"
)

// NewFurnace is full of slabs on their way.
func NewFurnace(seed uint64, w *production.World, strip *production.Strip) *Furnace {
	f := &Furnace{strip: strip, world: w, rng: physics.Stream(seed, "furnace"), mode: furnaceHeating, seen: strip.Coil.ID, slab: strip.Coil.ID, sister: strip.Before(1),
		discharged: 1215, lhv: gasLHV, flue: 850, stack: 450, preheat: 430, pressure: 12, damper: 60, inlet: w.Water + 4, cycle: beamCycle,
		phase: 1e6, oil: 46, drop: 0.7, pumping: 15, beam: 110}
	f.noise.gas = physics.Drift{Sigma: 0.006, Tau: 6 * 3600}
	f.noise.pressure = physics.Drift{Sigma: 1.2, Tau: 8}
	f.noise.skid = physics.Drift{Sigma: 0.006, Tau: 120}
	f.noise.beam = physics.Drift{Sigma: 0.006, Tau: 900}
	f.noise.ratio = physics.Drift{Sigma: 0.008, Tau: 60}
	f.zones = [4]furnaceZone{
		{base: 900, wall: 0.9, skid: 0.9, first: 0, end: 10},
		{base: 1180, full: 1.2, wall: 1.1, skid: 1.4, first: 10, end: 17, hold: 60},
		{base: 1270, full: 1.05, wall: 1.1, skid: 2.1, first: 17, end: 23, hold: 40},
		{base: 1235, full: 0.45, wall: 1.0, skid: 1.7, first: 23, end: 28, hold: 10},
	}
	for i := range f.zones {
		z := &f.zones[i]
		z.temp, z.set, z.integral, z.fuel, z.ratio = z.base, z.base, 0.7, 0.7, 1.08
	}
	for i := range f.slabs {
		x := float64(i) / (furnaceSlabs - 1)
		f.slabs[i] = furnaceSlab{steelHeat(20 + 1190*math.Pow(x, 0.8)), slabWeight * strip.Coil.Width}
	}
	f.heated = 100 * 4
	f.spent = 1.45 * f.heated
	const m = time.Minute
	f.burner = Fault{Name: "burner-drift", Code: "T2", Course: Even, Growth: 30 * m, Life: 60 * day,
		About: "the air of heating zone 3 creeps above what its meter says: oxygen up, more fuel for the same slabs"}
	f.rich = Fault{Name: "burner-drift-rich", Code: "T2", Course: Even, Growth: 30 * m, Life: 60 * day,
		About: "the air of heating zone 3 creeps below what its meter says: no oxygen left, gas that burns only in the zone before it"}
	f.recuperator = Fault{Name: "recuperator-leak", Code: "T3", Growth: 30 * m, Life: 60 * day,
		About: "tubes of the recuperator leak: colder combustion air, oxygen in the stack, more air from the fan"}
	f.skid = Fault{Name: "skid-insulation", Code: "T1", Growth: 30 * m, Life: 40 * day,
		About: "insulation falls off the skids of circuit 2: warmer cooling water, more fuel"}
	f.leak = Fault{Name: "leak", Code: "H1", Growth: 20 * m, Life: 6 * day,
		About: "the walking beam's cylinders leak: longer cycle, lower pressure, the pumps run longer"}
	f.filter = Fault{Name: "filter-blocking", Code: "P1", Course: Even, Growth: 20 * m, Life: 20 * day,
		About: "the filter of the walking beam's hydraulics blocks"}
	return f
}

func (f *Furnace) Path() string { return "HSM/RHF/F1" }

// Heat content of steel over 20 °C, GJ/t: three slopes, the steep one where the
// lattice turns, 0.82 GJ/t at 1200 °C.
const (
	heatCold = 0.58e-3 // GJ/t K to 600 °C
	heatTurn = 1.00e-3 // to 850 °C
	heatHot  = 0.667e-3
	heat600  = heatCold * 580
	heat850  = heat600 + heatTurn*250
)

func steelHeat(t float64) float64 {
	switch {
	case t < 600:
		return heatCold * (t - 20)
	case t < 850:
		return heat600 + heatTurn*(t-600)
	}
	return heat850 + heatHot*(t-850)
}

func steelTemp(h float64) float64 {
	switch {
	case h < heat600:
		return 20 + h/heatCold
	case h < heat850:
		return 600 + (h-heat600)/heatTurn
	}
	return 850 + (h-heat850)/heatHot
}

// Step moves slabs, gas, water and beam.
func (f *Furnace) Step(dt float64) {
	f.follow(dt)
	f.lhv = gasLHV * (1 + f.noise.gas.Step(dt, f.rng))
	ratio := f.noise.ratio.Step(dt, f.rng)
	for i := range f.zones {
		f.control(i, ratio, dt)
	}
	f.exchange(dt)
	f.recuperate(dt)
	f.draught(dt)
	f.water(dt)
	f.walk(dt)
	// Specific energy as a level-2 computer has it, of some four hours.
	keep := math.Exp(-dt / (4 * 3600))
	f.spent = f.spent*keep + f.power*dt/1000
	f.heated *= keep
	f.specific = f.spent / f.heated
}

// follow the mill: a slab leaves as soon as the mill waits for its coil.
func (f *Furnace) follow(dt float64) {
	l := f.strip
	f.since += dt
	if l.Mode == production.Gap && l.Coil.ID != f.seen {
		f.seen = l.Coil.ID
		if f.since >= math.Max(slabPitch, slabTime*f.slabs[furnaceSlabs-1].mass) {
			f.slab = f.called()
			f.discharge()
		} else {
			f.sister = f.called()
		}
	}
	switch {
	case l.Mode == production.RollChange || f.since > 900:
		f.mode = furnaceHold
	case f.mode == furnaceHold:
		f.mode = furnaceRecovery
	case f.mode == furnaceRecovery && f.zones[1].temp > f.goal(1)-6 && f.zones[2].temp > f.goal(2)-6:
		f.mode = furnaceHeating
	}
}

// goal is the temperature at which level 2 wants zone i.
func (f *Furnace) goal(i int) float64 {
	z := &f.zones[i]
	goal := z.base
	switch i {
	case 1:
		goal += f.trim
	case 2:
		goal += f.trim / 2
	}
	if f.mode == furnaceHold {
		goal -= z.hold
	}
	return goal
}

// called is the slab that the mill rolls now; its coil where nobody keeps account.
func (f *Furnace) called() string {
	return cmp.Or(f.strip.Coil.Slab, f.strip.Coil.ID)
}

// Sister is the slab that the other furnace discharged last: those that the mill had
// between two of this one.
func (f *Furnace) Sister() *string { return &f.sister }

// discharge gives the last slab and charges one that is as wide as what the mill
// rolls now.
func (f *Furnace) discharge() {
	c := &f.strip.Coil
	last := f.slabs[furnaceSlabs-1]
	f.discharged = steelTemp(last.heat)
	copy(f.slabs[1:], f.slabs[:furnaceSlabs-1])
	f.slabs[0] = furnaceSlab{steelHeat(f.world.Hall), slabWeight * c.Width}
	f.heated += last.mass
	f.since, f.phase = 0, 0
	// Level 2: what enters the soaking zone should be soakEntry warm.
	f.trim = math.Min(60, math.Max(-60, f.trim+0.06*(soakEntry-steelTemp(f.slabs[f.zones[3].first].heat))))
}

// control is the zone's temperature controller, which moves the gas, and the
// ratio controller behind it, which lets the air follow. Small fires need more
// excess air.
func (f *Furnace) control(i int, ratio, dt float64) {
	z := &f.zones[i]
	if z.full == 0 {
		return
	}
	set := f.goal(i)
	z.set += math.Copysign(math.Min(math.Abs(set-z.set), 0.2*dt), set-z.set)
	const gain, reset, least = 0.02, 240.0, 0.08
	e := z.set - z.temp
	z.integral = math.Min(1, math.Max(least, z.integral+gain/reset*e*dt))
	z.fuel = physics.Lag(z.fuel, math.Min(1, math.Max(least, z.integral+gain*e)), dt, 8)
	z.ratio = 1.05 + 0.03/math.Max(z.fuel, 0.1) + ratio
	z.flow = z.fuel * z.full * 3600
	z.air = z.flow * airNeed * z.ratio // as its meter has it
	if i == 2 {
		z.ratio *= 1 + 0.10*(f.burner.Severity-f.rich.Severity)
	}
	z.o2 = 20.9 * math.Max(0, 1-1/z.ratio)
}

// exchange is the balance of heat in each zone, from the discharge to the charge,
// as the gas goes. What finds no air in its zone burns in the next that has some.
func (f *Furnace) exchange(dt float64) {
	cold := f.world.Hall
	f.steel, f.wall, f.power = 0, 0, 0
	f.open = 3.4 + 1.6*f.door
	in, warm, unburnt := 0.0, 0.0, 0.0 // Nm³/s, MW and Nm³/s of gas from the zone behind
	for i := len(f.zones) - 1; i >= 0; i-- {
		z := &f.zones[i]
		fuel := z.fuel * z.full
		air := fuel * airNeed * z.ratio
		infiltration := 0.0 // drawn in through the doors where the pressure is low
		if i == 0 || i == 3 {
			infiltration = 0.25 + 0.5*math.Max(0, 12-f.pressure)/12
		}
		z.gas = in + fuel + air + infiltration
		out := gasHeat * z.gas * (z.temp - cold)
		t := z.temp + 273.15
		radiant := t * t * t * t
		steel := 0.0
		for j := z.first; j < z.end; j++ {
			s := &f.slabs[j]
			cooler := steelTemp(s.heat) + 273.15
			q := stefan * slabView * slabFace * (radiant - cooler*cooler*cooler*cooler) // MW/t
			s.heat += q * dt / 1000
			steel += q * s.mass
		}
		over := (z.temp - cold) / 1220
		wall := z.wall * over
		skid := z.skid * over
		if i == 2 {
			skid *= 1 + f.skid.Severity
		}
		f.lose(i, skid)
		burnt := math.Min(unburnt+fuel, fuel*z.ratio+infiltration/airNeed)
		unburnt += fuel - burnt
		net := burnt*f.lhv + airHeat*air*(f.preheat-cold) + warm - out - steel - wall - skid
		if i == 0 || i == 3 {
			net -= f.open / 2
		}
		z.temp += net * dt / liningHeat
		in, warm = z.gas, out
		f.steel += steel
		f.wall += wall
		f.power += fuel * f.lhv
	}
	f.gas = in
	f.fuel = 0
	for i := range f.zones {
		f.fuel += f.zones[i].flow
	}
}

// lose is heat to the skids of zone i; the first two zones share a circuit.
func (f *Furnace) lose(i int, heat float64) {
	if i == 0 {
		f.skids[0].loss += heat
		return
	}
	f.skids[i-1].loss = heat
}

// recuperate warms the air with the flue gas. Leaking tubes let air out of the
// hot end into the gas.
func (f *Furnace) recuperate(dt float64) {
	cold := f.world.Hall
	var air, free float64 // Nm³/s; oxygen left in the gas
	for i := range f.zones {
		z := &f.zones[i]
		fuel := z.fuel * z.full
		air += fuel * airNeed * z.ratio
		free += 0.209 * fuel * airNeed * (z.ratio - 1)
	}
	burnt := 0.0
	for i := range f.zones {
		burnt += f.zones[i].fuel * f.zones[i].full * (1 + airNeed*f.zones[i].ratio)
	}
	free += 0.209 * (f.gas - burnt) // false air
	f.flue = f.zones[0].temp
	leak := 0.08 * f.recuperator.Severity * air
	load := air / fullAir
	eps := (0.50 + 0.06*(1-load)) * (1 - 0.14*f.recuperator.Severity)
	f.preheat = physics.Lag(f.preheat, cold+eps*(f.flue-cold), dt, 120)
	taken := airHeat * (air + leak) * (f.preheat - cold) // MW
	after := math.Max(cold, f.flue-taken/(gasHeat*math.Max(f.gas, 0.1)))
	all := f.gas + leak
	f.stack = physics.Lag(f.stack, (f.gas*after+leak*f.preheat)/all, dt, 60)
	f.stackLoss = gasHeat*f.gas*(after-cold) + airHeat*leak*(f.preheat-cold)
	f.stackO2 = 100 * (free + 0.209*leak) / all
	f.airAll = (air + leak) * 3600
	f.blast = 62 - 8*load*load
	f.fan = (14 + 24*(air+leak)/fullAir) / f.world.Volts
}

// draught is the furnace's pressure and its damper. A door that opens lets it fall.
func (f *Furnace) draught(dt float64) {
	f.door = 0
	if f.since < 28 {
		f.door = 1
	}
	f.damper = physics.Lag(f.damper, 18+55*f.gas/24+5*f.door, dt, 6)
	f.pressure = physics.Lag(f.pressure, 12-4*f.door+f.noise.pressure.Step(dt, f.rng), dt, 2)
}

func (f *Furnace) water(dt float64) {
	f.inlet = physics.Lag(f.inlet, f.world.Water+4, dt, 300)
	flow := 1 + f.noise.skid.Step(dt, f.rng)
	for i := range f.skids {
		s := &f.skids[i]
		s.flow = skidFlow * (1 + 0.02*float64(i-1)) * flow
		s.out = physics.Lag(s.out, f.inlet+s.loss/(4.18e-3*s.flow/3.6), dt, 40)
	}
}

// walk is the beam: up with all slabs, on, down, back empty.
func (f *Furnace) walk(dt float64) {
	sick := f.leak.Severity
	thick := math.Exp(-0.03 * (f.oil - 45))
	long := beamCycle * (0.97 + 0.03*thick) * (1 + 0.35*sick) * (1 + f.noise.beam.Step(dt, f.rng))
	before := f.phase
	f.phase += dt
	x := f.phase / long
	bar := 112.0 // accumulators
	switch {
	case x < 0.30:
		bar = 148
	case x < 0.52:
		bar = 96
	case x < 0.78:
		bar = 64
	case x < 1:
		bar = 52
	}
	if before < long && f.phase >= long {
		f.cycle = long
	}
	f.beam = physics.Lag(f.beam, bar*(1-0.06*sick), dt, 0.8)
	on := 0.0
	if x < 1 {
		on = 100
	}
	f.pumping = physics.Lag(f.pumping, on+22*sick*(1-on/100), dt, 1800)
	f.oil = physics.Lag(f.oil, 42+0.25*(f.world.Hall-34)+0.2*f.pumping, dt, 40*60)
	f.drop = (0.6 + 2.9*f.filter.Severity) * thick
}

// Faults are what can break.
func (f *Furnace) Faults() []*Fault {
	return []*Fault{&f.burner, &f.rich, &f.recuperator, &f.skid, &f.leak, &f.filter}
}

// Load is the share of the full fuel; a furnace has no speed of its own.
func (f *Furnace) Load() (load, speed float64) { return f.fuel / (2.7 * 3600), 1 }

// Sensors are what the control system has.
func (f *Furnace) Sensors() []Sensor {
	all := []Sensor{
		{Name: "MODE", Text: &f.mode, Every: Slow},
		{Name: "SLAB", Text: &f.slab, Every: Slow},
		{Name: "F_FUEL", Value: &f.fuel, Every: Slow, Tau: 1, Rel: 0.005},
		{Name: "LHV", Value: &f.lhv, Every: Slow, Tau: 60, Sigma: 0.03},
		{Name: "POWER", Value: &f.power, Every: Slow, Tau: 1, Rel: 0.006},
		{Name: "SPEC", Value: &f.specific, Every: Slow},
		{Name: "F_AIR", Value: &f.airAll, Every: Slow, Tau: 1, Rel: 0.006},
		{Name: "P_AIR", Value: &f.blast, Every: Slow, Tau: 0.5, Sigma: 0.25},
		{Name: "FAN_I", Value: &f.fan, Every: Slow, Tau: 0.5, Rel: 0.005},
		{Name: "P_FCE", Value: &f.pressure, Every: Slow, Tau: 1, Sigma: 0.3},
		{Name: "DAMPER", Value: &f.damper, Every: Slow, Sigma: 0.2},
		{Name: "T_FLUE", Value: &f.flue, Every: Slow, Tau: 20, Sigma: 0.8},
		{Name: "T_STACK", Value: &f.stack, Every: Slow, Tau: 20, Sigma: 0.5},
		{Name: "O2_FLUE", Value: &f.stackO2, Every: Slow, Tau: 15, Sigma: 0.06},
		{Name: "T_AIR_PRE", Value: &f.preheat, Every: Slow, Tau: 15, Sigma: 0.5},
		{Name: "T_DISCH", Value: &f.discharged, Every: Slow, Sigma: 2},
		{Name: "DOOR", Value: &f.door, Every: Slow},
		{Name: "SKID_T_IN", Value: &f.inlet, Every: Slow, Tau: 20, Sigma: 0.05},
		{Name: "T_CYCLE", Value: &f.cycle, Every: Slow, Sigma: 0.05},
		{Name: "P_HYD", Value: &f.beam, Every: Slow, Tau: 0.2, Sigma: 0.5},
		{Name: "PUMP_ON", Value: &f.pumping, Every: Slow},
		{Name: "OIL_T", Value: &f.oil, Every: Slow, Tau: 30, Sigma: 0.06},
		{Name: "FILTER_DP", Value: &f.drop, Every: Slow, Tau: 0.5, Sigma: 0.01},
	}
	names := [4]string{"_1", "_2", "_3", "_4"}
	for i := range f.zones {
		z, n := &f.zones[i], names[i]
		all = append(all, Sensor{Name: "T_Z" + n, Value: &z.temp, Every: Slow, Tau: 15, Sigma: 0.6})
		if z.full == 0 {
			continue
		}
		all = append(all,
			Sensor{Name: "SP_Z" + n, Value: &z.set, Every: Slow},
			Sensor{Name: "F_FUEL" + n, Value: &z.flow, Every: Slow, Tau: 0.5, Rel: 0.007},
			Sensor{Name: "F_AIR" + n, Value: &z.air, Every: Slow, Tau: 0.5, Rel: 0.007},
			Sensor{Name: "O2" + n, Value: &z.o2, Every: Slow, Tau: 12, Sigma: 0.06})
	}
	for i := range f.skids {
		s, n := &f.skids[i], names[i]
		all = append(all,
			Sensor{Name: "SKID_F" + n, Value: &s.flow, Every: Slow, Tau: 0.5, Rel: 0.005},
			Sensor{Name: "SKID_T" + n, Value: &s.out, Every: Slow, Tau: 20, Sigma: 0.05})
	}
	return all
}
