package collector

import (
	"fmt"
	"strings"

	"millwright/plant"
)

// Difference is what a server has that a tag list does not say, and the other way
// round. Tags are the same where their nodes are; their paths are a person's.
type Difference struct {
	New     []plant.Tag // in the draft only
	Gone    []plant.Tag // in the list only
	Changed []Change
}

// Change is a tag of the list of which the server says something else.
type Change struct {
	Tag  plant.Tag
	What string // for people
}

// Against compares the draft with a tag list. What the server does not say, such
// as a unit, is no difference; nor are unit and range of a tag that the list
// scales, because they are those behind the scaling.
func (d *Draft) Against(list []plant.Tag) Difference {
	drafted := make(map[string]*plant.Tag, len(d.Tags))
	for i := range d.Tags {
		drafted[d.Tags[i].Node] = &d.Tags[i]
	}
	why := make(map[string]string, len(d.Left))
	for _, l := range d.Left {
		why[l.Node] = l.Why
	}
	var diff Difference
	listed := make(map[string]bool, len(list))
	for _, t := range list {
		node, err := d.Canonical(t.Node)
		if err != nil || !d.Has(node) {
			diff.Gone = append(diff.Gone, t)
			continue
		}
		listed[node] = true
		now := drafted[node]
		if t.Field != "" {
			continue // unit and range are of the whole
		}
		if now == nil {
			if plain(&t) {
				diff.Changed = append(diff.Changed, Change{t, why[node]})
			}
			continue
		}
		if what := whatChanged(&t, now); len(what) > 0 {
			diff.Changed = append(diff.Changed, Change{t, strings.Join(what, "; ")})
		}
	}
	for _, t := range d.Tags {
		if !listed[t.Node] {
			diff.New = append(diff.New, t)
		}
	}
	return diff
}

// plain reports whether a tag is to be read as one number or text.
func plain(t *plant.Tag) bool {
	switch t.Kind {
	case plant.Analog, plant.SetPoint, plant.Discrete, plant.Text, "":
		return true
	}
	return false
}

func whatChanged(list, server *plant.Tag) []string {
	var what []string
	if (list.Kind == plant.Text) != (server.Kind == plant.Text) {
		what = append(what, fmt.Sprintf("kind: the list has %s, the server %s", list.Kind, server.Kind))
	}
	if list.Scale != 0 || list.Offset != 0 {
		return what
	}
	if server.Unit != "" && strings.TrimSpace(list.Unit) != server.Unit {
		what = append(what, fmt.Sprintf("unit: the list has %s, the server %s", orNone(list.Unit), server.Unit))
	}
	if server.Low < server.High && (list.Low != server.Low || list.High != server.High) {
		span := "none"
		if list.Low < list.High {
			span = fmt.Sprintf("%v to %v", list.Low, list.High)
		}
		what = append(what, fmt.Sprintf("range: the list has %s, the server %v to %v", span, server.Low, server.High))
	}
	return what
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
