package ingest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"millwright/sparkplug"
)

// errKept says that a message is a true one of the edge, and was there before.
var errKept = errors.New("kept back and sent again, or from a copy of the edge's disk")

// open decodes a message and opens its seal (sparkplug/FORMAT.md). From an edge whose
// keys are known it takes nothing that was not signed for the session that stands.
func (d *decoder) open(n *node, t sparkplug.Topic, m *message) error {
	if err := d.payload.Decode(m.payload); err != nil {
		return err
	}
	session := uint64(n.sealedAt[""] / int64(time.Millisecond)) // of an edge without keys nobody asks
	switch t.Kind {
	case sparkplug.NBIRTH:
		session = 0
	case sparkplug.NDEATH, sparkplug.DDEATH:
		return nil // never sealed
	}
	keys := d.g.Keys[n.edge]
	if err := d.opener.Open(&d.payload, m.payload, m.topic, session, keys...); err != nil {
		return err
	}
	if len(keys) > 0 {
		return n.unique(t, &d.payload)
	}
	return nil
}

// forged deals with a message that cannot be read. Until an edge is born again on
// this connection nothing of it can be told from what is forged: it is asked for its
// births, and sends again what it was not told to be stored.
func (d *decoder) forged(n *node, t sparkplug.Topic, m *message, err error) {
	foreign := errors.Is(err, sparkplug.ErrForged)
	if foreign && t.Kind != sparkplug.NBIRTH && !n.session.Born() {
		d.g.answers.ask(n.edge)
		d.g.counts.dropped.Add(1)
		return
	}
	if foreign || errors.Is(err, errKept) {
		d.g.counts.forged.Add(1)
	}
	if errors.Is(err, errKept) && t.Kind == sparkplug.NBIRTH {
		d.g.view.twin(n.edge, m.arrived)
	}
	d.setAside(n, m, err.Error(), false)
}

// unique refuses a birth that is not later than what is known. A record has
// its number for that.
func (n *node) unique(t sparkplug.Topic, p *sparkplug.Payload) error {
	switch t.Kind {
	case sparkplug.NBIRTH:
		epoch := uint64(0)
		if x := p.Find(sparkplug.MetricQueueEpoch); x != nil {
			epoch = x.Value.Bits
		}
		if epoch == n.epoch && p.Time <= n.sealedAt[""] || epoch != n.epoch && slices.Contains(n.epochs, epoch) {
			return fmt.Errorf("NBIRTH of epoch %d: %w", epoch, errKept)
		}
		n.sealedAt = map[string]int64{"": p.Time}
	case sparkplug.DBIRTH:
		if p.Time <= n.sealedAt[t.Device] {
			return fmt.Errorf("DBIRTH: %w", errKept)
		}
		if n.sealedAt == nil || len(n.sealedAt) >= maxDevices {
			return nil
		}
		n.sealedAt[t.Device] = p.Time
	}
	return nil
}

// maxDevices of an edge whose births are followed.
const maxDevices = 10_000
