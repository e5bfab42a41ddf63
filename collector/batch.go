package collector

import (
	"errors"
	"sync"

	"github.com/gopcua/opcua/ua"
)

const (
	mostPerCall = 1000
	mostAlone   = 8  // operations in a row that each fail the whole call before the rest is left for later
	smallCall   = 16 // operations that break no connection
)

// batch is how many operations go into one call of a service: as many as the
// server says that it takes, or was seen to take, and fewer while one that fails
// the whole call is looked for. It lives as long as its Run, across connections.
// The zero batch begins with mostPerCall. Any goroutine may use it.
type batch struct {
	mu    sync.Mutex
	most  int // not refused yet; 0: mostPerCall
	limit int // the server's word (OPC 10000-5, 6.3.11), 0 none
	try   int // in the next call; 0: most
	alone int // operations in a row that failed all by themselves
	hung  int // size of the call on which the connection broke last, 0 none
}

// bound sets what is asked for at most, where n is not 0.
func (b *batch) bound(n int) {
	if n > 0 {
		b.most = n
	}
}

// declare takes the server's word; 0 is none.
func (b *batch) declare(n uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = int(min(n, 1<<30))
}

// size is how many operations the next call may hold.
func (b *batch) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now()
}

func (b *batch) now() int {
	n := b.full()
	if b.try > 0 {
		n = min(n, b.try)
	}
	return n
}

func (b *batch) full() int {
	n := b.most
	if n == 0 {
		n = mostPerCall
	}
	if b.limit > 0 {
		n = min(n, b.limit)
	}
	return n
}

// verdict is what becomes of a call.
type verdict uint8

const (
	taken   verdict = iota
	smaller         // the same again, with fewer operations: see size
	single          // its only operation is at fault
	enough          // as single, and too many were: leave the rest for later
	broken          // the connection is
)

// judge says what becomes of a call of n operations that ended with err.
func (b *batch) judge(n int, err error) verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	bad := tooMuch(err) || poisoned(err)
	switch {
	case err == nil:
		if b.alone = 0; n >= b.hung {
			b.hung = 0
		}
		if b.try *= 2; b.try >= b.full() {
			b.try = 0
		}
		return taken
	case errorIs(err, ua.StatusBadTimeout) || errors.Is(err, errHangUp):
		// Nobody knows whether it was the call. The second time at the same size it was.
		if said := tooMuch(err) && n > 1; said || n > smallCall && n == b.hung {
			b.most, b.try, n = n/2, 0, 0
		}
		b.hung = n
		return broken
	case tooMuch(err) && n > 1:
		b.most, b.try = n/2, 0
		return smaller
	case bad && n > 1:
		b.try = n / 2
		return smaller
	case bad:
		if b.alone++; b.alone < mostAlone {
			return single
		}
		b.alone, b.try = 0, 0
		return enough
	}
	return broken
}

// each calls f with parts of n operations. Of those that are refused by
// themselves refuse hears, and where there are too many of them also of all that
// were not asked for. The error is one of the connection.
func (b *batch) each(n int, f func(from, to int) error, refuse func(i int, err error, asked bool)) error {
	for from := 0; from < n; {
		to := min(from+b.size(), n)
		err := f(from, to)
		switch b.judge(to-from, err) {
		case taken:
			from = to
		case smaller:
		case single:
			refuse(from, err, true)
			from++
		case enough:
			refuse(from, err, true)
			for from++; from < n; from++ {
				refuse(from, err, false)
			}
		case broken:
			return err
		}
	}
	return nil
}

// tooMuch reports whether err says that a call, or the answer to it, was too large.
func tooMuch(err error) bool {
	return errorIs(err, ua.StatusBadTooManyOperations, ua.StatusBadRequestTooLarge, ua.StatusBadResponseTooLarge,
		ua.StatusBadEncodingLimitsExceeded, ua.StatusBadTCPMessageTooLarge, ua.StatusBadNoContinuationPoints)
}

// poisoned reports whether err may come of a single operation although the server
// says it of the whole call.
func poisoned(err error) bool {
	return errorIs(err, ua.StatusBadUnexpectedError, ua.StatusBadInternalError, ua.StatusBadOutOfMemory, ua.StatusBadResourceUnavailable,
		ua.StatusBadNodeIDUnknown, ua.StatusBadNodeIDInvalid, ua.StatusBadInvalidArgument, ua.StatusBadDecodingError, ua.StatusBadEncodingError)
}

func errorIs(err error, codes ...ua.StatusCode) bool {
	for _, code := range codes {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// limits are the batches of the services that take many operations.
type limits struct {
	items     batch // CreateMonitoredItems and DeleteMonitoredItems
	read      batch
	browse    batch
	translate batch
	history   batch
}

// declare takes what the server says of itself.
func (x *limits) declare(p *peer) {
	x.items.declare(p.batch)
	x.read.declare(p.perRead)
	x.browse.declare(p.perBrowse)
	x.translate.declare(p.perTranslate)
	x.history.declare(p.perHistory)
}
