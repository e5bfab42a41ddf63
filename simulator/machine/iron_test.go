package machine

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"millwright/plant"
	"millwright/plant/config"
	"millwright/simulator/production"
)

// served is a machine of the iron making in the hands of its production.
type served struct {
	Machine
	world *production.World
	part  interface{ Step(dt float64) }
	mode  *string
}

func (s *served) step(dt float64) {
	s.world.Step(s.world.Time+dt, dt)
	s.part.Step(dt)
	s.Step(dt)
}

func (s *served) run(seconds, dt float64) {
	for range int(math.Round(seconds / dt)) {
		s.step(dt)
	}
}

// fault sets a severity.
func (s *served) fault(name string, severity float64) {
	for _, f := range s.Faults() {
		if f.Name == name {
			f.Severity = severity
			return
		}
	}
	panic(s.Path() + " has no fault " + name)
}

func servedBlower(seed uint64) *served {
	w, b := production.NewWorldAt(seed, production.Setting{Weak: true}), production.NewBlast(seed)
	return &served{NewBlower(seed, w, b), w, b, &b.Mode}
}

// ironUnits are the machines with the files of their units.
func ironUnits() map[string]func(seed uint64) *served {
	return map[string]func(seed uint64) *served{
		"bf/tb1": servedBlower, "bf/st1": servedStove, "sinter/s1-fan": servedExhauster,
	}
}

func unitFiles(t *testing.T, unit string) (map[string]plant.Tag, plant.Asset) {
	t.Helper()
	base := "../../firmware-configs/reference/" + unit
	open := func(name string) *os.File {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	tags, err := config.ParseTags(base+".csv", open(base+".csv"))
	if err != nil {
		t.Fatal(err)
	}
	assets, err := config.ParseAssets(base+".toml", open(base+".toml"), tags)
	if err != nil {
		t.Fatal(err)
	}
	if len(assets) != 1 {
		t.Fatalf("%s.toml has %d assets", base, len(assets))
	}
	byName := map[string]plant.Tag{}
	for _, tag := range tags {
		byName[strings.TrimPrefix(tag.Path, assets[0].Path+"/")] = tag
	}
	return byName, assets[0]
}

// A healthy day and then as long as it takes to see every mode: all values in the
// range of their tags with room for noise, none beyond a limit, none that stands.
func TestIronHealthy(t *testing.T) {
	long(t)
	for unit, build := range ironUnits() {
		tags, asset := unitFiles(t, unit)
		s := build(11)
		if s.Path() != asset.Path {
			t.Errorf("%s describes %s, not %s", unit, asset.Path, s.Path())
		}
		sensors := s.Sensors()
		for _, x := range sensors {
			tag, ok := tags[x.Name]
			if !ok {
				t.Fatalf("%s/%s has no tag", s.Path(), x.Name)
			}
			if (tag.Kind == plant.Text) != (x.Text != nil) {
				t.Errorf("%s/%s is of kind %s", s.Path(), x.Name, tag.Kind)
			}
			delete(tags, x.Name)
		}
		for name, tag := range tags {
			if tag.Kind != plant.Burst {
				t.Errorf("%s/%s has no sensor", s.Path(), name)
			}
		}
		tags, _ = unitFiles(t, unit)
		limits := map[string][]plant.Limit{}
		for _, l := range asset.Limits {
			name := strings.TrimPrefix(l.Tag, asset.Path+"/")
			limits[name] = append(limits[name], l)
		}
		s.run(4*3600, 1)
		seen := map[string]bool{}
		said := map[string]bool{}
		low, high := map[string]float64{}, map[string]float64{}
		complain := func(name, format string, args ...any) {
			if !said[name] {
				said[name] = true
				t.Errorf("%s/%s "+format, append([]any{s.Path(), name}, args...)...)
			}
		}
		for i := 0; i < 86_400 || len(seen) < len(asset.Modes) && i < 30*86_400; i++ {
			s.step(1)
			if !seen[*s.mode] {
				seen[*s.mode] = true
				if !slices.ContainsFunc(asset.Modes, func(m plant.Mode) bool { return m.Name == *s.mode }) {
					t.Errorf("%s does not know the mode %s", unit, *s.mode)
				}
			}
			if i > 86_400 && i%60 != 0 || i%3 != 0 {
				continue
			}
			for _, x := range sensors {
				if x.Value == nil {
					continue
				}
				v, tag := *x.Value, tags[x.Name]
				if _, known := low[x.Name]; !known {
					low[x.Name], high[x.Name] = v, v
				}
				low[x.Name], high[x.Name] = min(low[x.Name], v), max(high[x.Name], v)
				if noise := 3 * math.Hypot(x.Sigma, x.Rel*v); tag.Low < tag.High && !((v-noise >= tag.Low || v >= 0 && tag.Low == 0) && v+noise <= tag.High) {
					complain(x.Name, "is %v in mode %s, its range %v to %v", v, *s.mode, tag.Low, tag.High)
				}
				for _, l := range limits[x.Name] {
					if len(l.Modes) > 0 && !slices.Contains(l.Modes, *s.mode) {
						continue
					}
					over := v > l.Value && (l.Kind == plant.LimitHigh || l.Kind == plant.LimitHighHigh)
					under := v < l.Value && (l.Kind == plant.LimitLow || l.Kind == plant.LimitLowLow)
					if over || under {
						complain(x.Name, "is %v in mode %s, limit %v", v, *s.mode, l.Value)
					}
				}
			}
		}
		for _, m := range asset.Modes {
			if !seen[m.Name] {
				t.Errorf("%s was never in mode %s", s.Path(), m.Name)
			}
		}
		for _, x := range sensors {
			if x.Value != nil && high[x.Name]-low[x.Name]+x.Sigma+x.Rel*high[x.Name] <= tags[x.Name].Resolution {
				t.Errorf("%s/%s stands at %v", s.Path(), x.Name, low[x.Name])
			}
		}
	}
}

// moments of each sensor while the machine runs, with the noise of the sensor.
func (s *served) moments(running func() bool) (mean, sd map[string]float64) {
	s.run(2*3600, 1)
	r := rig{s.Machine, s.step, running}
	return r.watch(4 * 3600)
}

// signatures checks that each fault moves the tags that theory names by more than
// 2.5 standard deviations of the healthy tag, and leaves those that it cannot
// touch within half of one. A line is "fault[:severity] TAG+ TAG- TAG0 …".
func signatures(t *testing.T, build func() (*served, func() bool), lines ...string) {
	t.Helper()
	s, running := build()
	healthy, sd := s.moments(running)
	known := map[string]bool{}
	for _, line := range lines {
		words := strings.Fields(line)
		name, half := strings.CutSuffix(words[0], ":0.5")
		known[name] = true
		severity := 1.0
		if half {
			severity = 0.5
		}
		s, running := build()
		s.fault(name, severity)
		sick, _ := s.moments(running)
		for _, move := range words[1:] {
			tag, sign := move[:len(move)-1], move[len(move)-1]
			by := (sick[tag] - healthy[tag]) / sd[tag]
			if ok := sign == '+' && by > 2.5 || sign == '-' && by < -2.5 || sign == '0' && math.Abs(by) < 0.5; !ok {
				t.Errorf("%s: %s moves by %+.1f standard deviations (%.4g → %.4g), want %c", words[0], tag, by, healthy[tag], sick[tag], sign)
			}
		}
	}
	for _, f := range s.Faults() {
		if !known[f.Name] {
			t.Errorf("%s has no signature for %s", s.Path(), f.Name)
		}
	}
}

// Halving the step moves the energy by less than 3 %, and so does the longest
// step allowed.
func TestIronSteps(t *testing.T) {
	long(t)
	for unit, build := range ironUnits() {
		energy := func(dt float64) float64 {
			s, sum := build(3), 0.0
			s.run(1200, 1)
			for range int(math.Round(2400 / dt)) {
				s.step(dt)
				load, _ := s.Load()
				sum += load * dt
			}
			return sum
		}
		fine := energy(0.05)
		within(t, unit+" at half the step", energy(0.025), fine, 0.03)
		within(t, unit+" at a step of 1 s", energy(1), fine, 0.03)
	}
}

func TestIronAllocs(t *testing.T) {
	for unit, build := range ironUnits() {
		s := build(1)
		s.run(3600, 1)
		if n := testing.AllocsPerRun(1000, func() { s.Step(0.05) }); n > 0 {
			t.Errorf("%s: %v allocations a step", unit, n)
		}
	}
}

func BenchmarkIron(b *testing.B) {
	for unit, build := range ironUnits() {
		for name, dt := range map[string]float64{"50ms": 0.05, "1s": 1} {
			b.Run(unit+"/"+name, func(b *testing.B) {
				s := build(1)
				s.run(60, 1)
				b.ReportAllocs()
				for b.Loop() {
					s.Step(dt)
				}
			})
		}
	}
}

// Bursts come from the same numbers as the tags: the strongest line of a worn
// journal below the speed is its whirl, and r.m.s. and features agree.
func TestIronBursts(t *testing.T) {
	long(t)
	for unit, build := range ironUnits() {
		s := build(2)
		v, ok := s.Machine.(Vibrating)
		if !ok {
			continue
		}
		if b, ok := s.Machine.(*Blower); ok {
			b.journal.Severity = 1
		} else {
			s.fault("bearing-outer", 0.3)
		}
		s.run(600, 1)
		for _, p := range v.Points() {
			signal := p.Signal()
			burst := make([]float32, 65_536)
			signal.Burst(burst, 25_600, 7)
			sum := 0.0
			for _, x := range burst {
				sum += float64(x) * float64(x)
			}
			within(t, unit+" "+p.Name+" r.m.s.", math.Sqrt(sum/float64(len(burst))), signal.Features().RMS, 0.06)
			if b, ok := s.Machine.(*Blower); ok {
				at := func(order float64) float64 { // amplitude of a line, m/s²
					step := 2 * math.Pi * order * b.speed / 60 / 25_600
					var re, im float64
					for i, x := range burst {
						w := 1 - math.Cos(2*math.Pi*float64(i)/float64(len(burst)))
						re += w * float64(x) * math.Cos(step*float64(i))
						im += w * float64(x) * math.Sin(step*float64(i))
					}
					return 2 * math.Hypot(re, im) / float64(len(burst))
				}
				if whirl, beside := at(0.45), max(at(0.35), at(0.6)); whirl < 5*beside {
					t.Errorf("whirl line %.3g m/s², beside it %.3g", whirl, beside)
				}
			}
		}
	}
}
