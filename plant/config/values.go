package config

import (
	"strings"

	"millwright/plant"
)

// deadband reads a width in the tag's unit, such as 0.5, or in percent of its
// range, such as 2%.
func (r *tagReader) deadband(t *plant.Tag) {
	s := r.cell("deadband")
	if s == "" {
		return
	}
	number, percent := strings.CutSuffix(s, "%")
	number = strings.TrimSpace(number)
	if !isNumber(number) {
		r.fault("deadband", "%q, allowed are a width such as 0.5 and percent of the range such as 2%%", s)
		return
	}
	v := parseNumber(number)
	switch {
	case v < 0 || percent && v > 100:
		r.fault("deadband", "%s, allowed is 0 or more, and at most 100%%", s)
		return
	case v == 0:
		return
	case t.Kind == plant.Text:
		r.fault("deadband", "has no use with kind text, whose every change counts")
	case t.Cyclic:
		r.fault("deadband", "contradicts cyclic, which promises a value at every interval, allowed is one of them")
	case t.Trigger != plant.TriggerStatusValue:
		r.fault("deadband", "has no use with trigger %s, allowed is status-value", t.Trigger)
	}
	t.Deadband, t.DeadbandPercent = v, percent
}

// scaling reads scale and offset.
func (r *tagReader) scaling(t *plant.Tag) {
	t.Scale, t.Offset = r.number("scale"), r.number("offset")
	if s := r.cell("scale"); t.Scale == 0 && isNumber(s) {
		r.fault("scale", "%s, allowed are factors other than 0", s)
	}
	for _, column := range []string{"scale", "offset"} {
		if t.Kind == plant.Text && r.cell(column) != "" {
			r.fault(column, "has no use with kind text")
		}
	}
}
