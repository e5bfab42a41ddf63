package dial

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// A client that says its last word ends with a DISCONNECT; one whose last word is
// not acknowledged must not, or the broker would forget the Will that says it.
func TestLeave(t *testing.T) {
	for _, acknowledges := range []bool{true, false} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ended := make(chan bool, 1) // whether a DISCONNECT came
		go func() { ended <- hears(l, acknowledges) }()

		link, err := Client{Broker: "tcp://" + l.Addr().String(), ID: "c", WillTopic: "w", Will: []byte("gone")}.Connect(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		err = link.Leave("w", true, []byte("bye"))
		link.Close()
		if (err == nil) != acknowledges {
			t.Errorf("acknowledged %v: %v", acknowledges, err)
		}
		if got := <-ended; got != acknowledges {
			t.Errorf("acknowledged %v: DISCONNECT %v", acknowledges, got)
		}
	}
}

// hears is a broker that lets one client in and may acknowledge. It reports
// whether the client ended with a DISCONNECT.
func hears(l net.Listener, acknowledges bool) bool {
	c, err := l.Accept()
	if err != nil {
		return false
	}
	defer c.Close()
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return false
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			err = packets.NewControlPacket(packets.Connack).Write(c)
		case *packets.PublishPacket:
			if acknowledges {
				ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
				ack.MessageID = p.MessageID
				err = ack.Write(c)
			}
		case *packets.DisconnectPacket:
			return true
		}
		if err != nil {
			return false
		}
	}
}

// A broker that answers nothing but pings is alive; one that says nothing is given up
// when Silence has passed, not when paho has looked twice more.
func TestSilence(t *testing.T) {
	for name, answers := range map[string]bool{"quiet": true, "silent": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits for most of its time
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go letIn(l, answers)
			link, err := Client{Broker: "tcp://" + l.Addr().String(), ID: "c", WillTopic: "w", Will: []byte("gone")}.Connect(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer link.Close()
			begin := time.Now()
			select {
			case err := <-link.Lost():
				took := time.Since(begin)
				t.Logf("after %v: %v", took.Round(time.Millisecond), err)
				if answers || took < KeepAlive {
					t.Errorf("lost after %v: %v", took, err)
				}
			case <-time.After(Silence + 5*time.Second):
				if !answers {
					t.Errorf("nothing is noticed within %v", Silence+5*time.Second)
				}
			}
		})
	}
}

// letIn is a broker that lets one client in and may answer its pings.
func letIn(l net.Listener, pings bool) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		switch p.(type) {
		case *packets.ConnectPacket:
			err = packets.NewControlPacket(packets.Connack).Write(c)
		case *packets.PingreqPacket:
			if pings {
				err = packets.NewControlPacket(packets.Pingresp).Write(c)
			}
		}
		if err != nil {
			return
		}
	}
}
