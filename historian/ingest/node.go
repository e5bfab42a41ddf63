package ingest

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
)

// What a declared metric is for, in Declared.Use.
const (
	useNothing uint8 = iota
	useTag
	useEpoch
	useRecord
	useOldest
	useFinding
	useGaps
	useStatus
	useAccounts
)

// useOf says what a metric of a birth is for.
func useOf(m *sparkplug.Metric) uint8 {
	switch m.Name {
	case sparkplug.MetricQueueEpoch:
		return useEpoch
	case sparkplug.MetricQueueRecord:
		return useRecord
	case sparkplug.MetricQueueOldest:
		return useOldest
	case sparkplug.MetricFinding:
		return useFinding
	case sparkplug.MetricGaps:
		return useGaps
	case sparkplug.MetricStatus:
		return useStatus
	case sparkplug.MetricAccounts:
		return useAccounts
	case sparkplug.MetricBdSeq:
		return useNothing
	}
	if m.Transient || strings.HasPrefix(m.Name, sparkplug.Reserved) ||
		strings.HasPrefix(m.Name, "Node Control/") || strings.HasPrefix(m.Name, "Device Control/") {
		return useNothing
	}
	return useTag
}

// Messages wait for a birth for so long, in so much memory of all edges together.
const (
	maxHeld = 64 << 20
	holdFor = 30 * time.Second
)

// node is an edge as this host knows it.
type node struct {
	edge   string // "group/node"
	name   string
	broker int // index of the connection that it was heard on last
	from   name
	births       // those that stand
	heard  int64 // ns UTC, of the last message
	born   int   // NBIRTHs taken

	version uint64 // of the acknowledgement; 0: a foreign edge
	oldest  uint64
	epochs  []uint64 // of the last NBIRTHs
	former  []births // of other openings, the last one last
	fresh   int      // epochs and tags that were new: see quota
	tags    int
	since   int64  // of the count
	charged uint64 // epoch that was counted last
	assets  string // JSON, as last stored

	before map[plant.TagID]int64 // time of the last value stored before its first birth; 0 none
	past   map[uint64]*past      // by epoch
	bornAt int64                 // its own time at its first birth
	gaveUp int64                 // when gaps of a full queue came last

	status     plant.EdgeStatus
	statusAt   int64
	offset     int64 // ms
	replayed   int64 // when historical data came last
	unreadable bool  // it was told of

	sealedAt map[string]int64 // times of the last births by device, "" the node; of edges whose keys are known

	held      []message
	heldBytes int
	mend      bool // messages on disk may be readable since the last birth
}

// past is what this host has seen of an epoch since its start.
type past struct {
	looked   bool
	complete int64  // when all below Oldest was last here
	live     uint64 // the first number that was made since
}

func (n *node) pastOf(epoch uint64) *past {
	p := n.past[epoch]
	if p == nil {
		if n.past == nil || len(n.past) >= maxSets {
			n.past = map[uint64]*past{}
		}
		p = &past{}
		n.past[epoch] = p
	}
	return p
}

// meet reads who was born. An error says that it cannot be read whose records its
// births name: those of its present opening alone.
func (n *node) meet(p *sparkplug.Payload) error {
	number := func(name string) uint64 {
		if m := p.Find(name); m != nil && !m.Null {
			return m.Value.Bits
		}
		return 0
	}
	n.version = number(sparkplug.MetricQueueVersion)
	n.epoch = number(sparkplug.MetricQueueEpoch)
	n.oldest = number(sparkplug.MetricQueueOldest)
	if n.epoch > sparkplug.MaxNumber {
		n.epoch = 0
	}
	var err error
	if n.openings, err = p.Openings(); err != nil {
		n.openings = []uint64{}
	}
	return err
}

// acknowledged reports whether the edge's records are answered.
func (n *node) acknowledged() bool { return n.version == sparkplug.QueueVersion && n.epoch != 0 }

// twin notes the epoch of a birth and reports whether it was there before
// another one: an edge never goes back to an earlier epoch, two boxes with one
// identity do.
func (n *node) twin() bool {
	if n.epoch == 0 || len(n.epochs) > 0 && n.epochs[len(n.epochs)-1] == n.epoch {
		return false
	}
	before := slices.Contains(n.epochs, n.epoch)
	const remembered = 16
	if len(n.epochs) == remembered {
		n.epochs = slices.Delete(n.epochs, 0, 1)
	}
	n.epochs = append(n.epochs, n.epoch)
	return before
}

// Quotas of what an edge may leave behind for ever, far above what one that works
// needs: an epoch is a start, and a tag a metric that was not there before.
const (
	epochsAtOnce    = 1000
	epochsPerMinute = 2
	tagsAtOnce      = 100_000
	tagsPerMinute   = 100
)

// affords counts epochs and tags that are new and reports whether the edge is
// within its quota.
func (n *node) affords(epochs, tags int, now int64) bool {
	if n.since == 0 {
		n.since = now
	}
	minutes := int((now - n.since) / int64(time.Minute))
	if n.fresh+epochs > epochsAtOnce+epochsPerMinute*minutes || n.tags+tags > tagsAtOnce+tagsPerMinute*minutes {
		return false
	}
	n.fresh += epochs
	n.tags += tags
	return true
}

// path is the identity of a metric. Edges of ours name their metrics by it;
// names of others mean something below their device only.
func (n *node) path(device, name string) string {
	if n.version != 0 {
		return name
	}
	if device != "" {
		return n.edge + "/" + device + "/" + name
	}
	return n.edge + "/" + name
}

// hold keeps a message that cannot be read before a birth, and asks for that.
func (d *decoder) hold(n *node, m *message) {
	d.g.answers.ask(n.edge)
	if !room(n.heldBytes, d.held, maxHeld, len(d.nodes)) {
		d.setAside(n, m, "no birth before it, and too many wait for one", true)
		return
	}
	d.g.counts.held.Add(1)
	d.keep(n, *m)
}

func (d *decoder) keep(n *node, m message) {
	n.held = append(n.held, m)
	n.heldBytes += len(m.payload) + overhead
	d.held += len(m.payload) + overhead
}

// unhold takes the first n messages that wait.
func (d *decoder) unhold(n *node, count int) []message {
	list := n.held[:count]
	for i := range list {
		n.heldBytes -= len(list[i].payload) + overhead
		d.held -= len(list[i].payload) + overhead
	}
	n.held = n.held[count:]
	if len(n.held) == 0 {
		n.held = nil
	}
	return list
}

// giveUp ends the wait of the first messages for a birth. An edge that knows the
// acknowledgement sends them again; of others they are all there is.
func (d *decoder) giveUp(n *node, count int, reason string) {
	list := d.unhold(n, count)
	if n.version != 0 {
		return
	}
	for i := range list {
		d.setAside(n, &list[i], reason, true)
	}
}

// expire gives up waiting for a birth.
func (d *decoder) expire(n *node, now int64) {
	late := 0
	for late < len(n.held) && now-n.held[late].arrived > int64(holdFor) {
		late++
	}
	if late > 0 {
		d.giveUp(n, late, "no birth declares what it names")
	}
}

// retry reads what waited for a birth, in order, as far as that is possible now.
func (d *decoder) retry(n *node) {
	if len(n.held) == 0 {
		return
	}
	list := d.unhold(n, len(n.held))
	for i := range list {
		m := &list[i]
		t, err := sparkplug.ParseTopic(m.topic)
		if err != nil || d.open(n, t, m) != nil {
			continue
		}
		if !d.data(n, t.Device, m, m.place, n.session.Alive(t.Device), nil) {
			d.keep(n, *m)
		}
	}
}

// setAside keeps a message that cannot be read, or not all of which can be, where
// people find it. waits: a birth may make it readable.
func (d *decoder) setAside(n *node, m *message, reason string, waits bool) {
	if err := d.putAside(n, m, reason, waits, false); err != nil {
		d.g.Log.Error("unread message", "err", err)
	}
}

// putAside is setAside; with must the message is on disk when nil comes back.
func (d *decoder) putAside(n *node, m *message, reason string, waits, must bool) error {
	x := Unread{Time: time.Unix(0, m.arrived).UTC(), Topic: m.topic, Reason: reason, Payload: m.payload, Waits: waits, BdSeq: -1}
	if n != nil {
		x.Edge = n.edge
		if bd, ok := n.session.BdSeq(); ok {
			x.BdSeq = int(bd)
		}
	}
	d.g.counts.unreadable.Add(1)
	told := &d.told
	if n != nil {
		told = &n.unreadable
	}
	if !*told {
		*told = true
		d.g.Log.Warn("message cannot be read; millwright unread shows such messages", "topic", m.topic, "bytes", len(m.payload), "reason", reason)
	}
	return d.g.unread.keep(x, must)
}

// mends reads again what was set aside for want of a birth.
func (d *decoder) mends(n *node) {
	n.mend = false
	bd := -1
	if b, ok := n.session.BdSeq(); ok {
		bd = int(b)
	}
	var list []Unread
	err := d.g.unread.waiting(n.edge, func(x *Unread) {
		if x.BdSeq == -1 || x.BdSeq == bd {
			list = append(list, *x)
		}
	})
	if err != nil {
		d.g.Log.Error("unread messages cannot be read back", "edge", n.edge, "err", err)
	}
	if len(list) == 0 {
		return
	}
	// They leave the disk together, when all that could be read is in the store.
	var left atomic.Int64
	left.Store(1)
	read := map[string]bool{}
	done := func() {
		if left.Add(-1) > 0 {
			return
		}
		err := d.g.unread.remove(n.edge, func(x *Unread) bool { return read[x.Topic+x.Time.String()] })
		if err != nil {
			d.g.Log.Error("messages that were read are still among the unread", "edge", n.edge, "err", err)
		}
		d.g.counts.mended.Add(uint64(len(read)))
	}
	for i := range list {
		x := &list[i]
		m := message{topic: x.Topic, payload: x.Payload, arrived: x.Time.UnixNano()}
		t, err := sparkplug.ParseTopic(m.topic)
		if err != nil || d.open(n, t, &m) != nil {
			continue
		}
		left.Add(1)
		if d.data(n, t.Device, &m, 0, n.session.Alive(t.Device), done) {
			read[x.Topic+x.Time.String()] = true
		} else {
			left.Add(-1)
		}
	}
	done()
}
