package ingest_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"millwright/edge/queue"
	"millwright/historian/alarm"
	"millwright/historian/ingest"
	"millwright/historian/store"
	"millwright/plant"
)

func lineFigure(name string, value float64, unit string) {
	b, _ := os.ReadFile("/proc/loadavg")
	load, _, _ := strings.Cut(string(b), " ")
	fmt.Printf("FIGURE delivery.%s %s %s (load %s)\n", name, strconv.FormatFloat(value, 'g', 4, 64), unit, load)
}

// toldBook is the real alarm book, and says when a finding is in it, durably.
type toldBook struct {
	*alarm.Book
	told chan time.Time
}

func (b *toldBook) Apply(ctx context.Context, edge string, epoch, number uint64, f []plant.Finding) error {
	err := b.Book.Apply(ctx, edge, epoch, number, f)
	if err == nil && edge != "plant" {
		b.told <- time.Now()
	}
	return err
}

// realLine is a broker and an ingest over the real store and alarm book.
func realLine(t *testing.T, s *screen) (url string, st *store.Pebble, book *toldBook, host func()) {
	t.Helper()
	b := newNATS(t)
	dir := t.TempDir()
	st, err := store.Open(store.Config{Dir: dir + "/store", Reserve: -1, Log: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	al, err := alarm.Open(dir + "/alarm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = al.Close() })
	book = &toldBook{al, make(chan time.Time, 10_000)}
	return b.url(), st, book, func() {
		run(t, (&ingest.Ingest{Broker: b.url(), HostID: "plant", Store: st, Alarms: book, Live: s, Log: quiet(t)}).Run)
	}
}

// TestFigureDrain measures, with MILLWRIGHT_FIGURES=1, how an outage at 5,000
// samples/s drains while the edge goes on at that rate: queue, uplink, broker,
// ingest and store are the real ones, each record as long as a second of a device.
// MILLWRIGHT_OUTAGE is its length in seconds.
func TestFigureDrain(t *testing.T) {
	if os.Getenv("MILLWRIGHT_FIGURES") == "" {
		t.Skip("MILLWRIGHT_FIGURES is not set")
	}
	outage := 1200
	if n, err := strconv.Atoi(os.Getenv("MILLWRIGHT_OUTAGE")); err == nil {
		outage = n
	}
	names := []string{"plc", "plc-2", "plc-3"}
	devices := map[string][]plant.Tag{}
	for i, name := range names {
		devices[name] = tags(name, []int{2000, 2000, 1000}[i])
	}
	s := &screen{}
	url, st, book, host := realLine(t, s)
	e := newBox(t, t.TempDir(), url, devices)
	begun := plant.Millis(time.Now().UnixNano()) - int64(outage)*1000*ms
	queued := 0
	for second := range outage {
		for _, name := range names {
			d := queue.Draft{Lane: queue.Telemetry, Device: name}
			for i, tag := range devices[name] {
				v := math.Round(1e3*math.Sin(float64(second)/70+float64(i))) / 1e3
				d.Batch.Samples = append(d.Batch.Samples, plant.Sample{Tag: tag.ID, Time: begun + int64(second)*1000*ms, Value: v})
			}
			queued += len(d.Batch.Samples)
			if _, err := e.queue.Append([]queue.Draft{d}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	flushed(t, e)
	bytes := e.queue.Stats().Bytes
	live := 0
	feed := func(end <-chan struct{}, done chan<- struct{}) {
		defer close(done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ { // a fifth of the tags at each step
			select {
			case <-end:
				return
			case now := <-tick.C:
				for _, name := range names {
					d := queue.Draft{Lane: queue.Telemetry, Device: name}
					for k := i % 5; k < len(devices[name]); k += 5 {
						d.Batch.Samples = append(d.Batch.Samples, plant.Sample{Tag: devices[name][k].ID, Time: plant.Millis(now.UnixNano()), Value: float64(i % 1000)})
					}
					live += len(d.Batch.Samples)
					e.put(d)
				}
			}
		}
	}
	end, done := make(chan struct{}), make(chan struct{})
	go feed(end, done)
	time.Sleep(3 * time.Second)
	host()
	eventually(t, "births", 30*time.Second, func() bool { return e.up.Counts().Births >= 1 })
	x := e.drain(s, book.told, 200, 30*time.Second, time.Hour)
	close(end)
	<-done
	e.empty(2 * time.Minute)
	if len(x.late) == 0 || x.urgent < 4 {
		t.Fatalf("%d live values and %d findings while draining: nothing was measured", len(x.late), x.urgent)
	}
	lineFigure("drain_ratio", float64(outage)/x.took.Seconds(), "x")
	lineFigure("drain_live_delay_ms", float64(x.late[len(x.late)*99/100].Microseconds())/1e3, "ms")
	lineFigure("drain_alarm_delay_ms", float64(x.slowest.Microseconds())/1e3, "ms")
	stored := 0
	for _, tag := range st.Tags() {
		for block, err := range st.Scan(t.Context(), plant.Range{Tag: tag.ID, To: 1 << 62}) {
			if err != nil {
				t.Fatal(err)
			}
			stored += len(block.Times)
		}
	}
	t.Logf("outage of %d s, %d samples, %d MB queued, drained in %v; live values median %v, worst %v; %d findings; stored %d of %d",
		outage, queued, bytes>>20, x.took, x.late[len(x.late)/2], x.late[len(x.late)-1], x.urgent, stored, queued+live)
	if stored != queued+live {
		t.Errorf("%d samples are stored, %d were queued", stored, queued+live)
	}
}

// TestFigureAlarm measures, with MILLWRIGHT_FIGURES=1, the way of a finding from the
// edge into the alarm book, synced, under 1,000 messages of telemetry a second.
func TestFigureAlarm(t *testing.T) {
	if os.Getenv("MILLWRIGHT_FIGURES") == "" {
		t.Skip("MILLWRIGHT_FIGURES is not set")
	}
	const findings, every = 1000, 30 * time.Millisecond
	s := &screen{}
	url, st, book, host := realLine(t, s)
	host()
	e := newBox(t, t.TempDir(), url, two(5))
	eventually(t, "births", 30*time.Second, func() bool { return e.up.Counts().Births == 1 })
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			case <-tick.C:
				for range 10 {
					e.sample([]string{"plc", "plc-2"}[i%2])
				}
			}
		}
	}()
	time.Sleep(2 * time.Second)
	before, begin := e.up.Counts().Sent, time.Now()
	var took []time.Duration
	for i := range findings {
		at := time.Now()
		e.finding(fmt.Sprintf("f-%d", i))
		took = append(took, (<-book.told).Sub(at))
		time.Sleep(every)
	}
	rate := float64(e.up.Counts().Sent-before) / time.Since(begin).Seconds()
	close(end)
	<-done
	e.empty(time.Minute)
	slices.Sort(took)
	lineFigure("alarm_p99_ms", float64(took[len(took)*99/100].Microseconds())/1e3, "ms")
	t.Logf("%d findings under %.0f messages/s: median %v, worst %v; %d tags", findings, rate, took[len(took)/2], took[len(took)-1], len(st.Tags()))
	if rate < 900 {
		t.Errorf("%.0f messages/s: the load was not there", rate)
	}
}
