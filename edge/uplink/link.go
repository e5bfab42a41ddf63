package uplink

import (
	"context"
	"time"

	"millwright/sparkplug"
	"millwright/sparkplug/dial"
)

// connect opens a connection whose Will is the NDEATH with this bdSeq.
func (u *Uplink) connect(ctx context.Context, bdSeq uint8) (*dial.Link, error) {
	var death sparkplug.Payload
	death.SetNodeDeath(time.Now().UnixNano(), bdSeq)
	return dial.Client{
		Broker: u.Broker, CA: u.CA, User: u.User, Password: u.Password,
		ID:        dial.ClientID("edge", u.Group+"/"+u.Node),
		WillTopic: u.topic(sparkplug.NDEATH, ""), Will: death.AppendTo(nil),
		// Not Ordered: acknowledgements and STATE carry their own order.
	}.Connect(ctx)
}

func (u *Uplink) topic(k sparkplug.Kind, device string) string {
	return sparkplug.Topic{Kind: k, Group: u.Group, Node: u.Node, Device: device}.String()
}
