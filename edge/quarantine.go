package edge

import (
	"slices"
	"time"

	"millwright/plant"
)

// mostQuarantined is how many tags of a PLC are told each by itself: when a whole
// program has changed, one finding says more than a hundred.
const mostQuarantined = 20

// quarantine is what was told about the tags of one PLC that are in quarantine.
type quarantine struct {
	told []string // tags; empty text: that there are more
}

// judge gives the findings about tags that went into quarantine or came out of it.
func (q *quarantine) judge(asset string, p plant.PLCStatus, now time.Time) []plant.Finding {
	var open []string
	for _, t := range p.Quarantined {
		// Those told of before stay told, whatever comes before them in the list.
		if len(open) < mostQuarantined || slices.Contains(q.told, t.Tag) {
			open = append(open, t.Tag)
		}
	}
	more := len(p.Quarantined) + p.QuarantinedMore - len(open)
	if more > 0 {
		open = append(open, "")
	}
	var out []plant.Finding
	tell := func(tag string, phase plant.Phase) {
		f := plant.Finding{Asset: asset, Key: "quarantine", Kind: plant.KindQuarantine, Class: plant.SystemFault, Phase: phase,
			Detector: "edge", Tag: tag, Time: plant.Millis(now.UnixNano()), Priority: 3}
		if tag != "" {
			f.Key += "/" + tag
		} else {
			f.Value = float64(more)
		}
		out = append(out, f)
	}
	for _, tag := range q.told {
		gone := !slices.ContainsFunc(p.Quarantined, func(t plant.QuarantinedTag) bool { return t.Tag == tag })
		if tag == "" && more == 0 || tag != "" && gone && p.QuarantinedMore == 0 {
			tell(tag, plant.Clear)
		} else if tag != "" && !slices.Contains(open, tag) {
			open = append(open, tag)
		}
	}
	for _, tag := range open {
		if !slices.Contains(q.told, tag) {
			tell(tag, plant.Raise)
		}
	}
	q.told = open
	return out
}
