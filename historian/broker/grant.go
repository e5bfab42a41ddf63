package broker

import (
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"millwright/sparkplug"
	"millwright/sparkplug/dial"
)

// grants are the MQTT topic filters that a user may publish to and hear. A forged
// acknowledgement destroys data, so commands are the primary host's alone, and an
// edge speaks for itself only (sparkplug/FORMAT.md).
func (u *User) grants() (publish, hear []string) {
	topic := func(k sparkplug.Kind, device string) string {
		return sparkplug.Topic{Kind: k, Group: u.Group, Node: u.Node, Device: device}.String()
	}
	state := func(host string) string {
		return sparkplug.Topic{Kind: sparkplug.STATE, Host: host}.String()
	}
	const all = sparkplug.Namespace + "/#"
	switch u.Role {
	case Edge:
		for _, k := range []sparkplug.Kind{sparkplug.NBIRTH, sparkplug.NDATA, sparkplug.NDEATH} {
			publish = append(publish, topic(k, ""))
		}
		for _, k := range []sparkplug.Kind{sparkplug.DBIRTH, sparkplug.DDATA, sparkplug.DDEATH} {
			publish = append(publish, topic(k, "+"))
		}
		hear = []string{topic(sparkplug.NCMD, ""), topic(sparkplug.DCMD, "+"), state("+")}
	case Host:
		publish = []string{
			sparkplug.Topic{Kind: sparkplug.NCMD, Group: "+", Node: "+"}.String(),
			sparkplug.Topic{Kind: sparkplug.DCMD, Group: "+", Node: "+", Device: "+"}.String(),
			state(u.Node),
		}
		hear = []string{all}
	case Reader:
		if u.Node != "" {
			publish = []string{state(u.Node)}
		}
		hear = []string{all}
	}
	return publish, hear
}

// clientID is the one that Millwright connects with in this role. Nobody else may:
// a broker ends the connection of whoever has it when another comes with it.
func (u *User) clientID() string {
	switch u.Role {
	case Edge:
		return dial.ClientID("edge", u.Group+"/"+u.Node)
	case Host:
		return dial.ClientID("host", u.Node)
	}
	return ""
}

// permissions are the grants in the terms of nats-server.
func (u *User) permissions() *server.Permissions {
	publish, hear := u.grants()
	// An empty list would allow everything; what the server delivers to an MQTT
	// session at QoS 1 passes here too.
	p := &server.SubjectPermission{Allow: subjects(publish)}
	if len(publish) == 0 {
		p.Deny = []string{">"}
	}
	return &server.Permissions{
		Publish:   p,
		Subscribe: &server.SubjectPermission{Allow: append(inner(), subjects(hear)...)},
	}
}

// inner are the subjects on which nats-server hands QoS 1 messages to a session. A
// client cannot subscribe to them by itself: the server refuses such filters.
func inner() []string { return []string{"$MQTT.sub.>", "$MQTT.deliver.pubrel.>"} }

// subjects are topic filters in the terms of nats-server: / becomes ., . becomes //,
// + becomes *, and a # covers the level above it too.
func subjects(filters []string) (list []string) {
	for _, f := range filters {
		s := strings.NewReplacer("/", ".", ".", "//", "+", "*", "#", ">").Replace(f)
		if above, ok := strings.CutSuffix(s, ".>"); ok {
			list = append(list, above)
		}
		list = append(list, s)
	}
	return list
}
