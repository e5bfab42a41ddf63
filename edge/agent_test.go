package edge

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"millwright/edge/queue"
	"millwright/plant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a source that writes the batches of a test and then waits.
type script struct {
	batches []plant.Batch
	mu      sync.Mutex
	durable []uint64
	state   plant.PLCStatus
	changed chan struct{}
	wrote   chan struct{}
}

func (s *script) Run(ctx context.Context, out plant.Sink) error {
	for _, b := range s.batches {
		if err := out.Write(ctx, b); err != nil {
			return err
		}
	}
	close(s.wrote)
	<-ctx.Done()
	return nil
}

func (s *script) Committed(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.durable = append(s.durable, n)
}

func (s *script) Status() plant.PLCStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

func (s *script) Changed() <-chan struct{} { return s.changed }

// sent is an uplink that keeps what it is offered.
type sent struct {
	mu      sync.Mutex
	records []*queue.Record
	audit   []*queue.Record
}

func (s *sent) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (s *sent) Changed()                      {}
func (s *sent) Offer(r *queue.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Lane == queue.Audit {
		s.audit = append(s.audit, r)
		return
	}
	s.records = append(s.records, r)
}

// echo makes a score of every sample and a finding of every value above 100.
type echo struct{}

func (echo) Observe(out *plant.Batch, in plant.Batch) {
	for _, s := range in.Samples {
		out.Samples = append(out.Samples, plant.Sample{Tag: s.Tag + 1000, Time: s.Time, Value: s.Value})
		if s.Value > 100 {
			out.Findings = append(out.Findings, plant.Finding{Asset: "A", Key: "high", Phase: plant.Raise, Time: s.Time})
		}
	}
}

func newAgent(t *testing.T, src *script) (*Agent, *sent) {
	t.Helper()
	q, err := queue.Open(queue.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	up := &sent{}
	src.changed, src.wrote = make(chan struct{}, 1), make(chan struct{})
	tags := make([]plant.Tag, 3*tagsPerDevice/2)
	for i := range tags {
		tags[i].Path = "A/T" + time.Duration(i).String()
	}
	a := &Agent{Name: "edge", Queue: q, Uplink: up, Detector: echo{}, PLCs: []PLC{{Name: "plc", Tags: tags, Source: src}}}
	if err := a.Intern(); err != nil {
		t.Fatal(err)
	}
	return a, up
}

func TestBatchIsQueuedSentJudgedAndCommitted(t *testing.T) {
	src := &script{}
	a, up := newAgent(t, src)
	tags := a.PLCs[0].Tags
	first, last := tags[0].ID, tags[len(tags)-1].ID
	src.batches = []plant.Batch{
		{Samples: []plant.Sample{{Tag: first, Value: 1}, {Tag: last, Value: 101}}},
		{Gaps: []plant.Gap{{Tag: first, To: 1e6}}},
		{},
		{Findings: []plant.Finding{{Asset: "A", Key: "plc/plc/x", Class: plant.PLCAlarm, Phase: plant.Raise, Text: "oil low"}}}, // of the PLC itself
		{Samples: []plant.Sample{{Tag: first, Time: 1e6, Value: 2}}},
		{Samples: []plant.Sample{{Tag: first, Time: 5e5, Value: 500}}, Late: true}, // kept, and judged by nobody
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	<-src.wrote
	deadline := time.Now().Add(5 * time.Second)
	for {
		src.mu.Lock()
		n := len(src.durable)
		src.mu.Unlock()
		if n == 6 || time.Now().After(deadline) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	src.mu.Lock()
	defer src.mu.Unlock()
	for i, n := range src.durable {
		if n != uint64(i+1) {
			t.Fatalf("batches became durable in the order %v", src.durable)
		}
	}
	if len(src.durable) != 6 {
		t.Fatalf("durable: %v, want six batches", src.durable)
	}
	var devices []string
	var findings, gaps int
	late, said := false, false
	for _, r := range up.records {
		if r.Device != StateDevice { // what the connections say of themselves comes whenever
			devices = append(devices, r.Device)
		}
		findings += len(r.Batch.Findings)
		gaps += len(r.Batch.Gaps)
		said = said || len(r.Batch.Findings) == 1 && r.Lane == queue.Findings && r.Batch.Findings[0].Text == "oil low"
		for _, s := range r.Batch.Samples {
			late = late || s.Value == 500
		}
	}
	if !late {
		t.Error("the late sample was not sent")
	}
	if !said {
		t.Error("what the PLC said was not sent ahead of the values")
	}
	if findings != 2 || gaps != 1 || len(devices) < 5 || devices[0] != "plc" || devices[1] != "plc-2" {
		t.Errorf("sent %v with %d findings and %d gaps", devices, findings, gaps)
	}
	if s := a.Queue.Stats(); int(s.Records) != len(up.records)+len(up.audit) {
		t.Errorf("%d records queued, %d sent", s.Records, len(up.records))
	}
}

func TestDevicesFollowTheConnection(t *testing.T) {
	src := &script{}
	a, _ := newAgent(t, src)
	alive := func() (n int) {
		for _, d := range a.Devices() {
			if d.Alive && d.Name != StateDevice {
				n++
			}
		}
		return n
	}
	if n := len(a.Devices()); n != 3 {
		t.Fatalf("%d devices, want plc, plc-2 and connections", n)
	}
	for state, want := range map[plant.PLCState]int{plant.Connecting: 0, plant.Live: 2, plant.Stale: 0, plant.CatchingUp: 2, plant.Down: 0} {
		src.state.State = state
		if n := alive(); n != want {
			t.Errorf("%s: %d alive, want %d", state, n, want)
		}
	}
}

func TestPLCThatStaysAwayIsTold(t *testing.T) {
	src := &script{}
	a, up := newAgent(t, src)
	a.away = map[string]int64{}
	now := time.Now()
	f := func(state plant.PLCState, since time.Duration, want ...plant.Phase) {
		t.Helper()
		up.records = nil
		a.judge("plc", plant.PLCStatus{State: state, Since: now.Add(-since).UnixNano()})
		var got []plant.Phase
		for _, r := range up.records {
			got = append(got, r.Batch.Findings[0].Phase)
		}
		if len(got) != len(want) || len(got) == 1 && got[0] != want[0] {
			t.Errorf("%s for %v: %v, want %v", state, since, got, want)
		}
	}
	a.judge("plc", plant.PLCStatus{State: plant.Connecting}) // it has not begun yet
	f(plant.Live, time.Hour)
	f(plant.Connecting, 5*time.Second)
	f(plant.Down, 11*time.Second, plant.Raise)
	f(plant.Down, 20*time.Second)
	f(plant.Connecting, time.Second)
	f(plant.Live, 0, plant.Clear)
	f(plant.Live, time.Minute)
}

// TestStatesOfAConnectionAreTold holds that each change of state and reason is a
// state of the tags below EDGE/PLC, in the order of their times, and the rate a
// sample.
func TestStatesOfAConnectionAreTold(t *testing.T) {
	a, up := newAgent(t, &script{})
	p := &a.PLCs[0]
	for _, s := range []plant.PLCStatus{
		{State: plant.Connecting}, {State: plant.Live, ValuesS: 5}, {State: plant.Live, ValuesS: 7},
		{State: plant.Down, Reason: "refused"}, {State: plant.Down, Reason: "no answer"}, {State: plant.Live},
	} {
		a.tellState(p, s)
	}
	var got []string
	last, rates := int64(0), 0
	for _, r := range up.records {
		if r.Device != StateDevice {
			t.Errorf("a record of %q", r.Device)
		}
		for _, s := range r.Batch.States {
			if s.Time < last {
				t.Errorf("%d follows %d", s.Time, last)
			}
			last = s.Time
			for _, tag := range p.states.tags {
				if tag.ID == s.Tag {
					got = append(got, tag.Path+"="+s.Value)
				}
			}
		}
		rates += len(r.Batch.Samples)
	}
	want := "edge/plc/$STATE=Connecting edge/plc/$REASON= edge/plc/$STATE=Live edge/plc/$STATE=Down edge/plc/$REASON=refused " +
		"edge/plc/$REASON=no answer edge/plc/$STATE=Live edge/plc/$REASON="
	if s := strings.Join(got, " "); s != want || rates != 1 {
		t.Errorf("told %s and %d rates, want %s and one", s, rates, want)
	}
}

func TestLearningAfreshEndsOldAlarms(t *testing.T) {
	src := &script{}
	a, up := newAgent(t, src)
	a.Assets = []plant.Asset{{Path: "A"}, {Path: "B"}}
	if err := a.Load(); err != nil {
		t.Fatal(err)
	}
	a.begin()
	if len(up.records) != 2 {
		t.Fatalf("%d records, want one for each asset", len(up.records))
	}
	for i, r := range up.records {
		f := r.Batch.Findings[0]
		if f.Asset != a.Assets[i].Path || f.Key != plant.AnyKey || f.Phase != plant.Clear || r.Lane != queue.Findings {
			t.Errorf("%+v", f)
		}
	}
}

func TestSplitKeepsEverything(t *testing.T) {
	device := map[plant.TagID]string{1: "a", 2: "b"}
	var b plant.Batch
	for i := range 5000 {
		b.Samples = append(b.Samples, plant.Sample{Tag: plant.TagID(1 + i%2), Time: int64(i)})
	}
	for i := range 2 * statesPerRecord {
		b.States = append(b.States, plant.State{Tag: 1, Time: int64(i)})
	}
	b.Findings = make([]plant.Finding, 3)
	b.Gaps = make([]plant.Gap, gapsPerRecord+1)
	var g groups
	for range 2 { // the second time with reused memory
		var n, st, f, gp int
		for _, d := range g.split(nil, b, device) {
			n, st, f, gp = n+len(d.Batch.Samples), st+len(d.Batch.States), f+len(d.Batch.Findings), gp+len(d.Batch.Gaps)
			for _, s := range d.Batch.Samples {
				if device[s.Tag] != d.Device {
					t.Fatal("a sample went to another device")
				}
			}
			if len(d.Batch.Samples) > samplesPerRecord {
				t.Error("record too long")
			}
		}
		if n != 5000 || st != 2*statesPerRecord || f != 3 || gp != gapsPerRecord+1 {
			t.Errorf("%d samples, %d states, %d findings, %d gaps", n, st, f, gp)
		}
	}
}

func TestWriteAfterCloseIsBackPressure(t *testing.T) {
	src := &script{}
	a, _ := newAgent(t, src)
	_ = a.Queue.Close()
	err := (&feed{agent: a, plc: &a.PLCs[0]}).Write(t.Context(), plant.Batch{Samples: []plant.Sample{{Tag: 1}}})
	if !errors.Is(err, queue.ErrClosed) {
		t.Error(err)
	}
}
