package dial

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// readBuffer is what is read of a connection at once.
const readBuffer = 64 << 10

// maxTopics are remembered, so that a topic that comes again costs no memory.
const maxTopics = 10_000

// stream is a connection that reads ahead and takes the QoS 0 messages out of it.
// The MQTT client asks a connection for single bytes and hands each message
// through four goroutines, which for a message of one value is most of what it
// costs; there is nothing in one at QoS 0 that a client must answer.
type stream struct {
	net.Conn
	r      *bufio.Reader
	direct func(topic string, payload []byte) // nil: nothing is taken out
	topics map[string]string
	filled time.Time // when it was last read of
	pass   int       // bytes of the present packet that are the client's
}

func newStream(c net.Conn, direct func(string, []byte)) *stream {
	return &stream{Conn: c, r: bufio.NewReaderSize(awake{c}, readBuffer), direct: direct, topics: map[string]string{}}
}

// awake is a connection that ends when nothing has come for Silence. What paho does
// about that itself takes as long as two more of its looks.
type awake struct{ net.Conn }

func (a awake) Read(p []byte) (int, error) {
	if err := a.SetReadDeadline(time.Now().Add(Silence)); err != nil {
		return 0, err
	}
	n, err := a.Conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSilent
	}
	return n, err
}

// Read gives the client what is left for it.
func (s *stream) Read(p []byte) (int, error) {
	if s.direct == nil {
		return s.r.Read(p)
	}
	for s.pass == 0 {
		if err := s.packet(); err != nil {
			return 0, err
		}
	}
	n, err := s.r.Read(p[:min(len(p), s.pass)])
	s.pass -= n
	return n, err
}

// Where messages come closer together than busy, reading waits for gather, so that a
// call of the system and the wake of a goroutine serve many of them.
const (
	busy   = time.Millisecond
	gather = 500 * time.Microsecond
)

// rest lets more messages come when they come quickly.
func (s *stream) rest() {
	if s.r.Buffered() > 0 {
		return
	}
	if time.Since(s.filled) < busy {
		time.Sleep(gather)
	}
	s.filled = time.Now()
}

// packet stands at the beginning of one: it hands a message at QoS 0 on, or leaves
// the packet to the client, as it does with all that is not as it should be.
func (s *stream) packet() error {
	s.rest()
	head, n, err := s.header()
	if err != nil {
		return err
	}
	const publish, qos = 0x30, 0x06
	if n < 2 || n > maxDirect || head[0]&0xF0 != publish || head[0]&qos != 0 {
		s.pass = len(head) + n
		return nil
	}
	if _, err := s.r.Discard(len(head)); err != nil {
		return err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(s.r, body); err != nil {
		return err
	}
	end := 2 + int(binary.BigEndian.Uint16(body))
	if end > n {
		return errPacket
	}
	topic, ok := s.topics[string(body[2:end])]
	if !ok {
		if len(s.topics) >= maxTopics {
			clear(s.topics)
		}
		topic = string(body[2:end])
		s.topics[topic] = topic
	}
	s.direct(topic, body[end:])
	return nil
}

// header looks at the first bytes of a packet, the length of whose rest is n.
func (s *stream) header() (head []byte, n int, err error) {
	for k := 2; ; k++ {
		if head, err = s.r.Peek(k); err != nil {
			if len(head) > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, 0, err
		}
		last := head[k-1]
		n |= int(last&0x7F) << (7 * (k - 2))
		if last < 0x80 {
			return head, n, nil
		}
		if k == 5 {
			return nil, 0, errPacket
		}
	}
}
