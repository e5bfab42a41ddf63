package ingest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
)

func openedUnread(t testing.TB, dir string) *unread {
	t.Helper()
	u := &unread{log: slog.New(slog.DiscardHandler), edges: map[string]*unreadEdge{}}
	if err := u.open(dir); err != nil {
		t.Fatal(err)
	}
	return u
}

// Messages come back as they were, also after a kill in the middle of a line; a
// bound of an edge drops its oldest, and counts them.
func TestUnread(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	u := openedUnread(t, dir)
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	put := func(edge string, n int, must bool) {
		t.Helper()
		at = at.Add(time.Second)
		x := Unread{Time: at, Edge: edge, Topic: "spBv1.0/m/NDATA/e", Reason: "broken\n#1", Payload: bytes.Repeat([]byte{byte(n)}, n), BdSeq: -1}
		if err := u.keep(x, must); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 10 {
		put("m/a", n, n%2 == 0)
	}
	put("m/b\n../x", 3, true)
	list := func() (out []Unread) {
		t.Helper()
		if err := ReadUnread(dir, func(x *Unread) { out = append(out, *x) }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := list(); len(got) != 11 {
		t.Fatalf("%d of 11", len(got))
	}

	// killed in the middle of a line
	f, err := os.OpenFile(u.files("m/a")[1], os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"time":"2026-11-30T12:00:00Z","topi`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	u = openedUnread(t, dir)
	if kept, dropped, _ := u.count("m/a"); kept != 10 || dropped != 0 {
		t.Errorf("%d kept, %d dropped", kept, dropped)
	}
	put("m/a", 5, true)
	if got := list(); len(got) != 12 {
		t.Errorf("%d of 12 after a torn line", len(got))
	}
	if err := u.remove("m/a", func(x *Unread) bool { return x.Bytes == 5 }); err != nil {
		t.Fatal(err)
	}
	if kept, _, _ := u.count("m/a"); kept != 9 || len(list()) != 10 {
		t.Errorf("%d kept, %d in all", kept, len(list()))
	}

	// A flood: the first of a minute are kept, what must be is in any case.
	for range 3 * unreadPerMinute {
		x := Unread{Time: at, Edge: "m/flood", Topic: "t", Payload: make([]byte, 10)}
		if err := u.keep(x, false); err != nil {
			t.Fatal(err)
		}
	}
	if kept, dropped, _ := u.count("m/flood"); kept != unreadPerMinute || dropped != 2*unreadPerMinute {
		t.Errorf("of a flood %d are kept, %d dropped", kept, dropped)
	}

	// Bounds in bytes.
	for range 40 {
		put("m/big", 200_000, true)
	}
	kept, dropped, _ := u.count("m/big")
	if kept+int(dropped) != 40 || dropped == 0 {
		t.Errorf("%d kept, %d dropped", kept, dropped)
	}
	var size int64
	for _, f := range u.files("m/big") {
		size += fileSize(f)
	}
	if size > maxUnreadOfEdge || u.edges["m/big"].bytes != size {
		t.Errorf("%d bytes, counted %d", size, u.edges["m/big"].bytes)
	}
	put("m/huge", 3*maxUnreadPayload, true)
	_ = ReadUnread(dir, func(x *Unread) {
		if x.Edge == "m/huge" && (x.Bytes != 3*maxUnreadPayload || len(x.Payload) != maxUnreadPayload) {
			t.Errorf("%d bytes, %d of them kept", x.Bytes, len(x.Payload))
		}
	})
	for i := range 40 {
		for range 12 {
			put(fmt.Sprintf("m/e%d", i), 250_000, false)
		}
	}
	if u.total > maxUnread {
		t.Errorf("%d bytes in all", u.total)
	}
	if kept, _, _ := u.count("m/e39"); kept == 0 {
		t.Error("the newest went")
	}
	if kept, dropped, _ := u.count("m/big"); kept != 0 || dropped != 40 {
		t.Errorf("of the oldest %d are kept, %d dropped", kept, dropped)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	total := u.total
	if u = openedUnread(t, dir); u.total != total {
		t.Errorf("%d bytes in %d files after opening, %d before", u.total, len(files), total)
	}
}

func FuzzUnread(f *testing.F) {
	f.Add([]byte(`{"time":"2026-11-30T12:00:00Z","edge":"m/e","topic":"t","reason":"r","bytes":1,"payload":"AA=="}`))
	f.Add([]byte(`{"topic":1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if x, ok := parseUnread(line); ok && (x.Topic == "" || len(x.Payload) > maxUnreadPayload) {
			t.Fatalf("%+v", x)
		}
	})
}

func FuzzHole(f *testing.F) {
	f.Add([]byte(`{"edge":"m/e","epoch":7,"below":9,"seen":5,"from":{"3":4}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := parseHole(b); err == nil && (x.Edge == "" || x.Epoch == 0 || x.Below < 2 || x.From == nil) {
			t.Fatalf("%+v", x)
		}
	})
}

// bench is a host without a broker, whose steps a test takes itself.
type bench struct {
	*Ingest
	t      *testing.T
	vault  *vault
	dec    *decoder
	groups [2]group
	now    int64
}

func newBench(t *testing.T, dir string) *bench {
	t.Helper()
	b := &bench{t: t, vault: newVault(t.Errorf), now: 1_700_000_000_000 * int64(time.Millisecond)}
	b.Ingest = &Ingest{HostID: "plant", Store: b.vault, Alarms: shelfBook{b.vault}, Log: slog.New(slog.DiscardHandler), Dir: dir}
	b.init()
	if err := b.keeps(); err != nil {
		t.Fatal(err)
	}
	b.dec = newDecoder(b.Ingest)
	return b
}

// hear gives the host a message.
func (b *bench) hear(topic string, payload []byte) {
	b.now += int64(time.Millisecond)
	b.dec.take(&message{topic: topic, payload: payload, arrived: b.now, from: sender(topic)})
}

// pass lets time go by and commits.
func (b *bench) pass(d time.Duration) {
	b.now += int64(d)
	b.dec.tick(b.now)
	b.commit.flush(context.Background(), &b.groups[0], &b.groups[1])
	for _, x := range b.find.jobs.take(nil, 100) {
		b.find.apply(context.Background(), &x)
	}
}

func (b *bench) unreads() (out []Unread) {
	b.t.Helper()
	if err := ReadUnread(filepath.Join(b.Dir, UnreadFolder), func(x *Unread) { out = append(out, *x) }); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// What a foreign edge said before any birth waits for one on disk, is read when it
// comes, and is then no longer among the unread.
func TestUnreadMended(t *testing.T) {
	b := newBench(t, t.TempDir())
	var p sparkplug.Payload
	data := func(seq uint8, alias uint64, at int64) []byte {
		p.Begin(1, seq)
		p.AddSample(plant.Sample{Time: at * int64(time.Millisecond), Value: float64(at)}, alias, false)
		return p.AppendTo(nil)
	}
	b.hear("spBv1.0/m/NDATA/f", data(5, 1, 1000))
	b.hear("spBv1.0/m/NDATA/f", data(6, 9, 2000)) // an alias that no birth will have
	b.hear("spBv1.0/m/NDATA/f", []byte{0xff, 0xff})
	b.pass(time.Second)
	if n := len(b.unreads()); n != 1 {
		t.Fatalf("%d unread before the wait is over", n)
	}
	b.pass(holdFor + time.Second)
	if n := len(b.unreads()); n != 3 {
		t.Fatalf("%d unread", n)
	}
	// Another run of the host.
	b2 := newBench(t, b.Dir)
	b2.now = b.now
	p.SetNodeBirth(b2.now, 1)
	p.Declare(b2.now, "A", 1, sparkplug.Double, sparkplug.Value{}, false)
	b2.hear("spBv1.0/m/NBIRTH/f", p.AppendTo(nil))
	b2.pass(time.Second)
	b2.pass(time.Second)
	if v, ok := b2.vault.values[sampleAt{"m/f/A", 1000 * int64(time.Millisecond)}]; !ok || v != 1000 {
		t.Errorf("%v", b2.vault.values)
	}
	left := b2.unreads()
	if len(left) != 2 || left[0].Topic != "spBv1.0/m/NDATA/f" || b2.Counts().Mended != 1 {
		t.Errorf("%d are left, %+v", len(left), b2.Counts())
	}
	if e := b2.Edges(); len(e) != 1 || e[0].Unread != 2 {
		t.Errorf("%+v", e)
	}
}

// own is the births of an edge that knows the acknowledgement, with tag A.
func own(now int64, bd uint8, epoch, oldest uint64, openings ...uint64) []byte {
	var p sparkplug.Payload
	p.SetNodeBirth(now, bd)
	p.Declare(now, sparkplug.MetricQueueVersion, 2, sparkplug.UInt32, sparkplug.UInt32Value(1), true)
	p.DeclareQueue(now, sparkplug.QueueAliases{Epoch: 4, Record: 6, Oldest: 8}, epoch, oldest)
	if len(openings) == 0 {
		openings = []uint64{epoch} // an edge names its own at least
	}
	p.DeclareOpenings(now, openings)
	p.Declare(now, sparkplug.MetricFinding, 10, sparkplug.String, sparkplug.Value{}, true)
	p.Declare(now, sparkplug.MetricGaps, 12, sparkplug.String, sparkplug.Value{}, true)
	p.Declare(now, "A", 101, sparkplug.Double, sparkplug.Value{}, false)
	p.Declare(now, "W", 103, sparkplug.FloatArray, sparkplug.Value{}, false)
	return p.AppendTo(nil)
}

// A record of which not all can be read is kept whole before it is acknowledged:
// it would come again for ever, and must not be lost.
func TestUnreadRecord(t *testing.T) {
	for _, text := range []uint64{10, 12} {
		b := newBench(t, t.TempDir())
		b.hear("spBv1.0/m/NBIRTH/e", own(b.now, 1, 5, 1))
		var p sparkplug.Payload
		p.Begin(b.now, 1)
		p.AddSample(plant.Sample{Time: 7 * int64(time.Millisecond), Value: 3}, 101, false)
		p.AddText("no JSON", text, b.now, false)
		p.AddQueue(b.now, sparkplug.QueueAliases{Epoch: 4, Record: 6, Oldest: 8}, 5, 1, 1, false)
		b.hear("spBv1.0/m/NDATA/e", p.AppendTo(nil))
		if n := len(b.unreads()); n != 1 {
			t.Fatalf("%d unread", n)
		}
		b.pass(time.Second)
		if len(b.vault.values) != 1 || len(b.vault.marks[epoch{"m/e", 5}]) != 1 {
			t.Errorf("%v %v", b.vault.values, b.vault.marks)
		}
		// Where it cannot be kept it is not acknowledged either.
		if err := os.RemoveAll(filepath.Join(b.Dir, UnreadFolder)); err != nil {
			t.Fatal(err)
		}
		p.Begin(b.now, 2)
		p.AddText("no JSON", text, b.now, false)
		p.AddQueue(b.now, sparkplug.QueueAliases{Epoch: 4, Record: 6, Oldest: 8}, 5, 2, 1, false)
		b.hear("spBv1.0/m/NDATA/e", p.AppendTo(nil))
		b.pass(time.Second)
		if sparkplug.Contains(b.vault.marks[epoch{"m/e", 5}], 2) {
			t.Error("a record that is nowhere is committed")
		}
	}
}

// What is beyond the bounds of a name, a birth or an edge is not taken, is told, and
// takes nothing of what is within.
func TestHostile(t *testing.T) {
	b := newBench(t, t.TempDir())
	long := string(bytes.Repeat([]byte("x"), 300))
	b.hear("spBv1.0/"+long+"/NBIRTH/e", own(b.now, 1, 5, 1))
	if len(b.dec.nodes) != 0 || len(b.unreads()) != 1 {
		t.Errorf("%d nodes, %d unread", len(b.dec.nodes), len(b.unreads()))
	}
	var p sparkplug.Payload
	p.SetNodeBirth(b.now, 1)
	p.Declare(b.now, string(bytes.Repeat([]byte("y"), maxName+1)), 1, sparkplug.Double, sparkplug.DoubleValue(1), false)
	p.Declare(b.now, "odd/\u202e\x00 name\n", 2, sparkplug.Double, sparkplug.DoubleValue(2), false)
	b.hear("spBv1.0/m/NBIRTH/f", p.AppendTo(nil))
	b.pass(time.Second)
	if len(b.vault.values) != 1 || len(b.unreads()) != 2 {
		t.Errorf("%v, %d unread", b.vault.values, len(b.unreads()))
	}

	// More metrics than any edge has: not born, and not asked for again at once.
	p.SetNodeBirth(b.now, 2)
	for i := range sparkplug.MaxDeclared + 1 {
		p.Declare(b.now, fmt.Sprint(i), uint64(i), sparkplug.Double, sparkplug.Value{}, false)
	}
	b.hear("spBv1.0/m/NBIRTH/mad", p.AppendTo(nil))
	if b.dec.nodes["m/mad"].session.Born() || len(b.vault.tags) > 10 {
		t.Errorf("%d tags", len(b.vault.tags))
	}

	// New names with every birth.
	n := b.dec.nodes["m/f"]
	if n.affords(0, tagsAtOnce, b.now) {
		t.Error("no bound of tags")
	}
	for i := range epochsAtOnce + 10 {
		if ok := n.affords(1, 0, b.now); ok != (i < epochsAtOnce) {
			t.Fatalf("epoch %d: %v", i, ok)
		}
	}
	if !n.affords(1, 0, b.now+int64(time.Minute)) {
		t.Error("an edge that starts often is refused for ever")
	}

	// A flood of names is forgotten again, and those that are known stay.
	b = newBench(t, "")
	b.hear("spBv1.0/m/NBIRTH/e", own(b.now, 1, 5, 1))
	for i := range 2 * maxNodes {
		b.hear(fmt.Sprintf("spBv1.0/m/NDATA/n%d", i), nil)
	}
	if len(b.dec.nodes) > maxNodes || len(b.dec.topics) > maxTopics {
		t.Errorf("%d nodes, %d topics", len(b.dec.nodes), len(b.dec.topics))
	}
	b.pass(holdFor + time.Second)
	b.pass(2 * unknownFor)
	if len(b.dec.nodes) != 1 || b.dec.nodes["m/e"] == nil || b.dec.held != 0 || len(b.answers.edges) != 1 {
		t.Errorf("%d nodes are left, %d bytes held, %d to answer", len(b.dec.nodes), b.dec.held, len(b.answers.edges))
	}
}

// Late, doubled, out of order and ahead of time: stored once each, and only what is
// newest in the run is shown.
func TestOrderOfLive(t *testing.T) {
	b := newBench(t, t.TempDir())
	shown := &shownLast{}
	b.Live = shown
	b.hear("spBv1.0/m/NBIRTH/e", own(b.now, 1, 5, 1))
	send := func(seq uint8, at int64) {
		var p sparkplug.Payload
		p.Begin(b.now, seq)
		p.AddSample(plant.Sample{Time: at, Value: float64(at)}, 101, false)
		b.hear("spBv1.0/m/NDATA/e", p.AppendTo(nil))
	}
	ms := int64(time.Millisecond)
	send(1, b.now)
	send(3, b.now+10*ms)
	newest := shown.value
	send(2, b.now+5*ms) // overtaken
	if shown.value != newest {
		t.Errorf("shown is %v, not the newest", shown.value)
	}
	send(3, b.now) // doubled
	b.pass(10 * time.Second)
	if b.answers.edges["m/e"].ask {
		t.Error("births are asked for, and nothing is missing")
	}
	send(4, b.now+int64(time.Hour)) // the clock of the PLC is ahead
	if b.Counts().Future != 1 {
		t.Errorf("%+v", b.Counts())
	}
	send(6, b.now)
	b.pass(b.Reorder - time.Second)
	if b.answers.edges["m/e"].ask {
		t.Error("births are asked for too soon")
	}
	b.pass(2 * time.Second)
	if !b.answers.edges["m/e"].ask { // tck-id-operational-behavior-host-reordering-rebirth
		t.Error("a message is missing and no births are asked for")
	}
}

type shownLast struct {
	value float64
	since int64
}

func (s *shownLast) Values(b plant.Batch)               { s.value = b.Samples[len(b.Samples)-1].Value }
func (s *shownLast) Stale(_ []plant.TagID, since int64) { s.since = since }

// A record is read by births that name its opening, and by no others: aliases of a
// second box may mean other tags.
func TestForeignEpoch(t *testing.T) {
	b := newBench(t, t.TempDir())
	shown := &shownLast{}
	b.Live = shown
	b.hear("spBv1.0/m/NBIRTH/e", own(b.now, 1, 5, 1, 4, 5))
	var p sparkplug.Payload
	send := func(seq uint8, epoch uint64, value float64, historical bool) {
		p.Begin(b.now, seq)
		p.AddSample(plant.Sample{Time: b.now, Value: value}, 101, historical)
		p.AddQueue(b.now, sparkplug.QueueAliases{Epoch: 4, Record: 6, Oldest: 8}, epoch, uint64(seq), 0, historical)
		b.hear("spBv1.0/m/NDATA/e", p.AppendTo(nil))
		b.pass(time.Second)
	}
	send(1, 4, 1, true)
	if n := len(b.vault.values); n != 1 {
		t.Errorf("%d values: the births name the opening", n)
	}
	if b.answers.edges["m/e"].ask {
		t.Error("births are asked for, and nothing is missing")
	}
	send(2, 6, 2, false)
	send(3, 7, 3, true)
	if n := len(b.vault.values); n != 1 || !b.answers.edges["m/e"].ask {
		t.Errorf("%d values: records of openings that no births name are taken", n)
	}
	// A second box, with births of its own: what waited is read by those, what the
	// first one still sends by its own.
	b.hear("spBv1.0/m/NBIRTH/e", own(b.now, 2, 7, 1))
	b.pass(time.Second)
	if n := len(b.vault.values); n != 2 {
		t.Errorf("%d values: its births are here", n)
	}
	shown.value = 0
	send(4, 5, 4, false)
	if n := len(b.vault.values); n != 3 || shown.value != 0 {
		t.Errorf("%d values, %v is shown as live: it is of the box before", n, shown.value)
	}
	// By turns: two boxes.
	b.hear("spBv1.0/m/NBIRTH/e", own(b.now, 3, 5, 1))
	if !b.matters(time.Unix(0, b.now))[matter{"m/e", "twin"}] {
		t.Error("nobody is told of two boxes")
	}
	if b.matters(time.Unix(0, b.now).Add(twinStands + time.Second))[matter{"m/e", "twin"}] {
		t.Error("it never ends")
	}
}
