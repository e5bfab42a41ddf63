package detect

import (
	"errors"
	"fmt"
	"math"
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

	Units map[string]string `json:"-"` // that it was trained in, by tag; the bundle's manifest has them
}

// maxReach bounds what a scaled value may be; a network beyond it is none.
const maxReach = 1000

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

// find is the mode of that name, or nil.
func (t *Trained) find(mode string) *TrainedMode {
	for i := range t.Modes {
		if t.Modes[i].Mode == mode {
			return &t.Modes[i]
		}
	}
	return nil
}

// check says what is wrong with the mode by itself, or nil.
func (t *TrainedMode) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	d := len(t.Tags)
	switch {
	case t.Network == nil:
		fault("has no network")
	default:
		if err := t.Network.Check(); err != nil {
			fault("%w", err)
		} else if t.Network.Tags != d {
			fault("its network takes %d tags, it names %d", t.Network.Tags, d)
		}
	}
	if len(t.Mean) != d || len(t.Scale) != d {
		fault("%d tags, %d means, %d scales", d, len(t.Mean), len(t.Scale))
	}
	for _, v := range t.Mean {
		if !(math.Abs(v) <= farthest) {
			fault("mean %v", v)
		}
	}
	for _, v := range t.Scale {
		if !(v > 0 && v <= farthest) {
			fault("scale %v: must be positive", v)
		}
	}
	if !(t.Reach > 0 && t.Reach <= maxReach) {
		fault("reach %v: must be in (0, %v]", t.Reach, float64(maxReach))
	}
	if err := t.Law.Check(); err != nil {
		fault("%w", err)
	}
	if !(t.Limit > 0 && t.Limit < maxDecades) {
		fault("limit %v: must be in (0, %d)", t.Limit, maxDecades)
	}
	return errors.Join(faults...)
}
