package collector

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
	"pgregory.net/rapid"

	"millwright/plant"
)

// read plays a history (source times in ms, ascending) through slices of the
// given length and returns what was taken and what was declared.
func (h *hole) play(history []int64, length int64) (taken []int64, gaps []plant.Gap) {
	for !h.done() {
		s := newSlice(h, nil, max(h.from, h.to-length))
		for _, at := range history {
			at *= oneMilli
			if at < s.from-oneMilli || at > h.to {
				continue
			}
			var want bool
			if gaps, want = s.take(gaps, 1, at); want {
				taken = append(taken, at/oneMilli)
			}
		}
		gaps = s.finish(gaps, 1)
	}
	return taken, gaps
}

func TestHole(t *testing.T) {
	ms := func(n int64) int64 { return n * oneMilli }
	gap := func(from, to int64) plant.Gap {
		return plant.Gap{Tag: 1, From: ms(from), To: ms(to), Reason: plant.GapServerDown}
	}
	for _, c := range []struct {
		name    string
		cut     int64
		history []int64 // the hole lies between the values at 100 and at 200
		gaps    []plant.Gap
	}{
		{"all of it", 0, []int64{90, 100, 120, 130, 199, 200, 210}, nil},
		{"nothing happened", 0, []int64{100, 200}, nil},
		{"the history begins too late", 0, []int64{150, 160, 200}, []plant.Gap{gap(101, 150)}},
		{"it ends too early", 0, []int64{100, 110}, []plant.Gap{gap(111, 200)}},
		{"it has nothing", 0, nil, []plant.Gap{gap(101, 200)}},
		{"neither end", 0, []int64{150}, []plant.Gap{gap(151, 200), gap(101, 150)}},
		{"a restart between", 140, []int64{100, 120, 150, 200}, []plant.Gap{gap(121, 150)}},
		{"a restart after the last", 190, []int64{100, 120, 200}, []plant.Gap{gap(121, 200)}},
		{"a restart before the first", 110, []int64{100, 120, 200}, []plant.Gap{gap(101, 120)}},
		{"a clock that differs", 900, []int64{100, 120, 200}, []plant.Gap{gap(121, 200)}},
		{"and the other way", 1, []int64{100, 120, 200}, []plant.Gap{gap(101, 120)}},
	} {
		for _, length := range []int64{1, 7, 50, 1000} {
			_, gaps := newHole(0, ms(101), ms(200), serverDown, ms(c.cut)).play(c.history, ms(length))
			if !same(gaps, c.gaps) {
				t.Errorf("%s, slices of %d: got %v, want %v", c.name, length, gaps, c.gaps)
			}
		}
	}
}

// TestHoleNeverSilent: whatever the history lost at its ends or around a
// restart, and in whatever order it gives the rest, each value is taken or declared, and no value of another span taken.
func TestHoleNeverSilent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := int64(101), int64(200)
		var all []int64
		for at := from - 1; at <= to; at++ {
			if at == from-1 || at == to || rapid.Bool().Draw(t, "value") {
				all = append(all, at)
			}
		}
		begin, end := rapid.Int64Range(90, 210).Draw(t, "begin"), rapid.Int64Range(90, 210).Draw(t, "end")
		cut := rapid.Int64Range(90, 210).Draw(t, "cut")
		lost := rapid.Int64Range(0, 50).Draw(t, "lost before the cut")
		var history []int64
		for _, at := range all {
			if at >= begin && at < end && (at < cut-lost || at >= cut) {
				history = append(history, at)
			}
		}
		if rapid.Bool().Draw(t, "in disorder") {
			history = rapid.Permutation(history).Draw(t, "order")
		}
		taken, gaps := newHole(0, from*oneMilli, to*oneMilli, linkDown, cut*oneMilli).play(history, oneMilli*rapid.Int64Range(1, 150).Draw(t, "slice"))
		have := map[int64]bool{}
		for _, at := range taken {
			if have[at] || at < from || at >= to {
				t.Errorf("%d taken", at)
			}
			have[at] = true
		}
		for _, at := range all[1 : len(all)-1] {
			if !have[at] && !within(gaps, at*oneMilli) {
				t.Errorf("%d is lost in silence: history %v, gaps %v", at, history, gaps)
			}
		}
	})
}

// TestHistoryOfAnotherKind: what a tag cannot hold lies in a gap, from history as live.
func TestHistoryOfAnotherKind(t *testing.T) {
	tags := []plant.Tag{{ID: 1, Path: "a"}, {ID: 2, Path: "b", Kind: plant.Text}}
	for i, values := range [][]any{{int16(5), "five", int16(6)}, {"on", strings.Repeat("x", maxText+1), "off"}} {
		p := &pump{engine: &engine{src: &Source{Tags: tags}, tr: newTranslator(tags)}}
		h := newHole(i, 1000*oneMilli, 2000*oneMilli, linkDown, 0)
		var list []*ua.DataValue
		for k, v := range values {
			list = append(list, &ua.DataValue{Value: ua.MustVariant(v), SourceTimestamp: at(int64(1400 + 100*k))})
		}
		p.receive(newSlice(h, nil, h.from), list, 0)
		b := &p.back.batch
		if n := len(b.Samples) + len(b.States); n != 2 || p.back.received != 2 {
			t.Errorf("tag %d: %d values were taken: %+v %+v", tags[i].ID, n, b.Samples, b.States)
		}
		want := []plant.Gap{{Tag: tags[i].ID, From: 1500 * oneMilli, To: 1501 * oneMilli, Reason: GapWrongType}}
		if !slices.Equal(b.Gaps, want) {
			t.Errorf("tag %d: gaps %+v, want %+v", tags[i].ID, b.Gaps, want)
		}
	}
}

// TestBackfill: what a lost subscription cost comes from the history of a
// foreign server, in questions within its limits, while live values go on; only
// what the history does not have is declared.
func TestBackfill(t *testing.T) {
	t.Parallel()
	const tags, historic = 30, 20
	with := make([]int, historic)
	for i := range with {
		with[i] = i
	}
	srv := newNodeServer(t, map[string]any{"nodes": tags, "run": true, "every": 50, "history": with, "perHistory": 3, "good": true, "text": []int{4}})
	p := newProxy(t, srv.port)
	log, said := listen(t)
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(tags), Log: log, StateFile: filepath.Join(t.TempDir(), "plc")}
	s.Tags[4].Kind = plant.Text
	for i := range s.Tags {
		s.Tags[i].Queue = 20 // a second
	}
	out := newStore(s)
	start(t, s, out)
	eventually(t, patience, "live", live(s))
	time.Sleep(2 * time.Second)

	var filling atomic.Bool
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-s.Changed():
			case <-time.After(time.Millisecond):
			}
			if s.Status().State == plant.Backfilling {
				filling.Store(true)
			}
		}
	}()
	// whole asks for what a tag was offered until now: a busy machine may miss more all the while.
	whole := func(tag int) func() bool {
		offered := offeredBy(t, srv.logFile())
		maps.DeleteFunc(offered, func(k key, _ fact) bool { return int(k.tag) != tag+1 })
		return func() bool {
			out.mu.Lock()
			defer out.mu.Unlock()
			for k := range offered {
				if _, ok := out.facts[k]; !ok && k.ms > out.first[k.tag] {
					return false
				}
			}
			return true
		}
	}
	// The server's queues run over in the silence.
	p.hush(true)
	time.Sleep(8 * time.Second)
	p.hush(false)
	eventually(t, patience, "live", live(s))
	eventually(t, patience, "the overflow is filled", whole(0))
	// The subscription is gone, and so is what it would have had.
	p.hush(true)
	p.cut()
	srv.say("expel")
	time.Sleep(3 * time.Second)
	p.hush(false)
	eventually(t, patience, "made again", func() bool { return said("subscription created") == 2 })
	// The connection is cut in the midst of the reading.
	eventually(t, patience, "history is read", func() bool { return s.Status().State == plant.Backfilling })
	p.cut()
	eventually(t, patience, "live", live(s))
	for _, i := range []int{0, 4, historic - 1} {
		eventually(t, patience, "the outage is filled", whole(i))
	}
	settled(t, srv, s, out)
	a := out.reckon(t, offeredBy(t, srv.logFile()))
	a.check(t)
	for _, g := range out.gaps {
		if int(g.Tag) <= historic {
			t.Errorf("a gap that history filled: %+v", g)
		}
	}
	if a.declared == 0 {
		t.Error("tags without history lost nothing: the test does not test")
	}
	if s.Status().Overflows == 0 {
		t.Error("the server's queue must have run over")
	}
	if !filling.Load() {
		t.Error("the state never said that history is read")
	}
	if out.count.late == 0 || out.count.behind > 0 {
		t.Errorf("%d values of history are marked late, %d older ones are not", out.count.late, out.count.behind)
	}
	srv.say("asked")
	b, err := os.ReadFile(filepath.Join(srv.dir, "asked"))
	var asked struct{ Requests, Continued, Most, Released int }
	if err != nil || json.Unmarshal(b, &asked) != nil || asked.Most > 3 || asked.Continued == 0 {
		t.Errorf("history requests %s, %v", b, err)
	}
	t.Logf("%s, %d values came twice", b, out.count.again)
	eventually(t, patience, "no holes are left", func() bool {
		st, err := readState(s.StateFile)
		return err == nil && len(st.holes) == 0
	})
}

// TestBackfillNewestFirst: of what was missed the newest is asked for first, and
// where nothing breaks, no value comes twice.
func TestBackfillNewestFirst(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 2, "run": true, "every": 50, "history": []int{0, 1}, "good": true})
	p := newProxy(t, srv.port)
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(2)}
	out := newStore(s)
	e, err := newEngine(s, out)
	if err != nil {
		t.Fatal(err)
	}
	e.log, e.back.length = logger(t), time.Second // several questions for one outage
	done := make(chan struct{})
	go func() { defer close(done); e.run(t.Context()); e.close() }()
	t.Cleanup(func() { <-done })
	eventually(t, patience, "live", live(s))
	eventually(t, patience, "values", func() bool { return out.size() > 10 })
	p.hush(true)
	p.cut()
	srv.say("expel")
	time.Sleep(6 * time.Second)
	p.hush(false)
	eventually(t, patience, "filled", func() bool { st := s.Status(); return st.State == plant.Live && st.Backfilled > 100 && st.Holes == 0 })
	settled(t, srv, s, out)
	a := out.reckon(t, offeredBy(t, srv.logFile()))
	a.check(t)
	if a.declared > 0 || out.count.again > 0 || out.count.late < 100 {
		t.Errorf("%v, %d came twice, %d from history", a, out.count.again, out.count.late)
	}
	srv.say("asked")
	b, err := os.ReadFile(filepath.Join(srv.dir, "asked"))
	var asked struct{ Ends []int64 }
	if err != nil || json.Unmarshal(b, &asked) != nil || len(asked.Ends) < 3 {
		t.Fatalf("asked %s, %v", b, err)
	}
	for i, end := range asked.Ends[1:] {
		if before := asked.Ends[i]; end > before {
			t.Errorf("question %d ends %d ms after the one before: %v", i+1, end-before, asked.Ends)
		}
	}
}

// TestNewestHoleFirst: of several holes the newest are read before the older ones,
// whatever the order in which they were found, each from its end.
func TestNewestHoleFirst(t *testing.T) {
	t.Parallel()
	e, _, _ := doubtful(t)
	p := &pump{engine: e}
	e.limits = new(limits)
	minute := int64(time.Minute)
	for i, at := range []int64{100, 300, 200, 500, 400} {
		e.back.access[i%2] = accessHistory
		e.back.holes = append(e.back.holes, newHole(i%2, at*minute, (at+5)*minute, linkDown, 0))
	}
	var ends []int64
	for p.pick(time.Now()); e.back.job != nil; p.pick(time.Now()) {
		for _, s := range e.back.job {
			ends = append(ends, s.hole.to)
			s.finish(nil, 1)
		}
		e.back.job = nil
	}
	if !slices.IsSortedFunc(ends, func(a, b int64) int { return int(b - a) }) || len(ends) != 25 {
		t.Errorf("read in the order %v", ends)
	}
}

// TestBackfillAfterKill: the server dies and loses its history, our process dies
// while holes are open: nothing is lost in silence.
func TestBackfillAfterKill(t *testing.T) {
	t.Parallel()
	with := make([]int, 20)
	for i := range with {
		with[i] = i
	}
	srv := newNodeServer(t, map[string]any{"nodes": 25, "run": true, "history": with, "perHistory": 2})
	dir := t.TempDir()
	k := &killable{t: t, set: childSet{URL: srv.url(), Tags: srv.tags(25), State: filepath.Join(dir, "state", "plc"), Out: filepath.Join(dir, "out"), Lag: 150 * time.Millisecond}}
	t.Cleanup(k.kill)
	k.start()
	time.Sleep(3 * time.Second)
	for i := range 3 {
		if i == 1 {
			srv.kill()
			srv.set["tick"] = 10_000
			srv.start()
		} else {
			srv.say("expel")
		}
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond)
		k.kill()
		time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
		k.start()
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond)
	}
	time.Sleep(time.Second)
	srv.say("halt")
	time.Sleep(3 * time.Second) // the last state but one may be written
	eventually(t, patience, "no holes are left", func() bool {
		st, err := readState(k.set.State)
		return err == nil && len(st.holes) == 0
	})
	k.kill()
	out := k.stored()
	a := out.reckon(t, offeredBy(t, srv.logFile()))
	a.check(t)
	t.Logf("gaps %v, %d of %d values came twice", out.gapReasons(), out.count.again, out.count.n)
	if t.Failed() {
		t.Log(k.log.String())
	}
}
