package ingest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
)

// births are those of one opening of an edge, with the openings whose records they name
// the metrics of: see sparkplug.MetricQueueOpenings.
type births struct {
	epoch    uint64
	openings []uint64 // nil: all, as an edge of before said nothing of them
	session  sparkplug.Node
}

func (b *births) names(epoch uint64) bool {
	return epoch == b.epoch || b.openings == nil || slices.Contains(b.openings, epoch)
}

// maxFormer openings of an edge are remembered by their births. Two boxes with one
// identity are born by turns, and each one's records are read by its own.
const maxFormer = 3

// shelve puts the standing births away where an NBIRTH is of another opening, and
// drops what is known of that one.
func (d *decoder) shelve(n *node, epoch uint64) {
	drop := func(i int) {
		d.declared -= n.former[i].session.Count()
		n.former = slices.Delete(n.former, i, i+1)
	}
	if i := slices.IndexFunc(n.former, func(f births) bool { return f.epoch == epoch }); i >= 0 {
		drop(i)
	}
	if n.epoch == 0 || n.epoch == epoch || n.session.Count() == 0 {
		return
	}
	if len(n.former) == maxFormer {
		drop(0)
	}
	n.former = append(n.former, n.births)
	n.births = births{}
}

// epochOf is the epoch of the record that a message is, as these births read it; 0
// where it is none. What belongs to the delivery stands last.
func (b *births) epochOf(p *sparkplug.Payload) uint64 {
	for i := len(p.Metrics) - 1; i >= 0; i-- {
		switch decl := b.session.Resolve("", &p.Metrics[i]); {
		case decl == nil || decl.Use == useTag:
			return 0
		case decl.Use == useEpoch:
			return p.Metrics[i].Value.Bits
		}
	}
	return 0
}

// birthsOf is what a message is to be read by: births that name the opening which its
// record is of, or the standing ones if it is no record. Nil: no births do.
func (n *node) birthsOf(p *sparkplug.Payload) *births {
	e := n.births.epochOf(p)
	if e == 0 && len(n.former) == 0 || n.names(e) {
		return &n.births
	}
	for i := len(n.former) - 1; i >= 0; i-- {
		if x := n.former[i].epochOf(p); x != 0 && n.former[i].names(x) {
			return &n.former[i]
		}
	}
	if e == 0 {
		return &n.births
	}
	return nil
}

// nodeBirth takes an NBIRTH.
func (d *decoder) nodeBirth(n *node, m *message) {
	g, p := d.g, &d.payload
	before, had := n.session.BdSeq()
	after, has := p.BdSeq()
	if !has { // tck-id-payloads-nbirth-bdseq: without it no death could be told from an older one
		d.setAside(n, m, "an NBIRTH without bdSeq", false)
		return
	}
	same := had && has && before == after // a rebirth, not a new connection
	if n.session.Born() && !same {
		d.stale(n, "", true, m.arrived) // its death is still on its way
	}
	if x := p.Find(sparkplug.MetricQueueEpoch); x != nil && !x.Null {
		d.shelve(n, x.Value.Bits)
	}
	if !d.bear(n, m, func() bool { return n.session.Birth(p) }) {
		return
	}
	if n.born++; n.born == 1 {
		n.bornAt = cmp.Or(p.Time, m.arrived)
	}
	if err := n.meet(p); err != nil {
		d.setAside(n, m, err.Error(), false)
	}
	g.answers.quiet(n.edge)
	for i := range n.held {
		n.held[i].place = 0 // of another run
	}
	if n.twin() && g.view.twin(n.edge, m.arrived) {
		g.Log.Error("two boxes say that they are one edge, by turns: one may be a copy of the other's disk; stop one, or give it a name of its own",
			"edge", n.edge, "epochs", n.epochs)
	}
	if n.version > sparkplug.QueueVersion {
		g.Log.Warn("edge speaks a newer acknowledgement: stored, not answered", "edge", n.edge, "version", n.version)
	}
	d.assets(n)
	d.status(n, p.Find(sparkplug.MetricStatus), m)
	d.accounts(n, p.Find(sparkplug.MetricAccounts), m)
	if !d.birth(n, "", m) {
		return
	}
	if n.acknowledged() {
		e := epoch{n.edge, n.epoch}
		g.answers.whole(n.edge, n.epoch, g.known.from(e, max(n.oldest, 1), time.Unix(0, m.arrived)))
		g.holes.look(n, e, n.oldest, m.arrived)
	}
	// Messages from before may have other aliases. Of an edge that knows the
	// acknowledgement those of this opening are taken, and the others come again; of
	// other edges they are all there is.
	d.retry(n)
	n.mend = true
}

// deviceBirth takes a DBIRTH.
func (d *decoder) deviceBirth(n *node, device string, m *message) {
	// One of another opening than the NBIRTH belongs to a node that is not known.
	if x := d.payload.Find(sparkplug.MetricQueueEpoch); n.session.Born() && n.epoch != 0 && x != nil && !x.Null && x.Value.Bits != n.epoch {
		d.g.answers.ask(n.edge)
		return
	}
	if !d.bear(n, m, func() bool { return n.session.DeviceBirth(device, &d.payload, m.arrived) }) {
		d.g.answers.ask(n.edge)
		return
	}
	if d.birth(n, device, m) {
		d.retry(n)
		n.mend = true
	}
}

// bear lets a birth count, if what all births declare stays within bounds.
func (d *decoder) bear(n *node, m *message, birth func() bool) bool {
	before := n.session.Count()
	ok := birth()
	d.declared += n.session.Count() - before
	if ok && d.declared <= maxDeclared {
		return true
	}
	if ok {
		d.declared -= n.session.Count()
		n.session = sparkplug.Node{}
		d.setAside(n, m, fmt.Sprintf("the births of all edges declare more than %d metrics", maxDeclared), false)
	} else if n.session.Count() >= sparkplug.MaxDeclared {
		d.setAside(n, m, "its births declare more metrics than any edge has", false)
	}
	return false
}

// birth makes the tags of a birth known and takes its values. False: the store
// cannot take the tags, and the birth must come again.
func (d *decoder) birth(n *node, device string, m *message) bool {
	g, p := d.g, &d.payload
	d.begin(n.session.Birthplace(device), false)
	var fresh []plant.Tag
	added := 0
	for i := range p.Metrics {
		x := &p.Metrics[i]
		decl := n.session.Resolve(device, x)
		if decl == nil || x.Name == "" {
			continue
		}
		if decl.Use = useOf(x); decl.Use != useTag {
			continue
		}
		if len(x.Name) > maxName {
			decl.Use = useNothing
			d.spoil("a metric's name has more than %d bytes", maxName)
			continue
		}
		t := sparkplug.TagOf(x)
		t.Path = n.path(device, x.Name)
		have, ok := d.tags[t.Path]
		if ok {
			if t.ID = have.ID; have == t {
				continue
			}
		} else if added++; !n.affords(0, 1, m.arrived) {
			decl.Use = useNothing
			d.spoil("the edge brings more new tags than any edge has")
			continue
		}
		fresh = append(fresh, t)
	}
	if len(fresh) > 0 {
		if err := g.Store.Intern(fresh); err != nil {
			g.Log.Error("tags are not stored, asking for the birth again", "edge", n.edge, "err", err)
			n.session.Lose()
			g.answers.ask(n.edge)
			return false
		}
		for _, t := range fresh {
			d.know(t)
		}
	}
	d.note(n, device)
	for i := range p.Metrics {
		x := &p.Metrics[i]
		decl := n.session.Resolve(device, x)
		if decl == nil || decl.Use != useTag {
			continue
		}
		decl.Tag = d.tags[n.path(device, x.Name)].ID
		if !x.Null { // what is null in a birth is not known: no value at all
			d.value(decl, x, m.arrived)
		}
	}
	d.show(false)
	if d.spoilt != "" {
		d.setAside(n, m, d.spoilt, false)
	}
	if !g.commit.add(n.edge, &d.batch, nil, nil) {
		g.counts.dropped.Add(1)
	}
	g.view.judge(n, m.arrived)
	return true
}

// note remembers what is stored of the tags of a birth.
func (d *decoder) note(n *node, device string) {
	if n.version == 0 {
		return
	}
	var ids []plant.TagID
	for i := range d.payload.Metrics {
		x := &d.payload.Metrics[i]
		if decl := n.session.Resolve(device, x); decl != nil && decl.Use == useTag {
			ids = append(ids, d.tags[n.path(device, x.Name)].ID)
		}
	}
	d.g.holes.note(n, ids)
}
