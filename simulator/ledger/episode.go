package ledger

import "iter"

// Episode is a fault from its onset to its end. Times are ns UTC, 0 where it has
// not happened.
type Episode struct {
	Asset, Fault string
	Onset        int64
	Failed       int64 // severity 1: the functional failure
	Ended        int64 // repaired
	Worst        float64
}

// Episodes puts the entries of a ledger together, by their onset. It returns
// what came before an error with the error.
func Episodes(truths iter.Seq2[Truth, error]) ([]Episode, error) {
	type fault struct{ asset, name string }
	var out []Episode
	open := map[fault]int{}
	for t, err := range truths {
		if err != nil {
			return out, err
		}
		key := fault{t.Asset, t.Fault}
		i, going := open[key]
		switch {
		case t.Severity <= 0 && going:
			out[i].Ended = t.Time
			delete(open, key)
		case t.Severity <= 0:
		case !going:
			i = len(out)
			open[key] = i
			out = append(out, Episode{Asset: t.Asset, Fault: t.Fault, Onset: t.Time})
			fallthrough
		default:
			e := &out[i]
			e.Worst = max(e.Worst, t.Severity)
			if t.Severity >= 1 && e.Failed == 0 {
				e.Failed = t.Time
			}
		}
	}
	return out, nil
}
