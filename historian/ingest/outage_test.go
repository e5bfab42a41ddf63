package ingest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"millwright/edge/queue"
	"millwright/historian/ingest"
	"millwright/plant"
	"millwright/sparkplug"
)

// load sends samples until the returned function is called.
func load(e *box, every time.Duration) (stop func()) {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			e.sample([]string{"plc", "plc-2"}[i%2])
			select {
			case <-end:
				return
			case <-time.After(every):
			}
		}
	}()
	stop = sync.OnceFunc(func() { close(end); <-done })
	e.t.Cleanup(stop)
	return stop
}

func TestBrokerKilled(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b server) {
		t.Parallel()
		m := newMemory()
		h := startHost(t, b.url(), m, nil, nil)
		e := newBox(t, t.TempDir(), b.url(), two(20))
		stop := load(e, 5*time.Millisecond)
		for range 3 {
			time.Sleep(time.Second)
			b.kill(t)
			eventually(t, "the edge is shown as down", 3*time.Second, func() bool {
				return len(h.Edges()) == 1 && h.Edges()[0].State == "down"
			})
			time.Sleep(500 * time.Millisecond)
			b.start(t)
			back := time.Now()
			n := m.count.Load()
			eventually(t, "samples are stored again", 20*time.Second, func() bool { return m.count.Load() > n+100 })
			t.Log("samples back after", time.Since(back))
		}
		stop()
		e.empty(30 * time.Second)
		complete(t, m, e)
	})
}

// A historian that dies right after a commit has not answered; the record comes
// again, is recognised and is not applied a second time.
func TestHistorianKilledBeforeAnswer(t *testing.T) {
	eachBroker(t, func(t *testing.T, b server) {
		t.Parallel()
		m := newMemory()
		reached, release := make(chan struct{}), make(chan struct{})
		m.block = func() {
			m.mu.Lock()
			first := m.block != nil
			m.block = nil
			m.mu.Unlock()
			if first {
				close(reached)
				<-release
			}
		}
		h := startHost(t, b.url(), m, nil, func(g *ingest.Ingest) { g.Standby = true }) // it never answers
		e := newBox(t, t.TempDir(), b.url(), two(5))
		eventually(t, "births", 5*time.Second, func() bool { return e.up.Counts().Births == 1 })
		for range 20 {
			e.sample("plc")
			e.finding("again")
		}
		<-reached
		close(release)
		eventually(t, "all stored", 5*time.Second, func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return len(m.marks) == 40
		})
		h.stop()
		if n := e.queue.Stats().Records; n != 40 {
			t.Fatalf("%d records are left, nobody answered", n)
		}
		before := e.up.Counts()
		startHost(t, b.url(), m, nil, nil)
		e.empty(5 * time.Second) // by the answer to the NBIRTH, before anything is due again
		complete(t, m, e)
		if m.findings["again"] != 20 {
			t.Errorf("20 findings were applied %d times", m.findings["again"])
		}
		t.Logf("before %+v after %+v", before, e.up.Counts())
	})
}

// Single messages of every kind are lost on both ways; all of it heals.
func TestLoss(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b server) {
		t.Parallel()
		m := newMemory()
		w := newWire(t, b.url())
		rng := rand.New(rand.NewPCG(1, 2))
		lost := map[string]int{}
		w.set(func() {
			w.lose = func(topic string) bool {
				if rng.IntN(3) > 0 {
					return false
				}
				lost[strings.Split(topic, "/")[2]]++
				return true
			}
		})
		h := startHost(t, b.url(), m, nil, nil)
		e := newBox(t, t.TempDir(), w.url(), two(5))
		for i := range 300 {
			e.sample([]string{"plc", "plc-2"}[i%2])
			if i%20 == 0 {
				e.finding("lossy")
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		w.set(func() {
			t.Log("lost", lost)
			w.lose = nil
		})
		e.empty(60 * time.Second)
		complete(t, m, e)
		if m.findings["lossy"] != 15 {
			t.Errorf("15 findings, applied %d", m.findings["lossy"])
		}
		t.Logf("edge %+v host %+v", e.up.Counts(), h.Counts())
	})
}

// A lost answer is said again by the next one: nothing is sent twice.
func TestAnswerLost(t *testing.T) {
	b := newNATS(t)
	m := newMemory()
	w := newWire(t, b.url())
	answers := 0
	w.set(func() {
		w.lose = func(topic string) bool {
			if !strings.Contains(topic, "/NCMD/") {
				return false
			}
			answers++
			return answers%2 == 1 // every other one
		}
	})
	startHost(t, b.url(), m, nil, nil)
	e := newBox(t, t.TempDir(), w.url(), two(5))
	for range 100 {
		e.sample("plc")
		time.Sleep(10 * time.Millisecond)
	}
	eventually(t, "all but the last answer's records settled", 3*time.Second, func() bool { return e.queue.Stats().Records < 30 })
	if c := e.up.Counts(); c.Again != 0 {
		t.Errorf("%+v: records were sent again although answers repeat themselves", c)
	}
	w.set(func() { w.lose = nil })
	for range 5 {
		e.sample("plc")
		time.Sleep(250 * time.Millisecond)
	}
	e.empty(20 * time.Second)
	complete(t, m, e)
}

// While the disk refuses, nothing is acknowledged and live values go on.
func TestStoreFails(t *testing.T) {
	b := newNATS(t)
	m, s := newMemory(), &screen{}
	h := startHost(t, b.url(), m, s, nil)
	e := newBox(t, t.TempDir(), b.url(), two(5))
	eventually(t, "births", 5*time.Second, func() bool { return e.up.Counts().Births == 1 })
	m.fail.Store(true)
	for range 50 {
		e.sample("plc")
		time.Sleep(5 * time.Millisecond)
	}
	eventually(t, "values are shown", time.Second, func() bool { return len(s.takeLate()) > 0 || s.shown >= 250 })
	time.Sleep(500 * time.Millisecond)
	if n := e.queue.Stats().Records; n != 50 {
		t.Errorf("%d of 50 records are left while nothing could be stored", n)
	}
	m.fail.Store(false)
	e.empty(10 * time.Second)
	complete(t, m, e)
	if h.Counts().Retries == 0 {
		t.Error("no retry was counted")
	}
}

// An edge that starts again sends what it has queued, with the numbers and the
// epoch that the records were born with.
func TestEdgeRestart(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b server) {
		t.Parallel()
		m := newMemory()
		e := newBox(t, t.TempDir(), b.url(), two(5))
		watch := newPeer(t, b.url())
		for range 50 {
			e.sample("plc")
		}
		first := e.queue.Epoch()
		flushed(t, e)
		e.stop()
		for _, x := range watch.all() {
			if x.Kind != sparkplug.NDEATH { // its Will
				t.Fatalf("an edge without its primary host said %v", x.Topic) // tck-id-operational-behavior-edge-node-birth-sequence-wait
			}
		}
		e.open(b.url())
		for range 10 {
			e.sample("plc-2")
		}
		startHost(t, b.url(), m, nil, nil)
		e.empty(15 * time.Second)
		complete(t, m, e)
		births := watch.heard(sparkplug.NBIRTH)
		if len(births) == 0 {
			t.Fatal("no birth")
		}
		if bd, _ := births[0].BdSeq(); bd == 0 {
			t.Error("bdSeq began anew at the restart") // tck-id-topics-nbirth-bdseq-increment
		}
		old, live := 0, 0
		for mark := range m.marks {
			if mark.Epoch == first {
				old++
			}
		}
		if old != 50 {
			t.Errorf("%d records kept their epoch", old)
		}
		for _, d := range watch.heard(sparkplug.DDATA) {
			for _, x := range d.Metrics {
				if !x.Historical {
					live++
				}
			}
		}
		if live != 0 {
			t.Errorf("%d metrics of old records are called live", live)
		}
	})
}

// flushed waits until the queue is on disk.
func flushed(t testing.TB, e *box) {
	done := make(chan error, 1)
	if err := e.queue.Flushed(func(err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// backlog fills the queue as an earlier process left it: nothing is offered.
func backlog(t testing.TB, e *box, records, samples int) {
	t.Helper()
	tags := e.tags["plc"]
	start := plant.Millis(time.Now().UnixNano()) - int64(records)*100*ms
	for i := range records {
		d := queue.Draft{Lane: queue.Telemetry, Device: "plc"}
		e.mu.Lock()
		for j := range samples {
			at := start + int64(i)*100*ms + int64(j/len(tags))*ms
			tag := tags[j%len(tags)]
			v := float64(i*samples + j)
			d.Batch.Samples = append(d.Batch.Samples, plant.Sample{Tag: tag.ID, Time: at, Value: v})
			e.sent[sampleKey{tag.Path, at / ms}] = v
		}
		e.mu.Unlock()
		if _, err := e.queue.Append([]queue.Draft{d}, nil); err != nil {
			t.Fatal(err)
		}
	}
	flushed(t, e)
}

// drain is what was on its way while a backlog drained.
type drain struct {
	took    time.Duration
	urgent  int           // findings
	slowest time.Duration // of them
	late    []time.Duration
}

// drain sends findings, one after the other, until no more than rest records are
// queued. Each has to be applied in time, and all to be over.
func (b *box) drain(s *screen, applied <-chan time.Time, rest uint64, each, all time.Duration) (x drain) {
	b.t.Helper()
	begin := time.Now()
	for b.queue.Stats().Records > rest {
		at := time.Now()
		b.finding(fmt.Sprintf("urgent-%d", x.urgent))
		x.urgent++
		select {
		case done := <-applied:
			x.slowest = max(x.slowest, done.Sub(at))
		case <-time.After(each):
			b.t.Fatal("a finding waits behind the backlog")
		}
		time.Sleep(250 * time.Millisecond)
		if time.Since(begin) > all {
			b.t.Fatalf("%d records are left after %v", b.queue.Stats().Records, all)
		}
	}
	x.took, x.late = time.Since(begin), s.takeLate()
	return x
}

// While a backlog drains, live values and findings are on time. The backlog is an
// outage of 150 s at the live rate.
func TestDrain(t *testing.T) {
	eachBroker(t, func(t *testing.T, b server) {
		const outage = 150 * time.Second
		m, s := newMemory(), &screen{}
		e := newBox(t, t.TempDir(), b.url(), map[string][]plant.Tag{"plc": tags("plc", 100), "plc-2": tags("plc-2", 100)})
		backlog(t, e, 1500, 200) // 2,000 samples a second
		stop := load(e, 50*time.Millisecond)
		time.Sleep(2 * time.Second)
		applied := make(chan time.Time, 100)
		m.apply = func([]plant.Finding) error { applied <- time.Now(); return nil }
		startHost(t, b.url(), m, s, nil)
		eventually(t, "births", 5*time.Second, func() bool { return e.up.Counts().Births == 1 })
		x := e.drain(s, applied, 100, 5*time.Second, time.Minute)
		if len(x.late) == 0 || x.urgent < 4 {
			t.Fatalf("%d live values and %d findings while draining: nothing was measured", len(x.late), x.urgent)
		}
		p99 := x.late[len(x.late)*99/100]
		t.Logf("drained in %v, %.0f times real time; live values p50 %v p99 %v; slowest of %d findings %v",
			x.took, outage.Seconds()/x.took.Seconds(), x.late[len(x.late)/2], p99, x.urgent, x.slowest)
		if p99 > 2*time.Second {
			t.Errorf("live values are %v late", p99)
		}
		if x.slowest > time.Second {
			t.Errorf("a finding took %v", x.slowest)
		}
		stop()
		e.empty(30 * time.Second)
		complete(t, m, e)
	})
}

// A peer that goes silent without closing is noticed by keep-alives.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	b := newNATS(t)
	m := newMemory()
	w := newWire(t, b.url())
	startHost(t, b.url(), m, nil, nil)
	e := newBox(t, t.TempDir(), w.url(), two(5))
	eventually(t, "births", 5*time.Second, func() bool { return e.up.Counts().Births == 1 })
	w.set(func() { w.silent = true })
	at := time.Now()
	stop := load(e, 20*time.Millisecond)
	eventually(t, "the silence is noticed", 20*time.Second, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.conns) > 2
	})
	t.Log("noticed after", time.Since(at))
	w.set(func() { w.silent = false })
	w.cut()
	eventually(t, "born again", 10*time.Second, func() bool { return e.up.Counts().Births == 2 })
	stop()
	e.empty(15 * time.Second)
	complete(t, m, e)
}
