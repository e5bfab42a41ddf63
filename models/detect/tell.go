package detect

import (
	"encoding/json"
	"math"

	"millwright/plant"
)

// told is what the derived tags last said.
type told struct {
	score            voice
	health           float64
	healthTime       int64
	mode             string
	phase, modelMode string
	progress         int32
	model            bool
	by, shadow       string // the model in charge, and the one in the shadow
}

// quietTime is the least distance of two samples of a derived tag, ns of source
// time; repeatRows is how often an unchanged score is repeated.
const (
	quietTime  = 100e6
	repeatRows = 10
)

// voice is what a derived tag of numbers said last.
type voice struct {
	value float64
	time  int64
	rows  int32 // since then
}

// tell says a value of 0 to 1 where it has moved, and from time to time where not.
func (v *voice) tell(out *plant.Batch, tag plant.TagID, t int64, value float64) {
	v.rows++
	s := math.Round(value*1000) / 1000
	moved := math.Abs(s-v.value) >= 0.02 || v.rows >= repeatRows
	if tag == 0 || !moved || t-v.time < quietTime {
		return
	}
	v.value, v.time, v.rows = s, t, 0
	out.Samples = append(out.Samples, plant.Sample{Tag: tag, Time: plant.Millis(t), Value: s})
}

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

// tellModel reports phase, mode, progress by tenths, bands and whose word counts
// when they change.
func (m *machine) tellModel(out *plant.Batch, t int64, phase string) {
	if m.modes.cur != unknown && !m.modes.settled() {
		return
	}
	j := m.charge()
	share := 1.0
	if phase == "learning" || m.studying() {
		done := m.done
		if m.recording() {
			done = m.count
		}
		share = min(0.99, float64(done)/float64(max(1, m.target)))
	}
	was := &m.told
	now := *was
	now.phase, now.modelMode, now.progress, now.model = phase, m.modes.name(), int32(share*10), j != nil
	now.by, now.shadow = plant.LearnedModel, m.trial.shadow
	if j != nil {
		now.by = j.traits().id
	}
	if now == *was {
		return
	}
	*was = now
	if m.model == 0 {
		return
	}
	state := plant.ModelState{
		Phase: phase, Mode: m.modes.name(), Learned: math.Round(share*100) / 100, Model: now.by, Shadow: now.shadow,
	}
	if j != nil {
		is := j.traits()
		state.Limit, state.Guess, state.Bands = is.limit/maxDecades, is.guess, j.bands(m.slots[:m.watch])
	}
	text, err := json.Marshal(state)
	if err != nil {
		m.log.Error("model state", "asset", m.asset.Path, "err", err)
		return
	}
	out.States = append(out.States, plant.State{Tag: m.model, Time: plant.Millis(t), Value: string(text)})
}

// studying reports whether rows of the present mode are still learned from,
// whoever judges them.
func (m *machine) studying() bool {
	return m.watch > 0 && !m.asset.Model.Off && m.modes.running() && m.own.model == nil && m.minds[m.modes.cur].failed == ""
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
		w.score.tell(out, m.score, t, score)
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
	if j := m.charge(); j != nil {
		limit = j.traits().limit / maxDecades
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
