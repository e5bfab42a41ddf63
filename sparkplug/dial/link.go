package dial

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"millwright/plant"
)

// KeepAlive is that of every connection: a broker notices a silent client within one
// and a half of it. Silence is how long a broker may say nothing until its connection
// is given up. paho looks every 2 s whether KeepAlive has passed without a word, and
// asks for one; the answer has 5 s then.
const (
	KeepAlive = 8 * time.Second
	Silence   = 15 * time.Second
)

// Settings of the MQTT client. There is a new client for every connection: the
// Will differs each time, and with paho's own reconnect a token can say success
// without any PUBACK.
const (
	pingTimeout  = 5 * time.Second
	writeTimeout = 10 * time.Second
	handshake    = 5 * time.Second // CONNECT to CONNACK, each SUBSCRIBE, each QoS 1 message
)

// goodbye is how long a client that leaves waits for its last words to be sent: a broker on
// a busy machine has needed more than a second.
const goodbye = 3 * time.Second

var (
	errTimeout = errors.New("no answer from the broker in time")
	errSilent  = fmt.Errorf("nothing came from the broker for %v", Silence)
	errPacket  = errors.New("the broker sends what is not MQTT")
)

// maxDirect is the longest message that is handed on directly; a longer one is the
// client's.
const maxDirect = 16 << 20

// Client describes a connection. Every one is a clean session
// (tck-id-principles-persistence-clean-session-311,
// tck-id-message-flow-phid-sparkplug-clean-session-311).
type Client struct {
	Broker string // see Dial
	Access Access
	ID     string // see ClientID
	Buffer int    // bytes; 0: SendBuffer

	// Ordered hands messages on one after the other: the handlers must not block.
	// Without it paho starts a goroutine for each message, and they overtake.
	Ordered bool
	// Direct, where it is not nil, gets every message at QoS 0 instead of the handler
	// of its subscription, in order and with far less effort. It must not block; the
	// payload is its own to keep.
	Direct func(topic string, payload []byte)

	WillTopic  string // the Will is sent at QoS 1
	Will       []byte
	WillRetain bool
}

// ClientID is the same for every connection of one node or host and no other's,
// so that a broker ends the old connection when the new one comes. It is a hash
// because brokers refuse blanks, dots and lengths that ids may have.
func ClientID(kind, name string) string {
	sum := sha256.Sum256([]byte(name))
	return kind + "-" + hex.EncodeToString(sum[:8])
}

// Link is one connection to a broker.
type Link struct {
	client  mqtt.Client
	lost    chan error // buffered 1
	renewed chan error
	stop    chan struct{}
	once    sync.Once
	watcher sync.WaitGroup
	own     *x509.Certificate // nil: none shown

	mu   sync.Mutex // guards conn, which paho's goroutine sets
	conn net.Conn
}

// Connect opens the connection.
func (c Client) Connect(ctx context.Context) (*Link, error) {
	l := &Link{lost: make(chan error, 1), renewed: make(chan error), stop: make(chan struct{})}
	was := c.Access.content() // before the files are read: what changes from now on is noticed
	password, err := c.Access.password()
	if err != nil {
		return nil, err
	}
	if c.Access.Certificate != "" {
		own, err := c.Access.own()
		if err != nil {
			return nil, err
		}
		l.own = own.Leaf
	}
	o := mqtt.NewClientOptions().AddBroker(c.Broker).
		SetClientID(c.ID).
		SetUsername(c.Access.User).SetPassword(password).
		SetProtocolVersion(4).
		SetCleanSession(true).
		SetAutoReconnect(false).SetConnectRetry(false).
		SetOrderMatters(c.Ordered).
		SetKeepAlive(KeepAlive).SetPingTimeout(pingTimeout).
		SetConnectTimeout(handshake).SetWriteTimeout(writeTimeout).
		SetBinaryWill(c.WillTopic, c.Will, 1, c.WillRetain)
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		conn, err := Dial(ctx, c.Broker, c.Access, c.Buffer)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		l.conn = conn
		l.mu.Unlock()
		return newStream(conn, c.Direct), nil
	})
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) {
		select {
		case l.lost <- err:
		default:
		}
	})
	l.client = mqtt.NewClient(o)
	if err := wait(ctx, l.client.Connect(), 3*handshake); err != nil {
		l.Close()
		if errors.Is(err, packets.ErrorRefusedNotAuthorised) || errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) {
			err = fmt.Errorf("the broker does not let user %q in: check broker_user, broker_password_file and broker_certificate: %w", c.Access.User, err)
		}
		return nil, err
	}
	if len(c.Access.files()) > 0 {
		l.watcher.Go(func() { c.Access.watch(was, l.renewed, l.stop) })
	}
	return l, nil
}

// Renewed has nil when the files of the access have changed and can be used, which
// a new connection does, and the reason when they have changed and cannot.
func (l *Link) Renewed() <-chan error { return l.renewed }

// Certificates are those that the connection stands on: the client's own, the
// broker's, and the authorities that signed the broker's, in the terms of
// plant.CertificateStatus. None without TLS.
func (l *Link) Certificates(now time.Time) (list []plant.CertificateStatus) {
	l.mu.Lock()
	conn, _ := l.conn.(*tls.Conn)
	l.mu.Unlock()
	if conn == nil {
		return nil
	}
	if l.own != nil {
		list = append(list, plant.CertificateOf("own", l.own, now))
	}
	chains := conn.ConnectionState().VerifiedChains
	if len(chains) == 0 {
		return list
	}
	for i, c := range chains[0] { // the others end in other authorities, and one is enough
		who := "server"
		if i > 0 {
			who = "issuer"
		}
		list = append(list, plant.CertificateOf(who, c, now))
	}
	return list
}

// Lost has the reason when the connection is lost.
func (l *Link) Lost() <-chan error { return l.lost }

// Close ends the connection without a word. The broker then publishes the Will.
func (l *Link) Close() {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		_ = conn.Close() // paho reports what matters
	}
	l.client.Disconnect(0)
	l.once.Do(func() { close(l.stop) })
	l.watcher.Wait()
}

// Subscribe asks for a filter at QoS 1. f gets topic and payload, which is its
// own to keep.
func (l *Link) Subscribe(ctx context.Context, filter string, f func(topic string, payload []byte)) error {
	tok := l.client.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) { f(m.Topic(), m.Payload()) })
	if err := wait(ctx, tok, handshake); err != nil {
		return fmt.Errorf("subscribe %s: %w", filter, err)
	}
	if code, ok := tok.(*mqtt.SubscribeToken).Result()[filter]; ok && code > 2 {
		return fmt.Errorf("subscribe %s: the broker refuses", filter)
	}
	return nil
}

// Publish writes one message at QoS 0. No error means written to the socket, no
// more.
func (l *Link) Publish(topic string, payload []byte) error {
	tok := l.client.Publish(topic, 0, false, payload)
	if !tok.WaitTimeout(writeTimeout + time.Second) {
		return errTimeout
	}
	return tok.Error()
}

// Say publishes one message at QoS 1 and waits for the PUBACK. The client may
// still read payload after an error.
func (l *Link) Say(ctx context.Context, topic string, retain bool, payload []byte) error {
	return wait(ctx, l.client.Publish(topic, 1, retain, payload), handshake)
}

// Leave says one last message and ends the connection with a DISCONNECT, after
// which the broker forgets the Will. Where the message is not acknowledged in
// time there is no DISCONNECT: the Will says it when the Link is closed.
func (l *Link) Leave(topic string, retain bool, payload []byte) error {
	if err := wait(context.Background(), l.client.Publish(topic, 1, retain, payload), goodbye); err != nil {
		return err
	}
	l.client.Disconnect(uint(goodbye / time.Millisecond))
	return nil
}

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
