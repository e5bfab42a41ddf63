package collector

import "time"

const (
	firstWindow  = 2
	mostWindow   = 32
	firstGrow    = 10 * time.Second // before a refused request is tried again
	lastGrow     = 10 * time.Minute
	quickTimeout = time.Second // a Publish that comes back sooner was not kept at all
)

// window is how many Publish requests are kept at the server: enough that one is
// there at every interval in spite of the way, more while the server has more
// than one answer holds, and no more than it bears.
type window struct {
	rtt   time.Duration
	burst int // more than the way needs, because the server says that it has more
	most  int // that the server bears, as far as was seen; 0: mostWindow

	hold time.Time     // no request before
	grow time.Time     // when one more than it was seen to bear is tried
	wait time.Duration // from one such try to the next
}

// wanted is the size for the way and what the server has, whatever it bears.
func (w *window) wanted(publishing time.Duration) int {
	n := firstWindow
	if publishing > 0 {
		n = max(n, int(min(w.rtt/publishing, mostWindow))+2)
	}
	return min(n+w.burst, mostWindow)
}

func (w *window) size(publishing time.Duration) int {
	n := w.wanted(publishing)
	if w.most > 0 {
		n = min(n, w.most)
	}
	return n
}

// answered takes an answer; more says that the server has more at once
// (MoreNotifications, OPC 10000-4, 5.14.5).
func (w *window) answered(more bool) {
	if more {
		w.burst = min(w.burst+1, mostWindow)
	} else {
		w.burst /= 2
	}
}

// refused takes a BadTooManyPublishRequests, with so many left at the server.
func (w *window) refused(left int, now time.Time) {
	if now.After(w.hold) { // else one of several that were too many at once
		w.wait = min(max(2*w.wait, firstGrow), lastGrow)
	}
	w.most = max(1, min(left, mostWindow))
	w.hold, w.grow = now.Add(tickTime), now.Add(w.wait)
}

// returned takes a Publish that the server gave back unanswered after a time. One
// that keeps none at all is not asked again at once.
func (w *window) returned(after time.Duration, now time.Time) {
	if after < quickTimeout {
		w.hold = now.Add(tickTime)
	}
}

// relax tries one more request if the server refused it long ago and the way
// needs it: what another client took away may be back.
func (w *window) relax(publishing time.Duration, now time.Time) {
	if w.most == 0 || now.Before(w.grow) || w.wanted(publishing) <= w.most {
		return
	}
	if w.most++; w.most >= mostWindow {
		w.most, w.wait = 0, 0
	}
	w.grow = now.Add(w.wait)
}
