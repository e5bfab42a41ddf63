package hmi

import (
	"errors"
	"net"
	"testing"
	"time"
)

// TestLimitedListener holds that a connection more waits for one to end, and
// that Close ends the wait.
func TestLimitedListener(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &limited{Listener: inner, slots: make(chan struct{}, 2), closed: make(chan struct{})}
	accepted := make(chan net.Conn, 8)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	for range 3 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	one, two := <-accepted, <-accepted
	defer two.Close()
	select {
	case <-accepted:
		t.Fatal("the bound does not hold")
	case <-time.After(100 * time.Millisecond):
	}
	one.Close()
	one.Close() // gives one slot back, not two
	three := <-accepted
	defer three.Close()
	if err := errors.Join(l.Close()); err != nil {
		t.Error(err)
	}
	l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept = %v", err)
	}
}
