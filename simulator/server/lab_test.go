package server

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopcua/opcua/ua"
)

// lab is a server without sockets: requests go straight to the services and
// answers are taken from the connection's queue, so that time can be synctest's.
type lab struct {
	t       *testing.T
	s       *Server
	c       *conn
	ses     *session
	offered []Value
	reqID   uint32
}

// inLab runs f in a bubble of fake time.
func inLab(t *testing.T, s *Server, f func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, s: s}
		s.limits = s.Limits.withDefaults()
		s.counts = map[string]uint64{}
		s.begun = time.Now()
		s.engine = newEngine(s.Variables, s.limits, func(v []Value) { l.offered = append(l.offered, v...) })
		s.space = newSpace(s, s.engine)
		stop, done := make(chan struct{}), make(chan struct{})
		go func() { defer close(done); s.engine.runClock(stop) }()
		defer func() { close(stop); <-done }()
		l.c, l.ses = l.session(anonymousUser)
		f(l)
	})
}

// session makes another connection with an active session.
func (l *lab) session(user string) (*conn, *session) {
	e := l.s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	c := newConn(l.s, nil)
	c.maxMessage = maxMessage
	ses := &session{
		token: string(rune('a' + len(e.sessions))), user: user, conn: c, timeout: time.Hour, active: time.Now(),
		subs: map[uint32]*subscription{}, cursors: map[string]*browseCursor{},
	}
	e.sessions[ses.token] = ses
	return c, ses
}

// ask calls a service of the session set.
func ask[T ua.Response](l *lab, req ua.Request) (T, ua.StatusCode) {
	l.t.Helper()
	var none T
	l.reqID++
	req.SetHeader(&ua.RequestHeader{AuthenticationToken: ua.NewTwoByteNodeID(0), RequestHandle: l.reqID, AdditionalHeader: ua.NewExtensionObject(nil)})
	e := l.s.engine
	e.mu.Lock()
	l.ses.active = time.Now()
	resp, code := l.s.answerSession(l.c, l.ses, l.reqID, req)
	e.mu.Unlock()
	if code != ua.StatusOK {
		return none, code
	}
	if resp == nil {
		return none, ua.StatusOK
	}
	out, ok := resp.(T)
	if !ok {
		l.t.Fatalf("%T answered by %T", req, resp)
	}
	return out, ua.StatusOK
}

func want[T ua.Response](l *lab, req ua.Request) T {
	l.t.Helper()
	out, code := ask[T](l, req)
	if code != ua.StatusOK {
		l.t.Fatalf("%T: %v", req, code)
	}
	return out
}

// publish sends a PublishRequest and does not wait.
func (l *lab) publish(acks ...*ua.SubscriptionAcknowledgement) {
	l.t.Helper()
	want[*ua.PublishResponse](l, &ua.PublishRequest{SubscriptionAcknowledgements: acks})
}

// answers takes what was sent on a connection so far.
func (l *lab) answers(c *conn) []ua.Response {
	l.t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []ua.Response
	for _, o := range c.out {
		if o.resp != nil {
			all = append(all, o.resp)
			continue
		}
		_, svc, err := ua.DecodeService(bytes.Join(o.parts[:], nil))
		if err != nil {
			l.t.Fatal(err)
		}
		all = append(all, svc.(ua.Response))
	}
	c.out = nil
	return all
}

// next sleeps until an answer came, at most limit, and returns it.
func (l *lab) next(limit time.Duration) *ua.PublishResponse {
	l.t.Helper()
	for end := time.Now().Add(limit); !time.Now().After(end); time.Sleep(time.Millisecond) {
		all := l.answers(l.c)
		if len(all) > 1 {
			l.t.Fatalf("%d answers at once", len(all))
		}
		if len(all) == 1 {
			p, ok := all[0].(*ua.PublishResponse)
			if !ok {
				l.t.Fatalf("answer %T: %v", all[0], all[0].Header().ServiceResult)
			}
			return p
		}
	}
	l.t.Fatalf("no answer within %v", limit)
	return nil
}

func (l *lab) subscribe(interval time.Duration, change func(*ua.CreateSubscriptionRequest)) uint32 {
	l.t.Helper()
	req := &ua.CreateSubscriptionRequest{
		RequestedPublishingInterval: millis(interval), RequestedLifetimeCount: 30000,
		RequestedMaxKeepAliveCount: 10000, PublishingEnabled: true,
	}
	if change != nil {
		change(req)
	}
	return want[*ua.CreateSubscriptionResponse](l, req).SubscriptionID
}

func (l *lab) monitor(sub uint32, items ...*ua.MonitoredItemCreateRequest) []*ua.MonitoredItemCreateResult {
	l.t.Helper()
	return want[*ua.CreateMonitoredItemsResponse](l, &ua.CreateMonitoredItemsRequest{
		SubscriptionID: sub, TimestampsToReturn: ua.TimestampsToReturnSource, ItemsToCreate: items,
	}).Results
}

// collect publishes until nothing more is due and returns number and status of
// each value.
func (l *lab) collect() (nums []float64, codes []ua.StatusCode) {
	l.t.Helper()
	for {
		l.publish()
		p := l.next(time.Minute)
		for _, c := range changes(p.NotificationMessage) {
			x, _ := c.Value.Value.Value().(float64)
			nums = append(nums, x)
			codes = append(codes, c.Value.Status)
		}
		if !p.MoreNotifications {
			return nums, codes
		}
	}
}
