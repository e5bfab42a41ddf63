package server

import (
	"time"

	"github.com/gopcua/opcua/ua"
)

// subscription follows the state machine of OPC 10000-4, 5.14.1.2. The engine's
// lock guards it.
type subscription struct {
	id      uint32
	session *session // nil while no session owns it
	user    string   // identity that may take it over
	appURI  string

	interval     time.Duration
	lifetime     uint32 // publishing intervals
	keepAlive    uint32 // publishing intervals
	maxNotes     int    // notifications per message
	enabled      bool
	priority     uint8
	lifeLeft     uint32
	keepLeft     uint32
	seq          uint32 // number of the next notification message
	sent         bool   // something was sent
	late         bool   // something is due and waits for a PublishRequest
	starved      bool   // by Starve
	lateSince    time.Time
	told         time.Time // of the last message
	items        map[uint32]*item
	ready        []*item // reporting items with queued values
	kept         []keptMessage
	timer        *timer
	notification int // bytes of the last notification message
}

// keptMessage is a NotificationMessage, encoded, until it is acknowledged.
type keptMessage struct {
	seq  uint32
	body []byte
}

// hasNews reports whether a message with notifications can be built now. Items
// that were disabled, deleted or emptied meanwhile leave the list here.
func (sub *subscription) hasNews() bool {
	if !sub.enabled {
		return false
	}
	for len(sub.ready) > 0 {
		it := sub.ready[0]
		if it.mode == ua.MonitoringModeReporting && it.queue.n > 0 {
			return true
		}
		it.ready = false
		sub.ready = sub.ready[1:]
	}
	return false
}

func (sub *subscription) touch() { sub.lifeLeft = sub.lifetime }

// tick is one publishing interval.
func (e *engine) tick(sub *subscription, now time.Time) {
	if sub.lifeLeft--; sub.lifeLeft == 0 {
		e.endSubscription(sub, ua.StatusBadTimeout)
		return
	}
	due := sub.hasNews()
	if !due {
		// The first message is due at once, whatever it is.
		if sub.keepLeft--; sub.keepLeft == 0 || !sub.sent {
			due = true
			sub.keepLeft = 1
		}
	}
	if !due || e.slow > 0 && now.Sub(sub.told) < e.slow {
		return
	}
	if !sub.late {
		sub.late, sub.lateSince = true, now
	}
	if sub.session != nil {
		e.serve(sub.session, now)
	}
}

// serve answers waiting PublishRequests with what is due: the highest priority
// first, within it the subscription that waits longest.
func (e *engine) serve(s *session, now time.Time) {
	for len(s.waiting) > 0 {
		var next *subscription
		for _, sub := range s.subs {
			if sub.late && !sub.starved && (next == nil || sub.before(next)) {
				next = sub
			}
		}
		if next == nil {
			return
		}
		p := s.waiting[0]
		s.waiting = s.waiting[1:]
		e.publish(next, p, now)
	}
}

// before orders late subscriptions.
func (sub *subscription) before(other *subscription) bool {
	switch {
	case sub.priority != other.priority:
		return sub.priority > other.priority
	case !sub.lateSince.Equal(other.lateSince):
		return sub.lateSince.Before(other.lateSince)
	}
	return sub.id < other.id
}

// endSubscription removes a subscription that ended by itself or went to
// another session, and tells its session.
func (e *engine) endSubscription(sub *subscription, status ua.StatusCode) {
	s := sub.session
	e.removeSubscription(sub)
	if s != nil {
		e.tellStatus(s, sub, status)
	}
}

func (e *engine) tellStatus(s *session, sub *subscription, status ua.StatusCode) {
	s.statuses = append(s.statuses, statusChange{sub: sub.id, seq: sub.seq, status: status})
	e.serveStatuses(s)
}

func (e *engine) removeSubscription(sub *subscription) {
	e.stopTimer(sub.timer)
	for _, it := range sub.items {
		e.removeItem(it)
	}
	sub.ready = nil
	delete(e.subs, sub.id)
	e.detach(sub)
}

// detach takes a subscription from its session.
func (e *engine) detach(sub *subscription) {
	s := sub.session
	if s == nil {
		return
	}
	sub.session = nil
	s.release(sub.kept)
	delete(s.subs, sub.id)
}

// afterLast answers the waiting requests of a session that has nothing left to
// wait for (OPC 10000-4, 5.14.5: Bad_NoSubscription).
func (e *engine) afterLast(s *session) {
	if s != nil && len(s.subs) == 0 && len(s.statuses) == 0 {
		e.failWaiting(s, ua.StatusBadNoSubscription)
	}
}

func nextSequence(n uint32) uint32 {
	if n++; n == 0 {
		return 1
	}
	return n
}
