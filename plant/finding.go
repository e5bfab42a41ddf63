package plant

import (
	"math"
	"strings"
)

// Class is the alarm class of a finding: who acts on it, and how.
type Class string

// Classes. What a learned model says is advisory until somebody rationalizes
// it (ISA-18.2); fixed limits are alarms; sensor faults go to maintenance and
// never count as machine faults; system findings concern Millwright itself. A PLC
// alarm is what the program of a PLC says by itself (OPC 10000-9): it is shown and
// told like the others, and judges no detector of ours and trains none.
const (
	Advisory    Class = "advisory"
	LimitAlarm  Class = "alarm"
	SensorFault Class = "sensor"
	SystemFault Class = "system"
	PLCAlarm    Class = "plc"
)

// Phase says what a finding does to the alarm it belongs to.
type Phase string

// Phases of a finding.
const (
	Raise  Phase = "raise"
	Update Phase = "update" // same condition, newer evidence
	Clear  Phase = "clear"  // back to normal
)

// Finding is what a detector saw, with its reasons. (Asset, Key) is the
// identity of the condition: at most one of them is open at a time. All numbers
// are finite.
type Finding struct {
	Asset        string  `json:"asset"`
	Key          string  `json:"key"`  // "wpca", "limit/HSM/FM/F3/GBX/VIB_H/high", "sensor/…/flat"
	Kind         string  `json:"kind"` // message key for people: see Kinds below
	Class        Class   `json:"class"`
	Phase        Phase   `json:"phase"`
	Detector     string  `json:"detector"` // "wpca", "limit", "flat", "stuck", "spike", …
	Tag          string  `json:"tag,omitempty"`
	Mode         string  `json:"mode,omitempty"`
	Time         int64   `json:"time"` // ns UTC: source time of the deciding sample
	Score        float64 `json:"score"`
	Limit        float64 `json:"limit"`
	Value        float64 `json:"value"` // for limits and sensors: the value in Unit
	Unit         string  `json:"unit,omitempty"`
	Priority     int     `json:"priority"` // 1 (act now) … 4
	Extrapolated bool    `json:"extrapolated,omitempty"`

	// Of PLC alarms: the PLC's own words in its own language, one line, and the
	// names of source and condition by which its program knows it.
	Text      string `json:"text,omitempty"`
	Condition string `json:"condition,omitempty"`

	Contributions []Contribution `json:"contributions,omitempty"`

	Loss *Loss `json:"loss,omitempty"` // of KindLoss
}

// AnyKey with phase Clear ends every open condition of the asset: an edge that
// learns a machine afresh does not know what it had found before.
const AnyKey = "*"

// Contribution is the part that one tag has in a finding. Shares of a finding
// sum to 1; the largest comes first.
type Contribution struct {
	Tag       string  `json:"tag"` // path
	Share     float64 `json:"share"`
	Value     float64 `json:"value"`     // mean over the judged window, in Unit
	Expected  float64 `json:"expected"`  // what the model expected there
	Direction string  `json:"direction"` // "high", "low", "noisy", "frozen"
	Unit      string  `json:"unit,omitempty"`
}

// Kinds of findings: keys of the message catalogue. Title gives the English
// text for the API; the HMI translates by key.
const (
	KindAnomaly  = "machine.anomaly"
	KindHigh     = "limit.high"
	KindHighHigh = "limit.high-high"
	KindLow      = "limit.low"
	KindLowLow   = "limit.low-low"
	KindRate     = "limit.rate"
	KindFlat     = "sensor.flat"
	KindStuck    = "sensor.stuck"
	KindSpike    = "sensor.spike"
	KindDropout  = "sensor.dropout"
	KindBad      = "sensor.bad"
	KindRange    = "sensor.range"
	KindPLC      = "system.plc" // a PLC is away
	KindEdge     = "system.edge"
	KindQueue    = "system.queue"
	KindModel    = "system.model" // a trained model was dropped
	KindPLCAlarm = "plc.alarm"
	KindPLCFlood = "plc.flood" // alarms of a PLC are held back: Score of them

	KindQuarantine = "system.quarantine" // a tag's node is not what it was

	KindTwin   = "system.twin"   // two boxes are one edge
	KindHole   = "system.hole"   // an edge has settled records that the historian does not have
	KindUnread = "system.unread" // messages of an edge cannot be read

	KindCertificate = "system.certificate" // of a connection to a PLC: runs out
	KindException   = "system.exception"   // a PLC is read with weak security, or none

	KindCheckpoint = "system.checkpoint" // the plant has no fresh one of an edge
	KindLoss       = "system.loss"       // what an edge has sent is neither stored nor declared
)

var titles = map[string]string{
	KindAnomaly:  "Unusual behaviour",
	KindHigh:     "High",
	KindHighHigh: "Very high",
	KindLow:      "Low",
	KindLowLow:   "Very low",
	KindRate:     "Rising too fast",
	KindFlat:     "Sensor does not move",
	KindStuck:    "Sensor stuck",
	KindSpike:    "Sensor spikes",
	KindDropout:  "Sensor silent",
	KindBad:      "Sensor reports bad quality",
	KindRange:    "Sensor out of range",
	KindPLC:      "PLC connection lost",
	KindEdge:     "Edge lost",
	KindQueue:    "Edge queue",
	KindModel:    "Model dropped",
	KindPLCAlarm: "PLC alarm",
	KindPLCFlood: "Many PLC alarms",

	KindQuarantine: "Tag in quarantine",

	KindTwin:   "Two boxes are one edge",
	KindHole:   "Records missing in the historian",
	KindUnread: "Messages of an edge cannot be read",

	KindCertificate: "Certificate expires",
	KindException:   "PLC read with weak security",

	KindCheckpoint: "No fresh checkpoint of the edge",
	KindLoss:       "Values lost between edge and plant",
}

// Title is the finding in a few English words, and in the PLC's own.
func (f *Finding) Title() string {
	t, ok := titles[f.Kind]
	if !ok {
		t = f.Kind
	}
	if f.Text != "" {
		t += ` "` + f.Text + `"`
	}
	if f.Tag != "" {
		return t + ": " + f.Tag
	}
	if len(f.Contributions) > 0 {
		return t + ": " + f.Contributions[0].Tag
	}
	if f.Condition != "" {
		return t + ": " + f.Condition
	}
	return t
}

// Readable are value, limit and unit as people compare them: a slow rise by the
// minute, as 0.033 °C/s against 0.033 °C/s says nothing.
func (f *Finding) Readable() (value, limit float64, unit string) {
	if per, ok := strings.CutSuffix(f.Unit, "/s"); ok && f.Kind == KindRate && math.Abs(f.Limit) < 0.1 {
		return f.Value * 60, f.Limit * 60, per + "/min"
	}
	return f.Value, f.Limit, f.Unit
}
