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
	case t.Kind == plant.Burst:
		r.fault("deadband", "has no use with kind waveform, whose every burst counts")
	case t.Kind == plant.Text:
		r.fault("deadband", "has no use with kind text, whose every change counts")
	case t.Cyclic:
		r.fault("deadband", "contradicts cyclic, which promises a value at every interval, allowed is one of them")
	case t.Trigger != plant.TriggerStatusValue:
		r.fault("deadband", "has no use with trigger %s, allowed is status-value", t.Trigger)
	}
	t.Deadband, t.DeadbandPercent = v, percent
}

// rate checks how fast the values of a waveform follow each other.
func (r *tagReader) rate(t *plant.Tag) {
	const most = 10e6
	switch s := r.cell("rate"); {
	case t.Kind == plant.Burst && s == "":
		r.fault("rate", "is missing, a waveform needs the number of its values a second, such as 25600")
	case t.Kind == plant.Burst && (t.Rate <= 0 || t.Rate > most):
		r.fault("rate", "%s, allowed is more than 0 and up to %.0f Hz", s, most)
	case t.Kind != plant.Burst && s != "":
		r.fault("rate", "has no use with kind %s, allowed is kind waveform", t.Kind)
	}
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
