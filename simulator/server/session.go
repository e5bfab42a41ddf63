package server

import (
	"time"

	"github.com/gopcua/opcua/ua"
)

// session is a client's session. It outlives its connection: a client may
// activate it again from a new secure channel until its timeout is over. The
// engine's lock guards it.
type session struct {
	id       *ua.NodeID
	token    string // authentication token
	name     string
	appURI   string
	cert     []byte // application certificate of the client, DER
	policy   string
	mode     ua.MessageSecurityMode
	nonce    []byte // last server nonce
	timeout  time.Duration
	active   time.Time // last request
	conn     *conn     // where it is active, nil when that connection is gone
	user     string    // identity, "" until activated
	maxReply int       // message size that the client takes, 0 no limit

	subs      map[uint32]*subscription
	waiting   []publishCall  // PublishRequests
	statuses  []statusChange // StatusChangeNotifications not yet sent
	kept      int            // messages kept for Republish in all subs
	keptBytes int
	cursors   map[string]*browseCursor
	queries   map[string]*query
	cursor    uint64 // number of the last continuation point
}

// publishCall is a PublishRequest that waits for something to tell.
type publishCall struct {
	conn    *conn
	id      uint32 // request id on the secure channel
	handle  uint32
	until   time.Time // zero: no timeout hint
	results []ua.StatusCode
}

type statusChange struct {
	sub    uint32
	seq    uint32
	status ua.StatusCode
}

// closeSession ends a session. Subscriptions that are not deleted live on until
// their lifetime ends or another session takes them over.
func (e *engine) closeSession(s *session, deleteSubs bool) {
	for _, sub := range s.subs {
		if deleteSubs {
			e.removeSubscription(sub)
			continue
		}
		sub.session = nil
	}
	clear(s.subs)
	e.failWaiting(s, ua.StatusBadSessionClosed)
	delete(e.sessions, s.token)
}

// connGone drops what was waiting on a connection that ended.
func (e *engine) connGone(c *conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.sessions {
		if s.conn != c {
			continue
		}
		s.conn = nil
		s.waiting = nil
		if s.user == "" {
			// Never activated: nobody can come back to it.
			e.closeSession(s, true)
		}
	}
}

func (e *engine) failWaiting(s *session, code ua.StatusCode) {
	for _, p := range s.waiting {
		p.conn.fault(p.id, p.handle, code)
	}
	s.waiting = nil
}

// expirePublish answers requests whose timeout hint is over.
func (e *engine) expirePublish(s *session, now time.Time) {
	kept := s.waiting[:0]
	for _, p := range s.waiting {
		if !p.until.IsZero() && now.After(p.until) {
			p.conn.fault(p.id, p.handle, ua.StatusBadTimeout)
			continue
		}
		kept = append(kept, p)
	}
	clear(s.waiting[len(kept):])
	s.waiting = kept
}
