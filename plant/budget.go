package plant

import "time"

// Budget is the load that a PLC is asked to bear at most, also while it is lost
// and found again. A zero is no bound.
type Budget struct {
	Tags       int           // monitored items
	Values     float64       // a second, as the sampling intervals of the tags ask for
	Sampling   time.Duration // the fastest that is asked for
	Publishing time.Duration // the fastest that is asked for
	Batch      int           // operations in one call
	OneByOne   bool          // no two requests at the same time, but for Publish and the heartbeat
	Requests   float64       // a second, without Publish and the heartbeat
	Connects   float64       // a minute; each is a key exchange, the dearest thing for a small PLC
	NoHistory  bool          // the server keeps none: nobody asks
}

// Sample is the sampling interval that t is asked for: no faster than the budget.
func (b Budget) Sample(t *Tag) time.Duration { return max(t.Sampling, b.Sampling) }

// Rate is how many values a second the tags ask for. A tag that is sent on change
// counts where the budget has a fastest sampling.
func (b Budget) Rate(tags []Tag) float64 {
	sum := 0.0
	for i := range tags {
		if every := b.Sample(&tags[i]); every > 0 && !tags[i].Derived {
			sum += float64(time.Second) / float64(every)
		}
	}
	return sum
}
