package collector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	firstBackOff = 250 * time.Millisecond
	lastBackOff  = 1500 * time.Millisecond // so that data is back within 3 s of the server's return
	loginBackOff = 30 * time.Second        // servers lock accounts
	snapshotTime = 2 * time.Second
	mostAcks     = 1000 // in one Publish request
)

// engine is one Run of a Source. All fields belong to the goroutine of Run.
type engine struct {
	src        *Source
	out        plant.Sink
	log        *slog.Logger
	publishing time.Duration
	hash       uint64
	sec        *security
	items      *items
	tr         *translator
	events     *events
	alarms     *alarms
	keeper     *keeper
	mark       *mark

	judged  *endpoint // whose certificate was checked last
	checked time.Time // when our own and the server's certificates were last looked at
	unknown string    // why the clock cannot be relied on; empty: it can, or was not looked at

	session *session // nil: none to activate
	refusal int      // how often the server hung up on its activation
	stuck   int      // how often taking up the old subscription failed
	sub     subscription
	pulse   pulse
	started int64 // server's start time when the subscription was made
	seq     sequencer
	resumed bool   // the subscription, or its absence, has been dealt with since Run began
	taken   bool   // the subscription of this connection is one from before
	mute    uint32 // a subscription that was given up because it publishes nothing, 0 none

	wrote   uint64      // batches that out has taken
	unacked []delivered // oldest first
	acks    []uint32    // durable, to be acknowledged

	candidate tracks // as of batch candidateAt
	candAt    uint64 // 0: none
	snapped   time.Time
	snapWrote uint64
	durable   tracks
	version   uint64 // of the newest state handed to the keeper
	need      uint64 // version that must be on disk before anything is acknowledged

	learned   bool  // what the server says of the tags' variables is known
	learnedOf int64 // start time of the server that said it

	asked time.Time // when the server's structures were last asked for

	selves   *identities
	exam     examiner
	gaps     uint64 // times that a notification was missing and asked for again
	repeated uint64 // notifications that the server sent again

	hosts   []*host
	at      int       // position of the server that is read
	limits  *limits   // of it
	pace    *pace     // of it
	standby *standby  // nil: there is no other server, or none is watched at the moment
	adopted *prepared // taken over, for create to let it deliver
	left    left      // what stands at the server before
	moved   bool      // since the last subscription was made, it is another server
	attempt time.Time // when the last connection was begun, or ended if it had been made
	lost    int       // connections that ended or were not made, since the last one that was
	moving  bool      // the last one was given up for the standby's ServiceLevel

	lastMove time.Time
	lower    int // readings in a row in which the standby is better

	peer      peer // of the present connection
	back      backfill
	holesKept time.Time // when the state file was last brought up to the holes

	heard    int64 // when the newest notification arrived, ns UTC, 0 unknown
	newest   int64 // PublishTime, ns UTC
	missedAt time.Time
	missedTo int64
}

// delivered is a notification that went into a batch.
type delivered struct {
	number uint32
	batch  uint64
}

func newEngine(s *Source, out plant.Sink) (*engine, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	sec, err := s.Security.open()
	if err != nil {
		return nil, err
	}
	e := &engine{src: s, out: out, log: s.Log, publishing: s.Publishing, sec: sec, items: newItems(s.Tags), tr: newTranslator(s.Tags),
		candidate: newTracks(len(s.Tags)), durable: newTracks(len(s.Tags)), back: newBackfill(len(s.Tags))}
	e.tr.missed = e.missed
	if e.log == nil {
		e.log = slog.Default()
	}
	e.log = e.log.With("plc", s.Name)
	if e.publishing == 0 {
		e.publishing = DefaultPublishing
	}
	e.alarms = newAlarms(s, e.log)
	e.events = &events{log: e.log, conditions: s.Conditions, lost: e.alarms.refresh.lost,
		condition: func(v *event, arrived int64) { e.alarms.take(&e.tr.batch, v, arrived) }}
	e.tr.events = e.events.take
	e.pulse.log, e.tr.beat = e.log, e.pulse.beat
	e.events.changed = e.remodelled
	e.publishing = max(e.publishing, s.Budget.Publishing)
	e.items.budget = s.Budget
	if s.Budget.NoHistory {
		e.back.without()
	}
	for _, u := range s.urls() {
		e.hosts = append(e.hosts, newHost(u, s.Budget, cmp.Or(s.life, sessionLife)))
	}
	s.servers.begin(s.urls())
	e.left.at = -1
	e.turn(0)
	e.identify()
	s.committed.Store(0)
	if err := e.restore(); err != nil {
		return nil, err
	}
	e.keeper = newKeeper(s.StateFile, e.log)
	e.alarms.file.keeper = newKeeper(s.openFile(), e.log)
	e.recall()
	return e, nil
}

// restore takes up what a Run before this one left in the state file.
func (e *engine) restore() error {
	if e.src.StateFile == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(e.src.StateFile), folderMode); err != nil {
		return err
	}
	if err := e.alarms.load(e.src.openFile()); err != nil {
		e.log.Error("it cannot be read which alarms of the PLC were open; those that are over meanwhile stay open in the plant", "err", err)
	}
	s, err := readState(e.src.StateFile)
	if err != nil {
		// It is replaced whole, so this is a damaged disk or another version.
		e.log.Error("the state of the subscription cannot be read; what was lost since the last run stays undeclared", "err", err)
		s = nil
	}
	if e.mark, err = openMark(e.src.StateFile + markSuffix); err != nil {
		return err
	}
	if s == nil {
		return nil
	}
	for _, t := range s.tags {
		i, ok := e.tr.index[uint32(t.id)]
		if !ok {
			continue
		}
		e.tr.last[i], e.tr.reason[i] = t.last, t.reason
		it := &e.items.list[i]
		it.monitored = !t.rejected && it.fault == nil
	}
	e.candidate.copyFrom(&e.tr.tracks)
	e.durable.copyFrom(&e.tr.tracks)
	for _, x := range s.holes {
		if i, ok := e.tr.index[uint32(x.id)]; ok {
			e.back.holes = append(e.back.holes, &hole{tag: i, why: x.why, span: x.span, saved: x.span})
		}
	}
	e.started = s.started
	for i, h := range e.hosts {
		if e.hashOf(h.url) == s.items {
			e.turn(i)
		}
	}
	if s.items != e.hash {
		e.log.Info("the tags or the server have changed: a new subscription is made")
		return nil
	}
	if len(s.token) > 0 {
		token := new(ua.NodeID)
		if _, err := token.Decode(s.token); err == nil {
			e.session = &session{token: token, nonce: s.nonce, stay: e.pace.held().begin()}
		}
	}
	e.sub = subscription{id: s.subscription, publishing: s.publishing, keepAlive: s.keepAlive, since: s.since}
	e.seq = newSequencer(s.next)
	return nil
}

// hashOf names what is monitored at a server, for the state file.
func (e *engine) hashOf(url string) uint64 {
	return itemsHash(url, e.publishing, e.src.Tags) ^ eventsHash(e.events.conditions) + uint64(e.src.Budget.Sampling)
}

// run connects, serves and connects again until ctx ends.
func (e *engine) run(ctx context.Context) {
	backOff := firstBackOff
	last := ""
	e.src.board.set(plant.Connecting, "for the first time")
	for ctx.Err() == nil {
		e.watch(ctx)
		e.attempt = time.Now()
		l, err := e.connect(ctx)
		state := plant.Down
		if err == nil {
			e.watch(ctx)
			e.lost, e.moving = 0, false
			last, backOff, state = "", firstBackOff, plant.Connecting
			err = e.serve(ctx, l)
			e.attempt = time.Now()
		}
		if l != nil {
			e.leave(ctx, l)
		}
		if ctx.Err() != nil {
			break
		}
		e.classify(err)
		e.parted(err)
		if why := err.Error(); why != last {
			what := "connection lost or refused"
			if e.moving {
				what = "the server is left for another"
			}
			e.log.Warn(what, "err", err)
			last = why
		}
		e.fail(err)
		e.src.board.set(state, last)
		if e.canMove() {
			continue
		}
		wait := backOff
		if errors.Is(err, errLogin) {
			wait = loginBackOff
		}
		wait -= time.Duration(rand.Int64N(int64(wait / 4)))
		backOff = min(2*backOff, lastBackOff)
		select {
		case <-ctx.Done():
		case <-e.src.hurry.channel():
		case <-e.readiness():
		case <-time.After(wait):
		}
	}
	if e.standby != nil {
		e.standby.end()
	}
	e.src.board.set(plant.Down, "stopped")
}

// readiness receives when the standby is ready.
func (e *engine) readiness() chan struct{} {
	if e.standby == nil {
		return nil
	}
	return e.standby.news.channel()
}

// classify draws from an error what the next connection need not try.
func (e *engine) classify(err error) {
	if sessionGone(err) {
		e.session.told(err)
		e.session = nil
	}
	if subscriptionGone(err) || errors.Is(err, errEnded) {
		e.sub.id = 0
	}
	if errors.Is(err, errMute) || errors.Is(err, errNumb) || errors.Is(err, errKeepsBack) || errors.Is(err, errNumbers) {
		e.mute, e.sub.id = e.sub.id, 0
	}
	if errors.Is(err, errMoved) {
		e.mute, e.sub.id = e.sub.id, 0 // what it still sends is of other nodes
	}
}

// leave gives the connection up. The session and its subscription stay on the
// server for the next connection or process, unless nobody could find them
// again.
func (e *engine) leave(ctx context.Context, l *link) {
	switch {
	case ctx.Err() == nil:
		l.drop()
	case e.src.StateFile == "":
		l.leave(ctx)
	default:
		l.close()
	}
}

func (e *engine) close() {
	if e.src.StateFile == "" {
		e.declareHoles(context.Background())
	}
	e.snapshot(time.Now(), true)
	e.forgo()
	e.keeper.close()
	e.alarms.file.keeper.close()
	if err := e.mark.close(); err != nil {
		e.log.Error("closing the acknowledgement mark", "err", err)
	}
}

var (
	// errEnded: the server has ended the subscription.
	errEnded = errors.New("the server has ended the subscription")
	// errMute: the server lives, but the subscription taken up again publishes
	// nothing, not even keep-alives.
	errMute = errors.New("the server answers, but its subscription is silent: a new one is made")
	// errNumbers: the server counts its notifications anew, or not at all.
	errNumbers = errors.New("the numbers of the server's notifications went back: a new subscription is made")
)

// deliver translates m, hands the batch on and notes what may be acknowledged
// once it is durable.
func (e *engine) deliver(ctx context.Context, m message) error {
	e.tr.gate.withheld = false
	lost := e.tr.translate(m)
	if !e.tr.batch.Empty() {
		if err := e.write(ctx); err != nil {
			return err
		}
	}
	e.holdAcks()
	e.keepAlarms()
	d := delivered{m.SequenceNumber, e.wrote}
	if e.tr.gate.withheld {
		d.batch = withheldBatch
	}
	e.unacked = append(e.unacked, d)
	if e.tr.dirty {
		e.tr.dirty = false
		e.persistGaps()
	}
	e.heard = m.at
	if lost != ua.StatusOK {
		return fmt.Errorf("%w: %s", errEnded, statusText(lost))
	}
	return nil
}

// write offers the batch in the making until it is taken.
func (e *engine) write(ctx context.Context) error {
	wait := 5 * time.Millisecond
	begin := time.Now()
	for {
		err := e.out.Write(ctx, e.tr.batch)
		if err == nil {
			e.wrote++
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(begin) > e.deadline() {
			e.src.board.set(plant.Stale, "values are not taken: "+err.Error())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, 500*time.Millisecond)
	}
}
