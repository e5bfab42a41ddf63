package ingest

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"time"

	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
)

const (
	decodeTick = 200 * time.Millisecond
	farAhead   = 5 * time.Minute
	maxNodes   = 10_000
)

// decoder reads messages and remembers the births that are needed to read them.
// It belongs to one goroutine.
type decoder struct {
	g       *Ingest
	nodes   map[string]*node
	tags    map[string]plant.Tag // by path
	derived []bool               // by tag: see plant.IsDerived
	payload sparkplug.Payload
	batch   plant.Batch // of the message
}

func newDecoder(g *Ingest) *decoder {
	d := &decoder{g: g, nodes: map[string]*node{}, tags: map[string]plant.Tag{}}
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

// run decodes until ctx ends.
func (d *decoder) run(ctx context.Context) {
	tick := time.NewTicker(decodeTick)
	defer tick.Stop()
	var list []message
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			d.tick(now.UnixNano())
		case <-d.g.inbox.wake:
			list = d.g.inbox.take(list)
			for i := range list {
				d.take(&list[i])
			}
		}
	}
}

// tick asks for births where messages are missing for too long, and follows the
// states of the edges.
func (d *decoder) tick(now int64) {
	for _, n := range d.nodes {
		if n.session.Overdue(now) {
			d.g.answers.ask(n.edge)
		}
		n.dropHeld(now)
		d.g.view.judge(n, now)
	}
}

// take handles one message of the broker.
func (d *decoder) take(m *message) {
	if m.lost {
		d.lose(m.broker, time.Now().UnixNano())
		return
	}
	t, err := sparkplug.ParseTopic(m.topic)
	if err != nil {
		d.g.counts.unreadable.Add(1)
		return
	}
	switch t.Kind {
	case sparkplug.STATE, sparkplug.NCMD, sparkplug.DCMD:
		return
	}
	n := d.node(t)
	if n == nil {
		d.g.counts.dropped.Add(1)
		return
	}
	if t.Kind != sparkplug.NDEATH { // a Will may come long after the node has walked on
		n.broker = m.broker
	}
	if err := d.payload.Decode(m.payload); err != nil {
		d.g.counts.unreadable.Add(1)
		if n.unreadable++; n.unreadable == 1 {
			d.g.Log.Warn("message cannot be read", "topic", m.topic, "bytes", len(m.payload), "err", err)
		}
		return
	}
	d.g.counts.messages.Add(1)
	switch t.Kind {
	case sparkplug.NBIRTH:
		d.nodeBirth(n, m)
	case sparkplug.DBIRTH:
		if !n.session.DeviceBirth(t.Device, &d.payload, m.arrived) {
			d.g.answers.ask(n.edge)
			return
		}
		d.birth(n, t.Device, m)
		d.retry(n)
	case sparkplug.NDATA, sparkplug.DDATA:
		if !n.session.Data(t.Device, &d.payload, m.arrived) || !d.data(n, t.Device, m) {
			d.hold(n, m)
		}
	case sparkplug.DDEATH:
		if n.session.DeviceDeath(t.Device, &d.payload, m.arrived) {
			d.stale(n, t.Device, false)
		}
	case sparkplug.NDEATH:
		if n.session.Death(&d.payload) {
			d.stale(n, "", true)
			n.held, n.heldBytes = nil, 0
			d.g.view.judge(n, m.arrived)
		}
	}
}

// node is what is known of the sender. Too many of them is an attack, or a
// plant for which this historian is too small.
func (d *decoder) node(t sparkplug.Topic) *node {
	edge := t.Group + "/" + t.Node
	n := d.nodes[edge]
	if n == nil {
		if len(d.nodes) >= maxNodes {
			return nil
		}
		n = &node{edge: edge, name: t.Node}
		d.nodes[edge] = n
		d.g.answers.meet(edge, sparkplug.Topic{Kind: sparkplug.NCMD, Group: t.Group, Node: t.Node}.String())
	}
	return n
}

// lose forgets all sessions: this host was away and does not know what it missed.
func (d *decoder) lose(broker int, now int64) {
	for _, n := range d.nodes {
		if n.broker != broker {
			continue // it has walked on to another one
		}
		if n.session.Born() {
			n.session.Lose()
			d.stale(n, "", true)
		}
		n.held, n.heldBytes = nil, 0
		d.g.view.judge(n, now)
	}
}

// stale marks the tags of a device, or of the whole node, as not live.
func (d *decoder) stale(n *node, device string, all bool) {
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
		d.g.Live.Stale(ids)
	}
}

// silent marks the tags as not live that the PLC should have sent and has not.
func (d *decoder) silent(n *node) {
	names := map[string]bool{}
	for i := range n.status.PLCs {
		for _, name := range n.status.PLCs[i].StaleTags {
			names[name] = true
		}
	}
	if d.g.Live == nil || len(names) == 0 {
		return
	}
	var ids []plant.TagID
	n.session.Declared("", true, func(x *sparkplug.Declared) {
		if x.Tag != 0 && names[x.Name] {
			ids = append(ids, x.Tag)
		}
	})
	if len(ids) > 0 {
		d.g.Live.Stale(ids)
	}
}

// nodeBirth takes an NBIRTH.
func (d *decoder) nodeBirth(n *node, m *message) {
	g, p := d.g, &d.payload
	before, had := n.session.BdSeq()
	after, has := p.BdSeq()
	if !has { // tck-id-payloads-nbirth-bdseq: without it no death could be told from an older one
		g.counts.unreadable.Add(1)
		return
	}
	same := had && has && before == after // a rebirth, not a new connection
	if n.session.Born() && !same {
		d.stale(n, "", true) // its death is still on its way
	}
	n.session.Birth(p)
	n.meet(p)
	g.answers.born(n.edge)
	if n.twin() {
		g.Log.Error("two boxes share one identity: their births come in turns", "edge", n.edge)
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
	}
	// Messages from before may have other aliases. An edge that knows the
	// acknowledgement sends them again; of others they are all there is.
	if n.version != 0 && !same {
		n.held, n.heldBytes = nil, 0
	}
	d.retry(n)
}

// assets remembers the machines that the edge serves.
func (d *decoder) assets(n *node) {
	m := d.payload.Find(sparkplug.MetricAssets)
	if m == nil || m.Value.Form != sparkplug.Words || m.Value.Text == n.assets {
		return
	}
	var list []plant.Asset
	if err := json.Unmarshal([]byte(m.Value.Text), &list); err != nil {
		d.g.Log.Warn("assets cannot be read", "edge", n.edge, "err", err)
		return
	}
	if err := d.g.Store.SetAssets(n.edge, list); err != nil {
		d.g.Log.Error("assets are not stored", "edge", n.edge, "err", err)
		return
	}
	n.assets = m.Value.Text
}

// status takes what an edge says of itself.
func (d *decoder) status(n *node, m *sparkplug.Metric, msg *message) {
	if m == nil || m.Value.Form != sparkplug.Words {
		return
	}
	var s plant.EdgeStatus
	if err := json.Unmarshal([]byte(m.Value.Text), &s); err != nil {
		d.g.counts.skipped.Add(1)
		return
	}
	n.status, n.statusAt = s, msg.arrived
	d.silent(n)
	if d.payload.Time != 0 {
		n.offset = (msg.arrived - d.payload.Time) / int64(time.Millisecond)
	}
}

// accounts takes what an edge says of the records that it has sent.
func (d *decoder) accounts(n *node, m *sparkplug.Metric, msg *message) {
	if d.g.Ledger == nil || m == nil || m.Value.Form != sparkplug.Words {
		return
	}
	list, err := sparkplug.ParseAccounts(m.Value.Text)
	if err != nil {
		d.g.counts.skipped.Add(1)
		d.g.Log.Warn("accounts of an edge cannot be read", "edge", n.edge, "err", err)
		return
	}
	d.g.Ledger.State(n.edge, list, time.Unix(0, msg.arrived))
}

// birth makes the tags of a birth known and takes its values. False: the store
// cannot take the tags, and the birth must come again.
func (d *decoder) birth(n *node, device string, m *message) bool {
	g, p := d.g, &d.payload
	var fresh []plant.Tag
	for i := range p.Metrics {
		x := &p.Metrics[i]
		decl := n.session.Resolve(device, x)
		if decl == nil || x.Name == "" {
			continue
		}
		if decl.Use = useOf(x); decl.Use != useTag {
			continue
		}
		t := sparkplug.TagOf(x)
		t.Path = n.path(device, x.Name)
		if have, ok := d.tags[t.Path]; ok {
			if t.ID = have.ID; have == t {
				continue
			}
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
	d.batch.Reset()
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
	if !g.commit.add(&d.batch, nil) {
		g.counts.dropped.Add(1)
	}
	g.view.judge(n, m.arrived)
	return true
}

// show hands the batch to those who watch.
func (d *decoder) show(historical bool) {
	n := len(d.batch.Samples) + len(d.batch.States)
	d.g.counts.samples.Add(uint64(n + len(d.batch.Waveforms)))
	if !historical && n > 0 && d.g.Live != nil {
		d.g.Live.Values(plant.Batch{Samples: d.batch.Samples, States: d.batch.States})
	}
}

// record is what the delivery metrics of a message say.
type record struct {
	epoch, number, oldest uint64
	findings, gaps        string
	historical            bool
}

// data takes an NDATA or DDATA. False: it has an alias that no birth declares.
func (d *decoder) data(n *node, device string, m *message) bool {
	p := &d.payload
	d.batch.Reset()
	var r record
	for i := range p.Metrics {
		x := &p.Metrics[i]
		decl := n.session.Resolve(device, x)
		if decl == nil {
			return false
		}
		switch decl.Use {
		case useTag:
			r.historical = r.historical || x.Historical
			d.value(decl, x, m.arrived)
		case useEpoch:
			r.epoch = x.Value.Bits
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
	if r.historical {
		n.replayed = m.arrived
	}
	if r.number == 0 || r.epoch == 0 || r.number > sparkplug.MaxNumber || r.epoch > sparkplug.MaxNumber || !n.acknowledged() {
		d.show(r.historical)
		if !d.batch.Empty() && !d.g.commit.add(&d.batch, nil) {
			d.g.counts.dropped.Add(1)
		}
		return true
	}
	d.record(n, &r, m)
	return true
}

// record takes a numbered record: shown at once if it is new, stored, and
// answered when it is durable.
func (d *decoder) record(n *node, r *record, m *message) {
	g := d.g
	e, mark := epoch{n.edge, r.epoch}, store.Mark{Edge: n.edge, Epoch: r.epoch, Number: r.number}
	switch g.known.meet(e, r.number, time.Unix(0, m.arrived)) {
	case durable:
		g.counts.repeated.Add(1)
		g.answers.durable([]store.Mark{mark}, r.findings != "")
		return
	case pending: // answered when its first coming is durable
		g.counts.repeated.Add(1)
		return
	}
	d.show(r.historical)
	if r.gaps != "" {
		d.gaps(n, r.gaps)
	}
	mark.Counts = plant.CountOf(&d.batch, d.isDerived)
	taken := false
	if r.findings == "" {
		taken = g.commit.add(&d.batch, &mark)
	} else if list, err := sparkplug.ParseFindings(r.findings); err != nil {
		// It would come again for ever; the samples beside it are kept.
		g.Log.Error("finding cannot be read", "edge", n.edge, "record", r.number, "err", err)
		taken = g.commit.add(&d.batch, &mark)
	} else {
		taken = g.find.add(finding{mark: mark, findings: list, rest: plant.Batch{
			Samples: slices.Clone(d.batch.Samples), States: slices.Clone(d.batch.States), Gaps: slices.Clone(d.batch.Gaps), Waveforms: slices.Clone(d.batch.Waveforms)}})
	}
	if !taken { // it comes again
		g.counts.dropped.Add(1)
		g.known.settle(e, r.number, false)
	}
}

// gaps adds the gaps of a record to the batch. They name tags by path, since
// their tags may be in no birth any more.
func (d *decoder) gaps(n *node, text string) {
	list, err := sparkplug.ParseGaps(text)
	if err != nil {
		d.g.Log.Error("gaps cannot be read", "edge", n.edge, "err", err)
		return
	}
	for _, x := range list {
		t, ok := d.tags[x.Tag]
		if !ok {
			one := []plant.Tag{{Path: x.Tag, Kind: plant.Analog}}
			if err := d.g.Store.Intern(one); err != nil {
				d.g.Log.Error("tag of a gap is not stored", "tag", x.Tag, "err", err)
				continue
			}
			t = one[0]
			d.know(t)
		}
		d.batch.Gaps = append(d.batch.Gaps, x.Gap(t.ID))
	}
}

// value adds a metric's value to the batch.
func (d *decoder) value(decl *sparkplug.Declared, x *sparkplug.Metric, arrived int64) {
	at := x.Time
	if !x.HasTime { // against the specification, and seen in the field
		if at = d.payload.Time; at == 0 {
			at = arrived
		}
		at = plant.Millis(at)
	}
	if at-arrived > int64(farAhead) {
		d.g.counts.future.Add(1)
	}
	if decl.Type == sparkplug.FloatArray {
		d.waveform(decl, x, at)
		return
	}
	q := x.Quality
	if x.Null {
		if q.IsGood() {
			q = plant.BadNoData
		}
		if isText(decl.Type) {
			d.batch.States = append(d.batch.States, plant.State{Tag: decl.Tag, Quality: q, Time: at})
			return
		}
		d.batch.Samples = append(d.batch.Samples, plant.Sample{Tag: decl.Tag, Quality: q, Time: at, Value: math.NaN()})
		return
	}
	if x.Value.Form == sparkplug.Words {
		d.batch.States = append(d.batch.States, plant.State{Tag: decl.Tag, Quality: q, Time: at, Value: x.Value.Text})
		return
	}
	v, ok := x.Value.Number(decl.Type)
	if !ok {
		d.g.counts.skipped.Add(1)
		return
	}
	d.batch.Samples = append(d.batch.Samples, plant.Sample{Tag: decl.Tag, Quality: q, Time: at, Value: v})
}

// waveform adds a burst to the batch.
func (d *decoder) waveform(decl *sparkplug.Declared, x *sparkplug.Metric, at int64) {
	w, err := x.Waveform()
	if err != nil {
		d.g.counts.skipped.Add(1)
		return
	}
	if w.Tag, w.Time = decl.Tag, at; x.Null && w.Quality.IsGood() {
		w.Quality = plant.BadNoData
	}
	d.batch.Waveforms = append(d.batch.Waveforms, w)
}

func isText(t sparkplug.DataType) bool {
	return t == sparkplug.String || t == sparkplug.Text || t == sparkplug.UUID
}
