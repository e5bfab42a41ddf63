package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"millwright/edge/queue"
	"millwright/plant"
)

// Source is a plant.Source that acknowledges to its server only what is
// durable here.
type Source interface {
	plant.Source
	// Committed says that the first n batches that Run wrote are on disk.
	Committed(n uint64)
	// Status is cheap and safe for any goroutine.
	Status() plant.PLCStatus
	// Changed has a value whenever the state has changed.
	Changed() <-chan struct{}
}

// Detector is the models' side: see models/detect.Set.
type Detector interface {
	Observe(out *plant.Batch, in plant.Batch)
}

// Uplink sends records: see edge/uplink.
type Uplink interface {
	Run(ctx context.Context) error
	Offer(r *queue.Record) // hands a new record over; never blocks
	Changed()              // devices or status have changed
}

// PLC is one source and the tags that it reads.
type PLC struct {
	Name   string
	Tags   []plant.Tag
	Source Source

	states states // of Run
}

// Agent runs the parts of one edge. Fill in the fields, call Intern, then Run.
type Agent struct {
	Name    string
	Version string
	PLCs    []PLC
	Assets  []plant.Asset
	Derived []plant.Tag // tags that the detector makes
	Queue   *queue.Queue

	Detector  Detector // nil: no models
	StateFile string   // the detector's learned state; empty: it learns afresh at every start
	Uplink    Uplink
	Beacon    *Beacon                    // nil: none
	Models    func() []plant.ModelStatus // trained models, for the status; nil: none
	Orders    func() *plant.OrderStatus  // of the plant, for the status; nil: none are followed

	Connection   func() plant.BrokerStatus // to the plant, whose certificates are watched; nil: they are not
	SmallRecords bool                      // of 8 KiB in place of 64, for a link below ThinLink

	Log *slog.Logger // nil = slog.Default()

	AuditFiles []string // files of lines, by other parts of the edge, that go into its audit
	AuditState string   // file: how far they have gone; empty: they are not read

	fresh   []string   // assets without learned state, from Load
	mu      sync.Mutex // guards the detector and what follows
	derived plant.Batch
	device  map[plant.TagID]string
	away    map[string]int64 // PLC → since when its absence is told as a finding
	skipped uint64           // derived batches that a full disk refused
	drafts  []queue.Draft    // reused
	groups  groups           // reused
	sources sync.WaitGroup
	audit   audit
	keepNow chan struct{} // buffered 1: a finding changed, save the learned state
	found   atomic.Uint64 // batches in which the models found or learned something

	modelTags map[plant.TagID]bool // that say how far a model has learned
}

// Found grows with what the models find and learn. Their state is on disk a moment
// later.
func (a *Agent) Found() uint64 { return a.found.Load() }

// ModelsDevice is the device that derived tags are sent under.
const ModelsDevice = "models"

// ThinLink, in kbit/s, is what a link must bear for records of 64 KiB: one takes
// half a second there, and whatever is urgent waits behind it.
const ThinLink = 1000

// tagsPerDevice keeps births well below what brokers take in one message.
const tagsPerDevice = 2000

// Intern gives every tag its durable handle (in PLCs[i].Tags and Derived) and
// spreads them over devices of at most 2,000 tags: "plc", "plc-2", ….
func (a *Agent) Intern() error {
	a.device = map[plant.TagID]string{}
	for _, p := range a.PLCs {
		if err := a.intern(p.Name, p.Tags); err != nil {
			return err
		}
	}
	if err := a.internStates(); err != nil {
		return err
	}
	if err := a.intern(ModelsDevice, a.Derived); err != nil {
		return err
	}
	a.modelTags = map[plant.TagID]bool{}
	for _, t := range a.Derived {
		if strings.HasSuffix(t.Path, "/"+plant.TagModel) {
			a.modelTags[t.ID] = true
		}
	}
	return nil
}

func (a *Agent) intern(name string, tags []plant.Tag) error {
	i := 0
	for chunk := range slices.Chunk(tags, tagsPerDevice) {
		device := deviceName(name, i)
		i++
		if err := a.Queue.Intern(device, chunk); err != nil {
			return fmt.Errorf("edge %s: %w", a.Name, err)
		}
		for _, t := range chunk {
			a.device[t.ID] = device
		}
	}
	return nil
}

func deviceName(name string, i int) string {
	if i == 0 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, i+1)
}

// Run works until ctx ends or a part fails for good. It closes nothing that it
// did not open; the queue stays open.
func (a *Agent) Run(ctx context.Context) error {
	if a.Log == nil {
		a.Log = slog.Default()
	}
	a.away = map[string]int64{}
	a.keepNow = make(chan struct{}, 1)
	a.begin()
	a.groups.small = a.SmallRecords
	if dir := a.Queue.Damaged(); dir != "" {
		a.Tell(plant.Finding{
			Asset: a.Name, Key: "queue/damaged", Kind: plant.KindQueue, Class: plant.SystemFault,
			Phase: plant.Raise, Detector: "edge", Priority: 2,
		})
	}

	// The uplink outlives the sources, so that what they delivered last goes out
	// before the node says goodbye.
	linkCtx, stopLink := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLink()
	g, ctx := errgroup.WithContext(ctx)
	for i := range a.PLCs {
		p := &a.PLCs[i]
		a.sources.Add(1)
		g.Go(func() error {
			defer a.sources.Done()
			if err := p.Source.Run(ctx, &feed{agent: a, plc: p}); err != nil && ctx.Err() == nil {
				return fmt.Errorf("plc %s: %w", p.Name, err)
			}
			return nil
		})
		g.Go(func() error { a.watch(ctx, p); return nil })
	}
	g.Go(func() error { a.keep(ctx); return nil })
	if a.Connection != nil {
		g.Go(func() error { a.guard(ctx); return nil })
	}
	a.sources.Add(1) // its last entry goes out before the goodbye
	g.Go(func() error { defer a.sources.Done(); a.keepAudit(ctx); return nil })
	if a.Beacon != nil {
		g.Go(func() error { a.Beacon.Run(ctx); return nil })
	}
	g.Go(func() error {
		<-ctx.Done()
		a.sources.Wait()
		stopLink()
		return nil
	})
	g.Go(func() error {
		if err := a.Uplink.Run(linkCtx); err != nil && linkCtx.Err() == nil {
			return fmt.Errorf("uplink: %w", err)
		}
		return nil
	})
	err := g.Wait()
	return errors.Join(err, a.save())
}

// feed is the sink of one source. It counts the batches, so that the source
// learns which are durable.
type feed struct {
	agent   *Agent
	plc     *PLC
	n       uint64
	forgone forgone
}

// Write takes one batch of the source: queued and sent first, judged then.
func (f *feed) Write(_ context.Context, b plant.Batch) error {
	f.agent.mu.Lock()
	defer f.agent.mu.Unlock()
	full, err := f.declare()
	switch {
	case err != nil:
		return err
	case full && b.Late: // the server has it on its own disk
		return queue.ErrFull
	case full:
		return f.forgo(b)
	}
	err = f.take(b)
	switch {
	case err == nil:
		f.forgone = forgone{}
	case errors.Is(err, queue.ErrFull) && !b.Late && f.forgone.over():
		return f.forgo(b)
	}
	return err
}

// take queues a batch and judges it.
func (f *feed) take(b plant.Batch) error {
	a, n := f.agent, f.n+1
	done := func(err error) {
		if err == nil {
			f.plc.Source.Committed(n)
		}
	}
	if a.Detector == nil || b.Late {
		if err := a.put(b, done); err != nil {
			return err
		}
		f.n = n
		return nil
	}
	if err := a.put(b, nil); err != nil {
		return err
	}
	f.n = n
	// The source's batch counts as durable only when what the models said of it
	// is durable too: a crash in between makes the server send it again.
	a.observe(b)
	if a.derived.Empty() {
		return a.nothing(done)
	}
	err := a.put(a.derived, done)
	if errors.Is(err, queue.ErrFull) || errors.Is(err, queue.ErrBusy) {
		// Scores can be reckoned again, findings cannot: they have room always.
		a.skipped++
		a.derived.Samples, a.derived.States = nil, nil
		return a.nothing(done)
	}
	return err
}

// observe lets the models see a batch; what they say is in derived.
func (a *Agent) observe(b plant.Batch) {
	a.derived.Reset()
	if a.Detector == nil {
		return
	}
	a.Detector.Observe(&a.derived, b)
	if len(a.derived.Findings) > 0 || slices.ContainsFunc(a.derived.States, func(s plant.State) bool { return a.modelTags[s.Tag] }) {
		a.found.Add(1)
		select {
		case a.keepNow <- struct{}{}:
		default:
		}
	}
}

// nothing commits only what is left in derived, or says at once that all before
// is durable when that becomes so.
func (a *Agent) nothing(done func(error)) error {
	if len(a.derived.Findings)+len(a.derived.Gaps) > 0 {
		return a.put(plant.Batch{Findings: a.derived.Findings, Gaps: a.derived.Gaps}, done)
	}
	return a.Queue.Flushed(done)
}

// put queues a batch as records and offers them to the uplink. The caller holds mu.
func (a *Agent) put(b plant.Batch, done func(error)) error {
	a.drafts = a.groups.split(a.drafts[:0], b, a.device)
	if len(a.drafts) == 0 {
		return a.Queue.Flushed(done)
	}
	records, err := a.Queue.Append(a.drafts, done)
	if err != nil {
		return err
	}
	for _, r := range records {
		a.Uplink.Offer(r)
	}
	return nil
}

// Tell queues a finding of the agent's own.
func (a *Agent) Tell(f plant.Finding) {
	if f.Time == 0 {
		f.Time = plant.Millis(time.Now().UnixNano())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.put(plant.Batch{Findings: []plant.Finding{f}}, nil); err != nil {
		a.Log.Error("finding not queued", "key", f.Key, "err", err)
	}
}
