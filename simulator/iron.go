package simulator

import (
	"millwright/simulator/machine"
	"millwright/simulator/production"
)

// blast is the wind of blast furnace 1.
func (s *shop) blast() *production.Blast {
	if s.wind == nil {
		s.wind = production.NewBlast(s.seed)
		s.parts = append(s.parts, s.wind)
	}
	return s.wind
}

// sintering is sinter strand 1.
func (s *shop) sintering() *production.Sinter {
	if s.sinter == nil {
		s.sinter = production.NewSinter(s.seed)
		s.parts = append(s.parts, s.sinter)
	}
	return s.sinter
}

// ironMaking are the machines of sinter plant and blast furnaces.
func ironMaking() []builder {
	return []builder{
		{"BF/TBS/TB1", func(s *shop) machine.Machine { return machine.NewBlower(s.seed, s.world, s.blast()) }},
		{"BF/BF1/ST1", func(s *shop) machine.Machine { return machine.NewStove(s.seed, s.world, s.blast()) }},
		{"SIN/S1/FAN", func(s *shop) machine.Machine { return machine.NewExhauster(s.seed, s.world, s.sintering()) }},
	}
}
