package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"millwright/sparkplug"
	"millwright/sparkplug/dial"
)

var (
	errLost  = errors.New("connection lost")
	errNewer = errors.New("a STATE of this host is newer than its clock: going on behind it")

	errRenewed = errors.New("new certificate or password")
)

// place is one broker that this host is on: the index of its connection, and the
// nodes of a cluster that are one broker.
type place struct {
	index int
	nodes []string
}

// brokers are those that this host is on at once.
func (g *Ingest) brokers() []place {
	list := []place{{0, append([]string{g.Broker}, g.Nodes...)}}
	for _, other := range g.Others {
		list = append(list, place{len(list), []string{other}})
	}
	return list
}

// stay is on a broker, again and again, until ctx ends.
func (g *Ingest) stay(ctx context.Context, b place) {
	var told string
	for i := 0; ctx.Err() == nil; i = (i + 1) % len(b.nodes) {
		broker := b.nodes[i]
		online, err := g.connection(ctx, b.index, broker)
		g.inbox.all(func(from name) message { return message{from: from, lost: true, broker: b.index} })
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errRenewed) {
			g.Log.Info("new certificate or password, connecting with it", "broker", broker)
			i += len(b.nodes) - 1 // once more
			continue
		}
		if reason := err.Error(); online || reason != told {
			g.Log.Warn("historian is not connected to the broker", "broker", broker, "err", err)
			told = reason
		}
		select {
		case <-ctx.Done():
		case <-time.After(pauseLeast + rand.N(pauseMost-pauseLeast)):
		}
	}
}

// connection connects, announces this host, and works until the connection is
// lost or ctx ends. It reports whether the host was online. Each broker has a
// STATE with a time of its own
// (tck-id-operational-behavior-host-application-multi-server-timestamp).
func (g *Ingest) connection(ctx context.Context, index int, broker string) (online bool, err error) {
	// Will and birth share it. It never goes back: edges ignore a STATE that is older
	// than what they have seen, and a machine may start with its clock in the past.
	at := max(time.Now().UnixMilli(), g.latest.Load()+1)
	own := make(chan sparkplug.HostState, 16)
	l, err := g.connect(ctx, index, broker, at, own)
	if err != nil {
		return false, err
	}
	defer l.Close()
	if err := g.subscribe(ctx, l, index, own); err != nil {
		return false, err
	}
	if err := g.announce(ctx, l, at); err != nil {
		return false, err
	}
	g.answers.setLink(index, l)
	defer g.answers.setLink(index, nil)
	g.Log.Info("historian is online", "broker", broker, "host", g.HostID)
	for {
		select {
		case <-ctx.Done():
			return true, errors.Join(ctx.Err(), g.leave(l))
		case err := <-l.Renewed():
			if err == nil {
				return true, errors.Join(errRenewed, g.leave(l))
			}
			g.Log.Warn("the new certificate or password cannot be used, the connection stands on the one before", "err", err)
		case err := <-l.Lost():
			return true, errors.Join(errLost, err)
		case s := <-own:
			switch {
			case s.Timestamp > at && s.Timestamp < sparkplug.MaxNumber:
				// Edges ignore what is older than this: only a new connection has a
				// newer time.
				g.latest.Store(max(g.latest.Load(), s.Timestamp))
				return true, errors.Join(errNewer, g.leave(l))
			case s.Online:
			default: // tck-id-message-flow-hid-sparkplug-state-message-delivered
				if err := g.announce(ctx, l, at); err != nil {
					return true, err
				}
			}
		}
	}
}

// leave says that this host is offline, and goes
// (tck-id-host-topic-phid-death-payload-timestamp-disconnect-clean).
func (g *Ingest) leave(l *dial.Link) error {
	offline := sparkplug.HostState{Timestamp: max(time.Now().UnixMilli(), g.latest.Load()+1)}
	return l.Leave(g.stateTopic(), true, offline.AppendTo(nil))
}

// connect opens a connection whose Will is the offline STATE of this time.
func (g *Ingest) connect(ctx context.Context, index int, broker string, at int64, own chan<- sparkplug.HostState) (*dial.Link, error) {
	return dial.Client{
		Broker: broker, Access: g.Access,
		ID: dial.ClientID("host", g.HostID),
		// Or data would overtake the births that it needs. The handlers only put
		// into the inbox, so the deadlock of ordered handlers cannot happen.
		Ordered: true,
		Direct: func(topic string, payload []byte) {
			if topic == g.stateTopic() {
				hearState(payload, own)
			} else {
				g.hear(index, topic, payload)
			}
		},
		WillTopic: g.stateTopic(), WillRetain: true,
		Will: sparkplug.HostState{Online: false, Timestamp: at}.AppendTo(nil),
	}.Connect(ctx)
}

func (g *Ingest) stateTopic() string {
	return sparkplug.Topic{Kind: sparkplug.STATE, Host: g.HostID}.String()
}

// subscribe asks for this host's STATE and for the whole namespace before
// anything is said (tck-id-host-topic-phid-birth-sub-required). At QoS 1 data
// still comes at QoS 0, deaths at QoS 1.
func (g *Ingest) subscribe(ctx context.Context, l *dial.Link, index int, own chan<- sparkplug.HostState) error {
	err := l.Subscribe(ctx, g.stateTopic(), func(_ string, payload []byte) { hearState(payload, own) })
	if err != nil {
		return err
	}
	return l.Subscribe(ctx, sparkplug.Namespace+"/#", func(topic string, payload []byte) { g.hear(index, topic, payload) })
}

// hear takes a message: those at QoS 0 straight from the connection, deaths from
// the client.
func (g *Ingest) hear(index int, topic string, payload []byte) {
	g.put(message{topic: topic, payload: payload, arrived: time.Now().UnixNano(), broker: index})
}

// hearState takes what is said of this host.
func hearState(payload []byte, own chan<- sparkplug.HostState) {
	s, err := sparkplug.ParseHostState(payload)
	if err != nil {
		return
	}
	select {
	case own <- s:
	default: // sixteen are waiting already; each gets the same answer
	}
}

// announce says that this host is online.
func (g *Ingest) announce(ctx context.Context, l *dial.Link, at int64) error {
	s := sparkplug.HostState{Online: true, Timestamp: at}
	if err := l.Say(ctx, g.stateTopic(), true, s.AppendTo(nil)); err != nil {
		return fmt.Errorf("STATE: %w", err)
	}
	return nil
}
