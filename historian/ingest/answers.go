package ingest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"millwright/historian/store"
	"millwright/sparkplug"
	"millwright/sparkplug/dial"
)

const (
	answerEvery = 200 * time.Millisecond // per edge, but for findings
	answerTick  = 50 * time.Millisecond
	repeats     = 3                // answers that the next one says again
	askEvery    = 10 * time.Second // rebirths of one node
	maxEpochs   = 64               // of one edge, whose answers are remembered
)

// answers tells the edges what is durable, and asks them for births.
type answers struct {
	g    *Ingest
	wake chan struct{} // buffered 1: something urgent

	mu    sync.Mutex         // guards what follows
	links map[int]*dial.Link // those that stand, by index of the broker
	edges map[string]*edgeAnswers

	payload sparkplug.Payload // of the run goroutine
}

// edgeAnswers is what one edge is to be told.
type edgeAnswers struct {
	topic  string // NCMD
	epochs []*epochAnswers
	sent   time.Time
	urgent bool
	ask    bool // for a rebirth
	asked  time.Time
}

// epochAnswers is what is to be told of one epoch.
type epochAnswers struct {
	epoch uint64
	fresh []sparkplug.Span          // since the last answer
	last  [repeats][]sparkplug.Span // what the last answers said anew
}

// meet makes an edge known by its NCMD topic. The caller need not hold mu.
func (a *answers) meet(edge, topic string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.edges[edge] == nil {
		a.edges[edge] = &edgeAnswers{topic: topic}
	}
}

// of returns the answers of an epoch. The caller holds mu.
func (e *edgeAnswers) of(epoch uint64) *epochAnswers {
	for _, x := range e.epochs {
		if x.epoch == epoch {
			return x
		}
	}
	if len(e.epochs) >= maxEpochs {
		e.epochs = slices.Delete(e.epochs, 0, 1)
	}
	x := &epochAnswers{epoch: epoch}
	e.epochs = append(e.epochs, x)
	return x
}

// durable notes records that are durable, or were and came again.
func (a *answers) durable(marks []store.Mark, urgent bool) {
	a.mu.Lock()
	for _, m := range marks {
		if e := a.edges[m.Edge]; e != nil {
			x := e.of(m.Epoch)
			x.fresh = sparkplug.AddSpan(x.fresh, sparkplug.Span{First: m.Number, Last: m.Number})
			e.urgent = e.urgent || urgent
		}
	}
	a.mu.Unlock()
	if urgent {
		a.signal()
	}
}

// whole notes all that is durable of the epoch that an edge was born with.
func (a *answers) whole(edge string, number uint64, spans []sparkplug.Span) {
	if len(spans) == 0 {
		return
	}
	a.mu.Lock()
	if e := a.edges[edge]; e != nil {
		x := e.of(number)
		x.fresh = sparkplug.AddSpans(x.fresh, spans)
		e.urgent = true
	}
	a.mu.Unlock()
	a.signal()
}

// ask asks a node for its births, at most once in ten seconds.
func (a *answers) ask(edge string) {
	a.mu.Lock()
	if e := a.edges[edge]; e != nil {
		e.ask = true
	}
	a.mu.Unlock()
	a.signal()
}

// born forgets that births were asked for.
func (a *answers) born(edge string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.edges[edge]; e != nil {
		e.ask = false
	}
}

func (a *answers) signal() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// setLink gives the connection to a broker on which to answer, or nil. With a new
// one births may be asked for at once: an edge that was there first has sent them to
// nobody.
func (a *answers) setLink(broker int, l *dial.Link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l == nil {
		delete(a.links, broker)
	} else {
		a.links[broker] = l
	}
	for _, e := range a.edges {
		e.asked = time.Time{}
	}
}

// run sends until ctx ends.
func (a *answers) run(ctx context.Context) {
	if a.g.Standby {
		return
	}
	tick := time.NewTicker(answerTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-a.wake:
		}
		for a.turn(time.Now()) {
		}
	}
}

// turn sends what one edge is to be told now, and reports whether there was
// something.
func (a *answers) turn(now time.Time) bool {
	a.mu.Lock()
	// An edge is on one broker at a time, and what is said on the others is heard by
	// nobody: so all are told, and none need know where an edge is.
	links, topic, parts := slices.Collect(maps.Values(a.links)), "", [][]sparkplug.Span(nil)
	var number uint64
	ask := false
	if len(links) > 0 {
		for _, e := range a.edges {
			if ask = e.ask && now.Sub(e.asked) >= askEvery; ask {
				e.ask, e.asked, topic = false, now, e.topic
				break
			}
			if x := e.next(now); x != nil {
				number, parts, topic = x.epoch, x.take(), e.topic
				break
			}
		}
	}
	a.mu.Unlock()
	if topic == "" {
		return false
	}
	if ask {
		a.g.counts.rebirths.Add(1)
		a.payload.SetRebirth(now.UnixNano())
		a.send(links, topic)
	}
	for _, spans := range parts {
		a.g.counts.answers.Add(1)
		a.payload.SetAck(now.UnixNano(), sparkplug.Ack{Host: a.g.HostID, Epoch: number, Spans: spans})
		a.send(links, topic)
	}
	return true
}

// send publishes the payload. A command that is lost is made good by the next
// answer, or when the record comes again.
func (a *answers) send(links []*dial.Link, topic string) {
	b := a.payload.AppendTo(nil)
	for _, l := range links {
		if err := l.Publish(topic, b); err != nil {
			a.g.Log.Debug("command not sent", "topic", topic, "err", err)
		}
	}
}

// next is the epoch of which the edge is to be told now, or nil: the one that
// waits for longest. The caller holds mu.
func (e *edgeAnswers) next(now time.Time) *epochAnswers {
	if !e.urgent && now.Sub(e.sent) < answerEvery {
		return nil
	}
	for i, x := range e.epochs {
		if len(x.fresh) == 0 {
			continue
		}
		// Behind the others, so that one busy epoch does not silence them.
		e.epochs = append(slices.Delete(e.epochs, i, i+1), x)
		e.sent = now
		e.urgent = e.urgent && slices.ContainsFunc(e.epochs, func(o *epochAnswers) bool { return o != x && len(o.fresh) > 0 })
		return x
	}
	e.urgent = false
	return nil
}

// take returns what an answer says: what is new, and what the answers before it
// said, since a command may be lost. The caller holds mu.
func (x *epochAnswers) take() [][]sparkplug.Span {
	all := slices.Clone(x.fresh)
	for _, s := range x.last {
		all = sparkplug.AddSpans(all, s)
	}
	copy(x.last[1:], x.last[:])
	x.last[0], x.fresh = x.fresh, nil
	return sparkplug.SplitSpans(all)
}
