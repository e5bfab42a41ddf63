package server

import (
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// publishRequest acknowledges, then answers at once or parks the request.
func (e *engine) publishRequest(c *conn, s *session, reqID uint32, req *ua.PublishRequest) {
	now := time.Now()
	p := publishCall{conn: c, id: reqID, handle: req.RequestHeader.RequestHandle}
	if hint := req.RequestHeader.TimeoutHint; hint > 0 {
		p.until = now.Add(time.Duration(hint) * time.Millisecond)
	}
	for _, a := range req.SubscriptionAcknowledgements {
		p.results = append(p.results, e.acknowledge(s, a))
	}
	if len(s.subs) == 0 && len(s.statuses) == 0 {
		c.fault(p.id, p.handle, ua.StatusBadNoSubscription)
		return
	}
	s.waiting = append(s.waiting, p)
	if len(s.waiting) > e.limits.MaxPublish {
		oldest := s.waiting[0]
		s.waiting = s.waiting[1:]
		oldest.conn.fault(oldest.id, oldest.handle, ua.StatusBadTooManyPublishRequests)
	}
	e.serveStatuses(s)
	e.serve(s, now)
}

func (e *engine) acknowledge(s *session, a *ua.SubscriptionAcknowledgement) ua.StatusCode {
	sub := s.subs[a.SubscriptionID]
	if sub == nil {
		return ua.StatusBadSubscriptionIDInvalid
	}
	for i := range sub.kept {
		if sub.kept[i].seq == a.SequenceNumber {
			s.release(sub.kept[i : i+1])
			sub.kept = append(sub.kept[:i], sub.kept[i+1:]...)
			return ua.StatusOK
		}
	}
	return ua.StatusBadSequenceNumberUnknown
}

// publish answers p with the subscription's next message: notifications where
// there are any, a keep-alive where not.
func (e *engine) publish(sub *subscription, p publishCall, now time.Time) {
	var message []byte
	seq := sub.seq
	if sub.hasNews() {
		message = e.buildDataChange(sub, now)
		sub.seq = nextSequence(seq)
		e.keep(sub, keptMessage{seq, message})
	} else {
		message = appendKeepAlive(nil, seq, e.stamp(now).UnixNano())
	}
	more := sub.hasNews()
	sub.told = now
	sub.late, sub.lateSince = more, now
	sub.sent = true
	sub.keepLeft = sub.keepAlive
	sub.touch()
	e.answer(p, sub.id, sub.kept, more, message)
}

// buildDataChange takes as many queued values as one message holds.
func (e *engine) buildDataChange(sub *subscription, now time.Time) []byte {
	room := sub.session.room()
	b := make([]byte, 0, max(publishOverhead+maxEntryBytes*min(len(sub.ready), sub.maxNotes), sub.notification))
	b = beginDataChange(b, sub.seq, e.stamp(now).UnixNano())
	count, done := 0, 0
fill:
	for _, it := range sub.ready {
		if it.mode != ua.MonitoringModeReporting {
			it.ready = false // disabled, deleted or set to sampling meanwhile
			done++
			continue
		}
		for it.queue.n > 0 {
			if count == sub.maxNotes {
				break fill
			}
			at := len(b)
			if w := it.queue.at(0).wave; w != nil && count > 0 && at+4*w.Length > room {
				break fill
			}
			b = appendUint32(b, it.handle)
			b = appendDataValue(b, it.typ, it.queue.at(0), it.stamps)
			if len(b) > room && count > 0 {
				b = b[:at]
				break fill
			}
			count++
			e.pop(it)
		}
		it.ready = false
		done++
	}
	rest := copy(sub.ready, sub.ready[done:])
	clear(sub.ready[rest:])
	sub.ready = sub.ready[:rest]
	b = endDataChange(b, count)
	sub.notification = len(b)
	return b
}

const (
	publishFrame = 8 << 10 // left for the PublishResponse around a message
)

// room is the size of a notification message that the client takes.
func (s *session) room() int {
	room := maxAnswer
	if s.conn != nil {
		room = min(room, s.conn.maxMessage)
	}
	if s.maxReply > 0 {
		room = min(room, s.maxReply)
	}
	return room - publishFrame
}

// keep stores a message for Republish. The retransmission queue is bounded per
// session; the subscription that is sending loses its oldest messages first.
func (e *engine) keep(sub *subscription, m keptMessage) {
	s := sub.session
	sub.kept = append(sub.kept, m)
	s.hold(sub.kept[len(sub.kept)-1:])
	for len(sub.kept) > 1 && (s.kept > e.limits.MaxRetransmit || s.keptBytes > e.limits.MaxRetransmitBytes) {
		s.release(sub.kept[:1])
		sub.kept[0] = keptMessage{}
		sub.kept = sub.kept[1:]
	}
}

// hold and release count messages kept for Republish.
func (s *session) hold(ms []keptMessage) {
	for i := range ms {
		s.kept++
		s.keptBytes += len(ms[i].body)
	}
}

func (s *session) release(ms []keptMessage) {
	for i := range ms {
		s.kept--
		s.keptBytes -= len(ms[i].body)
	}
}

func (e *engine) serveStatuses(s *session) {
	for len(s.statuses) > 0 && len(s.waiting) > 0 {
		p, st := s.waiting[0], s.statuses[0]
		s.waiting, s.statuses = s.waiting[1:], s.statuses[1:]
		e.answer(p, st.sub, nil, false, appendStatusChange(nil, st.seq, e.stamp(time.Now()).UnixNano(), st.status))
	}
	e.afterLast(s)
}

// answer sends a PublishResponse. The message is shared with the retransmission
// queue and must not be changed.
func (e *engine) answer(p publishCall, sub uint32, kept []keptMessage, more bool, message []byte) {
	head := make([]byte, 0, 48+4*len(kept))
	head = appendTypeID(head, id.PublishResponse_Encoding_DefaultBinary)
	head = appendResponseHeader(head, p.handle, ua.StatusOK)
	head = appendUint32(head, sub)
	head = appendUint32(head, uint32(len(kept)))
	for i := range kept {
		head = appendUint32(head, kept[i].seq)
	}
	if more {
		head = append(head, 1)
	} else {
		head = append(head, 0)
	}
	tail := make([]byte, 0, 8+4*len(p.results))
	tail = appendUint32(tail, uint32(len(p.results)))
	for _, r := range p.results {
		tail = appendUint32(tail, uint32(r))
	}
	tail = appendUint32(tail, noLength) // diagnostics
	p.conn.send(outgoing{id: p.id, handle: p.handle, parts: [3][]byte{head, message, tail}})
}

func (e *engine) republish(c *conn, s *session, reqID uint32, req *ua.RepublishRequest) {
	handle := req.RequestHeader.RequestHandle
	sub := s.subs[req.SubscriptionID]
	if sub == nil {
		c.fault(reqID, handle, ua.StatusBadSubscriptionIDInvalid)
		return
	}
	sub.touch()
	for i := range sub.kept {
		if sub.kept[i].seq != req.RetransmitSequenceNumber {
			continue
		}
		head := appendTypeID(make([]byte, 0, 40), id.RepublishResponse_Encoding_DefaultBinary)
		head = appendResponseHeader(head, handle, ua.StatusOK)
		c.send(outgoing{id: reqID, handle: handle, parts: [3][]byte{head, sub.kept[i].body}})
		return
	}
	c.fault(reqID, handle, ua.StatusBadMessageNotAvailable)
}
