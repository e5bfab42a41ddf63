package detect

import (
	"fmt"
	"log/slog"
	"math"
	"time"

	"millwright/models/autoencoder"
	"millwright/plant"
)

// detectorNeural is what findings say where a trained network has judged.
const detectorNeural = "autoencoder"

// Reasons for which a trained model is dropped.
const (
	failedNaN   = "nan"
	failedPanic = "panic"
	failedSlow  = "slow"
)

// slowRows in succession that take too long are not the machine's load any more.
const slowRows = 5

// DefaultSlowAfter is what a trained model may take for a row.
const DefaultSlowAfter = 5 * time.Millisecond

// stopwatch times a model; now is nil where time does not matter.
type stopwatch struct {
	now   func() int64 // ns, monotonic
	limit int64        // ns
}

// neural is a trained network of one mode at work.
type neural struct {
	id     string
	mode   *TrainedMode // nobody changes it
	tags   []int32
	runner *autoencoder.Runner

	// Each row is written twice, a window apart, so that the last rows always lie
	// in one piece, oldest first.
	rows []float32
	next int // row within the first half
	n    int // rows since the start, up to the window

	seen   []float64 // weighted sums of the scaled values, not bounded: for people
	weight []float64 // of them
	errors []float64 // per tag, of the last window

	watch stopwatch
	slow  int
	why   string // it has failed
	log   *slog.Logger
}

func newNeural(id string, t *TrainedMode, tags []int32, watch stopwatch, log *slog.Logger) *neural {
	return &neural{
		id: id, mode: t, tags: tags, runner: autoencoder.NewRunner(t.Network),
		rows: make([]float32, 2*t.Network.Window*len(tags)), seen: make([]float64, len(tags)), weight: make([]float64, len(tags)),
		watch: watch, log: log,
	}
}

func (n *neural) traits() traits {
	return traits{n.id, detectorNeural, n.tags, n.mode.Limit, n.mode.Guess}
}

func (n *neural) restart() {
	n.n, n.next = 0, 0
	clear(n.seen)
	clear(n.weight)
}

func (n *neural) push(x []float64, ok []bool) bool {
	if blind(n.tags, ok) {
		n.restart()
		return false
	}
	d, size := len(n.tags), n.mode.Network.Window
	row := n.rows[n.next*d : (n.next+1)*d]
	for i, t := range n.tags {
		if !ok[t] {
			row[i] = 0
			continue
		}
		z := (x[t] - n.mode.Mean[i]) / n.mode.Scale[i]
		row[i] = float32(min(n.mode.Reach, max(-n.mode.Reach, z)))
		n.seen[i] += forget * (min(farthest, max(-farthest, z)) - n.seen[i])
		n.weight[i] += forget * (1 - n.weight[i])
	}
	copy(n.rows[(n.next+size)*d:], row)
	n.next = (n.next + 1) % size
	n.n = min(size, n.n+1)
	return true
}

func (n *neural) full() bool { return n.n == n.mode.Network.Window }

// window is the last rows, oldest first.
func (n *neural) window() []float32 {
	d, size := len(n.tags), n.mode.Network.Window
	return n.rows[n.next*d : (n.next+size)*d]
}

// score never panics: what came in a bundle must not take the edge with it.
func (n *neural) score() (decades float64) {
	defer func() {
		if r := recover(); r != nil {
			n.log.Error("trained model panicked", "model", n.id, "panic", fmt.Sprint(r))
			n.why, decades = failedPanic, math.NaN()
		}
	}()
	var from int64
	if n.watch.now != nil {
		from = n.watch.now()
	}
	var mse float64
	mse, n.errors = n.runner.Score(n.window())
	if n.watch.now != nil && n.watch.now()-from > n.watch.limit {
		n.slow++
	} else {
		n.slow = 0
	}
	switch {
	case math.IsNaN(mse) || math.IsInf(mse, 0):
		n.why = failedNaN
		return math.NaN()
	case n.slow >= slowRows:
		n.why = failedSlow
		return math.NaN()
	}
	return min(maxDecades, n.mode.Law.Decades(mse))
}

func (n *neural) share(part []float64) { blend(part, n.errors, 1) }

// explain compares means over the window, weighted as seen is: the newest rows
// say most.
func (n *neural) explain(i int) (value, expected float64, way string) {
	d := len(n.tags)
	z, back := n.window(), n.runner.Rebuilt()
	var mean, sq, want, sum float64
	weight := 1.0
	for r := len(z)/d - 1; r >= 0; r-- {
		v := float64(z[r*d+i])
		mean += weight * v
		sq += weight * v * v
		want += weight * float64(back[r*d+i])
		sum += weight
		weight *= 1 - forget
	}
	mean, sq, want = mean/sum, sq/sum, want/sum
	want = min(n.mode.Reach, max(-n.mode.Reach, want))
	value = n.mode.Mean[i] + n.mode.Scale[i]*n.seen[i]/max(n.weight[i], forget)
	expected = n.mode.Mean[i] + n.mode.Scale[i]*want
	return value, expected, direction(mean-want, math.Sqrt(max(0, sq-mean*mean)))
}

// bands are three scales wide, as those of what is learned on the spot.
func (n *neural) bands(watched []slot) map[string]plant.Band {
	b := make(map[string]plant.Band, len(n.tags))
	for i, t := range n.tags {
		mean, wide := n.mode.Mean[i], 3*n.mode.Scale[i]
		b[watched[t].tag.Path] = plant.Band{mean - wide, mean + wide}
	}
	return b
}
