package hmi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"millwright/plant"
)

// browser is the other end of a live socket.
type browser struct {
	t    *testing.T
	conn *websocket.Conn
}

func (s *site) browser(headers ...string) *browser {
	s.t.Helper()
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.url, "http")+"/api/v1/live", &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		s.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 22)
	s.t.Cleanup(func() { conn.CloseNow() })
	return &browser{s.t, conn}
}

func (b *browser) say(message string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := b.conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) next() (websocket.MessageType, []byte) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	kind, m, err := b.conn.Read(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	return kind, m
}

// text is the next message, which is to be a text.
func (b *browser) text(want string) {
	b.t.Helper()
	kind, m := b.next()
	if kind != websocket.MessageText || string(m) != want {
		b.t.Errorf("got %v %s\nwant %s", kind, m, want)
	}
}

// values is the next frame that has any.
func (b *browser) values() map[uint16]value {
	b.t.Helper()
	for {
		kind, m := b.next()
		if kind != websocket.MessageBinary {
			b.t.Fatalf("got text %s", m)
		}
		if v := decode(b.t, m); len(v) > 0 {
			return v
		}
	}
}

// closed waits for the end and returns how the server closed.
func (b *browser) closed() websocket.CloseError {
	b.t.Helper()
	return b.closedWithin(5 * time.Second)
}

func (b *browser) closedWithin(d time.Duration) websocket.CloseError {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	for {
		if _, _, err := b.conn.Read(ctx); err != nil {
			var c websocket.CloseError
			if !errors.As(err, &c) {
				b.t.Errorf("cut: %v", err)
			}
			return c
		}
	}
}

func TestLive(t *testing.T) {
	s := run(t, nil)
	vib, temp, mode := s.id(vibration), s.id(temperature), s.id(gearbox+"/$MODE")
	s.Hub.put(plant.Sample{Tag: vib, Time: time.Now().Add(-time.Minute).UnixNano(), Value: 1.5})
	s.works.samples[temp] = []plant.Sample{{Tag: temp, Time: epoch, Value: 61.5}}
	b := s.browser()
	b.say(`{"tags":["` + vibration + `","no/such","` + vibration + `","` + temperature + `"]}`)
	b.text(`{"ids":{"HSM/FM/F3/GBX/TEMP":2,"HSM/FM/F3/GBX/VIB_H":1},"unknown":["no/such"]}`)
	v := b.values()
	if len(v) != 2 || v[1].value != 1.5 || v[1].status != 0 || v[1].age < 6000 || v[1].age > 6100 {
		t.Errorf("first frame %+v", v)
	}
	if v[2] != (value{65535, plant.StaleValue, 61.5}) {
		t.Errorf("what only the store knows: %+v", v[2])
	}
	s.Hub.put(plant.Sample{Tag: vib, Time: time.Now().UnixNano(), Value: 2})
	if v := b.values(); len(v) != 1 || v[1].value != 2 || v[1].age > 100 {
		t.Errorf("change %+v", v)
	}
	s.Hub.Stale([]plant.TagID{vib}, 0)
	if v := b.values(); len(v) != 1 || v[1].value != 2 || v[1].status != plant.StaleValue {
		t.Errorf("stale %+v", v)
	}
	// Of a tag that is not on the page nothing is sent, nor texts unasked.
	s.Hub.put(plant.Sample{Tag: 77, Time: epoch, Value: 2})
	s.Hub.Values(plant.Batch{States: []plant.State{{Tag: mode, Time: epoch, Value: "rolling"}}})
	s.Hub.put(plant.Sample{Tag: temp, Time: time.Now().UnixNano(), Value: 3})
	if v := b.values(); len(v) != 1 || v[2].value != 3 || v[2].status != 0 {
		t.Errorf("live again %+v", v)
	}

	// A new list replaces the old one, with new ids.
	b.say(`{"tags":["` + gearbox + `/$MODE","` + temperature + `"],"texts":true}`)
	for {
		kind, m := b.next()
		if kind == websocket.MessageText {
			if string(m) != `{"ids":{"HSM/FM/F3/GBX/$MODE":1,"HSM/FM/F3/GBX/TEMP":2},"unknown":[]}` {
				t.Errorf("ids %s", m)
			}
			break
		}
	}
	if v := b.values(); len(v) != 2 || v[2].value != 3 || v[1].value == v[1].value || v[1].status != 0 {
		t.Errorf("new list %+v", v)
	}
	b.text(`{"texts":[{"id":1,"t":"2026-11-22T00:05:00.000Z","v":"rolling","q":"Good"}]}`)
	s.Hub.Values(plant.Batch{States: []plant.State{{Tag: mode, Time: epoch + second, Value: "idle"}}})
	if v := b.values(); len(v) != 1 {
		t.Errorf("text changed %+v", v)
	}
	b.text(`{"texts":[{"id":1,"t":"2026-11-22T00:05:01.000Z","v":"idle","q":"Good"}]}`)
	s.Hub.put(plant.Sample{Tag: vib, Time: epoch, Value: 2}) // of the old list
	s.Hub.Stale([]plant.TagID{mode}, 0)
	if v := b.values(); len(v) != 1 || v[1].status != plant.StaleValue {
		t.Errorf("stale text %+v", v)
	}
	b.text(`{"texts":[{"id":1,"t":"2026-11-22T00:05:01.000Z","v":"idle","q":"UncertainNoCommunicationLastUsableValue"}]}`)

	// An empty list is one too.
	b.say(`{"tags":[]}`)
	b.text(`{"ids":{},"unknown":[]}`)
}

// TestLiveBeat holds that a page can tell a dead link from a quiet plant.
func TestLiveBeat(t *testing.T) {
	s := run(t, nil)
	b := s.browser()
	b.say(`{"tags":["` + vibration + `"]}`)
	b.next()
	last := time.Now()
	for range 4 {
		kind, _ := b.next()
		if d := time.Since(last); kind != websocket.MessageBinary || d > 5*time.Second {
			t.Errorf("%v after %v", kind, d)
		}
		last = time.Now()
	}
}

// TestLiveLatency measures from Values to the browser: at once when it rests,
// and at most one pause later under a steady stream.
func TestLiveLatency(t *testing.T) {
	s := run(t, nil)
	b := s.browser()
	b.say(`{"tags":["` + vibration + `"]}`)
	b.next()
	b.values()
	time.Sleep(2 * framePause)
	start := time.Now()
	s.Hub.put(plant.Sample{Tag: s.id(vibration), Time: epoch, Value: 1})
	b.values()
	if d := time.Since(start); d > 5*framePause {
		t.Errorf("a rested browser got its value after %v", d)
	}
	start = time.Now()
	s.Hub.put(plant.Sample{Tag: s.id(vibration), Time: epoch, Value: 2})
	b.values()
	if d := time.Since(start); d > 6*framePause {
		t.Errorf("the next value came after %v", d)
	}
}

func TestLiveRefuses(t *testing.T) {
	s := run(t, nil)
	for _, c := range []struct {
		message string
		code    websocket.StatusCode
		reason  string
	}{
		{`x`, websocket.StatusPolicyViolation, `not {"tags"`},
		{`{}`, websocket.StatusPolicyViolation, "tags: missing"},
		{`{"tags":7}`, websocket.StatusPolicyViolation, `not {"tags"`},
		{`{"tags":[` + strings.TrimSuffix(numbered(maxSubscribe+1), ",") + `]}`, websocket.StatusPolicyViolation, "tags: 10001; at most 10000"},
		{`{"tags":["` + strings.Repeat("x", maxMessage) + `"]}`, websocket.StatusMessageTooBig, ""},
	} {
		b := s.browser()
		b.say(c.message)
		if got := b.closed(); got.Code != c.code || !strings.Contains(got.Reason, c.reason) {
			t.Errorf("%.40s: closed with %v %s", c.message, got.Code, got.Reason)
		}
	}
	b := s.browser()
	if err := b.conn.Write(t.Context(), websocket.MessageBinary, []byte{1}); err != nil {
		t.Fatal(err)
	}
	if got := b.closed(); got.Code != websocket.StatusPolicyViolation {
		t.Errorf("binary: closed with %v", got)
	}
	a := s.get("live", "Upgrade", "websocket", "Connection", "Upgrade", "Origin", "http://evil.example", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
	s.refused(a, 403, "the request comes from another site")
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%d",`, i)
	}
	return b.String()
}

// TestLiveEndsWithServer holds that browsers are told, also one that does not
// read; run's cleanup holds the time.
func TestLiveEndsWithServer(t *testing.T) {
	w := newWorks()
	s := &Server{Listen: "127.0.0.1:0", NoLogin: true, History: w, Alarms: book{w}, Plant: w, Hub: &Hub{}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-s.Started()
	at := &site{works: w, Server: s, t: t, url: s.URL()}
	reads, deaf := at.browser(), at.browser()
	reads.say(`{"tags":[]}`)
	deaf.say(`{"tags":[]}`)
	reads.next()
	stream, err := http.Get(s.URL() + "/api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	start := time.Now()
	cancel()
	if got := reads.closed(); got.Code != websocket.StatusGoingAway {
		t.Errorf("closed with %v", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("the stop took %v", d)
	}
}

// TestLiveSlow holds that a browser that stops reading holds nobody up, and that
// it gets the latest values and not all of them when it reads again.
func TestLiveSlow(t *testing.T) {
	s := run(t, nil)
	var paths []string
	s.mu.Lock()
	for i := range 5000 {
		path := fmt.Sprintf("MANY/T%d", i)
		s.works.tags = append(s.works.tags, plant.Tag{ID: plant.TagID(100 + i), Path: path, Asset: "MANY"})
		paths = append(paths, `"`+path+`"`)
	}
	s.mu.Unlock()
	// A small receive window, so that the server's writes block soon.
	dialer := &net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	transport := &http.Transport{DialContext: dialer.DialContext}
	defer transport.CloseIdleConnections()
	conn, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(s.url, "http")+"/api/v1/live", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 22)
	slow := &browser{t, conn}
	slow.say(`{"tags":[` + strings.Join(paths, ",") + `]}`)
	slow.next()
	slow.values()

	quick := s.browser()
	quick.say(`{"tags":["MANY/T0"]}`)
	quick.next()
	quick.values()

	// 100 ticks of 60 kB: far more than the buffers between the two hold.
	b := plant.Batch{Samples: make([]plant.Sample, len(paths))}
	const ticks = 100
	var worst time.Duration
	for round := range ticks {
		for i := range b.Samples {
			b.Samples[i] = plant.Sample{Tag: plant.TagID(100 + i), Time: epoch, Value: float64(round + 1)}
		}
		start := time.Now()
		s.Hub.Values(b)
		worst = max(worst, time.Since(start))
		time.Sleep(15 * time.Millisecond)
	}
	// Held up by the socket it would wait until that is cut, after writeTime; less
	// is a busy machine.
	if worst > writeTime/2 {
		t.Errorf("Values took %v", worst)
	}
	for v := quick.values(); v[1].value != ticks; v = quick.values() {
	}
	latest := map[uint16]float32{}
	frames := 0
	for latest[1] != ticks || latest[uint16(len(paths))] != ticks {
		for id, v := range slow.values() {
			latest[id] = v.value
		}
		frames++
	}
	t.Logf("slow browser: %d frames of %d ticks; Values took at most %v", frames, ticks, worst)
	if frames > ticks*3/4 {
		t.Errorf("%d frames of %d ticks: nothing was skipped", frames, ticks)
	}
}

// TestLivePlaces holds the bound on open sockets.
func TestLivePlaces(t *testing.T) {
	var g gate
	for range maxStreams {
		if !g.enter("live") {
			t.Fatal("refused early")
		}
	}
	if g.enter("live") || !g.enter("events") {
		t.Error("the bound does not hold")
	}
	for range maxStreams {
		g.leave("live")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.close(ctx) // one is inside: ends with ctx
	g.leave("events")
	g.close(context.Background())
}

func FuzzSubscription(f *testing.F) {
	f.Add([]byte(`{"tags":["a","b","a"],"texts":true}`))
	f.Add([]byte(`{"tags":null}`))
	f.Add([]byte(`{"TAGS":["\ud800"]}`))
	f.Fuzz(func(t *testing.T, message []byte) {
		sub, err := parseSubscription(message)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, tag := range sub.Tags {
			if seen[tag] {
				t.Errorf("%q twice", tag)
			}
			seen[tag] = true
		}
		again, err := json.Marshal(struct {
			Tags  []string `json:"tags"`
			Texts bool     `json:"texts"`
		}{list(sub.Tags), sub.Texts})
		if err != nil {
			t.Fatal(err)
		}
		if twin, err := parseSubscription(again); err != nil || strings.Join(twin.Tags, "\n") != strings.Join(sub.Tags, "\n") || twin.Texts != sub.Texts {
			t.Errorf("%q does not survive: %v", message, err)
		}
	})
}

// BenchmarkLive is 50 browsers with 500 tags each at 10 Hz over loopback
// sockets. cpu-% is the user and system time of this whole process, browsers
// included, of one core.
func BenchmarkLive(b *testing.B) {
	const browsers, tags = 50, 500
	w := newWorks()
	var paths []string
	for i := range tags {
		path := fmt.Sprintf("MANY/T%d", i)
		w.tags = append(w.tags, plant.Tag{ID: plant.TagID(100 + i), Path: path, Asset: "MANY"})
		paths = append(paths, `"`+path+`"`)
	}
	s := &Server{Listen: "127.0.0.1:0", NoLogin: true, History: w, Alarms: book{w}, Plant: w, Hub: &Hub{}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-s.Started()
	var readers sync.WaitGroup
	for range browsers {
		conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.URL(), "http")+"/api/v1/live", nil)
		if err != nil {
			b.Fatal(err)
		}
		conn.SetReadLimit(1 << 20)
		if err := conn.Write(ctx, websocket.MessageText, []byte(`{"tags":[`+strings.Join(paths, ",")+`]}`)); err != nil {
			b.Fatal(err)
		}
		readers.Go(func() {
			defer conn.CloseNow()
			for {
				if _, _, err := conn.Read(context.Background()); err != nil {
					return
				}
			}
		})
	}
	batch := plant.Batch{Samples: make([]plant.Sample, tags)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, cpu, n := time.Now(), cpuTime(b), 0
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for b.Loop() {
		<-tick.C
		now := time.Now().UnixNano()
		for i := range batch.Samples {
			batch.Samples[i] = plant.Sample{Tag: plant.TagID(100 + i), Time: now, Value: float64(n)}
		}
		s.Hub.Values(batch)
		n++
	}
	wall, used := time.Since(start), cpuTime(b)-cpu
	runtime.ReadMemStats(&after)
	b.ReportMetric(100*used.Seconds()/wall.Seconds(), "cpu-%")
	b.ReportMetric(float64(used.Microseconds())/float64(n), "cpu-µs/tick")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(n*browsers), "allocs/frame")
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
	readers.Wait()
}

// cpuTime is the user and system time of this process.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
