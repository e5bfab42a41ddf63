package collector

import (
	"errors"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"
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
	gone   []bool // its node was gone since its item was made

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
	e.exam = examiner{queued: make([]bool, n), tries: make([]int, n), stale: make([]bool, n), gone: make([]bool, n)}
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
			e.tr.gate.guard[i], e.exam.stale[i], e.exam.gone[i] = gateClosed, true, true
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
