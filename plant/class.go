package plant

import (
	"path"
	"strings"
	"time"
)

// AssetClass is what is known of a kind of machine before one of them is looked
// at: what is measured on it, which limits it has by default, how it fails and by
// which symptoms that is seen. Patterns of tags are those of [path.Match] on the
// name below the asset, such as "BRG_T*".
type AssetClass struct {
	Name      string   // "turbo-blower"
	Title     string   // for people
	Number    string   // in the list of classes of a steel works, "A1"; empty: a general one
	Code      string   // equipment class of ISO 14224, "BL"; "none" where it has none, empty where nobody says
	Vibration string   // the part of ISO 20816 that applies, or why none
	Also      []string // other names
	Tags      []TagTemplate
	Limits    []ClassLimit
	Modes     []FailureMode
}

// TagTemplate is a quantity that machines of a class have. Ranges are those of
// machines of the usual size; a nameplate knows better.
type TagTemplate struct {
	Name        string // pattern, "BRG_T*"
	Unit        string
	Low, High   float64       // Low == High means unknown
	Every       time.Duration // how often it should be sampled; 0: as it may be
	Rate        float64       // of a waveform, Hz
	Kind        Kind
	Description string
}

// ClassLimit is a default limit. It holds for the tags that match its pattern and
// have its unit, of machines that fit its conditions.
type ClassLimit struct {
	Limit
	Unit    string
	Group   int     // of ISO 20816-3: 1 above 300 kW, 2 up to 300 kW; 0: any machine
	Support Support // empty: any
}

// FailureMode is a way in which a machine fails.
type FailureMode struct {
	Name     string // "bearing-outer"
	Title    string // for people: "Bearing, outer race"
	Of       string // the mode that this is one kind of, whose symptoms it has too; empty: none
	ID       string // in the list of faults of the reference, "M1"; empty: not in it
	Code     string // failure mode of ISO 14224, "VIB"; empty: unknown
	From, To time.Duration
	Symptoms []Symptom

	// From and To bound the time from the first sign to the failure (P–F
	// interval); both 0: unknown, or no warning.
}

// Sign is what a symptom does to its tag: the directions of [Contribution].
type Sign string

// Signs.
const (
	SignUp     Sign = "up"
	SignDown   Sign = "down"
	SignNoisy  Sign = "noisy"
	SignFrozen Sign = "frozen"
)

// Symptom is what a failure mode does to a tag. Weights are relative to those of
// the other symptoms of the mode.
type Symptom struct {
	Tag    string // pattern
	Sign   Sign
	Weight float64
}

// String names the symptom for people: "VIB_H up" of the pattern "*VIB*_H".
func (s Symptom) String() string { return strings.ReplaceAll(s.Tag, "*", "") + " " + string(s.Sign) }

// Mode is the failure mode of a name, nil where the class has none.
func (c *AssetClass) Mode(name string) *FailureMode {
	for i := range c.Modes {
		if c.Modes[i].Name == name {
			return &c.Modes[i]
		}
	}
	return nil
}

// Template is what the class knows of a tag of one of its machines, by its name: nil
// where it knows nothing.
func (c *AssetClass) Template(t *Tag) *TagTemplate {
	for i := range c.Tags {
		if Matches(c.Tags[i].Name, t.Asset, t.Path) {
			return &c.Tags[i]
		}
	}
	return nil
}

// Matches reports whether a tag of an asset fits a pattern of a class.
func Matches(pattern, asset, tag string) bool {
	name, below := strings.CutPrefix(tag, asset+"/")
	if !below {
		return false
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// Cause is a failure mode that a finding may come from, with its reasons.
type Cause struct {
	Mode    string   `json:"mode"`    // "bearing", "dust"
	Name    string   `json:"name"`    // for people
	Score   float64  `json:"score"`   // 0..1, how alike the finding and the mode's symptoms are; no probability
	Present []string `json:"present"` // symptoms that are there
	Absent  []string `json:"absent"`  // symptoms that are not
}

// Covers reports whether the cause is the failure mode or the more general one
// that it is a kind of: "bearing" covers "bearing-outer".
func (c *Cause) Covers(mode string) bool {
	return mode == c.Mode || strings.HasPrefix(mode, c.Mode+"-")
}
