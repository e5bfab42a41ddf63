package collector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	firstWindow    = 2
	mostWindow     = 32
	tickTime       = 100 * time.Millisecond
	beatTime       = 5 * time.Second
	beatTimeout    = 4 * time.Second
	publishTimeout = 5 * time.Minute // the watchdog is quicker; parked requests must not run out
	holeTime       = 50 * time.Millisecond
	mostHoles      = 256 // messages asked for again one by one
	missedTime     = 5 * time.Second
	missedMargin   = int64(time.Second)
)

// pump serves one connection: it keeps Publish requests in flight and hears the
// answers. All but heard belongs to the goroutine of Run.
type pump struct {
	*engine
	link    *link
	answers chan answer
	wg      sync.WaitGroup

	outstanding int
	most        int // window that the server bears
	hold        time.Time
	rtt         time.Duration

	heard  atomic.Int64 // local time of the newest Publish answer, ns
	hole   uint32       // number that is missing, 0 none
	since  time.Time    // since when
	asking bool         // a Republish is on its way

	retrying bool // refused items are being tried
	frozen   int  // heartbeats with the same server time
	clock    int64

	rated   time.Time
	counted uint64
}

// answer is what came back of a request.
type answer struct {
	err      error
	publish  *ua.PublishResponse
	acks     []uint32
	at       int64
	again    message // of Republish
	number   uint32
	beat     *beat
	describe *peer
	items    *ua.CreateMonitoredItemsResponse
	asked    []int
	kind     answerKind
}

type answerKind uint8

const (
	gotPublish answerKind = iota
	gotRepublish
	gotBeat
	gotServer
	gotItems
	gotNothing
)

type beat struct {
	rtt  time.Duration
	time int64 // of the server, ns UTC; 0 unknown
}

// serve runs the subscription on l until the connection fails or ctx ends.
func (e *engine) serve(ctx context.Context, l *link) error {
	ctx, cancel := context.WithCancel(ctx)
	p := &pump{engine: e, link: l, answers: make(chan answer, mostWindow+8), most: mostWindow, rated: time.Now(), counted: e.tr.received}
	defer func() {
		if ctx.Err() == nil {
			l.drop() // it failed; nothing shall wait for it
		}
		cancel()
		stuck := time.AfterFunc(time.Second, l.drop)
		p.wg.Wait()
		stuck.Stop()
	}()
	p.wg.Go(func() { p.beats(ctx) })
	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	for {
		p.fill(ctx)
		var err error
		select {
		case a := <-p.answers:
			err = p.handle(ctx, a)
		case now := <-tick.C:
			err = p.tick(ctx, now)
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// do runs a request aside and brings its answer back.
func (p *pump) do(ctx context.Context, f func() answer) {
	p.wg.Go(func() {
		a := f()
		a.at = time.Now().UnixNano()
		if a.kind == gotPublish && a.err == nil {
			p.heard.Store(a.at)
		}
		select {
		case p.answers <- a:
		case <-ctx.Done():
		}
	})
}

// window is how many Publish requests should be at the server: enough that one
// is there at every interval in spite of the way.
func (p *pump) window() int {
	w := firstWindow
	if p.sub.publishing > 0 {
		w = max(w, int(p.rtt/p.sub.publishing)+2)
	}
	return min(w, p.most)
}

// fill sends Publish requests up to the window.
func (p *pump) fill(ctx context.Context) {
	if time.Now().Before(p.hold) {
		return
	}
	for p.outstanding < p.window() {
		p.settle()
		n := min(len(p.acks), mostAcks)
		acks := append([]uint32(nil), p.acks[:n]...)
		p.acks = append(p.acks[:0], p.acks[n:]...)
		if p.outstanding == 0 {
			p.heard.Store(time.Now().UnixNano()) // nobody could have answered before
		}
		p.outstanding++
		p.do(ctx, func() answer { return p.publish(ctx, acks) })
	}
}

func (p *pump) publish(ctx context.Context, acks []uint32) answer {
	req := &ua.PublishRequest{SubscriptionAcknowledgements: make([]*ua.SubscriptionAcknowledgement, len(acks))}
	for i, n := range acks {
		req.SubscriptionAcknowledgements[i] = &ua.SubscriptionAcknowledgement{SubscriptionID: p.sub.id, SequenceNumber: n}
	}
	res, err := call[*ua.PublishResponse](ctx, p.link, req, publishTimeout)
	return answer{kind: gotPublish, publish: res, acks: acks, err: err}
}

func (p *pump) handle(ctx context.Context, a answer) error {
	switch a.kind {
	case gotPublish:
		return p.published(ctx, a)
	case gotRepublish:
		return p.republished(ctx, a)
	case gotBeat:
		return p.beaten(a)
	case gotServer, gotItems:
		return p.retried(ctx, a)
	}
	return nil
}

func (p *pump) published(ctx context.Context, a answer) error {
	p.outstanding--
	if a.err != nil {
		p.acks = append(p.acks, a.acks...)
		switch {
		case errors.Is(a.err, ua.StatusBadTooManyPublishRequests):
			p.most = max(1, p.outstanding)
			p.hold = time.Now().Add(tickTime)
			return nil
		case errors.Is(a.err, ua.StatusBadTimeout):
			return nil // the server returned a parked request
		}
		return fmt.Errorf("publish: %w", a.err)
	}
	res := a.publish
	if res.NotificationMessage == nil {
		return errors.New("publish: an answer without a notification")
	}
	if res.SubscriptionID != p.sub.id {
		p.stranger(ctx, res.SubscriptionID)
		return nil
	}
	m := message{res.NotificationMessage, a.at}
	if !m.PublishTime.IsZero() {
		p.newest = max(p.newest, m.PublishTime.UnixNano())
	}
	if len(m.NotificationData) == 0 {
		p.seq.keepAlive(m.SequenceNumber)
	} else {
		p.seq.add(m)
	}
	if err := p.drain(ctx); err != nil {
		return err
	}
	_, hole := p.seq.missing()
	if !hole && !res.MoreNotifications && p.frozen < 2 && p.src.board.set(plant.Live, "") {
		p.log.Info("live")
	}
	return nil
}

// drain delivers what is in order.
func (p *pump) drain(ctx context.Context) error {
	for {
		m, ok := p.seq.pop()
		if !ok {
			break
		}
		if err := p.deliver(ctx, m); err != nil {
			return err
		}
	}
	n, ok := p.seq.missing()
	switch {
	case !ok:
		p.hole = 0
	case n != p.hole:
		p.hole, p.since = n, time.Now()
	}
	return nil
}

// stranger deletes a subscription that is in our session but not ours any more.
func (p *pump) stranger(ctx context.Context, id uint32) {
	p.log.Info("deleting a subscription left over from before", "subscription", id)
	p.do(ctx, func() answer {
		_, err := call[*ua.DeleteSubscriptionsResponse](ctx, p.link, &ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{id}}, requestTimeout)
		return answer{kind: gotNothing, err: err}
	})
}

// repair asks again for a message that is missing although later ones exist.
// It first waits a little, because another answer on its way may hold it.
func (p *pump) repair(ctx context.Context, now time.Time) error {
	if p.hole == 0 || p.asking || now.Sub(p.since) < max(holeTime, p.rtt) {
		return nil
	}
	if p.seq.span() > mostHoles {
		return p.miss(ctx, "the numbers jump too far", p.seq.jump)
	}
	p.asking = true
	n, id := p.hole, p.sub.id
	p.do(ctx, func() answer {
		m, err := republish(ctx, p.link, id, n)
		return answer{kind: gotRepublish, again: m, number: n, err: err}
	})
	return nil
}

func (p *pump) republished(ctx context.Context, a answer) error {
	p.asking = false
	switch {
	case a.err == nil:
		if a.again.SequenceNumber != a.number {
			return fmt.Errorf("asked for notification %d again, got %d", a.number, a.again.SequenceNumber)
		}
		p.seq.add(a.again)
		return p.drain(ctx)
	case errors.Is(a.err, ua.StatusBadMessageNotAvailable):
		if n, ok := p.seq.missing(); !ok || n != a.number {
			return p.drain(ctx) // it came after all
		}
		return p.miss(ctx, "the server no longer holds it", p.seq.skip)
	}
	return fmt.Errorf("fetching notification %d again: %w", a.number, a.err)
}

// miss gives a message up: any tag may have lost values with it.
func (p *pump) miss(ctx context.Context, why string, skip func()) error {
	p.log.Warn("a notification is lost; gaps are declared", "number", p.seq.next, "why", why)
	p.openGaps(missedMessage)
	p.missedAt = time.Now()
	p.missedTo = plant.Millis(max(p.newest, p.missedAt.UnixNano())+missedMargin) + oneMilli
	skip()
	return p.drain(ctx)
}

// closeMissed declares the gaps of tags that have been silent since a message
// was lost. Whatever was in it was older than its neighbours.
func (e *engine) closeMissed(ctx context.Context, now time.Time) error {
	if e.missedAt.IsZero() || now.Sub(e.missedAt) < missedTime {
		return nil
	}
	e.missedAt = time.Time{}
	e.tr.begin()
	for i, why := range e.tr.reason {
		if why == missedMessage {
			e.tr.batch.Gaps = e.tr.close(e.tr.batch.Gaps, e.src.Tags[i].ID, i, e.missedTo)
		}
	}
	if e.tr.batch.Empty() {
		return nil
	}
	return e.write(ctx)
}

// tick does what is due by time.
func (p *pump) tick(ctx context.Context, now time.Time) error {
	silent := now.Sub(time.Unix(0, p.heard.Load()))
	deadline := p.sub.deadline()
	switch {
	case p.outstanding == 0 || len(p.answers) > 0:
	case silent > deadline:
		return fmt.Errorf("no answer for %v", silent.Round(time.Millisecond))
	case silent > deadline/2+deadline/8 && p.src.board.get().State == plant.Live:
		p.src.board.set(plant.Stale, "the server is silent")
	}
	p.snapshot(now, false)
	p.rate(now)
	if err := p.repair(ctx, now); err != nil {
		return err
	}
	if err := p.closeMissed(ctx, now); err != nil {
		return err
	}
	if !p.retrying && len(p.items.due(now)) > 0 {
		p.retrying = true
		p.do(ctx, func() answer {
			srv, err := p.link.describe(ctx)
			return answer{kind: gotServer, describe: &srv, err: err}
		})
	}
	return nil
}

// retried goes on with refused items: first with the namespaces as they are
// now, then with the server's word on the items.
func (p *pump) retried(ctx context.Context, a answer) error {
	p.retrying = false
	if a.err != nil {
		if tooMuch(a.err) {
			p.items.batch = max(1, p.items.batch/2)
			return nil
		}
		return fmt.Errorf("retrying refused tags: %w", a.err)
	}
	if a.kind == gotServer {
		req, asked := p.items.request(p.sub, *a.describe, p.items.due(time.Now()))
		if len(asked) == 0 {
			return nil
		}
		p.retrying = true
		p.do(ctx, func() answer {
			res, err := call[*ua.CreateMonitoredItemsResponse](ctx, p.link, req, requestTimeout)
			return answer{kind: gotItems, items: res, asked: asked, err: err}
		})
		return nil
	}
	if err := p.items.apply(p.sub, a.asked, a.items); err != nil {
		return err
	}
	monitored, refused := p.items.count(p.tr.wrong)
	back := monitored - p.src.board.get().Tags
	p.src.board.update(true, func(s *plant.PLCStatus) { s.Tags, s.Rejected = monitored, refused })
	if back > 0 {
		p.log.Info("refused tags are monitored now", "count", back, "still_refused", len(refused))
		p.put()
	}
	return nil
}

// beats reads the server's clock now and then: it measures the way, and tells a
// server whose session or data engine is dead although its stack answers.
func (p *pump) beats(ctx context.Context) {
	t := time.NewTicker(beatTime)
	defer t.Stop()
	now := ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime)
	for {
		begin := time.Now()
		v, err := p.link.read(ctx, beatTimeout, ua.AttributeIDValue, now)
		a := answer{kind: gotBeat, err: err}
		if err == nil {
			a.beat = &beat{rtt: time.Since(begin)}
			if at, ok := good[time.Time](v[0]); ok {
				a.beat.time = at.UnixNano()
			}
		}
		select {
		case p.answers <- a:
		case <-ctx.Done():
			return
		default: // the values are not taken; the read has kept the session alive
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *pump) beaten(a answer) error {
	if a.err != nil {
		var code ua.StatusCode
		if errors.As(a.err, &code) && code != ua.StatusBadTimeout && !sessionGone(code) {
			return nil // a server that does not let us read its clock is alive
		}
		return fmt.Errorf("heartbeat: %w", a.err)
	}
	if a.beat.rtt < p.rtt || p.rtt == 0 {
		p.rtt = a.beat.rtt
	} else {
		p.rtt += (a.beat.rtt - p.rtt) / 4 // a busy moment of the server is not the way
	}
	if a.beat.time != 0 && a.beat.time == p.clock {
		p.frozen++
	} else {
		p.frozen = 0
	}
	p.clock = a.beat.time
	if p.frozen == 2 {
		p.src.board.set(plant.Stale, "the server's clock stands still")
	}
	return nil
}

// rate brings the figures of the status up to date, once a second.
func (p *pump) rate(now time.Time) {
	d := now.Sub(p.rated)
	if d < time.Second {
		return
	}
	n := p.tr.received
	v := float64(n-p.counted) / d.Seconds()
	p.rated, p.counted = now, n
	monitored, refused := p.items.count(p.tr.wrong)
	p.src.board.update(false, func(s *plant.PLCStatus) {
		if s.ValuesS == 0 || v == 0 {
			s.ValuesS = v
		} else {
			s.ValuesS += (v - s.ValuesS) / 4
		}
		s.Received, s.Overflows, s.Tags, s.Rejected = n, p.tr.overflows, monitored, refused
	})
}
