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

// ironMaking are the machines of sinter plant and blast furnaces.
func ironMaking() []builder {
	return []builder{
		{"BF/TBS/TB1", func(s *shop) machine.Machine { return machine.NewBlower(s.seed, s.world, s.blast()) }},
	}
}
