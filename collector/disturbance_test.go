package collector

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"millwright/plant"
)

// The disturbance bench: a foreign server with a log of its own, a proxy
// between, one collector that lives through all of it, and the account of what
// is neither stored nor declared. MILLWRIGHT_DISTURBANCES=N does N in random
// order, with the times of real faults, instead of the quick ones once.

// bench is one server with its collector.
type bench struct {
	t      *testing.T
	srv    *foreign
	p      *proxy
	s      *Source
	out    *store
	tags   int
	absent []int // tags that the server does not have at the moment
	long   bool  // a run of many: take the time that a real fault takes
}

// disturbance is one way in which the world goes wrong.
type disturbance struct {
	name    string
	does    func(b *bench) (back time.Time) // back: from when on data can flow again
	unseen  bool                            // the collector need not notice
	soak    bool                            // takes long: only in a run of many
	within  time.Duration                   // data must be back, 0 for the usual
	reasons []string                        // of the gaps that it may cause
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
	b.srv.say("block 3000")
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

// onNode is what a node-opcua server can suffer.
var onNode = []disturbance{
	{name: "TCP cut", does: cut},
	{name: "three cuts in a row", soak: true, does: func(b *bench) time.Time {
		for range 3 {
			b.p.cut()
			time.Sleep(350 * time.Millisecond)
		}
		return time.Now()
	}},
	{name: "messages lost on the way", does: lossOnTheWay},
	{name: "half open", does: halfOpen, reasons: overflows},
	{name: "kill -9 and restart", does: kill, reasons: loses},
	{name: "restart with lower limits", does: func(b *bench) time.Time {
		return b.restart(func(set map[string]any) { set["perCall"] = 5 + rand.IntN(20) })
	}, reasons: loses},
	{name: "namespaces renumbered", does: func(b *bench) time.Time {
		return b.restart(func(set map[string]any) { set["shift"] = (set["shift"].(int) + 1) % 3 })
	}, reasons: loses},
	{name: "node removed and back", does: func(b *bench) time.Time {
		b.srv.say("del 3")
		eventually(b.t, 5*time.Second, "the node is named", func() bool { return strings.HasPrefix(strings.Join(b.s.Status().Rejected, ";"), "T3: ") })
		b.srv.say("add 3")
		return time.Now()
	}, unseen: true, within: 45 * time.Second, reasons: goneNode},
	{name: "restart without a node", soak: true, does: func(b *bench) time.Time {
		b.absent = []int{5}
		at := b.restart(func(set map[string]any) { set["absent"] = b.absent })
		eventually(b.t, 10*time.Second, "the node is named", func() bool { return strings.HasPrefix(strings.Join(b.s.Status().Rejected, ";"), "T5: ") })
		b.srv.say("add 5")
		b.absent, b.srv.set["absent"] = nil, nil
		return at
	}, within: 45 * time.Second, reasons: loses},
	{name: "publish starvation", soak: true, does: func(b *bench) time.Time {
		b.srv.say("starve 6000")
		time.Sleep(6 * time.Second)
		return time.Now()
	}, reasons: everything},
	{name: "publish starvation for good", does: func(b *bench) time.Time {
		b.srv.say("starve")
		eventually(b.t, 6*time.Second, "silence is noticed", func() bool { return b.s.Status().State != plant.Live })
		return time.Now()
	}, within: 12 * time.Second, reasons: losesLink},
	{name: "subscription dropped", does: func(b *bench) time.Time {
		b.srv.say("drop")
		return time.Now()
	}, reasons: losesLink},
	{name: "session ended", does: func(b *bench) time.Time {
		b.srv.say("expel")
		return time.Now()
	}, reasons: losesLink},
	{name: "slow server", does: blocked, unseen: true},
	{name: "slow way", soak: true, does: slowWay, unseen: true},
	{name: "clock an hour ahead", does: steps(3_600_000), unseen: true},
	{name: "clock an hour back", does: steps(-3_600_000), unseen: true},
	{name: "clock back at a restart", does: func(b *bench) time.Time {
		return b.restart(func(set map[string]any) { set["step"] = -7_200_000 })
	}, reasons: loses},
}

// onAsyncua is what an asyncua server can. Its queues run over without a sign.
var onAsyncua = []disturbance{
	{name: "TCP cut", does: cut, reasons: losesLink},
	{name: "messages lost on the way", does: lossOnTheWay, reasons: losesLink},
	{name: "half open", soak: true, does: halfOpen, reasons: []string{plant.GapLinkDown, plant.GapOverflow}},
	{name: "kill -9 and restart", does: kill, reasons: loses},
	{name: "slow server", soak: true, does: blocked, unseen: true, reasons: losesLink},
	{name: "slow way", soak: true, does: slowWay, unseen: true},
	{name: "clock an hour ahead", soak: true, does: steps(3_600_000), unseen: true},
	{name: "clock an hour back", does: steps(-3_600_000), unseen: true},
}

// total is what all disturbances came to.
type total struct {
	mu              sync.Mutex
	done, silent    int
	detect, recover []time.Duration
}

func (x *total) print(t *testing.T) {
	t.Logf("disturbances %d, silent gaps %d, noticed p95 %v, back p95 %v", x.done, x.silent, p95(x.detect), p95(x.recover))
	if os.Getenv("MILLWRIGHT_DISTURBANCES") != "" {
		fmt.Printf("FIGURE collector.detect_s %.2f s\nFIGURE collector.recover_s %.2f s\nFIGURE collector.silent_gaps %d of %d\n",
			p95(x.detect).Seconds(), p95(x.recover).Seconds(), x.silent, x.done)
	}
}

// disturbances deals what is to be done to two servers side by side.
func disturbances(all []disturbance) (lanes [2][]disturbance, long bool) {
	var todo []disturbance
	for _, d := range all {
		if !d.soak {
			todo = append(todo, d)
		}
	}
	if n, _ := strconv.Atoi(os.Getenv("MILLWRIGHT_DISTURBANCES")); n > 0 {
		todo, long = nil, true
		for range n {
			todo = append(todo, all[rand.IntN(len(all))])
		}
	}
	for i, d := range todo {
		lanes[i%2] = append(lanes[i%2], d)
	}
	return lanes, long
}

func TestDisturbances(t *testing.T) {
	t.Parallel()
	const tags = 30
	var sum total
	lanes, long := disturbances(onNode)
	t.Run("node-opcua", func(t *testing.T) {
		for i, todo := range lanes {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				newBench(t, newNodeServer(t, map[string]any{"nodes": tags, "run": true, "good": true, "tick": 0, "shift": 0, "step": 0}), tags).suffer(todo, long, &sum)
			})
		}
	})
	sum.print(t)
}

// TestDisturbancesAsyncua: a second foreign stack. Unlike others it answers a
// Republish of what it does not hold with an empty notification, and gives out
// the same subscription ids after a restart.
func TestDisturbancesAsyncua(t *testing.T) {
	t.Parallel()
	const tags = 20
	var sum total
	lanes, long := disturbances(onAsyncua)
	t.Run("asyncua", func(t *testing.T) {
		for i, todo := range lanes {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, newAsyncua(t, map[string]any{"nodes": tags, "tick": 0}), tags)
				b.suffer(todo, long, &sum)
				found, err := Discover(t.Context(), b.srv.url(), Security{}, "")
				if err != nil || len(found) != tags || found[0].Path != "Mill/T0" {
					t.Errorf("discovered %d, %v", len(found), err)
				}
			})
		}
	})
	sum.print(t)
}

func newBench(t *testing.T, srv *foreign, tags int) *bench {
	p := newProxy(t, srv.port)
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(tags)}
	out := newStore(s)
	start(t, s, out)
	eventually(t, patience, "live", live(s))
	return &bench{t: t, srv: srv, p: p, s: s, out: out, tags: tags}
}

// patience is for what is no figure: a server in a process of its own on a busy
// machine.
const patience = 30 * time.Second

func (b *bench) suffer(todo []disturbance, long bool, sum *total) {
	b.long = long
	var detect, recover []time.Duration
	for i, d := range todo {
		time.Sleep(b.pick(200*time.Millisecond, time.Duration(500+rand.IntN(1500))*time.Millisecond))
		before := b.out.gapReasons()
		seen := b.watch()
		from := time.Now()
		back := d.does(b)
		noticed := "-"
		if !d.unseen {
			eventually(b.t, patience, d.name+" is noticed", func() bool { return !seen().IsZero() })
			took := seen().Sub(from)
			detect, noticed = append(detect, took), took.Round(time.Millisecond).String()
			if took > 5*time.Second+slack {
				b.t.Errorf("%s: noticed after %v", d.name, took)
			}
		}
		fresh := b.out.mark()
		within := max(d.within, 8*time.Second) + slack
		eventually(b.t, within, d.name+": every tag is back, and live", func() bool { return live(b.s)() && fresh() >= b.tags-len(b.absent) })
		took := time.Since(back)
		if d.within == 0 {
			recover = append(recover, took)
		}
		for why, n := range b.out.gapReasons() {
			if n > before[why] && !slices.Contains(d.reasons, why) {
				b.t.Errorf("%s: %d gaps by %s", d.name, n-before[why], why)
			}
		}
		b.t.Logf("%3d of %d  %-28s noticed after %7s, back after %7v", i+1, len(todo), d.name, noticed, took.Round(time.Millisecond))
	}
	settled(b.t, b.srv, b.s, b.out)
	a := b.out.reckon(b.t, offeredBy(b.t, b.srv.logFile()))
	a.check(b.t)
	b.t.Logf("gaps %v", b.out.gapReasons())
	sum.mu.Lock()
	defer sum.mu.Unlock()
	sum.done += len(todo)
	sum.silent += a.undeclared
	sum.detect, sum.recover = append(sum.detect, detect...), append(sum.recover, recover...)
}

// slack is what a machine that does other things may add to any time.
const slack = 3 * time.Second

// watch notes when the state leaves Live.
func (b *bench) watch() func() time.Time {
	var at time.Time
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for at.IsZero() {
			if b.s.Status().State != plant.Live {
				at = time.Now()
			}
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	b.t.Cleanup(func() {
		select {
		case <-stop:
		default:
			close(stop)
		}
		<-done
	})
	return func() time.Time {
		select {
		case <-done:
			return at
		default:
			return time.Time{}
		}
	}
}

func p95(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[(len(d)*95+99)/100-1].Round(time.Millisecond)
}
