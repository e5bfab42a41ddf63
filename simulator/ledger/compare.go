package ledger

import (
	"fmt"
	"iter"
	"math"
)

// Comparison is what two sample logs have in common.
type Comparison struct {
	Entries int     // compared
	Bursts  int     // of them
	Inexact int     // numbers that differ within the tolerance
	Largest float64 // relative difference of a number
	Differ  []string
}

// mostDiffer bounds the differences that are told.
const mostDiffer = 10

// Compare reads two sample logs side by side. Tags, times, qualities and texts
// have to be equal, numbers within a share of the larger one. It ends at the
// first entry that the other log has not, and after ten differences.
func Compare(a, b iter.Seq2[Offer, error], tolerance float64) (Comparison, error) {
	var c Comparison
	nextB, stop := iter.Pull2(b)
	defer stop()
	for x, err := range a {
		if err != nil {
			return c, err
		}
		y, err, more := nextB()
		if err != nil {
			return c, err
		}
		if !more {
			c.differ("the second log ends before entry %d", c.Entries)
			return c, nil
		}
		if x.Tag != y.Tag || x.Time != y.Time || x.Seq != y.Seq {
			c.differ("entry %d is number %d of %s at %d ms, and number %d of %s at %d ms", c.Entries, x.Seq, x.Tag, x.Time/1e6, y.Seq, y.Tag, y.Time/1e6)
			return c, nil
		}
		if x.IsBurst {
			c.Bursts++
		}
		if c.Entries++; !c.alike(&x, &y, tolerance) {
			c.differ("%s at %d ms is %v %v %v, and %v %v %v", x.Tag, x.Time/1e6, x.Value, x.Text, x.Quality, y.Value, y.Text, y.Quality)
			if len(c.Differ) == mostDiffer {
				return c, nil
			}
		}
	}
	_, err, more := nextB()
	if more && err == nil {
		c.differ("the first log ends before entry %d", c.Entries)
	}
	return c, err
}

func (c *Comparison) differ(format string, args ...any) {
	c.Differ = append(c.Differ, fmt.Sprintf(format, args...))
}

func (c *Comparison) alike(x, y *Offer, tolerance float64) bool {
	if x.Text != y.Text || x.IsText != y.IsText || x.IsBurst != y.IsBurst || x.Quality != y.Quality {
		return false
	}
	if x.Value == y.Value || math.IsNaN(x.Value) && math.IsNaN(y.Value) {
		return true
	}
	d := math.Abs(x.Value-y.Value) / max(math.Abs(x.Value), math.Abs(y.Value))
	c.Inexact++
	c.Largest = max(c.Largest, d)
	return d <= tolerance // false where one is infinite or no number
}
