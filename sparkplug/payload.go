package sparkplug

import "millwright/plant"

// Payload is one message. It can be decoded into and built up again and again
// without allocating.
type Payload struct {
	Time    int64 // ns UTC of sending; 0 not given
	Seq     uint8
	HasSeq  bool // absent in NDEATH and commands
	Metrics []Metric
	UUID    string // what Body holds; see SealUUID. Not written by AppendTo
	Body    []byte

	props []Property // memory of the properties of decoded metrics
}

// Metric is one value of a message. A metric is named by Name or, in DATA and
// commands, by the alias that its birth gave.
type Metric struct {
	Name       string
	Alias      uint64
	HasAlias   bool
	HasTime    bool
	Historical bool // not the current value
	Transient  bool // of interest to hosts, not to be stored
	Null       bool
	Type       DataType // Unknown: not given
	Quality    plant.Quality
	Time       int64 // ns UTC, whole milliseconds
	Value      Value
	Properties []Property // without Quality and StatusCode, which Quality stands for
}

// Property is an entry of a metric's property set. Nested sets are skipped when
// decoded.
type Property struct {
	Key   string
	Type  DataType
	Null  bool
	Value Value
}

// Reset empties the payload and keeps its memory.
func (p *Payload) Reset() {
	*p = Payload{Metrics: p.Metrics[:0], props: p.props[:0]}
}

// Find returns the metric with the given name, or nil.
func (p *Payload) Find(name string) *Metric {
	for i := range p.Metrics {
		if p.Metrics[i].Name == name {
			return &p.Metrics[i]
		}
	}
	return nil
}

// Keys of the two properties that carry a quality. Quality is Sparkplug's own
// and knows three values; StatusCode is ours and exact.
const (
	keyQuality    = "Quality"
	keyStatusCode = "StatusCode"
)

// Values of the property Quality (tck-id-payloads-propertyset-quality-value-value).
const (
	sparkBad   = 0
	sparkGood  = 192
	sparkStale = 500
)

func sparkQuality(q plant.Quality) uint32 {
	switch {
	case q.IsGood():
		return sparkGood
	case q == plant.StaleValue:
		return sparkStale
	}
	return sparkBad
}

// qualityOfSpark reads the property of a sender that has no status code. Some
// send OPC Classic qualities, whose upper two of eight bits say the same.
func qualityOfSpark(v uint64) plant.Quality {
	switch {
	case v == sparkStale:
		return plant.StaleValue
	case v&0xC0 == sparkGood:
		return plant.Good
	case v&0xC0 == 0x40:
		return plant.Uncertain
	}
	return plant.Bad
}
