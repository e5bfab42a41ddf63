package plant

// Verdict is what the crew found behind an alarm.
type Verdict string

// Verdicts.
const (
	Confirmed     Verdict = "confirmed"      // a fault, coded by Label.Code
	NotAFault     Verdict = "not_a_fault"    // with a reason
	SensorWrong   Verdict = "sensor_fault"   // the sensor, not the machine
	ProcessChange Verdict = "process_change" // another product, season, setting
	Duplicate     Verdict = "duplicate"      // of the alarm Label.Of
)

// Codes of a confirmed fault (failure modes of ISO 14224, annex B, by their
// three letters, and what steel works add).
var Codes = []string{"VIB", "NOI", "OHE", "BRD", "ELP", "ELU", "INL", "LOO", "PDE", "PLU", "SER", "STD", "STP", "UST", "WEA", "MIS", "OTH"}

// Label is an answer to an alarm: an interval in which the asset was as the
// verdict says. Times are ns UTC.
type Label struct {
	ID       int64
	Alarm    int64
	Asset    string
	Detector string // of the alarm's finding
	Tag      string // of the alarm's finding; the sensor that was wrong
	Verdict  Verdict
	Code     string // of Codes, where confirmed
	Of       int64  // the other alarm, where a duplicate
	Note     string // the reason
	From, To int64  // half-open
	Who      string
	At       int64 // when it was given
}

// LabelQuery selects labels whose interval touches [From, To), the one given
// last first; To 0 means no end. Zero fields do not restrict.
type LabelQuery struct {
	ID       int64
	Alarm    int64
	Asset    string // this asset and all below it
	From, To int64
	Before   int64 // only with a smaller ID: the pages after the first
	Limit    int
}

// Precision counts a detector's labelled alarms on one asset.
type Precision struct {
	Asset     string
	Detector  string
	Alarms    int // raised in the span
	Labelled  int
	Confirmed int
	NotFault  int
	Sensor    int
	Process   int
	Duplicate int
}

// Share is confirmed over confirmed and false; ok is false where nothing
// counts. Sensor faults count as false for detectors of machines, duplicates
// and process changes do not count.
func (p Precision) Share() (share float64, ok bool) {
	n := p.Confirmed + p.NotFault + p.Sensor
	if n == 0 {
		return 0, false
	}
	return float64(p.Confirmed) / float64(n), true
}
