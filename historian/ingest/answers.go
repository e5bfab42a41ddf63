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
	maxAsks     = 5                // doublings of that for a node that does not answer
	maxEpochs   = 64               // of one edge, whose answers are remembered
	maxParts    = 4                // commands of one answer; the rest waits for the next one
)

// answers tells the edges what is durable, and asks them for births.
type answers struct {
	g    *Ingest
	wake chan struct{} // buffered 1: something urgent

	mu    sync.Mutex         // guards what follows
	links map[int]*dial.Link // those that stand, by index of the broker
	edges map[string]*edgeAnswers

	payload sparkplug.Payload // of the run goroutine
	sealer  sparkplug.Sealer  // likewise
}

// edgeAnswers is what one edge is to be told.
type edgeAnswers struct {
	topic  string // NCMD
	epochs []*epochAnswers
	sent   time.Time
	urgent bool
	ask    bool // for a rebirth, until it comes
	asks   int
	askAt  time.Time // not before
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

// ask asks a node for its births until they come: at most once in ten seconds, and
// less often where it does not heed.
func (a *answers) ask(edge string) {
	a.mu.Lock()
	e := a.edges[edge]
	if e == nil || e.ask {
		a.mu.Unlock()
		return
	}
	e.ask = true
	a.mu.Unlock()
	a.signal()
}

// quiet forgets that births were asked for: they came, or the node left.
func (a *answers) quiet(edge string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.edges[edge]; e != nil {
		e.ask, e.asks = false, 0
	}
}

// forget drops an edge that nothing is known of.
func (a *answers) forget(edge string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.edges, edge)
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
		e.asks, e.askAt = 0, time.Time{}
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
		for _, c := range a.turn(time.Now()) {
			a.say(&c)
		}
	}
}

// command is what one edge is to be told.
type command struct {
	links  []*dial.Link
	topic  string
	now    time.Time
	births bool // asked for
	epoch  uint64
	parts  [][]sparkplug.Span
}

// turn is what the edges are to be told now.
func (a *answers) turn(now time.Time) []command {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.links) == 0 {
		return nil
	}
	// An edge is on one broker at a time, and what is said on the others is heard by
	// nobody: so all are told, and none need know where an edge is.
	links := slices.Collect(maps.Values(a.links))
	var list []command
	for _, e := range a.edges {
		if e.ask && !now.Before(e.askAt) {
			e.askAt = now.Add(askEvery << min(e.asks, maxAsks))
			e.asks++
			list = append(list, command{links: links, topic: e.topic, now: now, births: true})
		}
		for x := e.next(now); x != nil; x = e.next(now) {
			list = append(list, command{links: links, topic: e.topic, now: now, epoch: x.epoch, parts: x.take()})
		}
	}
	return list
}

func (a *answers) say(c *command) {
	if c.births {
		a.g.counts.rebirths.Add(1)
		a.payload.SetRebirth(c.now.UnixNano())
		a.send(c.links, c.topic)
	}
	for _, spans := range c.parts {
		a.g.counts.answers.Add(1)
		a.payload.SetAck(c.now.UnixNano(), sparkplug.Ack{Host: a.g.HostID, Epoch: c.epoch, Spans: spans})
		a.send(c.links, c.topic)
	}
}

// send publishes the payload. A command that is lost is made good by the next
// answer, or when the record comes again.
func (a *answers) send(links []*dial.Link, topic string) {
	b := a.sealer.AppendTo(nil, &a.payload, topic, 0, false)
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
	said, rest := x.fresh, []sparkplug.Span(nil)
	if parts := sparkplug.SplitSpans(said); len(parts) > maxParts {
		said, rest = slices.Concat(parts[:maxParts]...), slices.Concat(parts[maxParts:]...)
	}
	all := slices.Clone(said)
	for _, s := range x.last {
		all = sparkplug.AddSpans(all, s)
	}
	copy(x.last[1:], x.last[:])
	x.last[0], x.fresh = said, rest
	parts := sparkplug.SplitSpans(all)
	return parts[:min(len(parts), 2*maxParts)]
}
