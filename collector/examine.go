package collector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	roundTime   = 10 * time.Minute // all nodes are looked at again in
	roundPause  = time.Second      // between batches of a round
	rereadTime  = time.Minute      // between rounds that are wanted sooner
	learnPause  = 250 * time.Millisecond
	learnBatch  = 100
	mostAtOnce  = 500
	surveyTime  = 30 * time.Second // between looks at the namespaces
	saveTime    = 5 * time.Second
	shutPause   = 15 * time.Second // between looks at tags in quarantine
	goneTries   = 5
	gonePause   = time.Second
	mostSilence = 3 // times that no answer comes before nodes are taken unseen
)

// errMoved: monitored items are bound to nodes that are not those of their tags.
var errMoved = errors.New("nodes have other numbers than before: a new subscription is made")

// examiner looks at the nodes of the tags: at once where values wait for it, else
// by and by. One request is at the server at a time.
type examiner struct {
	looker *looker
	busy   bool
	urgent []int  // positions whose values wait, or that are new
	queued []bool // is in urgent
	tries  []int  // times that a node was gone
	again  []int  // to be urgent once more when due
	due    time.Time
	stale  []bool // was in quarantine: what its last value is nobody knows

	round   int // next one of the round
	began   time.Time
	hurry   bool // a round at the pace of learning
	more    bool // another one is wanted soon
	next    time.Time
	shutAt  time.Time
	survey  time.Time
	silent  int
	refused bool // that the server refuses is in the log
	batch   int  // nodes at once while one that fails a call is looked for; 0: no bound
	voided  []int

	saved  time.Time
	saving sync.WaitGroup
}

// identify opens what was kept of the tags.
func (e *engine) identify() {
	n := len(e.src.Tags)
	e.exam = examiner{queued: make([]bool, n), tries: make([]int, n), stale: make([]bool, n)}
	d, err := openIdentity(e.src.StateFile, e.src.Tags, e.log)
	if err != nil {
		e.log.Error("identity of the tags", "err", err)
	}
	d.show = e.showQuarantine
	e.selves = d
	e.src.identity.Store(d)
}

// recall applies what was kept: nothing that has an identity is taken before its
// node has been looked at.
func (e *engine) recall() {
	e.selves.mu.Lock()
	for i := range e.selves.list {
		s := &e.selves.list[i]
		if n, err := parseNode(s.node); s.node != "" && err == nil {
			e.items.list[i].node = n
		}
		switch {
		case s.shut != nil:
			e.tr.gate.guard[i], e.exam.stale[i] = gateClosed, true
		case s.known():
			e.tr.gate.guard[i] = gateDoubt
		}
		if s.void != "" && s.shut == nil {
			e.voids(i, s.void)
		}
	}
	e.selves.mu.Unlock()
	e.showQuarantine()
}

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

// forgo writes what is known of the tags, for the last time.
func (e *engine) forgo() {
	e.exam.saving.Wait()
	e.selves.mu.Lock()
	dirty := e.selves.dirty
	e.selves.mu.Unlock()
	if dirty {
		_ = e.selves.write()
	}
}

// doubt withholds the values of a tag until its node has been looked at.
func (e *engine) doubt(i int) {
	if g := &e.tr.gate; g.guard[i] == gateOpen {
		g.guard[i] = gateDoubt
	}
}

// suspect is doubt for tags whose items are made anew and of which anything is
// known.
func (e *engine) suspect(which []int) {
	e.selves.mu.Lock()
	defer e.selves.mu.Unlock()
	for _, i := range which {
		for _, j := range append([]int{i}, e.items.list[i].others...) {
			if e.selves.list[j].known() {
				e.doubt(j)
			}
		}
	}
}

// query lets the nodes of tags be looked at before all others.
func (e *engine) query(which ...int) {
	for _, i := range which {
		e.query(e.items.list[i].others...)
		if !e.exam.queued[i] && e.tr.gate.guard[i] != gateOpen && e.items.list[i].monitored {
			e.exam.queued[i] = true
			e.exam.urgent = append(e.exam.urgent, i)
		}
	}
}

// locate prepares a new subscription: what waits came of the old one, every node
// is in doubt, and numeric ids, which a compiler hands out afresh, are taken from
// where the browse path of the tag leads now.
func (e *engine) locate(ctx context.Context, l *link, srv peer) error {
	e.tr.gate.forget()
	var which []int
	var paths [][]plant.BrowseName
	e.selves.mu.Lock()
	for i := range e.selves.list {
		s := &e.selves.list[i]
		if s.known() {
			e.doubt(i)
		}
		if s.shut == nil && len(s.path) > 0 && e.items.list[i].node.kind == 'i' {
			which, paths = append(which, i), append(paths, s.path)
		}
	}
	e.selves.mu.Unlock()
	at, err := newLooker(l, srv).follow(ctx, paths)
	if err != nil {
		if refusedService(err) && !sessionGone(err) {
			e.log.Warn("the server does not say where browse paths lead; node ids are taken as they are", "err", err)
			return nil
		}
		return err
	}
	for j, i := range which {
		if len(at[j]) != 1 {
			continue
		}
		if was, err := e.items.list[i].node.resolve(srv.namespaces); err != nil || was.String() != at[j][0].String() {
			e.rename(i, at[j][0], srv)
		}
	}
	return nil
}

// rename lets tag i be read from another node, with those whose values come with its.
func (e *engine) rename(i int, n *ua.NodeID, srv peer) {
	for _, j := range e.items.list[i].others {
		e.rename(j, n, srv)
	}
	text := formatNode(n, srv.namespaces)
	p, err := parseNode(text)
	if err != nil {
		return
	}
	it := &e.items.list[i]
	it.node, it.fault = p, nil
	own, _ := parseNode(e.src.Tags[i].Node)
	e.selves.mu.Lock()
	s := &e.selves.list[i]
	s.node = text
	if p == own {
		s.node = ""
	}
	path := plant.FormatBrowse(s.path)
	e.selves.dirty = true
	e.selves.mu.Unlock()
	e.log.Info("tag found again at its browse path", "tag", e.src.Tags[i].Path, "path", path, "node", text)
}

// ready begins to look at nodes on a new link. fresh says that all may be others
// than before.
func (e *engine) ready(l *link, srv peer, fresh bool) {
	x := &e.exam
	x.looker, x.busy, x.silent, x.again = newLooker(l, srv), false, 0, nil
	x.urgent = x.urgent[:0]
	clear(x.queued)
	for i := range e.items.list {
		e.query(i)
	}
	if x.more = true; fresh {
		x.round, x.began, x.hurry, x.more = 0, time.Now(), true, false
	}
	x.survey = time.Now().Add(surveyTime)
}

// reread lets all nodes be looked at again soon, once a minute at most.
func (e *engine) reread() { e.exam.more = true }

// remodelled hears that the server's nodes have changed, those affected or any:
// what comes of the affected waits.
func (e *engine) remodelled(affected []*ua.NodeID) {
	named := make(map[string]bool, len(affected))
	for _, n := range affected {
		named[n.String()] = true
	}
	for i := range e.items.list {
		if n, err := e.items.list[i].node.resolve(e.peer.namespaces); len(named) > 0 && err == nil && named[n.String()] {
			e.doubt(i)
			e.query(i)
			delete(named, n.String())
		}
	}
	if len(affected) == 0 || len(named) > 0 {
		e.reread()
	}
}

// examine goes on looking at nodes, if it is time.
func (p *pump) examine(ctx context.Context, now time.Time) {
	p.obey()
	p.save(now)
	x := &p.exam
	for _, i := range p.tr.gate.alarmed {
		p.query(i)
	}
	p.tr.gate.alarmed = p.tr.gate.alarmed[:0]
	if x.busy {
		return
	}
	if len(x.again) > 0 && now.After(x.due) {
		p.query(x.again...)
		x.again = nil
	}
	if now.After(x.shutAt) {
		x.shutAt = now.Add(shutPause)
		for i, g := range p.tr.gate.guard {
			if g == gateClosed {
				p.query(i)
			}
		}
	}
	if ask := p.next(now); len(ask) > 0 {
		p.ask(ctx, ask)
		return
	}
	if now.After(x.survey) {
		x.survey = now.Add(surveyTime)
		x.busy = true
		p.do(ctx, func() answer {
			v, err := p.link.read(ctx, requestTimeout, ua.AttributeIDValue, ua.NewNumericNodeID(0, id.Server_NamespaceArray),
				ua.NewNumericNodeID(0, id.Server_ServerStatus_StartTime))
			return answer{kind: gotSpace, values: v, err: err}
		})
	}
}

// next chooses what to look at: what values wait for, then tags whose nodes the
// server did not know, then the others in turn.
func (p *pump) next(now time.Time) []question {
	x := &p.exam
	n := mostAtOnce
	if p.peer.perBrowse == 0 {
		n = learnBatch
	}
	if x.batch > 0 {
		n = min(n, x.batch)
	}
	var which []int
	for len(x.urgent) > 0 && len(which) < n {
		i := x.urgent[0]
		x.urgent, x.queued[i] = x.urgent[1:], false
		if p.items.list[i].monitored && p.tr.gate.guard[i] != gateOpen {
			which = append(which, i)
		}
	}
	if len(which) > 0 {
		return p.questions(which)
	}
	if now.Before(x.next) {
		return nil
	}
	x.next = now.Add(learnPause)
	if which = p.lost(now, min(n, learnBatch)); len(which) > 0 {
		return p.questions(which)
	}
	if x.round >= len(p.items.list) {
		x.next = now.Add(roundPause)
		x.hurry = false
		if now.Sub(x.began) < roundTime && !(x.more && now.Sub(x.began) > rereadTime) {
			return nil
		}
		x.round, x.began, x.hurry, x.more = 0, now, x.more, false
	}
	n = min(n, learnBatch)
	if !x.hurry {
		x.next = now.Add(roundPause)
		n = min(n, 1+len(p.items.list)*int(roundPause/time.Millisecond)/int(roundTime/time.Millisecond))
	}
	for ; x.round < len(p.items.list) && len(which) < n; x.round++ {
		if p.items.list[x.round].monitored && p.tr.gate.guard[x.round] == gateOpen {
			which = append(which, x.round)
		}
	}
	return p.questions(which)
}

// lost lists the tags whose nodes the server did not know and whose browse paths
// are known, when they are tried again.
func (p *pump) lost(now time.Time, most int) []int {
	var which []int
	p.selves.mu.Lock()
	defer p.selves.mu.Unlock()
	for i := range p.items.list {
		it := &p.items.list[i]
		if it.monitored || !it.lost || len(p.selves.list[i].path) == 0 || len(which) == most {
			continue
		}
		which = append(which, i)
		it.lost = false // until it is refused again
	}
	return which
}

// questions about the nodes of tags, as they are monitored now.
func (p *pump) questions(which []int) []question {
	var ask []question
	p.selves.mu.Lock()
	defer p.selves.mu.Unlock()
	for _, i := range which {
		q := question{tag: i, path: p.selves.list[i].path}
		if p.items.list[i].monitored {
			n, err := p.items.list[i].node.resolve(p.peer.namespaces)
			if err != nil {
				continue
			}
			q.id, q.trip, q.now, q.more = n, len(q.path) == 0, p.exam.stale[i] && p.src.Tags[i].Field == "", curious(&p.src.Tags[i])
		}
		ask = append(ask, q)
	}
	return ask
}

func (p *pump) ask(ctx context.Context, ask []question) {
	p.exam.busy = true
	k := p.exam.looker
	k.srv = p.peer
	p.do(ctx, func() answer {
		seen, err := k.look(ctx, ask)
		return answer{kind: gotSights, questions: ask, sights: seen, err: err}
	})
}

// sighted judges what was seen.
func (p *pump) sighted(ctx context.Context, a answer) error {
	x := &p.exam
	x.busy = false
	if a.err != nil && !p.bear(a) {
		return nil
	}
	x.silent = 0
	if x.batch *= 2; x.batch > mostAtOnce {
		x.batch = 0
	}
	p.tr.begin()
	var moved error
	for k := range a.questions {
		q := &a.questions[k]
		if a.err != nil {
			p.accept(q.tag) // nothing can be seen of it
			continue
		}
		if err := p.judge(q, &a.sights[k]); err != nil {
			moved = err
		}
	}
	return errors.Join(p.hand(ctx), moved)
}

// hand offers what was withheld and may go on, and the gaps of what may not.
func (p *pump) hand(ctx context.Context) error {
	if !p.tr.batch.Empty() {
		if err := p.write(ctx); err != nil {
			return err
		}
	}
	p.holdAcks()
	if p.tr.gate.waiting == 0 {
		for i := range p.unacked {
			if p.unacked[i].batch == withheldBatch {
				p.unacked[i].batch = p.wrote
			}
		}
	}
	if p.tr.dirty {
		p.tr.dirty = false
		p.persistGaps()
	}
	return nil
}

// silentServer reports whether err says that the server does not tell at all.
func silentServer(err error) bool {
	return errorIs(err, ua.StatusBadServiceUnsupported, ua.StatusBadNotSupported, ua.StatusBadNotImplemented, ua.StatusBadUserAccessDenied)
}

// bear decides about questions that got no answer. True: the server will not say,
// and the tags are taken as they are, which is logged; false: they are asked again,
// in smaller calls, so that one that fails the whole call is found.
func (p *pump) bear(a answer) bool {
	x := &p.exam
	x.next = time.Now().Add(gonePause)
	code := refusedService(a.err) && !sessionGone(a.err)
	switch n := len(a.questions); {
	case silentServer(a.err):
	case code && n > 1:
		x.batch = (n + 1) / 2
		fallthrough
	case !code && !errors.Is(a.err, ua.StatusBadTimeout): // the connection is at its end
		x.again, x.due = append(x.again, tagsOf(a.questions)...), x.next
		return false
	default:
		if x.silent++; x.silent < mostSilence {
			x.again, x.due = append(x.again, tagsOf(a.questions)...), x.next
			return false
		}
	}
	if !x.refused {
		x.refused = true
		p.log.Warn("the server does not say what its nodes are: tags are taken as they are", "first", p.src.Tags[a.questions[0].tag].Path, "err", a.err)
	}
	return true
}

func tagsOf(ask []question) []int {
	which := make([]int, len(ask))
	for k := range ask {
		which[k] = ask[k].tag
	}
	return which
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
		if x.tries[i]++; x.tries[i] < goneTries {
			x.again, x.due = append(x.again, i), time.Now().Add(gonePause)
			return nil
		}
	}
	x.tries[i] = 0
	astray := s.asked && !s.leads(q.id)
	if astray && len(s.at) == 1 && it.node.kind == 'i' {
		p.rename(i, s.at[0], p.peer)
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
	if lifted {
		p.log.Info("tag is what it was before its quarantine: it is read again", "tag", p.src.Tags[i].Path)
		p.showQuarantine()
	}
	if q.more {
		p.know([]int{i}, []detail{s.detail})
	}
	p.accept(i)
	if q.now {
		x.stale[i] = false
		p.tr.latest(i, s.value)
	}
	return nil
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
		p.rename(q.tag, s.at[0], p.peer)
		p.doubt(q.tag)
		it.retry = time.Now()
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
		p.query(r.tag)
	}
	p.need = p.version + 1
	p.put()
}

// save writes what is known of the tags aside, where it has changed.
func (p *pump) save(now time.Time) {
	if now.Sub(p.exam.saved) < saveTime {
		return
	}
	p.exam.saved = now
	p.selves.mu.Lock()
	p.exam.voided = slices.DeleteFunc(p.exam.voided, func(i int) bool {
		told := p.durable.reason[i] == noGap // the gap that says so
		if told {
			p.selves.list[i].void, p.selves.dirty = "", true
		}
		return told
	})
	dirty := p.selves.dirty
	p.selves.mu.Unlock()
	if dirty {
		p.exam.saving.Go(func() { _ = p.selves.write() })
	}
}

// surveyed holds the server's namespaces and start against those that the items
// were made with.
func (p *pump) surveyed(a answer) error {
	p.exam.busy = false
	if a.err != nil {
		return nil // the heartbeat tells whether it lives
	}
	if t, ok := good[time.Time](a.values[1]); ok && p.started != 0 && t.UnixNano() != p.started {
		return fmt.Errorf("the server was started anew: %w", errMoved)
	}
	spaces, ok := good[[]string](a.values[0])
	if !ok {
		return nil
	}
	return p.respace(spaces)
}

// respace takes the server's namespaces as they are now. They may grow; items of
// numbers that have got another meaning are worth nothing.
func (p *pump) respace(spaces []string) error {
	if slices.Equal(spaces, p.peer.namespaces) {
		return nil
	}
	if len(spaces) < len(p.peer.namespaces) || !slices.Equal(spaces[:len(p.peer.namespaces)], p.peer.namespaces) {
		return fmt.Errorf("the server has numbered its namespaces anew: %w", errMoved)
	}
	p.peer.namespaces = spaces
	p.reread()
	return nil
}
