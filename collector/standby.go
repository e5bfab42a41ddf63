package collector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	levelTime    = time.Second
	levelTimeout = time.Second // a standby that takes longer is none
)

// standby keeps a second server ready, in a goroutine of its own, until it is
// taken over or stopped: a session, the subscription with all its items, and
// nothing published (OPC 10000-4, 6.6.2.4.5).
type standby struct {
	e          *engine // of this server, for its way up to a session
	at         []int   // positions of the servers to try, in this order
	hosts      []*host
	src        *Source // the one whose standby it is
	publishing time.Duration
	template   *items
	left       left

	ready  atomic.Pointer[standing] // nil: nothing is ready
	news   signal                   // it has become ready
	stop   chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
	had    *prepared // when done is closed: what was ready
}

// prepared is a server that can be taken over.
type prepared struct {
	at      int
	link    *link
	session *session
	sec     *security
	judged  *endpoint
	peer    peer
	sub     subscription // id 0: the server is cold
	items   *items
	nodes   []node // of the tags, as the items are bound to them
	standing
	warm bool // its items sample nothing yet
}

// left is a subscription that stands at a server which was given up.
type left struct {
	at      int
	session *session
	sub     uint32
}

// watch starts a standby where there is none, and there are servers for it.
func (e *engine) watch(ctx context.Context) {
	if e.standby != nil || len(e.hosts) < 2 {
		return
	}
	sec, err := e.src.Security.open()
	if err != nil {
		return // said by the connection
	}
	s := &standby{src: e.src, hosts: e.hosts, publishing: e.publishing, template: e.items.unmade(), left: e.left,
		stop: make(chan struct{}), done: make(chan struct{}),
		e: &engine{src: &Source{Name: e.src.Name, Tags: e.src.Tags, recheck: e.src.recheck, life: e.src.life}, sec: sec, log: e.log.With("standby", true)}}
	for i := 1; i < len(e.hosts); i++ {
		s.at = append(s.at, (e.at+i)%len(e.hosts))
	}
	e.standby = s
	ctx, s.cancel = context.WithCancel(ctx)
	go s.run(ctx)
}

// run prepares a server and keeps it ready; when that fails, the next one.
func (s *standby) run(ctx context.Context) {
	defer close(s.done)
	wait := firstBackOff
	for {
		p, err := s.prepare(ctx, s.at[0])
		if err == nil {
			wait = firstBackOff
			if err = s.keep(ctx, p); err == nil {
				s.had = p
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		s.tell(s.at[0], -1, "down", err)
		s.at = append(s.at[1:], s.at[0])
		s.e.session = nil
		select {
		case <-ctx.Done():
			return
		case <-s.stop:
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, lastBackOff)
	}
}

// prepare connects to a server and makes what is to stand ready there.
func (s *standby) prepare(ctx context.Context, at int) (p *prepared, err error) {
	h := s.hosts[at]
	s.e.src.URL, s.e.limits, s.e.pace = h.url, h.limits, h.pace
	s.tell(at, -1, "connecting", nil)
	if s.left.at == at {
		s.e.session = s.left.session
	}
	l, same, err := s.e.reach(ctx)
	s.src.spare.set(nil, s.e.src.certs.others(), "")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.drop()
		}
	}()
	if same && s.left.sub != 0 {
		// It would keep its queues, and fill them, until its life ends.
		_, _ = call[*ua.DeleteSubscriptionsResponse](ctx, l, &ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{s.left.sub}}, resumeTimeout)
	}
	s.left = left{at: -1}
	p = &prepared{at: at, link: l, session: s.e.session, sec: s.e.sec, judged: s.e.judged, items: s.template.unmade()}
	if p.peer, err = l.describe(ctx); err != nil {
		return nil, err
	}
	if p.standing, err = l.standing(ctx); err != nil {
		return nil, err
	}
	if s.src.StandbyMode != "" {
		p.mode = s.src.StandbyMode
	}
	if p.mode == StandbyCold {
		return p, nil
	}
	p.warm = p.mode == StandbyWarm
	since := p.peer.now
	if since == 0 {
		since = time.Now().UnixNano()
	}
	s.e.items = p.items
	largest, err := s.e.measureBursts(ctx, l, p.peer)
	if err != nil {
		return nil, err
	}
	if p.sub, err = createSubscription(ctx, l, s.publishing, since, largest, false); err != nil {
		return nil, err
	}
	p.nodes, p.items.idle = p.items.nodes(), p.warm
	return p, p.items.make(ctx, l, p.sub, p.peer)
}

// keep says every second that the server is ready, until it is not, which is
// the error, or is wanted.
func (s *standby) keep(ctx context.Context, p *prepared) error {
	tick := time.NewTicker(levelTime)
	defer tick.Stop()
	defer s.ready.Store(nil)
	p.since = time.Now()
	last := -1
	for n := 0; ; n++ {
		now := p.standing
		s.ready.Store(&now)
		s.tell(p.at, int(p.level), "standby "+p.mode, nil)
		if r := rank(p.level); r != last {
			last = r
			s.news.give()
		}
		select {
		case <-s.stop:
			return nil
		case <-ctx.Done():
			p.link.leave(ctx)
			return ctx.Err()
		case <-tick.C:
		}
		x, err := p.link.standing(context.WithoutCancel(ctx)) // who takes the link over wants it whole
		if err == nil {
			err = s.e.recheck()
		}
		if err == nil && p.sub.id != 0 && n%5 == 0 {
			// Else the server takes the subscription for a forgotten one.
			err = publish(context.WithoutCancel(ctx), p.link, p.sub.id, false)
		}
		if err != nil {
			p.link.drop()
			return err
		}
		p.level, p.now = x.level, x.now
	}
}

// tell puts the state of a server on the board.
func (s *standby) tell(at, level int, state string, err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	if s.src.servers.set(at, func(x *plant.ServerStatus) { x.ServiceLevel, x.State, x.Reason = level, state, why }) {
		s.src.board.tell()
	}
}

// take ends the watching and gives what is ready, nil if nothing is any more: a
// switch that fails cuts off both servers, and then the one before has the values.
func (s *standby) take(ctx context.Context) *prepared {
	close(s.stop)
	<-s.done
	s.cancel()
	if s.had == nil {
		return nil
	}
	x, err := s.had.link.standing(ctx)
	if err != nil {
		s.had.link.drop()
		return nil
	}
	s.had.now = x.now
	return s.had
}

// end gives the standby up and what stands there.
func (s *standby) end() {
	s.cancel()
	<-s.done
	if s.had != nil {
		s.had.link.leave(context.Background())
	}
}

// publish switches the publishing of a subscription.
func publish(ctx context.Context, l *link, subscription uint32, on bool) error {
	res, err := send[*ua.SetPublishingModeResponse](ctx, l.channel, l.session.token,
		&ua.SetPublishingModeRequest{PublishingEnabled: on, SubscriptionIDs: []uint32{subscription}}, levelTimeout)
	switch {
	case err != nil:
		return err
	case len(res.Results) != 1:
		return errors.New("setting the publishing mode: the server's answer makes no sense")
	case res.Results[0] != ua.StatusOK:
		return fmt.Errorf("setting the publishing mode: %w", res.Results[0])
	}
	return nil
}

// activate lets the subscription deliver: all that its items have sampled, and
// what comes.
func (p *prepared) activate(ctx context.Context) error {
	if p.warm {
		if err := p.items.awaken(ctx, p.link, p.sub); err != nil {
			return err
		}
	}
	return publish(ctx, p.link, p.sub.id, true)
}

// unmade is the same items, none of which a server has yet.
func (x *items) unmade() *items {
	y := &items{list: slices.Clone(x.list), tags: x.tags, budget: x.budget}
	for i := range y.list {
		it := &y.list[i]
		it.monitored, it.id, it.queue, it.sampling, it.filtered, it.plain = false, 0, 0, 0, false, false
		it.refused, it.since, it.retry, it.wait = "", time.Time{}, time.Time{}, 0
		it.lost = false
		if it.fault != nil {
			it.refused = it.fault.Error()
		}
	}
	return y
}

// nodes are those of the tags.
func (x *items) nodes() []node {
	all := make([]node, len(x.list))
	for i := range all {
		all[i] = x.list[i].node
	}
	return all
}

// bound reports whether the tags have these nodes still.
func (x *items) bound(to []node) bool { return slices.Equal(x.nodes(), to) }

// awaken lets items sample that were made idle.
func (x *items) awaken(ctx context.Context, l *link, s subscription) error {
	x.idle = false
	var which []int
	for i := range x.list {
		if x.list[i].monitored && x.list[i].lead == i {
			which = append(which, i)
		}
	}
	err := l.limits.items.each(len(which), func(from, to int) error {
		req := &ua.SetMonitoringModeRequest{SubscriptionID: s.id, MonitoringMode: ua.MonitoringModeReporting}
		for _, i := range which[from:to] {
			req.MonitoredItemIDs = append(req.MonitoredItemIDs, x.list[i].id)
		}
		res, err := call[*ua.SetMonitoringModeResponse](ctx, l, req, requestTimeout)
		if err != nil {
			return err
		}
		if len(res.Results) != to-from {
			return fmt.Errorf("asked for %d items, got %d results", to-from, len(res.Results))
		}
		for k, code := range res.Results {
			if code != ua.StatusOK {
				x.refuse(which[from+k], statusText(code))
			}
		}
		return nil
	}, func(i int, err error, asked bool) { x.failed(which[i], err, asked) })
	if err != nil {
		return fmt.Errorf("letting the standby's items sample: %w", err)
	}
	return nil
}
