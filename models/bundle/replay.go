package bundle

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"millwright/models/autoencoder"
)

// Errors of Replay.
var (
	ErrGolden = errors.New("golden windows")
	ErrSlow   = errors.New("too slow for this machine")
)

// A device's scores may differ from the trainer's by its rounding: fused
// multiply-add changes last bits.
const (
	relative = 1e-5
	absolute = 1e-9
)

// slowWindow is what a window may cost: a box has hundreds of assets and one row
// of each a second.
const slowWindow = 5 * time.Millisecond

// Replay runs the golden windows on this machine and returns what the slowest
// mode takes for one (the median). ErrGolden, ErrSlow.
func (b *Bundle) Replay() (time.Duration, error) { return b.replay(slowWindow) }

func (b *Bundle) replay(slow time.Duration) (time.Duration, error) {
	var cost time.Duration
	for i := range b.Trained.Modes {
		m := &b.Trained.Modes[i]
		run := autoencoder.NewRunner(m.Network)
		g := &b.Golden[i]
		took := make([]time.Duration, len(g.Windows))
		for j, w := range g.Windows {
			begin := time.Now()
			got, _ := run.Score(w)
			took[j] = time.Since(begin)
			want := g.Scores[j]
			if !(math.Abs(got-want) <= absolute+relative*math.Abs(want)) { // not for NaN
				return 0, fmt.Errorf("bundle %s, mode %s: %w: window %d scores %v here, %v where it was trained", b.ID, m.Mode, ErrGolden, j, got, want)
			}
		}
		slices.Sort(took)
		median := took[len(took)/2]
		if median > slow {
			return median, fmt.Errorf("bundle %s, mode %s: %w: a window takes %v, allowed are %v", b.ID, m.Mode, ErrSlow, median, slow)
		}
		cost = max(cost, median)
	}
	return cost, nil
}
