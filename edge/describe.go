package edge

import (
	"hash/maphash"
	"time"

	"millwright/plant"
)

// describer is a source that learns from its server what tags are: unit, range,
// description. With the version that it gave last it gives nil while nothing is
// new.
type describer interface {
	Described(version uint64) ([]plant.Tag, uint64)
}

// describeTime is between two looks: while a source learns, a birth for each tag
// would be too much.
const describeTime = 30 * time.Second

// description is what was taken over of one source.
type description struct {
	version uint64
	at      time.Time
	hash    maphash.Hash
	sum     uint64 // of the tags; 0: nothing was
}

// sumOf tells lists of tags apart: to keep them would take as much memory as they do.
func (d *description) sumOf(tags []plant.Tag) uint64 {
	d.hash.Reset()
	for i := range tags {
		maphash.WriteComparable(&d.hash, tags[i])
	}
	return d.hash.Sum64()
}

// describe lets the plant know what a server says of tags whose list says
// nothing. Models do not hear of it: what they have learned does not depend on
// whether a server has told a unit yet.
func (a *Agent) describe(p *PLC, d *description, now time.Time) {
	src, ok := p.Source.(describer)
	if !ok || now.Sub(d.at) < describeTime {
		return
	}
	d.at = now
	tags, version := src.Described(d.version)
	if tags == nil {
		return
	}
	before := d.sum
	if before == 0 {
		before = d.sumOf(p.Tags)
	}
	d.version, d.sum = version, d.sumOf(tags)
	if d.sum == before {
		return
	}
	a.mu.Lock()
	err := a.intern(p.Name, tags)
	a.mu.Unlock()
	if err != nil {
		a.Log.Error("what the server says of its tags is not kept", "plc", p.Name, "err", err)
		return
	}
	if u, ok := a.Uplink.(interface{ Rebirth() }); ok {
		u.Rebirth()
	}
}
