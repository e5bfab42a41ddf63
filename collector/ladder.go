package collector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	mostRefusals  = 2 // hang-ups on the old session before a new one is made
	mostStuck     = 5 // failures to take the old subscription up before a new one is made
	resumeTimeout = 4 * time.Second
	mostResent    = 100_000 // notifications that a server may hold
)

// connect walks the ladder of recovery: the old session on a new channel, else
// a new session that takes the old subscription over, else a new subscription
// and gaps for what went with the old one. It returns a link on which
// notifications flow from e.seq.next on. The link may be non-nil with an error;
// the caller gives it up.
func (e *engine) connect(ctx context.Context) (*link, error) {
	l, same, err := e.open(ctx)
	if err != nil {
		return l, err
	}
	srv, err := l.describe(ctx)
	if err != nil {
		return l, err
	}
	e.peer = srv
	e.alarms.place.connect(srv.namespaces)
	e.items.meet(srv)
	if err := e.learn(ctx, l, srv); err != nil {
		return l, err
	}
	if err := e.learnTypes(ctx, l, srv); err != nil {
		return l, err
	}
	ok, err := e.resume(ctx, l, srv, same)
	if err != nil {
		if e.stuck++; e.stuck >= mostStuck {
			e.sub.id, e.stuck = 0, 0
		}
		return l, err
	}
	e.stuck = 0
	if !ok {
		if err := e.create(ctx, l, srv); err != nil {
			return l, err
		}
	}
	e.ready(l, srv, !e.resumed || !ok)
	if !e.resumed && ok {
		e.takeUp()
	}
	e.resumed, e.taken = true, ok
	e.queues()
	e.showItems()
	return l, nil
}

// reach connects as the settings say, up to an active session; same says that
// it is the old one.
func (e *engine) reach(ctx context.Context) (l *link, same bool, err error) {
	e.takeRenewed()
	if e.session == nil {
		if err := e.pace.held().room(time.Now()); err != nil { // before a connection is spent on it
			return nil, false, err
		}
	}
	if err := e.pace.connect(ctx, e.waits); err != nil {
		return nil, false, err
	}
	url := e.src.URL
	if len(e.hosts) > 0 {
		url = e.hosts[e.at].url
	}
	offers, err := getEndpoints(ctx, url)
	if err != nil {
		if unreached(err) {
			e.pace.spare()
		}
		return nil, false, err
	}
	end, err := e.sec.choose(url, offers)
	if err != nil {
		return nil, false, err
	}
	if err := e.trust(end); err != nil {
		return nil, false, err
	}
	c, err := openChannel(ctx, e.sec, end)
	if err != nil {
		return nil, false, err
	}
	c.pace = e.pace
	if l, same, err = e.login(ctx, c, end); err != nil {
		c.drop()
		return nil, false, err
	}
	if e.limits != nil {
		l.limits = e.limits
	}
	return l, same, nil
}

// waits says that the next connection has to wait for the budget.
func (e *engine) waits(wait time.Duration) {
	why := fmt.Sprintf("waits %v before the next connection: the budget of this PLC is %g a minute", wait.Round(time.Second), e.src.Budget.Connects)
	if last := e.src.board.get().LastError; last != "" {
		why += "; before that: " + last
	}
	e.src.board.set(plant.Down, why)
}

// unreached reports whether err is that nobody was there, not even a server that
// refuses.
func unreached(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// login gives a link with an active session; same says that it is the old one.
func (e *engine) login(ctx context.Context, c *channel, end *endpoint) (l *link, same bool, err error) {
	if e.session != nil && e.session.offered != "" && e.session.offered != end.offered {
		e.log.Info("the server offers other endpoints than before: making a new session, which checks them")
		e.session = nil
	}
	if e.session != nil {
		l, err := activate(ctx, c, e.sec, end, e.session)
		if err == nil {
			e.refusal = 0
			return l, true, nil
		}
		if errors.Is(err, errLogin) {
			return nil, false, err
		}
		if !refusedService(err) {
			// The link, or a server that hangs up on a session that it does not know.
			if e.refusal++; e.refusal >= mostRefusals {
				e.session, e.refusal = nil, 0
			}
			return nil, false, err
		}
		e.log.Info("the old session cannot be used again", "err", err)
		e.session.told(err)
		e.session = nil
	}
	held := e.pace.held()
	if err := held.room(time.Now()); err != nil {
		return nil, false, err
	}
	x := held.begin()
	s, err := createSession(ctx, c, e.sec, end, "Millwright "+e.src.Name, cmp.Or(e.src.life, sessionLife))
	if s == nil {
		if refusedService(err) {
			x.end()
		}
		return nil, false, err
	}
	s.stay = x
	held.grants(s.life)
	if err == nil {
		l, err = activate(ctx, c, e.sec, end, s)
	}
	if err != nil {
		(&link{channel: c, session: s}).leave(ctx) // else it would stand at the server until its time is over
		return nil, false, err
	}
	e.session = s
	return l, false, nil
}

// resume takes up the old subscription: transfers it where the session is a new
// one, and fetches what was sent but has not arrived. False: it is gone.
func (e *engine) resume(ctx context.Context, l *link, srv peer, same bool) (bool, error) {
	if e.sub.id == 0 {
		return false, nil
	}
	if srv.started != 0 && e.started != 0 && srv.started != e.started {
		// Another run of the server may have given our number to somebody else.
		e.log.Info("the server was restarted; its subscription is gone")
		return false, nil
	}
	if srv.started == 0 && !same {
		// Nobody knows whether it was restarted: the number may be that of another
		// client by now, whose values would come as ours.
		e.log.Info("the server does not say when it was started; a subscription is not taken over into another session")
		return false, nil
	}
	e.src.board.set(plant.CatchingUp, "resuming the subscription")
	e.queues()
	if !same {
		ok, err := e.transfer(ctx, l)
		if !ok || err != nil {
			return false, err
		}
	}
	again := 0
	for {
		m, err := republish(ctx, l, e.sub.id, e.seq.next)
		switch {
		case err == nil && again >= mostResent:
			return false, fmt.Errorf("the server has sent %d notifications again, and always has another", again)
		case err == nil:
			again++
			e.repeated++
			e.seq.add(m)
			for m, ok := e.seq.pop(); ok; m, ok = e.seq.pop() {
				if err := e.deliver(ctx, m); err != nil {
					return false, err
				}
			}
			continue
		case errors.Is(err, ua.StatusBadMessageNotAvailable):
			// All that was sent is here, or there is a hole that a later number will show.
		case refusedService(err):
			e.log.Info("the subscription is gone, or the server cannot send again", "err", err)
			return false, nil
		default:
			return false, fmt.Errorf("fetching notification %d again: %w", e.seq.next, err)
		}
		break
	}
	how := "session"
	if !same {
		how = "transfer"
	}
	e.log.Info("subscription resumed", "by", how, "subscription", e.sub.id, "next", e.seq.next, "fetched_again", again)
	e.put() // the session's nonce is a new one
	return true, nil
}

// transfer moves the old subscription into the session of l. Only Good counts.
func (e *engine) transfer(ctx context.Context, l *link) (bool, error) {
	res, err := call[*ua.TransferSubscriptionsResponse](ctx, l, &ua.TransferSubscriptionsRequest{
		SubscriptionIDs: []uint32{e.sub.id}, SendInitialValues: false}, resumeTimeout)
	switch {
	case refusedService(err):
	case err != nil:
		return false, fmt.Errorf("transferring the subscription: %w", err)
	case len(res.Results) != 1 || res.Results[0] == nil:
		return false, errors.New("transferring the subscription: the server's answer makes no sense")
	case res.Results[0].StatusCode != ua.StatusOK:
		err = res.Results[0].StatusCode
	}
	if err != nil {
		e.log.Info("the subscription cannot be transferred", "err", err)
		return false, nil
	}
	return true, nil
}

func republish(ctx context.Context, l *link, subscription, number uint32) (message, error) {
	res, err := call[*ua.RepublishResponse](ctx, l, &ua.RepublishRequest{SubscriptionID: subscription, RetransmitSequenceNumber: number}, resumeTimeout)
	if tooMuch(err) {
		err = fmt.Errorf("notification %d is larger than this end takes: %w", number, ua.StatusBadMessageNotAvailable)
	}
	if err != nil {
		return message{}, err
	}
	if res.NotificationMessage == nil || res.NotificationMessage.SequenceNumber != number {
		// Some servers answer with an empty notification instead of an error.
		return message{}, fmt.Errorf("the server sent another notification than %d: %w", number, ua.StatusBadMessageNotAvailable)
	}
	return message{res.NotificationMessage, time.Now().UnixNano()}, nil
}

// create makes a new subscription with all items. What happened between the
// last value of each tag and its first new one is declared when that comes.
func (e *engine) create(ctx context.Context, l *link, srv peer) error {
	e.src.board.set(plant.Connecting, "creating monitored items")
	e.openGaps(e.why(srv))
	if e.mute != 0 {
		// It would keep its queues until its life ends. A server that does not
		// answer this has done us no harm.
		_, _ = call[*ua.DeleteSubscriptionsResponse](ctx, l, &ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{e.mute}}, resumeTimeout)
		e.mute = 0
	}
	largest, err := e.measureBursts(ctx, l, srv)
	if err != nil {
		return err
	}
	e.sub = subscription{}
	e.unacked, e.acks = e.unacked[:0], e.acks[:0]
	since := srv.now
	if since == 0 {
		since = time.Now().UnixNano()
	}
	if err := e.locate(ctx, l, srv); err != nil {
		return err
	}
	for _, b := range e.tr.bands {
		if b != nil {
			b.inside, b.since, b.remade = 0, 0, false
		}
	}
	sub, err := e.subscribe(ctx, l, srv, since, largest)
	if err != nil {
		return err
	}
	if err := e.events.create(ctx, l, sub); err != nil {
		return err
	}
	e.pulse.begin(srv.started)
	if err := e.pulse.create(ctx, l, sub, e.src.Budget, e.src.Tags); err != nil {
		return err
	}
	e.alarms.refresh = refreshing{wanted: true}
	// From here on the server holds values for us: a tag that was never heard
	// counts as heard just before.
	for i := range e.tr.last {
		for _, t := range []*tracks{&e.tr.tracks, &e.candidate, &e.durable} {
			if t.last[i] == noTime {
				t.last[i] = plant.Millis(since) - oneMilli
			}
		}
	}
	e.sub, e.started, e.seq = sub, srv.started, newSequencer(1)
	e.moved = false
	e.back.asked = 0 // its tags may have got a history, or lost it
	e.need = e.version + 1
	e.put()
	e.log.Info("subscription created", "subscription", sub.id, "tags", len(e.items.list), "publishing", sub.publishing, "keep_alive", time.Duration(sub.keepAlive)*sub.publishing)
	if x := e.items; x.slower+x.shorter > 0 {
		e.log.Warn("the server grants less than was asked", "sampled_more_slowly", x.slower, "shorter_queues", x.shorter)
	}
	e.logDeadbands()
	if n := e.items.blind; n > 0 {
		e.log.Warn("tags with a queue of one: values between two publishings are lost without a sign", "tags", n)
	}
	if !e.pulse.here && sub.deadline() > pulseDeadline {
		e.log.Warn("the server insists on long keep-alives: silence is noticed late", "after", sub.deadline())
	}
	return nil
}

// subscribe makes the subscription with its items, or lets that of the standby
// deliver.
func (e *engine) subscribe(ctx context.Context, l *link, srv peer, since int64, largest uint32) (subscription, error) {
	if p := e.adopted; p != nil {
		e.adopted = nil
		switch {
		case p.sub.id == 0:
		case e.items == p.items && e.items.bound(p.nodes):
			return p.sub, p.activate(ctx)
		default:
			// Its tags have other nodes than when it was made.
			_, _ = call[*ua.DeleteSubscriptionsResponse](ctx, l, &ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{p.sub.id}}, resumeTimeout)
		}
	}
	sub, err := createSubscription(ctx, l, e.publishing, since, largest, true)
	if err != nil {
		return sub, err
	}
	return sub, e.items.make(ctx, l, sub, srv)
}

// queues tells the translator how long the queues at the server are.
func (e *engine) queues() {
	for i := range e.items.list {
		if e.tr.queue[i] = e.items.list[i].queue; e.tr.queue[i] == 0 { // made by a process before this one
			e.tr.queue[i] = queueSize(&e.src.Tags[i], e.sub.publishing)
		}
	}
}

// why is the reason of gaps when a subscription had to be made anew.
func (e *engine) why(srv peer) reason {
	switch {
	case e.moved:
		return failedOver
	case srv.started != 0 && srv.started != e.started:
		return serverDown
	case !e.resumed:
		return edgeRestart
	case srv.started == 0:
		return serverDown
	}
	return linkDown
}

// showItems tells what is monitored and what was refused.
func (e *engine) showItems() {
	e.showRevised()
	monitored, refused := e.items.count(e.tr.wrong)
	e.src.board.update(true, func(s *plant.PLCStatus) { s.Tags, s.Rejected = monitored, refused })
	const most = 20
	for i, r := range refused {
		if i == most {
			e.log.Warn("more tags refused", "count", len(refused)-most)
			break
		}
		e.log.Warn("tag refused", "tag", r)
	}
}
