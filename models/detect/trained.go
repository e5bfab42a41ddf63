package detect

import (
	"time"

	"millwright/models/autoencoder"
)

// Trained is a model of one asset that was trained elsewhere (models/train) and
// arrives in a bundle (models/bundle). It takes the place of what the Set learned
// in the modes that it names, or runs beside it in the shadow.
type Trained struct {
	ID    string        `json:"id"` // of the bundle
	Asset string        `json:"asset"`
	Grid  time.Duration `json:"grid"` // of the rows; must be the asset's
	Modes []TrainedMode `json:"modes"`
}

// TrainedMode is the model of one operating mode.
//
// A row is scaled by z = (x - Mean) / Scale, bounded to ±Reach, tag by tag; a
// masked tag is 0. The score of the window is the network's mean squared error,
// Law turns it into decades (-log10 of the probability that a normal window
// reaches it), and a row counts where the decades are above Limit.
type TrainedMode struct {
	Mode    string               `json:"mode"`
	Tags    []string             `json:"tags"` // paths, in the order of the network's columns
	Mean    []float64            `json:"mean"`
	Scale   []float64            `json:"scale"`
	Reach   float64              `json:"reach"`
	Network *autoencoder.Network `json:"-"`
	Law     Law                  `json:"law"`
	Limit   float64              `json:"limit"`
	Guess   bool                 `json:"guess"` // the limit lies beyond the calibration rows
}
