package detect

import (
	"math"

	"millwright/plant"
)

// Fallback is a trained model that was dropped.
type Fallback struct {
	ID     string
	Why    string // "nan", "panic", "slow", "void"
	Shadow bool   // it ran in the shadow
	Time   int64  // source time of the row, ns UTC
}

// trial is what an asset runs of trained models. The networks themselves stand
// beside what was learned of their modes.
type trial struct {
	running string // id of a bundle, or plant.LearnedModel
	shadow  string // id of a bundle, or empty

	fallback         *Fallback // the last one since the last Promote or Shadow
	dropped          string    // a finding says that the running model was dropped, and this is why
	mended           bool      // that is over, and not yet said
	scored, shadowed uint64    // rows
	missed           uint64    // rows without a score that the model before would have scored

	would         verdict // of the shadow
	score, raised voice   // what $SHADOW and $WOULD last said
}

// trials are the networks of one mode. In charge is net, or where it is nil what
// the asset has learned.
type trials struct {
	net     *neural
	next    *neural // takes over from whoever is in charge as soon as its window is full
	leaving bool    // what was learned takes over from net as soon as its window is full
	shadow  *neural
}

// pending reports whether the one in charge is about to be replaced.
func (r *trials) pending() bool { return r.next != nil || r.leaving }

// retire gives the mode back to what was learned, at once where that is nothing:
// then nobody could take over.
func (r *trials) retire(known bool) {
	r.next = nil
	if !known {
		r.net = nil
	}
	r.leaving = r.net != nil
}

// forget drops the networks of a bundle.
func (r *trials) forget(id string) {
	for _, n := range []**neural{&r.net, &r.next, &r.shadow} {
		if *n != nil && (*n).id == id {
			*n = nil
		}
	}
	r.leaving = r.leaving && r.net != nil
}

// restart empties the windows.
func (r *trials) restart() {
	for _, n := range [...]*neural{r.net, r.next, r.shadow} {
		if n != nil {
			n.restart()
		}
	}
}

// charge is the model whose word counts in the present mode, or nil.
func (m *machine) charge() judge {
	if m.modes.cur != unknown {
		if n := m.minds[m.modes.cur].trials.net; n != nil {
			return n
		}
	}
	if m.own.model != nil {
		return &m.own
	}
	return nil
}

// rate lets every model of the mode see the row and asks the one in charge. j
// is nil where it says nothing; blind says that it cannot see.
func (m *machine) rate(out *plant.Batch, r *trials, t int64) (j judge, decades float64, blind bool) {
	ownSees := m.own.model == nil || m.own.push(m.x, m.ok)
	netSees := r.net == nil || r.net.push(m.x, m.ok)
	if r.next != nil {
		r.next.push(m.x, m.ok)
	}
	due := r.net == nil && m.own.full() || r.net != nil && r.net.full()
	if n := r.next; n != nil && n.full() {
		if d, ok := m.ask(out, n, t); ok {
			r.net, r.next, r.leaving = n, nil, false
			m.trial.mended = true
			m.log.Info("trained model in charge", "asset", m.asset.Path, "mode", m.modes.name(), "model", n.id)
			return n, d, false
		}
	}
	if r.leaving && m.own.full() {
		r.net, r.leaving = nil, false
	}
	if n := r.net; n != nil {
		if !n.full() {
			return nil, math.NaN(), !netSees
		}
		if d, ok := m.ask(out, n, t); ok {
			return n, d, false
		}
	}
	if m.own.full() {
		return &m.own, m.own.score(), false
	}
	if due {
		m.trial.missed++
	}
	return nil, math.NaN(), !ownSees
}

// ask scores with a trained model. One that fails is dropped.
func (m *machine) ask(out *plant.Batch, n *neural, t int64) (float64, bool) {
	d := n.score()
	if n.why != "" {
		m.drop(out, n, t)
		return 0, false
	}
	if n.id == m.trial.running {
		m.trial.scored++
	}
	return d, true
}

// drop takes a running model that has failed out of all modes. What ran before
// it goes on.
func (m *machine) drop(out *plant.Batch, n *neural, t int64) {
	x := &m.trial
	m.log.Warn("trained model dropped", "asset", m.asset.Path, "mode", m.modes.name(), "model", n.id, "why", n.why)
	for i := range m.minds {
		m.minds[i].trials.forget(n.id)
	}
	if x.shadow == n.id {
		m.unshadow()
	}
	if x.running != n.id {
		return // one that was leaving
	}
	for i := range m.minds {
		md := &m.minds[i]
		md.trials.retire(md.model != nil)
	}
	x.running = plant.LearnedModel
	x.fallback = &Fallback{ID: n.id, Why: n.why, Time: t}
	phase := plant.Raise
	if x.dropped != "" {
		phase = plant.Update
	}
	x.dropped, x.mended = n.why, false
	m.tellDropped(out, phase, t)
}

func (m *machine) tellDropped(out *plant.Batch, phase plant.Phase, t int64) {
	out.Findings = append(out.Findings, plant.Finding{
		Asset: m.asset.Path, Key: "model/" + m.asset.Path, Kind: plant.KindModel, Class: plant.SystemFault,
		Phase: phase, Detector: m.trial.dropped, Mode: m.modes.name(), Time: t, Priority: 3,
	})
}

// observeShadow scores the row with the shadow model. It tells what it would
// say, and never a finding.
func (m *machine) observeShadow(out *plant.Batch, r *trials, t int64, row *Row) {
	x := &m.trial
	n := r.shadow
	if n == nil {
		return
	}
	if !n.push(m.x, m.ok) {
		x.would.recent = 0
	}
	if !n.full() {
		return
	}
	d := n.score()
	if n.why != "" {
		m.log.Warn("shadow model dropped", "asset", m.asset.Path, "mode", m.modes.name(), "model", n.id, "why", n.why)
		x.fallback = &Fallback{ID: n.id, Why: n.why, Shadow: true, Time: t}
		m.unshadow()
		return
	}
	x.shadowed++
	row.Shadow = d / maxDecades
	x.would.observe(d, n.mode.Limit, m.modes.cur, true)
	x.score.tell(out, m.shadow, t, row.Shadow)
	x.raised.tell(out, m.would, t, truth(x.would.open))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// tellTrial ends what is no longer so.
func (m *machine) tellTrial(out *plant.Batch, t int64) {
	x := &m.trial
	if x.mended && x.dropped != "" {
		m.tellDropped(out, plant.Clear, t)
		x.dropped = ""
	}
	x.mended = false
	if x.shadow == "" && x.raised.value != 0 {
		x.raised.tell(out, m.would, t, 0)
	}
}

// unshadow takes the shadow model away.
func (m *machine) unshadow() {
	for i := range m.minds {
		m.minds[i].trials.shadow = nil
	}
	m.trial.shadow, m.trial.would = "", verdict{}
}

// staff makes the networks of a trained model, by mode.
func (m *machine) staff(t *Trained) map[int]*neural {
	nets := make(map[int]*neural, len(t.Modes))
	for i := range t.Modes {
		d := &t.Modes[i]
		tags := make([]int32, len(d.Tags))
		for j, path := range d.Tags {
			tags[j] = int32(m.watched(path))
		}
		nets[m.modes.index(d.Mode)] = newNeural(t.ID, d, tags, m.watchdog, m.log)
	}
	for len(m.minds) < len(m.modes.names) {
		m.minds = append(m.minds, mind{memory: newMemory(m.watch)})
	}
	return nets
}

// watched is the position of a watched tag, or -1.
func (m *machine) watched(path string) int {
	for i := range m.watch {
		if m.slots[i].tag.Path == path {
			return i
		}
	}
	return -1
}

func (m *machine) startShadow(t *Trained) {
	if m.trial.shadow == t.ID {
		return
	}
	m.unshadow()
	nets := m.staff(t)
	for i := range m.minds {
		m.minds[i].trials.shadow = nets[i]
	}
	m.trial.shadow, m.trial.shadowed, m.trial.fallback = t.ID, 0, nil
}

func (m *machine) promote(t *Trained) {
	x := &m.trial
	if x.running == t.ID {
		return
	}
	nets := make(map[int]*neural)
	if x.shadow == t.ID { // its windows are full already
		for i := range m.minds {
			if n := m.minds[i].trials.shadow; n != nil {
				nets[i] = n
			}
		}
		m.unshadow()
	} else {
		nets = m.staff(t)
	}
	for i := range m.minds {
		md := &m.minds[i]
		if n := nets[i]; n != nil {
			md.trials.next, md.trials.leaving = n, false
			continue
		}
		md.trials.retire(md.model != nil)
	}
	x.running, x.scored, x.missed, x.fallback = t.ID, 0, 0, nil
}

func (m *machine) demote() {
	x := &m.trial
	x.mended = true // somebody has decided
	if x.running == plant.LearnedModel {
		return
	}
	for i := range m.minds {
		md := &m.minds[i]
		md.trials.retire(md.model != nil)
	}
	x.running = plant.LearnedModel
}
