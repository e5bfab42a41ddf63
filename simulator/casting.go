package simulator

import (
	"millwright/simulator/machine"
	"millwright/simulator/production"
)

// caster is what the bloom caster casts.
func (s *shop) caster() *production.Cast {
	if s.cast == nil {
		s.cast = production.NewCast(s.seed)
		s.parts = append(s.parts, s.cast)
	}
	return s.cast
}

// casting is the bloom caster and the furnace in front of the hot strip mill.
func casting() []builder {
	return []builder{
		{"CC/BC1/OSC", func(s *shop) machine.Machine { return machine.NewOscillator(s.seed, s.world, s.caster()) }},
		{"CC/BC1/WD", func(s *shop) machine.Machine { return machine.NewWithdrawal(s.seed, s.world, s.caster()) }},
		{"HSM/RHF/F1", func(s *shop) machine.Machine {
			s.furnace = machine.NewFurnace(s.seed, s.world, s.finishing())
			return s.furnace
		}},
	}
}
