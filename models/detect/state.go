package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"iter"
	"math"

	"millwright/plant"
)

// The saved state: FORMAT.md beside this file draws it.
const (
	stateMagic   = "MWDT"
	stateVersion = 3
	oldestState  = 2 // version that is still read
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrState is the reason of every refused state.
var ErrState = errors.New("saved model state")

// Report says what became of a saved state, asset by asset.
type Report struct {
	Restored []string
	Fresh    []Fresh
}

// Fresh is an asset that learns afresh, and why.
type Fresh struct {
	Asset  string
	Reason string
}

// Saved is everything that the Set has learned and is in the middle of: a restored
// Set goes on bit for bit. Trained models are not part of it: who promoted them does
// so again. It comes in parts, of one asset at most, each valid until the next: many
// assets together are large. The Set may observe between two parts.
func (s *Set) Saved() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		sum := uint32(0)
		part := func(b []byte) bool {
			sum = crc32.Update(sum, castagnoli, b)
			return yield(b)
		}
		head := codec{b: binary.LittleEndian.AppendUint32([]byte(stateMagic), stateVersion), version: stateVersion}
		head.u64(&s.seen)
		head.u64(&s.next)
		n := uint64(len(s.machines))
		head.u64(&n)
		if !part(head.b) {
			return
		}
		h, c := codec{version: stateVersion}, codec{version: stateVersion}
		for i := range s.machines {
			m := &s.machines[i]
			c.b = c.b[:0]
			m.code(&c)
			path, print, size := m.asset.Path, m.fingerprint(), uint64(len(c.b))
			h.b = h.b[:0]
			h.text(&path)
			h.u64(&print)
			h.u64(&size)
			h.b = append(h.b, c.b...)
			if !part(h.b) {
				return
			}
		}
		yield(binary.LittleEndian.AppendUint32(nil, sum))
	}
}

// MarshalBinary is Saved in one piece.
func (s *Set) MarshalBinary() ([]byte, error) {
	var b []byte
	for part := range s.Saved() {
		b = append(b, part...)
	}
	return b, nil
}

// UnmarshalBinary is Restore with its report in the log.
func (s *Set) UnmarshalBinary(data []byte) error {
	rep, err := s.Restore(data)
	for _, f := range rep.Fresh {
		s.log.Warn("asset learns afresh", "asset", f.Asset, "reason", f.Reason)
	}
	return err
}

// Restore takes a saved state into a fresh Set, before trained models come. Damaged bytes and another
// version are refused as a whole and change nothing. An asset whose tags, modes
// or model settings differ from those that the state was saved with, or that the
// state does not know, learns afresh; the report says so.
func (s *Set) Restore(data []byte) (Report, error) {
	var rep Report
	if len(data) < len(stateMagic)+8 || string(data[:4]) != stateMagic {
		return rep, fmt.Errorf("%w: not one of ours", ErrState)
	}
	version := binary.LittleEndian.Uint32(data[4:])
	if version < oldestState || version > stateVersion {
		return rep, fmt.Errorf("%w: version %d, this program reads %d to %d", ErrState, version, oldestState, stateVersion)
	}
	body, sum := data[:len(data)-4], binary.LittleEndian.Uint32(data[len(data)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return rep, fmt.Errorf("%w: checksum does not fit", ErrState)
	}
	type saved struct {
		print uint64
		data  []byte
	}
	all := make(map[string]saved)
	c := codec{b: body[8:], read: true, version: version}
	var seen, next, count uint64
	c.u64(&seen)
	c.u64(&next)
	c.u64(&count)
	for range count {
		var path string
		var print, size uint64
		c.text(&path)
		c.u64(&print)
		c.u64(&size)
		if c.err != nil || size > uint64(len(c.b)) {
			return rep, fmt.Errorf("%w: %w", ErrState, errShort)
		}
		all[path] = saved{print, c.b[:size]}
		c.b = c.b[size:]
	}
	if c.err != nil {
		return rep, fmt.Errorf("%w: %w", ErrState, c.err)
	}
	s.seen, s.next = seen, next
	for i := range s.machines {
		m := &s.machines[i]
		old, ok := all[m.asset.Path]
		switch {
		case !ok:
			rep.Fresh = append(rep.Fresh, Fresh{m.asset.Path, "not in the saved state"})
			continue
		case old.print != m.fingerprint():
			rep.Fresh = append(rep.Fresh, Fresh{m.asset.Path, "its tags, modes, limits or model settings have changed"})
			continue
		}
		if err := m.restore(old.data, version); err != nil {
			rep.Fresh = append(rep.Fresh, Fresh{m.asset.Path, err.Error()})
			continue
		}
		rep.Restored = append(rep.Restored, m.asset.Path)
	}
	return rep, nil
}

// fingerprint of what the state's meaning depends on.
func (m *machine) fingerprint() uint64 {
	h := fnv.New64a()
	a := &m.asset
	fmt.Fprintf(h, "%d %d %d %v\n", m.watch, m.target, a.Model.Window, a.Model.Budget)
	fmt.Fprintf(h, "%d %d %v %q\n", m.grid, m.rows.step, a.Model.Off, a.ModeTag)
	for i := range m.slots {
		t := &m.slots[i].tag
		fmt.Fprintf(h, "%q %q %q %v\n", t.Path, t.Kind, t.Unit, t.Resolution)
	}
	for _, d := range a.Modes {
		fmt.Fprintf(h, "%q %v %v\n", d.Name, d.Idle, d.When)
	}
	for i := range m.limits {
		l := &m.limits[i]
		fmt.Fprintf(h, "%s %v %d %d\n", l.key, l.Value, l.delay, len(l.past))
	}
	return h.Sum64()
}

// restore reads into a copy, so that a refused state leaves m as it was.
func (m *machine) restore(data []byte, version uint32) error {
	n := m.blank()
	c := codec{b: data, read: true, version: version}
	n.code(&c)
	if c.err == nil && len(c.b) != 0 {
		c.fail(errors.New("state is longer than it should be"))
	}
	if c.err == nil {
		c.err = n.sound()
	}
	if c.err != nil {
		return c.err
	}
	*m = n
	return nil
}

// blank is a copy of m that shares no changing memory with it.
func (m *machine) blank() machine {
	n := *m
	n.rows = newRows(m.rows.step, len(m.slots))
	n.slots = append([]slot(nil), m.slots...)
	n.sense = make([]sensor, m.watch)
	n.limits = append([]limit(nil), m.limits...)
	for i := range n.limits {
		if n.limits[i].past != nil {
			n.limits[i].past = make([]float64, len(m.limits[i].past))
		}
	}
	n.modes.names = append([]string(nil), m.modes.names...)
	n.modes.idle = append([]bool(nil), m.modes.idle...)
	n.modes.rules = append([][]rule(nil), m.modes.rules...)
	n.minds = nil
	n.own = learned{window: newWindow(m.own.window.size, max(1, m.watch))}
	n.trial = trial{running: plant.LearnedModel}
	n.say = verdict{shares: make([]float64, m.watch), order: make([]int, 0, cap(m.say.order))}
	n.x, n.ok = make([]float64, m.watch), make([]bool, m.watch)
	n.part = make([]float64, m.watch)
	return n
}

func (m *machine) code(c *codec) {
	m.rows.code(c)
	for i := range m.slots {
		m.slots[i].code(c)
	}
	for i := range m.sense {
		m.sense[i].code(c)
	}
	for i := range m.limits {
		m.limits[i].code(c)
	}
	m.modes.code(c)
	n := len(m.minds)
	c.size(&n, 1)
	if c.read {
		if n > maxModes+len(m.asset.Modes)+1 {
			c.fail(errors.New("too many modes"))
			return
		}
		m.minds = make([]mind, n)
	}
	for i := range m.minds {
		m.minds[i].code(c, m.watch)
	}
	m.own.window.code(c)
	m.say.code(c)
	c.i32(&m.count)
	c.i32(&m.done)
	m.told.code(c)
	if c.version >= 3 {
		c.text(&m.trial.dropped)
	}
}

func (r *rows) code(c *codec) {
	c.num(&r.n)
	c.i64(&r.newest)
	c.i64(&r.closed)
	c.i32(&r.late)
	if r.n < 0 || r.n > len(r.open) {
		c.fail(errors.New("too many open rows"))
		return
	}
	for i := range r.n {
		o := &r.open[i]
		c.i64(&o.end)
		c.i64(&o.last)
		c.num(&o.full)
		for j := range o.cells {
			x := &o.cells[j]
			c.f64(&x.value)
			q := uint64(x.quality)
			c.u64(&q)
			x.quality = plant.Quality(q)
			c.i32(&x.samples)
		}
	}
}

func (s *slot) code(c *codec) {
	c.f64(&s.value)
	c.bit(&s.ok)
	c.i64(&s.time)
	c.i64(&s.gap)
	q := uint64(s.quality)
	c.u64(&q)
	s.quality = plant.Quality(q)
	for _, v := range []*int32{&s.fresh, &s.silent, &s.bad, &s.uncertain} {
		c.i32(v)
	}
}

func (s *sensor) code(c *codec) {
	c.fixed(s.past[:])
	for _, v := range []*float64{&s.ripple, &s.before, &s.wild} {
		c.f64(v)
	}
	for _, v := range []*int32{&s.pastN, &s.pastNext, &s.run, &s.runFresh, &s.longest, &s.excursion} {
		c.i32(v)
	}
	c.bit(&s.outside)
	c.bit(&s.doubt)
	c.bit(&s.jump)
	for f := range faults {
		c.i32(&s.active[f])
		c.i32(&s.calm[f])
		c.bit(&s.open[f])
	}
}

func (l *limit) code(c *codec) {
	c.bit(&l.open)
	c.i64(&l.since)
	c.fixed(l.past)
	c.i32(&l.pastN)
	c.i32(&l.next)
}

func (m *modes) code(c *codec) {
	n := len(m.names)
	c.size(&n, 1)
	for i := range n {
		if i == len(m.names) { // named by the PLC while running
			if len(m.names) >= maxModes || m.tag < 0 {
				c.fail(errors.New("too many modes"))
				return
			}
			m.names, m.idle, m.rules = append(m.names, ""), append(m.idle, false), append(m.rules, nil)
		}
		c.text(&m.names[i])
	}
	c.num(&m.cur)
	c.num(&m.heard)
	c.i32(&m.since)
	c.num(&m.candidate)
	c.i32(&m.held)
}

func (d *mind) code(c *codec, width int) {
	c.text(&d.failed)
	c.i32(&d.again)
	if c.read {
		d.memory = newMemory(width)
	}
	d.memory.code(c)
	has := d.model != nil
	c.bit(&has)
	if !has {
		return
	}
	if c.read {
		d.model = &model{}
	}
	d.model.code(c)
}

func (m *memory) code(c *codec) {
	c.floats(&m.ref)
	if len(m.ref) == 0 {
		m.ref = nil
	}
	c.singles(&m.vals)
	c.bits(&m.starts)
	c.i32(&m.stride)
	c.i32(&m.seen)
	c.bit(&m.broken)
}

func (m *model) code(c *codec) {
	n := len(m.tags)
	c.size(&n, 8)
	if c.read {
		m.tags = make([]int32, n)
	}
	for i := range m.tags {
		c.i32(&m.tags[i])
	}
	for _, v := range []*[]float64{&m.mean, &m.scale, &m.reach, &m.lambda, &m.level, &m.inverse, &m.partial, &m.low, &m.high} {
		c.floats(v)
	}
	c.singles(&m.p)
	for _, v := range []*int32{&m.lags, &m.stride, &m.k} {
		c.i32(v)
	}
	for _, t := range []*Law{&m.byT, &m.byQ, &m.byE, &m.byF} {
		c.fixed(t.body[:])
		for _, v := range []*float64{&t.start, &t.above, &t.sigma, &t.gamma} {
			c.f64(v)
		}
		c.i32(&t.n)
	}
	c.f64(&m.limit)
	c.bit(&m.guess)
}

func (w *window) code(c *codec) {
	c.fixed(w.z)
	c.num(&w.next)
	c.i32(&w.n)
	c.fixed(w.ewma)
	c.fixed(w.seen)
}

func (v *verdict) code(c *codec) {
	c.bit(&v.open)
	recent, modes := uint64(v.recent), uint64(v.modes)
	c.u64(&recent)
	c.u64(&modes)
	v.recent, v.modes = uint16(recent), uint32(modes)
	for _, x := range []*int32{&v.under, &v.quiet, &v.top, &v.priority} {
		c.i32(x)
	}
	c.f64(&v.peak)
	c.fixed(v.shares)
	if c.version >= 3 {
		c.text(&v.by)
	} else if v.open {
		v.by = anomalyKey
	}
}

func (t *told) code(c *codec) {
	for _, v := range []*float64{&t.score.value, &t.health} {
		c.f64(v)
	}
	c.i64(&t.score.time)
	c.i64(&t.healthTime)
	c.i32(&t.score.rows)
	for _, v := range []*string{&t.mode, &t.phase, &t.modelMode} {
		c.text(v)
	}
	c.i32(&t.progress)
	c.bit(&t.model)
	if c.version >= 3 {
		c.text(&t.by)
		c.text(&t.shadow)
	}
}

// sound checks what later code takes for granted: indices and lengths.
func (m *machine) sound() error {
	bad := errors.New("state contradicts itself")
	modes := len(m.modes.names)
	if m.modes.cur < unknown || m.modes.cur >= modes || m.modes.heard < unknown || m.modes.heard >= modes || m.modes.candidate < unknown || m.modes.candidate >= modes {
		return bad
	}
	if len(m.minds) > modes || m.modes.cur >= len(m.minds) || m.modes.tag < 0 && len(m.minds) != modes {
		return bad
	}
	for i := range m.rows.n {
		o := &m.rows.open[i]
		if i > 0 && o.end <= m.rows.open[i-1].end || o.end <= m.rows.closed || !sane(o.end) || !sane(o.last) {
			return bad
		}
	}
	if m.rows.closed != 0 && !sane(m.rows.closed) {
		return bad
	}
	if s := m.modes.tag; s >= 0 && m.slots[s].ok {
		if v := m.slots[s].value; v != math.Trunc(v) || v < unknown || v >= float64(modes) {
			return bad
		}
	}
	if s := m.modes.tag; s >= 0 {
		for i := range m.rows.n {
			if x := &m.rows.open[i].cells[s]; x.samples > 0 && !(x.value >= unknown && x.value < float64(modes)) {
				return bad
			}
		}
	}
	for i := range m.sense {
		s := &m.sense[i]
		if s.pastN < 0 || s.pastN > history || s.pastNext < 0 || s.pastNext >= history {
			return bad
		}
	}
	for i := range m.limits {
		l := &m.limits[i]
		if l.past != nil && (l.pastN < 0 || int(l.pastN) > len(l.past) || l.next < 0 || int(l.next) >= len(l.past)) {
			return bad
		}
	}
	if w := &m.own.window; w.next < 0 || w.next >= w.size || w.n < 0 || int(w.n) > w.size {
		return bad
	}
	if m.count < 0 || m.done < 0 || m.say.top < 0 || m.say.open && int(m.say.top) >= m.watch {
		return bad
	}
	for i := range m.minds {
		d := &m.minds[i]
		if !d.memory.sound() || d.model != nil && !d.model.sound(m.watch, m.own.window.size) {
			return bad
		}
	}
	return nil
}

func (m *memory) sound() bool {
	rows := len(m.starts)
	return m.stride > 0 && m.stride <= 1<<20 && m.seen >= 0 && rows <= max(1024, m.limit()) &&
		len(m.vals) == rows*m.width && (m.ref == nil && rows == 0 || len(m.ref) == m.width)
}

func (m *model) sound(watch, size int) bool {
	d, k := len(m.tags), int(m.k)
	if d == 0 || d > maxFeatures || k < 1 || k > components || m.lags < 1 || m.stride < 1 || int64(m.lags)*int64(m.stride) > int64(size) {
		return false
	}
	for i, t := range m.tags {
		if t < 0 || int(t) >= watch || i > 0 && t <= m.tags[i-1] {
			return false
		}
	}
	return len(m.mean) == d && len(m.scale) == d && len(m.reach) == d && len(m.lambda) == k && len(m.level) == d && len(m.inverse) == d*d &&
		len(m.partial) == d*d && len(m.low) == watch && len(m.high) == watch && len(m.p) == int(m.lags)*d*k
}
