package collector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	tickTime       = 100 * time.Millisecond
	mostBehind     = 10              // notifications with old numbers in a row
	publishTimeout = 5 * time.Minute // the watchdog is quicker; parked requests must not run out
)

// pump serves one connection: it keeps Publish requests in flight and hears the
// answers. All but heard belongs to the goroutine of Run.
type pump struct {
	*engine
	link    *link
	answers chan answer
	wg      sync.WaitGroup

	outstanding int
	window      window

	heard  atomic.Int64 // local time of the newest Publish answer, ns
	spoke  atomic.Int64 // the same as ns since began, which no setting of a clock moves
	fed    atomic.Int64 // likewise of the newest that was no keep-alive
	empty  atomic.Int64 // likewise of the first keep-alive after that, 0 none
	numbed bool         // the server is seen to sample nothing
	spoken bool         // a Publish was answered
	alive  bool         // a heartbeat was answered
	hole   uint32       // number that is missing, 0 none
	since  time.Time    // since when
	asking bool         // a Republish is on its way

	learning bool // the structures are being asked for again
	trial    trial
	behind   int       // notifications in a row that are new and have old numbers
	deleted  time.Time // when a subscription that is not ours was
	prior    time.Time // PublishTime of the notification before
	retrying bool      // refused items are being tried
	frozen   int       // heartbeats with the same server time
	clock    int64

	began   time.Time // when the subscription began to be served
	silent  int       // stale tags, as logged
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
	details  []detail
	values   []*ua.DataValue
	history  *ua.HistoryReadResponse
	slices   []*slice
	learned  learned
	took     time.Duration
	standing standing
	kind     answerKind

	questions []question
	sights    []sight
}

type answerKind uint8

const (
	gotPublish answerKind = iota
	gotRepublish
	gotBeat
	gotServer
	gotItems
	gotAccess
	gotHistory
	gotReleased
	gotTypes
	gotTrial
	gotRefresh
	gotSights
	gotSpace
	gotLevel
	gotNothing
)

// serve runs the subscription on l until the connection fails or ctx ends.
func (e *engine) serve(ctx context.Context, l *link) error {
	ctx, cancel := context.WithCancel(ctx)
	p := &pump{engine: e, link: l, answers: make(chan answer, mostWindow+8), window: window{rtt: e.peer.rtt}, began: time.Now(), rated: time.Now(), counted: e.tr.received}
	defer func() {
		if ctx.Err() == nil {
			l.drop() // it failed; nothing shall wait for it
		}
		cancel()
		p.pause()
		stuck := time.AfterFunc(time.Second, l.drop)
		p.wg.Wait()
		stuck.Stop()
	}()
	p.wg.Go(func() { p.beats(ctx) })
	if len(e.hosts) > 1 {
		p.wg.Go(func() { p.levels(ctx) })
	}
	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	for {
		p.fill(ctx)
		p.fetch(ctx, time.Now())
		p.examine(ctx, time.Now())
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
			p.listened(a.publish.NotificationMessage)
		}
		select {
		case p.answers <- a:
		case <-ctx.Done():
		}
	})
}

// fill sends Publish requests up to the window.
func (p *pump) fill(ctx context.Context) {
	if time.Now().Before(p.window.hold) || p.tr.gate.waiting >= mostWithheld || len(p.seq.held) > mostHoles {
		return
	}
	for p.outstanding < p.window.size(p.sub.publishing) {
		p.settle()
		n := min(len(p.acks), mostAcks)
		acks := append([]uint32(nil), p.acks[:n]...)
		p.acks = append(p.acks[:0], p.acks[n:]...)
		if p.outstanding == 0 {
			p.heard.Store(time.Now().UnixNano()) // nobody could have answered before
			p.listened(nil)
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
	begin := time.Now()
	res, err := send[*ua.PublishResponse](ctx, p.link.channel, p.link.session.token, req, publishTimeout)
	return answer{kind: gotPublish, publish: res, acks: acks, took: time.Since(begin), err: err}
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
	case gotAccess:
		p.learned(a)
	case gotHistory:
		p.given(ctx, a)
	case gotTypes:
		return p.relearned(a)
	case gotRefresh:
		return p.askedRefresh(a)
	case gotReleased:
		p.back.busy = false
	case gotTrial:
		return p.tried(ctx, a)
	case gotSights:
		return p.sighted(ctx, a)
	case gotSpace:
		return p.surveyed(a)
	case gotLevel:
		return p.leveled(a)
	}
	return nil
}

func (p *pump) published(ctx context.Context, a answer) error {
	p.outstanding--
	if a.err != nil {
		p.acks = append(p.acks, a.acks...)
		switch {
		case errors.Is(a.err, ua.StatusBadTooManyPublishRequests):
			p.window.refused(p.outstanding, time.Now())
			return nil
		case errors.Is(a.err, ua.StatusBadTimeout):
			p.window.returned(a.took, time.Now())
			return nil
		case tooMuch(a.err):
			p.log.Warn("a notification is larger than this end takes; what was in it is declared when the next one shows the hole", "err", a.err)
			return nil
		}
		return fmt.Errorf("publish: %w", a.err)
	}
	res := a.publish
	if res.NotificationMessage == nil {
		return errors.New("publish: an answer without a notification")
	}
	p.spoken = true
	p.window.answered(res.MoreNotifications)
	if res.SubscriptionID != p.sub.id {
		p.stranger(ctx, res.SubscriptionID)
		return nil
	}
	m := message{res.NotificationMessage, a.at}
	if t := instant(m.PublishTime); !tooFar(t, a.at) {
		p.newest = max(p.newest, t)
	}
	if len(m.NotificationData) == 0 {
		p.seq.keepAlive(m.SequenceNumber)
	} else {
		p.moving()
		if err := p.order(m); err != nil {
			return err
		}
	}
	if err := p.drain(ctx); err != nil {
		return err
	}
	_, hole := p.seq.missing()
	if !hole && !res.MoreNotifications && p.frozen < 2 && !p.numbed && p.pulse.numb == 0 {
		p.showLive()
	}
	return nil
}

// order puts a notification into its place. Old ones come late, or twice; a server
// that counts anew sends new ones with old numbers, which must not be dropped for
// ever.
func (p *pump) order(m message) error {
	fresh := m.PublishTime.IsZero() || m.PublishTime.After(p.prior)
	p.prior = m.PublishTime
	switch {
	case p.seq.add(m):
		p.behind = 0
	case fresh:
		if p.behind++; p.behind > mostBehind {
			return fmt.Errorf("%w: %d came, %d is next", errNumbers, m.SequenceNumber, p.seq.next)
		}
	}
	return nil
}

// showLive says that values flow, and whether history is read beside them.
func (p *pump) showLive() {
	state, why := plant.Live, ""
	if p.back.reading() {
		state, why = plant.Backfilling, "values are live; what was missed is read from the server's history"
	}
	was := p.src.board.get().State
	if !p.src.board.set(state, why) {
		return
	}
	switch {
	case state == plant.Backfilling:
		p.log.Info("live; what was missed is read from the server's history")
	case was == plant.Backfilling:
		p.log.Info("the history is read", "values", p.back.received)
	default:
		p.log.Info("live")
	}
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
	if time.Since(p.deleted) < time.Second {
		return // it is on its way
	}
	p.deleted = time.Now()
	p.log.Info("deleting a subscription left over from before", "subscription", id)
	p.do(ctx, func() answer {
		_, err := call[*ua.DeleteSubscriptionsResponse](ctx, p.link, &ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{id}}, requestTimeout)
		return answer{kind: gotNothing, err: err}
	})
}

// tick does what is due by time.
func (p *pump) tick(ctx context.Context, now time.Time) error {
	silent := now.Sub(p.began) - time.Duration(p.spoke.Load())
	deadline := p.deadline()
	switch {
	case p.outstanding == 0 || len(p.answers) > 0:
	case silent > deadline && p.taken && p.alive && !p.spoken:
		return errMute
	case silent > deadline:
		return fmt.Errorf("no answer for %v", silent.Round(time.Millisecond))
	case silent > deadline/2+deadline/8 && flowing(p.src.board.get().State):
		p.src.board.set(plant.Stale, "the server is silent")
	}
	if err := p.feel(now); err != nil {
		return err
	}
	p.snapshot(now, false)
	p.rate(now)
	if err := p.repair(ctx, now); err != nil {
		return err
	}
	if err := p.closeMissed(ctx, now); err != nil {
		return err
	}
	p.window.relax(p.sub.publishing, now)
	if err := p.watchAlarms(ctx, now); err != nil {
		return err
	}
	p.bury(ctx)
	p.relearn(ctx, now)
	p.retry(ctx, now)
	p.try(ctx, now)
	return nil
}

// flowing reports whether a state says that values come.
func flowing(s plant.PLCState) bool { return s == plant.Live || s == plant.Backfilling }

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
	p.judgeFilters()
	spilled := p.tr.overflowing()
	p.src.board.update(false, func(s *plant.PLCStatus) {
		s.Overflowing, s.Deadbands.Thinned = spilled, p.tr.thinned
		if s.ValuesS == 0 || v == 0 {
			s.ValuesS = v
		} else {
			s.ValuesS += (v - s.ValuesS) / 4
		}
		s.Received, s.Overflows, s.Tags, s.Rejected = n, p.tr.overflows, monitored, refused
	})
	p.report(now)
}
