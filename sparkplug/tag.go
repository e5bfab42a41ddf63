package sparkplug

import (
	"time"

	"millwright/plant"
)

// Keys of the properties by which a birth describes a tag. engUnit, engLow and
// engHigh are the names that SCADA systems use.
const (
	propUnit        = "engUnit"
	propLow         = "engLow"
	propHigh        = "engHigh"
	propDescription = "description"
	propAsset       = "asset"
	propKind        = "kind"
	propResolution  = "resolution"
	propMaxRate     = "maxRate"
	propCyclic      = "cyclic"
	propSampling    = "samplingMs"
	propDerived     = "derived"
	propRate        = "rate"
)

// TypeOf is the data type that a tag is declared with: numbers of every kind
// travel as Double, which is what a Sample holds, waveforms as FloatArray.
func TypeOf(t *plant.Tag) DataType {
	switch t.Kind {
	case plant.Text:
		return String
	case plant.Burst:
		return FloatArray
	}
	return Double
}

// TagProperties describes a tag for its birth. What is zero is left out. How a
// tag is read from its PLC is nobody's business upstream and stays here.
func TagProperties(dst []Property, t *plant.Tag) []Property {
	text := func(key, v string) {
		if v != "" {
			dst = append(dst, Property{Key: key, Type: String, Value: TextValue(v)})
		}
	}
	number := func(key string, v float64) {
		dst = append(dst, Property{Key: key, Type: Double, Value: DoubleValue(v)})
	}
	truth := func(key string, v bool) {
		if v {
			dst = append(dst, Property{Key: key, Type: Boolean, Value: BoolValue(true)})
		}
	}
	text(propUnit, t.Unit)
	if t.Low != t.High {
		number(propLow, t.Low)
		number(propHigh, t.High)
	}
	text(propDescription, t.Description)
	text(propAsset, t.Asset)
	text(propKind, string(t.Kind))
	if t.Resolution != 0 {
		number(propResolution, t.Resolution)
	}
	if t.MaxRate != 0 {
		number(propMaxRate, t.MaxRate)
	}
	truth(propCyclic, t.Cyclic)
	if t.Sampling != 0 {
		dst = append(dst, Property{Key: propSampling, Type: Int64,
			Value: UInt64Value(uint64(t.Sampling.Milliseconds()))})
	}
	truth(propDerived, t.Derived)
	if t.Rate != 0 {
		number(propRate, t.Rate)
	}
	return dst
}

// TagOf reads the description of a tag from a metric of a birth. Path and ID
// are the caller's to set. A kind that is not in the birth follows from the
// data type.
func TagOf(m *Metric) plant.Tag {
	var t plant.Tag
	for i := range m.Properties {
		p := &m.Properties[i]
		num, _ := p.Value.Number(p.Type)
		switch p.Key {
		case propUnit:
			t.Unit = p.Value.Text
		case propLow:
			t.Low = num
		case propHigh:
			t.High = num
		case propDescription:
			t.Description = p.Value.Text
		case propAsset:
			t.Asset = p.Value.Text
		case propKind:
			t.Kind = plant.Kind(p.Value.Text)
		case propResolution:
			t.Resolution = num
		case propMaxRate:
			t.MaxRate = num
		case propCyclic:
			t.Cyclic = num == 1
		case propSampling:
			const longest = float64(24 * time.Hour / time.Millisecond)
			t.Sampling = time.Duration(min(max(num, 0), longest)) * time.Millisecond
		case propDerived:
			t.Derived = num == 1
		case propRate:
			t.Rate = num
		}
	}
	if !knownKind(t.Kind) {
		t.Kind = kindOf(m.Type)
	}
	return t
}

func knownKind(k plant.Kind) bool {
	switch k {
	case plant.Analog, plant.SetPoint, plant.Discrete, plant.Text, plant.Burst:
		return true
	}
	return false
}

func kindOf(t DataType) plant.Kind {
	switch t {
	case String, Text, UUID:
		return plant.Text
	case Boolean:
		return plant.Discrete
	case FloatArray:
		return plant.Burst
	}
	return plant.Analog
}
