package text

import (
	"cmp"
	"slices"
	"strings"

	"millwright/plant"
)

// Topics of advice. A quantity may have an entry for a class of machines,
// "vibration/gearbox"; the one without a class is for all others.
const (
	vibration   topic = "vibration"
	temperature topic = "temperature"
	pressureLow topic = "pressure-low"
	pressureUp  topic = "pressure-high"
	flowLow     topic = "flow-low"
	loadHigh    topic = "load-high"
	speed       topic = "speed"
	anything    topic = "value"
)

// Classes of machines that have advice of their own.
var classes = []string{"gearbox", "pump", "fan", "motor"}

// quantities by unit; what has none of these is known by its tag or not at all.
var quantities = map[string]topic{
	"mm/s": vibration, "m/s²": vibration, "m/s2": vibration, "g": vibration, "µm": vibration, "um": vibration,
	"°C": temperature, "degC": temperature, "C": temperature, "K": temperature, "°F": temperature,
	"bar": pressureLow, "mbar": pressureLow, "Pa": pressureLow, "hPa": pressureLow, "kPa": pressureLow, "MPa": pressureLow, "psi": pressureLow,
	"l/min": flowLow, "l/s": flowLow, "l/h": flowLow, "m³/h": flowLow, "m3/h": flowLow, "Nm³/h": flowLow, "kg/h": flowLow, "t/h": flowLow,
	"A": loadHigh, "kA": loadHigh, "kW": loadHigh, "MW": loadHigh, "kN·m": loadHigh, "kNm": loadHigh, "N·m": loadHigh, "Nm": loadHigh, "kN": loadHigh, "MN": loadHigh,
	"r/min": speed, "rpm": speed, "1/min": speed, "m/min": speed, "m/s": speed,
}

// advise looks up what is known to a finding on a machine of a class.
func (l *language) advise(f *plant.Finding, class string) advice {
	if strings.HasPrefix(f.Kind, "sensor.") || strings.HasPrefix(f.Kind, "system.") || strings.HasPrefix(f.Kind, "plc.") {
		if a, ok := l.advice[topic(f.Kind)]; ok {
			return a
		}
		return l.advice[anything]
	}
	about := subjectOf(f)
	if about == topic(plant.KindStuck) {
		return l.advice[about]
	}
	class = strings.ToLower(class)
	if i := slices.IndexFunc(classes, func(c string) bool { return strings.Contains(class, c) }); i >= 0 {
		if a, ok := l.advice[about+topic("/"+classes[i])]; ok {
			return a
		}
	}
	return l.advice[about]
}

// subjectOf is the quantity that a finding is about, and on which side it is.
func subjectOf(f *plant.Finding) topic {
	tag, unit, low := f.Tag, f.Unit, f.Kind == plant.KindLow || f.Kind == plant.KindLowLow
	if f.Kind == plant.KindRate {
		unit = strings.TrimSuffix(unit, "/s")
	}
	if f.Tag == "" && len(f.Contributions) > 0 {
		c := f.Contributions[0]
		tag, unit, low = c.Tag, c.Unit, c.Direction == "low"
		if c.Direction == "frozen" {
			return topic(plant.KindStuck)
		}
	}
	q := quantities[unit]
	if name := last(tag); strings.Contains(name, "VIB") || strings.HasPrefix(name, "ACC") {
		q = vibration
	}
	switch {
	case q == pressureLow && !low:
		return pressureUp
	case q == flowLow && !low, q == loadHigh && low, q == temperature && low:
		return anything // nothing that holds for every machine
	}
	return cmp.Or(q, anything)
}

// last is the last element of a path.
func last(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
