package collector

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/e2e/port"
	"millwright/plant"
)

// pair is a redundant set of two servers of another make, which have the same
// values with the same times.
type pair struct {
	t   *testing.T
	srv [2]*foreign
	s   *Source
	out *store
}

// read begins to read the set as s says.
func (p *pair) read(t *testing.T, s *Source) (stop func()) {
	t.Helper()
	p.t = t
	for _, srv := range p.srv {
		srv.t = t
		srv.say("run")
		srv.say("level 255")
	}
	if s.URL == "" {
		s.URL, s.Standby = p.srv[0].url(), []string{p.srv[1].url()}
	}
	s.Name, s.Tags = "PLC", p.srv[0].tags(20)
	p.s, p.out = s, newStore(s)
	stop = start(t, p.s, p.out)
	p.ready(0)
	time.Sleep(time.Second)
	return stop
}

// active is the position of the server that is read, -1 if it is none.
func (p *pair) active() int {
	st := p.s.Status()
	if st.State != plant.Live && st.State != plant.Backfilling {
		return -1
	}
	return slices.IndexFunc(st.Servers, func(x plant.ServerStatus) bool { return x.Active })
}

// ready waits until server i is read and the other one stands by.
func (p *pair) ready(i int) {
	p.t.Helper()
	eventually(p.t, 30*time.Second, "one is read, the other stands by", func() bool {
		all := p.s.Status().Servers
		return p.active() == i && strings.HasPrefix(all[1-i].State, "standby") && !all[1-i].Active
	})
}

// account ends the offering of the servers that still run, and counts.
func (p *pair) account(alive ...int) account {
	p.t.Helper()
	end := time.Now().UnixMilli() // from here on one offers what the other does not
	for _, i := range alive {
		p.srv[i].say("halt")
	}
	size := -1
	eventually(p.t, 20*time.Second, "all is here", func() bool {
		time.Sleep(300 * time.Millisecond)
		was := size
		size = p.out.size()
		return was == size && p.s.Status().State == plant.Live
	})
	offered := map[key]fact{}
	for _, srv := range p.srv {
		for k, f := range offeredBy(p.t, srv.logFile()) {
			if _, stored := p.out.facts[k]; stored || k.ms < end {
				f.seq = 0
				offered[k] = f
			}
		}
	}
	a := p.out.reckon(p.t, offered)
	a.check(p.t)
	return a
}

// recovered measures the time from now until a value comes.
func (p *pair) recovered() time.Duration {
	p.t.Helper()
	return eventually(p.t, 20*time.Second, "values", grows(p.out))
}

// whole fails where anything is missing, or came twice.
func (p *pair) whole(a account) {
	p.t.Helper()
	if a.stored != a.offered || len(p.out.gaps) > 0 || p.out.count.again > 0 || p.out.count.behind > 0 {
		p.t.Errorf("%v, gaps %v, twice %d, behind %d", a, p.out.gapReasons(), p.out.count.again, p.out.count.behind)
	}
}

func TestFailOver(t *testing.T) {
	t.Parallel()
	p := &pair{t: t}
	for i := range p.srv {
		// Its queues break when an uncertain value drops out of them, so all are good.
		p.srv[i] = newNodeServer(t, map[string]any{"nodes": 20, "run": true, "grid": 50, "good": true,
			"support": int(ua.RedundancySupportHot), "history": []int{0, 1, 2, 3, 4}})
	}
	defer func() { p.srv[0].t, p.srv[1].t = t, t }()

	// A server that says it is in a bad state is left for a better one without a
	// gap, once, however the levels flap.
	t.Run("level", func(t *testing.T) {
		log, said := listen(t)
		stop := p.read(t, &Source{Log: log})
		p.srv[1].say("level 201") // healthy is healthy
		time.Sleep(2500 * time.Millisecond)
		if p.active() != 0 {
			t.Fatal("a healthy server was left")
		}
		p.srv[0].say("level 100")
		eventually(t, 10*time.Second, "moved", func() bool { return p.active() == 1 })
		for i := range 8 {
			p.srv[0].say(fmt.Sprint("level ", []int{255, 150}[i%2]))
			p.srv[1].say(fmt.Sprint("level ", []int{100, 255}[i%2]))
			time.Sleep(400 * time.Millisecond)
		}
		p.ready(1)
		if n := said("fail-over"); n != 1 {
			t.Errorf("%d fail-overs", n)
		}
		p.whole(p.account(0, 1))
		stop()
	})

	// Where the way to both fails, the one that was read has the values, and is
	// taken up again.
	t.Run("both cut off", func(t *testing.T) {
		a, b := newProxy(t, p.srv[0].port), newProxy(t, p.srv[1].port)
		stop := p.read(t, &Source{URL: a.url(), Standby: []string{b.url()}})
		a.hush(true)
		b.hush(true)
		time.Sleep(2 * time.Second)
		a.cut()
		b.cut()
		time.Sleep(time.Second)
		a.hush(false)
		b.hush(false)
		eventually(t, 30*time.Second, "live", live(p.s))
		p.recovered()
		if x := p.account(0, 1); x.stored != x.offered {
			t.Errorf("lost though the server had it: %v", x)
		}
		stop()
	})

	// The one that is read is killed. Nothing is lost, no gap is declared, nothing
	// comes twice; and so again when the dead one has come back and the other dies.
	t.Run("killed", func(t *testing.T) {
		stop := p.read(t, &Source{})
		p.srv[0].kill()
		took := p.recovered()
		t.Logf("values %v after the kill", took.Round(time.Millisecond))
		if took > 20*time.Second {
			t.Errorf("fail-over took %v", took)
		}
		p.srv[0].start()
		p.ready(1)
		time.Sleep(time.Second)
		p.srv[1].kill()
		t.Logf("values %v after the kill", p.recovered().Round(time.Millisecond))
		eventually(t, 10*time.Second, "back", func() bool { return p.active() == 0 })
		p.recovered()
		p.whole(p.account(0))
		stop()
		p.srv[1].start()
	})

	// A warm standby samples nothing before it is taken over. What lies between is
	// declared, or read from its history where a tag has one.
	t.Run("warm", func(t *testing.T) {
		stop := p.read(t, &Source{StandbyMode: StandbyWarm})
		if s := p.s.Status().Servers[1]; s.State != "standby warm" || s.ServiceLevel != 255 {
			t.Errorf("%+v", s)
		}
		p.srv[0].kill()
		t.Logf("values %v after the kill", p.recovered().Round(time.Millisecond))
		eventually(t, 20*time.Second, "the other one is read", func() bool { return p.active() == 1 })
		time.Sleep(2 * time.Second)
		p.account(1)
		for _, g := range p.out.gaps {
			if g.Tag <= 5 || g.Reason != plant.GapFailOver {
				t.Errorf("%+v", g)
			}
		}
		stop()
	})
}

// TestStandbyAtStart: the server named first is not there. After a restart of
// ours the other one's subscription is taken up, because that is the one in the
// state file.
func TestStandbyAtStart(t *testing.T) {
	t.Parallel()
	m := newMill(t, 10, nil)
	state := filepath.Join(t.TempDir(), "state")
	for run := range 2 {
		s := &Source{Name: "PLC", URL: fmt.Sprintf("opc.tcp://127.0.0.1:%d", port.Free(t)), Standby: []string{m.URL()}, StandbyMode: StandbyCold,
			Tags: m.tags(), StateFile: state}
		out := newStore(s)
		stop := start(t, s, out)
		eventually(t, 20*time.Second, "the other one is read", func() bool { return live(s)() && s.Status().Servers[1].Active })
		if x := s.Status().Servers[0]; x.Active || x.ServiceLevel != -1 || run == 0 && x.State != "down" && x.State != "connecting" {
			t.Errorf("%+v", x)
		}
		if run == 0 {
			m.run(20*time.Millisecond, 1)
			eventually(t, 10*time.Second, "values", grows(out))
			m.halt()
			time.Sleep(300 * time.Millisecond)
		}
		stop()
	}
	if n := m.Counts(); n["CreateSubscription"] != 1 {
		t.Errorf("%v", n)
	}
}

func TestBetter(t *testing.T) {
	f := func(b, a uint8, want bool) {
		t.Helper()
		if better(b, a) != want {
			t.Errorf("%d over %d: %v", b, a, !want)
		}
	}
	f(255, 200, false)
	f(200, 255, false)
	f(200, 199, true)
	f(199, 200, false)
	f(100, 99, false)
	f(120, 100, true)
	f(119, 100, false)
	f(2, 1, true)
	f(1, 0, false)
	f(2, 0, true)
	f(0, 0, false)
	f(1, 2, false)
}

// TestRepeated: what of another server's values is one that was given before.
func TestRepeated(t *testing.T) {
	f := func(now int64, values []*ua.MonitoredItemNotification, want []int64, gaps ...plant.Gap) {
		t.Helper()
		tr := newTranslator([]plant.Tag{{ID: 1}})
		tr.translate(dataChange(1, value(1, 1.0, ua.StatusOK, at(1000)), value(1, 2.0, ua.StatusOK, at(1100))))
		tr.open(0, failedOver)
		tr.succeed(at(now).UnixNano())
		tr.translate(dataChange(1, values...))
		var got []int64
		for _, s := range tr.batch.Samples {
			got = append(got, s.Time/oneMilli)
		}
		if !slices.Equal(got, want) || !same(tr.batch.Gaps, gaps) {
			t.Errorf("at %d: %v %v, want %v %v", now, got, tr.batch.Gaps, want, gaps)
		}
	}
	v := func(ms int64) *ua.MonitoredItemNotification { return value(1, 3.0, ua.StatusOK, at(ms)) }
	bad := func(ms int64) *ua.MonitoredItemNotification {
		return value(1, 3.0, ua.StatusBadNoCommunication, at(ms))
	}
	gap := func(from, to int64, why string) plant.Gap {
		return plant.Gap{Tag: 1, From: from * oneMilli, To: to * oneMilli, Reason: why}
	}
	over := func(x *ua.MonitoredItemNotification) *ua.MonitoredItemNotification {
		x.Value.Status |= 0x480
		x.Value.EncodingMask |= ua.DataValueStatusCode
		return x
	}
	// The queue reaches back: all in it is either known or new.
	f(2000, []*ua.MonitoredItemNotification{v(1000), v(1100), v(1200), v(1300)}, []int64{1200, 1300})
	f(2000, []*ua.MonitoredItemNotification{over(v(1050)), v(1150), v(1300)}, []int64{1150, 1300}) // sampled at other times
	f(2000, []*ua.MonitoredItemNotification{v(1100)}, nil)                                         // has not changed
	// It does not.
	f(2000, []*ua.MonitoredItemNotification{v(1200), v(1300)}, []int64{1200, 1300}, gap(1101, 1200, plant.GapFailOver))
	f(2000, []*ua.MonitoredItemNotification{v(1000), over(v(1300))}, []int64{1300}, gap(1101, 1300, plant.GapOverflow))
	// The value that we have is no longer good there.
	f(2000, []*ua.MonitoredItemNotification{bad(1000), bad(1100), v(1200)}, []int64{1100, 1200})
	// Our values come from its future, so from another clock.
	f(1000, []*ua.MonitoredItemNotification{v(900)}, []int64{900}, gap(1101, 3100, plant.GapFailOver), gap(-1099, 900, plant.GapFailOver))
}
