package plant

// Nameplate says which machine an asset is. What is not known is zero.
type Nameplate struct {
	Maker      string  `json:"maker,omitempty"`
	Model      string  `json:"model,omitempty"` // the maker's type designation
	Serial     string  `json:"serial,omitempty"`
	Power      float64 `json:"power_kw,omitempty"`
	SpeedMin   float64 `json:"speed_min,omitempty"` // r/min in service
	SpeedMax   float64 `json:"speed_max,omitempty"`
	Support    Support `json:"support,omitempty"`
	Redundancy string  `json:"redundancy,omitempty"` // "2x100": two machines, each takes the whole duty
	Lubricant  string  `json:"lubricant,omitempty"`  // "ISO VG 320, circulating, 250 l", for people
	Origin
}

// Support is how a machine stands (ISO 20816-1).
type Support string

// Supports. A support is rigid in a direction where the lowest natural frequency
// of machine and support is well above the speed.
const (
	Rigid    Support = "rigid"
	Flexible Support = "flexible"
)

// Group is the group of ISO 20816-3 that the power puts the machine into, 0 where
// the standard or the power does not tell.
func (n *Nameplate) Group() int {
	switch {
	case n.Power > 300:
		return 1
	case n.Power >= 15:
		return 2
	}
	return 0
}

// Provenance is where a figure comes from.
type Provenance string

// Provenances, the surest first. Unknown is an answer: it says that nobody knows.
const (
	SourceNameplate Provenance = "nameplate"
	SourceDrawing   Provenance = "drawing"
	SourceMaker     Provenance = "maker"
	SourceStandard  Provenance = "standard"
	SourceBaseline  Provenance = "baseline" // measured on the healthy machine
	SourceJudgement Provenance = "judgement"
	SourceEstimate  Provenance = "estimate"
	SourceUnknown   Provenance = "unknown"
)

// Provenances are all there are.
func Provenances() []string {
	return []string{string(SourceNameplate), string(SourceDrawing), string(SourceMaker), string(SourceStandard),
		string(SourceBaseline), string(SourceJudgement), string(SourceEstimate), string(SourceUnknown)}
}

// Origin says who put a figure where it stands, when and from what.
type Origin struct {
	Source Provenance `json:"source,omitempty"` // empty: not said
	Author string     `json:"author,omitempty"`
	Date   string     `json:"date,omitempty"` // "2026-03-31"
}
