package collector

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"millwright/plant"
)

// voids marks the open gap of a tag as one after which it is not what it was.
func (e *engine) voids(i int, as plant.Release) {
	e.exam.voided = append(e.exam.voided, i)
	why := rescaled
	if as == plant.ReleaseNew {
		why = replaced
	}
	for _, t := range []*tracks{&e.tr.tracks, &e.candidate, &e.durable} {
		t.reason[i] = why
		if t.last[i] != noTime {
			t.last[i] -= 2 * oneMilli // so that there is a gap to say it
		}
	}
}

// judge holds a node against what is kept of its tag. The error says that the
// subscription is of no use any more.
func (p *pump) judge(q *question, s *sight) error {
	i, x := q.tag, &p.exam
	it := &p.items.list[i]
	if q.id == nil {
		p.rediscovered(q, s)
		return nil
	}
	if n, err := it.node.resolve(p.peer.namespaces); !it.monitored || err != nil || n.String() != q.id.String() {
		return nil // it is another one by now, and has its own question
	}
	if s.gone {
		x.gone[i] = true
		if x.tries[i]++; x.tries[i] < goneTries {
			x.again, x.due = append(x.again, i), time.Now().Add(gonePause)
			return nil
		}
	}
	x.tries[i] = 0
	astray := s.asked && !s.leads(q.id)
	if astray && len(s.at) == 1 && it.node.kind == 'i' && p.rename(i, s.at[0], p.peer) {
		p.tr.gate.take(i)
		return errMoved
	}
	p.selves.mu.Lock()
	self := &p.selves.list[i]
	what := self.is.changes(&s.is)
	if astray {
		what = append(what, changedPath)
	}
	if len(what) > 0 {
		p.selves.mu.Unlock()
		p.quarantine(i, s, what)
		return nil
	}
	lifted := self.shut != nil
	changed := self.is.adopt(&s.is)
	if s.description != "" && s.description != self.description {
		self.description, changed = s.description, true
	}
	if len(self.path) == 0 && len(s.path) > 0 {
		self.path, changed = s.path, true
	}
	self.shut = nil
	if changed || lifted {
		p.selves.dirty = true
		p.selves.told++
	}
	p.selves.mu.Unlock()
	if q.more {
		p.know([]int{i}, []detail{s.detail})
	}
	if lifted {
		p.log.Info("tag is what it was before its quarantine: it is read again", "tag", p.src.Tags[i].Path)
		p.showQuarantine()
	}
	if p.remake(i) {
		return nil
	}
	p.accept(i)
	if q.now {
		x.stale[i] = false
		p.tr.latest(i, s.value)
	}
	return nil
}

// remake lets the monitored item of a tag be made anew whose node was gone, and reports
// whether it does: an item of a node that was removed stays dead, on some servers without
// a word, when one of the same id comes back.
func (p *pump) remake(i int) bool {
	lead := p.items.list[i].lead
	it := &p.items.list[lead]
	if !p.exam.gone[i] || !it.monitored {
		return false
	}
	p.exam.gone[i] = false
	p.tr.gate.guard[i] = gateDoubt
	p.items.drop(lead)
	p.items.rest(lead, "its monitored item is made anew")
	it.retry = time.Now()
	for _, j := range append([]int{lead}, it.others...) { // what changes meanwhile is not told
		p.tr.dirty = p.tr.open(j, quarantined) || p.tr.dirty
	}
	return true
}

// accept lets the values of a tag flow, with those that waited.
func (p *pump) accept(i int) {
	g := &p.tr.gate
	if g.guard[i] == gateClosed {
		p.selves.mu.Lock()
		shut := p.selves.list[i].shut != nil
		p.selves.mu.Unlock()
		if shut {
			return
		}
	}
	g.guard[i] = gateOpen
	p.tr.pass(i)
}

// quarantine closes a tag whose node is another than it was.
func (p *pump) quarantine(i int, s *sight, what []string) {
	g := &p.tr.gate
	p.selves.mu.Lock()
	self := &p.selves.list[i]
	before := self.shut
	next := &shut{since: time.Now().UnixNano(), is: s.is, path: s.path, what: what}
	if before != nil {
		next.since = before.since
	}
	self.shut = next
	q := self.tell(p.src.Tags[i].Path)
	same := before != nil && before.is == next.is && slices.Equal(before.path, next.path) && slices.Equal(before.what, next.what)
	if !same {
		p.selves.dirty = true
	}
	p.selves.mu.Unlock()
	if same && g.guard[i] == gateClosed {
		return
	}
	p.log.Warn("tag in quarantine: its node is not what it was; release it as same, rescaled or new",
		"tag", q.Tag, "what", strings.Join(what, " "), "was", q.Was, "is", q.Is)
	if g.guard[i] != gateClosed {
		g.guard[i], p.exam.stale[i] = gateClosed, true
		p.tr.endValidity(i)
		p.tr.refuse(i)
		for _, h := range p.back.holes {
			if h.tag == i && !h.done() {
				p.giveUp(h)
			}
		}
	}
	p.showQuarantine()
}

// showQuarantine tells which tags are in quarantine.
func (e *engine) showQuarantine() {
	list, more := e.selves.quarantined(plant.MostQuarantined)
	e.src.board.update(true, func(s *plant.PLCStatus) { s.Quarantined, s.QuarantinedMore = list, more })
}

// rediscovered takes up a tag whose node the server did not know, where its browse
// path leads to one.
func (p *pump) rediscovered(q *question, s *sight) {
	it := &p.items.list[q.tag]
	if it.monitored {
		return
	}
	switch len(s.at) {
	case 1:
		if p.rename(q.tag, s.at[0], p.peer) {
			p.doubt(q.tag)
			it.retry = time.Now()
		}
	case 0:
		p.home(q.tag)
		it.refused = fmt.Sprintf("%s; nothing is at its browse path %s either", it.refused, plant.FormatBrowse(q.path))
	default:
		it.refused = fmt.Sprintf("%s; its browse path %s leads to %d nodes", it.refused, plant.FormatBrowse(q.path), len(s.at))
	}
}

// home lets a tag be looked for at the node of the tag list again.
func (p *pump) home(i int) {
	own, err := parseNode(p.src.Tags[i].Node)
	if err != nil {
		return
	}
	p.items.list[i].node = own
	p.selves.mu.Lock()
	defer p.selves.mu.Unlock()
	if s := &p.selves.list[i]; s.node != "" {
		s.node, p.selves.dirty = "", true
	}
}

// obey applies what engineers have said of tags in quarantine. Their nodes are
// looked at once more before values flow.
func (p *pump) obey() {
	p.selves.mu.Lock()
	list := p.selves.released
	p.selves.released = nil
	p.selves.mu.Unlock()
	if len(list) == 0 {
		return
	}
	for _, r := range list {
		if r.as != plant.ReleaseSame {
			p.voids(r.tag, r.as)
		}
		p.tr.gate.guard[r.tag] = gateDoubt
		if !p.remake(r.tag) {
			p.query(r.tag)
		}
	}
	p.need = p.version + 1
	p.put()
}
