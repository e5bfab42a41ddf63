package collector

import "github.com/gopcua/opcua/ua"

// message is a NotificationMessage with the time of its arrival (ns UTC).
type message struct {
	*ua.NotificationMessage
	at int64
}

// sequencer puts notifications in order. Numbers run from 1 to 2³²−1 and then
// start again at 1 (OPC 10000-4, 7.25); keep-alives use up no number and name
// the one that comes next.
type sequencer struct {
	next  uint32 // number of the message that is to be delivered next
	known uint32 // highest number that is known to exist; next−1 if all is here
	held  map[uint32]message
}

func newSequencer(next uint32) sequencer {
	return sequencer{next: next, known: before(next), held: map[uint32]message{}}
}

// add takes a message. False: it was delivered before, or is held already.
func (q *sequencer) add(m message) bool {
	n := m.SequenceNumber
	if n == 0 || older(n, q.next) {
		return false
	}
	if _, ok := q.held[n]; ok {
		return false
	}
	q.held[n] = m
	q.exists(n)
	return true
}

// keepAlive takes the number that a keep-alive says is next.
func (q *sequencer) keepAlive(next uint32) {
	if next != 0 && older(q.next, next) {
		q.exists(before(next))
	}
}

func (q *sequencer) exists(n uint32) {
	if older(q.known, n) {
		q.known = n
	}
}

// pop gives the next message in order, if it is here.
func (q *sequencer) pop() (message, bool) {
	m, ok := q.held[q.next]
	if ok {
		delete(q.held, q.next)
		q.skip()
	}
	return m, ok
}

// missing gives the number that delivery waits for although later ones exist.
func (q *sequencer) missing() (uint32, bool) {
	if older(q.known, q.next) {
		return 0, false
	}
	_, here := q.held[q.next]
	return q.next, !here
}

// span is how many numbers lie between next and the highest known one, both
// included.
func (q *sequencer) span() uint32 {
	if older(q.known, q.next) {
		return 0
	}
	return q.known - q.next + 1
}

// skip gives up the next number.
func (q *sequencer) skip() {
	n := q.next
	q.next = after(n)
	if q.known == before(n) {
		q.known = n
	}
}

// jump gives up everything below the lowest message held, or all that is known
// if none is.
func (q *sequencer) jump() {
	to := after(q.known)
	for n := range q.held {
		if older(n, to) {
			to = n
		}
	}
	q.next = to
	if older(q.known, before(to)) {
		q.known = before(to)
	}
}

func after(n uint32) uint32 {
	if n++; n == 0 {
		return 1
	}
	return n
}

func before(n uint32) uint32 {
	if n--; n == 0 {
		return 1<<32 - 1
	}
	return n
}

// older reports whether number a comes before b, across the wrap.
func older(a, b uint32) bool { return int32(a-b) < 0 }
