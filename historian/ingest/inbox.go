package ingest

import "strings"

// maxInbox bytes may wait to be decoded. Decoding is far quicker than any network,
// so this fills only when the machine is overloaded or an edge floods.
const maxInbox = 64 << 20

// overhead is about what a message takes in memory beside its text.
const overhead = 128

// message is what arrived from the broker.
type message struct {
	topic   string
	payload []byte
	arrived int64 // ns UTC
	broker  int   // index of the connection
	from    name
	place   uint64 // in the run of its session, once that is known

	lost   bool // it stands for the end of the connection
	unborn bool // it stands for births of the edge that found no room
}

// put takes a message from the MQTT client's goroutine, which must never wait:
// while it does, the client answers no ping. What finds no room is dropped and
// comes again where an edge knows acknowledgements.
func (g *Ingest) put(m message) {
	m.from = sender(m.topic)
	if g.inbox.put(m.from, m, len(m.topic)+len(m.payload)+overhead) {
		return
	}
	g.counts.dropped.Add(1)
	if strings.Contains(m.topic, "BIRTH/") {
		// What follows would be read by the births of before.
		g.inbox.instead(m.from, message{from: m.from, unborn: true}, func(x message) bool { return x.unborn })
	}
}

// sender is the edge that a topic names, nobody for other topics. It shares the
// topic's memory.
func sender(topic string) name {
	_, rest, _ := strings.Cut(topic, "/")
	group, rest, _ := strings.Cut(rest, "/")
	_, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return name{}
	}
	node, _, _ := strings.Cut(rest, "/")
	return name{group, node}
}
