package simulator

import (
	"millwright/simulator/machine"
	"millwright/simulator/production"
)

// shop is what the machines of a works share: the world around them and the
// production that they serve. A part of production is made when the first machine
// asks for it and steps before all machines.
type shop struct {
	seed  uint64
	world *production.World

	strip  *production.Strip
	heats  *production.Heats
	cast   *production.Cast
	wind   *production.Blast
	sinter *production.Sinter
	parts  []part
}

// part is a piece of production that moves by itself.
type part interface{ Step(dt float64) }

func newShop(seed uint64, s production.Setting) *shop {
	return &shop{seed: seed, world: production.NewWorldAt(seed, s)}
}

func (s *shop) step(t, dt float64) {
	s.world.Step(t, dt)
	for _, p := range s.parts {
		p.Step(dt)
	}
}

// sensors of the world, by their whole paths.
func (s *shop) sensors() []machine.Sensor {
	w := s.world
	return []machine.Sensor{
		{Name: "SIM/PLANT_TIME", Value: &w.Time, Every: machine.Slow},
		{Name: "SIM/T_HALL", Value: &w.Hall, Every: machine.Slow, Tau: 30, Sigma: 0.06},
		{Name: "SIM/T_OUT", Value: &w.Out, Every: machine.Slow, Tau: 60, Sigma: 0.06},
		{Name: "SIM/RH", Value: &w.Humidity, Every: machine.Slow, Tau: 30, Sigma: 0.3},
		{Name: "SIM/T_SEA", Value: &w.Sea, Every: machine.Slow, Tau: 60, Sigma: 0.03},
		{Name: "SIM/SHED", Value: &w.Shed, Every: machine.Slow},
		{Name: "SIM/U_GRID", Value: &w.KV, Every: machine.Slow, Tau: 0.5, Sigma: 0.005},
	}
}

// finishing is the strip in the hot mill's finishing train.
func (s *shop) finishing() *production.Strip {
	if s.strip == nil {
		s.strip = production.NewStrip(s.seed)
		s.parts = append(s.parts, s.strip)
	}
	return s.strip
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
