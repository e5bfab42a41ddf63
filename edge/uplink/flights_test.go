package uplink

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"millwright/edge/queue"
	"millwright/plant"
	"millwright/sparkplug"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Unix(1_700_000_000, 0)

func newFlights() *flights {
	f := &flights{}
	f.init()
	return f
}

func one(n uint64) []sparkplug.Span { return []sparkplug.Span{{First: n, Last: n}} }

func TestSendAgain(t *testing.T) {
	f := newFlights()
	k := key{1, 7}
	now := t0
	var waits []time.Duration
	for range 8 {
		f.send(k, queue.Telemetry, 100, true, now)
		if !f.busy(k) {
			t.Fatal("sent and not on its way")
		}
		sent := now
		for f.busy(k) {
			now = now.Add(100 * time.Millisecond)
			if lanes, aside := f.expire(now); f.busy(k) == lanes[queue.Telemetry] || len(aside) > 0 {
				t.Fatal("due and not said so")
			}
		}
		waits = append(waits, now.Sub(sent))
	}
	for i, w := range waits {
		want := min(firstTimeout<<i, mostDoubled)
		if w < want*8/10 || w > want*12/10+100*time.Millisecond {
			t.Errorf("send %d waited %v, want %v ±20 %%", i+1, w, want)
		}
	}

	// The time follows the answers, within its bounds.
	f = newFlights()
	for i := range uint64(100) {
		f.send(key{1, i}, queue.Telemetry, 1, false, t0)
		f.acked(1, one(i), t0.Add(3*time.Second))
	}
	if d := f.timeout(1); d < 9*time.Second || d > 15*time.Second {
		t.Errorf("answers take 3 s, sent again after %v", d)
	}
	for i := range uint64(100) {
		f.send(key{1, i}, queue.Telemetry, 1, false, t0)
		f.acked(1, one(i), t0.Add(time.Millisecond))
	}
	if d := f.timeout(1); d < 4*time.Second || d > 6*time.Second {
		t.Errorf("answers take 1 ms, sent again after %v", d)
	}
}

func TestQuarantine(t *testing.T) {
	send := func(f *flights, k key) (aside []key) {
		now := t0
		for range mostSends {
			f.send(k, queue.Telemetry, 1, true, now)
			now = now.Add(time.Hour)
			_, a := f.expire(now)
			aside = append(aside, a...)
		}
		return aside
	}
	f := newFlights()
	if aside := send(f, key{1, 7}); len(aside) != 0 || f.busy(key{1, 7}) {
		t.Error("set aside while nobody is answered")
	}
	f = newFlights()
	f.send(key{1, 7}, queue.Telemetry, 1, true, t0)
	f.send(key{1, 8}, queue.Telemetry, 1, true, t0)
	f.acked(1, one(8), t0.Add(time.Second))
	if aside := send(f, key{1, 7}); len(aside) != 1 || !f.busy(key{1, 7}) {
		t.Errorf("%v: the one bad record blocks the queue", aside)
	}
	f.acked(1, one(7), t0) // answered after all
	if f.busy(key{1, 7}) {
		t.Error("answered and still aside")
	}
}

func TestWindow(t *testing.T) {
	f := newFlights()
	fill := func() (n int) {
		for f.room(queue.Telemetry) {
			n++
			f.send(key{1, uint64(1000*f.answered) + uint64(n)}, queue.Telemetry, 100, true, t0)
		}
		return n
	}
	if n := fill(); n != firstWindow {
		t.Errorf("%d at first", n)
	}
	for f.window < mostWindow {
		before := f.answered
		f.acked(1, []sparkplug.Span{{First: 1, Last: sparkplug.MaxNumber}}, t0.Add(10*time.Millisecond))
		if f.answered == before {
			t.Fatal("nothing was on its way")
		}
		fill()
	}
	if f.replays[queue.Telemetry] != mostWindow {
		t.Errorf("%d on their way", f.replays[queue.Telemetry])
	}
	f.acked(1, []sparkplug.Span{{First: 1, Last: sparkplug.MaxNumber}}, t0.Add(3*time.Second)) // slow
	if f.window > mostWindow/2+1 {
		t.Errorf("window is %d after slow answers", f.window)
	}
	if f.replays != [queue.Lanes]int{} || f.bytes != [queue.Lanes]int{} {
		t.Errorf("%v on their way, %v bytes", f.replays, f.bytes)
	}
	for i := range 100 {
		if f.send(key{2, uint64(i)}, queue.Telemetry, 1<<20, true, t0); !f.room(queue.Telemetry) {
			if i != 3 {
				t.Errorf("room for %d MiB", i+1)
			}
			break
		}
	}
	if !f.room(queue.Findings) {
		t.Error("telemetry holds findings up")
	}
	f.reset()
	if f.replays != [queue.Lanes]int{} || f.bytes != [queue.Lanes]int{} || f.window != firstWindow {
		t.Errorf("after a reset %+v", f.replays)
	}
}

// The book keeps its sums whatever happens in whatever order.
func TestFlightsSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFlights()
		now := t0
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			k := key{1, rapid.Uint64Range(1, 20).Draw(t, "n")}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "wait")))
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0, 1:
				lane := queue.Lane(k.number % 2)
				if !f.busy(k) {
					f.send(k, lane, int(k.number), rapid.Bool().Draw(t, "replay"), now)
				}
			case 2:
				f.acked(1, one(k.number), now)
			case 3:
				f.expire(now)
			case 4:
				f.reset()
			}
			var replays, bytes [queue.Lanes]int
			for _, x := range f.list {
				if x.waiting && x.replay {
					replays[x.lane]++
					bytes[x.lane] += x.bytes
				}
			}
			if replays != f.replays || bytes != f.bytes || f.window < firstWindow || f.window > mostWindow {
				t.Fatalf("counted %v %v, has %v %v, window %d", replays, bytes, f.replays, f.bytes, f.window)
			}
		}
	})
}

func TestPublished(t *testing.T) {
	f := newFlights()
	for _, n := range []uint64{1, 2, 3, 5} {
		f.publish(n)
	}
	for _, s := range [][]sparkplug.Span{one(1), {{First: 1, Last: 3}, {First: 5, Last: 5}}} {
		if !f.wasPublished(s) {
			t.Errorf("%v was published", s)
		}
	}
	for _, s := range [][]sparkplug.Span{one(4), {{First: 1, Last: 5}}, {{First: 1, Last: 1}, {First: 5, Last: 6}}} {
		if f.wasPublished(s) {
			t.Errorf("%v was not published", s)
		}
	}
}

func TestPace(t *testing.T) {
	sent := func(live float64, size int) (samples float64) {
		var p pace
		for ms := range 20_000 {
			now := t0.Add(time.Duration(ms) * time.Millisecond)
			for p.allow(size, live, now) {
				if ms >= 10_000 { // after the burst
					samples += float64(size)
				}
			}
		}
		return samples / 10
	}
	for _, c := range []struct{ live, want float64 }{{0, leastRate}, {50, leastRate}, {1000, 20_000}, {5000, 100_000}} {
		if got := sent(c.live, 500); got < c.want*0.9 || got > c.want*1.1 {
			t.Errorf("live %v/s: %v/s are replayed, want %v/s", c.live, got, c.want)
		}
	}
	if got := sent(0, 50_000); got < leastRate*0.5 {
		t.Errorf("large messages get %v samples/s", got)
	}
	if delay(0) != 0 {
		t.Error("an empty backlog waits")
	}
	for range 100 {
		if d := delay(1 << 40); d < 0 || d > mostDelay {
			t.Error(d)
		}
		if d := delay(100 << 10); d > mostDelay/10 {
			t.Error("a small backlog waits", d)
		}
	}
}

func TestRate(t *testing.T) {
	var r rate
	now := t0
	second := func(n int) {
		for range 10 {
			r.add(n/10, now)
			now = now.Add(100 * time.Millisecond)
		}
	}
	for range 10 {
		second(1000)
	}
	if v := r.at(now); v < 900 || v > 1001 {
		t.Errorf("1000/s for 10 s are %v/s", v)
	}
	for range 30 {
		second(0)
	}
	if v := r.at(now); v < 500 {
		t.Errorf("30 s after the last one it is %v/s", v)
	}
	now = now.Add(10 * time.Minute)
	if v := r.at(now); v > 10 {
		t.Errorf("10 minutes later it is %v/s", v)
	}
}

func TestHandover(t *testing.T) {
	h := &handover{wake: make(chan struct{}, 1)}
	record := func(n uint64, lane queue.Lane, samples int) *queue.Record {
		r := &queue.Record{Number: n, Lane: lane}
		for i := range samples {
			r.Batch.Samples = append(r.Batch.Samples, plant.Sample{Tag: plant.TagID(i + 1), Time: int64(n), Value: float64(n)})
		}
		return r
	}
	h.offer(record(1, queue.Telemetry, 3))
	if h.take(queue.Telemetry) != nil || !h.takeMissed() || h.takeMissed() {
		t.Error("what came before the session belongs to the backlog")
	}
	if l := h.lastOf(2); !l.set || l.number != 1 {
		t.Error("and is a last value all the same")
	}
	h.begin()
	h.offer(record(3, queue.Telemetry, 1))
	h.offer(record(2, queue.Telemetry, 1)) // older: not the last value
	h.offer(record(4, queue.Findings, 0))
	if r := h.take(queue.Findings); r == nil || r.Number != 4 {
		t.Error(r)
	}
	if r := h.take(queue.Telemetry); r.Number != 3 {
		t.Error("out of order")
	}
	if r := h.take(queue.Telemetry); r.Number != 2 || h.take(queue.Telemetry) != nil {
		t.Error("out of order")
	}
	if l := h.lastOf(1); l.number != 3 {
		t.Errorf("last value is of record %v", l.number)
	}
	if h.lastOf(99).set {
		t.Error("a tag without values has one")
	}
	big := record(5, queue.Telemetry, 1000)
	for range 1000 {
		h.offer(big)
	}
	n := 0
	for h.take(queue.Telemetry) != nil {
		n++
	}
	if n != maxLiveSamples/1000 || !h.takeMissed() || h.samples != 0 {
		t.Errorf("%d records of 1000 samples were kept", n)
	}
	for range maxFindings + 5 {
		h.offer(record(6, queue.Findings, 0))
	}
	if !h.takeMissed() {
		t.Error("findings without end are kept in memory")
	}
	h.close()
	if h.take(queue.Findings) != nil {
		t.Error("closed and still giving")
	}
}

func TestBdSeq(t *testing.T) {
	dir := t.TempDir()
	var n *bdSeq
	reopen := func() {
		t.Helper()
		var err error
		if n, err = openBdSeq(dir); err != nil {
			t.Fatal(err)
		}
	}
	reopen()
	for want := range 600 { // tck-id-topics-nbirth-bdseq-increment
		if want%100 == 50 {
			reopen()
		}
		got, err := n.next()
		if err != nil || int(got) != want%256 {
			t.Fatalf("number %d is %d, %v", want, got, err)
		}
	}
	for _, text := range []string{"", "x", "-1", "256", "99999999999999999999"} {
		if err := os.WriteFile(filepath.Join(dir, "bdseq"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		reopen()
		if got, err := n.next(); err != nil || got != 0 {
			t.Errorf("after %q: %d, %v", text, got, err)
		}
	}
	if _, err := openBdSeq(""); err == nil {
		t.Error("no folder is one")
	}
	if _, err := openBdSeq(filepath.Join(dir, "bdseq", "x")); err == nil {
		t.Error("a file is a folder")
	}
}

func TestCheck(t *testing.T) {
	good := func() *Uplink {
		return &Uplink{Broker: "tcp://127.0.0.1:1", Group: "mill", Node: "e1", PrimaryHost: "plant", StateDir: t.TempDir()}
	}
	bad := func(what string, change func(*Uplink)) {
		t.Helper()
		u := good()
		change(u)
		if err := u.Run(t.Context()); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
	if err := good().check(); err != nil {
		t.Error(err)
	}
	bad("a blank in the node", func(u *Uplink) { u.Node = "e 1" })
	bad("an empty group", func(u *Uplink) { u.Group = "" })
	bad("a slash in the host", func(u *Uplink) { u.PrimaryHost = "a/b" })
	bad("a web address", func(u *Uplink) { u.Broker = "http://x" })
	bad("no state folder", func(u *Uplink) { u.StateDir = "" })
}

// Encoding a record and sending it allocates nothing per sample.
func TestEncodeAllocations(t *testing.T) {
	s, r := testSession(t, 1000)
	if n := testing.AllocsPerRun(50, func() {
		if _, err := s.encode(r, false); err != nil {
			t.Fatal(err)
		}
		s.buf = s.payload.AppendTo(s.buf[:0])
	}); n > 2 {
		t.Errorf("a record of 1000 samples costs %v allocations", n)
	}
}

// testSession is a session without a connection, born with n tags, and a record
// with a sample of each, out of time order.
func testSession(t testing.TB, n int) (*session, *queue.Record) {
	q, err := queue.Open(queue.Config{Dir: t.TempDir(), Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	u := &Uplink{Queue: q, Group: "mill", Node: "e1"}
	u.init()
	u.flights.init()
	s := &session{u: u, paths: map[plant.TagID]string{}, oldest: map[uint64]uint64{}, openings: q.Openings()}
	d := &announced{alive: true, topic: "x", queue: sparkplug.QueueAliases{Epoch: 18, Record: 20, Oldest: 22}}
	s.devices = map[string]*announced{"plc": d}
	r := &queue.Record{Epoch: q.Epoch(), Number: 1, Lane: queue.Telemetry, Device: "plc", Created: time.Now().UnixNano()}
	for i := range n {
		id := plant.TagID(i + 1)
		s.declare(id)
		r.Batch.Samples = append(r.Batch.Samples, plant.Sample{Tag: id, Time: int64(1_700_000_000_000+(i*7)%100) * 1e6, Value: float64(i) * 1.1})
	}
	return s, r
}

func BenchmarkEncode(b *testing.B) {
	s, r := testSession(b, 1000)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if _, err := s.encode(r, false); err != nil {
			b.Fatal(err)
		}
		s.buf = s.payload.AppendTo(s.buf[:0])
		n += 1000
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/sample")
}
