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
	Sessions   int           // that the server has for all its clients; each edge takes one
	NoHistory  bool          // the server keeps none: nobody asks
}

// Sample is the sampling interval that t is asked for: no faster than the budget.
func (b Budget) Sample(t *Tag) time.Duration { return max(t.Sampling, b.Sampling) }

// Load is what the tags ask of a PLC: monitored items, and values a second. Tags
// that are fields of one node share an item. One that is sent on change has a
// rate only where the budget has a fastest sampling.
func (b Budget) Load(tags []Tag) (items int, rate float64) {
	type item struct {
		node     string
		sampling time.Duration
	}
	seen := make(map[item]bool, len(tags))
	for i := range tags {
		t := &tags[i]
		key := item{t.Node, b.Sample(t)}
		if t.Derived || t.Field != "" && seen[key] {
			continue
		}
		seen[key] = true
		items++
		if key.sampling > 0 {
			rate += float64(time.Second) / float64(key.sampling)
		}
	}
	return items, rate
}
