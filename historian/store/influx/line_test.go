package influx_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"millwright/e2e/port"
	"millwright/edge/queue"
	"millwright/edge/uplink"
	"millwright/historian/alarm"
	"millwright/historian/broker"
	"millwright/historian/ingest"
	"millwright/historian/store/influx"
	"millwright/historian/store/influx/influxtest"
	"millwright/plant"
)

const ms = int64(time.Millisecond)

// line is all from an edge's queue to InfluxDB: real queue, uplink, broker,
// ingest, alarm book, store and server.
type line struct {
	t      testing.TB
	server *influxtest.Server
	proxy  *proxy
	dir    string
	broker string

	store  *influx.Store
	ingest *ingest.Ingest
	queue  *queue.Queue
	up     *uplink.Uplink
	tags   []plant.Tag

	mu   sync.Mutex
	sent map[key]float64
	at   int64
}

type key struct {
	path string
	at   int64
}

func newLine(t testing.TB, server *influxtest.Server) *line {
	l := &line{t: t, server: server, dir: t.TempDir(), sent: map[key]float64{}}
	l.proxy = newProxy(t, l.server.URL)
	b := &broker.Broker{Listen: port.Address(t), Dir: filepath.Join(l.dir, "broker"), Log: quiet(t)}
	run(t, b.Run)
	<-b.Started()
	l.broker = "tcp://" + b.Listen

	q, err := queue.Open(queue.Config{Dir: filepath.Join(l.dir, "queue"), Reserve: 1, Log: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	l.queue = q
	for i := range 20 {
		l.tags = append(l.tags, plant.Tag{Path: fmt.Sprintf("HSM/FM/F3/GBX/T%02d", i), Asset: "HSM/FM/F3/GBX", Unit: "mm/s", Kind: plant.Analog, High: 20})
	}
	if err := q.Intern("plc", l.tags); err != nil {
		t.Fatal(err)
	}
	device := uplink.Device{Name: "plc", Alive: true}
	for _, x := range l.tags {
		device.Tags = append(device.Tags, x.ID)
	}
	l.up = &uplink.Uplink{
		Broker: l.broker, Group: "mill", Node: "e1", PrimaryHost: "plant", Version: "test", StateDir: l.dir, Queue: q,
		Devices: func() []uplink.Device { return []uplink.Device{device} }, Log: quiet(t),
		Status: func() plant.EdgeStatus { return plant.EdgeStatus{Oldest: q.Stats().Oldest} },
		Assets: []plant.Asset{{Path: "HSM/FM/F3/GBX", Name: "Gearbox", Class: "gearbox"}},
	}
	run(t, l.up.Run)
	return l
}

// startHistorian runs ingest over the store; the function ends both.
func (l *line) startHistorian() (stop func()) {
	l.t.Helper()
	l.store = open(l.t, l.proxy.URL, l.dir, func(c *influx.Config) { c.Timeout = 2 * time.Second })
	book, err := alarm.Open(filepath.Join(l.dir, "alarms"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.ingest = &ingest.Ingest{Broker: l.broker, HostID: "plant", Store: l.store, Alarms: book, Live: blind{}, Log: quiet(l.t)}
	end := run(l.t, l.ingest.Run)
	stop = sync.OnceFunc(func() {
		end()
		_ = book.Close()
		_ = l.store.Close()
	})
	l.t.Cleanup(stop)
	return stop
}

// blind watches nothing.
type blind struct{}

func (blind) Values(plant.Batch)         {}
func (blind) Stale([]plant.TagID, int64) {}

// run starts f and returns a function that ends it, once.
func run(t testing.TB, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// load queues samples until the function that comes back is called.
func (l *line) load(every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.sample()
			}
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	l.t.Cleanup(stop)
	return stop
}

// sample queues one sample of every tag, at a time of its own.
func (l *line) sample() {
	l.mu.Lock()
	l.at = max(l.at+ms, plant.Millis(time.Now().UnixNano()))
	d := queue.Draft{Lane: queue.Telemetry, Device: "plc"}
	for i, x := range l.tags {
		v := float64(l.at/ms%1_000_000)*1.25 + float64(i)
		d.Batch.Samples = append(d.Batch.Samples, plant.Sample{Tag: x.ID, Time: l.at, Value: v})
		l.sent[key{x.Path, l.at}] = v
	}
	l.mu.Unlock()
	records, err := l.queue.Append([]queue.Draft{d}, nil)
	if err != nil {
		l.t.Error(err)
		return
	}
	for _, r := range records {
		l.up.Offer(r)
	}
}

func eventually(t testing.TB, what string, limit time.Duration, f func() bool) {
	t.Helper()
	limit = max(limit, time.Minute) // other tests want the processors, too
	for end := time.Now().Add(limit); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// complete holds what was sent against what a store opened anew gives back.
// Values that the edge sends by itself are below other paths.
func (l *line) complete() {
	l.t.Helper()
	s := open(l.t, l.server.URL, l.dir, nil)
	defer s.Close()
	got := map[key]float64{}
	for _, x := range s.Tags() {
		for b, err := range s.Scan(context.Background(), plant.Range{Tag: x.ID, From: 0, To: 1 << 62}) {
			if err != nil {
				l.t.Fatal(err)
			}
			for i, at := range b.Times {
				got[key{x.Path, at}] = b.Values[i]
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	missing, differ, surplus := 0, 0, 0
	for k, v := range l.sent {
		if g, ok := got[k]; !ok {
			missing++
		} else if g != v {
			differ++
		}
	}
	for k := range got {
		if _, ok := l.sent[k]; !ok {
			surplus++
		}
	}
	if missing+differ+surplus > 0 {
		l.t.Errorf("of %d samples %d missing, %d different, %d surplus", len(l.sent), missing, differ, surplus)
	}
	l.t.Logf("%d samples sent, all there; %+v", len(l.sent), l.up.Counts())
}

// Every trouble of a server, one after the other under one load: while it lasts
// nothing is acknowledged, and in the end nothing is missing.
func testLine(t *testing.T, server *influxtest.Server) {
	l := newLine(t, server)
	end := l.startHistorian()
	stop := l.load(2 * time.Millisecond)
	flows := func() {
		t.Helper()
		n := l.up.Counts().Settled
		eventually(t, "records are acknowledged again", patience, func() bool { return l.up.Counts().Settled > n+50 })
	}
	flows()
	away := trouble(away)
	troubles := map[string]trouble{
		"full":        refuse(http.StatusInternalServerError, "engine: write /var/lib/influxdb/wal/plant/autogen/1/_00001.wal: no space left on device"),
		"wrong token": refuse(http.StatusUnauthorized, "authorization failed"),
		"overloaded":  refuse(http.StatusServiceUnavailable, "too many requests"),
		"no database": refuse(http.StatusNotFound, "database not found"),
		"slow":        slow(3 * time.Second),
		"cut off":     cut,
		"away":        away,
	}
	for _, name := range slices.Sorted(maps.Keys(troubles)) {
		l.proxy.make(troubles[name])
		eventually(t, name+" is met", patience, func() bool { return l.proxy.met.Load() >= 2 })
		time.Sleep(400 * time.Millisecond) // what was stored before is answered
		settled := l.up.Counts().Settled
		time.Sleep(400 * time.Millisecond)
		if n := l.up.Counts().Settled; n != settled {
			t.Errorf("%s: %d records were acknowledged meanwhile", name, n-settled)
		}
		l.proxy.heal()
		flows()
	}
	// Away for long, and the historian dies meanwhile with what it has in memory.
	length := absence(t)
	l.server.Kill(t)
	time.Sleep(length)
	if n, least := l.queue.Stats().Records, uint64(length/(4*time.Millisecond)); n < least {
		t.Errorf("%d records wait in the edge's queue, expected %d", n, least)
	}
	end()
	l.server.Restart(t)
	l.startHistorian()
	flows()
	stop()
	eventually(t, "all records settled", patience+length, func() bool { return l.queue.Stats().Records == 0 })
	l.complete()
}

// absence is for how long the server is away: what MILLWRIGHT_ABSENCE says
// ("10m"), or two seconds.
func absence(t testing.TB) time.Duration {
	s := os.Getenv("MILLWRIGHT_ABSENCE")
	if s == "" {
		return 2 * time.Second
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
