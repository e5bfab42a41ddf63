package ingest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
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
		d.g.Live.Stale(ids, n.statusAt)
	}
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

// begin makes the decoder ready for the values of a message.
func (d *decoder) begin(place uint64, late bool) {
	d.batch.Reset()
	d.shown.Reset()
	d.place, d.late, d.spoilt = place, late, ""
}

// spoil notes that a part of the message cannot be read.
func (d *decoder) spoil(format string, args ...any) {
	if d.spoilt == "" {
		d.spoilt = fmt.Sprintf(format, args...)
	}
}

// show hands the batch to those who watch, as far as nothing later was shown.
func (d *decoder) show(historical bool) {
	b := &d.batch
	d.g.counts.samples.Add(uint64(len(b.Samples) + len(b.States) + len(b.Waveforms)))
	if historical || d.g.Live == nil {
		return
	}
	if d.late {
		b = &d.shown
	}
	if len(b.Samples)+len(b.States) > 0 {
		d.g.Live.Values(plant.Batch{Samples: b.Samples, States: b.States})
	}
}

// record is what the delivery metrics of a message say.
type record struct {
	epoch, number, oldest uint64
	findings, gaps        string
	historical            bool
	done                  func() // nil, or to be called when it is durable
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
	newest := false
	if !x.Historical {
		if newest = d.place >= decl.Shown; newest {
			decl.Shown = d.place
		}
	}
	q := x.Quality
	if x.Null && q.IsGood() {
		q = plant.BadNoData
	}
	if x.Null && isText(decl.Type) || !x.Null && x.Value.Form == sparkplug.Words {
		s := plant.State{Tag: decl.Tag, Quality: q, Time: at}
		if !x.Null {
			s.Value = x.Value.Text
		}
		d.batch.States = append(d.batch.States, s)
		if newest && d.late {
			d.shown.States = append(d.shown.States, s)
		}
		return
	}
	v, ok := math.NaN(), true
	if !x.Null {
		if v, ok = x.Value.Number(decl.Type); !ok {
			d.g.counts.skipped.Add(1)
			return
		}
	}
	s := plant.Sample{Tag: decl.Tag, Quality: q, Time: at, Value: v}
	d.batch.Samples = append(d.batch.Samples, s)
	if newest && d.late {
		d.shown.Samples = append(d.shown.Samples, s)
	}
}

// waveform adds a burst to the batch.
func (d *decoder) waveform(decl *sparkplug.Declared, x *sparkplug.Metric, at int64) {
	w, err := x.Waveform()
	if err != nil {
		d.spoil("%v", err)
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
