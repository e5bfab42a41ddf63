package uplink

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"millwright/edge/queue"
	"millwright/historian/broker"
	"millwright/plant"
	"millwright/sparkplug"
	"millwright/sparkplug/dial"
)

// town is a broker, and a primary host that says what it is told to say and notes
// what it hears: the kind of each message and the edge's time on it.
type town struct {
	t      *testing.T
	broker *broker.Broker
	stop   func()
	link   *dial.Link

	mu    sync.Mutex // guards heard
	heard []word
}

type word struct {
	kind sparkplug.Kind
	at   int64
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{t: t, broker: &broker.Broker{Listen: "127.0.0.1:0", Dir: filepath.Join(t.TempDir(), "broker")}}
	w.stop = start(t, w.broker.Run)
	<-w.broker.Started()
	var err error
	w.link, err = dial.Client{Broker: w.broker.URL(), ID: "host", WillTopic: "x", Will: []byte("x"), Ordered: true}.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.link.Close)
	err = w.link.Subscribe(t.Context(), "spBv1.0/#", func(name string, payload []byte) {
		topic, err := sparkplug.ParseTopic(name)
		var p sparkplug.Payload
		if err != nil || topic.Kind == sparkplug.STATE || p.Decode(payload) != nil {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.heard = append(w.heard, word{topic.Kind, p.Time})
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// start runs f until the test ends and returns a function that ends it earlier.
func start(t *testing.T, f func(context.Context) error) func() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func (w *town) say(online bool, at int64) {
	w.t.Helper()
	s := sparkplug.HostState{Online: online, Timestamp: at}
	if err := w.link.Say(w.t.Context(), "spBv1.0/STATE/plant", true, s.AppendTo(nil)); err != nil {
		w.t.Fatal(err)
	}
}

// of counts what was heard of a kind and gives the edge's time on the last one.
func (w *town) of(k sparkplug.Kind) (n int, at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.heard {
		if x.kind == k {
			n, at = n+1, x.at
		}
	}
	return n, at
}

// await waits until n messages of a kind were heard, and returns the time on the
// last one.
func (w *town) await(k sparkplug.Kind, n int) int64 {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		got, at := w.of(k)
		if got >= n {
			return at
		}
		if time.Now().After(end) {
			w.t.Fatalf("%d messages %s, want %d", got, k, n)
		}
	}
}

// box is an edge with a queue and one tag.
type box struct {
	*Uplink
	t    *testing.T
	tag  plant.TagID
	last int64
}

func newEdge(t *testing.T, brokers ...string) *box {
	t.Helper()
	q, err := queue.Open(queue.Config{Dir: filepath.Join(t.TempDir(), "queue"), Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	tags := []plant.Tag{{Path: "A/T"}}
	if err := q.Intern("d", tags); err != nil {
		t.Fatal(err)
	}
	return &box{t: t, tag: tags[0].ID, Uplink: &Uplink{
		Broker: brokers[0], Standby: brokers[1:], Group: "g", Node: "n", PrimaryHost: "plant", StateDir: t.TempDir(), Queue: q,
		Devices: func() []Device { return []Device{{Name: "d", Tags: []plant.TagID{tags[0].ID}, Alive: true}} },
		Status:  func() plant.EdgeStatus { return plant.EdgeStatus{} },
	}}
}

// record queues one sample and offers it.
func (b *box) record() {
	b.t.Helper()
	b.last += 1e6
	records, err := b.Queue.Append([]queue.Draft{{Lane: queue.Telemetry, Device: "d", Batch: plant.Batch{Samples: []plant.Sample{{Tag: b.tag, Time: b.last, Value: 1}}}}}, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range records {
		b.Offer(r)
	}
}

// An edge walks its list of brokers: on when the primary host is not on a broker or
// leaves it, on when the connection is lost, never on an offline that is older than
// the last online. It says NDEATH before it leaves and is on one broker at a time.
func TestWalk(t *testing.T) {
	a, b := newTown(t), newTown(t)
	a.say(false, 10)
	b.say(true, 5)
	e := newEdge(t, a.broker.URL(), b.broker.URL())
	start(t, e.Run)
	b.await(sparkplug.NBIRTH, 1)
	if n, _ := a.of(sparkplug.NBIRTH); n > 0 {
		t.Error("born on a broker whose host is offline")
	}
	if s := e.Connection(); s.URL != b.broker.URL() || s.State != plant.BrokerLive {
		t.Errorf("%+v", s)
	}

	// tck-id-operational-behavior-edge-node-termination-host-offline-timestamp
	b.say(false, 4)
	e.record()
	b.await(sparkplug.DDATA, 1)

	// tck-id-operational-behavior-edge-node-termination-host-offline-reconnect
	a.say(true, 20)
	b.say(false, 5)
	left, born := b.await(sparkplug.NDEATH, 1), a.await(sparkplug.NBIRTH, 1)
	if left > born {
		t.Errorf("left at %d and born on the other broker at %d", left, born)
	}
	a.await(sparkplug.DDATA, 1) // what nobody has acknowledged

	b.say(true, 6)
	a.link.Close()
	a.stop()
	b.await(sparkplug.NBIRTH, 2)
	b.await(sparkplug.DDATA, 2)
	if n := e.Counts().Settled; n > 0 {
		t.Errorf("%d records freed without an acknowledgement", n)
	}
}

// With delivery by STATE a record is freed when connection and STATE have stood for
// one and a half keep-alives since it was published, and what was published shortly
// before an offline goes out again.
func TestDeliveryByState(t *testing.T) {
	t.Parallel() // it waits for most of its time
	a := newTown(t)
	a.say(true, 1)
	e := newEdge(t, a.broker.URL())
	e.Delivery = ByState
	start(t, e.Run)
	a.await(sparkplug.NBIRTH, 1)
	e.record()
	e.record()
	a.await(sparkplug.DDATA, 2)
	if n := e.Counts().Settled; n > 0 {
		t.Errorf("%d records freed at once", n)
	}
	a.say(false, 2)
	a.await(sparkplug.NDEATH, 1)
	a.say(true, 3)
	a.await(sparkplug.DDATA, 4)
	again := time.Now()
	for e.Counts().Settled < 2 {
		if time.Since(again) > time.Minute {
			t.Fatalf("%d records freed", e.Counts().Settled)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if oldest := e.Queue.Stats().Oldest; oldest != 0 {
		t.Error("records are left")
	}
	if n, _ := a.of(sparkplug.DDATA); n != 4 {
		t.Errorf("%d records sent, want each twice", n)
	}
}

// What has not stood long enough, or is not on its way any more, is not freed.
func TestStood(t *testing.T) {
	f := &flights{delivery: ByState}
	f.init()
	now := time.Unix(1000, 0)
	for i := range uint64(10) {
		f.send(key{7, i + 1}, queue.Telemetry, 100, true, now.Add(time.Duration(i)*time.Second))
	}
	f.land(f.list[key{7, 2}])
	if got := fmt.Sprint(f.stood(now.Add(4 * time.Second))); got != "map[7:[{1 1} {3 4}]]" {
		t.Error(got)
	}
	if len(f.list) != 7 || f.replays[queue.Telemetry] != 6 {
		t.Errorf("%d are left, %d of them in the window", len(f.list), f.replays[queue.Telemetry])
	}
	if !f.room(queue.Telemetry) {
		t.Error("no room, and nobody will ever answer")
	}
}

// Replay takes what live messages leave of four fifths of the link.
func TestBudget(t *testing.T) {
	now := time.Unix(1000, 0)
	run := func(kbit float64, live int) (replayed int) {
		b := budget{perSecond: kbit * replayShare * 1000 / 8}
		for range 1000 { // 100 s
			now = now.Add(100 * time.Millisecond)
			b.spend(live)
			for n := 0; b.left(now) && n < 1000; n++ {
				b.spend(1000)
				replayed += 1000
			}
		}
		return replayed / 100
	}
	within := func(what string, got, low, high int) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s: %d B/s replayed, want %d to %d", what, got, low, high)
		}
	}
	within("256 kbit/s, nothing live", run(256, 0), 25_000, 26_500)
	within("256 kbit/s, 10 kB/s live", run(256, 1000), 15_000, 16_500)
	within("256 kbit/s, 40 kB/s live", run(256, 4000), 0, 200)
	if n := run(0, 4000); n < 1_000_000 {
		t.Errorf("a link that is not known is held at %d B/s", n)
	}
}

// Every broker of the list is checked before the first is dialled.
func TestCheckStandby(t *testing.T) {
	u := &Uplink{Broker: "tcp://127.0.0.1:1", Standby: []string{"http://x"}, Group: "g", Node: "n", StateDir: t.TempDir()}
	if err := u.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "http://x") {
		t.Error(err)
	}
}

// After an outage telemetry goes out from either end, as it was chosen.
func TestReplayOrder(t *testing.T) {
	for _, newest := range []bool{false, true} {
		a := newTown(t)
		e := newEdge(t, a.broker.URL())
		e.NewestFirst = newest
		for range 30 {
			e.record()
		}
		var times []int64
		if err := a.link.Subscribe(t.Context(), "spBv1.0/g/DDATA/n/d", func(_ string, payload []byte) {
			var p sparkplug.Payload
			if err := p.Decode(payload); err != nil {
				t.Error(err)
				return
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			times = append(times, p.Metrics[0].Time)
		}); err != nil {
			t.Fatal(err)
		}
		stop := start(t, e.Run)
		a.say(true, 1)
		a.await(sparkplug.DDATA, firstWindow)
		stop()
		a.mu.Lock()
		if n := len(times); n < firstWindow || (times[0] > times[n-1]) != newest {
			t.Errorf("newest first %v: %d records, %d to %d", newest, n, times[0], times[n-1])
		}
		a.mu.Unlock()
	}
}
