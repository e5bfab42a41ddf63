package collector

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// reckonBands is reckon for tags with deadbands, widths in the unit of the tag by
// id: a value is owed that differs by more than the deadband, or in quality, from
// the last one stored before it. Those within are excluded by definition.
func (s *store) reckonBands(t testing.TB, offered map[key]fact, widths map[plant.TagID]float64) account {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	type row struct {
		key
		fact
	}
	var rows []row
	for k, x := range offered {
		rows = append(rows, row{k, x})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.ms, b.ms)) })
	gaps := map[plant.TagID][]plant.Gap{}
	for _, g := range s.gaps {
		gaps[g.Tag] = append(gaps[g.Tag], g)
	}
	var a account
	last := map[plant.TagID]fact{}
	for _, r := range rows {
		since, ok := s.first[r.tag]
		if !ok || r.seq == 0 && r.ms < since || r.seq < offered[key{r.tag, since}].seq {
			continue
		}
		got, stored := s.facts[r.key]
		ref, seen := last[r.tag]
		switch {
		case stored:
			a.offered++
			a.stored++
			if got.value != r.value || got.quality != r.quality {
				a.differing++
			}
			last[r.tag] = got
		case seen && ref.quality == r.quality && math.Abs(ref.value-r.value) <= widths[r.tag]:
		case within(gaps[r.tag], r.ms*oneMilli):
			a.offered++
			a.declared++
		default:
			a.offered++
			if a.undeclared++; a.undeclared < 5 {
				t.Errorf("undeclared: tag %d, %v after %v at %s", r.tag, r.value, ref.value, time.UnixMilli(r.ms).UTC().Format("05.000"))
			}
		}
	}
	for k := range s.facts {
		if _, ok := offered[k]; !ok {
			a.surplus++
		}
	}
	return a
}

// TestDeadbandServer: a deadband is applied by the server where it will, here
// where it will not, and nothing outside of it is lost either way, also over a
// cut.
func TestDeadbandServer(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 6, "run": true, "plain": map[string]string{"3": "BaseDataType", "4": "Double"}})
	p := newProxy(t, srv.port)
	log, said := listen(t)
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(6), Log: log}
	s.Tags[0].Deadband = 2.5
	s.Tags[1].Deadband, s.Tags[1].DeadbandPercent = 5, true
	s.Tags[2].Deadband, s.Tags[2].Scale = 0.35, -0.1
	s.Tags[3].Deadband = 4.5
	s.Tags[4].Deadband, s.Tags[4].DeadbandPercent, s.Tags[4].High = 5, true, 50
	widths := map[plant.TagID]float64{1: 2.5, 2: 5.05, 3: 0.35, 4: 4.5, 5: 2.5}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	time.Sleep(2 * time.Second)
	p.cut()
	eventually(t, 30*time.Second, "live", live(s))
	time.Sleep(2 * time.Second)
	settled(t, srv, s, out)
	offered := offeredBy(t, srv.logFile())
	for k, x := range offered {
		if k.tag == 3 {
			x.value *= -0.1
			offered[k] = x
		}
	}
	out.reckonBands(t, offered, widths).check(t)
	st := s.Status()
	if st.Deadbands.Server != 3 || st.Deadbands.Edge != 2 || st.Deadbands.None != 0 || len(st.Rejected) > 0 || st.Tags != 6 {
		t.Errorf("%+v", st)
	}
	// Of the two that the server does not apply, 3 of 5 and 1 of 3 values.
	if n := st.Deadbands.Thinned; n < 40 {
		t.Errorf("%d thinned", n)
	}
	if n := said("does not apply deadbands") + said("keep back values"); n > 0 {
		t.Error("a server that applies its deadbands was found not to")
	}
	count := map[plant.TagID]int{}
	for k := range out.facts {
		count[k.tag]++
	}
	for id, w := range map[plant.TagID]int{1: 3, 2: 6, 3: 4, 4: 5, 5: 3} {
		if got, all := count[id], count[6]; got > all/w+all/50*3+6 || got < all/w-6 {
			t.Errorf("tag %d: %d of %d values, want about one in %d", id, got, all, w)
		}
	}
	t.Logf("values by tag %v, %+v", count, st.Deadbands)
}

// TestDeadbandRefusedOnce: a server that will not have a filter is not asked
// again at each creation, and is by its next run.
func TestDeadbandRefusedOnce(t *testing.T) {
	tag := plant.Tag{ID: 1, Path: "a", Node: "ns=1;s=a", Deadband: 1}
	x := newItems([]plant.Tag{tag, {ID: 2, Path: "b", Node: "ns=1;s=b"}})
	sub, srv := subscription{id: 1, publishing: time.Second}, peer{namespaces: []string{"", "urn:x"}, started: 7}
	x.meet(srv)
	ask := func(which ...int) []*ua.MonitoredItemCreateRequest {
		r, _ := x.request(sub, srv, which)
		return r.ItemsToCreate
	}
	if f := ask(0, 1); f[0].RequestedParameters.Filter == nil || f[1].RequestedParameters.Filter != nil {
		t.Error("the deadband is not asked for, or one that nobody wants")
	}
	for _, code := range []ua.StatusCode{ua.StatusBadMonitoredItemFilterUnsupported, ua.StatusBadFilterNotAllowed, ua.StatusBadDeadbandFilterInvalid} {
		x.list[0].plain, x.again = false, nil
		if err := x.apply(sub, []int{0, 1}, &ua.CreateMonitoredItemsResponse{Results: []*ua.MonitoredItemCreateResult{
			{StatusCode: code}, {StatusCode: code}}}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(x.again, []int{0}) || !x.list[1].retry.After(time.Now()) {
			t.Errorf("%v: again %v", code, x.again)
		}
		if due := x.due(time.Now(), 10); !slices.Equal(due, []int{0}) {
			t.Errorf("%v: due at once %v", code, due)
		}
	}
	x.meet(srv)
	if ask(0)[0].RequestedParameters.Filter != nil {
		t.Error("asked again")
	}
	srv.started++
	x.meet(srv)
	if ask(0)[0].RequestedParameters.Filter == nil {
		t.Error("another run of the server is not asked")
	}
}

// TestBand: what passes a deadband.
func TestBand(t *testing.T) {
	tr := newTranslator([]plant.Tag{{ID: 1, Path: "a", Deadband: 0.2, Scale: 0.1}})
	feed := func(want bool, what string, v any, q ua.StatusCode, ms int64) {
		t.Helper()
		tr.translate(dataChange(1, value(1, v, q, at(ms))))
		if got := len(tr.batch.Samples) == 1; got != want {
			t.Errorf("%s: handed on %v", what, got)
		}
	}
	feed(true, "the first", 10.0, 0, 1000)
	feed(false, "at the edge", 12.0, 0, 1010)
	feed(true, "outside", 12.1, 0, 1020)
	feed(false, "back inside", 10.1, 0, 1030)
	feed(true, "quality", 10.1, ua.StatusUncertain, 1040)
	feed(false, "same quality", 10.2, ua.StatusUncertain, 1050)
	feed(true, "no number", nil, noData, 1060)
	feed(true, "a number", 10.2, 0, 1070)
	feed(true, "NaN", math.NaN(), 0, 1080)
	feed(true, "a number after NaN", 10.2, 0, 1090)
	feed(true, "after values dropped", 10.2, overflow, 1200)
	if want := []plant.Gap{{Tag: 1, From: 1091 * oneMilli, To: 1200 * oneMilli, Reason: plant.GapOverflow}}; !same(tr.batch.Gaps, want) {
		t.Errorf("%v", tr.batch.Gaps)
	}
	feed(false, "inside", 10.3, 0, 1210)
	tr.open(0, linkDown)
	feed(true, "after a gap", 10.3, 0, 1300)
	// What was within the deadband was not lost.
	if want := []plant.Gap{{Tag: 1, From: 1211 * oneMilli, To: 1300 * oneMilli, Reason: plant.GapLinkDown}}; !same(tr.batch.Gaps, want) {
		t.Errorf("%v", tr.batch.Gaps)
	}
	if tr.thinned != 4 || tr.bands[0].inside != 2 || tr.spilled[0] != 1 {
		t.Errorf("thinned %d, inside %d, spilled %v", tr.thinned, tr.bands[0].inside, tr.spilled)
	}
}

// TestThinAllocates: a value within a deadband costs no memory.
func TestThinAllocates(t *testing.T) {
	tags, m := bigNotification(1000)
	for i := range tags {
		tags[i].Deadband, tags[i].Scale = 1, 0.5
	}
	tr := newTranslator(tags)
	tr.translate(m)
	if n := testing.AllocsPerRun(100, func() { tr.translate(m) }); n != 0 || len(tr.batch.Samples) > 0 {
		t.Errorf("%v allocations for 1000 values, %d handed on", n, len(tr.batch.Samples))
	}
}

// TestDeadbandIgnored: a server that takes a percentage and applies none is
// found by what it sends, and nobody sees a difference.
func TestDeadbandIgnored(t *testing.T) {
	t.Parallel()
	srv := newAsyncua(t, map[string]any{"nodes": 3, "range": 50})
	log, said := listen(t)
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(3), Log: log}
	s.Tags[0].Deadband, s.Tags[0].DeadbandPercent = 5, true
	s.Tags[1].Deadband, s.Tags[1].DeadbandPercent = 9, true
	out := newStore(s)
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	eventually(t, 10*time.Second, "the server is seen through", func() bool { return s.Status().Deadbands.Edge == 2 })
	if said("does not apply deadbands") == 0 {
		t.Error("nobody is told")
	}
	settled(t, srv, s, out)
	out.reckonBands(t, offeredBy(t, srv.logFile()), map[plant.TagID]float64{1: 2.5, 2: 4.5}).check(t)
	if n := len(out.gaps); n > 0 {
		t.Errorf("%d gaps", n)
	}
	if r := s.Status().Revised; len(r) == 0 || r[0].Deadband != plant.DeadbandEdge {
		t.Errorf("%+v", r)
	}
}

// TestDeadbandKeepsBack: a server that compares with the sample before lets a
// drift go by unsaid. It is found out by looking, and what it kept back is
// declared, also where a step came in between.
func TestDeadbandKeepsBack(t *testing.T) {
	t.Parallel()
	srv := newAsyncua(t, map[string]any{"nodes": 4, "jump": 37})
	log, said := listen(t)
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(4), Log: log}
	s.Tags[0].Deadband, s.Tags[1].Deadband = 2.5, 4.5
	s.Tags[2].Deadband = 0.5 // smaller than the steps: it looks as if all were well
	out := newStore(s)
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	eventually(t, 15*time.Second, "the server is seen through", func() bool { return s.Status().Deadbands.Edge == 3 && s.Status().Tags == 4 })
	if said("keep back values") != 1 {
		t.Error("nobody is told")
	}
	time.Sleep(2 * time.Second)
	settled(t, srv, s, out)
	a := out.reckonBands(t, offeredBy(t, srv.logFile()), map[plant.TagID]float64{1: 2.5, 2: 4.5, 3: 0.5})
	a.check(t)
	if a.declared == 0 {
		t.Error("the server kept nothing back: the test does not test")
	}
	if r := out.gapReasons(); r[plant.GapDeadband] < 3 || len(r) != 1 {
		t.Errorf("gaps by reason: %v", r)
	}
}

// TestDeadbandKeepsBackBefore: a subscription taken up by a later process is
// found to keep back values too, and is given up.
func TestDeadbandKeepsBackBefore(t *testing.T) {
	long(t)
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 3, "run": true, "good": true, "creep": true})
	file := t.TempDir() + "/plc"
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(3), StateFile: file}
	s.Tags[0].Deadband, s.Tags[1].Deadband = 2.5, 4.5
	out := newStore(s)
	stop := start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	time.Sleep(time.Second)
	stop()
	log, said := listen(t)
	again := &Source{Name: "PLC", URL: srv.url(), Tags: s.Tags, StateFile: file, Log: log}
	out.source, out.writes = again, 0
	start(t, again, out)
	eventually(t, 30*time.Second, "live", live(again))
	if n := said("subscription resumed"); n != 1 {
		t.Errorf("resumed %d times", n)
	}
	eventually(t, 20*time.Second, "the server is seen through", func() bool { return again.Status().Deadbands.Edge == 2 && live(again)() })
	settled(t, srv, again, out)
	a := out.reckonBands(t, offeredBy(t, srv.logFile()), map[plant.TagID]float64{1: 2.5, 2: 4.5})
	a.check(t)
	if a.declared == 0 || said("a new subscription is made") != 1 || said("keep back values") < 1 {
		t.Errorf("%v, %d new subscriptions", a, said("a new subscription is made"))
	}
}

// TestDeadbandChaos: cuts of the way, new processes and late commits lose nothing
// that lies outside of a deadband, whoever applies it.
func TestDeadbandChaos(t *testing.T) {
	t.Parallel()
	m := newMill(t, 60, nil)
	port, _ := strconv.Atoi(m.URL()[strings.LastIndexByte(m.URL(), ':')+1:])
	p := newProxy(t, port)
	tags, widths := m.tags(), map[plant.TagID]float64{}
	for i := range tags {
		switch i % 3 {
		case 0:
			tags[i].Deadband = 3.5
		case 1: // of a range that only the tag list knows
			tags[i].Deadband, tags[i].DeadbandPercent, tags[i].High = 5, true, 70
		}
		widths[tags[i].ID] = [3]float64{3.5, 3.5, 0}[i%3]
	}
	file := t.TempDir() + "/plc"
	out := newStore(nil)
	m.run(100*time.Millisecond, 2)
	for i := range 3 {
		s := &Source{Name: "PLC", URL: p.url(), Tags: tags, StateFile: file}
		out.mu.Lock()
		out.source, out.writes, out.lag = s, 0, 150*time.Millisecond
		out.mu.Unlock()
		stop := start(t, s, out)
		eventually(t, 30*time.Second, "live", live(s))
		time.Sleep(time.Second)
		p.cut()
		eventually(t, 30*time.Second, "live again", live(s))
		time.Sleep(time.Second)
		if i == 2 {
			m.halt()
			time.Sleep(500 * time.Millisecond)
			if d := s.Status().Deadbands; d.Server != 20 || d.Edge != 20 || d.Thinned < 100 {
				t.Errorf("%+v", d)
			}
		}
		stop()
	}
	a := out.reckonBands(t, m.log(), widths)
	a.check(t)
	if len(out.gaps) > 0 {
		t.Errorf("gaps: %v", out.gapReasons())
	}
}

// TestDeadbandRemade: what an item that is being replaced still sends is stored,
// and ends no gap: what comes between it and the first value of the new item was
// kept back by the server.
func TestDeadbandRemade(t *testing.T) {
	tr := newTranslator([]plant.Tag{{ID: 1, Path: "a", Deadband: 2}})
	tr.translate(dataChange(1, value(1, 10.0, 0, at(1000))))
	tr.open(0, heldBack)
	tr.bands[0].remade = true
	var gaps []plant.Gap
	for n, ms := range []int64{1500, 1600} {
		tr.translate(dataChange(uint32(2+n), value(1, 20.0+float64(n), 0, at(ms))))
		gaps = append(gaps, tr.batch.Gaps...)
	}
	tr.bands[0].remade = false
	for n, ms := range []int64{2400, 2500} {
		tr.translate(dataChange(uint32(4+n), value(1, 30.0+float64(4*n), 0, at(ms))))
		gaps = append(gaps, tr.batch.Gaps...)
	}
	var want []plant.Gap
	for _, span := range [][2]int64{{1001, 1500}, {1501, 1600}, {1601, 2400}} {
		want = append(want, plant.Gap{Tag: 1, From: span[0] * oneMilli, To: span[1] * oneMilli, Reason: plant.GapDeadband})
	}
	if !slices.Equal(gaps, want) {
		t.Errorf("%+v, want %+v", gaps, want)
	}
}

// TestTriggerStatus: a tag whose trigger is its status has a value for each change of
// that, and for nothing else.
func TestTriggerStatus(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 1, "run": true, "every": 40}) // every 50th value is uncertain
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(1)}
	s.Tags[0].Trigger = plant.TriggerStatus
	out := newStore(s)
	start(t, s, out)
	eventually(t, patience, "live", live(s))
	eventually(t, patience, "changes of status", func() bool { return out.size() >= 5 })
	settled(t, srv, s, out)
	a := out.reckon(t, out.changes(offeredBy(t, srv.logFile())))
	if a.check(t); a.stored < 5 || a.stored != a.offered {
		t.Errorf("%v", a)
	}
}
