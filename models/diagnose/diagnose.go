// Package diagnose says which failure modes of an asset's class a finding may
// come from, and why: diagnosis by symptoms in the manner of ISO 13379-1, with
// the symptoms as data of the class. It measures likeness and no probability, and
// where no mode is like the finding it says nothing.
package diagnose

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"millwright/plant"
)

// Least is the score below which a mode is no answer.
const Least = 0.45

// Rank names the failure modes that f is like, the most like one first; an empty
// list where none reaches [Least], and nil where there is nothing to compare:
// sensor and system findings, and a class that is not known or has no modes.
//
// The score compares the shares of the tags in the finding with the weights of
// the mode's symptoms, each summing to 1, by the Bhattacharyya coefficient: it is
// 1 where they are the same and falls with what is seen and not expected as with
// what is expected and not seen. A tag that moves the other way counts as not
// expected.
//
// A kind of a more general mode, such as the outer race of a bearing, is an answer
// only where a symptom of its own is there and, for bearings, where the orders of
// one are known: nobody can tell the races apart without. The general mode stands
// for it otherwise.
func Rank(class *plant.AssetClass, asset *plant.Asset, f plant.Finding) []plant.Cause {
	if class == nil || len(class.Modes) == 0 || asset == nil || f.Class != plant.Advisory && f.Class != plant.LimitAlarm {
		return nil
	}
	seen := evidence(&f)
	out := []plant.Cause{}
	for i := range class.Modes {
		m := &class.Modes[i]
		symptoms := m.Symptoms
		if m.Of != "" {
			if m.Of == "bearing" && !ordersKnown(asset) || !slices.ContainsFunc(m.Symptoms, func(s plant.Symptom) bool { return share(s, asset.Path, seen) > 0 }) {
				continue
			}
			if general := class.Mode(m.Of); general != nil {
				symptoms = slices.Concat(symptoms, general.Symptoms)
			}
		}
		if c := compare(m, symptoms, asset.Path, seen, len(f.Contributions) == 0); c.Score >= Least {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b plant.Cause) int { return cmp.Compare(b.Score, a.Score) })
	return slices.DeleteFunc(out, func(c plant.Cause) bool { return said(c, out) })
}

// said reports whether a kind of the mode is among the answers, which says more.
func said(c plant.Cause, all []plant.Cause) bool {
	return slices.ContainsFunc(all, func(o plant.Cause) bool { return o.Mode != c.Mode && c.Covers(o.Mode) })
}

// evidence is what the finding says of tags. A limit speaks of its own tag alone.
func evidence(f *plant.Finding) []plant.Contribution {
	if len(f.Contributions) > 0 {
		return f.Contributions
	}
	if f.Tag == "" {
		return nil
	}
	direction := "high"
	if f.Kind == plant.KindLow || f.Kind == plant.KindLowLow {
		direction = "low"
	}
	return []plant.Contribution{{Tag: f.Tag, Share: 1, Direction: direction}}
}

func ordersKnown(a *plant.Asset) bool {
	return slices.ContainsFunc(a.Bearings, func(b plant.Bearing) bool { _, ok := b.Orders(); return ok })
}

// compare is how like the finding is to a mode. Each contribution counts for the
// first symptom that it shows, so that none counts twice. Alone says that nothing
// is known of other tags.
func compare(m *plant.FailureMode, symptoms []plant.Symptom, asset string, seen []plant.Contribution, alone bool) plant.Cause {
	c := plant.Cause{Mode: m.Name, Name: m.Title, Present: []string{}, Absent: []string{}}
	var weights, whole float64
	for _, s := range symptoms {
		if alone {
			weights = max(weights, s.Weight)
		} else {
			weights += s.Weight
		}
	}
	for _, x := range seen {
		whole += max(x.Share, 0)
	}
	if weights <= 0 || !(whole > 0) || math.IsInf(whole, 0) {
		return c
	}
	left := slices.Clone(seen)
	for _, s := range symptoms {
		there := share(s, asset, left)
		if there <= 0 {
			if !alone {
				c.Absent = append(c.Absent, s.String())
			}
			continue
		}
		c.Present = append(c.Present, tell(s, asset, left))
		c.Score += math.Sqrt(there / whole * s.Weight / weights)
		left = slices.DeleteFunc(left, func(x plant.Contribution) bool { return shows(s, asset, x) })
	}
	c.Score = min(c.Score, 1)
	return c
}

// share is the part of the finding in which a symptom shows.
func share(s plant.Symptom, asset string, seen []plant.Contribution) (sum float64) {
	for _, x := range seen {
		if shows(s, asset, x) {
			sum += x.Share
		}
	}
	return sum
}

// tell names the symptom by the tags in which it shows.
func tell(s plant.Symptom, asset string, seen []plant.Contribution) string {
	var names []string
	for _, x := range seen {
		if shows(s, asset, x) {
			names = append(names, strings.TrimPrefix(x.Tag, asset+"/"))
		}
	}
	return strings.Join(names, ", ") + " " + string(s.Sign)
}

func shows(s plant.Symptom, asset string, x plant.Contribution) bool {
	return x.Share > 0 && signOf(x.Direction) == s.Sign && plant.Matches(s.Tag, asset, x.Tag)
}

// signOf is the sign of the direction of a contribution.
func signOf(direction string) plant.Sign {
	switch direction {
	case "high":
		return plant.SignUp
	case "low":
		return plant.SignDown
	}
	return plant.Sign(direction)
}
