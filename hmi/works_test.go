package hmi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"millwright/hmi/account"
	"millwright/plant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// works is a small plant in memory: what the historian would know.
type works struct {
	mu        sync.Mutex
	tags      []plant.Tag
	assets    []plant.Asset
	samples   map[plant.TagID][]plant.Sample // ascending
	states    map[plant.TagID][]plant.State
	waveforms map[plant.TagID][]plant.Waveform
	gaps      map[plant.TagID][]plant.Gap
	journal   []plant.Alarm
	changed   chan struct{}
	edges     []plant.EdgeStatus
	fault     error // what every call answers, where set
}

var (
	errNoAlarm  = errors.New("no such alarm")
	errMoved    = errors.New("alarm has changed")
	errCursor   = errors.New("no cursor")
	errNoDisk   = errors.New("secret detail of the disk")
	epoch       = time.Date(2026, 11, 22, 0, 5, 0, 0, time.UTC).UnixNano()
	gearbox     = "HSM/FM/F3/GBX"
	vibration   = gearbox + "/VIB_H"
	temperature = gearbox + "/TEMP"
)

const second = int64(time.Second)

func newWorks() *works {
	w := &works{samples: map[plant.TagID][]plant.Sample{}, waveforms: map[plant.TagID][]plant.Waveform{}, states: map[plant.TagID][]plant.State{}, gaps: map[plant.TagID][]plant.Gap{},
		changed: make(chan struct{})}
	for i, t := range []plant.Tag{
		{Path: vibration, Unit: "mm/s", High: 20, Description: "Gearbox vibration, horizontal", Resolution: 0.01},
		{Path: temperature, Unit: "°C", Description: "Oil temperature"},
		{Path: gearbox + "/COIL", Kind: plant.Text},
		{Path: gearbox + "/" + plant.TagHealth, Derived: true},
		{Path: gearbox + "/" + plant.TagScore, Derived: true},
		{Path: gearbox + "/" + plant.TagMode, Derived: true, Kind: plant.Text},
		{Path: gearbox + "/" + plant.TagModel, Derived: true, Kind: plant.Text},
		{Path: "HSM/DSC/PUMP/FLOW", Unit: "m³/h"},
		{Path: "BOF/FAN/SPEED", Unit: "1/min"},
	} {
		t.ID = plant.TagID(i + 1)
		t.Asset = t.Path[:strings.LastIndexByte(t.Path, '/')]
		w.tags = append(w.tags, t)
	}
	w.assets = []plant.Asset{{Path: "BOF/FAN", Name: "BOF fan", Class: "fan"}, {Path: gearbox, Name: "F3 gearbox", Class: "gearbox", Criticality: "A", Number: "20-G-3",
		Nameplate: &plant.Nameplate{Maker: "Flender", Power: 7000, Support: plant.Rigid, Lubricant: "ISO VG 320", Origin: plant.Origin{Source: plant.SourceNameplate, Author: "A. Khan", Date: "2026-03-31"}},
		Bearings:  []plant.Bearing{{Position: "DE", Given: &plant.BearingOrders{BPFO: 3.585, BPFI: 5.415, BSF: 2.357, FTF: 0.398}}, {Position: "NDE", Origin: plant.Origin{Source: plant.SourceUnknown}}},
		Gears:     []plant.Gear{{Stage: "1", Pinion: 23, Wheel: 71}},
		Limits:    []plant.Limit{{Tag: vibration, Kind: plant.LimitHigh, Value: 7.1, Priority: 2, Modes: []string{"rolling"}, Basis: "ISO 20816-3"}},
		Sensors:   []plant.Mount{{Tag: vibration, Mounting: plant.Stud, Direction: plant.Horizontal, Calibrated: "2026-03-31"}},
		Spares:    []plant.Spare{{Part: "pinion", Stock: new(0), LeadDays: 200}, {Part: "seal", Number: "M-7"}},
		Drawings:  []plant.Drawing{{Title: "section", Link: "http://drawings.plant/4711.pdf"}}},
		{Path: "HSM/DSC/PUMP", Name: "Descaling pump", Class: "pump"}}
	return w
}

func (w *works) id(path string) plant.TagID {
	for _, t := range w.tags {
		if t.Path == path {
			return t.ID
		}
	}
	panic("no tag " + path)
}

func (w *works) Tags() []plant.Tag         { w.mu.Lock(); defer w.mu.Unlock(); return slices.Clone(w.tags) }
func (w *works) Assets() []plant.Asset     { return w.assets }
func (w *works) Edges() []plant.EdgeStatus { return w.edges }

func last[T any](in map[plant.TagID][]T, tags []plant.TagID) (out []T) {
	for _, id := range tags {
		if s := in[id]; len(s) > 0 {
			out = append(out, s[len(s)-1])
		}
	}
	return out
}

func (w *works) Last(_ context.Context, tags []plant.TagID) ([]plant.Sample, error) {
	return last(w.samples, tags), w.fault
}

func (w *works) LastStates(_ context.Context, tags []plant.TagID) ([]plant.State, error) {
	return last(w.states, tags), w.fault
}

func cut[T any](in []T, r plant.Range, time func(T) int64) (out []T) {
	for _, v := range in {
		if t := time(v); t >= r.From && t < r.To && (r.Limit == 0 || len(out) < r.Limit) {
			out = append(out, v)
		}
	}
	return out
}

// Scan yields blocks of three.
func (w *works) Scan(_ context.Context, r plant.Range) iter.Seq2[plant.Block, error] {
	return func(yield func(plant.Block, error) bool) {
		if w.fault != nil {
			yield(plant.Block{}, w.fault)
			return
		}
		for part := range slices.Chunk(cut(w.samples[r.Tag], r, func(s plant.Sample) int64 { return s.Time }), 3) {
			b := plant.Block{Tag: r.Tag}
			for _, s := range part {
				b.Times, b.Values, b.Quality = append(b.Times, s.Time), append(b.Values, s.Value), append(b.Quality, s.Quality)
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

func (w *works) Trend(_ context.Context, q plant.TrendQuery) ([]plant.Bucket, error) {
	out := make([]plant.Bucket, q.Buckets)
	width := (q.To - q.From) / int64(q.Buckets)
	for i := range out {
		from := q.From + int64(i)*width
		b := plant.Bucket{Time: from, Min: math.NaN(), Max: math.NaN(), Mean: math.NaN()}
		for _, s := range cut(w.samples[q.Tag], plant.Range{From: from, To: from + width}, func(s plant.Sample) int64 { return s.Time }) {
			if b.Count == 0 {
				b.Min, b.Max, b.Mean = s.Value, s.Value, s.Value
			}
			b.Min, b.Max, b.Good = min(b.Min, s.Value), max(b.Max, s.Value), 1
			b.Count++
		}
		out[i] = b
	}
	return out, w.fault
}

func (w *works) Gaps(_ context.Context, r plant.Range) (out []plant.Gap, _ error) {
	for _, g := range w.gaps[r.Tag] {
		if g.From < r.To && g.To > r.From {
			out = append(out, g)
		}
	}
	return out, w.fault
}

func (w *works) States(_ context.Context, r plant.Range) ([]plant.State, error) {
	return cut(w.states[r.Tag], r, func(s plant.State) int64 { return s.Time }), w.fault
}

func (w *works) Waveforms(_ context.Context, r plant.Range) iter.Seq2[plant.Waveform, error] {
	return func(yield func(plant.Waveform, error) bool) {
		if w.fault != nil {
			yield(plant.Waveform{}, w.fault)
			return
		}
		for _, x := range cut(w.waveforms[r.Tag], r, func(x plant.Waveform) int64 { return x.Time }) {
			if !yield(x, nil) {
				return
			}
		}
	}
}

func (w *works) LastWaveform(_ context.Context, tag plant.TagID) (plant.Waveform, error) {
	if l := last(w.waveforms, []plant.TagID{tag}); len(l) > 0 {
		return l[0], w.fault
	}
	return plant.Waveform{}, w.fault
}

// enter adds an entry to the alarm journal.
func (w *works) enter(a plant.Alarm) plant.Alarm {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.Seq = uint64(len(w.journal) + 1)
	w.journal = append(w.journal, a)
	close(w.changed)
	w.changed = make(chan struct{})
	return a
}

// book is the alarm book of the works.
type book struct{ *works }

func (b book) newest() []plant.Alarm {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := map[int64]bool{}
	var out []plant.Alarm
	for _, a := range slices.Backward(b.journal) {
		if !seen[a.ID] {
			seen[a.ID] = true
			out = append(out, a)
		}
	}
	return out
}

func (b book) List(_ context.Context, q plant.AlarmQuery) (out []plant.Alarm, next string, _ error) {
	if b.fault != nil {
		return nil, "", b.fault
	}
	after, err := strconv.ParseUint(cmp.Or(q.After, "999999999"), 10, 64)
	if err != nil {
		return nil, "", fmt.Errorf("list: %w", errCursor)
	}
	for _, a := range b.newest() {
		if a.Seq >= after || q.State != "" && a.State != q.State || !below(a.Finding.Asset, q.Asset) || a.Raised < q.Since {
			continue
		}
		if len(out) == q.Limit {
			return out, fmt.Sprint(out[len(out)-1].Seq), nil
		}
		out = append(out, a)
	}
	return out, "", nil
}

func (b book) Get(_ context.Context, id int64) (plant.Alarm, error) {
	for _, a := range b.newest() {
		if a.ID == id {
			return a, b.fault
		}
	}
	return plant.Alarm{}, cmp.Or(b.fault, fmt.Errorf("%w: %d", errNoAlarm, id))
}

func (b book) Ack(ctx context.Context, id int64, who, note string, ifState plant.AlarmState) (plant.Alarm, error) {
	a, err := b.Get(ctx, id)
	if err != nil {
		return a, err
	}
	if ifState != "" && ifState != a.State {
		return a, errMoved
	}
	a.State, a.AckedBy, a.Note, a.Acked = plant.Acked, who, note, epoch
	return b.enter(a), nil
}

func (b book) Events(_ context.Context, after uint64, max int) ([]plant.Alarm, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rest := b.journal[min(after, uint64(len(b.journal))):]
	return slices.Clone(rest[:min(max, len(rest))]), b.fault
}

func (b book) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// alarmAt is an alarm of the gearbox.
func alarmAt(id int64, state plant.AlarmState, class plant.Class, priority int) plant.Alarm {
	return plant.Alarm{ID: id, State: state, Edge: "demo", Raised: epoch + id*second, Count: 1, Finding: plant.Finding{
		Asset: gearbox, Key: "wpca", Kind: plant.KindAnomaly, Class: class, Phase: plant.Raise, Detector: "wpca", Mode: "rolling",
		Time: epoch + id*second, Score: 5.2, Limit: 3, Priority: priority,
		Contributions: []plant.Contribution{{Tag: vibration, Share: 0.61, Value: 4.1, Expected: 1.8, Direction: "high", Unit: "mm/s"}}}}
}

// site is a server under test.
type site struct {
	*works
	*Server
	t   *testing.T
	url string
	out *output
}

func (s *site) logged() string {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.b.String()
}

// output collects the log.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// run starts a server on a free port of loopback; configure may change it first.
func run(t *testing.T, configure func(*Server)) *site {
	t.Helper()
	w := newWorks()
	out := &output{}
	s := &Server{Listen: "127.0.0.1:0", NoLogin: true, Data: t.TempDir(), History: w, Alarms: book{w}, Plant: w, Hub: &Hub{}, Version: "1.2.3",
		Log:     slog.New(slog.NewTextHandler(out, nil)),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "up 1\n") }),
		Roles:   func() []Role { return []Role{{Name: "edge", State: "running"}} }}
	outfit(s, w)
	if configure != nil {
		configure(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case <-s.Started():
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		start := time.Now()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("the stop took %v", d)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	if s.accounts != nil {
		s.accounts.Cost = account.Cost{Memory: 64, Time: 1, Threads: 1}
	}
	return &site{works: w, Server: s, t: t, url: s.URL(), out: out}
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request; headers are name, value, name, value.
func (s *site) ask(method, path, body string, headers ...string) answer {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

func (s *site) get(path string, headers ...string) answer {
	s.t.Helper()
	return s.ask(http.MethodGet, "/api/v1/"+path, "", headers...)
}

// is compares a JSON answer with what it is to be, number by number.
func (s *site) is(a answer, want string) {
	s.t.Helper()
	if a.status != http.StatusOK {
		s.t.Errorf("status %d: %s", a.status, a.body)
		return
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(want)); err != nil {
		s.t.Fatalf("%v in %s", err, want)
	}
	if a.body != compact.String() {
		s.t.Errorf("answer\n%s\nwant\n%s", a.body, compact.String())
	}
}

// refused checks a problem document.
func (s *site) refused(a answer, status int, detail string) {
	s.t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		s.t.Errorf("not a problem: %d %s", a.status, a.body)
		return
	}
	if a.status != status || p.Status != status || a.header.Get("Content-Type") != "application/problem+json" || p.Type == "" || p.Title == "" ||
		!strings.HasPrefix(p.Instance, "/") || !strings.HasPrefix(p.Detail, detail) {
		s.t.Errorf("answer %d %s %s\nwant %d %q", a.status, a.header.Get("Content-Type"), a.body, status, detail)
	}
}
