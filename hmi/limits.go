package hmi

import (
	"context"
	"net"
	"sync"
)

// limited is a listener that has at most cap(slots) connections open; more wait
// in the kernel's queue.
type limited struct {
	net.Listener
	slots  chan struct{}
	once   sync.Once
	closed chan struct{}
}

// Accept waits for a slot, then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, release: func() { <-l.slots }}, nil
}

// Close closes the listener and ends a waiting Accept.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	once    sync.Once
	release func()
}

// Close closes the connection and gives its slot back, once.
func (c *limitedConn) Close() error {
	defer c.once.Do(c.release)
	return c.Conn.Close()
}

// gate counts the streams that are open, by kind, and lets a stop wait for them.
// Hijacked connections are not waited for by http.Server.
type gate struct {
	mu   sync.Mutex // guards all below
	open map[string]int
	idle chan struct{} // closed when the last one has gone; nil while nobody waits
}

// enter takes a place, false when there is none. leave gives it back.
func (g *gate) enter(kind string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = map[string]int{}
	}
	if g.open[kind] >= maxStreams {
		return false
	}
	g.open[kind]++
	return true
}

func (g *gate) leave(kind string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[kind]--
	if g.idle != nil && g.total() == 0 {
		close(g.idle)
		g.idle = nil
	}
}

// total is called with g.mu held.
func (g *gate) total() int {
	n := 0
	for _, v := range g.open {
		n += v
	}
	return n
}

// close waits until nobody is inside or ctx ends.
func (g *gate) close(ctx context.Context) {
	g.mu.Lock()
	if g.total() == 0 {
		g.mu.Unlock()
		return
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
