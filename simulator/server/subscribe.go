package server

import (
	"time"

	"github.com/gopcua/opcua/ua"
)

// createSubscription is OPC 10000-4, 5.14.2.
func (e *engine) createSubscription(s *session, r *ua.CreateSubscriptionRequest) (ua.Response, ua.StatusCode) {
	if len(e.subs) >= e.limits.MaxSubscriptions {
		return nil, ua.StatusBadTooManySubscriptions
	}
	if e.lastSub++; e.lastSub == 0 {
		e.lastSub = 1
	}
	sub := &subscription{
		id: e.lastSub, session: s, user: s.user, appURI: s.appURI,
		enabled: r.PublishingEnabled, seq: 1, items: map[uint32]*item{},
	}
	e.revise(sub, r.RequestedPublishingInterval, r.RequestedLifetimeCount, r.RequestedMaxKeepAliveCount,
		r.MaxNotificationsPerPublish, r.Priority)
	e.subs[sub.id] = sub
	s.subs[sub.id] = sub
	return &ua.CreateSubscriptionResponse{
		SubscriptionID: sub.id, RevisedPublishingInterval: millis(sub.interval),
		RevisedLifetimeCount: sub.lifetime, RevisedMaxKeepAliveCount: sub.keepAlive,
	}, ua.StatusOK
}

const (
	defaultKeepAlive = 10
	lifetimePerAlive = 3 // OPC 10000-4, 5.14.2: the lifetime is at least three keep-alives
)

// revise sets what a client may ask of a subscription, within limits, and
// restarts its timer.
func (e *engine) revise(sub *subscription, interval float64, lifetime, keepAlive, notes uint32, priority uint8) {
	sub.interval = revise(interval, e.limits.MinPublishing, e.limits.MaxInterval)
	longest := uint32(max(lifetimePerAlive, min(e.limits.MaxInterval/sub.interval, 1<<30)))
	if keepAlive == 0 {
		keepAlive = defaultKeepAlive
	}
	keepAlive = max(keepAlive, uint32(min(e.limits.MinKeepAlive/sub.interval, 1<<30)))
	sub.keepAlive = max(1, min(keepAlive, longest/lifetimePerAlive))
	sub.lifetime = max(min(lifetime, longest), sub.keepAlive*lifetimePerAlive)
	sub.maxNotes = e.limits.MaxNotifications
	if notes > 0 && notes < uint32(sub.maxNotes) {
		sub.maxNotes = int(notes)
	}
	sub.priority = priority
	sub.keepLeft = sub.keepAlive
	sub.touch()
	e.stopTimer(sub.timer)
	sub.timer = e.every(sub.interval, func(now time.Time) { e.tick(sub, now) })
}

// modifySubscription is OPC 10000-4, 5.14.3.
func (e *engine) modifySubscription(s *session, r *ua.ModifySubscriptionRequest) (ua.Response, ua.StatusCode) {
	sub := s.subs[r.SubscriptionID]
	if sub == nil {
		return nil, ua.StatusBadSubscriptionIDInvalid
	}
	e.revise(sub, r.RequestedPublishingInterval, r.RequestedLifetimeCount, r.RequestedMaxKeepAliveCount,
		r.MaxNotificationsPerPublish, r.Priority)
	return &ua.ModifySubscriptionResponse{
		RevisedPublishingInterval: millis(sub.interval),
		RevisedLifetimeCount:      sub.lifetime, RevisedMaxKeepAliveCount: sub.keepAlive,
	}, ua.StatusOK
}

// setPublishingMode is OPC 10000-4, 5.14.4. Keep-alives go on while it is off.
func (e *engine) setPublishingMode(s *session, r *ua.SetPublishingModeRequest) (ua.Response, ua.StatusCode) {
	results, code := forEach(r.SubscriptionIDs, e.limits.MaxSubscriptions, func(id uint32) ua.StatusCode {
		sub := s.subs[id]
		if sub == nil {
			return ua.StatusBadSubscriptionIDInvalid
		}
		sub.enabled = r.PublishingEnabled
		sub.touch()
		return ua.StatusOK
	})
	return &ua.SetPublishingModeResponse{Results: results}, code
}

// deleteSubscriptions is OPC 10000-4, 5.14.8.
func (e *engine) deleteSubscriptions(s *session, r *ua.DeleteSubscriptionsRequest) (ua.Response, ua.StatusCode) {
	results, code := forEach(r.SubscriptionIDs, e.limits.MaxSubscriptions, func(id uint32) ua.StatusCode {
		sub := s.subs[id]
		if sub == nil {
			return ua.StatusBadSubscriptionIDInvalid
		}
		e.removeSubscription(sub)
		return ua.StatusOK
	})
	e.afterLast(s)
	return &ua.DeleteSubscriptionsResponse{Results: results}, code
}

// transfer is OPC 10000-4, 5.14.7: only the same user takes a subscription over,
// an anonymous one only with the same application.
func (e *engine) transfer(s *session, r *ua.TransferSubscriptionsRequest) (ua.Response, ua.StatusCode) {
	if len(r.SubscriptionIDs) == 0 {
		return nil, ua.StatusBadNothingToDo
	}
	if len(r.SubscriptionIDs) > e.limits.MaxSubscriptions {
		return nil, ua.StatusBadTooManyOperations
	}
	now := time.Now()
	resp := &ua.TransferSubscriptionsResponse{}
	for _, id := range r.SubscriptionIDs {
		resp.Results = append(resp.Results, e.transferOne(s, id, r.SendInitialValues, now))
	}
	e.flush()
	return resp, ua.StatusOK
}

func (e *engine) transferOne(s *session, id uint32, initial bool, now time.Time) *ua.TransferResult {
	sub := e.subs[id]
	switch {
	case sub == nil:
		return &ua.TransferResult{StatusCode: ua.StatusBadSubscriptionIDInvalid}
	case sub.user != s.user || sub.user == anonymousUser && sub.appURI != s.appURI:
		return &ua.TransferResult{StatusCode: ua.StatusBadUserAccessDenied}
	}
	if old := sub.session; old != s {
		e.detach(sub)
		if old != nil {
			e.tellStatus(old, sub, ua.StatusGoodSubscriptionTransferred)
		}
		sub.session = s
		s.subs[sub.id] = sub
		s.hold(sub.kept)
	}
	sub.touch()
	if initial {
		for _, it := range sub.items {
			if it.mode == ua.MonitoringModeReporting && it.queue.n == 0 {
				v := e.current(it, now)
				e.accept(it, &v)
			}
		}
	}
	res := &ua.TransferResult{AvailableSequenceNumbers: make([]uint32, 0, len(sub.kept))}
	for i := range sub.kept {
		res.AvailableSequenceNumbers = append(res.AvailableSequenceNumbers, sub.kept[i].seq)
	}
	return res
}

// forEach runs a service over a list of ids with its limits.
func forEach(ids []uint32, limit int, do func(id uint32) ua.StatusCode) ([]ua.StatusCode, ua.StatusCode) {
	switch {
	case len(ids) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(ids) > limit:
		return nil, ua.StatusBadTooManyOperations
	}
	results := make([]ua.StatusCode, len(ids))
	for i, id := range ids {
		results[i] = do(id)
	}
	return results, ua.StatusOK
}
