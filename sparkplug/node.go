package sparkplug

import (
	"time"

	"millwright/plant"
)

// ReorderTimeout is how long a host waits for a message that is missing in the
// run of seq before it asks for a rebirth
// (tck-id-operational-behavior-host-reordering-param).
const ReorderTimeout = 2 * time.Second

// Bounds of what a host remembers of one node.
const (
	maxDevices  = 10_000
	maxDeclared = 1_000_000
)

// Node is what a host must remember of one edge node to read its messages: the
// births of the standing session and the run of seq. The zero value is a node
// that has never been heard of. It is a pure state machine; the caller gives
// the time and acts on what the methods return.
type Node struct {
	born  bool
	bdSeq uint8
	hasBd bool
	own   device // metrics of the node itself

	devices map[string]*device
	aliases map[uint64]*Declared
	count   int // declared metrics

	expected uint8
	missing  [256]bool
	lacking  int // true entries of missing
	since    int64
}

// device is the node itself or one of its devices.
type device struct {
	alive bool
	names map[string]*Declared
}

// Declared is a metric of a birth. Tag and Use belong to the caller: which tag
// it is, or what else it is for.
type Declared struct {
	Device string // "" for the node itself
	Name   string
	Type   DataType
	Tag    plant.TagID
	Use    uint8
}

// Born reports whether the births of the node are known.
func (n *Node) Born() bool { return n.born }

// BdSeq is the number of the standing session, as far as it is known.
func (n *Node) BdSeq() (uint8, bool) { return n.bdSeq, n.hasBd && n.born }

// Birth takes an NBIRTH: a new session, or the rebirth that was asked for. All
// that was declared before is forgotten, devices included.
func (n *Node) Birth(p *Payload) {
	n.bdSeq, n.hasBd = p.BdSeq()
	n.born = true
	n.devices, n.aliases, n.count = nil, map[uint64]*Declared{}, 0
	n.missing, n.lacking = [256]bool{}, 0
	n.expected = p.Seq + 1
	n.own = device{alive: true, names: make(map[string]*Declared, len(p.Metrics))}
	n.declare(&n.own, "", p)
}

// DeviceBirth takes a DBIRTH. False: the NBIRTH before it is missing, or the
// node declares more than any host would remember.
func (n *Node) DeviceBirth(name string, p *Payload, now int64) bool {
	if !n.born {
		return false
	}
	n.sequence(p, now)
	old := n.devices[name]
	if old == nil && len(n.devices) == maxDevices {
		return false
	}
	if old != nil {
		n.forget(old)
	}
	if n.devices == nil {
		n.devices = map[string]*device{}
	}
	d := &device{alive: true, names: make(map[string]*Declared, len(p.Metrics))}
	n.devices[name] = d
	return n.declare(d, name, p)
}

func (n *Node) declare(d *device, name string, p *Payload) bool {
	for i := range p.Metrics {
		m := &p.Metrics[i]
		if m.Name == "" {
			continue
		}
		if n.count == maxDeclared {
			return false
		}
		n.count++
		x := &Declared{Device: name, Name: m.Name, Type: m.Type}
		d.names[m.Name] = x
		if m.HasAlias {
			n.aliases[m.Alias] = x
		}
	}
	return true
}

// forget drops the aliases of a device that is born again.
func (n *Node) forget(d *device) {
	for alias, x := range n.aliases {
		if d.names[x.Name] == x {
			delete(n.aliases, alias)
		}
	}
	n.count -= len(d.names)
}

// Data takes an NDATA (device "") or DDATA. False: a birth is missing, so that
// the message cannot be read yet.
func (n *Node) Data(deviceName string, p *Payload, now int64) bool {
	if !n.born {
		return false
	}
	n.sequence(p, now)
	return n.Alive(deviceName)
}

// Alive reports whether the births of the node (name "") or of a device of it
// are known and no death has followed.
func (n *Node) Alive(name string) bool {
	if name == "" {
		return n.born
	}
	d := n.devices[name]
	return n.born && d != nil && d.alive
}

// Resolve returns the declaration of a metric of a birth or a DATA message, or
// nil where no birth has it.
func (n *Node) Resolve(deviceName string, m *Metric) *Declared {
	if m.Name == "" {
		if !m.HasAlias {
			return nil
		}
		return n.aliases[m.Alias]
	}
	if deviceName == "" {
		return n.own.names[m.Name]
	}
	if d := n.devices[deviceName]; d != nil {
		return d.names[m.Name]
	}
	return nil
}

// Death takes an NDEATH and reports whether it ends the standing session: the
// Will of an earlier connection, which QoS 1 may deliver late, does not.
func (n *Node) Death(p *Payload) bool {
	bd, ok := p.BdSeq()
	if !n.born || ok && n.hasBd && bd != n.bdSeq {
		return false
	}
	n.born = false
	return true
}

// DeviceDeath takes a DDEATH and reports whether the device was alive.
func (n *Node) DeviceDeath(name string, p *Payload, now int64) bool {
	if !n.born {
		return false
	}
	n.sequence(p, now)
	d := n.devices[name]
	if d == nil || !d.alive {
		return false
	}
	d.alive = false
	return true
}

// Lose forgets the session without a death: the host itself was away.
func (n *Node) Lose() { n.born = false }

// Declared calls f with every declared metric of the device, of the node itself
// (device "") or, with all, of both.
func (n *Node) Declared(deviceName string, all bool, f func(*Declared)) {
	each := func(d *device) {
		for _, x := range d.names {
			f(x)
		}
	}
	if all || deviceName == "" {
		each(&n.own)
	}
	for name, d := range n.devices {
		if all || name == deviceName && deviceName != "" {
			each(d)
		}
	}
}

// sequence follows the run of seq and notes what is missing.
func (n *Node) sequence(p *Payload, now int64) {
	if !p.HasSeq {
		return
	}
	s := p.Seq
	if s == n.expected {
		n.expected++
		return
	}
	if n.missing[s] { // late, not lost
		n.missing[s] = false
		n.lacking--
		return
	}
	for ; n.expected != s; n.expected++ {
		if n.missing[n.expected] {
			continue
		}
		if n.lacking == 0 {
			n.since = now
		}
		n.missing[n.expected] = true
		n.lacking++
	}
	n.expected++
}

// Overdue reports, once for each hole, that a message missing in the run of seq
// has not come within the ReorderTimeout.
func (n *Node) Overdue(now int64) bool {
	if n.lacking == 0 || now-n.since < int64(ReorderTimeout) {
		return false
	}
	n.missing, n.lacking = [256]bool{}, 0
	return true
}
