package e2e

import (
	"io"
	"math/rand/v2"
	"net"
	"time"
)

// rough is how bad a link is. TCP hides what is lost from who uses it: a lost
// segment is one that comes later, and so does all behind it.
type rough struct {
	delay time.Duration // one way
	rate  int           // bytes a second; 0 as fast as it goes
	loss  float64       // share of the segments that are lost once, twice as often again, …
	stall time.Duration // what sending a segment again takes: the least time-out of TCP, doubling
}

// roughen makes new connections that bad, and cuts those that stand.
func (p *proxy) roughen(r rough) {
	p.mu.Lock()
	p.rough = r
	p.mu.Unlock()
	p.cut()
}

// through is the way to a connection, as bad as the link is now.
func (p *proxy) through(c net.Conn) io.WriteCloser {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rough == (rough{}) {
		return c
	}
	w := &slowWay{rough: p.rough, to: c, queue: make(chan late, 64), gone: make(chan struct{})}
	go w.carry()
	return w
}

// segment is what TCP sends at once over Ethernet.
const segment = 1460

// late is bytes and when they arrive.
type late struct {
	b  []byte
	at time.Time
}

// slowWay holds bytes back for as long as a rough link would. What is in the
// queue is what is on the wire and in its buffers.
type slowWay struct {
	rough
	to    net.Conn
	queue chan late
	gone  chan struct{}
	free  time.Time // when the wire is free again
}

func (w *slowWay) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		part := b[:min(segment, len(b))]
		b = b[len(part):]
		if now := time.Now(); w.free.Before(now) {
			w.free = now
		}
		if w.rate > 0 {
			w.free = w.free.Add(time.Duration(len(part)) * time.Second / time.Duration(w.rate))
		}
		for again := w.stall; w.loss > 0 && rand.Float64() < w.loss; again *= 2 {
			w.free = w.free.Add(again)
		}
		select {
		case w.queue <- late{append([]byte(nil), part...), w.free.Add(w.delay)}:
		case <-w.gone:
			return 0, net.ErrClosed
		}
	}
	return n, nil
}

// Close lets what is on the wire arrive.
func (w *slowWay) Close() error {
	close(w.queue)
	return nil
}

func (w *slowWay) carry() {
	defer w.to.Close()
	defer close(w.gone)
	for x := range w.queue {
		time.Sleep(time.Until(x.at))
		if _, err := w.to.Write(x.b); err != nil {
			return
		}
	}
}
