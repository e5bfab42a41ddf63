package ingest

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
)

// shelf is the least store there is: it forgets all but tags and numbers.
type shelf struct {
	mu      sync.Mutex
	ids     map[string]plant.TagID
	spans   []sparkplug.Span
	appends [][]store.Mark
	failing int // how many Appends fail
}

func (s *shelf) Intern(tags []plant.Tag) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = map[string]plant.TagID{}
	}
	for i := range tags {
		id, ok := s.ids[tags[i].Path]
		if !ok {
			id = plant.TagID(len(s.ids) + 1)
			s.ids[tags[i].Path] = id
		}
		tags[i].ID = id
	}
	return nil
}
func (s *shelf) Tags() []plant.Tag { return nil }
func (s *shelf) Append(_ context.Context, b plant.Batch, marks []store.Mark) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing > 0 {
		s.failing--
		return context.DeadlineExceeded
	}
	for _, x := range b.Samples {
		if x.Tag == 0 || int(x.Tag) > len(s.ids) {
			panic("a sample of an unknown tag")
		}
	}
	s.appends = append(s.appends, slices.Clone(marks))
	return nil
}
func (s *shelf) Committed(string, uint64) ([]sparkplug.Span, error) {
	return slices.Clone(s.spans), nil
}
func (s *shelf) Last(context.Context, []plant.TagID) ([]plant.Sample, error)      { return nil, nil }
func (s *shelf) LastStates(context.Context, []plant.TagID) ([]plant.State, error) { return nil, nil }
func (s *shelf) Scan(context.Context, plant.Range) iter.Seq2[plant.Block, error] {
	return func(func(plant.Block, error) bool) {}
}
func (s *shelf) States(context.Context, plant.Range) ([]plant.State, error) { return nil, nil }
func (s *shelf) SetAssets(string, []plant.Asset) error                      { return nil }
func (s *shelf) Assets() []plant.Asset                                      { return nil }
func (s *shelf) Apply(context.Context, string, uint64, uint64, []plant.Finding) error {
	return nil
}

func newIngest(s *shelf) *Ingest {
	g := &Ingest{HostID: "plant", Store: s, Alarms: s}
	g.init()
	return g
}

func span(a, b uint64) sparkplug.Span { return sparkplug.Span{First: a, Last: b} }

// An answer repeats what the three before it said, and no more.
func TestAnswersRepeat(t *testing.T) {
	g := newIngest(&shelf{})
	g.answers.meet("mill/e1", "topic")
	e := g.answers.edges["mill/e1"]
	now := time.Unix(1_700_000_000, 0)
	answer := func() []sparkplug.Span {
		t.Helper()
		now = now.Add(answerEvery)
		x := e.next(now)
		if x == nil {
			return nil
		}
		parts := x.take()
		if len(parts) != 1 || x.epoch != 9 {
			t.Fatalf("%v of epoch %d", parts, x.epoch)
		}
		return parts[0]
	}
	done := func(n uint64) { g.answers.durable([]store.Mark{{Edge: "mill/e1", Epoch: 9, Number: n}}, false) }
	for n := uint64(1); n <= 10; n++ {
		done(n)
		want := []sparkplug.Span{span(max(1, n-min(n-1, repeats)), n)}
		if got := answer(); !slices.Equal(got, want) {
			t.Errorf("answer %d says %v, want %v", n, got, want)
		}
		if answer() != nil {
			t.Error("an answer without anything new")
		}
	}

	// At most five a second, but findings at once.
	done(11)
	if e.next(now) == nil {
		t.Error("long enough ago, and not answered")
	}
	done(12)
	if e.next(now) != nil {
		t.Error("answered too soon")
	}
	g.answers.durable([]store.Mark{{Edge: "mill/e1", Epoch: 9, Number: 13}}, true)
	if e.next(now) == nil {
		t.Error("a finding's answer waits")
	}
	g.answers.durable([]store.Mark{{Edge: "unknown", Epoch: 9, Number: 13}}, true)
}

// Two epochs take turns, so that a drain does not silence the live one.
func TestAnswersTurns(t *testing.T) {
	g := newIngest(&shelf{})
	g.answers.meet("e", "topic")
	e := g.answers.edges["e"]
	now := time.Unix(1_700_000_000, 0)
	var order []uint64
	for n := range uint64(6) {
		for _, epoch := range []uint64{1, 2} {
			g.answers.durable([]store.Mark{{Edge: "e", Epoch: epoch, Number: n + 1}}, false)
		}
		now = now.Add(answerEvery)
		x := e.next(now)
		x.take()
		order = append(order, x.epoch)
	}
	for i := 1; i < len(order); i++ {
		if order[i] == order[i-1] {
			t.Fatalf("%v", order)
		}
	}
}

func TestKnown(t *testing.T) {
	s := &shelf{spans: []sparkplug.Span{span(1, 5)}}
	g := newIngest(s)
	e, now := epoch{"e", 1}, time.Now()
	meet := func(n uint64, want fate) {
		t.Helper()
		if got := g.known.meet(e, n, now); got != want {
			t.Errorf("record %d is %d, want %d", n, got, want)
		}
	}
	meet(5, durable)
	meet(6, fresh)
	meet(6, pending)
	g.known.drop(e, 6) // dropped: comes again
	meet(6, fresh)
	g.known.settle([]store.Mark{{Edge: "e", Epoch: 1, Number: 6}})
	meet(6, durable)
	if got := g.known.from(e, 3, now); !slices.Equal(got, []sparkplug.Span{span(3, 6)}) {
		t.Error(got)
	}
	meet(7, fresh)
	for i := range 3 * maxSets {
		g.known.meet(epoch{"e", uint64(i + 2)}, 1, now.Add(time.Duration(i)))
		g.known.settle([]store.Mark{{Edge: "e", Epoch: uint64(i + 2), Number: 1}})
	}
	if len(g.known.sets) > maxSets {
		t.Errorf("%d epochs are remembered", len(g.known.sets))
	}
	meet(7, pending) // never forgotten on its way to the disk
}

func TestTwin(t *testing.T) {
	n := &node{}
	births := func(want bool, epochs ...uint64) {
		t.Helper()
		for _, e := range epochs {
			n.epoch = e
			if got := n.twin(); got != want {
				t.Errorf("epoch %d: %v", e, got)
			}
		}
	}
	births(false, 1, 1, 2, 3, 3) // restarts and rebirths
	births(true, 2, 3)           // back to earlier ones
}

// An edge that floods leaves room and turns to the others.
func TestInbox(t *testing.T) {
	g := newIngest(&shelf{})
	one := func(edge string) message {
		return message{topic: "spBv1.0/mill/NDATA/" + edge, payload: make([]byte, 1<<20)}
	}
	flood := 0
	for range 200 {
		g.put(one("mad"))
		flood++
	}
	kept := int(200 - g.counts.dropped.Load())
	if kept < 30 || kept > 33 {
		t.Errorf("%d MiB of one edge are kept", kept)
	}
	for range 5 {
		g.put(one("good"))
	}
	if n := g.counts.dropped.Load(); n != uint64(200-kept) {
		t.Errorf("%d messages of the other edge found no room", n-uint64(200-kept))
	}
	g.inbox.all(func(from name) message { return message{from: from, lost: true} })
	list := g.inbox.take(nil, 5)
	good := 0
	for _, m := range list {
		if m.from.node == "good" {
			good++
		}
	}
	if good != 5 || len(list) != 10 {
		t.Errorf("%d of the first %d messages are of the edge that sent few", good, len(list))
	}
	lost := 0
	for {
		list = g.inbox.take(list[:0], 100)
		if len(list) == 0 {
			break
		}
		for i, m := range list {
			if m.lost {
				lost++
			} else if i > 0 && list[i-1].lost && m.from == list[i-1].from {
				t.Error("a message behind the end of its connection")
			}
		}
	}
	if lost != 2 || g.inbox.total != 0 {
		t.Errorf("%d ends of the connection, %d bytes are left", lost, g.inbox.total)
	}

	// Births that find no room are missed: what follows must not be read by others.
	for range 100 {
		g.put(one("mad"))
	}
	m := one("mad")
	m.topic = "spBv1.0/mill/DBIRTH/mad/plc"
	g.put(m)
	g.put(m)
	n, unborn := 0, 0
	for list = g.inbox.take(list[:0], 100); len(list) > 0; list = g.inbox.take(list[:0], 100) {
		for _, x := range list {
			if n++; x.unborn {
				unborn++
			}
		}
	}
	if unborn != 1 {
		t.Errorf("%d times in %d messages the loss of births was told", unborn, n)
	}
}

// What has no number never shares a step with what has: a store passes over a
// step whose numbers it knows.
func TestCommitGroups(t *testing.T) {
	s := &shelf{failing: 2}
	g := newIngest(s)
	g.answers.meet("e", "topic")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); g.commit.run(ctx) }()
	b := plant.Batch{Gaps: []plant.Gap{{Tag: 1}}}
	for n := range uint64(20) {
		g.known.meet(epoch{"e", 1}, n+1, time.Now())
		if !g.commit.add("e", &b, &store.Mark{Edge: "e", Epoch: 1, Number: n + 1}, nil) || !g.commit.add("e", &b, nil, nil) {
			t.Fatal("no room")
		}
	}
	for range 500 {
		if time.Sleep(5 * time.Millisecond); g.counts.commits.Load() >= 2 {
			break
		}
	}
	cancel()
	<-done
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.appends) != 2 || len(s.appends[0]) != 20 || len(s.appends[1]) != 0 {
		t.Errorf("%v", s.appends)
	}
	if g.counts.retries.Load() != 2 {
		t.Errorf("%d retries", g.counts.retries.Load())
	}
	if x := g.answers.edges["e"].of(1).fresh; !slices.Equal(x, []sparkplug.Span{span(1, 20)}) {
		t.Errorf("to be answered: %v", x)
	}

	// Without anybody who commits, memory stays bounded, and an edge that fills it
	// leaves room to another.
	big := plant.Batch{Gaps: make([]plant.Gap, 10_000)}
	n := 0
	for g.commit.add("mad", &big, nil, nil) {
		n++
	}
	if n > maxPending/10_000/2+1 {
		t.Errorf("%d batches of 10,000 are kept of one edge", n)
	}
	if !g.commit.add("good", &big, nil, nil) {
		t.Error("no room for another edge")
	}
	for i := range 1000 {
		if !g.commit.add("e"+strconv.Itoa(i), &big, nil, nil) {
			return
		}
	}
	t.Error("no bound over all edges")
}

// FuzzDecoder feeds the decoder with runs of messages of any content.
func FuzzDecoder(f *testing.F) {
	var p sparkplug.Payload
	p.SetNodeBirth(1, 1)
	p.Declare(1, sparkplug.MetricQueueVersion, 2, sparkplug.UInt32, sparkplug.UInt32Value(1), true)
	p.DeclareQueue(1, sparkplug.QueueAliases{Epoch: 4, Record: 6, Oldest: 8}, 5, 1)
	p.Declare(1, "A", 3, sparkplug.Double, sparkplug.DoubleValue(1), false)
	p.Declare(1, sparkplug.MetricAssets, 10, sparkplug.String, sparkplug.TextValue(`[{"path":"A"}]`), true)
	p.Declare(1, sparkplug.MetricStatus, 12, sparkplug.String, sparkplug.TextValue(`{"oldest":1}`), true)
	p.Declare(1, sparkplug.MetricGaps, 14, sparkplug.String, sparkplug.Value{}, true)
	p.Declare(1, sparkplug.MetricFinding, 16, sparkplug.String, sparkplug.Value{}, true)
	birth := p.AppendTo(nil)
	p.Begin(1, 1)
	p.AddSample(plant.Sample{Time: 1e6, Value: 1}, 3, false)
	p.AddText(`[{"tag":"B","from":1,"to":2,"reason":"x"}]`, 14, 1, false)
	p.AddQueue(1, sparkplug.QueueAliases{Epoch: 4, Record: 6, Oldest: 8}, 5, 1, 1, false)
	data := p.AppendTo(nil)
	p.SetNodeDeath(1, 1)
	f.Add(birth, data, p.AppendTo(nil), uint8(0))
	f.Add(data, birth, data, uint8(1))
	f.Add(birth, []byte{}, birth, uint8(7))
	f.Fuzz(func(t *testing.T, a, b, c []byte, order uint8) {
		g := newIngest(&shelf{})
		d := newDecoder(g)
		topics := []string{"spBv1.0/m/NBIRTH/e", "spBv1.0/m/NDATA/e", "spBv1.0/m/DBIRTH/e/p", "spBv1.0/m/DDATA/e/p",
			"spBv1.0/m/NDEATH/e", "spBv1.0/m/DDEATH/e/p"}
		for i, payload := range [][]byte{a, b, c, a, b} {
			d.take(&message{topic: topics[(i+int(order))%len(topics)], payload: payload, arrived: int64(i) * 1e9})
			d.tick(int64(i+1) * 1e9)
		}
		d.take(&message{lost: true})
		g.Edges()
		for _, x := range g.commit.marked.batch.Samples {
			if x.Tag == 0 {
				t.Fatal("a sample without a tag")
			}
		}
	})
}

// Decoding a record allocates nothing per sample.
func TestDecodeAllocations(t *testing.T) {
	d, msg := loaded(t, 1000)
	d.take(&msg)
	if n := testing.AllocsPerRun(20, func() {
		d.g.commit.marked.reset()
		d.g.commit.plain.reset()
		d.take(&msg)
	}); n > 10 {
		t.Errorf("a message of 1000 samples costs %v allocations", n)
	}
}

// loaded is a decoder that knows the births, and a message with n samples.
func loaded(t testing.TB, n int) (*decoder, message) {
	g := newIngest(&shelf{})
	d := newDecoder(g)
	var p sparkplug.Payload
	p.SetNodeBirth(1, 1)
	for i := range n {
		p.Declare(1, "T"+string(rune('0'+i%10))+time.Duration(i).String(), uint64(i+1), sparkplug.Double, sparkplug.Value{}, false)
	}
	d.take(&message{topic: "spBv1.0/m/NBIRTH/e", payload: p.AppendTo(nil)})
	p.Begin(1, 1)
	for i := range n {
		p.AddSample(plant.Sample{Time: 1_700_000_000_000 * 1e6, Value: float64(i)}, uint64(i+1), false)
	}
	return d, message{topic: "spBv1.0/m/NDATA/e", payload: p.AppendTo(nil)}
}

func BenchmarkDecode(b *testing.B) {
	d, msg := loaded(b, 1000)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		d.g.commit.plain.reset()
		d.take(&msg)
		n += 1000
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/sample")
}
