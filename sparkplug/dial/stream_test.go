package dial

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/iotest"
	"time"
)

// pipe is a connection whose other side has said all that it will.
type pipe struct {
	net.Conn
	io.Reader
}

func (p pipe) Read(b []byte) (int, error)      { return p.Reader.Read(b) }
func (p pipe) SetReadDeadline(time.Time) error { return nil }

func publishPacket(qos byte, topic string, payload []byte) []byte {
	body := append(binary.BigEndian.AppendUint16(nil, uint16(len(topic))), topic...)
	if qos > 0 {
		body = append(body, 0, 1)
	}
	body = append(body, payload...)
	return append(binary.AppendUvarint([]byte{0x30 | qos<<1}, uint64(len(body))), body...)
}

// Messages at QoS 0 are taken out, the rest comes through as it was, however the
// bytes arrive.
func TestStream(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		var in, want []byte
		var sent [][]byte
		for range 20 {
			b := make([]byte, rng.IntN(300)*rng.IntN(100))
			switch rng.IntN(3) {
			case 0:
				in = append(in, publishPacket(0, "t", b)...)
				sent = append(sent, b)
			case 1:
				in = append(in, publishPacket(1, "t", b)...)
				want = append(want, publishPacket(1, "t", b)...)
			default: // PINGRESP
				in, want = append(in, 0xD0, 0), append(want, 0xD0, 0)
			}
		}
		var r io.Reader = bytes.NewReader(in)
		if rng.IntN(2) == 0 {
			r = iotest.OneByteReader(r)
		}
		var taken [][]byte
		s := newStream(pipe{Reader: r}, func(topic string, b []byte) {
			if topic != "t" {
				t.Errorf("topic %q", topic)
			}
			taken = append(taken, b)
		})
		got, err := io.ReadAll(s)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes came through, want %d: %v", len(got), len(want), err)
		}
		if len(taken) != len(sent) {
			t.Fatalf("%d messages were taken out of %d", len(taken), len(sent))
		}
		for i := range sent {
			if !bytes.Equal(taken[i], sent[i]) {
				t.Fatalf("message %d has %d bytes, want %d", i, len(taken[i]), len(sent[i]))
			}
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add(append(publishPacket(0, "t", []byte("x")), publishPacket(1, "t", []byte("y"))...))
	f.Add([]byte{0x30, 0x80, 0x80, 0x80, 0x80, 1})
	f.Add([]byte{0x30, 2, 0, 9})
	f.Fuzz(func(t *testing.T, in []byte) {
		n := 0
		s := newStream(pipe{Reader: bytes.NewReader(in)}, func(topic string, b []byte) { n += 4 + len(topic) + len(b) })
		got, err := io.ReadAll(s)
		if n+len(got) > len(in) {
			t.Fatalf("%d bytes of %d", n+len(got), len(in))
		}
		if err != nil && !errors.Is(err, errPacket) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
	})
}
