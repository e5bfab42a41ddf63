package plant

import "time"

// Kind says what the values of a tag are, which decides what may be judged.
type Kind string

// Kinds of tags.
const (
	Analog   Kind = "analog"   // a measured quantity; sensor checks and models apply
	SetPoint Kind = "setpoint" // a commanded value; may stand still, is no model input to be scored
	Discrete Kind = "discrete" // boolean, counter or enum number; may stand still
	Text     Kind = "text"     // a State: mode, coil id
	Burst    Kind = "waveform" // a Waveform at a time: a burst of vibration, a current curve
)

// Trigger of an OPC UA data change filter (OPC 10000-4, 7.22.2).
type Trigger string

// Triggers. The default is StatusValue.
const (
	TriggerStatus               Trigger = "status"
	TriggerStatusValue          Trigger = "status-value"
	TriggerStatusValueTimestamp Trigger = "status-value-timestamp"
)

// Discard says which value a full queue gives up (OPC 10000-4, 5.13.1.5).
type Discard string

// Discard policies. The default is DiscardOldest.
const (
	DiscardOldest Discard = "oldest"
	DiscardNewest Discard = "newest" // the last value in the queue gives way to the new one
)

// Tag is one measured or derived quantity. Path is its identity everywhere.
type Tag struct {
	ID          TagID
	Path        string  // "HSM/FM/F3/GBX/VIB_H"
	Asset       string  // path of the asset it belongs to: "HSM/FM/F3/GBX"
	Node        string  // OPC UA node: "nsu=urn:mill;s=HSM/FM/F3/GBX/VIB_H" or "ns=2;s=…"
	Browse      string  // browse path of the node from the Objects folder: "nsu=urn:mill;F3/GBX/VIB_H"; empty: learned
	Field       string  // way into the structure that Node has: "Bearing.Temperature"; empty: Node's own value. See ParseField
	Unit        string  // as written: "mm/s"
	Description string  // for people
	Kind        Kind    // Analog where empty
	Low, High   float64 // engineering range; Low == High means unknown
	Resolution  float64 // smallest step of the sensor; 0 unknown
	MaxRate     float64 // physically possible |dx/dt| per second of plant time; 0 unknown

	// Cyclic tags are sent by the PLC at every Sampling interval, changed or
	// not; only they are stale by their own silence.
	Cyclic   bool
	Sampling time.Duration // asked of the server, in plant time; 0 = on every change
	Queue    uint32        // asked of the server; 0 = ⌈publishing/sampling⌉ + margin
	Trigger  Trigger       // StatusValue where empty
	Discard  Discard       // which value the server's full queue gives up; DiscardOldest where empty

	// A value is new when it differs from the last one handed on by more than the
	// deadband: in the tag's unit, or in percent of the range.
	Deadband        float64 // 0 none
	DeadbandPercent bool

	// A number of the PLC becomes one in the tag's unit by Scale and Offset: see
	// Scaled. Low, High, Resolution, MaxRate and Deadband are in the tag's unit.
	Scale  float64 // 0 means 1
	Offset float64

	// Rate is how many values a second a waveform has, in Hz; 0 unknown.
	Rate float64

	// Derived tags are made by the edge's models, not read from a PLC.
	Derived bool
}

// Scaled converts a number of the PLC to the tag's unit. Where neither Scale nor
// Offset is given it is the same, bit by bit.
func (t *Tag) Scaled(raw float64) float64 {
	if t.Scale != 0 && t.Scale != 1 {
		raw *= t.Scale
	}
	if t.Offset != 0 {
		raw += t.Offset
	}
	return raw
}

// Names of the derived tags below an asset's path, e.g. "HSM/FM/F3/GBX/$SCORE".
const (
	TagScore  = "$SCORE"  // sample: 0..1, -log10(p)/8 of the asset's model (1 = certain)
	TagHealth = "$HEALTH" // sample: 0..1, 1 = nothing seen
	TagMode   = "$MODE"   // state: recognised mode
	TagModel  = "$MODEL"  // state: JSON of ModelState
	TagShadow = "$SHADOW" // sample: as $SCORE, of the model that runs in the shadow
	TagWould  = "$WOULD"  // sample: 1 while the shadow model would have a finding open, else 0
)

// Names of the tags of a PLC's connection, below EDGE/PLC.
const (
	TagState  = "$STATE"  // state: a PLCState
	TagReason = "$REASON" // state: why, for people; empty where there is nothing to say
	TagRate   = "$RATE"   // sample: values received a second, once a minute
	TagAudit  = "$AUDIT"  // text, of an edge: what it did that people may want to check
)

// ModelState is the JSON value of the $MODEL state: what the asset's model can
// say now and the learned band of each tag in the present mode.
type ModelState struct {
	Phase   string          `json:"phase"`            // "learning", "monitoring", "blind", "none"
	Mode    string          `json:"mode"`             // mode the band belongs to
	Learned float64         `json:"learned"`          // share of commissioning done, 0..1
	Limit   float64         `json:"limit"`            // score at which a finding is raised, 0..1
	Guess   bool            `json:"guess"`            // the limit is extrapolated beyond the calibration data
	Model   string          `json:"model,omitempty"`  // whose word counts: id of a bundle, or LearnedModel
	Shadow  string          `json:"shadow,omitempty"` // id of the bundle that runs in the shadow
	Bands   map[string]Band `json:"bands,omitempty"`
}

// Band is the learned normal band of a tag, in its unit: low, high.
// Keys of ModelState.Bands are tag paths.
type Band [2]float64
