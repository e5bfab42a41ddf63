package uplink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"millwright/sparkplug"
	"millwright/sparkplug/dial"
)

// Settings of the MQTT client. There is a new client for every connection: the
// Will differs each time, and with paho's own reconnect a token can say success
// without any PUBACK.
const (
	keepAlive    = 10 * time.Second
	pingTimeout  = 5 * time.Second
	writeTimeout = 10 * time.Second
	handshake    = 5 * time.Second // CONNECT to CONNACK, and each SUBSCRIBE
	goodbye      = time.Second     // the NDEATH of a node that leaves
)

// link is one connection to the broker.
type link struct {
	client mqtt.Client
	lost   chan error // buffered 1

	mu   sync.Mutex // guards conn, which paho's goroutine sets
	conn net.Conn
}

// connect opens a connection whose Will is the NDEATH with this bdSeq.
func (u *Uplink) connect(ctx context.Context, bdSeq uint8) (*link, error) {
	l := &link{lost: make(chan error, 1)}
	var death sparkplug.Payload
	death.SetNodeDeath(time.Now().UnixNano(), bdSeq)
	o := mqtt.NewClientOptions().AddBroker(u.Broker).
		SetClientID(clientID(u.Group, u.Node)).
		SetUsername(u.User).SetPassword(u.Password).
		SetProtocolVersion(4).
		SetCleanSession(true). // tck-id-principles-persistence-clean-session-311
		SetAutoReconnect(false).SetConnectRetry(false).
		SetOrderMatters(false). // acknowledgements and STATE carry their own order
		SetKeepAlive(keepAlive).SetPingTimeout(pingTimeout).
		SetConnectTimeout(handshake).SetWriteTimeout(writeTimeout).
		SetBinaryWill(u.topic(sparkplug.NDEATH, ""), death.AppendTo(nil), 1, false)
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		conn, err := dial.Dial(ctx, u.Broker, u.CA)
		l.mu.Lock()
		l.conn = conn
		l.mu.Unlock()
		return conn, err
	})
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) {
		select {
		case l.lost <- err:
		default:
		}
	})
	l.client = mqtt.NewClient(o)
	if err := wait(ctx, l.client.Connect(), 3*handshake); err != nil {
		l.close()
		if errors.Is(err, packets.ErrorRefusedNotAuthorised) || errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) {
			err = fmt.Errorf("the broker does not let user %q in: check broker_user and broker_password_file: %w", u.User, err)
		}
		return nil, err
	}
	return l, nil
}

// close ends the connection without a word. The broker then publishes the Will.
func (l *link) close() {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		_ = conn.Close() // paho reports what matters
	}
	l.client.Disconnect(0)
}

// subscribe asks for one topic at QoS 1.
func (l *link) subscribe(ctx context.Context, topic string, f func(mqtt.Message)) error {
	tok := l.client.Subscribe(topic, 1, func(_ mqtt.Client, m mqtt.Message) { f(m) })
	if err := wait(ctx, tok, handshake); err != nil {
		return fmt.Errorf("subscribe %s: %w", topic, err)
	}
	if code, ok := tok.(*mqtt.SubscribeToken).Result()[topic]; ok && code > 2 {
		return fmt.Errorf("subscribe %s: the broker refuses", topic)
	}
	return nil
}

// publish writes one message at QoS 0. No error means written to the socket, no
// more.
func (l *link) publish(topic string, payload []byte) error {
	tok := l.client.Publish(topic, 0, false, payload)
	if !tok.WaitTimeout(writeTimeout + time.Second) {
		return errTimeout
	}
	return tok.Error()
}

var errTimeout = errors.New("no answer from the broker in time")

// wait waits for a token with an end: paho's own Wait can hang.
func wait(ctx context.Context, tok mqtt.Token, limit time.Duration) error {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-tok.Done():
		return tok.Error()
	case <-t.C:
		return errTimeout
	case <-ctx.Done():
		return ctx.Err()
	}
}

// clientID is the same for every connection of this node and no other's, so
// that a broker ends the old connection when the new one comes. It is a hash
// because brokers refuse blanks, dots and lengths that ids may have.
func clientID(group, node string) string {
	sum := sha256.Sum256([]byte(group + "/" + node))
	return "edge-" + hex.EncodeToString(sum[:8])
}

func (u *Uplink) topic(k sparkplug.Kind, device string) string {
	return sparkplug.Topic{Kind: k, Group: u.Group, Node: u.Node, Device: device}.String()
}
