package ingest

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
// Will's timestamp differs each time.
const (
	keepAlive    = 10 * time.Second
	pingTimeout  = 5 * time.Second
	writeTimeout = 10 * time.Second
	handshake    = 5 * time.Second // CONNECT to CONNACK, each SUBSCRIBE, the STATE birth
	goodbye      = time.Second
)

var (
	errTimeout = errors.New("no answer from the broker in time")
	errLost    = errors.New("connection lost")
	errNewer   = errors.New("another host with this id was online later")
)

// link is one connection to the broker.
type link struct {
	client mqtt.Client
	lost   chan error // buffered 1

	mu   sync.Mutex // guards conn, which paho's goroutine sets
	conn net.Conn
}

// connection connects, announces this host, and works until the connection is
// lost or ctx ends. It reports whether the host was online.
func (g *Ingest) connection(ctx context.Context) (online bool, err error) {
	at := time.Now().UnixMilli() // Will and birth share it
	l, err := g.connect(ctx, at)
	if err != nil {
		return false, err
	}
	defer l.close()
	own := make(chan sparkplug.HostState, 16)
	if err := g.subscribe(ctx, l, own); err != nil {
		return false, err
	}
	if err := g.announce(ctx, l, true, at); err != nil {
		return false, err
	}
	g.answers.setLink(l)
	defer g.answers.setLink(nil)
	g.Log.Info("historian is online", "broker", g.Broker, "host", g.HostID)
	for {
		select {
		case <-ctx.Done():
			// tck-id-host-topic-phid-death-payload-timestamp-disconnect-clean
			bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
			defer cancel()
			err := g.announce(bye, l, false, time.Now().UnixMilli())
			l.client.Disconnect(uint(goodbye / time.Millisecond))
			return true, errors.Join(ctx.Err(), err)
		case err := <-l.lost:
			return true, errors.Join(errLost, err)
		case s := <-own:
			switch {
			case s.Online:
			case s.Timestamp > at:
				// Edges ignore an online older than this offline: only a new
				// connection has a newer time.
				return true, errNewer
			default: // tck-id-message-flow-hid-sparkplug-state-message-delivered
				if err := g.announce(ctx, l, true, at); err != nil {
					return true, err
				}
			}
		}
	}
}

func (g *Ingest) connect(ctx context.Context, at int64) (*link, error) {
	l := &link{lost: make(chan error, 1)}
	will := sparkplug.HostState{Online: false, Timestamp: at}.AppendTo(nil)
	sum := sha256.Sum256([]byte(g.HostID))
	o := mqtt.NewClientOptions().AddBroker(g.Broker).
		SetClientID("host-"+hex.EncodeToString(sum[:8])).
		SetUsername(g.User).SetPassword(g.Password).
		SetProtocolVersion(4).
		SetCleanSession(true). // tck-id-message-flow-phid-sparkplug-clean-session-311
		SetAutoReconnect(false).SetConnectRetry(false).
		// In order, or data would overtake the births that it needs: without
		// order paho starts a goroutine for each message. The handler only puts
		// into the inbox, so the deadlock of ordered handlers cannot happen.
		SetOrderMatters(true).
		SetKeepAlive(keepAlive).SetPingTimeout(pingTimeout).
		SetConnectTimeout(handshake).SetWriteTimeout(writeTimeout).
		SetBinaryWill(g.stateTopic(), will, 1, true)
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		conn, err := dial.Dial(ctx, g.Broker, g.CA)
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
			err = fmt.Errorf("the broker does not let user %q in: check broker_user and broker_password_file: %w", g.User, err)
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

func (g *Ingest) stateTopic() string {
	return sparkplug.Topic{Kind: sparkplug.STATE, Host: g.HostID}.String()
}

// subscribe asks for this host's STATE and for the whole namespace before
// anything is said (tck-id-host-topic-phid-birth-sub-required). At QoS 1 data
// still comes at QoS 0, deaths at QoS 1.
func (g *Ingest) subscribe(ctx context.Context, l *link, own chan<- sparkplug.HostState) error {
	filters := []struct {
		topic string
		take  mqtt.MessageHandler
	}{
		{g.stateTopic(), func(_ mqtt.Client, m mqtt.Message) {
			s, err := sparkplug.ParseHostState(m.Payload())
			if err != nil {
				return
			}
			select {
			case own <- s:
			default: // sixteen are waiting already; each gets the same answer
			}
		}},
		{sparkplug.Namespace + "/#", func(_ mqtt.Client, m mqtt.Message) {
			if !g.inbox.put(message{topic: m.Topic(), payload: m.Payload(), arrived: time.Now().UnixNano()}) {
				g.counts.dropped.Add(1)
			}
		}},
	}
	for _, f := range filters {
		tok := l.client.Subscribe(f.topic, 1, f.take)
		if err := wait(ctx, tok, handshake); err != nil {
			return fmt.Errorf("subscribe %s: %w", f.topic, err)
		}
		if code, ok := tok.(*mqtt.SubscribeToken).Result()[f.topic]; ok && code > 2 {
			return fmt.Errorf("subscribe %s: the broker refuses", f.topic)
		}
	}
	return nil
}

// announce publishes this host's STATE.
func (g *Ingest) announce(ctx context.Context, l *link, online bool, at int64) error {
	s := sparkplug.HostState{Online: online, Timestamp: at}
	if err := wait(ctx, l.client.Publish(g.stateTopic(), 1, true, s.AppendTo(nil)), handshake); err != nil {
		return fmt.Errorf("STATE: %w", err)
	}
	return nil
}

// publish writes one message at QoS 0.
func (l *link) publish(topic string, payload []byte) error {
	tok := l.client.Publish(topic, 0, false, payload)
	if !tok.WaitTimeout(writeTimeout + time.Second) {
		return errTimeout
	}
	return tok.Error()
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
