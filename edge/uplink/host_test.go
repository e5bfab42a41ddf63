package uplink

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"millwright/edge/queue"
	"millwright/plant"
	"millwright/sparkplug"
)

// script is a broker of one connection: it answers what must be answered, and calls
// state for each subscription to the host's STATE and heard for each message.
func script(t *testing.T, l net.Listener, state, heard func(c net.Conn, topic string) error) {
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
		switch p := p.(type) {
		case *packets.ConnectPacket:
			err = packets.NewControlPacket(packets.Connack).Write(c)
		case *packets.SubscribePacket:
			ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			ack.MessageID, ack.ReturnCodes = p.MessageID, []byte{1}
			err = ack.Write(c)
			if err == nil && strings.Contains(p.Topics[0], string(sparkplug.STATE)) {
				err = state(c, p.Topics[0])
			}
		case *packets.PublishPacket:
			err = heard(c, p.TopicName)
			if err == nil && p.Qos == 1 {
				ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
				ack.MessageID = p.MessageID
				err = ack.Write(c)
			}
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// online tells that the host is there since a time.
func online(c net.Conn, topic string, since int64) error {
	m := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	m.TopicName, m.Retain = topic, true
	m.Payload = sparkplug.HostState{Online: true, Timestamp: since}.AppendTo(nil)
	return m.Write(c)
}

// forgetful is a broker that has not yet retained the host's STATE when the edge
// subscribes to it for the first time.
func forgetful(t *testing.T, l net.Listener, born chan<- string) {
	asked := 0
	script(t, l, func(c net.Conn, topic string) error {
		if asked++; asked == 2 {
			return online(c, topic, time.Now().UnixMilli())
		}
		return nil
	}, func(_ net.Conn, topic string) error {
		select {
		case born <- topic:
		default:
		}
		return nil
	})
}

// An edge that subscribes in the moment between a STATE's delivery and its
// retention is born all the same.
func TestStateRetainedLate(t *testing.T) {
	q, err := queue.Open(queue.Config{Dir: filepath.Join(t.TempDir(), "queue")})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	born := make(chan string, 1)
	go forgetful(t, l, born)
	u := &Uplink{
		Broker: "tcp://" + l.Addr().String(), Group: "g", Node: "n", PrimaryHost: "plant", StateDir: t.TempDir(), Queue: q,
		Devices: func() []Device { return nil }, Status: func() plant.EdgeStatus { return plant.EdgeStatus{} },
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	select {
	case topic := <-born:
		if topic != "spBv1.0/g/NBIRTH/n" {
			t.Errorf("first message on %s", topic)
		}
	case <-time.After(5 * time.Second):
		t.Error("not born within 5 s")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// revenant is a broker that still has the STATE of a host that was killed. The host
// comes anew when the first record has gone out, and acknowledges nothing.
func revenant(t *testing.T, l net.Listener, records chan<- struct{}) {
	state, anew := "", false
	script(t, l, func(c net.Conn, topic string) error {
		if state != "" {
			return nil
		}
		state = topic
		return online(c, topic, 1)
	}, func(c net.Conn, topic string) error {
		if !strings.Contains(topic, "DATA") {
			return nil
		}
		records <- struct{}{}
		if anew {
			return nil
		}
		anew = true
		return online(c, state, 2)
	})
}

// What was sent to a host that was not there goes out again as soon as it is.
func TestHostComesAnew(t *testing.T) {
	q, err := queue.Open(queue.Config{Dir: filepath.Join(t.TempDir(), "queue")})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	tags := []plant.Tag{{Path: "A/T"}}
	if err := q.Intern("d", tags); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	records := make(chan struct{}, 100)
	go revenant(t, l, records)
	u := &Uplink{
		Broker: "tcp://" + l.Addr().String(), Group: "g", Node: "n", PrimaryHost: "plant", StateDir: t.TempDir(), Queue: q,
		Devices: func() []Device { return []Device{{Name: "d", Tags: []plant.TagID{tags[0].ID}, Alive: true}} },
		Status:  func() plant.EdgeStatus { return plant.EdgeStatus{} },
	}
	flushed := make(chan struct{})
	if _, err := q.Append([]queue.Draft{{Lane: queue.Telemetry, Device: "d", Batch: plant.Batch{Samples: []plant.Sample{{Tag: tags[0].ID, Time: 1e9, Value: 1}}}}}, func(error) { close(flushed) }); err != nil {
		t.Fatal(err)
	}
	<-flushed
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	for i := range 2 {
		select {
		case <-records:
		case <-time.After(firstTimeout * 7 / 10): // before it would be sent again anyway
			t.Errorf("sent %d times", i)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
