package uplink

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"millwright/edge/queue"
	"millwright/plant"
	"millwright/sparkplug"
	"millwright/sparkplug/dial"
)

// Device is a Sparkplug device of the node. Name "" stands for tags of the node
// itself. Alive false makes a DDEATH, true again a DBIRTH.
type Device struct {
	Name  string
	Tags  []plant.TagID
	Alive bool
}

// Uplink is the node. Fill in the fields, then Run.
type Uplink struct {
	Broker      string   // "tcp://host:1883" or "ssl://host:8883"
	Standby     []string // brokers to walk on to, in this order and round again
	Access      dial.Access
	Group       string
	Node        string
	PrimaryHost string // host id whose STATE and acknowledgements count; empty: births at once, nothing is ever settled
	Version     string
	StateDir    string // where the number of the connection survives a restart

	Delivery         Delivery
	PrimaryKeepAlive time.Duration // of the primary host, with ByState; 0: not known
	LinkKbit         int           // what the link to the plant bears, kbit/s; 0: not known
	NewestFirst      bool          // telemetry of an outage is sent from its end backwards

	Compress bool               // messages, for a thin link
	Key      ed25519.PrivateKey // signs messages; nil: they are not signed
	HostKey  ed25519.PublicKey  // commands must be signed with it; nil: the primary host's name is enough

	Queue   *queue.Queue
	Devices func() []Device
	Status  func() plant.EdgeStatus // nil: no status metric
	Assets  []plant.Asset
	Log     *slog.Logger // nil = slog.Default()

	once    sync.Once
	hand    handover
	again   atomic.Bool   // births are to be sent again
	changed chan struct{} // buffered 1
	flights flights       // of the Run goroutine
	counts  counts
	heard   atomic.Int64 // ns UTC

	connection connection
	sealer     sparkplug.Sealer // of the Run goroutine
	born       int64            // last moment
}

// Delivery is what frees a record.
type Delivery int

// Acknowledged, the historian's own word, is the only proof that a record is
// stored. ByState is for a primary host that does not know it: what was published
// while the connection stood and the host said that it was online, and both held
// for one and a half of its keep-alives more, counts as delivered.
const (
	Acknowledged Delivery = iota
	ByState
)

// Heard is when the plant last freed a record with its word, 0 before that.
// Nothing else proves that it is there: a broker may outlive its historian.
func (u *Uplink) Heard() int64 { return u.heard.Load() }

// Counts are counters since the start.
type Counts struct {
	Births      uint64 // times that all births were sent
	Sent        uint64 // records published at least once by this process
	Again       uint64 // second and later sends
	Settled     uint64 // records freed on the historian's word
	Refused     uint64 // metrics of commands that ask for anything but a rebirth
	AcksIgnored uint64 // acknowledgements that were broken, foreign or of numbers never published
	SetAside    uint64 // records in quarantine
	Dropped     uint64 // messages from the broker that found the inbox full
}

type counts struct {
	births, sent, again, settled, refused, acksIgnored, setAside, dropped atomic.Uint64
}

// Counts returns the counters. Any goroutine may ask.
func (u *Uplink) Counts() Counts {
	c := &u.counts
	return Counts{
		Births: c.births.Load(), Sent: c.sent.Load(), Again: c.again.Load(), Settled: c.settled.Load(),
		Refused: c.refused.Load(), AcksIgnored: c.acksIgnored.Load(), SetAside: c.setAside.Load(), Dropped: c.dropped.Load(),
	}
}

// standFor is how long connection and STATE must have stood after a publish:
// whoever fails is noticed by then, the primary host within one and a half of its
// keep-alives.
func (u *Uplink) standFor() time.Duration {
	return max(3*u.PrimaryKeepAlive/2, dial.Silence)
}

// Pause between two attempts to connect. It is short because a plant's broker
// that is back should have its values within seconds, and drawn at random
// because a hundred edges see it come back at the same moment.
const (
	pauseLeast = 200 * time.Millisecond
	pauseMost  = 1500 * time.Millisecond

	// With several brokers each round in which none has the primary host makes the
	// pause longer by one of these, up to mostRounds: a connection costs a write.
	pauseRound = time.Second
	mostRounds = 4
)

func (u *Uplink) init() {
	u.once.Do(func() {
		if u.Log == nil {
			u.Log = slog.Default()
		}
		u.changed = make(chan struct{}, 1)
		u.hand.wake = make(chan struct{}, 1)
	})
}

// Run connects, again and again, until ctx ends; then it says goodbye with an
// NDEATH. It returns an error only for what no retry mends.
func (u *Uplink) Run(ctx context.Context) error {
	u.init()
	if err := u.check(); err != nil {
		return fmt.Errorf("uplink: %w", err)
	}
	numbers, err := openBdSeq(u.StateDir)
	if err != nil {
		return fmt.Errorf("uplink: %w", err)
	}
	u.flights.init()
	u.flights.delivery = u.Delivery
	u.sealer.Compress, u.sealer.Key = u.Compress, u.Key
	brokers := append([]string{u.Broker}, u.Standby...)
	var told string
	at, fruitless := 0, 0
	for ctx.Err() == nil {
		bdSeq, err := numbers.next()
		if err != nil {
			return fmt.Errorf("uplink: %w", err)
		}
		broker := brokers[at]
		born, err := u.session(ctx, broker, bdSeq)
		u.hand.close()
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errRenewed) {
			u.Log.Info("new certificate or password, connecting with it", "broker", broker)
			continue
		}
		reason := err.Error()
		if born || reason != told { // each reason once, not at every attempt
			u.Log.Warn("not connected to the plant, records are kept", "broker", broker, "err", err)
			told = reason
		}
		u.connection.set(broker, plant.BrokerDown, reason)
		at = (at + 1) % len(brokers)
		switch {
		case born:
			fruitless = 0
		case at == 0 && len(brokers) > 1:
			fruitless = min(fruitless+1, mostRounds)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pauseLeast + rand.N(pauseMost-pauseLeast) + time.Duration(fruitless)*pauseRound):
		}
	}
	return nil
}

func (u *Uplink) check() error {
	for what, id := range map[string]string{"group": u.Group, "node": u.Node} {
		if err := sparkplug.CheckID(id); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if u.PrimaryHost != "" {
		if err := sparkplug.CheckID(u.PrimaryHost); err != nil {
			return fmt.Errorf("primary host: %w", err)
		}
	}
	for _, broker := range append([]string{u.Broker}, u.Standby...) {
		if err := dial.Check(broker, u.Access); err != nil {
			return err
		}
	}
	return nil
}

// Offer hands a new record over. It never blocks: what finds no room is sent
// from the backlog.
func (u *Uplink) Offer(r *queue.Record) {
	u.init()
	u.hand.offer(r)
}

// Changed says that Devices or Status give other answers now.
func (u *Uplink) Changed() {
	u.init()
	select {
	case u.changed <- struct{}{}:
	default:
	}
}

// Rebirth lets the births be sent again: what they say of tags has changed.
func (u *Uplink) Rebirth() {
	u.again.Store(true)
	u.Changed()
}
