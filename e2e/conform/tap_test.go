package conform

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// tap stands between one client and its broker and writes down every MQTT packet,
// before it passes it on: what a packet causes stands behind it.
type tap struct {
	t      testing.TB
	listen net.Listener
	target string

	mu    sync.Mutex // guards what follows
	log   []packet
	conns []*pair
	shut  bool // no new connection
	wait  sync.WaitGroup
}

// packet is one MQTT packet, or with packet nil the end of a connection.
type packet struct {
	conn int  // number of the connection, from 0
	up   bool // from the client
	at   time.Time
	mqtt packets.ControlPacket
}

// pair is one connection on both sides of the tap.
type pair struct {
	client, broker net.Conn
	write          sync.Mutex // to the client
}

func newTap(t testing.TB, url string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{t: t, listen: l, target: url[len("tcp://"):]}
	p.wait.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.wait.Wait()
	})
	return p
}

func (p *tap) url() string { return "tcp://" + p.listen.Addr().String() }

func (p *tap) accept() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		shut := p.shut
		p.mu.Unlock()
		if shut {
			client.Close()
			continue
		}
		broker, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		c := &pair{client: client, broker: broker}
		p.mu.Lock()
		n := len(p.conns)
		p.conns = append(p.conns, c)
		p.mu.Unlock()
		p.wait.Go(func() { p.pass(n, c, true) })
		p.wait.Go(func() { p.pass(n, c, false) })
	}
}

// pass writes down and forwards what comes from one side.
func (p *tap) pass(n int, c *pair, up bool) {
	from, to := c.broker, c.client
	if up {
		from, to = to, from
	}
	defer from.Close()
	defer to.Close()
	for r := bufio.NewReader(from); ; {
		raw, err := readPacket(r)
		if err != nil {
			break
		}
		parsed, err := packets.ReadPacket(bytes.NewReader(raw))
		if err != nil {
			p.t.Errorf("connection %d: %v", n, err)
			break
		}
		p.note(packet{conn: n, up: up, at: time.Now(), mqtt: parsed})
		if !up {
			c.write.Lock()
		}
		_, err = to.Write(raw)
		if !up {
			c.write.Unlock()
		}
		if err != nil {
			break
		}
	}
	p.note(packet{conn: n, up: up, at: time.Now()})
}

func (p *tap) note(x packet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, x)
}

// readPacket reads the bytes of one MQTT packet (MQTT 3.1.1, 2.2).
func readPacket(r *bufio.Reader) ([]byte, error) {
	head, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	raw := binary.AppendUvarint([]byte{head}, n)
	start := len(raw)
	raw = append(raw, make([]byte, n)...)
	_, err = io.ReadFull(r, raw[start:])
	return raw, err
}

// inject hands the client of the last connection a packet as if from the broker.
func (p *tap) inject(x packets.ControlPacket) {
	p.mu.Lock()
	n := len(p.conns) - 1
	c := p.conns[n]
	p.log = append(p.log, packet{conn: n, at: time.Now(), mqtt: x})
	p.mu.Unlock()
	c.write.Lock()
	defer c.write.Unlock()
	if err := x.Write(c.client); err != nil {
		p.t.Errorf("connection %d: %v", n, err)
	}
}

// cut ends the standing connections as a torn cable would.
func (p *tap) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.client.Close()
		c.broker.Close()
	}
}

// refuse lets no new connection through, or again all.
func (p *tap) refuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = yes
}

// session is what one connection has seen.
type session struct {
	connect    *packets.ConnectPacket
	accepted   int // position of the CONNACK, -1 none
	subscribed []subscription
	messages   []message // both ways, in order
	goodbye    int       // position of the DISCONNECT, -1 none
	begun, end int       // positions of the CONNECT and of the end
	ended      bool

	started, stopped time.Time // of the CONNECT, and of the DISCONNECT or the end
}

// subscription is a filter that was asked for.
type subscription struct {
	at     int // position
	filter string
	qos    byte
}

// sessions sorts the log by connections. A connection that the client did not use
// has no CONNECT.
func (p *tap) sessions() []session {
	p.mu.Lock()
	log := slices.Clone(p.log)
	list := make([]session, len(p.conns))
	p.mu.Unlock()
	for i := range list {
		list[i].accepted, list[i].goodbye = -1, -1
	}
	for at, x := range log {
		s := &list[x.conn]
		switch m := x.mqtt.(type) {
		case nil:
			if !s.ended && s.goodbye < 0 {
				s.stopped = x.at
			}
			if !s.ended {
				s.ended, s.end = true, at
			}
		case *packets.ConnectPacket:
			s.connect, s.begun, s.started = m, at, x.at
		case *packets.ConnackPacket:
			if m.ReturnCode == packets.Accepted {
				s.accepted = at
			}
		case *packets.SubscribePacket:
			for i, filter := range m.Topics {
				s.subscribed = append(s.subscribed, subscription{at, filter, m.Qoss[i]})
			}
		case *packets.DisconnectPacket:
			s.goodbye, s.stopped = at, x.at
		case *packets.PublishPacket:
			s.messages = append(s.messages, readMessage(m, at, x.up, x.at))
		}
	}
	return list
}

// last is the last connection.
func (p *tap) last() session {
	list := p.sessions()
	if len(list) == 0 {
		return session{accepted: -1, goodbye: -1}
	}
	return list[len(list)-1]
}
