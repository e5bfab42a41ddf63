package server

import (
	"math"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopcua/opcua/ua"
)

func ack(sub, seq uint32) *ua.SubscriptionAcknowledgement {
	return &ua.SubscriptionAcknowledgement{SubscriptionID: sub, SequenceNumber: seq}
}

func TestKeepAlive(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, func(r *ua.CreateSubscriptionRequest) { r.RequestedMaxKeepAliveCount = 5 })
		begun := time.Now()
		l.publish()
		if p := l.next(time.Second); p.NotificationMessage.SequenceNumber != 1 || len(p.NotificationMessage.NotificationData) != 0 ||
			time.Since(begun) != 100*time.Millisecond || p.SubscriptionID != sub {
			t.Errorf("first message after %v: %+v", time.Since(begun), p.NotificationMessage)
		}
		begun = time.Now()
		l.publish()
		if p := l.next(time.Second); p.NotificationMessage.SequenceNumber != 1 || time.Since(begun) != 500*time.Millisecond {
			t.Errorf("keep-alive %d after %v", p.NotificationMessage.SequenceNumber, time.Since(begun))
		}
		l.monitor(sub, itemRequest(path(0), 1, 10, nil))
		l.publish()
		if p := l.next(time.Second); p.NotificationMessage.SequenceNumber != 1 || len(changes(p.NotificationMessage)) != 1 {
			t.Errorf("the first notification: %+v", p.NotificationMessage)
		}
		l.publish()
		if p := l.next(time.Second); p.NotificationMessage.SequenceNumber != 2 || len(p.NotificationMessage.NotificationData) != 0 {
			t.Errorf("a keep-alive carries the next number: %+v", p.NotificationMessage)
		}
	})
}

func TestSequenceWraps(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		l.monitor(sub, itemRequest(path(0), 1, 10, nil))
		l.s.engine.mu.Lock()
		l.s.engine.subs[sub].seq = math.MaxUint32
		l.s.engine.mu.Unlock()
		for _, wantSeq := range []uint32{math.MaxUint32, 1, 2} {
			l.publish()
			if p := l.next(time.Second); p.NotificationMessage.SequenceNumber != wantSeq {
				t.Errorf("%d, want %d", p.NotificationMessage.SequenceNumber, wantSeq)
			}
			writeRamp(l.s, int(wantSeq%7), int(wantSeq%7)+1)
		}
	})
}

func TestLifetimeEnds(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, func(r *ua.CreateSubscriptionRequest) {
			r.RequestedMaxKeepAliveCount, r.RequestedLifetimeCount = 2, 1 // revised to 6
		})
		l.monitor(sub, itemRequest(path(0), 1, 10, nil))
		time.Sleep(550 * time.Millisecond)
		synctest.Wait()
		l.s.engine.mu.Lock()
		alive := len(l.s.engine.subs)
		l.s.engine.mu.Unlock()
		if alive != 1 {
			t.Fatal("ended early")
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if e := l.s.engine; len(e.subs) != 0 || e.monitored != 0 || e.items != 0 {
			t.Fatalf("%d subscriptions, %d monitored, %d items", len(e.subs), e.monitored, e.items)
		}
		l.publish()
		p := l.next(time.Millisecond)
		n, ok := p.NotificationMessage.NotificationData[0].Value.(*ua.StatusChangeNotification)
		if !ok || n.Status != ua.StatusBadTimeout || p.SubscriptionID != sub {
			t.Errorf("%+v", p.NotificationMessage.NotificationData[0].Value)
		}
		l.publish()
		if all := l.answers(l.c); len(all) != 1 || all[0].Header().ServiceResult != ua.StatusBadNoSubscription {
			t.Errorf("%+v", all)
		}
	})
}

func TestPublishingKeepsAlive(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		l.subscribe(100*time.Millisecond, func(r *ua.CreateSubscriptionRequest) {
			r.RequestedMaxKeepAliveCount, r.RequestedLifetimeCount = 2, 6
		})
		for range 50 {
			l.publish()
			l.next(time.Second)
		}
	})
}

func TestRepublishAndAcknowledge(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		l.monitor(sub, itemRequest(path(0), 1, 10, nil))
		var sent []*ua.PublishResponse
		for i := range 3 {
			writeRamp(l.s, i, i+1)
			l.publish()
			sent = append(sent, l.next(time.Second))
		}
		if got := sent[2].AvailableSequenceNumbers; !reflect.DeepEqual(got, []uint32{1, 2, 3}) {
			t.Errorf("available %v", got)
		}
		republish := func(sub, seq uint32) ua.Response {
			t.Helper()
			want[*ua.RepublishResponse](l, &ua.RepublishRequest{SubscriptionID: sub, RetransmitSequenceNumber: seq})
			return l.answers(l.c)[0]
		}
		if r, ok := republish(sub, 2).(*ua.RepublishResponse); !ok || !reflect.DeepEqual(r.NotificationMessage, sent[1].NotificationMessage) {
			t.Errorf("republished %+v", r)
		}
		writeRamp(l.s, 5, 6)
		l.publish(ack(sub, 2), ack(sub, 2), ack(sub, 77), ack(sub+1, 1), ack(sub, 1))
		p := l.next(time.Second)
		if want := []ua.StatusCode{0, ua.StatusBadSequenceNumberUnknown, ua.StatusBadSequenceNumberUnknown, ua.StatusBadSubscriptionIDInvalid, 0}; !reflect.DeepEqual(p.Results, want) {
			t.Errorf("results %v", p.Results)
		}
		if !reflect.DeepEqual(p.AvailableSequenceNumbers, []uint32{3, 4}) {
			t.Errorf("available %v", p.AvailableSequenceNumbers)
		}
		if code := republish(sub, 2).Header().ServiceResult; code != ua.StatusBadMessageNotAvailable {
			t.Errorf("acknowledged message: %v", code)
		}
		if code := republish(sub+1, 3).Header().ServiceResult; code != ua.StatusBadSubscriptionIDInvalid {
			t.Errorf("unknown subscription: %v", code)
		}
	})
}

func TestRetransmissionIsBounded(t *testing.T) {
	inLab(t, &Server{Variables: vars(1), Limits: Limits{MaxRetransmit: 5}}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		l.monitor(sub, itemRequest(path(0), 1, 10, nil))
		var last *ua.PublishResponse
		for i := range 12 {
			writeRamp(l.s, i, i+1)
			l.publish()
			last = l.next(time.Second)
		}
		if got := last.AvailableSequenceNumbers; !reflect.DeepEqual(got, []uint32{8, 9, 10, 11, 12}) {
			t.Errorf("%v", got)
		}
		kept := l.s.engine.subs[sub].kept
		if l.ses.kept != 5 || l.ses.keptBytes != 5*len(kept[0].body) {
			t.Errorf("%d messages of %d bytes counted", l.ses.kept, l.ses.keptBytes)
		}
	})
	inLab(t, &Server{Variables: vars(1), Limits: Limits{MaxRetransmitBytes: 200}}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		l.monitor(sub, itemRequest(path(0), 1, 10, nil))
		for i := range 12 {
			writeRamp(l.s, i, i+1)
			l.publish()
			l.next(time.Second)
		}
		if n := len(l.s.engine.subs[sub].kept); n == 0 || n > 4 || l.ses.keptBytes > 200 {
			t.Errorf("%d messages of %d bytes", n, l.ses.keptBytes)
		}
	})
}

func TestMoreNotifications(t *testing.T) {
	inLab(t, &Server{Variables: vars(3)}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, func(r *ua.CreateSubscriptionRequest) { r.MaxNotificationsPerPublish = 4 })
		l.s.engine.write([]Value{number(0, 0, 0), number(1, 0, 100), number(2, 0, 200)})
		l.monitor(sub, itemRequest(path(0), 1, 10, nil), itemRequest(path(1), 2, 10, nil), itemRequest(path(2), 3, 10, nil))
		for i := 1; i < 3; i++ {
			l.s.engine.write([]Value{number(0, int64(i), float64(i)), number(1, int64(i), 100+float64(i)), number(2, int64(i), 200+float64(i))})
		}
		begun := time.Now()
		for i, wantMore := range []bool{true, true, false} {
			l.publish()
			p := l.next(time.Second)
			if n := len(changes(p.NotificationMessage)); p.MoreNotifications != wantMore || n > 4 || n == 0 {
				t.Errorf("message %d: %d notifications, more %v", i, n, p.MoreNotifications)
			}
		}
		if d := time.Since(begun); d > 110*time.Millisecond {
			t.Errorf("the rest waited for a publishing interval: %v", d)
		}
	})
}

func TestTooManyPublishRequests(t *testing.T) {
	inLab(t, &Server{Variables: vars(1), Limits: Limits{MaxPublish: 3}}, func(l *lab) {
		l.publish()
		if all := l.answers(l.c); len(all) != 1 || all[0].Header().ServiceResult != ua.StatusBadNoSubscription {
			t.Fatalf("%+v", all)
		}
		l.subscribe(time.Second, nil)
		for range 4 {
			l.publish()
		}
		all := l.answers(l.c)
		if len(all) != 1 || all[0].Header().ServiceResult != ua.StatusBadTooManyPublishRequests || all[0].Header().RequestHandle != 3 {
			t.Errorf("%d answers, handle %d", len(all), all[0].Header().RequestHandle)
		}
	})
}

func TestLastSubscriptionEndsWaiting(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		sub := l.subscribe(time.Second, nil)
		l.publish()
		l.publish()
		res := want[*ua.DeleteSubscriptionsResponse](l, &ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{sub, sub}})
		if !reflect.DeepEqual(res.Results, []ua.StatusCode{0, ua.StatusBadSubscriptionIDInvalid}) {
			t.Errorf("%v", res.Results)
		}
		for _, a := range l.answers(l.c) {
			if a.Header().ServiceResult != ua.StatusBadNoSubscription {
				t.Errorf("%v", a.Header().ServiceResult)
			}
		}
	})
}

func TestTimeoutHint(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		l.subscribe(time.Hour, nil)
		l.publish()
		l.s.engine.mu.Lock()
		l.ses.waiting[0].until = time.Now().Add(200 * time.Millisecond)
		l.s.engine.mu.Unlock()
		time.Sleep(300 * time.Millisecond)
		if all := l.answers(l.c); len(all) != 1 || all[0].Header().ServiceResult != ua.StatusBadTimeout {
			t.Errorf("%+v", all)
		}
	})
}

func TestPriorityAndFairness(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		low := l.subscribe(100*time.Millisecond, nil)
		high := l.subscribe(100*time.Millisecond, func(r *ua.CreateSubscriptionRequest) { r.Priority = 9 })
		same := l.subscribe(100*time.Millisecond, nil)
		time.Sleep(time.Second)
		var order []uint32
		for range 3 {
			l.publish()
			order = append(order, l.next(time.Millisecond).SubscriptionID)
		}
		if !reflect.DeepEqual(order, []uint32{high, low, same}) {
			t.Errorf("%v, want %v", order, []uint32{high, low, same})
		}
	})
}

func TestPublishingMode(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, func(r *ua.CreateSubscriptionRequest) {
			r.PublishingEnabled, r.RequestedMaxKeepAliveCount = false, 3
		})
		l.monitor(sub, itemRequest(path(0), 1, 10, nil))
		writeRamp(l.s, 0, 3)
		for range 3 {
			l.publish()
			if p := l.next(time.Second); len(p.NotificationMessage.NotificationData) != 0 {
				t.Error("published while off")
			}
		}
		want[*ua.SetPublishingModeResponse](l, &ua.SetPublishingModeRequest{PublishingEnabled: true, SubscriptionIDs: []uint32{sub}})
		if nums, _ := l.collect(); !reflect.DeepEqual(nums, []float64{0, 0, 1, 2}) { // the first is BadWaitingForInitialData
			t.Errorf("%v", nums)
		}
	})
}

func TestRevisedValues(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		f := func(interval float64, life, alive uint32, wantInterval float64, wantLife, wantAlive uint32) {
			t.Helper()
			r := want[*ua.CreateSubscriptionResponse](l, &ua.CreateSubscriptionRequest{
				RequestedPublishingInterval: interval, RequestedLifetimeCount: life, RequestedMaxKeepAliveCount: alive,
			})
			if r.RevisedPublishingInterval != wantInterval || r.RevisedLifetimeCount != wantLife || r.RevisedMaxKeepAliveCount != wantAlive {
				t.Errorf("(%v, %d, %d) revised to (%v, %d, %d)", interval, life, alive,
					r.RevisedPublishingInterval, r.RevisedLifetimeCount, r.RevisedMaxKeepAliveCount)
			}
		}
		f(100, 60, 20, 100, 60, 20)
		f(100, 10, 20, 100, 60, 20)
		f(0, 0, 0, 10, 30, 10)
		f(-5, 100, 1, 10, 100, 1)
		f(math.NaN(), 100, 1, 10, 100, 1)
		f(math.Inf(1), 100, 1, 3_600_000, 3, 1)
		f(1000, math.MaxUint32, math.MaxUint32, 1000, 3600, 1200)
	})
}

func TestTransfer(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		l.monitor(sub, itemRequest(path(0), 1, 10, nil))
		writeRamp(l.s, 0, 1)
		l.publish()
		first := l.next(time.Second)
		l.publish()

		old := *l
		l.c, l.ses = l.session("user:other")
		transfer := func(initial bool) *ua.TransferResult {
			return want[*ua.TransferSubscriptionsResponse](l, &ua.TransferSubscriptionsRequest{
				SubscriptionIDs: []uint32{sub}, SendInitialValues: initial,
			}).Results[0]
		}
		if r := transfer(false); r.StatusCode != ua.StatusBadUserAccessDenied {
			t.Errorf("another user: %v", r.StatusCode)
		}
		l.c, l.ses = l.session(anonymousUser)
		if r := transfer(false); r.StatusCode != ua.StatusOK || !reflect.DeepEqual(r.AvailableSequenceNumbers, []uint32{1}) {
			t.Errorf("%+v", r)
		}
		told := l.answers(old.c)
		if len(told) != 1 {
			t.Fatalf("the old session got %d answers", len(told))
		}
		p := told[0].(*ua.PublishResponse)
		if n := p.NotificationMessage.NotificationData[0].Value.(*ua.StatusChangeNotification); n.Status != ua.StatusGoodSubscriptionTransferred {
			t.Errorf("%v", n.Status)
		}
		want[*ua.RepublishResponse](l, &ua.RepublishRequest{SubscriptionID: sub, RetransmitSequenceNumber: 1})
		if r := l.answers(l.c)[0].(*ua.RepublishResponse); !reflect.DeepEqual(r.NotificationMessage, first.NotificationMessage) {
			t.Errorf("%+v", r.NotificationMessage)
		}
		writeRamp(l.s, 1, 2)
		l.publish(ack(sub, 1))
		p = l.next(time.Second)
		if p.NotificationMessage.SequenceNumber != 2 || len(changes(p.NotificationMessage)) != 1 || p.Results[0] != ua.StatusOK {
			t.Errorf("%+v", p)
		}
		// Initial values repeat the last value and are no new sample.
		n := len(l.offered)
		transfer(true)
		if nums, _ := l.collect(); !reflect.DeepEqual(nums, []float64{1}) || len(l.offered) != n {
			t.Errorf("%v, offered %d", nums, len(l.offered)-n)
		}
		want[*ua.CloseSessionResponse](l, &ua.CloseSessionRequest{DeleteSubscriptions: true})
		if len(l.s.engine.subs) != 0 {
			t.Error("DeleteSubscriptions was not honoured")
		}
	})
}

func TestSubscriptionOutlivesSession(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		l.monitor(sub, itemRequest(path(0), 1, 10, nil))
		want[*ua.CloseSessionResponse](l, &ua.CloseSessionRequest{DeleteSubscriptions: false})
		writeRamp(l.s, 0, 2)
		l.c, l.ses = l.session(anonymousUser)
		want[*ua.TransferSubscriptionsResponse](l, &ua.TransferSubscriptionsRequest{SubscriptionIDs: []uint32{sub}})
		if nums, _ := l.collect(); !reflect.DeepEqual(nums, []float64{0, 0, 1}) {
			t.Errorf("%v", nums)
		}
	})
}

func TestSessionTimeout(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		l.ses.timeout = 500 * time.Millisecond
		l.publish()
		l.next(time.Second)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(l.s.engine.sessions) != 0 {
			t.Error("the session is still there")
		}
		if l.s.engine.subs[sub] == nil {
			t.Error("the subscription went with the session")
		}
	})
}

func TestOperationLimits(t *testing.T) {
	inLab(t, &Server{Variables: vars(4), Limits: Limits{MaxNodesPerRead: 3, MaxMonitoredItemsPerCall: 3, MaxSubscriptions: 2, MaxItems: 4}}, func(l *lab) {
		read := func(n int) ua.StatusCode {
			r := &ua.ReadRequest{}
			for range n {
				r.NodesToRead = append(r.NodesToRead, valueOf("i=2258"))
			}
			_, code := ask[*ua.ReadResponse](l, r)
			return code
		}
		if read(3) != ua.StatusOK || read(4) != ua.StatusBadTooManyOperations || read(0) != ua.StatusBadNothingToDo {
			t.Errorf("read: %v %v %v", read(3), read(4), read(0))
		}
		sub := l.subscribe(time.Second, nil)
		var items []*ua.MonitoredItemCreateRequest
		for i := range 4 {
			items = append(items, itemRequest(path(i), uint32(i), 1, nil))
		}
		if _, code := ask[*ua.CreateMonitoredItemsResponse](l, &ua.CreateMonitoredItemsRequest{SubscriptionID: sub, ItemsToCreate: items}); code != ua.StatusBadTooManyOperations {
			t.Errorf("4 items: %v", code)
		}
		l.monitor(sub, items[:3]...)
		if r := l.monitor(sub, items[:3]...); r[0].StatusCode != ua.StatusOK || r[1].StatusCode != ua.StatusBadTooManyMonitoredItems {
			t.Errorf("%v %v", r[0].StatusCode, r[1].StatusCode)
		}
		l.subscribe(time.Second, nil)
		if _, code := ask[*ua.CreateSubscriptionResponse](l, &ua.CreateSubscriptionRequest{}); code != ua.StatusBadTooManySubscriptions {
			t.Errorf("third subscription: %v", code)
		}
		if n := l.s.engine.monitored; n != 3 {
			t.Errorf("%d monitored: two items of a variable count once", n)
		}
	})
}

func TestWritingServicesAreRefusedAndCounted(t *testing.T) {
	s := start(t, &Server{}, 1)
	p := dial(t, s.URL(), nil)
	for _, req := range []ua.Request{
		&ua.WriteRequest{}, &ua.CallRequest{}, &ua.AddNodesRequest{}, &ua.HistoryUpdateRequest{}, &ua.DeleteNodesRequest{},
	} {
		if _, err := send[*ua.ServiceFault](p, req); err == nil || err.Error() == "answer of another type" {
			t.Errorf("%T: %v", req, err)
		}
	}
	counts := s.Counts()
	for _, name := range []string{"Write", "Call", "AddNodes", "HistoryUpdate", "DeleteNodes", "CreateSession", "ActivateSession"} {
		if counts[name] != 1 {
			t.Errorf("%s counted %d times", name, counts[name])
		}
	}
}
