package detect

import "millwright/plant"

// failedVoid is why a trained model is dropped whose tag is not what it was.
const failedVoid = "void"

// void forgets all that was learned, because a tag is not what it was: what the
// others are to it has to be learned with it. Fixed limits stay, for people have
// written them. Open findings end with what they were about; a trained model
// that saw the old quantity is dropped, and its dropping is told.
func (m *machine) void(out *plant.Batch, i int, t int64) {
	m.log.Warn("asset learns afresh: a tag is not what it was", "asset", m.asset.Path, "tag", m.slots[i].tag.Path)
	out.Findings = append(out.Findings, plant.Finding{
		Asset: m.asset.Path, Key: plant.AnyKey, Kind: plant.KindAnomaly, Class: plant.Advisory,
		Phase: plant.Clear, Detector: "edge", Time: t, Priority: 4,
	})
	was, told := m.trial, m.told
	n := m.blank()
	for range n.modes.names {
		n.minds = append(n.minds, mind{memory: newMemory(n.watch)})
	}
	n.count, n.done, n.start = 0, 0, true
	n.slots[i] = slot{tag: n.slots[i].tag, patience: n.slots[i].patience}
	for j := range n.limits {
		n.limits[j].open, n.limits[j].since, n.limits[j].pastN = false, 0, 0
	}
	// What was told last stays, so that the change is told.
	n.told = told
	n.trial.score, n.trial.raised = was.score, was.raised
	*m = n
	id, shadow := was.running, false
	if id == plant.LearnedModel {
		id, shadow = was.shadow, true
	}
	if id == "" {
		return
	}
	m.trial.fallback = &Fallback{ID: id, Why: failedVoid, Shadow: shadow, Time: t}
	if !shadow {
		m.trial.dropped = failedVoid
		m.tellDropped(out, plant.Raise, t)
	}
}
