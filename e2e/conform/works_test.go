package conform

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"millwright/e2e/port"
	"millwright/edge/queue"
	"millwright/edge/uplink"
	"millwright/historian/alarm"
	"millwright/historian/broker"
	"millwright/historian/ingest"
	"millwright/historian/store"
	"millwright/plant"
)

const (
	group   = "mill"
	hostID  = "plant"
	ms      = int64(time.Millisecond)
	patient = 90 * time.Second // for what comes within a second on a machine of one's own
)

func quiet(t testing.TB) *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	return slog.New(slog.DiscardHandler)
}

// run starts f and returns what ends it, once.
func run(t testing.TB, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// await waits for a condition.
func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patient); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patient, what)
		}
	}
}

// startEmbedded runs the broker of the product.
func startEmbedded(t testing.TB) (url string) {
	t.Helper()
	b := &broker.Broker{Listen: "127.0.0.1:0", Dir: t.TempDir(), Log: quiet(t)}
	run(t, b.Run)
	<-b.Started()
	return b.URL()
}

// mosquitto is the program's path. Without it the tests use the embedded broker
// alone (CI: fails).
func mosquitto(t testing.TB) (path string, ok bool) {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(path); err == nil {
		return path, true
	}
	const what = "mosquitto is not installed: apt-get install mosquitto"
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Log(what)
	return "", false
}

func startMosquitto(t testing.TB) (url string) {
	t.Helper()
	path, _ := mosquitto(t)
	listen := port.Address(t)
	_, number, _ := net.SplitHostPort(listen)
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 1000\nuser root\n", number)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	await(t, "mosquitto listens", func() bool {
		c, err := net.Dial("tcp", listen)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return "tcp://" + listen
}

// client is a plain MQTT client: it hears the whole namespace and says what it is
// told to.
type client struct {
	t testing.TB
	mqtt.Client

	mu    sync.Mutex // guards heard
	heard []message
}

func newClient(t testing.TB, url, filter string) *client {
	t.Helper()
	c := &client{t: t}
	o := mqtt.NewClientOptions().AddBroker(url).SetClientID("bystander" + rand.Text()).
		SetProtocolVersion(4).SetAutoReconnect(false).SetOrderMatters(true)
	c.Client = mqtt.NewClient(o)
	c.done("connect", c.Connect())
	t.Cleanup(func() { c.Disconnect(20) })
	c.done("subscribe", c.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) { c.hear(m) }))
	return c
}

func (c *client) hear(m mqtt.Message) {
	p := publish(m.Topic(), m.Payload(), m.Qos(), m.Retained())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = append(c.heard, readMessage(p, len(c.heard), false, time.Now()))
}

func (c *client) done(what string, tok mqtt.Token) {
	c.t.Helper()
	if !tok.WaitTimeout(patient) || tok.Error() != nil {
		c.t.Fatalf("%s: %v", what, tok.Error())
	}
}

func (c *client) say(topic string, qos byte, retain bool, body []byte) {
	c.t.Helper()
	c.done("publish", c.Publish(topic, qos, retain, body))
}

func (c *client) sayState(host string, online bool, at int64) {
	c.t.Helper()
	c.say("spBv1.0/STATE/"+host, 1, true, fmt.Appendf(nil, `{"online":%v,"timestamp":%d}`, online, at))
}

// all returns what was heard so far, of one kind or, with "", of all.
func (c *client) all(kind string) []message {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.Clone(c.heard)
	return slices.DeleteFunc(list, func(m message) bool { return kind != "" && m.kind != kind })
}

// screen is told what is live and what is stale, as the HMI is.
type screen struct {
	mu    sync.Mutex
	stale map[plant.TagID]bool
}

func (s *screen) Values(b plant.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range b.Samples {
		s.stale[x.Tag] = false
	}
}

func (s *screen) Stale(tags []plant.TagID, _ int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range tags {
		s.stale[id] = true
	}
}

// host is a real historian: store and alarm book on disk, and ingest.
type host struct {
	*ingest.Ingest
	t      testing.TB
	store  *store.Pebble
	screen *screen
	stop   func()
}

func startHost(t testing.TB, dir, url string, change func(*ingest.Ingest)) *host {
	t.Helper()
	st, err := store.Open(store.Config{Dir: filepath.Join(dir, "store"), Reserve: -1, Log: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	al, err := alarm.Open(filepath.Join(dir, "alarm"))
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, store: st, screen: &screen{stale: map[plant.TagID]bool{}}}
	h.Ingest = &ingest.Ingest{Broker: url, HostID: hostID, Store: st, Alarms: al, Live: h.screen, Log: quiet(t)}
	if change != nil {
		change(h.Ingest)
	}
	stop := run(t, h.Run)
	var once sync.Once
	h.stop = func() {
		once.Do(func() {
			stop()
			if err := cmp.Or(st.Close(), al.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(h.stop)
	return h
}

// stale is how many of the tags whose path begins so are stale, and how many there
// are.
func (h *host) stale(prefix string) (stale, of int) {
	for _, tag := range h.store.Tags() {
		if len(tag.Path) < len(prefix) || tag.Path[:len(prefix)] != prefix {
			continue
		}
		of++
		h.screen.mu.Lock()
		if h.screen.stale[tag.ID] {
			stale++
		}
		h.screen.mu.Unlock()
	}
	return stale, of
}

// edge is a real edge without a PLC: a queue on disk and an uplink.
type edge struct {
	t     testing.TB
	queue *queue.Queue
	up    *uplink.Uplink
	stop  func()

	mu   sync.Mutex // guards what follows
	tags map[string][]plant.Tag
	dead map[string]bool
}

// startEdge runs an edge whose last connection had the number before, -1: none.
func startEdge(t testing.TB, url, node string, before int, tags map[string][]plant.Tag, change func(*uplink.Uplink)) *edge {
	t.Helper()
	dir := t.TempDir()
	if before >= 0 {
		if err := os.WriteFile(filepath.Join(dir, "bdseq"), fmt.Append(nil, before), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	q, err := queue.Open(queue.Config{Dir: filepath.Join(dir, "queue"), Reserve: 1, Log: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{t: t, queue: q, tags: tags, dead: map[string]bool{}}
	for name := range tags {
		if err := q.Intern(name, tags[name]); err != nil {
			t.Fatal(err)
		}
	}
	e.up = &uplink.Uplink{
		Broker: url, Group: group, Node: node, PrimaryHost: hostID, Version: "test", StateDir: dir,
		Queue: q, Devices: e.devices, Log: quiet(t),
		Status: func() plant.EdgeStatus { return plant.EdgeStatus{PLCs: []plant.PLCStatus{{Name: "plc"}}} },
		Assets: []plant.Asset{{Path: "F3", Name: "Stand", Class: "gearbox"}},
	}
	if change != nil {
		change(e.up)
	}
	stop := run(t, e.up.Run)
	var once sync.Once
	e.stop = func() {
		once.Do(func() {
			stop()
			if err := q.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(e.stop)
	return e
}

func (e *edge) devices() []uplink.Device {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []uplink.Device
	for name, tags := range e.tags {
		d := uplink.Device{Name: name, Alive: !e.dead[name]}
		for _, tag := range tags {
			d.Tags = append(d.Tags, tag.ID)
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b uplink.Device) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// alive lets a device come or go.
func (e *edge) alive(device string, yes bool) {
	e.mu.Lock()
	e.dead[device] = !yes
	e.mu.Unlock()
	e.up.Changed()
}

// put queues and offers, as the agent does.
func (e *edge) put(drafts ...queue.Draft) {
	e.t.Helper()
	records, err := e.queue.Append(drafts, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, r := range records {
		e.up.Offer(r)
	}
}

// draft is a record of samples.
func draft(device string, samples ...plant.Sample) queue.Draft {
	return queue.Draft{Lane: queue.Telemetry, Device: device, Batch: plant.Batch{Samples: samples}}
}

// settled waits until the historian has acknowledged everything.
func (e *edge) settled() {
	e.t.Helper()
	await(e.t, "every record is acknowledged", func() bool { return e.queue.Stats().Records == 0 })
}

// born waits until all births were sent so often.
func (e *edge) born(times uint64) {
	e.t.Helper()
	await(e.t, fmt.Sprintf("births, %d times", times), func() bool { return e.up.Counts().Births >= times })
}

func now() int64 { return plant.Millis(time.Now().UnixNano()) }
