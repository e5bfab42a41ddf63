package collector

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy forwards TCP connections and can fail.
type proxy struct {
	t      testing.TB
	l      net.Listener
	target string
	mu     sync.Mutex
	cond   *sync.Cond
	silent bool
	closed bool
	delay  time.Duration
	lost   []byte // an answer that holds it is never given, and its connection ends; nil: none
	rate   int    // bytes a second in each direction, 0: no bound
	conns  map[net.Conn]bool
	wg     sync.WaitGroup
}

func newProxy(t testing.TB, port int) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, l: l, target: fmt.Sprintf("127.0.0.1:%d", port), conns: map[net.Conn]bool{}}
	p.cond = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) url() string { return "opc.tcp://" + p.l.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() {
			p.mu.Lock()
			for p.silent && !p.closed {
				p.cond.Wait() // accepted by the kernel, then nothing
			}
			p.mu.Unlock()
			d, err := net.Dial("tcp", p.target)
			if err != nil {
				c.Close()
				return
			}
			p.mu.Lock()
			p.conns[c], p.conns[d] = true, true
			if p.closed {
				c.Close()
				d.Close()
			}
			p.mu.Unlock()
			p.wg.Go(func() { p.pipe(c, d) })
			p.pipe(d, c)
		})
	}
}

// chunk is what was read at a time.
type chunk struct {
	b  []byte
	at time.Time
}

func (p *proxy) pipe(from, to net.Conn) {
	ch := make(chan chunk, 1000)
	p.wg.Go(func() {
		for k := range ch {
			p.mu.Lock()
			for p.silent && !p.closed {
				p.cond.Wait()
			}
			delay, rate, lost := p.delay, p.rate, p.lost
			p.mu.Unlock()
			if lost != nil && bytes.Contains(k.b, lost) {
				break
			}
			time.Sleep(time.Until(k.at.Add(delay)))
			if rate > 0 {
				time.Sleep(time.Duration(len(k.b)) * time.Second / time.Duration(rate))
			}
			if _, err := to.Write(k.b); err != nil {
				break
			}
		}
		from.Close()
		to.Close()
		for range ch {
		}
	})
	for {
		b := make([]byte, 64<<10)
		n, err := from.Read(b)
		if n > 0 {
			ch <- chunk{b[:n], time.Now()}
		}
		if err != nil {
			break
		}
	}
	close(ch)
	p.mu.Lock()
	delete(p.conns, from)
	delete(p.conns, to)
	p.mu.Unlock()
}

// cut ends all connections at once.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if tc, ok := c.(*net.TCPConn); ok {
			_ = tc.SetLinger(0)
		}
		c.Close()
	}
}

// hush makes the proxy go silent, or lets what it has kept go on.
func (p *proxy) hush(on bool) {
	p.mu.Lock()
	p.silent = on
	p.mu.Unlock()
	p.cond.Broadcast()
}

func (p *proxy) slow(d time.Duration) {
	p.mu.Lock()
	p.delay = d
	p.mu.Unlock()
}

func (p *proxy) narrow(bytesPerSecond int) {
	p.mu.Lock()
	p.rate = bytesPerSecond
	p.mu.Unlock()
}

func (p *proxy) lose(answer []byte) {
	p.mu.Lock()
	p.lost = answer
	p.mu.Unlock()
}

func (p *proxy) close() {
	p.l.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cond.Broadcast()
	p.cut()
	p.wg.Wait()
}
