package plant

import "time"

// Asset is a machine, or the part of one, that is judged as a whole
// (ISA-95 hierarchy in the path, ISO 14224 class).
type Asset struct {
	Path        string `json:"path"`             // "HSM/FM/F3/GBX"
	Number      string `json:"number,omitempty"` // in the books of the works, such as its maintenance system's
	Name        string `json:"name"`             // "Finishing stand F3 gearbox"
	Class       string `json:"class"`            // of the library of classes: "gearbox", "descaling-pump"
	Criticality string `json:"criticality,omitempty"`

	Nameplate *Nameplate `json:"nameplate,omitempty"`
	Bearings  []Bearing  `json:"bearings,omitempty"`
	Gears     []Gear     `json:"gears,omitempty"`
	Sensors   []Mount    `json:"sensors,omitempty"`
	Spares    []Spare    `json:"spares,omitempty"`
	Drawings  []Drawing  `json:"drawings,omitempty"`

	// ModeTag, where set, is a text tag of the PLC that names the mode. Otherwise
	// the first of Modes whose conditions all hold is the mode; with no Modes the
	// asset has the one mode "running".
	ModeTag string        `json:"mode_tag,omitempty"`
	Modes   []Mode        `json:"modes,omitempty"`
	Settle  time.Duration `json:"settle,omitempty"` // plant time in transition after a mode change

	Limits []Limit `json:"limits,omitempty"`
	Model  Model   `json:"model"`
}

// Mode is an operating mode with its recognising conditions (all must hold).
type Mode struct {
	Name string      `json:"name"`
	When []Condition `json:"when,omitempty"`
	Idle bool        `json:"idle,omitempty"` // the machine stands: models and flat-line checks rest
}

// Condition compares the last good value of a tag.
type Condition struct {
	Tag   string  `json:"tag"` // path
	Op    string  `json:"op"`  // ">", ">=", "<", "<="
	Value float64 `json:"value"`
}

// LimitKind says which side of a value is watched.
type LimitKind string

// Limits of an asset file. Rate limits the rise per second of plant time.
const (
	LimitHigh     LimitKind = "high"
	LimitHighHigh LimitKind = "high-high"
	LimitLow      LimitKind = "low"
	LimitLowLow   LimitKind = "low-low"
	LimitRate     LimitKind = "rate"
)

// Limit is a fixed limit on one tag. It is active from the first sample on.
type Limit struct {
	Tag      string        `json:"tag"` // path
	Kind     LimitKind     `json:"kind"`
	Value    float64       `json:"value"`              // in the tag's unit; for rate: unit per second
	Deadband float64       `json:"deadband,omitempty"` // the value must return by this much
	Delay    time.Duration `json:"delay,omitempty"`    // on-delay, plant time
	Modes    []string      `json:"modes,omitempty"`    // only in these modes; all where empty
	Priority int           `json:"priority"`           // 1 (act now) … 4
	Basis    string        `json:"basis,omitempty"`    // where the number comes from, for people
	Origin
}

// Model says how the asset's learned model works. Durations are plant time.
type Model struct {
	Off    bool          `json:"off,omitempty"`
	Learn  time.Duration `json:"learn,omitempty"`  // commissioning time of running modes
	Rows   int           `json:"rows,omitempty"`   // commissioning in grid rows instead of Learn (recordings)
	Grid   time.Duration `json:"grid,omitempty"`   // row interval, default 1 s
	Window int           `json:"window,omitempty"` // rows in a window, default 20
	Budget float64       `json:"budget,omitempty"` // false alarms per asset-week, default 1
}
