package uplink

import (
	"context"
	"sync"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
	"millwright/sparkplug/dial"
)

// On a link of less than this, in kbit/s, an urgent message must not wait behind
// 64 KiB in the socket.
const (
	thinLink   = 1000
	thinBuffer = 8 << 10
)

// connect opens a connection to a broker whose Will is the NDEATH with this bdSeq.
func (u *Uplink) connect(ctx context.Context, broker string, bdSeq uint8) (*dial.Link, error) {
	var death sparkplug.Payload
	death.SetNodeDeath(time.Now().UnixNano(), bdSeq)
	c := dial.Client{
		Broker: broker, Access: u.Access,
		ID:        dial.ClientID("edge", u.Group+"/"+u.Node),
		WillTopic: u.topic(sparkplug.NDEATH, ""), Will: death.AppendTo(nil),
		// Not Ordered: acknowledgements and STATE carry their own order.
	}
	if u.LinkKbit > 0 && u.LinkKbit < thinLink {
		c.Buffer = thinBuffer
	}
	return c.Connect(ctx)
}

func (u *Uplink) topic(k sparkplug.Kind, device string) string {
	return sparkplug.Topic{Kind: k, Group: u.Group, Node: u.Node, Device: device}.String()
}

// connection is what is known of the connection to the plant.
type connection struct {
	mu     sync.Mutex // guards what follows
	link   *dial.Link // the last one that stood
	status plant.BrokerStatus
}

func (c *connection) set(url, state, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := &c.status; s.URL != url || s.State != state || s.Since == 0 {
		s.Since = time.Now().UnixNano()
	}
	c.status.URL, c.status.State, c.status.Reason = url, state, reason
}

func (c *connection) stands(l *dial.Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
}

// Connection is the state of the connection to the plant, with the certificates
// that it stands on, or last stood on.
func (u *Uplink) Connection() plant.BrokerStatus {
	c := &u.connection
	c.mu.Lock()
	l, s := c.link, c.status
	c.mu.Unlock()
	if l != nil {
		s.Certificates = l.Certificates(time.Now())
	}
	return s
}
