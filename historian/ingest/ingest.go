package ingest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
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

	// What is there already, to say what is missing beside it.
	Last(ctx context.Context, tags []plant.TagID) ([]plant.Sample, error)
	LastStates(ctx context.Context, tags []plant.TagID) ([]plant.State, error)
	Scan(ctx context.Context, r plant.Range) iter.Seq2[plant.Block, error]
	States(ctx context.Context, r plant.Range) ([]plant.State, error)
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
	// Stale says that tags are not live from that time on, ns UTC: the time in the
	// message of a device that left, this host's where an edge did.
	Stale(tags []plant.TagID, since int64)
}

// Ledger holds what the edges say they have sent against what is stored; see
// ledger.Ledger.
type Ledger interface {
	State(edge string, list []sparkplug.Account, now time.Time)
	Status(edge string) *plant.EdgeLedger
	// Declared says that records which never came are declared as gaps here.
	Declared(edge string, epoch uint64, numbers []sparkplug.Span)
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
	Dir     string // folder of messages that cannot be read and of holes; empty: they are told and not kept

	// Keys are those with which edges sign their messages, by edge: nothing else is
	// taken from these. Key signs the commands; nil: they are not signed.
	Keys map[string][]ed25519.PublicKey
	Key  ed25519.PrivateKey

	// Reorder is how long a message may be missing in the run of an edge before its
	// births are asked for (tck-id-operational-behavior-host-reordering-param).
	Reorder time.Duration // 0 = sparkplug.ReorderTimeout

	Store  Store
	Alarms Alarms
	Live   Live         // nil: nobody watches
	Ledger Ledger       // nil: nothing is compared
	Log    *slog.Logger // nil = slog.Default()

	once    sync.Once
	inbox   *fair[message]
	unread  *unread
	holes   holes
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
	Unreadable uint64 // messages that are not Sparkplug, or broken, or not all of which could be read
	Mended     uint64 // of those, messages that a birth made readable
	Forged     uint64 // messages without the signature of the edge that they name, or kept back and sent again
	Dropped    uint64 // messages for which there was no room
	Repeated   uint64 // records that were on disk already
	Held       uint64 // messages that had to wait for a birth
	Skipped    uint64 // values of types that are not stored
	Future     uint64 // values more than five minutes ahead of this host's clock
	Rebirths   uint64 // asked for
	Answers    uint64 // acknowledgements sent
	Commits    uint64
	Retries    uint64 // commits that failed and were tried again
	Missing    uint64 // records that edges had settled and this host does not have
}

type counts struct {
	messages, samples, unreadable, forged, mended, missing, dropped, repeated, held, skipped, future, rebirths, answers, commits, retries atomic.Uint64
}

// Counts returns the counters. Any goroutine may ask.
func (g *Ingest) Counts() Counts {
	c := &g.counts
	return Counts{
		Messages: c.messages.Load(), Samples: c.samples.Load(), Unreadable: c.unreadable.Load(), Forged: c.forged.Load(), Dropped: c.dropped.Load(),
		Repeated: c.repeated.Load(), Held: c.held.Load(), Skipped: c.skipped.Load(), Future: c.future.Load(),
		Rebirths: c.rebirths.Load(), Answers: c.answers.Load(), Commits: c.commits.Load(), Retries: c.retries.Load(), Mended: c.mended.Load(), Missing: c.missing.Load(),
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
		if g.Reorder <= 0 {
			g.Reorder = sparkplug.ReorderTimeout
		}
		g.inbox = newFair[message](maxInbox)
		g.unread = &unread{log: g.Log, edges: map[string]*unreadEdge{}}
		g.holes = holes{g: g, open: map[string]*hole{}}
		g.commit = committer{g: g, wake: make(chan struct{}, 1), edges: map[string]int{}}
		g.find = finder{g: g, jobs: newFair[finding](maxJobs)}
		g.known = known{g: g, sets: map[epoch]*set{}}
		g.answers = answers{g: g, sealer: sparkplug.Sealer{Key: g.Key}, edges: map[string]*edgeAnswers{}, links: map[int]*dial.Link{}, wake: make(chan struct{}, 1)}
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
	if err := g.keeps(); err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	for _, part := range []func(context.Context){newDecoder(g).run, g.commit.run, g.find.run, g.answers.run, (&watch{g: g}).run} {
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

// keeps opens what lies in the folder.
func (g *Ingest) keeps() error {
	if g.Dir == "" {
		return nil
	}
	if err := g.unread.open(filepath.Join(g.Dir, UnreadFolder)); err != nil {
		return err
	}
	return g.holes.load(filepath.Join(g.Dir, "holes"))
}

// UnreadFolder is where in Dir the messages lie that could not be read.
const UnreadFolder = "unread"

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
