package detect

import (
	"errors"
	"log/slog"
	"math"
	"time"

	"millwright/plant"
)

// slot is one tag that an asset listens to.
type slot struct {
	tag       plant.Tag
	value     float64 // last usable value
	ok        bool    // value is usable now
	time      int64   // source time of the last sample
	gap       int64   // end of a declared gap behind it, 0 none
	quality   plant.Quality
	fresh     int32 // samples in the present row
	silent    int32 // rows without a sample
	bad       int32 // rows of bad quality
	uncertain int32 // rows of uncertain quality
	patience  int32 // rows of silence that are a fault; 0: silence is none
}

// mind is what is known of one mode.
type mind struct {
	memory memory
	model  *model
	failed string // why it cannot be learned, empty: it can
	again  int32  // rows offered before the next try after too few of them
	trials trials
}

// machine judges one asset.
type machine struct {
	asset  plant.Asset
	grid   time.Duration // plant time of a row
	step   float64       // seconds of plant time of a row
	rows   rows
	slots  []slot // watched tags first, then those that only modes and limits need
	watch  int    // watched tags
	sense  []sensor
	limits []limit
	bySlot [][]int // limits per slot
	modes  modes
	minds  []mind
	own    learned
	trial  trial
	say    verdict
	count  int32   // rows of a recording
	quiet  int32   // rows in succession in which nothing arrived
	done   int32   // rows learned
	target int32   // rows of commissioning
	odds   float64 // p-value of a row that the budget allows
	x      []float64
	ok     []bool
	part   []float64
	told   told
	log    *slog.Logger
	judged func(Row)
	paths  []string // of the watched tags, where judged is set
	start  bool     // the next row does not follow the one before it

	watchdog stopwatch // of trained models

	score, health, mode, model, shadow, would plant.TagID // derived tags; 0: not asked for
}

func (m *machine) recording() bool { return m.asset.Model.Rows > 0 }

// commissioned reports whether enough rows were learned.
func (m *machine) commissioned() bool {
	if m.recording() {
		return m.count >= m.target
	}
	return m.done >= m.target
}

// sample takes one sample of a slot. may says whether a fit may run now; it
// returns true when one ran.
func (m *machine) sample(out *plant.Batch, i int, t int64, v float64, q plant.Quality, may bool) bool {
	if !sane(t) || q.WithoutInfo() == plant.BadWaitingForInitialData {
		return false
	}
	s := &m.slots[i]
	fitted := false
	for {
		row, late := m.rows.find(t)
		if late {
			m.tardy(i, t, v, q)
			return fitted
		}
		if row != nil {
			m.put(row, i, t, v, q)
			break
		}
		fitted = m.close(out, may && !fitted) || fitted
	}
	if t > s.time {
		s.time = t
		if i == m.modes.tag {
			m.modes.heard = unknown
			if usable(v, q) {
				m.modes.heard = int(v)
			}
		} else if usable(v, q) {
			m.lookAt(out, i, t, v)
		}
	}
	for m.rows.ready() {
		fitted = m.close(out, may && !fitted) || fitted
	}
	return fitted
}

func usable(v float64, q plant.Quality) bool {
	return !q.IsBad() && !math.IsNaN(v) && !math.IsInf(v, 0)
}

func (m *machine) put(row *openRow, i int, t int64, v float64, q plant.Quality) {
	c := &row.cells[i]
	if c.samples == 0 {
		row.full++
	}
	c.value, c.quality = v, q
	c.samples++
	row.last = max(row.last, t)
	m.rows.newest = max(m.rows.newest, t)
	m.rows.late = 0
}

// tardy takes a sample whose row is closed: it is still the tag's present value.
// When nothing but samples from long ago arrives, the source's clock was set
// back and the grid starts again.
func (m *machine) tardy(i int, t int64, v float64, q plant.Quality) {
	s := &m.slots[i]
	if t < m.rows.closed-5e9 {
		m.rows.late++
		if int(m.rows.late) > 4*len(m.slots)+16 {
			m.rows.restart()
			m.interrupt()
			for i := range m.slots {
				m.slots[i].time = 0
			}
		}
		return
	}
	if t > s.time && !m.recording() && usable(v, q) {
		s.time, s.value, s.ok, s.silent = t, v, true, 0
		if i < m.watch { // the rows in which it stood still did not know better
			m.sense[i].pastN, m.sense[i].excursion, m.sense[i].run, m.sense[i].runFresh = 0, 0, 0, 0
		}
	}
}

// lookAt holds a sample against the limits of its slot.
func (m *machine) lookAt(out *plant.Batch, i int, t int64, v float64) {
	for _, j := range m.bySlot[i] {
		l := &m.limits[j]
		if l.past != nil {
			continue
		}
		if phase, change := l.look(t, v, l.applies(m.modes.present())); change {
			m.tellLimit(out, l, phase, t, v)
		}
	}
}

func (m *machine) tellLimit(out *plant.Batch, l *limit, phase plant.Phase, t int64, v float64) {
	unit := m.slots[l.slot].tag.Unit
	if l.past != nil {
		unit += "/s"
	}
	out.Findings = append(out.Findings, plant.Finding{
		Asset: m.asset.Path, Key: l.key, Kind: l.kind, Class: plant.LimitAlarm, Phase: phase, Detector: "limit",
		Tag: l.Tag, Mode: m.modes.name(), Time: t, Score: v, Limit: l.Value, Value: v, Unit: unit, Priority: l.Priority,
	})
}

// restart forgets the rows that windows hold.
func (m *machine) restart() {
	m.start = true
	m.own.window.restart()
	m.say.recent, m.trial.would.recent = 0, 0
	for i := range m.minds {
		m.minds[i].memory.interrupt()
		m.minds[i].trials.restart()
	}
}

// interrupt says that the next row is not connected with the last one.
func (m *machine) interrupt() {
	m.restart()
	for i := range m.limits {
		m.limits[i].pastN = 0
	}
	for i := range m.sense {
		m.sense[i].pastN, m.sense[i].excursion = 0, 0
	}
}

// maxHold is the longest silence of an asset, in rows, that its rows bridge.
const maxHold = 5

// close hands the oldest open row on, with the silent rows before it.
func (m *machine) close(out *plant.Batch, may bool) bool {
	o := &m.rows.open[0]
	before := m.rows.closed
	fitted := false
	if before > 0 && m.rows.step > 0 {
		missing := (o.end-before)/m.rows.step - 1
		if missing > maxHold {
			m.interrupt()
			missing = 0
		}
		for i := range missing {
			end := before + (i+1)*m.rows.step
			fitted = m.row(out, end, nil, may && !fitted) || fitted
		}
	}
	end := o.last
	fitted = m.row(out, end, o.cells, may && !fitted) || fitted
	m.rows.drop()
	return fitted
}

// row judges one row; cells is nil when nothing arrived in it.
func (m *machine) row(out *plant.Batch, t int64, cells []cell, may bool) bool {
	if m.count < math.MaxInt32 {
		m.count++
	}
	for i := range m.slots {
		s := &m.slots[i]
		s.fresh = 0
		if cells != nil && cells[i].samples > 0 {
			m.take(s, &cells[i])
			continue
		}
		if s.silent < 1<<30 {
			s.silent++
		}
		if m.recording() && s.silent > 3 || s.patience > 0 && s.silent >= s.patience {
			s.ok = false
		}
		if s.gap > s.time {
			s.ok = false
		}
		if s.bad > 0 {
			s.bad++
		}
		if s.uncertain > 0 {
			s.uncertain++
		}
	}
	if m.modes.update(m.slots) {
		m.restart()
		for len(m.minds) < len(m.modes.names) {
			m.minds = append(m.minds, mind{memory: newMemory(m.watch)})
		}
	}
	m.tellMode(out, t)
	m.senses(out, t)
	if m.quiet++; cells != nil {
		m.quiet = 0
	}
	m.tick(out, t)
	return m.think(out, t, may)
}

func (m *machine) take(s *slot, c *cell) {
	s.fresh, s.silent, s.quality = c.samples, 0, c.quality
	if !usable(c.value, c.quality) {
		s.ok = false
		s.bad++
		s.uncertain = 0
		return
	}
	s.bad = 0
	s.uncertain++
	if c.quality.IsGood() {
		s.uncertain = 0
	}
	s.value, s.ok = c.value, true
}

// senses runs the sensor checks of all watched tags and masks the faulty ones.
func (m *machine) senses(out *plant.Batch, t int64) {
	judged := m.modes.running() && m.modes.settled()
	learned := m.commissioned()
	away, outside := 0, 0
	for i := range m.watch {
		s := &m.slots[i]
		if s.bad > 0 || s.patience > 0 && s.silent >= s.patience {
			away++
		}
	}
	link := away > 1 && away == m.watch // all at once: the link, not the sensors
	for i := range m.watch {
		c := &m.sense[i]
		c.check(&m.slots[i], m.step*float64(1+m.quiet), judged, learned, link)
		if c.outside {
			outside++
		}
	}
	for i := range m.watch {
		c, s := &m.sense[i], &m.slots[i]
		others := outside
		if c.outside {
			others--
		}
		c.settle(s.value, s.ok, s.fresh > 0, others == 0)
		for f := range faults {
			l := f.law()
			switch {
			case !c.open[f] && c.active[f] >= l.need:
				c.open[f] = true
				m.tellSensor(out, l, plant.Raise, s, t)
			case c.open[f] && c.calm[f] >= l.rest:
				c.open[f] = false
				m.tellSensor(out, l, plant.Clear, s, t)
			}
		}
		m.x[i] = s.value
		m.ok[i] = s.ok && !c.masked()
	}
}

func (m *machine) tellSensor(out *plant.Batch, l law, phase plant.Phase, s *slot, t int64) {
	v := s.value
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	out.Findings = append(out.Findings, plant.Finding{
		Asset: m.asset.Path, Key: "sensor/" + s.tag.Path + "/" + l.detector, Kind: l.kind, Class: plant.SensorFault,
		Phase: phase, Detector: l.detector, Tag: s.tag.Path, Mode: m.modes.name(), Time: t,
		Value: v, Unit: s.tag.Unit, Priority: 3,
	})
}

// tick holds the row's values against the limits: delays run out without a new
// sample, and rates of rise need rows.
func (m *machine) tick(out *plant.Batch, t int64) {
	for i := range m.limits {
		l := &m.limits[i]
		s := &m.slots[l.slot]
		if !s.ok {
			l.pastN = 0
			continue
		}
		v := s.value
		if l.past != nil {
			perRow, ok := l.slope(v)
			if !ok {
				continue
			}
			v = perRow / m.step
		}
		if phase, change := l.look(t, v, l.applies(m.modes.present())); change {
			m.tellLimit(out, l, phase, t, v)
		}
	}
}

// guarded reports whether a finding is open that forbids to learn: of the
// machine or a limit. A faulty sensor only hides its own values.
func (m *machine) guarded() bool {
	if m.say.open {
		return true
	}
	for i := range m.limits {
		if m.limits[i].open {
			return true
		}
	}
	return false
}

// think learns from the row and judges it. It returns true when a model was
// fitted: a model judges from the row after that on.
func (m *machine) think(out *plant.Batch, t int64, may bool) bool {
	r := Row{
		Asset: m.asset.Path, Time: t, Mode: m.modes.name(), Phase: "none", Score: math.NaN(),
		Model: plant.LearnedModel, Shadow: math.NaN(),
	}
	fitted := false
	m.own.model = nil
	if m.watch > 0 && !m.asset.Model.Off && m.modes.running() {
		md := &m.minds[m.modes.cur]
		m.own.model = md.model
		if md.model == nil {
			fitted = m.study(md, may)
		}
		m.judge(out, md, t, &r)
		m.own.model = md.model
	}
	m.tellTrial(out, t)
	m.tellModel(out, t, r.Phase)
	m.tellHealth(out, t, r.Score)
	if m.judged != nil {
		r.Alarm, r.Would = m.say.open, m.trial.would.open
		r.Tags, r.Values, r.OK = m.paths, m.x, m.ok
		r.Start, r.Settled, r.Guarded = m.start, m.modes.settled(), m.guarded()
		m.judged(r)
	}
	m.start = false
	return fitted
}

// modeRows is how many rows a mode is learned from at least, where the whole
// commissioning is not shorter.
const modeRows = 400

// least rows of a mode before its fit.
func (m *machine) least() int {
	return max(6*m.own.window.size, min(modeRows, int(m.target)))
}

// study takes the row into the memory of its mode and fits when it is time.
func (m *machine) study(md *mind, may bool) bool {
	if md.failed != "" {
		return false
	}
	if !m.modes.settled() || m.guarded() {
		md.memory.interrupt()
	} else {
		md.memory.add(m.x, m.ok)
		if m.done < math.MaxInt32 {
			m.done++
		}
	}
	n := md.memory.rows()
	if !m.commissioned() || int(md.memory.seen) < m.least() || !may && !m.recording() {
		return false
	}
	if md.memory.seen < md.again {
		return false
	}
	tags := make([]plant.Tag, m.watch)
	for i := range tags {
		tags[i] = m.slots[i].tag
	}
	mod, err := fit(&md.memory, tags, m.own.window.size, m.odds)
	if errors.Is(err, errFewRows) { // many short runs: wait for as many again
		md.again = 2 * md.memory.seen
		return true
	}
	if err != nil {
		m.log.Warn("model not learned", "asset", m.asset.Path, "mode", m.modes.name(), "err", err)
		md.failed = err.Error()
		return true
	}
	m.log.Info("model learned", "asset", m.asset.Path, "mode", m.modes.name(), "rows", n, "tags", len(mod.tags))
	md.model = mod
	md.memory = newMemory(m.watch)
	m.own.window.restart()
	return true
}

// judge scores the row and says in r what it means.
func (m *machine) judge(out *plant.Batch, md *mind, t int64, r *Row) {
	r.Phase = "monitoring"
	if m.charge() == nil {
		r.Phase = "learning"
		if md.failed != "" {
			r.Phase = "none"
		}
	}
	if !m.modes.settled() {
		return
	}
	m.observeShadow(out, &md.trials, t, r)
	j, decades, blind := m.rate(out, &md.trials, t)
	if blind {
		m.say.recent = 0
		r.Phase = "blind"
	}
	if j == nil {
		return
	}
	is := j.traits()
	r.Phase, r.Model, r.Score, r.Limit = "monitoring", is.id, decades/maxDecades, is.limit/maxDecades
	over := decades > is.limit
	if over {
		m.say.by = is.detector
		m.say.weigh(j, m.part)
	}
	mayClear := m.say.by == is.detector || !md.trials.pending()
	phase, change := m.say.observe(decades, is.limit, m.modes.cur, mayClear)
	if !change && m.say.open && over && m.say.quiet >= updateRows {
		top := is.tags[m.say.rank(is.tags)[0]]
		change = m.say.shares[top] > 1.5*m.say.shares[m.say.top] || r.Score > m.say.peak+0.1 || m.urgency(r.Score) < m.say.priority
		phase = plant.Update
	}
	if change {
		m.tellAnomaly(out, j, phase, t, r)
	}
	if m.judged != nil {
		r.Contributions = m.instant(j)
	}
}

// instant names the contributions of this row alone.
func (m *machine) instant(j judge) []plant.Contribution {
	v := verdict{shares: make([]float64, m.watch)}
	v.weigh(j, m.part)
	return v.contributions(j, m.slots)
}

func (m *machine) urgency(score float64) int32 {
	if score >= surely {
		return 2
	}
	return 3
}

func (m *machine) tellAnomaly(out *plant.Batch, j judge, phase plant.Phase, t int64, r *Row) {
	is := j.traits()
	f := plant.Finding{
		Asset: m.asset.Path, Key: anomalyKey, Kind: plant.KindAnomaly, Class: plant.Advisory, Phase: phase,
		Detector: is.detector, Mode: m.modes.name(), Time: t, Score: r.Score, Limit: r.Limit,
		Priority: int(m.urgency(r.Score)), Extrapolated: is.guess,
	}
	if phase != plant.Clear {
		f.Contributions = m.say.contributions(j, m.slots)
		m.say.top = is.tags[m.say.rank(is.tags)[0]]
	}
	m.say.quiet, m.say.peak, m.say.priority = 0, r.Score, int32(f.Priority)
	out.Findings = append(out.Findings, f)
}
