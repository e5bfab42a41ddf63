package simulator

import (
	"math"
	"slices"
	"strings"

	"millwright/plant"
	"millwright/simulator/machine"
	"millwright/simulator/physics"
	"millwright/simulator/production"
)

// pull is the demand that a piece of production makes of its machines.
type pull struct {
	of     func() float64
	demand float64
}

// Step takes the demand anew.
func (p *pull) Step(float64) { p.demand = p.of() }

// demand is that of the part of the works in which a path lies.
func (s *shop) demand(path string) *float64 {
	key := ""
	for _, k := range areas() {
		if strings.HasPrefix(path+"/", k.path+"/") && len(k.path) >= len(key) {
			key = k.path
		}
	}
	if s.demands == nil {
		s.demands = map[string]*float64{}
	}
	if d, ok := s.demands[key]; ok {
		return d
	}
	d := s.newDemand(key)
	s.demands[key] = d
	return d
}

// area is a part of the works that runs and stops by itself.
type area struct {
	path    string
	pattern production.Pattern
}

const hour = 3600.0

// areas are the lines of the works of which no more is known than their rhythm.
// Where Run is 0 the demand comes from production that is known better.
func areas() []area {
	return []area{
		{"", production.Pattern{Run: 40 * hour, Low: 0.85, High: 1, Ramp: 600}},
		{"COK", production.Pattern{Run: 30 * hour, Low: 0.9, High: 1, Ramp: 1800}},
		{"SIN", production.Pattern{}},
		{"BF", production.Pattern{}},
		{"BF/BF2", production.Pattern{Run: 70 * hour, Stop: 4 * hour, Short: 0.2, Low: 0.9, High: 1, Ramp: 900}},
		{"BOF", production.Pattern{}},
		{"BOF/C2", production.Pattern{}},
		{"CC", production.Pattern{Run: 7 * hour, Stop: 1.3 * hour, Low: 0.9, High: 1, Ramp: 120}},
		{"CC/BC1", production.Pattern{}},
		{"CC/SC1", production.Pattern{}},
		{"CC/SC2", production.Pattern{}},
		{"CC/BL1", production.Pattern{}},
		{"HSM", production.Pattern{}},
		{"HSM/RM", production.Pattern{}},
		{"HSM/DC", production.Pattern{}},
		{"CM", production.Pattern{Run: 0.7 * hour, Stop: 0.15 * hour, Low: 0.7, High: 1, Ramp: 40, Shed: true}},
		{"CM/ANL", production.Pattern{Run: 30 * hour, Stop: 3 * hour, Low: 0.8, High: 1, Ramp: 1800}},
		{"CM/SPM", production.Pattern{Run: 90 * hour, Low: 0.8, High: 1, Ramp: 40, Shed: true}},
		{"GAL", production.Pattern{Run: 20 * hour, Stop: 2 * hour, Short: 0.1, Low: 0.85, High: 1, Ramp: 180, Shed: true}},
		{"OXY", production.Pattern{Run: 90 * hour, Stop: 5 * hour, Low: 0.85, High: 1, Ramp: 1200}},
		{"PWR", production.Pattern{Run: 24 * hour, Low: 0.75, High: 1, Ramp: 1800}},
	}
}

func (s *shop) newDemand(key string) *float64 {
	var of func() float64
	switch key {
	case "BF":
		wind := s.blast()
		of = func() float64 { return wind.Wind }
	case "SIN":
		strand := s.sintering()
		of = func() float64 { return math.Min(1, strand.Speed) }
	case "CC/BC1":
		cast := s.caster()
		of = func() float64 {
			if cast.Mould {
				return 1
			}
			return 0
		}
	case "BOF":
		heats := s.converter()
		of = func() float64 { return converting(heats.Mode == "blow") }
	case "BOF/C2":
		cast := s.caster()
		of = func() float64 { return converting(cast.Blowing()) }
	case "CC/SC1", "CC/SC2":
		return &s.slabs().SlabCasters[key[len(key)-1]-'1'].Demand
	case "CC/BL1":
		return &s.slabs().BilletCaster.Demand
	case "CM", "CM/ANL", "CM/SPM", "GAL":
		return &s.coldEnd()[key].Demand
	case "HSM", "HSM/RM", "HSM/DC":
		strip := s.finishing()
		switch key {
		case "HSM/RM":
			s.roughing()
		case "HSM/DC":
			s.coiling()
		}
		of = func() float64 {
			switch {
			case strip.InStrip():
				return 1
			case strip.Mode == production.Gap:
				return 0.2
			}
			return 0
		}
	default:
		l := s.line(key)
		s.parts = append(s.parts, l)
		if key == "BF/BF2" {
			s.hearth = production.NewHearth(s.seed, key, l)
			s.parts = append(s.parts, s.hearth)
		}
		return &l.Demand
	}
	p := &pull{of: of}
	s.parts = append(s.parts, p)
	return &p.demand
}

// line is one of which no more is known than the rhythm of its area.
func (s *shop) line(key string) *production.Line {
	all := areas()
	a := all[slices.IndexFunc(all, func(a area) bool { return a.path == key })]
	return production.NewLine(s.seed, key, s.world, a.pattern)
}

// converting is the demand of a converter.
func converting(blow bool) float64 {
	if blow {
		return 1
	}
	return 0.25
}

// shallows are the assets that the simulator does not know deeply, with the tags
// that nobody else moves.
func (w *Works) shallows(s *shop, deep []machine.Machine) []machine.Machine {
	taken := map[string]bool{}
	for _, m := range deep {
		taken[m.Path()] = true
	}
	for _, a := range w.Assets {
		if !taken[a.Path] {
			s.demand(a.Path) // makes the production that it serves
		}
	}
	known := map[string]bool{}
	for _, sensor := range s.sensors() {
		known[sensor.Name] = true
	}
	tags := map[string][]plant.Tag{}
	for _, t := range w.Tags {
		if !known[t.Path] {
			tags[t.Asset] = append(tags[t.Asset], t)
		}
	}
	var out []machine.Machine
	for _, a := range w.Assets {
		if !taken[a.Path] {
			out = append(out, machine.NewShallow(s.seed, s.world, s.demand(a.Path), w.duty(s.seed, a), a, tags[a.Path]))
		}
	}
	return out
}

// duty is the turn that an asset with a mode standby takes with those of its
// siblings that have one too and differ in the number at the end of the path.
func (w *Works) duty(seed uint64, a plant.Asset) machine.Duty {
	group := func(a plant.Asset) string { return strings.TrimRight(a.Path, "0123456789") }
	stands := func(a plant.Asset) bool {
		return slices.ContainsFunc(a.Modes, func(m plant.Mode) bool { return m.Name == machine.Standby })
	}
	var d machine.Duty
	if !stands(a) {
		return d
	}
	d.Phase = physics.Stream(seed, group(a)).Float64()
	for _, b := range w.Assets {
		if !stands(b) || group(b) != group(a) {
			continue
		}
		if b.Path == a.Path {
			d.Member = d.Of
		}
		d.Of++
	}
	return d
}
