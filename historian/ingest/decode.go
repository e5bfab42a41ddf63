package ingest

import (
	"context"
	"fmt"
	"time"

	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
)

const (
	decodeTick = 200 * time.Millisecond
	sweepEvery = 10 * time.Second
	farAhead   = 5 * time.Minute
	maxTopics  = 100_000

	// Of all edges together, far above any plant.
	maxNodes    = 10_000
	maxDeclared = 2_000_000

	// A node that was never born is forgotten after this silence.
	unknownFor = time.Minute
)

// maxName is the longest name of a metric, in bytes.
const maxName = 4096

// decoder reads messages and remembers the births that are needed to read them.
// It belongs to one goroutine.
type decoder struct {
	g        *Ingest
	nodes    map[string]*node
	topics   map[string]topic
	tags     map[string]plant.Tag // by path
	derived  []bool               // by tag: see plant.IsDerived
	held     int                  // bytes of messages that wait for births
	declared int                  // metrics of all births
	told     bool                 // of a message whose sender nobody knows
	swept    int64

	payload sparkplug.Payload
	opener  sparkplug.Opener
	batch   plant.Batch // of the message
	place   uint64      // of the message in its session
	late    bool        // a later message came first:
	shown   plant.Batch // what of the batch is still the newest
	spoilt  string      // why not all of the message could be read
}

// topic is one that was taken apart before.
type topic struct {
	sparkplug.Topic
	node *node
}

func newDecoder(g *Ingest) *decoder {
	d := &decoder{g: g, nodes: map[string]*node{}, topics: map[string]topic{}, tags: map[string]plant.Tag{}}
	for _, t := range g.Store.Tags() {
		d.know(t)
	}
	return d
}

// know notes a tag of the store.
func (d *decoder) know(t plant.Tag) {
	d.tags[t.Path] = t
	for len(d.derived) <= int(t.ID) {
		d.derived = append(d.derived, false)
	}
	d.derived[t.ID] = plant.IsDerived(t.Path)
}

func (d *decoder) isDerived(id plant.TagID) bool { return int(id) < len(d.derived) && d.derived[id] }

// turnOf is how many messages of one edge are read before it is another's turn.
const turnOf = 64

// run decodes until ctx ends.
func (d *decoder) run(ctx context.Context) {
	tick := time.NewTicker(decodeTick)
	defer tick.Stop()
	var list []message
	defer d.stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			d.tick(now.UnixNano())
			continue
		default:
		}
		if list = d.g.inbox.take(list[:0], turnOf); len(list) == 0 {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				d.tick(now.UnixNano())
			case <-d.g.inbox.wake:
			}
			continue
		}
		for i := range list {
			d.take(&list[i])
		}
		clear(list)
	}
}

// stop keeps what waits for births and would come from nobody again.
func (d *decoder) stop() {
	for _, n := range d.nodes {
		d.giveUp(n, len(n.held), "the historian stopped before its birth came")
	}
}

// tick asks for births where messages are missing for too long, and follows the
// states of the edges.
func (d *decoder) tick(now int64) {
	for _, n := range d.nodes {
		if n.session.Overdue(now, d.g.Reorder) {
			d.g.answers.ask(n.edge)
		}
		d.expire(n, now)
		if n.mend && n.session.Born() {
			d.mends(n)
		}
		d.g.holes.tick(n, now)
		d.g.view.judge(n, now)
	}
	if now-d.swept > int64(sweepEvery) {
		d.swept = now
		d.sweep(now)
	}
}

// sweep forgets names that never were edges.
func (d *decoder) sweep(now int64) {
	for edge, n := range d.nodes {
		if n.born > 0 || now-n.heard < int64(unknownFor) || len(n.held) > 0 {
			continue
		}
		delete(d.nodes, edge)
		d.declared -= n.session.Count()
		clear(d.topics)
		d.g.inbox.forget(n.from)
		d.g.answers.forget(edge)
		d.g.view.forget(edge)
	}
}

// take handles one message of the broker.
func (d *decoder) take(m *message) {
	if m.lost || m.unborn {
		d.lose(m, time.Now().UnixNano())
		return
	}
	t, ok := d.topics[m.topic]
	if !ok {
		var err error
		if t.Topic, err = sparkplug.ParseTopic(m.topic); err != nil {
			d.setAside(nil, m, err.Error(), false)
			return
		}
		switch t.Kind {
		case sparkplug.STATE, sparkplug.NCMD, sparkplug.DCMD:
		default:
			if t.node = d.node(m, t.Topic); t.node == nil {
				return
			}
		}
		if len(d.topics) >= maxTopics {
			clear(d.topics)
		}
		d.topics[m.topic] = t
	}
	n := t.node
	if n == nil { // not for us
		return
	}
	n.heard = m.arrived
	if t.Kind != sparkplug.NDEATH { // a Will may come long after the node has walked on
		n.broker = m.broker
	}
	if err := d.open(n, t.Topic, m); err != nil {
		d.forged(n, t.Topic, m, err)
		return
	}
	d.g.counts.messages.Add(1)
	switch t.Kind {
	case sparkplug.NBIRTH:
		d.nodeBirth(n, m)
	case sparkplug.DBIRTH:
		d.deviceBirth(n, t.Device, m)
	case sparkplug.NDATA, sparkplug.DDATA:
		place, ok := n.session.Data(t.Device, &d.payload, m.arrived)
		if !d.data(n, t.Device, m, place, ok, nil) {
			m.place = place
			d.hold(n, m)
		}
	case sparkplug.DDEATH:
		if n.session.DeviceDeath(t.Device, &d.payload, m.arrived) {
			since := d.payload.Time // tck-id-operational-behavior-edge-node-termination-host-action-ddeath-devices-tags-stale
			if since == 0 {
				since = m.arrived
			}
			d.stale(n, t.Device, false, since)
		}
	case sparkplug.NDEATH:
		if n.session.Death(&d.payload) {
			d.g.answers.quiet(n.edge)
			d.stale(n, "", true, m.arrived)
			d.giveUp(n, len(n.held), "the edge left before its births came")
			d.g.view.judge(n, m.arrived)
		}
	}
}

// node is what is known of the sender. Too many of them is an attack, or a
// plant for which this historian is too small.
func (d *decoder) node(m *message, t sparkplug.Topic) *node {
	edge := t.Group + "/" + t.Node
	n := d.nodes[edge]
	switch {
	case n != nil:
	case len(edge) > store.MaxEdge:
		d.setAside(nil, m, fmt.Sprintf("group and node have more than %d bytes", store.MaxEdge), false)
	case len(d.nodes) >= maxNodes:
		d.g.counts.dropped.Add(1)
	default:
		n = &node{edge: edge, name: t.Node, from: m.from}
		d.nodes[edge] = n
		d.g.answers.meet(edge, sparkplug.Topic{Kind: sparkplug.NCMD, Group: t.Group, Node: t.Node}.String())
	}
	return n
}

// lose forgets the session of an edge: this host was away, or had no room for its
// births, and does not know what it missed.
func (d *decoder) lose(m *message, now int64) {
	n := d.nodes[m.from.group+"/"+m.from.node]
	if n == nil || m.lost && n.broker != m.broker { // it has walked on to another one
		return
	}
	if n.session.Born() {
		n.session.Lose()
		d.stale(n, "", true, now)
	}
	d.giveUp(n, len(n.held), "the connection to the broker was lost before the births came")
	d.g.answers.quiet(n.edge)
	if m.unborn {
		d.g.answers.ask(n.edge)
	}
	d.g.view.judge(n, now)
}

// stale marks the tags of a device, or of the whole node, as not live.
func (d *decoder) stale(n *node, device string, all bool, since int64) {
	if d.g.Live == nil {
		return
	}
	var ids []plant.TagID
	n.session.Declared(device, all, func(x *sparkplug.Declared) {
		if x.Tag != 0 {
			ids = append(ids, x.Tag)
		}
	})
	if len(ids) > 0 {
		d.g.Live.Stale(ids, since)
	}
}
