package score

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"millwright/plant"
	"millwright/simulator/ledger"
)

// Score is the account of one run or of many: see the package for what each
// number means.
type Score struct {
	Events   int `json:"events"` // faults of machines
	Found    int `json:"found"`  // of them
	Long     int `json:"long"`   // events with a P–F interval of more than a week
	LongSeen int `json:"long_seen"`

	Leads []float64 `json:"leads"` // of found events, share of the P–F interval that was left

	Alerts    int `json:"alerts"`
	Right     int `json:"right"`
	Miscalled int `json:"miscalled"` // alerts of a machine that a sensor's fault made
	False     int `json:"false"`

	ByMode    int     `json:"by_mode"`    // false alerts near a change of mode
	ByProduct int     `json:"by_product"` // near another product
	BySeason  int     `json:"by_season"`  // all others
	Months    float64 `json:"months"`     // healthy asset-months
	Unwatched int     `json:"unwatched"`  // assets whose model never began to judge

	Tagged int `json:"tagged"` // found events whose symptoms are known
	Tag1   int `json:"tag1"`
	Tag3   int `json:"tag3"`
	Told   int `json:"told"` // found events for which causes were asked
	Class1 int `json:"class1"`
	Class3 int `json:"class3"`

	SensorEvents int `json:"sensor_events"`
	SensorFound  int `json:"sensor_found"`  // by a finding of their own tag
	SensorCalled int `json:"sensor_called"` // a machine finding was raised while nothing but the sensor was at fault
}

// Add counts another run.
func (s *Score) Add(o Score) {
	s.Events, s.Found = s.Events+o.Events, s.Found+o.Found
	s.Long, s.LongSeen = s.Long+o.Long, s.LongSeen+o.LongSeen
	s.Leads = append(s.Leads, o.Leads...)
	s.Alerts, s.Right, s.Miscalled, s.False = s.Alerts+o.Alerts, s.Right+o.Right, s.Miscalled+o.Miscalled, s.False+o.False
	s.ByMode, s.ByProduct, s.BySeason = s.ByMode+o.ByMode, s.ByProduct+o.ByProduct, s.BySeason+o.BySeason
	s.Months, s.Unwatched = s.Months+o.Months, s.Unwatched+o.Unwatched
	s.Tagged, s.Tag1, s.Tag3 = s.Tagged+o.Tagged, s.Tag1+o.Tag1, s.Tag3+o.Tag3
	s.Told, s.Class1, s.Class3 = s.Told+o.Told, s.Class1+o.Class1, s.Class3+o.Class3
	s.SensorEvents, s.SensorFound, s.SensorCalled = s.SensorEvents+o.SensorEvents, s.SensorFound+o.SensorFound, s.SensorCalled+o.SensorCalled
}

// Median is the middle of the leads, 0 without one.
func (s *Score) Median() float64 {
	if len(s.Leads) == 0 {
		return 0
	}
	l := slices.Sorted(slices.Values(s.Leads))
	return (l[(len(l)-1)/2] + l[len(l)/2]) / 2
}

// rate is the false alerts of a healthy asset-month.
func (s *Score) rate() float64 {
	if s.Months == 0 {
		return 0
	}
	return float64(s.False) / s.Months
}

// Judge reckons the score of a run.
func Judge(c *Case) Score {
	var s Score
	for i := range c.Assets {
		a := &c.Assets[i]
		v := c.viewOf(a)
		s.events(&v)
		s.sensors(&v)
		s.alerts(&v)
		if a.Watched == 0 {
			s.Unwatched++
		}
		s.Months += float64(v.healthy()) / float64(month)
	}
	return s
}

// view is what concerns one asset.
type view struct {
	*Asset
	to       int64
	machine  []ledger.Episode
	sensor   []ledger.Episode
	findings []Finding
	changes  []Change
}

func (c *Case) viewOf(a *Asset) view {
	v := view{Asset: a, to: c.To}
	for _, e := range c.Faults {
		switch {
		case e.Asset != a.Path:
		case strings.Contains(e.Fault, "="):
			v.sensor = append(v.sensor, e)
		default:
			v.machine = append(v.machine, e)
		}
	}
	for _, f := range c.Findings {
		if f.Asset == a.Path {
			v.findings = append(v.findings, f)
		}
	}
	for _, x := range c.Changes {
		if x.Asset == a.Path {
			v.changes = append(v.changes, x)
		}
	}
	return v
}

// raised is the first finding that is raised in [from, to] and is as asked.
func (v *view) raised(from, to int64, as func(*Finding) bool) *Finding {
	for i := range v.findings {
		f := &v.findings[i]
		if f.Phase == plant.Raise && f.Time >= from && f.Time <= to && as(f) {
			return f
		}
	}
	return nil
}

func (s *Score) events(v *view) {
	for i := range v.machine {
		e := &v.machine[i]
		p, f := e.Onset, failure(e, v.to)
		s.Events++
		long := time.Duration(f-p) > week
		if long {
			s.Long++
		}
		until := f
		if f == p {
			until = present(e, v.to)
		}
		found := v.raised(p, until, machineFinding)
		if found == nil {
			continue
		}
		s.Found++
		if long {
			s.LongSeen++
		}
		if f > p {
			s.Leads = append(s.Leads, float64(f-found.Time)/float64(f-p))
		}
		if patterns := symptoms(v.Class, e.Fault); len(patterns) > 0 {
			s.Tagged++
			at := slices.IndexFunc(blamed(found), func(tag string) bool {
				return slices.ContainsFunc(patterns, func(p string) bool { return plant.Matches(p, v.Path, tag) })
			})
			s.Tag1, s.Tag3 = s.Tag1+within(at, 1), s.Tag3+within(at, 3)
		}
		if found.Told {
			s.Told++
			at := slices.IndexFunc(found.Causes, func(c plant.Cause) bool { return c.Covers(e.Fault) })
			s.Class1, s.Class3 = s.Class1+within(at, 1), s.Class3+within(at, 3)
		}
	}
}

// within is 1 where an index is among the first n.
func within(at, n int) int {
	if at >= 0 && at < n {
		return 1
	}
	return 0
}

// symptoms are the patterns of the tags by which a fault is seen: those of the
// failure mode and of the more general one.
func symptoms(c *plant.AssetClass, fault string) []string {
	if c == nil {
		return nil
	}
	m := c.Mode(fault)
	if m == nil {
		return nil
	}
	all := m.Symptoms
	if general := c.Mode(m.Of); general != nil {
		all = slices.Concat(all, general.Symptoms)
	}
	var out []string
	for _, s := range all {
		out = append(out, s.Tag)
	}
	return out
}

// blamed are the tags that a finding names, the one with the largest part first.
func blamed(f *Finding) []string {
	if len(f.Contributions) == 0 {
		return []string{f.Tag}
	}
	var tags []string
	for _, c := range f.Contributions {
		tags = append(tags, c.Tag)
	}
	return tags
}

func (s *Score) sensors(v *view) {
	for i := range v.sensor {
		e := &v.sensor[i]
		end := present(e, v.to)
		s.SensorEvents++
		_, names, _ := strings.Cut(e.Fault, "=")
		own := func(f *Finding) bool {
			return f.Class == plant.SensorFault && slices.Contains(strings.Split(names, ","), strings.TrimPrefix(f.Tag, v.Path+"/"))
		}
		if v.raised(e.Onset, end, own) != nil {
			s.SensorFound++
		}
		if v.raised(e.Onset, end, func(f *Finding) bool { return machineFinding(f) && !there(v.machine, f.Time, v.to) }) != nil {
			s.SensorCalled++
		}
	}
}

// there reports whether one of the faults is there at a time.
func there(faults []ledger.Episode, t, to int64) bool {
	return slices.ContainsFunc(faults, func(e ledger.Episode) bool { return t >= e.Onset && t <= present(&e, to) })
}

// alert is machine findings that a crew takes for one.
type alert struct{ raises []int64 }

// group puts the asset's machine findings together.
func (v *view) group() []alert {
	var out []alert
	open := map[string]bool{}
	var last int64 // when the last finding ended
	for i := range v.findings {
		f := &v.findings[i]
		switch {
		case !machineFinding(f):
		case f.Phase == plant.Raise:
			if len(out) == 0 || len(open) == 0 && f.Time-last > int64(together) {
				out = append(out, alert{})
			}
			open[f.Key] = true
			a := &out[len(out)-1]
			a.raises = append(a.raises, f.Time)
		case f.Phase == plant.Clear:
			before := len(open)
			if f.Key == plant.AnyKey {
				clear(open)
			}
			if delete(open, f.Key); len(open) < before { // else nothing has ended
				last = f.Time
			}
		}
	}
	return out
}

func (s *Score) alerts(v *view) {
	for _, a := range v.group() {
		s.Alerts++
		during := func(faults []ledger.Episode) bool {
			return slices.ContainsFunc(a.raises, func(t int64) bool { return there(faults, t, v.to) })
		}
		switch {
		case during(v.machine):
			s.Right++
		case during(v.sensor):
			s.Miscalled++
		default:
			s.False++
			s.blame(v, a.raises[0])
		}
	}
}

// blame says what a false alert is near to.
func (s *Score) blame(v *view, t int64) {
	near := func(product bool, after time.Duration) bool {
		return slices.ContainsFunc(v.changes, func(c Change) bool {
			return c.Product == product && c.Time <= t && t-c.Time <= int64(after)
		})
	}
	switch {
	case near(false, afterMode):
		s.ByMode++
	case near(true, afterCoil):
		s.ByProduct++
	default:
		s.BySeason++
	}
}

// healthy is how long the asset was watched with no fault, ns.
func (v *view) healthy() int64 {
	if v.Watched == 0 {
		return 0
	}
	faults := slices.SortedFunc(slices.Values(slices.Concat(v.machine, v.sensor)), func(a, b ledger.Episode) int { return cmp.Compare(a.Onset, b.Onset) })
	sum, at := int64(0), v.Watched
	for i := range faults {
		sum += max(0, min(faults[i].Onset, v.to)-at)
		at = max(at, present(&faults[i], v.to))
	}
	return sum + max(0, v.to-at)
}
