package ingest

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"millwright/e2e/port"
	"millwright/historian/alarm"
	"millwright/historian/store"
	"millwright/historian/store/storetest"
	"millwright/plant"
	"millwright/sparkplug"
)

// real is an ingest over the embedded store and the real alarm book.
func real(t testing.TB) (*Ingest, *store.Pebble) {
	t.Helper()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	st, err := store.Open(store.Config{Dir: filepath.Join(dir, "store"), Reserve: -1, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	book, err := alarm.Open(filepath.Join(dir, "alarms"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = book.Close() })
	return &Ingest{HostID: "plant", Store: st, Alarms: book, Log: log, Dir: filepath.Join(dir, "ingest")}, st
}

// TestFigureIngest measures, with MILLWRIGHT_FIGURES=1, how many samples a second
// are decoded, stored durably and acknowledged: records of 250 samples of one of
// four devices of 250 tags, one after the other, of which 200 are on their way.
func TestFigureIngest(t *testing.T) {
	if os.Getenv("MILLWRIGHT_FIGURES") == "" {
		t.Skip("MILLWRIGHT_FIGURES is not set")
	}
	const devices, tags, records, flying = 4, 250, 20_000, 200
	g, st := real(t)
	g.init()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	for _, part := range []func(context.Context){newDecoder(g).run, g.commit.run} {
		go func() { part(ctx); done <- struct{}{} }()
	}
	var p sparkplug.Payload
	p.SetNodeBirth(1, 1)
	p.Declare(1, sparkplug.MetricQueueVersion, 2, sparkplug.UInt32, sparkplug.UInt32Value(1), true)
	p.DeclareQueue(1, sparkplug.QueueAliases{Epoch: 4, Record: 6, Oldest: 8}, 5, 1)
	g.put(message{topic: "spBv1.0/m/NBIRTH/e", payload: p.AppendTo(nil), arrived: 1})
	ids := make([]plant.TagID, devices*tags)
	for d := range devices {
		p.Begin(1, uint8(d+1))
		p.DeclareQueue(1, sparkplug.QueueAliases{Epoch: uint64(10 + 6*d), Record: uint64(12 + 6*d), Oldest: uint64(14 + 6*d)}, 5, 1)
		for i := range tags {
			n := d*tags + i
			ids[n] = plant.TagID(n)
			p.Declare(1, "T"+strconv.Itoa(n), uint64(2*n+1001), sparkplug.Double, sparkplug.Value{}, false)
		}
		g.put(message{topic: "spBv1.0/m/DBIRTH/e/d" + strconv.Itoa(d), payload: p.AppendTo(nil), arrived: 1})
	}
	mix := storetest.NewMix(ids, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixNano(), int64(200*time.Millisecond), 1)
	var list []message
	var samples []plant.Sample
	for n := range records {
		d := n % devices
		if d == 0 {
			samples = mix.Next(samples[:0])
		}
		p.Begin(1, uint8(n+devices+1))
		for _, s := range samples[d*tags : (d+1)*tags] {
			p.AddSample(s, uint64(2*s.Tag+1001), false)
		}
		p.AddQueue(1, sparkplug.QueueAliases{Epoch: uint64(10 + 6*d), Record: uint64(12 + 6*d), Oldest: uint64(14 + 6*d)}, 5, uint64(n+1), uint64(max(1, n-flying)), false)
		list = append(list, message{topic: "spBv1.0/m/DDATA/e/d" + strconv.Itoa(d), payload: p.AppendTo(nil), arrived: time.Now().UnixNano()})
	}
	e := epoch{"m/e", 5}
	answered := func() uint64 {
		g.answers.mu.Lock()
		defer g.answers.mu.Unlock()
		return sparkplug.CountSpans(g.answers.edges["m/e"].of(5).fresh)
	}
	at := time.Now()
	for n := range list {
		for n%50 == 0 && uint64(n) > sparkplug.CountSpans(g.known.from(e, 1, at))+flying {
			time.Sleep(time.Millisecond)
		}
		g.put(list[n])
	}
	for answered() < records {
		time.Sleep(time.Millisecond)
	}
	took := time.Since(at)
	cancel()
	<-done
	<-done
	if s := st.Stats(); s.Appended < records*tags || g.counts.dropped.Load() > 0 {
		t.Fatalf("%+v, dropped %d", s, g.counts.dropped.Load())
	}
	fmt.Printf("FIGURE delivery.ingest_samples_s %.0f samples/s\n", records*tags/took.Seconds())
}

// TestFigureMessage measures, with MILLWRIGHT_FIGURES=1, what a message of one
// metric costs the host: a foreign edge in a process of its own says one every
// 50 µs through mosquitto, and each is stored. MILLWRIGHT_BROKER_URL is for its
// process.
func TestFigureMessage(t *testing.T) {
	if os.Getenv("MILLWRIGHT_FIGURES") == "" {
		t.Skip("MILLWRIGHT_FIGURES is not set")
	}
	const messages, tags = 200_000, 100
	if addr := os.Getenv("MILLWRIGHT_BROKER_ADDRESS"); addr != "" {
		speak(t, addr, messages, tags)
		return
	}
	addr := port.Address(t)
	mosquitto(t, addr)
	g, st := real(t)
	g.Broker = "tcp://" + addr
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	defer func() { cancel(); <-done }()
	for {
		g.answers.mu.Lock()
		online := len(g.answers.links) > 0
		g.answers.mu.Unlock()
		if online {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	before := cpu(t)
	c := exec.Command(os.Args[0], "-test.run=TestFigureMessage$")
	c.Env = append(os.Environ(), "MILLWRIGHT_BROKER_ADDRESS="+addr)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	for range 200 {
		if st.Stats().Appended >= messages {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	spent := cpu(t) - before
	if n := st.Stats().Appended; n != messages {
		t.Fatalf("%d of %d messages are stored: %+v", n, messages, g.Counts())
	}
	fmt.Printf("FIGURE delivery.message_us %.2f us\n", float64(spent.Nanoseconds())/1e3/messages)
}

// cpu is what this process has used.
func cpu(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// mosquitto runs the broker until the test ends.
func mosquitto(t testing.TB, addr string) {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	_, p, _ := net.SplitHostPort(addr)
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n", p), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, "-c", conf)
	if err := c.Start(); err != nil {
		t.Skip("mosquitto is not installed: apt-get install mosquitto")
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	for range 200 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("mosquitto does not listen")
}

// speak is a foreign edge: MQTT by hand, so that the other side is what is measured.
func speak(t *testing.T, addr string, messages, tags int) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	w := bufio.NewWriterSize(conn, 32<<10)
	packet := func(kind byte, body []byte) {
		_ = w.WriteByte(kind)
		_, _ = w.Write(binary.AppendUvarint(nil, uint64(len(body))))
		_, _ = w.Write(body)
	}
	packet(0x10, []byte("\x00\x04MQTT\x04\x02\x00\x3c\x00\x07foreign"))
	_ = w.Flush()
	if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil { // CONNACK
		t.Fatal(err)
	}
	publish := func(topic string, p *sparkplug.Payload) {
		packet(0x30, p.AppendTo(append([]byte{0, byte(len(topic))}, topic...)))
	}
	var p sparkplug.Payload
	p.SetNodeBirth(1, 1)
	for i := range tags {
		p.Declare(1, "T"+strconv.Itoa(i), uint64(i+1), sparkplug.Double, sparkplug.Value{}, false)
	}
	publish("spBv1.0/m/NBIRTH/e", &p)
	start := time.Now()
	for n := range messages {
		p.Begin(time.Now().UnixNano(), uint8(n+1))
		p.AddSample(plant.Sample{Time: (1_700_000_000_000 + int64(n/tags)) * int64(time.Millisecond), Value: float64(n)}, uint64(n%tags+1), false)
		publish("spBv1.0/m/NDATA/e", &p)
		if n%20 == 0 {
			_ = w.Flush()
			time.Sleep(time.Until(start.Add(time.Duration(n) * 50 * time.Microsecond)))
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
}
