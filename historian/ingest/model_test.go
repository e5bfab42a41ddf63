package ingest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
	"millwright/sparkplug/dial"
)

// TestHistories plays random histories of edges and this host against each other:
// every kind of message is dropped, doubled and reordered, each side dies at any
// step, boxes are replaced and copied, the historian is restored from a backup. At
// the end of each one every sample is stored once with its value or lies in a
// declared gap, every finding is in the book once, and nothing was acknowledged
// that was not durable. MILLWRIGHT_HISTORIES says how many; MILLWRIGHT_SEED where
// they begin, and with one history is what a failure names.
func TestHistories(t *testing.T) {
	count, seed := number(t, "MILLWRIGHT_HISTORIES", 200), number(t, "MILLWRIGHT_SEED", 1)
	var sum tally
	for i := range count {
		if w := newModel(seed + uint64(i)); !w.play(&sum) {
			t.Fatalf("MILLWRIGHT_HISTORIES=1 MILLWRIGHT_SEED=%d: %s", seed+uint64(i), w.fault)
		}
	}
	t.Logf("%d histories: %+v", count, sum)
	if count >= 200 && (sum.Dropped == 0 || sum.Doubled == 0 || sum.Reordered == 0 || sum.HostDeaths == 0 || sum.EdgeDeaths == 0 || sum.Twins == 0 || sum.Restored == 0 || sum.Replaced == 0) {
		t.Error("something never happened")
	}
}

func number(t *testing.T, name string, fallback uint64) uint64 {
	s := os.Getenv(name)
	if s == "" {
		return fallback
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(name, err)
	}
	return n
}

type tally struct {
	Samples, Findings, Gaps, Dropped, Doubled, Reordered, HostDeaths, EdgeDeaths, Twins, Replaced, Restored, Rebirths, Answers uint64
}

// model is one history.
type model struct {
	rng   *rand.Rand
	fault string
	tally *tally
	now   int64

	vault  *vault
	backup *vault
	epochs int // openings since the backup
	host   *Ingest
	dec    *decoder
	groups [2]group
	boxes  []*box

	up   []message // to the host
	down []command

	sent     map[sampleAt]float64 // what edges took over, by tag and time
	findings map[string]bool
	settled  map[sampleAt]bool // by acknowledgement
	gone     map[sampleAt]bool // with the disk of an edge
	times    int64             // of the last sample
	restored bool
}

type sampleAt struct {
	path string
	at   int64
}

// vault is a store and an alarm book that hold what they are given.
type vault struct {
	fault    func(string, ...any)
	tags     map[string]plant.Tag
	paths    []string // by id
	values   map[sampleAt]float64
	gaps     []plant.Gap
	marks    map[epoch][]sparkplug.Span
	findings map[string]int
	alarms   map[epoch][]sparkplug.Span
}

func newVault(fault func(string, ...any)) *vault {
	return &vault{fault: fault, tags: map[string]plant.Tag{}, paths: []string{""}, values: map[sampleAt]float64{}, marks: map[epoch][]sparkplug.Span{},
		findings: map[string]int{}, alarms: map[epoch][]sparkplug.Span{}}
}

// clone is a backup.
func (v *vault) clone() *vault {
	c := &vault{fault: v.fault, tags: maps.Clone(v.tags), paths: slices.Clone(v.paths), values: maps.Clone(v.values), gaps: slices.Clone(v.gaps),
		marks: map[epoch][]sparkplug.Span{}, findings: maps.Clone(v.findings), alarms: map[epoch][]sparkplug.Span{}}
	for k, s := range v.marks {
		c.marks[k] = slices.Clone(s)
	}
	for k, s := range v.alarms {
		c.alarms[k] = slices.Clone(s)
	}
	return c
}

func (v *vault) Intern(tags []plant.Tag) error {
	for i := range tags {
		t := &tags[i]
		if have, ok := v.tags[t.Path]; ok {
			t.ID = have.ID
		} else {
			t.ID = plant.TagID(len(v.paths))
			v.paths = append(v.paths, t.Path)
		}
		v.tags[t.Path] = *t
	}
	return nil
}

func (v *vault) Tags() []plant.Tag { return slices.Collect(maps.Values(v.tags)) }

func (v *vault) Append(_ context.Context, b plant.Batch, marks []store.Mark) error {
	known := len(marks) > 0
	for _, m := range marks {
		if err := m.Check(); err != nil {
			v.fault("%v", err)
		}
		known = known && sparkplug.Contains(v.marks[epoch{m.Edge, m.Epoch}], m.Number)
	}
	if known {
		return nil
	}
	for _, x := range b.Samples {
		k := sampleAt{v.paths[x.Tag], x.Time}
		if old, ok := v.values[k]; ok && old != x.Value {
			v.fault("%v was %v, is %v", k, old, x.Value)
		}
		v.values[k] = x.Value
	}
	v.gaps = append(v.gaps, b.Gaps...)
	for _, m := range marks {
		e := epoch{m.Edge, m.Epoch}
		v.marks[e] = sparkplug.AddSpan(v.marks[e], sparkplug.Span{First: m.Number, Last: m.Number})
	}
	return nil
}

func (v *vault) Committed(edge string, number uint64) ([]sparkplug.Span, error) {
	return slices.Clone(v.marks[epoch{edge, number}]), nil
}
func (v *vault) SetAssets(string, []plant.Asset) error { return nil }
func (v *vault) Assets() []plant.Asset                 { return nil }
func (v *vault) LastStates(context.Context, []plant.TagID) ([]plant.State, error) {
	return nil, nil
}
func (v *vault) States(context.Context, plant.Range) ([]plant.State, error) { return nil, nil }

func (v *vault) Last(_ context.Context, tags []plant.TagID) (out []plant.Sample, err error) {
	for _, id := range tags {
		last := int64(math.MinInt64)
		for k := range v.values {
			if k.path == v.paths[id] {
				last = max(last, k.at)
			}
		}
		if last != math.MinInt64 {
			out = append(out, plant.Sample{Tag: id, Time: last})
		}
	}
	return out, nil
}

func (v *vault) Scan(_ context.Context, r plant.Range) iter.Seq2[plant.Block, error] {
	b := plant.Block{Tag: r.Tag}
	for k := range v.values {
		if k.path == v.paths[r.Tag] && k.at >= r.From && k.at < r.To {
			b.Times = append(b.Times, k.at)
		}
	}
	slices.Sort(b.Times)
	return func(yield func(plant.Block, error) bool) { yield(b, nil) }
}

// shelfBook is the alarm book of a vault.
type shelfBook struct{ v *vault }

func (b shelfBook) Apply(_ context.Context, edge string, number, n uint64, f []plant.Finding) error {
	e := epoch{edge, number}
	if sparkplug.Contains(b.v.alarms[e], n) {
		return nil
	}
	b.v.alarms[e] = sparkplug.AddSpan(b.v.alarms[e], sparkplug.Span{First: n, Last: n})
	for _, x := range f {
		b.v.findings[x.Key]++
	}
	return nil
}

func (b shelfBook) Committed(edge string, number uint64) ([]sparkplug.Span, error) {
	return slices.Clone(b.v.alarms[epoch{edge, number}]), nil
}

// box is an edge: what it does is what edge/queue and edge/uplink do, without
// their disk and their clock.
type box struct {
	w       *model
	epoch   uint64
	next    uint64
	bd, seq uint8
	born    int64 // time of its births, 0 none
	alias   uint64
	records map[recordKey]*modelRecord
	settled map[recordKey]bool
	alive   bool // its second device
}

type recordKey struct{ epoch, number uint64 }

type modelRecord struct {
	recordKey
	device  string
	made    int64
	samples []plant.Sample // Tag is the index into modelTags
	finding string
	gap     string
	sent    bool
	synced  bool
}

// modelTags are two of each device.
var modelTags = [4]string{"A/x", "A/y", "B/x", "B/y"}

const modelEdge = "m/e"

func newModel(seed uint64) *model {
	w := &model{rng: rand.New(rand.NewPCG(seed, 7)), now: 1_700_000_000_000 * int64(time.Millisecond),
		sent: map[sampleAt]float64{}, findings: map[string]bool{}, settled: map[sampleAt]bool{}, gone: map[sampleAt]bool{}}
	w.vault = newVault(w.fail)
	w.start()
	w.boxes = []*box{w.box(0)}
	return w
}

func (w *model) fail(format string, args ...any) {
	if w.fault == "" {
		w.fault = fmt.Sprintf(format, args...)
	}
}

// start is a host that has just been started.
func (w *model) start() {
	w.host = &Ingest{HostID: "plant", Store: w.vault, Alarms: shelfBook{w.vault}, Log: slog.New(slog.DiscardHandler)}
	w.host.init()
	w.host.answers.setLink(0, &dial.Link{})
	w.dec = newDecoder(w.host)
	w.groups = [2]group{}
}

func (w *model) box(alias uint64) *box {
	return &box{w: w, epoch: 1 + w.rng.Uint64N(1<<52), next: 1, bd: uint8(w.rng.UintN(256)), alias: alias,
		records: map[recordKey]*modelRecord{}, settled: map[recordKey]bool{}, alive: true}
}

func (w *model) maybe(percent int) bool { return w.rng.IntN(100) < percent }

func (w *model) play(sum *tally) bool {
	w.tally = sum
	for range 40 + w.rng.IntN(120) {
		w.step()
		if w.fault != "" {
			return false
		}
	}
	w.end()
	return w.fault == ""
}

func (w *model) step() {
	w.now += w.rng.Int64N(int64(200 * time.Millisecond))
	b := w.boxes[w.rng.IntN(len(w.boxes))]
	switch n := w.rng.IntN(100); {
	case n < 30:
		b.record()
	case n < 45:
		b.again()
	case n < 70:
		w.deliver()
	case n < 82:
		w.work()
	case n < 86:
		w.answer()
	case n < 88:
		b.connect()
	case n < 90:
		b.device()
	case n < 91 && !w.restored:
		w.tally.HostDeaths++
		holes := w.host.holes.open
		w.start()
		for edge, x := range holes { // their files
			x.declared = x.Done
			w.host.holes.open[edge] = x
		}
		w.lose()
	case n < 92:
		b.die()
	case n < 93:
		w.now += w.rng.Int64N(int64(15 * time.Second))
	case n < 94 && w.maybe(20) && len(w.boxes) == 1:
		w.replace(b)
	case n < 95 && w.maybe(20):
		w.copy(b)
	case n < 96 && w.backup == nil && len(w.boxes) == 1 && !w.restored:
		if w.rest(b); len(b.records) == 0 && len(w.vault.values) > 0 {
			w.backup, w.epochs = w.vault.clone(), 0
		}
	case n < 97 && w.backup != nil && w.epochs == 0 && len(w.boxes) == 1:
		w.restore()
	}
}

// lose is the end of the connections: what was under way is gone, and the edges
// are born again when they hear of the host.
func (w *model) lose() {
	w.up, w.down = nil, nil
	for _, b := range w.boxes {
		b.connect()
	}
}

// replace puts an empty box in the place of one that is gone: it has other aliases.
// What the old one had not delivered is lost with its disk, and what it said has
// arrived or not.
func (w *model) replace(b *box) {
	w.tally.Replaced++
	w.close()
	for _, r := range b.records {
		b.drop(r)
	}
	w.up = nil
	n := w.box(b.alias + 10)
	n.bd = b.bd
	w.boxes[slices.Index(w.boxes, b)] = n
	n.connect()
}

// copy starts a second box, from a copy of the disk of the first or from a disk of its
// own, whose aliases mean other tags.
func (w *model) copy(b *box) {
	if len(w.boxes) > 1 {
		return
	}
	w.tally.Twins++
	w.epochs++
	n := w.box(b.alias)
	n.bd = b.bd
	if w.maybe(50) {
		n.alias++
	} else {
		for _, k := range b.keys() {
			if r := *b.records[k]; !b.unsynced(k) {
				n.records[k] = &r
			}
		}
	}
	w.boxes = append(w.boxes, n)
	n.connect()
}

// close is the end of an opening. What a restored historian has not heard of it by
// then it never will.
func (w *model) close() {
	w.epochs++
	if !w.restored {
		return
	}
	for k := range w.sent {
		if _, ok := w.vault.values[k]; !ok && w.settled[k] {
			w.gone[k] = true
		}
	}
}

// restore brings the historian back to its backup. It was made when the edge had
// nothing to send, since then the edge has not started anew, and the historian is not
// killed again: what else there is to know about a hole is not told to a host
// (docs/limits.md).
func (w *model) restore() {
	w.tally.Restored++
	w.restored = true
	w.vault, w.backup = w.backup, nil
	w.start()
	w.lose()
}

// record makes one and sends it at once.
func (b *box) record() {
	w := b.w
	r := &modelRecord{recordKey: recordKey{b.epoch, b.next}, made: w.now, synced: w.maybe(90)}
	b.next++
	switch w.rng.IntN(8) {
	case 0:
		r.finding = fmt.Sprintf("f%d-%d", r.epoch, r.number)
		w.findings[r.finding] = true
		w.tally.Findings++
	case 1:
		r.gap = modelTags[w.rng.IntN(4)]
		w.tally.Gaps++
	default:
		d := w.rng.IntN(2)
		r.device = string(rune('A' + d))
		for range 1 + w.rng.IntN(3) {
			w.times = max(w.times+int64(time.Millisecond), plant.Millis(w.now))
			s := plant.Sample{Tag: plant.TagID(2*d + w.rng.IntN(2)), Time: w.times, Value: float64(w.rng.Uint32())}
			r.samples = append(r.samples, s)
			w.sent[sampleAt{modelTags[s.Tag], s.Time}] = s.Value
			w.tally.Samples++
		}
	}
	b.records[r.recordKey] = r
	b.send(r, false)
}

// again sends what is not settled once more.
func (b *box) again() {
	if r := b.any(); r != nil {
		b.send(r, true)
	}
}

func (b *box) any() *modelRecord {
	if len(b.records) == 0 {
		return nil
	}
	return b.records[b.keys()[b.w.rng.IntN(len(b.records))]]
}

func (b *box) keys() []recordKey {
	return slices.SortedFunc(maps.Keys(b.records), func(x, y recordKey) int {
		return cmp.Or(cmp.Compare(x.epoch, y.epoch), cmp.Compare(x.number, y.number))
	})
}

// drop loses a record for good.
func (b *box) drop(r *modelRecord) {
	w := b.w
	delete(b.records, r.recordKey)
	for _, o := range w.boxes {
		if o.records[r.recordKey] != nil {
			return // a copy has it
		}
	}
	for _, s := range r.samples {
		w.gone[sampleAt{modelTags[s.Tag], s.Time}] = true // but for what has arrived
	}
	delete(w.findings, r.finding)
}

// unsynced says that a record is not on the disk: it or one before it of this opening
// waits for the sync.
func (b *box) unsynced(k recordKey) bool {
	for o, r := range b.records {
		if !r.synced && o.epoch == b.epoch && k.epoch == o.epoch && o.number <= k.number {
			return true
		}
	}
	return false
}

// die opens the queue anew. What was not synced is gone.
func (b *box) die() {
	w := b.w
	w.tally.EdgeDeaths++
	w.close()
	keys := slices.DeleteFunc(b.keys(), func(k recordKey) bool { return !b.unsynced(k) })
	for _, k := range keys {
		b.drop(b.records[k])
	}
	b.epoch, b.next = 1+w.rng.Uint64N(1<<52), 1
	b.connect()
}

// connect dies and is born: the Will goes out, and may be late.
func (b *box) connect() {
	w := b.w
	var p sparkplug.Payload
	p.SetNodeDeath(w.now, b.bd)
	w.carry(sparkplug.NDEATH, "", &p)
	b.bd++
	b.births()
}

func (b *box) births() {
	w := b.w
	w.now += int64(time.Millisecond)
	b.born = w.now
	var p sparkplug.Payload
	p.SetNodeBirth(w.now, b.bd)
	b.seq = 0
	p.Declare(w.now, sparkplug.MetricQueueVersion, 2, sparkplug.UInt32, sparkplug.UInt32Value(1), true)
	p.DeclareQueue(w.now, sparkplug.QueueAliases{Epoch: 4, Record: 6, Oldest: 8}, b.epoch, b.oldest(b.epoch))
	p.DeclareOpenings(w.now, b.openings())
	p.Declare(w.now, sparkplug.MetricFinding, 10, sparkplug.String, sparkplug.Value{}, true)
	p.Declare(w.now, sparkplug.MetricGaps, 12, sparkplug.String, sparkplug.Value{}, true)
	w.carry(sparkplug.NBIRTH, "", &p)
	b.deviceBirth(0)
	b.deviceBirth(1)
}

// openings are the epochs of which the box has records.
func (b *box) openings() []uint64 {
	list := []uint64{b.epoch}
	for k := range b.records {
		list = append(list, k.epoch)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (b *box) queueAliases(d int) sparkplug.QueueAliases {
	n := uint64(20 + 6*d)
	return sparkplug.QueueAliases{Epoch: n, Record: n + 2, Oldest: n + 4}
}

func (b *box) deviceBirth(d int) {
	w := b.w
	var p sparkplug.Payload
	b.seq++
	p.Begin(w.now, b.seq)
	p.DeclareQueue(w.now, b.queueAliases(d), b.epoch, b.oldest(b.epoch))
	for i := range 2 {
		p.Declare(w.now, modelTags[2*d+i], b.tagAlias(2*d+i), sparkplug.Double, sparkplug.Value{}, false)
	}
	w.carry(sparkplug.DBIRTH, string(rune('A'+d)), &p)
	if d == 1 && !b.alive {
		b.deviceDeath()
	}
}

func (b *box) deviceDeath() {
	var p sparkplug.Payload
	b.seq++
	p.Begin(b.w.now, b.seq)
	b.w.carry(sparkplug.DDEATH, "B", &p)
}

// device dies or comes to life.
func (b *box) device() {
	if b.alive = !b.alive; b.born == 0 {
		return
	}
	if b.alive {
		b.deviceBirth(1)
	} else {
		b.deviceDeath()
	}
}

// tagAlias moves with the box, so that what is read by other births is wrong.
func (b *box) tagAlias(tag int) uint64 { return 101 + 2*((uint64(tag)+b.alias)%4) }

// oldest is the lowest number of an epoch that is not settled.
func (b *box) oldest(epoch uint64) uint64 {
	low := uint64(0)
	for k := range b.records {
		if k.epoch == epoch && (low == 0 || k.number < low) {
			low = k.number
		}
	}
	if low == 0 && epoch == b.epoch {
		return b.next
	}
	return low
}

// send is the message of a record.
func (b *box) send(r *modelRecord, again bool) {
	w := b.w
	if b.born == 0 {
		return
	}
	var p sparkplug.Payload
	historical := again || r.sent || r.made < b.born || r.epoch != b.epoch
	r.sent = true
	b.seq++
	p.Begin(w.now, b.seq)
	kind, device, aliases := sparkplug.DDATA, r.device, sparkplug.QueueAliases{Epoch: 4, Record: 6, Oldest: 8}
	switch {
	case device == "" || device == "B" && !b.alive:
		kind, device = sparkplug.NDATA, ""
	default:
		aliases = b.queueAliases(int(device[0] - 'A'))
	}
	for _, s := range r.samples {
		p.AddSample(s, b.tagAlias(int(s.Tag)), historical)
	}
	if r.finding != "" {
		text, _ := sparkplug.FormatFindings([]plant.Finding{{Asset: "m", Key: r.finding, Phase: plant.Raise}})
		p.AddText(text, 10, r.made, historical)
	}
	if r.gap != "" {
		text, _ := sparkplug.FormatGaps([]plant.Gap{{Tag: 1, From: r.made, To: r.made + int64(time.Second), Reason: plant.GapOverflow}}, func(plant.TagID) string { return r.gap })
		p.AddText(text, 12, r.made, historical)
	}
	oldest := b.oldest(r.epoch)
	if w.maybe(30) {
		oldest = 0 // not changed
	}
	p.AddQueue(r.made, aliases, r.epoch, r.number, oldest, historical)
	w.carry(kind, device, &p)
}

// carry gives a message to the network.
func (w *model) carry(kind sparkplug.Kind, device string, p *sparkplug.Payload) {
	w.up = append(w.up, message{topic: sparkplug.Topic{Kind: kind, Group: "m", Node: "e", Device: device}.String(), payload: p.AppendTo(nil)})
}

// deliver brings one message to the host, in some order, once or twice or not.
func (w *model) deliver() {
	if len(w.up) == 0 {
		return
	}
	i := 0
	if w.maybe(10) {
		if i = w.rng.IntN(min(len(w.up), 4)); i > 0 {
			w.tally.Reordered++
		}
	}
	m := w.up[i]
	w.up = slices.Delete(w.up, i, i+1)
	if w.maybe(8) {
		w.tally.Dropped++
		return
	}
	w.hand(m)
	if w.maybe(4) {
		w.tally.Doubled++
		w.hand(m)
	}
}

func (w *model) hand(m message) {
	m.arrived, m.from = w.now, sender(m.topic)
	w.dec.take(&m)
}

// work is what the host's goroutines do by and by.
func (w *model) work() {
	ctx := context.Background()
	if w.maybe(80) {
		w.host.commit.flush(ctx, &w.groups[0], &w.groups[1])
	}
	if w.maybe(80) {
		for _, x := range w.host.find.jobs.take(nil, 4) {
			w.host.find.apply(ctx, &x)
		}
	}
	w.dec.tick(w.now)
	w.down = append(w.down, w.host.answers.turn(time.Unix(0, w.now))...)
}

// answer brings one command to the edges.
func (w *model) answer() {
	if len(w.down) == 0 {
		return
	}
	i := w.rng.IntN(min(len(w.down), 2))
	c := w.down[i]
	if !w.maybe(10) {
		w.down = slices.Delete(w.down, i, i+1)
	}
	if w.maybe(10) {
		w.tally.Dropped++
		return
	}
	w.obey(&c)
}

func (w *model) obey(c *command) {
	if c.births {
		w.tally.Rebirths++
	} else {
		w.tally.Answers++
	}
	for _, b := range w.boxes {
		if c.births && b.born != 0 {
			b.births()
		}
		for _, spans := range c.parts {
			for _, k := range b.keys() {
				if r := b.records[k]; k.epoch == c.epoch && r.sent && sparkplug.Contains(spans, k.number) {
					b.settle(r)
				}
			}
		}
	}
}

// settle frees a record, which must be durable.
func (b *box) settle(r *modelRecord) {
	w := b.w
	delete(b.records, r.recordKey)
	b.settled[r.recordKey] = true
	e := epoch{modelEdge, r.epoch}
	if !sparkplug.Contains(w.vault.marks[e], r.number) && !sparkplug.Contains(w.vault.alarms[e], r.number) {
		w.fail("record %d of epoch %d was acknowledged and is not durable", r.number, r.epoch)
	}
	for _, s := range r.samples {
		w.settled[sampleAt{modelTags[s.Tag], s.Time}] = true
	}
}

// end lets everything come to rest, and looks.
func (w *model) end() {
	w.up, w.down = nil, nil
	for _, b := range w.boxes { // one after the other: somebody has stopped the rest
		for _, o := range w.boxes {
			o.born = 0
		}
		b.connect()
		w.calm()
		w.rest(b)
		// One record more, by which the host hears of the last Oldest.
		for range 3 {
			b.births()
			w.calm()
			b.record()
			w.calm()
			w.now += int64(2 * time.Minute)
			w.calm()
		}
	}
	if w.fault != "" {
		return
	}
	for _, b := range w.boxes {
		for _, k := range b.keys() {
			w.fail("record %d of epoch %d is never settled", k.number, k.epoch)
		}
	}
	holes := map[string][]plant.Gap{}
	for _, g := range w.vault.gaps {
		if g.Reason == plant.GapNotStored {
			path := w.vault.paths[g.Tag]
			holes[path] = append(holes[path], g)
		}
	}
	if len(holes) > 0 && !w.restored {
		w.fail("a hole that is none: %v", holes)
	}
	for k, v := range w.sent {
		got, ok := w.vault.values[k]
		switch {
		case ok && got != v:
			w.fail("%v is %v, sent was %v", k, got, v)
		case !ok && !w.gone[k] && !slices.ContainsFunc(holes[k.path], func(g plant.Gap) bool { return g.From <= k.at && k.at < g.To }):
			w.fail("%v is lost, settled %v, restored %v, gaps %v", k, w.settled[k], w.restored, holes[k.path])
		}
	}
	for k := range w.vault.values {
		if _, ok := w.sent[k]; !ok {
			w.fail("%v was never sent", k)
		}
	}
	for f := range w.findings {
		if n := w.vault.findings[f]; n > 1 || n == 0 && !w.restored {
			w.fail("finding %s is in the book %d times", f, n)
		}
	}
	if n := w.dec.nodes[modelEdge]; len(w.boxes) == 1 && (!n.session.Alive("A") || n.session.Alive("B") != w.boxes[0].alive) {
		w.fail("devices alive: %v %v, want true %v", n.session.Alive("A"), n.session.Alive("B"), w.boxes[0].alive)
	}
}

// rest lets a box send all that it has until it is settled.
func (w *model) rest(b *box) {
	for range 40 {
		w.now += int64(11 * time.Second)
		for _, k := range b.keys() {
			b.send(b.records[k], true)
		}
		w.calm()
		if len(b.records) == 0 || b.born == 0 {
			return
		}
	}
}

// calm delivers everything in order.
func (w *model) calm() {
	for range 20 {
		for len(w.up) > 0 {
			m := w.up[0]
			w.up = w.up[1:]
			w.hand(m)
		}
		w.now += int64(3 * time.Second)
		ctx := context.Background()
		w.host.commit.flush(ctx, &w.groups[0], &w.groups[1])
		for _, x := range w.host.find.jobs.take(nil, 1000) {
			w.host.find.apply(ctx, &x)
		}
		w.dec.tick(w.now)
		w.down = append(w.down, w.host.answers.turn(time.Unix(0, w.now))...)
		for i := range w.down {
			w.obey(&w.down[i])
		}
		w.down = nil
		if len(w.up) == 0 {
			return
		}
	}
}
