package collector

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"millwright/plant"
)

// The disturbance bench: a server in a process of its own with a log of its
// own, a proxy between, one collector that lives through all of it, and after
// each disturbance the account of what is neither stored nor declared.
// MILLWRIGHT_DISTURBANCES=N does N on each server in random order, with the
// times of real faults, instead of the usual ones once.

// bench is one server with its collector.
type bench struct {
	t      *testing.T
	make   string // of the server
	pki    string // of the collector
	srv    *foreign
	p      *proxy
	s      *Source
	out    *store
	tags   int
	past   int      // so many of them, from the first on, have history
	absent []int    // tags that the server does not have at the moment
	prior  []string // reasons of the disturbance before
	long   bool     // a run of many: take the time that a real fault takes
}

// disturbance is one way in which the world goes wrong.
type disturbance struct {
	name    string
	does    func(b *bench) (back time.Time) // back: from when on data can flow again
	unseen  bool                            // the collector need not notice
	usual   []string                        // the servers that suffer it in the ordinary run too
	within  time.Duration                   // data must be back, 0 for the usual
	reasons []string                        // of the gaps that it may cause
	fills   bool                            // what it costs a tag with history is read from there
}

// historyEnds are the gaps that a tag with history may have too: its history ends
// with the process of the server, and with the node.
var historyEnds = []string{plant.GapServerDown, GapNodeGone}

// The tags with history have short queues, so that the server's run over while it
// goes on to sample.
const (
	pastTags  = 10
	pastQueue = 20
)

// past are the places of the tags with history.
func past() []int {
	list := make([]int, pastTags)
	for i := range list {
		list[i] = i
	}
	return list
}

var (
	loses      = []string{plant.GapServerDown}
	losesLink  = []string{plant.GapLinkDown}
	overflows  = []string{plant.GapOverflow}
	goneNode   = []string{GapNodeGone}
	everything = []string{plant.GapServerDown, plant.GapLinkDown, plant.GapOverflow, GapNodeGone}
)

func (b *bench) restart(change func(set map[string]any)) time.Time {
	b.srv.kill()
	time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
	b.srv.set["tick"] = b.srv.set["tick"].(int) + 100_000
	if change != nil {
		change(b.srv.set)
	}
	b.srv.start()
	return time.Now()
}

func cut(b *bench) time.Time {
	b.p.cut()
	return time.Now()
}

func lossOnTheWay(b *bench) time.Time {
	b.p.hush(true)
	time.Sleep(300 * time.Millisecond)
	b.p.cut()
	b.p.hush(false)
	return time.Now()
}

// forgotten is a loss on the way of what the server no longer holds either.
func forgotten(b *bench) time.Time {
	b.p.hush(true)
	time.Sleep(time.Second)
	b.srv.say("forget")
	b.p.cut()
	b.p.hush(false)
	return time.Now()
}

// forgottenSession is a silence in which the server gives up the session, with all that is in it.
func forgottenSession(b *bench) time.Time {
	b.p.hush(true)
	b.srv.say("expel")
	time.Sleep(2 * time.Second)
	b.p.cut()
	b.p.hush(false)
	return time.Now()
}

func halfOpen(b *bench) time.Time {
	b.p.hush(true)
	time.Sleep(b.pick(6*time.Second, 18*time.Second))
	b.p.hush(false)
	return time.Now()
}

func (b *bench) pick(short, long time.Duration) time.Duration {
	if b.long {
		return long
	}
	return short
}

func kill(b *bench) time.Time { return b.restart(nil) }

// blocked is a server that computes something else for a while.
func blocked(b *bench) time.Time {
	b.srv.say("block 3000") // says so when it is over
	return time.Now()
}

func renumbered(b *bench) time.Time {
	return b.restart(func(set map[string]any) { set["shift"] = (set["shift"].(int) + 1) % 3 })
}

func withoutNode(b *bench) time.Time {
	b.absent = []int{5}
	at := b.restart(func(set map[string]any) { set["absent"] = b.absent })
	eventually(b.t, patience, "the node is named", func() bool { return strings.HasPrefix(strings.Join(b.s.Status().Rejected, ";"), "T5: ") })
	b.srv.say("add 5")
	b.absent, b.srv.set["absent"] = nil, nil
	return at
}

// nodeAway is a node that a running server loses, until its loss is told.
func nodeAway(b *bench) time.Time {
	b.srv.say("del 3")
	eventually(b.t, patience, "the node is named", func() bool {
		st := b.s.Status() // refused where the item says that its node is gone, in quarantine where an event does
		return strings.HasPrefix(strings.Join(st.Rejected, ";"), "T3: ") || strings.HasPrefix(names(st.Quarantined), "T3 ")
	})
	b.srv.say("add 3")
	return time.Now()
}

// starved is a server whose subscriptions publish nothing any more while it
// answers everything else.
func starved(b *bench) time.Time {
	b.srv.say("starve")
	eventually(b.t, patience, "silence is noticed", func() bool { return b.s.Status().State != plant.Live })
	return time.Now()
}

func slowWay(b *bench) time.Time {
	b.p.slow(300 * time.Millisecond)
	time.Sleep(3 * time.Second)
	b.p.slow(0)
	return time.Now()
}

func steps(ms int) func(b *bench) time.Time {
	return func(b *bench) time.Time {
		b.srv.say(fmt.Sprint("step ", ms))
		return time.Now()
	}
}

// serverRenewed restarts the server with a certificate that nobody has approved.
func serverRenewed(b *bench) time.Time {
	at := b.restart(func(map[string]any) {
		kept := map[string]string{onOwn: "pki/own/cert.der", onNode: "pki/own/certs/certificate.pem", onAsyncua: "server.der"}
		if err := os.Remove(filepath.Join(b.srv.dir, kept[b.make])); err != nil {
			b.t.Error(err)
		}
	})
	eventually(b.t, patience, "the certificate is refused", refused(b.s, "not trusted"))
	if time.Since(at) > 10*time.Second+slack {
		b.t.Errorf("refused after %v", time.Since(at))
	}
	der, err := os.ReadFile(filepath.Join(b.srv.dir, "server.der"))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := Trust(b.pki, fingerprint(der), "test"); err != nil {
		b.t.Error(err)
	}
	return time.Now()
}

// ownRenewed lets the collector go on with another certificate.
func ownRenewed(b *bench) time.Time {
	file, print, err := Renew(b.pki, "", "test")
	if err != nil {
		b.t.Fatal(err)
	}
	b.srv.say("trust " + file)
	if err := UseNew(b.pki, "test"); err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, patience, "the new certificate is in use", func() bool {
		all := b.s.Certificates(time.Now()).List
		return len(all) > 0 && all[0].Fingerprint == print
	})
	return time.Now()
}

// The servers of the bench.
const (
	onNode    = "node-opcua"
	onOwn     = "our simulator"
	onAsyncua = "asyncua"
)

// everyRung is what a server can suffer that keeps sessions and subscriptions
// over a connection.
var everyRung = []disturbance{
	{name: "TCP cut", usual: []string{onNode}, does: cut},
	{name: "three cuts in a row", does: func(b *bench) time.Time {
		for range 3 {
			b.p.cut()
			time.Sleep(350 * time.Millisecond)
		}
		return time.Now()
	}},
	{name: "messages lost on the way", usual: []string{onNode}, does: lossOnTheWay},
	{name: "messages lost and forgotten", usual: []string{onOwn}, does: forgotten, reasons: []string{plant.GapMissedMessage}, fills: true},
	{name: "half open", usual: []string{onNode}, does: halfOpen, reasons: overflows, fills: true},
	{name: "kill -9 and restart", usual: []string{onOwn}, does: kill, reasons: loses},
	{name: "restart with lower limits", usual: []string{onNode}, does: func(b *bench) time.Time {
		return b.restart(func(set map[string]any) { set["perCall"] = 5 + rand.IntN(20) })
	}, reasons: loses},
	{name: "namespaces renumbered", usual: []string{onOwn}, does: renumbered, reasons: loses},
	{name: "node removed and back", usual: []string{onNode, onOwn}, does: nodeAway, unseen: true, within: 45 * time.Second, reasons: goneNode},
	{name: "restart without a node", does: withoutNode, within: 45 * time.Second, reasons: loses},
	{name: "certificate of the server rotated", usual: []string{onOwn}, does: serverRenewed, reasons: loses},
	{name: "certificate of the collector rotated", usual: []string{onOwn}, does: ownRenewed, unseen: true},
	{name: "publish starvation", does: func(b *bench) time.Time {
		b.srv.say("starve 6000")
		time.Sleep(6 * time.Second)
		return time.Now()
	}, reasons: everything},
	{name: "publish starvation for good", usual: []string{onOwn}, does: starved, within: 12 * time.Second, reasons: losesLink, fills: true},
	{name: "subscription dropped", usual: []string{onNode}, does: func(b *bench) time.Time {
		b.srv.say("drop")
		return time.Now()
	}, reasons: losesLink},
	{name: "session ended", usual: []string{onOwn}, does: func(b *bench) time.Time {
		b.srv.say("expel")
		return time.Now()
	}, reasons: losesLink},
	{name: "session ended in a silence", usual: []string{onOwn}, does: forgottenSession, reasons: losesLink, fills: true},
	{name: "slow server", usual: []string{onOwn}, does: blocked, unseen: true},
	{name: "slow way", does: slowWay, unseen: true},
	{name: "clock an hour ahead", usual: []string{onOwn}, does: steps(3_600_000), unseen: true},
	{name: "clock an hour back", does: steps(-3_600_000), unseen: true},
	{name: "clock back at a restart", usual: []string{onOwn}, does: func(b *bench) time.Time {
		return b.restart(func(set map[string]any) { set["step"] = -7_200_000 })
	}, reasons: loses},
}

// fromRecreate is what an asyncua server can suffer: its sessions end with the
// connection. Its queues run over without a sign.
var fromRecreate = []disturbance{
	{name: "TCP cut", usual: []string{onAsyncua}, does: cut, reasons: losesLink},
	{name: "messages lost on the way", does: lossOnTheWay, reasons: losesLink},
	{name: "half open", does: halfOpen, reasons: []string{plant.GapLinkDown, plant.GapOverflow}},
	{name: "kill -9 and restart", usual: []string{onAsyncua}, does: kill, reasons: loses},
	{name: "namespaces renumbered", does: renumbered, reasons: loses},
	{name: "node removed and back", usual: []string{onAsyncua}, does: nodeAway, unseen: true, within: 45 * time.Second, reasons: []string{GapNodeGone, plant.GapQuarantined}},
	{name: "restart without a node", does: withoutNode, within: 45 * time.Second, reasons: loses},
	{name: "certificate of the server rotated", usual: []string{onAsyncua}, does: serverRenewed, reasons: loses},
	{name: "publish starvation for good", does: starved, within: 12 * time.Second, reasons: losesLink},
	{name: "slow server", does: blocked, unseen: true, reasons: losesLink},
	{name: "slow way", does: slowWay, unseen: true},
	{name: "clock an hour ahead", does: steps(3_600_000), unseen: true},
	{name: "clock an hour back", does: steps(-3_600_000), unseen: true},
}

// disturbances are what is to be done on one or two servers of a make, side by
// side: all kinds in turn, shuffled, as often as it takes.
func disturbances(all []disturbance, server string) (lanes [2][]disturbance, long bool) {
	var todo []disturbance
	for _, d := range all {
		if slices.Contains(d.usual, server) {
			todo = append(todo, d)
		}
	}
	if n, _ := strconv.Atoi(os.Getenv("MILLWRIGHT_DISTURBANCES")); n > 0 {
		todo, long = nil, true
		for len(todo) < n {
			deck := slices.Clone(all)
			rand.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
			todo = append(todo, deck[:min(len(deck), n-len(todo))]...)
		}
	}
	servers := 1 // starting one takes seconds
	if len(todo) > 6 {
		servers = 2
	}
	for i, d := range todo {
		lanes[i%servers] = append(lanes[i%servers], d)
	}
	return lanes, long
}

// disturb does all of it to two servers that `make` makes.
func disturb(t *testing.T, all []disturbance, server string, make func(t *testing.T) *bench) {
	lanes, long := disturbances(all, server)
	var r rounds
	t.Run("lane", func(t *testing.T) {
		for i, todo := range lanes {
			if len(todo) == 0 {
				continue
			}
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				b := make(t)
				b.long = long
				b.suffer(todo, &r)
			})
		}
	})
	r.tell(t)
}

func TestDisturbances(t *testing.T) {
	t.Parallel()
	disturb(t, everyRung, onNode, func(t *testing.T) *bench {
		return newBench(t, onNode, 30, func(pki string) *foreign {
			return newNodeServer(t, map[string]any{"nodes": 30, "run": true, "good": true, "history": past(), "perHistory": 4, "tick": 0, "shift": 0, "step": 0,
				"anonymous": false, "users": map[string]string{"op": "secret"}, "trust": []string{filepath.Join(pki, ownDir, ownName+certSuffix)}})
		})
	})
}

// TestDisturbancesOwn: our simulator suffers the same.
func TestDisturbancesOwn(t *testing.T) {
	t.Parallel()
	disturb(t, everyRung, onOwn, func(t *testing.T) *bench {
		return newBench(t, onOwn, 30, func(pki string) *foreign {
			return newMillServer(t, map[string]any{"nodes": 30, "run": true, "history": past(), "perHistory": 4, "tick": 0, "shift": 0, "step": 0,
				"secure": true, "users": map[string]string{"op": "secret"}, "trust": []string{filepath.Join(pki, ownDir, ownName+certSuffix)}})
		})
	})
}

// TestDisturbancesAsyncua: a second foreign stack. Unlike others it answers a
// Republish of what it does not hold with an empty notification, and gives out
// the same subscription ids after a restart.
func TestDisturbancesAsyncua(t *testing.T) {
	t.Parallel()
	disturb(t, fromRecreate, onAsyncua, func(t *testing.T) *bench {
		b := newBench(t, onAsyncua, 20, func(string) *foreign {
			return newAsyncua(t, map[string]any{"nodes": 20, "tick": 0, "shift": 0, "users": map[string]string{"op": "secret"}})
		})
		found, err := Discover(t.Context(), b.srv.url(), b.s.Security, "")
		if err != nil || len(found) != b.tags || found[0].Path != "Mill/T0" {
			t.Errorf("discovered %d, %v", len(found), err)
		}
		return b
	})
}

// newBench connects to a server: signed, encrypted and with a user.
func newBench(t *testing.T, make string, tags int, server func(pki string) *foreign) *bench {
	b := &bench{t: t, make: make, tags: tags, pki: t.TempDir()}
	if _, err := ownIdentity(b.pki, ""); err != nil {
		t.Fatal(err)
	}
	b.srv = server(b.pki)
	b.p = newProxy(t, b.srv.port)
	accept(t, b.pki, b.srv)
	b.s = &Source{Name: "PLC", URL: b.p.url(), Tags: b.srv.tags(tags), recheck: 10 * time.Millisecond,
		Security: Security{Policy: "Basic256Sha256", Mode: "SignAndEncrypt", User: "op", Password: "secret", PKI: b.pki}}
	if make != onAsyncua {
		b.past = pastTags
		for i := range b.past {
			b.s.Tags[i].Queue = pastQueue
		}
	}
	b.out = newStore(b.s)
	start(t, b.s, b.out)
	eventually(t, patience, "live", live(b.s))
	return b
}

// patience is for what is no figure: a server in a process of its own on a busy
// machine.
const patience = time.Minute

func (b *bench) suffer(todo []disturbance, r *rounds) {
	for i, d := range todo {
		time.Sleep(b.pick(200*time.Millisecond, time.Duration(500+rand.IntN(1500))*time.Millisecond))
		x := b.undergo(d, r)
		b.t.Logf("%3d of %d  %v", i+1, len(todo), x)
	}
	settled(b.t, b.srv, b.s, b.out)
	a := b.out.reckon(b.t, offeredBy(b.t, b.srv.logFile()))
	a.check(b.t)
	r.reckoned(a.undeclared)
	b.t.Logf("gaps %v", b.out.gapReasons())
}

// undergo lets one disturbance happen and waits until all is well again. One
// after which data does not come back counts as a silent gap.
func (b *bench) undergo(d disturbance, r *rounds) round {
	before, came := b.out.gapsNow(), b.out.fromHistory()
	seen, filled := b.watch()
	from := time.Now()
	x := round{server: b.make, name: d.name, noticed: notApplicable, back: notApplicable}
	x.silent = 1 // until all is well again
	defer func() { r.add(b.t, x) }()
	back := d.does(b)
	if !d.unseen {
		eventually(b.t, patience, d.name+" is noticed", func() bool { return !seen().IsZero() })
		if x.noticed = seen().Sub(from); x.noticed > 5*time.Second+slack {
			b.t.Errorf("%s: noticed after %v", d.name, x.noticed)
		}
	}
	fresh := b.out.mark()
	begin, within := time.Now(), max(d.within, 8*time.Second)+slack
	eventually(b.t, patience, d.name+": every tag is back", func() bool { return flowing(b.s.Status().State) && fresh() >= b.tags-len(b.absent) })
	if took := time.Since(begin); took > within {
		b.t.Errorf("%s: back after %v", d.name, took)
	}
	if x.back = time.Since(back); d.within > 0 {
		x.back = notApplicable // there is no moment at which the server is back
	}
	if d.fills && b.past > 0 {
		eventually(b.t, patience, d.name+": history has given something of each tag", func() bool {
			now := b.out.fromHistory()
			for tag := plant.TagID(1); int(tag) <= b.past; tag++ {
				if now[tag].n == came[tag].n {
					return false
				}
			}
			return true
		})
	}
	eventually(b.t, patience, d.name+": live, and no history left to read", live(b.s))
	told := filled()
	x.silent = 0
	reasons := slices.Concat(d.reasons, b.prior) // what history lacks may be declared only now
	b.prior = d.reasons
	for _, g := range b.out.gapsNow()[len(before):] {
		if !slices.Contains(reasons, g.Reason) || int(g.Tag) <= b.past && !slices.Contains(historyEnds, g.Reason) {
			b.t.Errorf("%s: a gap by %s of tag %d, %v", d.name, g.Reason, g.Tag, time.Duration(g.To-g.From))
		}
	}
	if d.fills && b.past > 0 {
		if !told {
			b.t.Errorf("%s: the state never was %s", d.name, plant.Backfilling)
		}
		for tag, n := range b.out.fromHistory() {
			if n.again > came[tag].again {
				b.t.Errorf("%s: history gave %d values of tag %d that were there", d.name, n.again-came[tag].again, tag)
			}
		}
	}
	if b.long {
		x.silent = b.unaccounted(d.name)
	}
	return x
}

// unaccounted is how many of the values that the server has offered by now are
// neither stored nor declared some time later.
func (b *bench) unaccounted(after string) int {
	offered := offeredBy(b.t, b.srv.logFile())
	var lost []key
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		if _, lost = b.out.account(offered); len(lost) == 0 || time.Now().After(deadline) {
			break
		}
	}
	for i, k := range lost {
		if i < 5 {
			b.t.Errorf("%s: undeclared: tag %d at %s", after, k.tag, time.UnixMilli(k.ms).UTC().Format("05.000"))
		}
	}
	return len(lost)
}

// slack is what a machine that does other things may add to any time.
const slack = 3 * time.Second

// watch notes when the state leaves Live for the first time, and whether it then
// said that history was read.
func (b *bench) watch() (left func() time.Time, filled func() bool) {
	var mu sync.Mutex
	var at time.Time
	var filling bool
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			changed := b.s.Changed()
			state := b.s.Status().State
			mu.Lock()
			if at.IsZero() && state != plant.Live {
				at = time.Now()
			}
			filling = filling || state == plant.Backfilling
			mu.Unlock()
			select {
			case <-stop:
				return
			case <-changed:
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	var once sync.Once
	end := func() { once.Do(func() { close(stop) }); <-done }
	b.t.Cleanup(end)
	left = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return at
	}
	filled = func() bool {
		end()
		return filling
	}
	return left, filled
}
