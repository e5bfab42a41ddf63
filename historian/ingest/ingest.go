package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
	"millwright/sparkplug/dial"
)

// Store is what ingest needs of the plant's memory; see store.Store.
type Store interface {
	Intern(tags []plant.Tag) error
	Tags() []plant.Tag
	Append(ctx context.Context, b plant.Batch, marks []store.Mark) error
	Committed(edge string, epoch uint64) ([]sparkplug.Span, error)
	SetAssets(edge string, assets []plant.Asset) error
	Assets() []plant.Asset
}

// Alarms takes findings. Apply is durable together with the record's number when
// it returns nil, and does nothing to a number that it has.
type Alarms interface {
	Apply(ctx context.Context, edge string, epoch, number uint64, f []plant.Finding) error
	Committed(edge string, epoch uint64) ([]sparkplug.Span, error)
}

// Live shows values. They come decoded and not yet durable; historical ones do
// not come at all. The slices are valid during the call.
type Live interface {
	Values(b plant.Batch)
	Stale(tags []plant.TagID)
}

// Ledger holds what the edges say they have sent against what is stored; see
// ledger.Ledger.
type Ledger interface {
	State(edge string, list []sparkplug.Account, now time.Time)
	Status(edge string) *plant.EdgeLedger
}

// Ingest is the host. Fill in the fields, then Run. An edge is named by its
// group and node, "mill/f3", towards Store and Alarms.
type Ingest struct {
	Broker  string   // "tcp://host:1883" or "ssl://host:8883"
	Nodes   []string // further nodes of the cluster that is this broker, tried one after the other
	Others  []string // further brokers, which edges walk on to: this host is on all of them at once
	Access  dial.Access
	HostID  string // the edges have it as their primary host
	Standby bool   // store, but never answer nor ask: another host is the primary one

	Store  Store
	Alarms Alarms
	Live   Live         // nil: nobody watches
	Ledger Ledger       // nil: nothing is compared
	Log    *slog.Logger // nil = slog.Default()

	once    sync.Once
	inbox   inbox
	known   known
	answers answers
	commit  committer
	find    finder
	view    view
	counts  counts
	latest  atomic.Int64 // timestamp of the newest STATE of this host that was seen, ms UTC
}

// Counts are counters since the start.
type Counts struct {
	Messages   uint64 // decoded
	Samples    uint64 // decoded, states included
	Unreadable uint64 // messages that are not Sparkplug, or broken
	Dropped    uint64 // messages for which there was no room
	Repeated   uint64 // records that were on disk already
	Held       uint64 // messages that had to wait for a birth
	Skipped    uint64 // values of types that are not stored
	Future     uint64 // values more than five minutes ahead of this host's clock
	Rebirths   uint64 // asked for
	Answers    uint64 // acknowledgements sent
	Commits    uint64
	Retries    uint64 // commits that failed and were tried again
}

type counts struct {
	messages, samples, unreadable, dropped, repeated, held, skipped, future, rebirths, answers, commits, retries atomic.Uint64
}

// Counts returns the counters. Any goroutine may ask.
func (g *Ingest) Counts() Counts {
	c := &g.counts
	return Counts{
		Messages: c.messages.Load(), Samples: c.samples.Load(), Unreadable: c.unreadable.Load(), Dropped: c.dropped.Load(),
		Repeated: c.repeated.Load(), Held: c.held.Load(), Skipped: c.skipped.Load(), Future: c.future.Load(),
		Rebirths: c.rebirths.Load(), Answers: c.answers.Load(), Commits: c.commits.Load(), Retries: c.retries.Load(),
	}
}

// Pause between two attempts to connect: short, since edges wait for this host
// to be online before they say anything.
const (
	pauseLeast = 100 * time.Millisecond
	pauseMost  = time.Second
)

func (g *Ingest) init() {
	g.once.Do(func() {
		if g.Log == nil {
			g.Log = slog.Default()
		}
		g.inbox.wake = make(chan struct{}, 1)
		g.commit = committer{g: g, wake: make(chan struct{}, 1)}
		g.find = finder{g: g, jobs: make(chan finding, maxJobs)}
		g.known = known{g: g, sets: map[epoch]*set{}}
		g.answers = answers{g: g, edges: map[string]*edgeAnswers{}, links: map[int]*dial.Link{}, wake: make(chan struct{}, 1)}
		g.view.edges = map[string]*edgeView{}
	})
}

// Run connects, again and again, until ctx ends; then it says that it is
// offline. It returns an error only for what no retry mends.
func (g *Ingest) Run(ctx context.Context) error {
	g.init()
	if err := g.check(); err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	for _, part := range []func(context.Context){newDecoder(g).run, g.commit.run, g.find.run, g.answers.run, (&absence{g: g}).run} {
		parts.Go(func() { part(ctx) })
	}
	defer parts.Wait()
	defer stop()

	var stays sync.WaitGroup
	for _, b := range g.brokers() {
		stays.Go(func() { g.stay(ctx, b) })
	}
	stays.Wait()
	return nil
}

func (g *Ingest) check() error {
	if g.Store == nil || g.Alarms == nil {
		return errors.New("needs a store and an alarm book")
	}
	if err := sparkplug.CheckID(g.HostID); err != nil {
		return fmt.Errorf("host: %w", err)
	}
	for _, b := range g.brokers() {
		for _, node := range b.nodes {
			if err := dial.Check(node, g.Access); err != nil {
				return err
			}
		}
	}
	return nil
}

// Assets are those of all edges, as their births described them.
func (g *Ingest) Assets() []plant.Asset { return g.Store.Assets() }
