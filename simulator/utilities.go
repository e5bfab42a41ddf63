package simulator

import "millwright/simulator/machine"

// utilities are the machines that keep the works alive, water and air, and those
// of the hot strip mill beside its main drives.
func utilities() []builder {
	return []builder{
		{"WAT/CW/P1", func(s *shop) machine.Machine { return machine.NewWater(s.seed, s.world, s.finishing()) }},
		{"HSM/FM/F3/AGC", func(s *shop) machine.Machine { return machine.NewAGC(s.seed, s.world, s.finishing()) }},
		{"HSM/ROT/G1", func(s *shop) machine.Machine { return machine.NewRunOut(s.seed, s.world, s.runOut()) }},
		{"UTL/AIR/NET", func(s *shop) machine.Machine { return machine.NewAir(s.seed, s.world, s.finishing()) }},
	}
}
