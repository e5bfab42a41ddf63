package simulator

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"millwright/plant"
	"millwright/simulator/machine"
	"millwright/simulator/physics"
)

// Random breaks machines and sensors by chance. Faults come to each machine as a
// Poisson process, which is all the incubation that they have: machines are of all
// ages. It is one of those that the machine can have, and grows naturally. The crew
// mends each some time, before the failure or after; of ten repairs one leaves a
// misalignment where the machine can have one.
type Random struct {
	Rate    float64 // faults of each machine a year of plant time
	Sensors float64 // faults of each machine's sensors a year
	Seed    uint64
	Over    time.Duration // in place of each fault's Life; 0: not
	Until   time.Duration // plant time of the last fault; 0: ten years
}

const (
	day  = 24 * time.Hour
	year = 365 * day

	mostByChance = 1_000_000 // faults that are drawn beforehand
	mildest      = 0.3       // severity of a sensor's fault: steps are of 3 to 10 %
)

// check refuses more than can be kept in mind.
func (r *Random) check(m *Mill) error {
	breakable := 0
	for _, mc := range m.machines {
		if len(mc.Faults()) > 0 {
			breakable++
		}
	}
	years := r.until().Hours() / year.Hours()
	if n := years * (r.Rate*float64(breakable) + r.Sensors*float64(len(m.machines))); n > mostByChance {
		return refuse("rate", "%.3g faults in all would come by chance in %.3g years, allowed are %d: take a lower rate, lower sensors or a shorter time", n, years, mostByChance)
	}
	return nil
}

func (r *Random) until() time.Duration {
	if r.Until == 0 {
		return 10 * year
	}
	return r.Until
}

// draw is all that happens, machine by machine.
func (m *Mill) draw(r Random) (faults []Fault, repairs []Repair) {
	until := r.until()
	for _, mc := range m.machines {
		kinds := mc.Faults()
		rng := physics.Stream(r.Seed, "break "+mc.Path())
		for at := next(0, r.Rate, rng); at < until && len(kinds) > 0; at = next(at, r.Rate, rng) {
			k := kinds[rng.IntN(len(kinds))]
			f := Fault{Asset: mc.Path(), Name: k.Name, Severity: 1, Offset: at, Growth: r.life(k.Life), course: k.Course}
			f.Natural = f.Growth > 0 && k.Course != machine.AtOnce
			faults = append(faults, f)
			repairs = append(repairs, Repair{Asset: f.Asset, At: f.mended(rng), Introduces: misalignment(f.Asset, kinds), Chance: 0.1})
		}
		rng = physics.Stream(r.Seed, "break sensors "+mc.Path())
		tags := m.sensing(mc)
		for at := next(0, r.Sensors, rng); at < until && len(tags) > 0; at = next(at, r.Sensors, rng) {
			f := m.sensorBreaks(mc.Path(), tags, at, r, rng)
			faults = append(faults, f)
			repairs = append(repairs, Repair{Asset: f.Asset, Tag: f.Tag, At: f.mended(rng)})
		}
	}
	return faults, repairs
}

// next is when the next fault comes, never with a rate of 0.
func next(at time.Duration, rate float64, rng *rand.Rand) time.Duration {
	const never = 200 * year
	if rate <= 0 {
		return never
	}
	wait := rng.ExpFloat64() / rate
	if wait > 100 {
		return never
	}
	return (at + time.Duration(wait*float64(year))).Round(time.Second)
}

func (r *Random) life(usual time.Duration) time.Duration {
	if r.Over > 0 && usual > 0 {
		return r.Over
	}
	return usual
}

// mended is when the crew gets to it.
func (f *Fault) mended(rng *rand.Rand) time.Duration {
	wait := max(f.Growth, 3*day)
	return (f.Offset + time.Duration((0.8+0.7*rng.Float64())*float64(wait))).Round(time.Minute)
}

func misalignment(asset string, kinds []*machine.Fault) *Fault {
	i := slices.IndexFunc(kinds, func(k *machine.Fault) bool { return k.Code == "M6" })
	if i < 0 {
		return nil
	}
	return &Fault{Asset: asset, Name: kinds[i].Name, Severity: 0.5, course: machine.AtOnce}
}

// sensorBreaks draws a fault of one of a machine's sensors, of those that the
// sensor can have, and how bad it becomes: a sensor does not go on to some failure of
// its own, as a machine does.
func (m *Mill) sensorBreaks(asset string, tags []string, at time.Duration, r Random, rng *rand.Rand) Fault {
	tag, kinds := tags[rng.IntN(len(tags))], sensorKinds()
	for {
		k := kinds[rng.IntN(len(kinds))]
		f := Fault{Asset: asset, Name: k.Name, Tag: tag, Severity: 1, Offset: at, Growth: r.life(k.Life), course: k.Course}
		if k.Name == "swap" {
			f.With = m.sibling(tag, tags)
		}
		if k.Code == "S5" {
			f.Offset = m.shiftChange(at)
		}
		if m.check(f) == nil {
			f.Severity = mildest + (1-mildest)*rng.Float64()
			return f
		}
	}
}

// shiftChange is the last one before a plant time, or the first of all: a step is what
// somebody leaves who calibrates as his shift begins.
func (m *Mill) shiftChange(at time.Duration) time.Duration {
	const shift, first = 8.0, 6.0 // h
	since := math.Mod(m.shop.world.HourAt(at.Seconds())+24-first, shift)
	change := (at - time.Duration(since*float64(time.Hour))).Round(time.Second)
	if change < 0 {
		change += shift * time.Hour
	}
	return change
}

// sensing are the tags of a machine's sensors of what varies, and of its accelerometers.
func (m *Mill) sensing(mc machine.Machine) (tags []string) {
	for i := range m.channels {
		c := &m.channels[i]
		if c.asset == mc.Path() && c.Value != nil && m.works.Tags[c.variable].Kind == plant.Analog {
			tags = append(tags, c.path)
		}
	}
	for i := range m.points {
		if p := &m.points[i]; m.works.Tags[p.variable].Asset == mc.Path() {
			tags = append(tags, p.path)
		}
	}
	return tags
}

// sibling is the next sensor in the same unit, for which another may be taken.
func (m *Mill) sibling(tag string, tags []string) string {
	c, from := m.channel(tag), slices.Index(tags, tag)
	for i := range len(tags) - 1 {
		next := tags[(from+1+i)%len(tags)]
		if o := m.channel(next); c != nil && o != nil && o.unit == c.unit {
			return next
		}
	}
	return ""
}

// Break plans all that happens by chance.
func (m *Mill) Break(r Random) error {
	if err := r.check(m); err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	faults, repairs := m.draw(r)
	for _, f := range faults {
		if err := m.Inject(f); err != nil {
			return fmt.Errorf("simulator: %w", err)
		}
	}
	for _, p := range repairs {
		if err := m.PlanRepair(p); err != nil {
			return fmt.Errorf("simulator: %w", err)
		}
	}
	return nil
}
