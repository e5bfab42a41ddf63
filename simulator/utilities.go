package simulator

import "millwright/simulator/machine"

// utilities are the machines that keep the works alive: water and air.
func utilities() []builder {
	return []builder{
		{"UTL/AIR/NET", func(s *shop) machine.Machine { return machine.NewAir(s.seed, s.world, s.finishing()) }},
	}
}
