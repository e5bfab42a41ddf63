package sparkplug

import (
	"time"

	"millwright/plant"
)

// ReorderTimeout is how long a host waits for a message that is missing in the
// run of seq before it asks for a rebirth, where nothing else is configured
// (tck-id-operational-behavior-host-reordering-param).
const ReorderTimeout = 2 * time.Second

// Bounds of what a host remembers of one node.
const (
	maxDevices  = 10_000
	MaxDeclared = 100_000 // metrics of all its births
)

// again is how far back in the run of seq a message that was not missing is taken
// for one that came twice, and not for one behind a long hole.
const again = 32

// Node is what a host must remember of one edge node to read its messages: the
// births of the standing session and the run of seq. The zero value is a node
// that has never been heard of. It is a pure state machine; the caller gives
// the time and acts on what the methods return.
//
// Nothing waits for a message that is missing: each one has its place in the run,
// and of two that say something of one device or metric the later place counts,
// whichever arrives first.
type Node struct {
	born  bool
	bdSeq uint8
	hasBd bool
	own   device // metrics of the node itself

	devices map[string]*device
	aliases map[uint64]*Declared // nil: two metrics claim it, so that it means neither
	count   int                  // declared metrics

	next    uint64 // place of the message that is expected; its seq is the lowest byte
	missing [256]bool
	lacking int // true entries of missing
	since   int64
}

// device is the node itself or one of its devices.
type device struct {
	born, died uint64 // places of its last birth and death
	names      map[string]*Declared
	aliases    []uint64
}

func (d *device) alive() bool { return d.born > d.died }

// Declared is a metric of a birth. Tag, Use and Shown belong to the caller: which
// tag it is, or what else it is for, and the place of the message that was shown
// last.
type Declared struct {
	Device string // "" for the node itself
	Name   string
	Type   DataType
	Tag    plant.TagID
	Use    uint8
	Shown  uint64
}

// Born reports whether the births of the node are known.
func (n *Node) Born() bool { return n.born }

// BdSeq is the number of the standing session, as far as it is known.
func (n *Node) BdSeq() (uint8, bool) { return n.bdSeq, n.hasBd && n.born }

// Newest is the place of the latest message.
func (n *Node) Newest() uint64 { return n.next - 1 }

// Birthplace is the place of the last birth of the node (name "") or of a device.
func (n *Node) Birthplace(name string) uint64 {
	if name == "" {
		return n.own.born
	}
	if d := n.devices[name]; d != nil {
		return d.born
	}
	return 0
}

// Count is the number of metrics that the births declare.
func (n *Node) Count() int { return n.count }

// Birth takes an NBIRTH: a new session, or the rebirth that was asked for. All
// that was declared before is forgotten, devices included. False: the node
// declares more than any host would remember, and is not born.
func (n *Node) Birth(p *Payload) bool {
	n.bdSeq, n.hasBd = p.BdSeq()
	n.devices, n.aliases, n.count = nil, map[uint64]*Declared{}, 0
	n.missing, n.lacking = [256]bool{}, 0
	n.next = 256 + uint64(p.Seq) + 1 // a place before it is a place as well
	n.own = device{born: n.next - 1}
	n.born = n.declare(&n.own, "", p)
	return n.born
}

// DeviceBirth takes a DBIRTH. False: the NBIRTH before it is missing, a later
// DBIRTH came first, or the node declares more than any host would remember.
func (n *Node) DeviceBirth(name string, p *Payload, now int64) bool {
	if !n.born {
		return false
	}
	at := n.sequence(p, now)
	d := n.device(name)
	if d == nil {
		return false
	}
	if !p.HasSeq {
		at = max(d.born, d.died) + 1
	}
	if at < d.born {
		return false
	}
	n.forget(d)
	d.born = at
	return n.declare(d, name, p)
}

// device is the one of that name, made where there is none, or nil where there
// are too many.
func (n *Node) device(name string) *device {
	d := n.devices[name]
	if d == nil && len(n.devices) < maxDevices {
		if n.devices == nil {
			n.devices = map[string]*device{}
		}
		d = &device{}
		n.devices[name] = d
	}
	return d
}

func (n *Node) declare(d *device, name string, p *Payload) bool {
	d.names = make(map[string]*Declared, min(len(p.Metrics), MaxDeclared))
	for i := range p.Metrics {
		m := &p.Metrics[i]
		if m.Name == "" {
			continue
		}
		x := d.names[m.Name]
		if x == nil {
			if n.count == MaxDeclared {
				return false
			}
			n.count++
			x = &Declared{Device: name, Name: m.Name, Type: m.Type}
			d.names[m.Name] = x
		}
		if !m.HasAlias {
			continue
		}
		// An alias of two metrics would put values under the wrong name.
		if old, taken := n.aliases[m.Alias]; taken && old != x {
			n.aliases[m.Alias] = nil
			continue
		}
		n.aliases[m.Alias] = x
		d.aliases = append(d.aliases, m.Alias)
	}
	return true
}

// forget drops what a device that is born again had declared.
func (n *Node) forget(d *device) {
	for _, alias := range d.aliases {
		if x := n.aliases[alias]; x != nil && d.names[x.Name] == x {
			delete(n.aliases, alias)
		}
	}
	n.count -= len(d.names)
	d.names, d.aliases = nil, nil
}

// Data takes an NDATA (device "") or DDATA and gives its place in the run of the
// session. False: a birth is missing, so that the message cannot be read yet.
func (n *Node) Data(deviceName string, p *Payload, now int64) (place uint64, ok bool) {
	if !n.born {
		return 0, false
	}
	at := n.sequence(p, now)
	if deviceName == "" {
		return at, true
	}
	// What a device said before it died may come after its death.
	d := n.devices[deviceName]
	return at, d != nil && d.names != nil && (d.alive() || p.HasSeq && at < d.died)
}

// Alive reports whether the births of the node (name "") or of a device of it
// are known and no death has followed.
func (n *Node) Alive(name string) bool {
	if name == "" {
		return n.born
	}
	d := n.devices[name]
	return n.born && d != nil && d.alive()
}

// Resolve returns the declaration of a metric of a birth or a DATA message, or
// nil where no birth has it or its alias is that of another one as well.
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

// DeviceDeath takes a DDEATH and reports whether it ends the life of a device.
func (n *Node) DeviceDeath(name string, p *Payload, now int64) bool {
	if !n.born {
		return false
	}
	at := n.sequence(p, now)
	d := n.device(name)
	if d == nil {
		return false
	}
	if !p.HasSeq {
		at = max(d.born, d.died) + 1
	}
	was := d.alive()
	d.died = max(d.died, at)
	return was && !d.alive()
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

// sequence follows the run of seq, notes what is missing, and returns the place
// of the message.
func (n *Node) sequence(p *Payload, now int64) uint64 {
	if !p.HasSeq {
		return n.next
	}
	s := p.Seq
	expected := uint8(n.next)
	if s == expected {
		n.next++
		return n.next - 1
	}
	back := uint64(expected - s) // 1 … 255
	switch {
	case n.missing[s]: // late, not lost
		n.missing[s] = false
		n.lacking--
		return n.next - back
	case back <= again: // once more, or of somebody else
		return n.next - back
	}
	for ; uint8(n.next) != s; n.next++ {
		if n.missing[uint8(n.next)] {
			continue
		}
		if n.lacking == 0 {
			n.since = now
		}
		n.missing[uint8(n.next)] = true
		n.lacking++
	}
	n.next++
	return n.next - 1
}

// Overdue reports, once for each hole, that a message missing in the run of seq
// has not come within the timeout.
func (n *Node) Overdue(now int64, timeout time.Duration) bool {
	if n.lacking == 0 || now-n.since < int64(timeout) {
		return false
	}
	n.missing, n.lacking = [256]bool{}, 0
	return true
}
