package simulator

import (
	"fmt"

	"millwright/simulator/machine"
	"millwright/simulator/production"
)

// slabs is the slab yard with the casters that fill it.
func (s *shop) slabs() *production.Yard {
	if s.yard == nil {
		s.yard = production.NewYard(s.seed, s.converter())
		s.parts = append(s.parts, s.yard)
	}
	return s.yard
}

// roughing is the way of the slabs to the finishing train.
func (s *shop) roughing() *production.Roughing {
	if s.rough == nil {
		s.rough = production.NewRoughing(s.finishing())
		s.parts = append(s.parts, s.rough)
	}
	return s.rough
}

// coiling is the coilers and the store in which their coils cool.
func (s *shop) coiling() *production.Coilers {
	if s.coilers == nil {
		s.hot = production.NewHotStore()
		s.coilers = production.NewCoilers(s.runOut(), s.hot)
		s.parts = append(s.parts, s.coilers)
	}
	return s.coilers
}

// coldEnd is the lines behind the hot mill, by their areas.
func (s *shop) coldEnd() map[string]*production.Line {
	if s.cold == nil {
		s.coiling()
		s.lines = map[string]*production.Line{}
		var lines [4]*production.Line
		for i, key := range [...]string{"CM", "CM/ANL", "CM/SPM", "GAL"} {
			lines[i] = s.line(key)
			s.lines[key] = lines[i]
		}
		s.cold = production.NewCold(s.finishing(), s.hot, lines)
		s.parts = append(s.parts, s.cold)
	}
	return s.lines
}

// products are the texts that say what a unit makes that has no machine in depth.
func (s *shop) products() []machine.Sensor {
	var all []machine.Sensor
	add := func(value *string, paths ...string) {
		for _, p := range paths {
			all = append(all, text(p, value))
		}
	}
	if c := s.cast; c != nil {
		add(&c.Blown, "BOF/C2/HEAT", "BOF/C2/FAN/HEAT")
	}
	if y := s.yard; y != nil {
		for i, c := range y.SlabCasters {
			unit := fmt.Sprintf("CC/SC%d", i+1)
			add(&c.Sequence, unit+"/MLD/SEQUENCE")
			add(&c.Heat, unit+"/OSC/HEAT", unit+"/MLD/HEAT", unit+"/WD/HEAT", unit+"/SEC/HEAT")
			add(&c.Slab, unit+"/WD/SLAB")
		}
		add(&y.BilletCaster.Sequence, "CC/BL1/OSC/SEQUENCE")
		add(&y.BilletCaster.Heat, "CC/BL1/OSC/HEAT", "CC/BL1/WD/HEAT")
	}
	if f := s.furnace; f != nil {
		add(f.Sister(), "HSM/RHF/F2/SLAB")
	}
	if r := s.rough; r != nil {
		add(&r.First, "HSM/RM/R1/SLAB")
		add(&r.Second, "HSM/RM/E1/SLAB", "HSM/RM/R2/SLAB")
		add(&r.Shear, "HSM/RM/CS/SLAB")
	}
	if c := s.coilers; c != nil {
		add(&c.At[0], "HSM/DC/C1/COIL")
		add(&c.At[1], "HSM/DC/C2/COIL")
	}
	if c := s.cold; c != nil {
		add(&c.Mill.At[0], "CM/PKL/LN/COIL")
		add(&c.Mill.At[1], "CM/TCM/S1/COIL", "CM/TCM/S2/COIL", "CM/TCM/S3/COIL", "CM/TCM/S4/COIL", "CM/TCM/TR/COIL")
		for i := range c.Annealing.Coils {
			add(&c.Annealing.Coils[i], fmt.Sprintf("CM/ANL/B%d/COILS", i+1))
		}
		add(&c.Temper.At[0], "CM/SPM/COIL")
		add(&c.Zinc.At[0], "GAL/ENT/COIL")
		add(&c.Zinc.At[1], "GAL/FCE/COIL", "GAL/POT/COIL")
		add(&c.Zinc.At[2], "GAL/EXT/COIL")
	}
	if h := s.hearth; h != nil {
		add(&h.Cast, "BF/BF2/FCE/CAST")
	}
	if b := s.wind; b != nil {
		add(&b.Cast, "BF/BF1/FCE/CAST")
	}
	if b := s.sinter; b != nil {
		add(&b.Blend, "SIN/S1/STR/BLEND")
	}
	return all
}
