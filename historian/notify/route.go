package notify

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"millwright/plant"
)

// restart is the wait before a ladder whose steps have none is climbed again.
const restart = 5 * time.Minute

// route returns the first route that the alarm matches, or nil.
func (r *roster) route(a *plant.Alarm) *plant.Route {
	for i := range r.Routes {
		if matches(&r.Routes[i], &a.Finding) {
			return &r.Routes[i]
		}
	}
	return nil
}

func matches(r *plant.Route, f *plant.Finding) bool {
	if r.Area != "" && f.Asset != r.Area && !strings.HasPrefix(f.Asset, r.Area+"/") {
		return false
	}
	if len(r.Classes) > 0 && !slices.Contains(r.Classes, f.Class) {
		return false
	}
	return r.Priority == 0 || priority(f) <= r.Priority
}

// priority of a finding, from 1 to 4.
func priority(f *plant.Finding) int {
	if f.Priority < 1 || f.Priority > 4 {
		return 4
	}
	return f.Priority
}

// family is the part of a finding's class that causes share: what a model, a
// limit and the PLC say about a machine is one story, what its sensors say another.
func family(c plant.Class) string {
	switch c {
	case plant.SensorFault, plant.SystemFault:
		return string(c)
	}
	return "machine"
}

// wait is the time between a step and the one before it; before the first step
// of a ladder that is climbed again it is the longest wait of the ladder.
func wait(r *plant.Route, step int) time.Duration {
	if step > 0 {
		return time.Duration(r.Steps[step].WaitS) * time.Second
	}
	longest := slices.MaxFunc(r.Steps, func(a, b plant.Step) int { return cmp.Compare(a.WaitS, b.WaitS) })
	return cmp.Or(time.Duration(longest.WaitS)*time.Second, restart)
}

// target is a person with the contact that a message goes to.
type target struct {
	person  *person
	contact plant.Contact
}

// targets are who a step of a route tells at a moment, each once. A step that
// names a team tells the one to ask first; where a step before it in the ladder
// named the same team, the next on call, and so on to the last. able says which
// kinds of channels there are.
func (r *roster) targets(rt *plant.Route, step int, at time.Time, able func(kind string) bool) []target {
	var people []string
	for _, id := range rt.Steps[step].Teams {
		t := r.team(id)
		if t == nil {
			continue
		}
		before := 0
		for _, s := range rt.Steps[:step] {
			if slices.Contains(s.Teams, id) {
				before++
			}
		}
		if on := t.now(at).People; len(on) > 0 {
			people = append(people, on[min(before, len(on)-1)])
		}
	}
	people = append(people, rt.Steps[step].People...)
	var out []target
	for i, id := range people {
		p := r.people[id]
		if p == nil || slices.Contains(people[:i], id) {
			continue
		}
		for _, c := range p.contacts(rt.Steps[step].Channels, able) {
			out = append(out, target{p, c})
		}
	}
	return out
}

// contacts are the person's first contact on each of the kinds; where kinds is
// empty or the person has none of them, the first contact of all.
func (p *person) contacts(want []string, able func(kind string) bool) []plant.Contact {
	var out []plant.Contact
	for i, kind := range want {
		for _, c := range p.Contacts {
			if c.Channel == kind && able(kind) && !slices.Contains(want[:i], kind) {
				out = append(out, c)
				break
			}
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, c := range p.Contacts {
		if able(c.Channel) {
			return []plant.Contact{c}
		}
	}
	return nil
}
