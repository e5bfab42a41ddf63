package plant

// LearnedModel is what an edge runs on an asset for which no bundle is rolled
// out: the model that it learned there itself.
const LearnedModel = "learned"

// ModelStatus is what an edge says of the trained models of one asset. It is
// sent for assets that have, or had, a bundle.
type ModelStatus struct {
	Asset    string `json:"asset"`
	Running  string `json:"running"`            // id of a bundle, or LearnedModel
	Shadow   string `json:"shadow,omitempty"`   // id of a bundle
	Fallback string `json:"fallback,omitempty"` // why a bundle was dropped: "nan", "slow", "panic", …
	Refused  string `json:"refused,omitempty"`  // id of the bundle that was refused last, and why
	Since    int64  `json:"since"`              // ns UTC of the last change
}

// Bundle is what the plant knows of one trained model. Times are ns UTC.
type Bundle struct {
	ID      string // "HSM.FM.F3.GBX-20261130T0405-1f3a9c"
	Version int
	Kind    string // "autoencoder"
	Asset   string
	Class   string
	Tags    []string
	Modes   []string
	Window  int
	From    int64 // span of the training data
	To      int64
	Rows    int64
	Hash    string // SHA-256 of the training data's manifest
	Author  string
	Created int64
	Size    int64
	SHA256  string
	Budget  float64            // false alarms per asset-week it was calibrated to
	Metrics map[string]float64 // of the backtest
}

// AssetModels is what runs where, as the page of models shows it.
type AssetModels struct {
	Asset    string
	Edge     string
	Wanted   string       // running bundle that the rollout plan asks for; LearnedModel where none
	Shadow   string       // shadow bundle that it asks for
	Previous string       // what a rollback would bring back
	Status   *ModelStatus // what the edge says; nil: nothing yet
	Drift    *Drift
	Compare  *Comparison // running against shadow
}

// Drift compares live scores with those that the model was calibrated on.
type Drift struct {
	PSI   float64 // population stability index: 0.1 watch, 0.25 act
	Rows  int
	State string // "ok", "watch", "act"
}

// Comparison counts what running and shadow model would have told in a span.
type Comparison struct {
	From, To   int64
	Both       int
	OnlyActive int
	OnlyShadow int
	PerWeek    float64 // alarms of the shadow per asset-week
}

// RolloutEntry is a line of the rollout's history.
type RolloutEntry struct {
	At     int64
	Who    string
	Action string // "push", "shadow", "promote", "rollback", "refuse"
	Bundle string
	Assets []string
	Reason string
}

// Rollout is all that the page of models shows.
type Rollout struct {
	Ready   bool // there is a repository: millwright models init
	Assets  []AssetModels
	Bundles []Bundle
	History []RolloutEntry // newest first
}
