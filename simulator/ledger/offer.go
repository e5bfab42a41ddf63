package ledger

import (
	"math"

	"millwright/plant"
)

// Offer is a value that was offered to a monitored item, as the log has it. Seq
// counts the values of the tag since the log was opened, from 1 on.
type Offer struct {
	Tag     string
	Seq     uint64
	Time    int64   // ns UTC, whole ms
	Value   float64 // of a burst the root mean square of its values
	Text    string
	IsText  bool
	IsBurst bool
	Quality plant.Quality
}

// Value is a value to be written: of the tag with the index Tag among those that
// the log was opened with. Text counts for tags of kind text, Number for all
// others: of a burst it is the root mean square.
type Value struct {
	Tag     int
	Time    int64 // ns UTC; cut to whole ms
	Quality plant.Quality
	Number  float64
	Text    string
}

// scale makes whole numbers of a tag's values: they are multiples of its
// resolution, which a sensor's electronics has rounded to.
type scale float64

// scaleOf is 1 for a tag that names no resolution, as counters do not.
func scaleOf(resolution float64) scale {
	if resolution > 0 && !math.IsInf(resolution, 1) {
		return scale(resolution)
	}
	return 1
}

const mostMultiple = 1 << 53 // beyond it not every whole number has a float64

// multiple is the number whose value is v bit for bit, if there is one.
func (s scale) multiple(v float64) (int64, bool) {
	n := math.Round(v / float64(s))
	if s < 1 {
		n = math.Round(v * s.perUnit())
	}
	if !(math.Abs(n) <= mostMultiple) {
		return 0, false
	}
	k := int64(n)
	return k, math.Float64bits(s.value(k)) == math.Float64bits(v)
}

// value is the k-th multiple. Dividing by a whole number gives the decimal that
// is nearest to it, as sensors say it.
func (s scale) value(k int64) float64 {
	if s < 1 {
		return float64(k) / s.perUnit()
	}
	return float64(k) * float64(s)
}

func (s scale) perUnit() float64 { return math.Round(1 / float64(s)) }

// memory is what writer and reader both know of a tag from the entries before.
type memory struct {
	scale   scale
	text    bool
	burst   bool
	k       int64  // the last multiple
	bits    uint64 // of the last value that was no multiple
	quality plant.Quality
	last    string
}
