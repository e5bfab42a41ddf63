package ingest

import (
	"slices"
	"strings"
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

// Bounds of messages that wait for a birth.
const (
	maxHeld      = 1024
	maxHeldBytes = 8 << 20
	holdFor      = 30 * time.Second
)

// node is an edge as this host knows it.
type node struct {
	edge    string // "group/node"
	name    string
	broker  int // index of the connection that it was heard on last
	session sparkplug.Node

	version uint64 // of the acknowledgement; 0: a foreign edge
	epoch   uint64 // of the last NBIRTH
	oldest  uint64
	epochs  []uint64 // of the last NBIRTHs
	assets  string   // JSON, as last stored

	status     plant.EdgeStatus
	statusAt   int64
	offset     int64 // ms
	replayed   int64 // when historical data came last
	unreadable int

	held      []message
	heldBytes int
}

// meet reads who was born.
func (n *node) meet(p *sparkplug.Payload) {
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
	if len(n.held) >= maxHeld || n.heldBytes+len(m.payload) > maxHeldBytes {
		d.g.counts.dropped.Add(1)
		return
	}
	d.g.counts.held.Add(1)
	n.held = append(n.held, *m)
	n.heldBytes += len(m.payload)
}

// dropHeld gives up waiting for a birth.
func (n *node) dropHeld(now int64) {
	for len(n.held) > 0 && now-n.held[0].arrived > int64(holdFor) {
		n.heldBytes -= len(n.held[0].payload)
		n.held = n.held[1:]
	}
}

// retry reads what waited for a birth, in order, as far as that is possible now.
func (d *decoder) retry(n *node) {
	if len(n.held) == 0 {
		return
	}
	list := n.held
	n.held, n.heldBytes = nil, 0
	for i := range list {
		m := &list[i]
		t, err := sparkplug.ParseTopic(m.topic)
		if err != nil || d.payload.Decode(m.payload) != nil {
			continue
		}
		if n.session.Alive(t.Device) && d.data(n, t.Device, m) {
			continue
		}
		n.held = append(n.held, *m)
		n.heldBytes += len(m.payload)
	}
}
