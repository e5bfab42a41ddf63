package server

import (
	"bytes"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/gopcua/opcua/ua"
)

// wire is a TCP proxy between a client and the server that listens in and can be
// cut or frozen.
type wire struct {
	url string

	mu     sync.Mutex
	conns  []net.Conn
	frozen chan struct{} // closed by cut; nil while bytes move
	down   []byte        // last bytes from the server
}

func startWire(t testing.TB, url string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{url: "opc.tcp://" + l.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", strings.TrimPrefix(url, "opc.tcp://"))
			if err != nil {
				c.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, c, up)
			w.mu.Unlock()
			wg.Go(func() { w.pump(up, c, false) })
			wg.Go(func() { w.pump(c, up, true) }) // from the server to the client
		}
	})
	t.Cleanup(func() { l.Close(); w.cut(); wg.Wait() })
	return w
}

func (w *wire) pump(to, from net.Conn, down bool) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		w.mu.Lock()
		frozen := w.frozen
		if down && n > 0 {
			w.down = append(w.down[:0], b[:n]...)
		}
		w.mu.Unlock()
		if frozen != nil {
			<-frozen // reads no more: the sender's window fills
			return
		}
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// freeze stops all bytes and closes nothing.
func (w *wire) freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = make(chan struct{})
}

// cut closes all connections; new ones are let through.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
	if w.frozen != nil {
		close(w.frozen)
		w.frozen = nil
	}
}

// lastError is the code of the Error message that the server sent last.
func (w *wire) lastError() ua.StatusCode {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := bytes.Index(w.down, []byte("ERRF"))
	if i < 0 || len(w.down) < i+12 {
		return ua.StatusOK
	}
	return ua.StatusCode(binary.LittleEndian.Uint32(w.down[i+8:]))
}
