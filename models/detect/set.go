package detect

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"millwright/plant"
)

// Config says what a Set watches.
type Config struct {
	Assets []plant.Asset
	Tags   []plant.Tag  // with IDs; the derived ones too, as far as they are wanted
	Speed  float64      // seconds of plant time per second of source time; 1 where 0
	Log    *slog.Logger // nil: slog.Default()

	// Clock, where set, times trained models (ns, monotonic): one that takes longer
	// than SlowAfter for five rows in succession is dropped. It has no other part
	// in what the Set says.
	Clock     func() int64
	SlowAfter time.Duration // DefaultSlowAfter where 0

	// Judged, where set, is called for every row of every asset, whether it is
	// learned from, judged or neither. It is for offline work: it makes each row
	// cost allocations.
	Judged func(Row)
}

// Row is one row of an asset and what became of it. Tags, Values and OK are valid
// during the call only.
type Row struct {
	Asset         string
	Time          int64 // source time of the row's youngest sample, ns UTC
	Mode          string
	Phase         string               // "learning", "monitoring", "blind", "none"
	Score         float64              // 0..1; NaN without a score
	Limit         float64              // 0..1; 0 without a score
	Alarm         bool                 // a machine finding is open
	Contributions []plant.Contribution // of this row, largest first; nil without a score
	Model         string               // whose score it is: id of a bundle, or plant.LearnedModel
	Shadow        float64              // score of the shadow model, 0..1; NaN without one
	Would         bool                 // the shadow model would have a finding open

	Tags    []string  // paths of the watched tags
	Values  []float64 // of each the last usable one
	OK      []bool    // it is there and believed: a model sees it
	Start   bool      // the row does not follow the one before it: windows start again
	Settled bool      // the mode is known and its transition is over
	Guarded bool      // a finding is open that forbids to learn from the row
}

// Set judges many assets. It is not safe for concurrent use.
type Set struct {
	machines []machine
	start    []uint32 // routes of tag ID i are routes[start[i]:start[i+1]]
	routes   []route
	seen     uint64    // samples
	next     uint64    // sample from which on the next fit may run
	arrivals []arrival // reused
	log      *slog.Logger
}

// route leads from a tag to a slot of a machine.
type route struct {
	machine int32
	slot    int32
}

// Defaults of an asset's model.
const (
	DefaultLearn  = time.Hour
	DefaultGrid   = time.Second
	DefaultWindow = 20
	DefaultBudget = 1
)

// maxTagID bounds the routing table; durable IDs are dense.
const maxTagID = 1 << 24

// Derived lists the tags that the assets' results are told on, without IDs. Those
// of a shadow model are among them wherever one may come: they say nothing until
// it does.
func Derived(assets []plant.Asset) []plant.Tag {
	var out []plant.Tag
	for _, a := range assets {
		tags := []plant.Tag{
			{Path: plant.TagScore, Kind: plant.Analog, High: 1, Resolution: 0.001, Description: "Model score"},
			{Path: plant.TagHealth, Kind: plant.Analog, High: 1, Resolution: 0.01, Description: "Health"},
			{Path: plant.TagMode, Kind: plant.Text, Description: "Operating mode"},
			{Path: plant.TagModel, Kind: plant.Text, Description: "State of the model"},
		}
		if !a.Model.Off {
			tags = append(tags,
				plant.Tag{Path: plant.TagShadow, Kind: plant.Analog, High: 1, Resolution: 0.001, Description: "Score of the model in the shadow"},
				plant.Tag{Path: plant.TagWould, Kind: plant.Discrete, High: 1, Description: "The model in the shadow would raise"})
		}
		for _, d := range tags {
			d.Path, d.Asset, d.Derived = a.Path+"/"+d.Path, a.Path, true
			out = append(out, d)
		}
	}
	return out
}

// New builds a Set. Errors name the asset and what it asks for.
func New(cfg Config) (*Set, error) {
	if cfg.Speed == 0 {
		cfg.Speed = 1
	}
	if cfg.Speed < 0 || math.IsNaN(cfg.Speed) || math.IsInf(cfg.Speed, 0) {
		return nil, fmt.Errorf("speed %v: must be positive", cfg.Speed)
	}
	if cfg.SlowAfter == 0 {
		cfg.SlowAfter = DefaultSlowAfter
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Set{log: cfg.Log}
	byPath := make(map[string]plant.Tag, len(cfg.Tags))
	top := plant.TagID(0)
	var faults []error
	for _, t := range cfg.Tags {
		if t.ID > maxTagID {
			faults = append(faults, fmt.Errorf("tag %s: ID %d is above %d", t.Path, t.ID, maxTagID))
			continue
		}
		byPath[t.Path] = t
		top = max(top, t.ID)
	}
	byAsset := make(map[string][]plant.Tag)
	for _, t := range cfg.Tags {
		byAsset[t.Asset] = append(byAsset[t.Asset], t)
	}
	listeners := make([][]route, int(top)+1)
	s.machines = make([]machine, 0, len(cfg.Assets))
	for _, a := range cfg.Assets {
		m, err := newMachine(a, byAsset[a.Path], byPath, &cfg)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for i, sl := range m.slots {
			r := route{machine: int32(len(s.machines)), slot: int32(i)}
			listeners[sl.tag.ID] = append(listeners[sl.tag.ID], r)
		}
		s.machines = append(s.machines, m)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	for _, l := range listeners {
		s.start = append(s.start, uint32(len(s.routes)))
		s.routes = append(s.routes, l...)
	}
	s.start = append(s.start, uint32(len(s.routes)))
	return s, nil
}

func newMachine(a plant.Asset, tags []plant.Tag, byPath map[string]plant.Tag, cfg *Config) (machine, error) {
	if a.Model.Grid == 0 {
		a.Model.Grid = DefaultGrid
	}
	if a.Model.Window == 0 {
		a.Model.Window = DefaultWindow
	}
	if a.Model.Budget == 0 {
		a.Model.Budget = DefaultBudget
	}
	if a.Model.Learn == 0 {
		a.Model.Learn = DefaultLearn
	}
	grid := a.Model.Grid
	step := int64(float64(grid) / cfg.Speed)
	switch {
	case step < 1e6:
		return machine{}, fmt.Errorf("asset %s: model: grid %v at speed %v is less than 1 ms", a.Path, grid, cfg.Speed)
	case a.Model.Window < 2 || a.Model.Window > 200:
		return machine{}, fmt.Errorf("asset %s: model: window %d: allowed are 2 to 200 rows", a.Path, a.Model.Window)
	case a.Model.Budget < 0:
		return machine{}, fmt.Errorf("asset %s: model: budget %v: must be positive", a.Path, a.Model.Budget)
	}
	m := machine{asset: a, grid: grid, step: grid.Seconds(), log: cfg.Log, judged: cfg.Judged, start: true}
	m.watchdog = stopwatch{cfg.Clock, int64(cfg.SlowAfter)}
	m.trial.running, m.told.by = plant.LearnedModel, plant.LearnedModel
	m.odds = a.Model.Budget * float64(a.Model.Window) * grid.Seconds() / (7 * 24 * 3600)
	m.target = int32(min(math.MaxInt32, int64(a.Model.Learn/grid)))
	if m.recording() {
		m.target = int32(a.Model.Rows)
		step = 0
	}
	for _, t := range tags {
		if t.Derived || t.Kind != plant.Analog && t.Kind != "" {
			continue
		}
		m.slots = append(m.slots, slot{tag: t, patience: patience(t, &m, cfg.Speed)})
	}
	m.watch = len(m.slots)
	var missing []error
	find := func(path string) int {
		for i := range m.slots {
			if m.slots[i].tag.Path == path {
				return i
			}
		}
		t, ok := byPath[path]
		if !ok {
			missing = append(missing, fmt.Errorf("asset %s: tag %s is not known", a.Path, path))
			return -1
		}
		m.slots = append(m.slots, slot{tag: t})
		return len(m.slots) - 1
	}
	m.modes = newModes(&a, grid, find)
	if i := m.modes.tag; i >= 0 && m.slots[i].tag.Kind != plant.Text {
		missing = append(missing, fmt.Errorf("asset %s: mode tag %s: must be of kind text", a.Path, a.ModeTag))
	}
	for _, l := range a.Limits {
		if i := find(l.Tag); i >= 0 {
			m.limits = append(m.limits, newLimit(l, i, grid, cfg.Speed))
		}
	}
	if len(missing) > 0 {
		return machine{}, errors.Join(missing...)
	}
	m.bySlot = make([][]int, len(m.slots))
	for i := range m.limits {
		j := m.limits[i].slot
		m.bySlot[j] = append(m.bySlot[j], i)
	}
	for range m.modes.names {
		m.minds = append(m.minds, mind{memory: newMemory(m.watch)})
	}
	if m.modes.tag < 0 && !m.modes.named {
		m.modes.cur, m.modes.candidate = 0, 0
	}
	m.rows = newRows(step, len(m.slots))
	m.sense = make([]sensor, m.watch)
	m.own.window = newWindow(a.Model.Window, max(1, m.watch))
	m.say.shares = make([]float64, m.watch)
	m.say.order = make([]int, 0, m.watch)
	m.x, m.ok = make([]float64, m.watch), make([]bool, m.watch)
	m.part = make([]float64, m.watch)
	if m.judged != nil {
		for i := range m.watch {
			m.paths = append(m.paths, m.slots[i].tag.Path)
		}
	}
	m.told.health = 1
	m.score, m.health = byPath[a.Path+"/"+plant.TagScore].ID, byPath[a.Path+"/"+plant.TagHealth].ID
	m.mode, m.model = byPath[a.Path+"/"+plant.TagMode].ID, byPath[a.Path+"/"+plant.TagModel].ID
	m.shadow, m.would = byPath[a.Path+"/"+plant.TagShadow].ID, byPath[a.Path+"/"+plant.TagWould].ID
	return m, nil
}

// patience is the number of rows after which a tag's own silence is a fault.
func patience(t plant.Tag, m *machine, speed float64) int32 {
	if m.recording() {
		return silentRows
	}
	if !t.Cyclic {
		return 0
	}
	wait := max(float64(silentTime)*speed, float64(3*t.Sampling))
	return int32(min(1<<30, math.Ceil(wait/float64(m.grid))))
}

// Observe takes samples and states in the order of their arrival and appends
// findings and derived samples and states to out. Declared gaps end the
// validity of the tag's present value; one that voids what the tag was (see
// plant.Gap.Voids) makes its assets learn afresh. It keeps nothing of in.
func (s *Set) Observe(out *plant.Batch, in plant.Batch) {
	for i := range in.Gaps {
		g := &in.Gaps[i]
		for _, r := range s.of(g.Tag) {
			if m := &s.machines[r.machine]; g.Voids() {
				m.void(out, int(r.slot), g.To)
			}
			if sl := &s.machines[r.machine].slots[r.slot]; g.To > sl.time && sane(g.To) {
				sl.gap = g.To
			}
		}
	}
	if span(&in) <= lateness/2 {
		for i := range in.States {
			s.state(out, &in.States[i])
		}
		for i := range in.Samples {
			s.sample(out, &in.Samples[i])
		}
		return
	}
	// What was held up on its way comes tag by tag, each with all that it had to say.
	// In that order the first one would close the rows of the others.
	s.arrivals = s.arrivals[:0]
	for i := range in.States {
		s.arrivals = append(s.arrivals, arrival{in.States[i].Time, i, true})
	}
	for i := range in.Samples {
		s.arrivals = append(s.arrivals, arrival{in.Samples[i].Time, i, false})
	}
	slices.SortStableFunc(s.arrivals, func(a, b arrival) int { return cmp.Compare(a.time, b.time) })
	for _, a := range s.arrivals {
		if a.state {
			s.state(out, &in.States[a.index])
		} else {
			s.sample(out, &in.Samples[a.index])
		}
	}
}

// arrival is a state or a sample of a batch.
type arrival struct {
	time  int64
	index int
	state bool
}

// span is the source time that a batch reaches over, ns.
func span(in *plant.Batch) int64 {
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range in.States {
		first, last = min(first, in.States[i].Time), max(last, in.States[i].Time)
	}
	for i := range in.Samples {
		first, last = min(first, in.Samples[i].Time), max(last, in.Samples[i].Time)
	}
	if first > last {
		return 0
	}
	if d := last - first; d >= 0 {
		return d
	}
	return math.MaxInt64 // of times from one end to the other
}

func (s *Set) state(out *plant.Batch, st *plant.State) {
	for _, r := range s.of(st.Tag) {
		m := &s.machines[r.machine]
		if int(r.slot) != m.modes.tag {
			continue
		}
		v := float64(m.modes.index(st.Value))
		s.one(out, m, int(r.slot), st.Time, v, st.Quality)
	}
}

func (s *Set) sample(out *plant.Batch, sm *plant.Sample) {
	for _, r := range s.of(sm.Tag) {
		m := &s.machines[r.machine]
		if int(r.slot) == m.modes.tag {
			continue // a number is no mode
		}
		s.one(out, m, int(r.slot), sm.Time, sm.Value, sm.Quality)
	}
}

func (s *Set) of(id plant.TagID) []route {
	if int(id)+1 >= len(s.start) {
		return nil
	}
	return s.routes[s.start[id]:s.start[id+1]]
}

// one takes one sample. A fit costs some 30 ms. Assets that finish commissioning
// together take turns: one fit per third of a round of all tags, which leaves the
// live path its time and keeps the order of samples the only clock.
func (s *Set) one(out *plant.Batch, m *machine, slot int, t int64, v float64, q plant.Quality) {
	s.seen++
	if m.sample(out, slot, t, v, q, s.seen >= s.next) {
		s.next = s.seen + uint64(max(1, len(s.routes)/3))
	}
}

// Flush closes the rows that still wait for younger samples: at the end of a
// recording nothing else would.
func (s *Set) Flush(out *plant.Batch) {
	for i := range s.machines {
		m := &s.machines[i]
		for m.rows.n > 0 {
			m.close(out, true)
		}
	}
}
