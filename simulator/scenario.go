package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"millwright/plant/config"
	"millwright/simulator/machine"
)

// Scenario is a story that a works can be put through: what breaks, when, how
// fast, and when it is mended. See config.Scenario for its file.
type Scenario struct {
	File        string
	Name, About string
	WorksName   string // see Named
	Works       Works
	Seed        uint64
	Duration    time.Duration // plant time
	Learn       time.Duration // from the start, for who watches to learn what is healthy
	Faults      []Fault
	Repairs     []Repair
	Trouble     []Trouble // with the server, where one is run
	Random      *Random   // nil: nothing breaks by chance
}

// ReadScenario reads the file of a scenario and checks it against the works that
// it names. The error is config.Faults.
func ReadScenario(path string) (*Scenario, error) { return readScenario(path, Named) }

// ReadDeepScenario is ReadScenario for the works without the assets that no machine
// stands for: see Works.Deep. What happens to one of those is a fault of the file.
func ReadDeepScenario(path string) (*Scenario, error) {
	return readScenario(path, func(name string) (Works, error) {
		w, err := Named(name)
		return w.Deep(), err
	})
}

func readScenario(path string, named func(string) (Works, error)) (*Scenario, error) {
	c, err := config.LoadScenario(path)
	var faults config.Faults
	if err != nil && !errors.As(err, &faults) || c == nil || c.Works == "" {
		return nil, err
	}
	s := &Scenario{File: path, Name: c.Name, About: c.About, WorksName: c.Works, Seed: c.Seed, Duration: c.Duration, Learn: c.Learn}
	if s.Works, err = named(c.Works); err != nil {
		return nil, err
	}
	if !c.Start.IsZero() {
		s.Works.Setting.Start = c.Start
	}
	m, err := assemble(s.Works, s.Seed, 1, millStep)
	if err != nil {
		return nil, err
	}
	for i, f := range c.Faults {
		if f.Asset == "" || f.Fault == "" { // said already
			continue
		}
		key := fmt.Sprintf("fault[%d]", i)
		got, err := m.told(f)
		if err == nil {
			err = m.check(got)
		}
		if err != nil {
			faults = append(faults, complain(c, key, err))
		}
		s.Faults = append(s.Faults, got)
	}
	for i, r := range c.Repairs {
		if r.Asset == "" {
			continue
		}
		key := fmt.Sprintf("repair[%d]", i)
		got, err := m.toldRepair(r)
		if err == nil {
			err = m.checkRepair(got)
		}
		if err != nil {
			faults = append(faults, complain(c, key, err))
		}
		s.Repairs = append(s.Repairs, got)
	}
	for i, x := range c.Troubles {
		if x.Kind == "" {
			continue
		}
		kind, err := troubleKind(x.Kind)
		if err != nil {
			faults = append(faults, c.Fault(fmt.Sprintf("trouble[%d].kind", i), "%v", err))
		}
		t := Trouble{Name: x.Kind, Offset: x.At, Duration: x.Over}
		if x.Over < 0 {
			t.Duration = kind.Duration
		}
		s.Trouble = append(s.Trouble, t)
	}
	if r := c.Random; r != nil {
		s.Random = &Random{Rate: r.Rate, Sensors: r.Sensors, Seed: r.Seed, Over: r.Over, Until: c.Duration}
		if err := s.Random.check(m); err != nil {
			faults = append(faults, complain(c, "random", err))
		}
	}
	if len(faults) > 0 {
		slices.SortStableFunc(faults, func(a, b config.Fault) int { return cmp.Compare(a.Line, b.Line) })
		return nil, faults
	}
	return s, nil
}

// complain is a fault of the file at the key that is wrong.
func complain(c *config.Scenario, key string, err error) config.Fault {
	if r, ok := errors.AsType[*refusal](err); ok {
		return c.Fault(key+"."+r.key, "%s", r.what)
	}
	return c.Fault(key, "%v", err)
}

// told is a fault as the mill has it. A fault that it does not have is for check
// to refuse.
func (m *Mill) told(f config.ScenarioFault) (Fault, error) {
	out := Fault{Asset: f.Asset, Name: f.Fault, Severity: f.Severity, Offset: f.At, Growth: f.Over, Natural: f.Natural, Incubation: f.Incubation}
	life := time.Duration(0)
	if f.Tag != "" {
		out.Tag = f.Asset + "/" + f.Tag
		if f.With != "" {
			out.With = f.Asset + "/" + f.With
		}
		if i, ok := sensorFaultNamed(f.Fault); ok {
			k := sensorKinds()[i]
			out.course, life = k.Course, k.Life
		}
	} else if mf := m.fault(&out); mf != nil {
		out.course, life = mf.Course, mf.Life
	} else if _, ok := sensorFaultNamed(f.Fault); ok {
		return out, &refusal{"tag", fmt.Sprintf("is missing, %s is a fault of a sensor: for example tag = %q", f.Fault, "VIB_H")}
	}
	if out.course == machine.AtOnce {
		life = 0
	}
	if out.Growth < 0 {
		out.Growth = life
	}
	return out, nil
}

func (m *Mill) toldRepair(r config.ScenarioRepair) (Repair, error) {
	out := Repair{Asset: r.Asset, At: r.At, Chance: r.Chance}
	if r.Tag != "" {
		out.Tag = r.Asset + "/" + r.Tag
	}
	if r.Introduces == "" {
		return out, nil
	}
	f, err := m.told(config.ScenarioFault{Asset: r.Asset, Fault: r.Introduces, Severity: r.Severity, Over: r.Over})
	out.Introduces = &f
	return out, err
}

// Reseed makes another run of the story: what breaks by chance follows another seed
// than the scenario's own, too.
func (s *Scenario) Reseed(seed uint64) {
	if r := s.Random; r != nil && seed != s.Seed {
		again := *r
		again.Seed = seed
		s.Random = &again
	}
	s.Seed = seed
}

// Check says what Mill and Offline would refuse, at once.
func (s *Scenario) Check() error {
	m, err := assemble(s.Works, s.Seed, 1, millStep)
	if err != nil {
		return err
	}
	return m.expect(s.Faults, s.Repairs, s.Random)
}

// Mill starts the scenario's works with all that will happen to it. Another seed
// than the scenario's gives other products, noise and weather, and other courses
// of natural faults.
func (s *Scenario) Mill(seed uint64, speed float64) (*Mill, error) {
	m, err := NewMill(s.Works, seed, speed)
	if err != nil {
		return nil, err
	}
	return m, m.expect(s.Faults, s.Repairs, s.Random)
}

// expect plans what will happen.
func (m *Mill) expect(faults []Fault, repairs []Repair, chance *Random) error {
	var errs []error
	for _, f := range faults {
		errs = append(errs, m.Inject(f))
	}
	for _, r := range repairs {
		errs = append(errs, m.PlanRepair(r))
	}
	if chance != nil {
		errs = append(errs, m.Break(*chance))
	}
	return errors.Join(errs...)
}
