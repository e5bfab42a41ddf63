package detect

// Summary is what the Set knows of one mode of an asset.
type Summary struct {
	Asset        string
	Mode         string
	Learned      bool
	Failed       string   // why it cannot be learned, empty: it can
	Tags         []string // paths of the tags in the model
	Out          []string // watched tags that are not: they stood still, wandered or were missing
	Limit        float64  // score from which on a row counts, 0..1
	Extrapolated bool     // the limit lies beyond what the calibration rows can show
	Calibration  int      // rows that calibrated it
}

// Summaries lists every mode of every asset, as far as it was met.
func (s *Set) Summaries() []Summary {
	var out []Summary
	for i := range s.machines {
		m := &s.machines[i]
		for j := range m.minds {
			d := &m.minds[j]
			sum := Summary{Asset: m.asset.Path, Mode: m.modes.names[j], Failed: d.failed}
			if d.model != nil {
				sum.Learned, sum.Limit, sum.Extrapolated = true, d.model.limit/maxDecades, d.model.guess
				sum.Calibration = int(d.model.byF.n)
				in := make([]bool, m.watch)
				for _, t := range d.model.tags {
					in[t] = true
				}
				for k := range m.watch {
					if in[k] {
						sum.Tags = append(sum.Tags, m.slots[k].tag.Path)
					} else {
						sum.Out = append(sum.Out, m.slots[k].tag.Path)
					}
				}
			}
			out = append(out, sum)
		}
	}
	return out
}
