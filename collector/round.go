package collector

import (
	"context"
	"errors"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

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
