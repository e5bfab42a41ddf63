package ingest_test

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"millwright/sparkplug"
)

// peer is a plain MQTT client: an observer, a forger, a foreign edge.
type peer struct {
	t testing.TB
	mqtt.Client
	mu   sync.Mutex
	seen []seen
}

// seen is a message that the peer heard.
type seen struct {
	sparkplug.Topic
	sparkplug.Payload
	state    sparkplug.HostState
	retained bool
}

func newPeer(t testing.TB, url string) *peer {
	t.Helper()
	p := &peer{t: t}
	o := mqtt.NewClientOptions().AddBroker(url).SetClientID("peer" + rand.Text()).SetProtocolVersion(4).
		SetAutoReconnect(false).SetOrderMatters(true)
	p.Client = mqtt.NewClient(o)
	if tok := p.Connect(); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		t.Fatal("peer cannot connect: ", tok.Error())
	}
	t.Cleanup(func() { p.Disconnect(20) })
	tok := p.Subscribe("spBv1.0/#", 1, func(_ mqtt.Client, m mqtt.Message) {
		topic, err := sparkplug.ParseTopic(m.Topic())
		if err != nil {
			t.Errorf("topic %q: %v", m.Topic(), err)
			return
		}
		s := seen{Topic: topic, retained: m.Retained()}
		if topic.Kind == sparkplug.STATE {
			s.state, err = sparkplug.ParseHostState(m.Payload())
		} else {
			err = s.Payload.Decode(m.Payload())
		}
		if err != nil {
			t.Errorf("%s: %v", m.Topic(), err)
			return
		}
		p.mu.Lock()
		p.seen = append(p.seen, s)
		p.mu.Unlock()
	})
	if !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		t.Fatal("peer cannot subscribe: ", tok.Error())
	}
	return p
}

// heard returns the messages of a kind so far.
func (p *peer) heard(k sparkplug.Kind) []seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []seen
	for _, s := range p.seen {
		if s.Kind == k {
			out = append(out, s)
		}
	}
	return out
}

// all returns every message so far, in order.
func (p *peer) all() []seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]seen(nil), p.seen...)
}

// say publishes bytes at QoS 0.
func (p *peer) say(k sparkplug.Kind, node, device string, b []byte) {
	p.t.Helper()
	p.qos(k, node, device, b, 0)
}

func (p *peer) qos(k sparkplug.Kind, node, device string, b []byte, qos byte) {
	p.t.Helper()
	topic := sparkplug.Topic{Kind: k, Group: "mill", Node: node, Device: device}.String()
	if tok := p.Publish(topic, qos, false, b); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		p.t.Fatal("publish: ", tok.Error())
	}
}

// pay publishes a payload.
func (p *peer) pay(k sparkplug.Kind, node, device string, x *sparkplug.Payload) {
	p.t.Helper()
	p.say(k, node, device, x.AppendTo(nil))
}

// wire is a TCP proxy before a broker that can lose single messages, go silent
// and be cut.
type wire struct {
	t      testing.TB
	listen net.Listener
	target string

	mu     sync.Mutex
	lose   func(topic string) bool // QoS 0 messages to be lost
	silent bool
	rate   int // bytes a second either way; 0: as fast as it goes
	conns  []net.Conn
	wait   sync.WaitGroup
}

func newWire(t testing.TB, brokerURL string) *wire {
	return newThinWire(t, brokerURL, 0)
}

// newThinWire carries so many bytes a second either way, with as little waiting in
// its buffers as a modem has.
func newThinWire(t testing.TB, brokerURL string, rate int) *wire {
	var narrow net.ListenConfig
	if rate > 0 {
		narrow.Control = func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) })
		}
	}
	l, err := narrow.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, listen: l, target: brokerURL[len("tcp://"):], rate: rate}
	w.wait.Go(w.accept)
	t.Cleanup(func() {
		l.Close()
		w.cut()
		w.wait.Wait()
	})
	return w
}

func (w *wire) url() string { return "tcp://" + w.listen.Addr().String() }

func (w *wire) accept() {
	for {
		in, err := w.listen.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", w.target)
		if err != nil {
			in.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, in, out)
		w.mu.Unlock()
		w.wait.Go(func() { w.pass(in, out) })
		w.wait.Go(func() { w.pass(out, in) })
	}
}

// pass copies MQTT packets one by one.
func (w *wire) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	r := bufio.NewReader(from)
	var free time.Time // when what was sent has gone through
	for {
		head, err := r.ReadByte()
		if err != nil {
			return
		}
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return
		}
		packet := binary.AppendUvarint([]byte{head}, n)
		start := len(packet)
		packet = append(packet, make([]byte, n)...)
		if _, err := io.ReadFull(r, packet[start:]); err != nil {
			return
		}
		w.mu.Lock()
		silent, lost := w.silent, false
		if head&0xF6 == 0x30 && w.lose != nil { // PUBLISH at QoS 0
			size := int(binary.BigEndian.Uint16(packet[start:]))
			lost = w.lose(string(packet[start+2 : start+2+size]))
		}
		w.mu.Unlock()
		if silent || lost {
			continue
		}
		if w.rate > 0 {
			if now := time.Now(); free.Before(now) {
				free = now
			}
			free = free.Add(time.Duration(len(packet)) * time.Second / time.Duration(w.rate))
			time.Sleep(time.Until(free))
		}
		if _, err := to.Write(packet); err != nil {
			return
		}
	}
}

// cut ends all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

func (w *wire) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}
