package ingest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"millwright/e2e/port"
	"millwright/edge/queue"
	"millwright/edge/uplink"
	"millwright/historian/broker"
	"millwright/historian/ingest"
	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
	"millwright/sparkplug/dial"
)

func TestMain(m *testing.M) {
	// Tests that are parallel here wait most of their time.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

const ms = int64(time.Millisecond)

// server is a broker that can be killed and started again at the same address.
type server interface {
	start(t testing.TB)
	kill(t testing.TB) // as a crash or a power cut would
	url() string
}

// eachBroker runs a test against every broker that we promise to work with.
func eachBroker(t *testing.T, f func(t *testing.T, b server)) {
	t.Run("nats", func(t *testing.T) { f(t, newNATS(t)) })
	t.Run("mosquitto", func(t *testing.T) { f(t, newMosquitto(t)) })
}

type natsServer struct {
	dir, listen string
	stop        func()
}

func newNATS(t testing.TB) *natsServer {
	s := &natsServer{dir: t.TempDir(), listen: port.Address(t)}
	s.start(t)
	t.Cleanup(func() { s.kill(t) })
	return s
}

func (s *natsServer) url() string { return "tcp://" + s.listen }

func (s *natsServer) start(t testing.TB) {
	t.Helper()
	b := &broker.Broker{Listen: s.listen, Dir: s.dir, Log: quiet(t)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	select {
	case <-b.Started():
	case err := <-done:
		t.Fatal(err)
	}
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func (s *natsServer) kill(testing.TB) {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

type mosquitto struct {
	dir, listen string
	cmd         *exec.Cmd
}

func newMosquitto(t testing.TB) *mosquitto {
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
		if _, err := os.Stat(path); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("mosquitto is not installed: apt-get install mosquitto")
			}
			t.Skip("mosquitto is not installed: apt-get install mosquitto")
		}
	}
	s := &mosquitto{dir: t.TempDir(), listen: port.Address(t)}
	_, port, _ := net.SplitHostPort(s.listen)
	conf := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\nautosave_interval 1\nmax_queued_messages 0\nmax_inflight_messages 1000\nuser root\n", port, s.dir)
	if err := os.WriteFile(filepath.Join(s.dir, "mosquitto.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd = &exec.Cmd{Path: path}
	s.start(t)
	t.Cleanup(func() { s.kill(t) })
	return s
}

func (s *mosquitto) url() string { return "tcp://" + s.listen }

func (s *mosquitto) start(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command(s.cmd.Path, "-c", filepath.Join(s.dir, "mosquitto.conf"))
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if c, err := net.Dial("tcp", s.listen); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("mosquitto does not listen")
}

func (s *mosquitto) kill(testing.TB) {
	if s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = &exec.Cmd{Path: s.cmd.Path}
	}
}

func quiet(t testing.TB) *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

// memory is a store and an alarm book that count what they are given and fail
// when they are told to.
type memory struct {
	mu       sync.Mutex
	ids      map[string]plant.Tag
	values   map[sampleKey]float64
	quality  map[sampleKey]plant.Quality
	states   map[sampleKey]string
	gaps     []plant.Gap
	waves    []plant.Waveform
	marks    map[store.Mark]int // how often applied
	findings map[string]int
	edges    []plant.Finding // what the host itself said of edges
	assets   map[string][]plant.Asset
	conflict []string // same key, another value
	appends  int

	fail  atomic.Bool                   // the disk is gone
	block func()                        // called in Append, after the commit
	null  bool                          // keep nothing
	after func(b plant.Batch)           // sees every commit
	count atomic.Uint64                 // samples
	apply func(f []plant.Finding) error // before a finding is applied
}

type sampleKey struct {
	path string
	ms   int64
}

func newMemory() *memory {
	return &memory{ids: map[string]plant.Tag{}, values: map[sampleKey]float64{}, quality: map[sampleKey]plant.Quality{},
		states: map[sampleKey]string{}, marks: map[store.Mark]int{}, findings: map[string]int{}, assets: map[string][]plant.Asset{}}
}

func (s *memory) Intern(tags []plant.Tag) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range tags {
		t := &tags[i]
		if have, ok := s.ids[t.Path]; ok {
			t.ID = have.ID
		} else {
			t.ID = plant.TagID(len(s.ids) + 1)
		}
		s.ids[t.Path] = *t
	}
	return nil
}

func (s *memory) Tags() []plant.Tag {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []plant.Tag
	for _, t := range s.ids {
		out = append(out, t)
	}
	return out
}

func (s *memory) paths() map[plant.TagID]string {
	m := map[plant.TagID]string{}
	for p, t := range s.ids {
		m[t.ID] = p
	}
	return m
}

func (s *memory) Append(ctx context.Context, b plant.Batch, marks []store.Mark) error {
	if s.fail.Load() {
		return errors.New("the disk is gone")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.count.Add(uint64(len(b.Samples)))
	if s.null {
		return nil
	}
	s.mu.Lock()
	s.appends++
	paths := s.paths()
	for _, x := range b.Samples {
		k := sampleKey{paths[x.Tag], x.Time / ms}
		if v, ok := s.values[k]; ok && math.Float64bits(v) != math.Float64bits(x.Value) {
			s.conflict = append(s.conflict, fmt.Sprintf("%v: %v then %v", k, v, x.Value))
		}
		s.values[k], s.quality[k] = x.Value, x.Quality
	}
	for _, x := range b.States {
		s.states[sampleKey{paths[x.Tag], x.Time / ms}] = x.Value
	}
	s.waves = append(s.waves, b.Waveforms...)
	s.gaps = append(s.gaps, b.Gaps...)
	for _, m := range marks {
		s.marks[m]++
	}
	block, after := s.block, s.after
	s.mu.Unlock()
	if after != nil {
		after(b)
	}
	if block != nil {
		block()
	}
	return nil
}

func (s *memory) spans(edge string, epoch uint64) (out []sparkplug.Span) {
	for m := range s.marks {
		if m.Edge == edge && m.Epoch == epoch {
			out = sparkplug.AddSpan(out, sparkplug.Span{First: m.Number, Last: m.Number})
		}
	}
	return out
}

func (s *memory) Last(_ context.Context, tags []plant.TagID) (out []plant.Sample, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	paths := s.paths()
	for _, id := range tags {
		last := plant.Sample{}
		for k, v := range s.values {
			if k.path == paths[id] && (last.Tag == 0 || k.ms*ms > last.Time) {
				last = plant.Sample{Tag: id, Time: k.ms * ms, Value: v}
			}
		}
		if last.Tag != 0 {
			out = append(out, last)
		}
	}
	return out, nil
}

func (s *memory) LastStates(context.Context, []plant.TagID) ([]plant.State, error) { return nil, nil }

func (s *memory) Scan(_ context.Context, r plant.Range) iter.Seq2[plant.Block, error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := plant.Block{Tag: r.Tag}
	path := s.paths()[r.Tag]
	for k := range s.values {
		if at := k.ms * ms; k.path == path && at >= r.From && at < r.To {
			b.Times = append(b.Times, at)
		}
	}
	slices.Sort(b.Times)
	return func(yield func(plant.Block, error) bool) { yield(b, nil) }
}

func (s *memory) States(context.Context, plant.Range) ([]plant.State, error) { return nil, nil }

func (s *memory) Committed(edge string, epoch uint64) ([]sparkplug.Span, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spans(edge, epoch), nil
}

func (s *memory) SetAssets(edge string, a []plant.Asset) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.assets[edge] = slices.Clone(a)
	return nil
}

func (s *memory) Assets() []plant.Asset {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []plant.Asset
	for _, a := range s.assets {
		out = append(out, a...)
	}
	return out
}

// book is the alarm side of memory, with numbers of its own.
type book struct{ *memory }

func (b book) Apply(_ context.Context, edge string, epoch, number uint64, f []plant.Finding) error {
	if b.apply != nil {
		if err := b.apply(f); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if edge == "plant" { // the host itself
		b.edges = append(b.edges, f...)
		return nil
	}
	b.marks[store.Mark{Edge: edge, Epoch: epoch, Number: number}]++
	for _, x := range f {
		b.findings[x.Key]++
	}
	return nil
}

// screen notes what was shown and how late.
type screen struct {
	mu    sync.Mutex
	late  []time.Duration
	shown int
	last  map[plant.TagID]float64
	stale map[plant.TagID]bool
}

func (s *screen) Values(b plant.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last, s.stale = map[plant.TagID]float64{}, map[plant.TagID]bool{}
	}
	now := time.Now().UnixNano()
	for _, x := range b.Samples {
		s.shown++
		s.late = append(s.late, time.Duration(now-x.Time))
		s.last[x.Tag] = x.Value
		delete(s.stale, x.Tag)
	}
}

func (s *screen) Stale(tags []plant.TagID, _ int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stale == nil {
		s.last, s.stale = map[plant.TagID]float64{}, map[plant.TagID]bool{}
	}
	for _, t := range tags {
		s.stale[t] = true
	}
}

func (s *screen) staleCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stale)
}

// takeLate returns how late values were shown since the last call, sorted.
func (s *screen) takeLate() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	late := s.late
	s.late = nil
	slices.Sort(late)
	return late
}

// host is an ingest that can be stopped and started.
type host struct {
	*ingest.Ingest
	stop func()
}

func startHost(t testing.TB, url string, m *memory, live ingest.Live, change func(*ingest.Ingest)) *host {
	t.Helper()
	g := &ingest.Ingest{Broker: url, HostID: "plant", Store: m, Alarms: book{m}, Live: live, Log: quiet(t)}
	if change != nil {
		change(g)
	}
	h := &host{Ingest: g}
	h.stop = run(t, g.Run)
	return h
}

// run starts f and returns a function that ends it, once.
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

// box is an edge: a real queue and a real uplink.
type box struct {
	t      testing.TB
	dir    string
	queue  *queue.Queue
	up     *uplink.Uplink
	tags   map[string][]plant.Tag // by device
	stop   func()
	mu     sync.Mutex
	dead   map[string]bool
	silent []string // stale tags
	sent   map[sampleKey]float64
	lastAt int64

	standby []string // further brokers
	access  dial.Access
	kbit    int // what the link bears; 0: not known
}

func newBox(t testing.TB, dir, url string, tags map[string][]plant.Tag) *box {
	t.Helper()
	b := closedBox(t, dir, tags)
	b.open(url)
	return b
}

// closedBox can still be furnished before it is opened.
func closedBox(t testing.TB, dir string, tags map[string][]plant.Tag) *box {
	return &box{t: t, dir: dir, tags: tags, dead: map[string]bool{}, sent: map[sampleKey]float64{}}
}

// open opens the queue and starts the uplink.
func (b *box) open(url string) {
	b.t.Helper()
	q, err := queue.Open(queue.Config{Dir: filepath.Join(b.dir, "queue"), Reserve: 1, Log: quiet(b.t)})
	if err != nil {
		b.t.Fatal(err)
	}
	for name, tags := range b.tags {
		if err := q.Intern(name, tags); err != nil {
			b.t.Fatal(err)
		}
	}
	b.queue = q
	b.up = &uplink.Uplink{
		Broker: url, Standby: b.standby, Access: b.access,
		Group: "mill", Node: "e1", PrimaryHost: "plant", Version: "test", StateDir: b.dir,
		Queue: q, Devices: b.devices, LinkKbit: b.kbit, Log: quiet(b.t),
		Status: func() plant.EdgeStatus {
			b.mu.Lock()
			defer b.mu.Unlock()
			return plant.EdgeStatus{Oldest: q.Stats().Oldest, PLCs: []plant.PLCStatus{{Name: "plc", StaleTags: b.silent}}}
		},
		Assets: []plant.Asset{{Path: "F3", Name: "Stand", Class: "gearbox"}},
	}
	stop := run(b.t, b.up.Run)
	b.stop = func() {
		stop()
		if err := q.Close(); err != nil {
			b.t.Error(err)
		}
	}
	b.t.Cleanup(b.stop)
}

func (b *box) devices() []uplink.Device {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []uplink.Device
	for name, tags := range b.tags {
		d := uplink.Device{Name: name, Alive: !b.dead[name]}
		for _, t := range tags {
			d.Tags = append(d.Tags, t.ID)
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(x, y uplink.Device) int {
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
	return out
}

// put queues and offers drafts, as the agent does.
func (b *box) put(drafts ...queue.Draft) {
	b.t.Helper()
	records, err := b.queue.Append(drafts, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range records {
		b.up.Offer(r)
	}
}

// sample sends one sample of every tag of a device, at a time of its own.
func (b *box) sample(device string) {
	b.t.Helper()
	b.mu.Lock()
	at := max(b.lastAt+ms, plant.Millis(time.Now().UnixNano()))
	b.lastAt = at
	d := queue.Draft{Lane: queue.Telemetry, Device: device}
	for i, t := range b.tags[device] {
		v := float64(at/ms%1_000_000)*1.25 + float64(i)
		d.Batch.Samples = append(d.Batch.Samples, plant.Sample{Tag: t.ID, Time: at, Value: v})
		b.sent[sampleKey{t.Path, at / ms}] = v
	}
	b.mu.Unlock()
	b.put(d)
}

func (b *box) finding(key string) {
	b.t.Helper()
	b.put(queue.Draft{Lane: queue.Findings, Batch: plant.Batch{Findings: []plant.Finding{{
		Asset: "F3", Key: key, Kind: plant.KindAnomaly, Class: plant.Advisory, Phase: plant.Raise, Time: plant.Millis(time.Now().UnixNano()),
	}}}})
}

// tags makes n tags "F3/<device>/<i>".
func tags(device string, n int) []plant.Tag {
	out := make([]plant.Tag, n)
	for i := range out {
		out[i] = plant.Tag{Path: fmt.Sprintf("F3/%s/%d", device, i), Asset: "F3", Unit: "mm/s", Kind: plant.Analog, High: 20}
	}
	return out
}

func two(n int) map[string][]plant.Tag {
	return map[string][]plant.Tag{"plc": tags("plc", n), "plc-2": tags("plc-2", n)}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, limit time.Duration, f func() bool) {
	t.Helper()
	limit = max(limit, time.Minute) // other tests want the processors, too
	end := time.Now().Add(limit)
	for !f() {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// empty waits until the queue is settled.
func (b *box) empty(limit time.Duration) {
	b.t.Helper()
	eventually(b.t, "all records settled", limit, func() bool { return b.queue.Stats().Records == 0 })
}

// complete compares what was sent with what is stored: nothing missing, nothing
// else, nothing different, no record applied twice.
func complete(t testing.TB, m *memory, boxes ...*box) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	want := map[sampleKey]float64{}
	for _, b := range boxes {
		b.mu.Lock()
		for k, v := range b.sent {
			want[k] = v
		}
		b.mu.Unlock()
	}
	missing, differ, surplus := 0, 0, 0
	for k, v := range want {
		got, ok := m.values[k]
		if !ok {
			missing++
		} else if got != v {
			differ++
		}
	}
	for k := range m.values {
		if _, ok := want[k]; !ok {
			surplus++
		}
	}
	if missing+differ+surplus+len(m.conflict) > 0 {
		t.Errorf("of %d samples %d missing, %d different, %d surplus; conflicts: %v", len(want), missing, differ, surplus, m.conflict)
	}
	for mark, n := range m.marks {
		if n != 1 {
			t.Errorf("record %+v was applied %d times", mark, n)
		}
	}
}
