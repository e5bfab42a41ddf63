package ingest

import (
	"slices"
	"time"

	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
)

// record is what the delivery metrics of a message say.
type record struct {
	epoch, number, oldest uint64
	findings, gaps        string
	historical            bool
	done                  func() // nil, or to be called when it is durable
}

// record takes a numbered record: shown at once if it is new, stored, and
// answered when it is durable.
func (d *decoder) record(n *node, r *record, m *message) {
	g := d.g
	e, mark := epoch{n.edge, r.epoch}, store.Mark{Edge: n.edge, Epoch: r.epoch, Number: r.number}
	at := time.Unix(0, m.arrived)
	if r.epoch != n.charged {
		if !g.known.has(e, at) && !n.affords(1, 0, m.arrived) {
			g.counts.dropped.Add(1)
			return
		}
		n.charged = r.epoch
	}
	switch g.known.meet(e, r.number, at) {
	case durable:
		g.counts.repeated.Add(1)
		g.answers.durable([]store.Mark{mark}, r.findings != "")
		g.holes.look(n, e, r.oldest, m.arrived)
		return
	case pending: // answered when its first coming is durable
		g.counts.repeated.Add(1)
		return
	case refused:
		g.counts.dropped.Add(1)
		return
	}
	if p := n.pastOf(r.epoch); p.live == 0 && !r.historical {
		p.live = r.number
	}
	d.show(r.historical)
	if !d.enter(n, r, mark, m) { // it comes again
		g.counts.dropped.Add(1)
		g.known.drop(e, r.number)
	}
	g.holes.look(n, e, r.oldest, m.arrived)
}

// data takes an NDATA or DDATA. known: the standing births have its device. False: no
// births can read it.
func (d *decoder) data(n *node, device string, m *message, place uint64, known bool, done func()) bool {
	b := n.birthsOf(&d.payload)
	standing := b == &n.births
	if b == nil || standing && !known {
		return false
	}
	alive := standing && n.session.Alive(device)
	r := record{done: done}
	d.begin(place, place != n.session.Newest() || !alive)
	if !d.read(n, b, device, m, &r) {
		return false
	}
	if !alive { // what a device said before it died, or another box
		d.shown.Reset()
	}
	if r.historical {
		n.replayed = m.arrived
	}
	if r.number == 0 || r.epoch == 0 || r.number > sparkplug.MaxNumber || r.epoch > sparkplug.MaxNumber || !n.acknowledged() {
		d.show(r.historical)
		if d.spoilt != "" {
			d.setAside(n, m, d.spoilt, false)
		}
		if !d.batch.Empty() && !d.g.commit.add(n.edge, &d.batch, nil, done) {
			d.g.counts.dropped.Add(1)
		}
		return true
	}
	d.record(n, &r, m)
	return true
}

// read takes the metrics of a DATA message by some births of its node. False: they do
// not declare all of them.
func (d *decoder) read(n *node, b *births, device string, m *message, r *record) bool {
	p := &d.payload
	for i := range p.Metrics {
		x := &p.Metrics[i]
		decl := b.session.Resolve(device, x)
		if decl == nil {
			return false
		}
		switch decl.Use {
		case useTag:
			r.historical = r.historical || x.Historical
			d.value(decl, x, m.arrived)
		case useEpoch:
			r.epoch = x.Value.Bits
			r.historical = r.historical || x.Historical
		case useRecord:
			r.number = x.Value.Bits
		case useOldest:
			r.oldest = x.Value.Bits
		case useFinding:
			r.findings = x.Value.Text
		case useGaps:
			r.gaps = x.Value.Text
		case useStatus:
			d.status(n, x, m)
		case useAccounts:
			d.accounts(n, x, m)
		}
	}
	return true
}

// enter hands a record to those who store it. False: that is not possible now.
func (d *decoder) enter(n *node, r *record, mark store.Mark, m *message) bool {
	g := d.g
	if r.gaps != "" && !d.gaps(n, r.gaps, m.arrived) {
		return false
	}
	var findings []plant.Finding
	if r.findings != "" {
		var err error
		if findings, err = sparkplug.ParseFindings(r.findings); err != nil {
			d.spoil("%v", err)
		}
	}
	if d.spoilt != "" {
		// It would come again for ever: what can be read is stored, and the whole
		// message is kept before anything is acknowledged.
		if err := d.putAside(n, m, d.spoilt, false, true); err != nil {
			g.Log.Error("a record that cannot be read waits", "edge", n.edge, "record", mark.Number, "err", err)
			return false
		}
	}
	mark.Counts = plant.CountOf(&d.batch, d.isDerived)
	if len(findings) == 0 {
		return g.commit.add(n.edge, &d.batch, &mark, r.done)
	}
	x := finding{mark: mark, findings: findings, done: r.done, rest: plant.Batch{
		Samples: slices.Clone(d.batch.Samples), States: slices.Clone(d.batch.States), Gaps: slices.Clone(d.batch.Gaps), Waveforms: slices.Clone(d.batch.Waveforms)}}
	return g.find.jobs.put(n.from, x, 1)
}

// gaps adds the gaps of a record to the batch. They name tags by path, since
// their tags may be in no birth any more. False: the store cannot take a tag.
func (d *decoder) gaps(n *node, text string, now int64) bool {
	list, err := sparkplug.ParseGaps(text)
	if err != nil {
		d.spoil("%v", err)
		return true
	}
	for _, x := range list {
		t, ok := d.tags[x.Tag]
		if !ok {
			if len(x.Tag) > maxName || !n.affords(0, 1, now) {
				d.spoil("a gap of a tag that the edge may not bring")
				continue
			}
			one := []plant.Tag{{Path: x.Tag, Kind: plant.Analog}}
			if err := d.g.Store.Intern(one); err != nil {
				d.g.Log.Error("tag of a gap is not stored: the gap waits", "tag", x.Tag, "err", err)
				return false
			}
			t = one[0]
			d.know(t)
		}
		d.batch.Gaps = append(d.batch.Gaps, x.Gap(t.ID))
	}
	if slices.ContainsFunc(list, func(x sparkplug.NamedGap) bool { return x.Reason == plant.GapQueueFull }) {
		n.gaveUp = now
	}
	return true
}
