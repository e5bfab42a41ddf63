package detect

import (
	"encoding/json"
	"math"

	"millwright/plant"
)

// told is what the derived tags last said.
type told struct {
	score, health         float64
	scoreTime, healthTime int64
	scoreRows             int32
	mode                  string
	phase, modelMode      string
	progress              int32
	model                 bool
}

// quietTime is the least distance of two samples of a derived tag, ns of source
// time; repeatRows is how often an unchanged score is repeated.
const (
	quietTime  = 100e6
	repeatRows = 10
)

// tellMode reports the mode when it changes.
func (m *machine) tellMode(out *plant.Batch, t int64) {
	name := m.modes.name()
	if name == m.told.mode {
		return
	}
	m.told.mode = name
	if m.mode != 0 {
		out.States = append(out.States, plant.State{Tag: m.mode, Time: plant.Millis(t), Value: name})
	}
}

// tellModel reports phase, mode, progress by tenths and bands when they change.
func (m *machine) tellModel(out *plant.Batch, t int64, phase string) {
	if m.modes.cur != unknown && !m.modes.settled() {
		return
	}
	var mod *model
	if m.modes.cur != unknown && m.modes.cur < len(m.minds) {
		mod = m.minds[m.modes.cur].model
	}
	share := 1.0
	if phase == "learning" {
		done := m.done
		if m.recording() {
			done = m.count
		}
		share = min(0.99, float64(done)/float64(max(1, m.target)))
	}
	now := told{phase: phase, modelMode: m.modes.name(), progress: int32(share * 10), model: mod != nil}
	was := &m.told
	if now.phase == was.phase && now.modelMode == was.modelMode && now.progress == was.progress && now.model == was.model {
		return
	}
	was.phase, was.modelMode, was.progress, was.model = now.phase, now.modelMode, now.progress, now.model
	if m.model == 0 {
		return
	}
	state := plant.ModelState{Phase: phase, Mode: m.modes.name(), Learned: math.Round(share*100) / 100}
	if mod != nil {
		tags := make([]plant.Tag, m.watch)
		for i := range tags {
			tags[i] = m.slots[i].tag
		}
		state.Limit, state.Guess, state.Bands = mod.limit/maxDecades, mod.guess, mod.bands(tags)
	}
	text, err := json.Marshal(state)
	if err != nil {
		m.log.Error("model state", "asset", m.asset.Path, "err", err)
		return
	}
	out.States = append(out.States, plant.State{Tag: m.model, Time: plant.Millis(t), Value: string(text)})
}

// tellHealth reports score and health where they changed, at most every 100 ms.
//
// Health is 1 less half of score over limit while no finding is open. An open
// machine finding takes it to 0.5 at the limit and 0 at certainty, a limit alarm
// of priority 1, 2, 3, 4 to at most 0.1, 0.2, 0.4, 0.6, a sensor fault to at most
// 0.8.
func (m *machine) tellHealth(out *plant.Batch, t int64, score float64) {
	w := &m.told
	if !math.IsNaN(score) {
		w.scoreRows++
		s := math.Round(score*1000) / 1000
		moved := math.Abs(s-w.score) >= 0.02 || w.scoreRows >= repeatRows
		if m.score != 0 && moved && t-w.scoreTime >= quietTime {
			w.score, w.scoreTime, w.scoreRows = s, t, 0
			out.Samples = append(out.Samples, plant.Sample{Tag: m.score, Time: plant.Millis(t), Value: s})
		}
	}
	h := math.Round(m.wellness(score)*100) / 100
	if m.health != 0 && (math.Abs(h-w.health) >= 0.02 || w.healthTime == 0) && t-w.healthTime >= quietTime {
		w.health, w.healthTime = h, t
		out.Samples = append(out.Samples, plant.Sample{Tag: m.health, Time: plant.Millis(t), Value: h})
	}
}

func (m *machine) wellness(score float64) float64 {
	h := 1.0
	limit := 0.0
	if m.modes.cur != unknown && m.modes.cur < len(m.minds) && m.minds[m.modes.cur].model != nil {
		limit = m.minds[m.modes.cur].model.limit / maxDecades
	}
	switch {
	case m.say.open && !math.IsNaN(score) && limit > 0 && score > limit:
		h = 0.5 * (1 - score) / (1 - limit)
	case m.say.open:
		h = 0.5
	case !math.IsNaN(score) && limit > 0:
		h = 1 - 0.5*min(1, score/limit)
	case limit > 0 && m.modes.running():
		h = m.told.health // no score yet in this window: as it was
	}
	for i := range m.limits {
		if l := &m.limits[i]; l.open {
			h = min(h, [5]float64{0.1, 0.1, 0.2, 0.4, 0.6}[min(4, max(0, l.Priority))])
		}
	}
	for i := range m.sense {
		if m.sense[i].anyOpen() {
			h = min(h, 0.8)
			break
		}
	}
	return h
}
