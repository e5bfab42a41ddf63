package simulator

import (
	"millwright/simulator/machine"
	"millwright/simulator/production"
)

// shop is what the machines of a works share: the world around them and the
// production that they serve. A part of production is made when the first machine
// asks for it and steps before all machines.
type shop struct {
	seed    uint64
	setting production.Setting
	world   *production.World

	strip   *production.Strip
	heats   *production.Heats
	cast    *production.Cast
	wind    *production.Blast
	sinter  *production.Sinter
	yard    *production.Yard
	table   *production.RunOut
	rough   *production.Roughing
	furnace *machine.Furnace // 1
	coilers *production.Coilers
	cold    *production.Cold
	hearth  *production.Hearth
	parts   []part

	hot   *production.Store           // of the coilers
	lines map[string]*production.Line // of the cold end, by their areas

	demands map[string]*float64 // by the area that makes them
}

// part is a piece of production that moves by itself.
type part interface{ Step(dt float64) }

func newShop(seed uint64, s production.Setting) *shop {
	return &shop{seed: seed, setting: s, world: production.NewWorldAt(seed, s)}
}

func (s *shop) step(t, dt float64) {
	s.world.Step(t, dt)
	if s.strip != nil {
		s.strip.Hold = s.world.Shed == 1
	}
	for _, p := range s.parts {
		p.Step(dt)
	}
}

// sensors of the world and of what is made, by their whole paths.
func (s *shop) sensors() []machine.Sensor {
	w := s.world
	all := []machine.Sensor{
		{Name: "SIM/PLANT_TIME", Value: &w.Time, Every: machine.Slow},
		{Name: "SIM/T_HALL", Value: &w.Hall, Every: machine.Slow, Tau: 30, Sigma: 0.06},
		{Name: "SIM/T_OUT", Value: &w.Out, Every: machine.Slow, Tau: 60, Sigma: 0.06},
		{Name: "SIM/RH", Value: &w.Humidity, Every: machine.Slow, Tau: 30, Sigma: 0.3},
		{Name: "SIM/T_SEA", Value: &w.Sea, Every: machine.Slow, Tau: 60, Sigma: 0.03},
		{Name: "SIM/SHED", Value: &w.Shed, Every: machine.Slow},
		{Name: "SIM/U_GRID", Value: &w.KV, Every: machine.Slow, Tau: 0.5, Sigma: 0.005},
	}
	if l := s.strip; l != nil {
		c := &l.Coil
		all = append(all, text("HSM/FM/MODE", &l.Mode), text("HSM/FM/COIL", &c.ID), text("HSM/FM/SLAB", &c.Slab), text("HSM/FM/HEAT", &c.Heat),
			text("HSM/FM/GRADE", &c.Grade),
			machine.Sensor{Name: "HSM/FM/WIDTH", Value: &c.Width, Every: machine.Slow},
			machine.Sensor{Name: "HSM/FM/GAUGE", Value: &c.Gauge, Every: machine.Slow})
	}
	if y := s.yard; y != nil {
		all = append(all, text("CC/YARD/HEAT", &y.Heat), text("CC/YARD/SLAB", &y.Slab), text("CC/YARD/GRADE", &y.Grade),
			machine.Sensor{Name: "CC/YARD/WIDTH", Value: &y.Width, Every: machine.Slow},
			machine.Sensor{Name: "CC/YARD/STOCK", Value: &y.Slabs, Every: machine.Slow})
	}
	if h := s.heats; h != nil {
		all = append(all, text("BOF/C1/MODE", &h.Mode), text("BOF/C1/HEAT", &h.Heat))
	}
	return append(all, s.products()...)
}

func text(path string, value *string) machine.Sensor {
	return machine.Sensor{Name: path, Text: value, Every: machine.Slow}
}

// finishing is the strip in the hot mill's finishing train.
func (s *shop) finishing() *production.Strip {
	if s.strip == nil {
		if s.setting.Mix {
			s.strip = production.NewStripOf(s.seed, s.slabs())
		} else {
			s.strip = production.NewStrip(s.seed)
		}
		s.parts = append(s.parts, s.strip)
	}
	return s.strip
}

// runOut is the strip behind the finishing train.
func (s *shop) runOut() *production.RunOut {
	if s.table == nil {
		s.table = production.NewRunOut(s.finishing())
		s.parts = append(s.parts, s.table)
	}
	return s.table
}

// converter is the converter's heats.
func (s *shop) converter() *production.Heats {
	if s.heats == nil {
		s.heats = production.NewHeats(s.seed)
		s.parts = append(s.parts, s.heats)
	}
	return s.heats
}

// builder makes the machine at a path.
type builder struct {
	path string
	make func(s *shop) machine.Machine
}

// builders are all machines that the simulator knows deeply.
func builders() []builder {
	var all []builder
	all = append(all, hotMill()...)
	all = append(all, meltShop()...)
	all = append(all, utilities()...)
	all = append(all, casting()...)
	all = append(all, ironMaking()...)
	return all
}

func hotMill() []builder {
	return []builder{
		{"HSM/FM/F3/GBX", func(s *shop) machine.Machine { return machine.NewGearbox(s.seed, s.world, s.finishing()) }},
		{"HSM/DSC/P1", func(s *shop) machine.Machine { return machine.NewPump(s.seed, s.world, s.finishing()) }},
	}
}

func meltShop() []builder {
	return []builder{
		{"BOF/C1/FAN", func(s *shop) machine.Machine { return machine.NewFan(s.seed, s.world, s.converter()) }},
	}
}
