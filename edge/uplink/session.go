package uplink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millwright/edge/queue"
	"millwright/plant"
	"millwright/sparkplug"
	"millwright/sparkplug/dial"
)

const (
	tickEvery   = 50 * time.Millisecond
	checkEvery  = 200 * time.Millisecond
	statusEvery = 30 * time.Second
	statusLeast = time.Second // between two, however much changes
	flushFor    = 500 * time.Millisecond
	// clockBack is how far the clock is set back before the node is born anew: what
	// comes would count as older than the birth, and nobody would see it live.
	clockBack = time.Second
	askLeast  = 250 * time.Millisecond // for the host's STATE, doubling
	askMost   = 4 * time.Second
	// hostPatience is how long a broker may say nothing of the primary host, where
	// there are others.
	hostPatience = 10 * time.Second
)

var (
	errHostOffline = errors.New("the primary host is offline")
	errHostSilent  = errors.New("the primary host says nothing on this broker")
	errLost        = errors.New("connection lost")
	errRenewed     = errors.New("new certificate or password")
)

// session is one connection: waiting for the host, births, data.
type session struct {
	u      *Uplink
	broker string
	link   *dial.Link
	bdSeq  uint8
	seq    uint8
	sealed uint64 // session of what goes out, see sparkplug.Sealer; 0 until the NBIRTH is

	states   chan sparkplug.HostState
	commands chan sparkplug.Command
	state    sparkplug.HostState // last valid one
	seen     bool

	birth    int64 // ns UTC
	rebirth  bool
	changed  bool
	statusAt time.Time
	own      announced
	devices  map[string]*announced
	declared []bool
	openings []uint64 // epochs that the births name
	paths    map[plant.TagID]string
	oldest   map[uint64]uint64 // last Oldest sent, by epoch

	sweeps   [queue.Lanes]sweep
	pace     pace
	budget   budget
	replayAt time.Time
	checked  time.Time

	payload sparkplug.Payload
	buf     []byte
	waves   []byte // bytes of the waveforms in payload
	order   []place
}

// session connects and works until the connection or the host is lost, or ctx
// ends. It reports whether births were sent.
func (u *Uplink) session(ctx context.Context, broker string, bdSeq uint8) (born bool, err error) {
	l, err := u.connect(ctx, broker, bdSeq)
	if err != nil {
		return false, err
	}
	u.connection.stands(l)
	u.connection.set(broker, plant.BrokerWaiting, "")
	s := &session{
		u: u, broker: broker, link: l, bdSeq: bdSeq, budget: budget{perSecond: float64(u.LinkKbit) * replayShare * 1000 / 8},
		states: make(chan sparkplug.HostState, 64), commands: make(chan sparkplug.Command, 256),
		paths: map[plant.TagID]string{},
	}
	defer l.Close()
	if err := s.subscribe(ctx); err != nil {
		return false, err
	}
	if err := s.awaitHost(ctx); err != nil {
		if ctx.Err() != nil || errors.Is(err, errHostOffline) || errors.Is(err, errHostSilent) || errors.Is(err, errRenewed) {
			err = errors.Join(err, s.leave())
		}
		return false, err
	}
	u.flights.reset()
	u.hand.begin()
	for i := range s.sweeps {
		s.sweeps[i].lane = queue.Lane(i)
		s.sweeps[i].newest = u.NewestFirst && queue.Lane(i) == queue.Telemetry
		s.sweeps[i].start()
	}
	if err := s.births(); err != nil {
		return false, fmt.Errorf("births: %w", err)
	}
	s.replayAt = time.Now().Add(delay(u.Queue.Stats().Bytes))
	u.connection.set(broker, plant.BrokerLive, "")
	u.Log.Info("connected to the plant", "broker", broker, "node", u.Group+"/"+u.Node)
	err = s.run(ctx)
	switch {
	case ctx.Err() != nil:
		s.flush()
		return true, errors.Join(ctx.Err(), s.leave())
	case errors.Is(err, errRenewed):
		s.flush()
		return true, errors.Join(err, s.leave())
	case errors.Is(err, errHostOffline):
		err = errors.Join(err, s.leave())
	}
	return true, err
}

// subscribe asks for the host's STATE and for commands before anything is said
// (tck-id-message-flow-edge-node-ncmd-subscribe).
func (s *session) subscribe(ctx context.Context) error {
	u := s.u
	if u.PrimaryHost != "" {
		if err := s.subscribeState(ctx); err != nil {
			return err
		}
	}
	topic := u.topic(sparkplug.NCMD, "")
	return s.link.Subscribe(ctx, topic, func(_ string, payload []byte) {
		var p sparkplug.Payload
		if p.Decode(payload) != nil || u.HostKey != nil && new(sparkplug.Opener).Open(&p, payload, topic, 0, u.HostKey) != nil {
			u.counts.refused.Add(1)
			return
		}
		c, err := p.Command()
		if err != nil {
			u.counts.acksIgnored.Add(1)
		}
		hand(u, s.commands, c)
	})
}

// subscribeState asks for the host's STATE, which the broker has retained.
func (s *session) subscribeState(ctx context.Context) error {
	u := s.u
	topic := sparkplug.Topic{Kind: sparkplug.STATE, Host: u.PrimaryHost}.String()
	return s.link.Subscribe(ctx, topic, func(_ string, payload []byte) {
		state, err := sparkplug.ParseHostState(payload)
		if err != nil {
			u.counts.dropped.Add(1)
			return
		}
		hand(u, s.states, state)
	})
}

// hand puts a message from the broker into an inbox. A full one drops it: what
// matters is said again.
func hand[T any](u *Uplink, inbox chan<- T, v T) {
	select {
	case inbox <- v:
	default:
		u.counts.dropped.Add(1)
	}
}

// awaitHost returns when the primary host says that it is online
// (tck-id-message-flow-edge-node-birth-publish-phid-wait).
//
// A broker may retain a STATE a moment after it has routed it: who subscribes in
// between hears nothing of it, ever. So the subscription is made again from time
// to time, which makes the broker send what it has retained
// (MQTT 3.1.1, 3.8.4).
func (s *session) awaitHost(ctx context.Context) error {
	told := time.NewTimer(2 * time.Second)
	defer told.Stop()
	var patience <-chan time.Time
	if len(s.u.Standby) > 0 {
		t := time.NewTimer(hostPatience)
		defer t.Stop()
		patience = t.C
	}
	pause := askLeast
	ask := time.NewTimer(pause)
	defer ask.Stop()
	for s.u.PrimaryHost != "" {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.link.Lost():
			return errors.Join(errLost, err)
		case <-s.commands: // to a node that has not been born
		case <-ask.C:
			if err := s.subscribeState(ctx); err != nil {
				return err
			}
			pause = min(2*pause, askMost)
			ask.Reset(pause)
		case <-told.C:
			s.u.Log.Info("connected, waiting for the primary host", "broker", s.broker, "host", s.u.PrimaryHost)
		case <-patience:
			return errHostSilent
		case err := <-s.link.Renewed():
			if err := s.renewed(err); err != nil {
				return err
			}
		case state := <-s.states:
			switch {
			case !s.takeState(state):
			case state.Online:
				return nil
			case patience != nil: // tck-id-operational-behavior-primary-application-state-with-multiple-servers-walk
				return errHostOffline
			}
		}
	}
	return nil
}

// takeState notes a STATE unless it is older than the last one
// (tck-id-message-flow-edge-node-birth-publish-phid-wait-timestamp).
func (s *session) takeState(state sparkplug.HostState) (valid bool) {
	if s.seen && state.Timestamp < s.state.Timestamp {
		return false
	}
	s.state, s.seen = state, true
	return true
}

// hear takes a STATE while data flows. A host that comes anew was not there for what
// it has not acknowledged, so that goes out again at once: a broker may have had the
// STATE of a killed host still, and what was sent on the strength of it is lost.
func (s *session) hear(state sparkplug.HostState) error {
	before := s.state.Timestamp
	switch {
	case !s.takeState(state):
	case !state.Online:
		return errHostOffline
	case state.Timestamp > before:
		s.u.flights.reset()
		for i := range s.sweeps {
			s.sweeps[i].start()
		}
	}
	return nil
}

// renewed ends the session where the files of the access are new and can be used.
// A connection stands on what it was made with, so nothing is lost meanwhile.
func (s *session) renewed(err error) error {
	if err != nil {
		s.u.Log.Warn("the new certificate or password cannot be used, the connection stands on the one before", "err", err)
		return nil
	}
	return errRenewed
}

// run sends until something ends the session.
func (s *session) run(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		if err := s.receive(ctx); err != nil {
			return err
		}
		did, err := s.step(time.Now())
		if err != nil {
			return err
		}
		if did {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.link.Lost():
			return errors.Join(errLost, err)
		case err := <-s.link.Renewed():
			if err := s.renewed(err); err != nil {
				return err
			}
		case c := <-s.commands:
			s.obey(c)
		case state := <-s.states:
			if err := s.hear(state); err != nil {
				return err
			}
		case <-s.u.changed:
			s.changed = true
		case <-s.u.hand.wake:
		case <-tick.C:
		}
	}
}

// receive takes what has arrived, without waiting.
func (s *session) receive(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.link.Lost():
			return errors.Join(errLost, err)
		case err := <-s.link.Renewed():
			if err := s.renewed(err); err != nil {
				return err
			}
		case state := <-s.states:
			if err := s.hear(state); err != nil {
				return err
			}
		case c := <-s.commands:
			s.obey(c)
		case <-s.u.changed:
			s.changed = true
		default:
			return nil
		}
	}
}

// step does the most urgent thing there is to do.
func (s *session) step(now time.Time) (did bool, err error) {
	s.check(now)
	switch {
	case s.rebirth || s.u.again.Swap(false) || s.birth-now.UnixNano() > int64(clockBack):
		return true, s.births()
	case s.changed && now.Sub(s.statusAt) >= statusLeast:
		s.changed = false
		if err := s.syncDevices(); err != nil {
			return false, err
		}
		return true, s.sendStatus(now)
	}
	if r := s.u.hand.take(queue.Findings); r != nil {
		return true, s.sendRecord(r, false, now)
	}
	if did, err := s.again(&s.sweeps[queue.Findings], now); did || err != nil {
		return did, err
	}
	if did, err := s.again(&s.sweeps[queue.Audit], now); did || err != nil {
		return did, err
	}
	if r := s.u.hand.take(queue.Telemetry); r != nil {
		return true, s.sendRecord(r, false, now)
	}
	if now.Sub(s.statusAt) >= statusEvery {
		return true, s.sendStatus(now)
	}
	if did, err := s.again(&s.sweeps[queue.Telemetry], now); did || err != nil {
		return did, err
	}
	// Last, because they are large: telemetry never waits for them, nor does a link
	// of few bits carry them for its sake.
	if !s.budget.left(now) {
		return false, nil
	}
	if r := s.u.hand.take(queue.Waveforms); r != nil {
		return true, s.sendRecord(r, false, now)
	}
	return s.again(&s.sweeps[queue.Waveforms], now)
}

// check looks at what is overdue, and has the backlog looked through for
// records that were not handed over or must be sent again.
func (s *session) check(now time.Time) {
	if now.Sub(s.checked) < checkEvery {
		return
	}
	s.checked = now
	u := s.u
	var due [queue.Lanes]bool
	if u.Delivery == ByState {
		s.settleStood(now)
	} else {
		var aside []key
		due, aside = u.flights.expire(now)
		for _, k := range aside {
			s.setAside(k, errors.New("never answered"))
		}
	}
	missed := u.hand.takeMissed()
	for i := range s.sweeps {
		w := &s.sweeps[i]
		every := sweepEvery
		if w.lane == queue.Findings || w.lane == queue.Audit {
			every = quickSweep
		}
		if due[i] || !w.active && (missed || now.Sub(w.ended) >= every) {
			w.start()
		}
	}
}

// again sends the next record of a lane's backlog, where that may be.
func (s *session) again(w *sweep, now time.Time) (did bool, err error) {
	u := s.u
	f := &u.flights
	if !f.room(w.lane) || w.lane != queue.Findings && w.lane != queue.Audit && (now.Before(s.replayAt) || !s.budget.left(now)) {
		return false, nil
	}
	r, err := w.next(u.Queue, f, now)
	if r == nil || err != nil {
		return false, err
	}
	n := len(r.Batch.Samples) + len(r.Batch.States)
	if w.lane == queue.Telemetry && !s.pace.allow(n, u.hand.liveRate(now), now) {
		return false, nil
	}
	w.buf = w.buf[1:]
	return true, s.sendRecord(r, true, now)
}

// sendRecord publishes a record.
func (s *session) sendRecord(r *queue.Record, replay bool, now time.Time) error {
	u := s.u
	k := key{r.Epoch, r.Number}
	if u.flights.busy(k) {
		return nil
	}
	historical := replay || u.flights.list[k] != nil || r.Created <= s.birth || now.UnixNano()-r.Created > int64(liveFor) || s.gone(r.Device)
	topic, err := s.encode(r, historical)
	if errors.Is(err, errUndeclared) { // a tag, or what was salvaged, that came since the births
		if err := s.births(); err != nil {
			return err
		}
		if !s.names(r.Epoch) {
			return nil // settled meanwhile, and the last of its opening
		}
		historical = true
		topic, err = s.encode(r, historical)
	}
	if err != nil {
		u.flights.setAside(k)
		s.setAside(k, err)
		return nil
	}
	if err := s.send(topic); err != nil {
		return err
	}
	if r.Epoch == u.Queue.Epoch() {
		u.flights.publish(r.Number)
	}
	if u.flights.send(k, r.Lane, len(s.buf), replay, now) {
		u.counts.sent.Add(1)
	} else {
		u.counts.again.Add(1)
	}
	return nil
}

// gone reports whether a device has died: what is left of it is not current.
func (s *session) gone(device string) bool {
	d := s.devices[device]
	return d != nil && !d.alive
}

// setAside reports a record that is not sent any more. It stays in the queue.
func (s *session) setAside(k key, reason error) {
	u := s.u
	u.counts.setAside.Add(1)
	u.Log.Error("record set aside", "epoch", k.epoch, "record", k.number, "reason", reason)
	records, err := u.Queue.Append([]queue.Draft{{Lane: queue.Findings, Batch: plant.Batch{Findings: []plant.Finding{{
		Asset: u.Node, Key: fmt.Sprintf("queue/%d/%d", k.epoch, k.number), Kind: plant.KindQueue,
		Class: plant.SystemFault, Phase: plant.Raise, Detector: "uplink",
		Time: plant.Millis(time.Now().UnixNano()), Priority: 3,
	}}}}}, nil)
	if err != nil {
		u.Log.Error("finding not queued", "err", err)
		return
	}
	for _, r := range records {
		u.hand.offer(r)
	}
}

// flush sends what has been handed over, for a moment.
func (s *session) flush() {
	for end := time.Now().Add(flushFor); time.Now().Before(end); {
		r := s.u.hand.take(queue.Findings)
		if r == nil {
			r = s.u.hand.take(queue.Telemetry)
		}
		if r == nil {
			r = s.u.hand.take(queue.Waveforms)
		}
		if r == nil {
			return
		}
		if err := s.sendRecord(r, false, time.Now()); err != nil {
			return
		}
	}
}

// leave says goodbye: the NDEATH first, then DISCONNECT
// (tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath).
func (s *session) leave() error {
	s.payload.SetNodeDeath(time.Now().UnixNano(), s.bdSeq)
	return s.link.Leave(s.u.topic(sparkplug.NDEATH, ""), false, s.payload.AppendTo(nil))
}

// obey does what a command asks for: a rebirth, or the freeing of records.
func (s *session) obey(c sparkplug.Command) {
	u := s.u
	if n := len(c.Refused); n > 0 {
		u.counts.refused.Add(uint64(n))
		u.Log.Warn("command refused: nothing but a rebirth can be asked of this node", "metrics", c.Refused[:min(n, 5)])
	}
	if c.Rebirth {
		s.rebirth = true
	}
	if c.Ack != nil {
		s.settle(*c.Ack)
	}
}

// settle frees records on the historian's word, if it is the historian's, of an
// epoch that is held, and of numbers that have gone out.
func (s *session) settle(a sparkplug.Ack) {
	u := s.u
	current := a.Epoch == u.Queue.Epoch()
	switch {
	case a.Host != u.PrimaryHost || u.PrimaryHost == "",
		!current && u.Queue.Oldest(a.Epoch) == 0,
		current && !u.flights.wasPublished(a.Spans):
		u.counts.acksIgnored.Add(1)
		u.Log.Debug("acknowledgement ignored", "host", a.Host, "epoch", a.Epoch, "spans", len(a.Spans))
		return
	}
	n, err := u.Queue.Settle(a.Epoch, a.Spans)
	if err != nil {
		u.Log.Error("records are not freed", "err", err)
		return
	}
	u.counts.settled.Add(uint64(n))
	u.heard.Store(time.Now().UnixNano())
	u.flights.acked(a.Epoch, a.Spans, time.Now())
}

// settleStood frees what was published so long ago that the connection and the
// host's STATE, had they failed, would have been noticed since: both end the
// session, and a new one begins with nothing on its way.
func (s *session) settleStood(now time.Time) {
	u := s.u
	for epoch, spans := range u.flights.stood(now.Add(-u.standFor())) {
		n, err := u.Queue.Settle(epoch, spans)
		if err != nil {
			u.Log.Error("records are not freed", "err", err)
			return
		}
		u.counts.settled.Add(uint64(n))
		u.heard.Store(time.Now().UnixNano())
	}
}
