package ingest_test

import (
	"encoding/hex"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/edge/queue"
	"millwright/historian/ingest"
	"millwright/plant"
	"millwright/sparkplug"
)

// Births wait for the primary host; when it leaves, the node says goodbye, and
// is born anew when it is back.
func TestPrimaryHost(t *testing.T) {
	eachBroker(t, func(t *testing.T, b server) {
		t.Parallel()
		m := newMemory()
		watch := newPeer(t, b.url())
		e := newBox(t, t.TempDir(), b.url(), two(3))
		e.sample("plc")
		time.Sleep(500 * time.Millisecond)
		if n := len(watch.all()); n != 0 { // tck-id-message-flow-edge-node-birth-publish-phid-wait
			t.Fatalf("%d messages before the host was there", n)
		}
		h := startHost(t, b.url(), m, nil, nil)
		eventually(t, "birth", 5*time.Second, func() bool { return e.up.Counts().Births == 1 })
		e.sample("plc")
		e.empty(5 * time.Second)

		h.stop()
		eventually(t, "goodbye", 5*time.Second, func() bool { return len(watch.heard(sparkplug.NDEATH)) > 0 })
		states := watch.heard(sparkplug.STATE)
		if first, last := states[0].state, states[len(states)-1].state; !first.Online || last.Online || last.Timestamp < first.Timestamp {
			t.Errorf("%+v ... %+v", first, last)
		}
		births := watch.heard(sparkplug.NBIRTH)
		born, _ := births[0].BdSeq()
		if dead, ok := watch.heard(sparkplug.NDEATH)[0].BdSeq(); !ok || dead != born { // tck-id-payloads-ndeath-bdseq
			t.Errorf("NDEATH has bdSeq %d, NBIRTH %d", dead, born)
		}
		e.sample("plc")
		startHost(t, b.url(), m, nil, nil)
		eventually(t, "second birth", 10*time.Second, func() bool { return e.up.Counts().Births == 2 })
		e.empty(5 * time.Second)
		complete(t, m, e)
		births = watch.heard(sparkplug.NBIRTH)
		if again, _ := births[len(births)-1].BdSeq(); again == born { // tck-id-topics-nbirth-bdseq-increment
			t.Error("bdSeq did not grow")
		}
	})
}

// Everything that the specification asks of an edge's messages, as a bystander
// sees them.
func TestWhatAnEdgeSays(t *testing.T) {
	eachBroker(t, func(t *testing.T, b server) {
		t.Parallel()
		m := newMemory()
		watch := newPeer(t, b.url())
		e := newBox(t, t.TempDir(), b.url(), two(3))
		text := []plant.Tag{{Path: "F3/MODE", Asset: "F3", Kind: plant.Text}}
		if err := e.queue.Intern("plc", text); err != nil {
			t.Fatal(err)
		}
		e.mu.Lock()
		e.tags["plc"] = append(e.tags["plc"], text...)
		e.mu.Unlock()
		startHost(t, b.url(), m, nil, nil)
		eventually(t, "births", 5*time.Second, func() bool { return e.up.Counts().Births == 1 })

		// out of time order on purpose, with qualities and without a value
		plc := e.tags["plc"]
		at := plant.Millis(time.Now().UnixNano())
		e.put(queue.Draft{Lane: queue.Telemetry, Device: "plc", Batch: plant.Batch{
			Samples: []plant.Sample{
				{Tag: plc[0].ID, Time: at + 2*ms, Value: 2},
				{Tag: plc[0].ID, Time: at, Value: 1, Quality: plant.UncertainLastUsableValue},
				{Tag: plc[1].ID, Time: at + ms, Value: math.NaN(), Quality: plant.BadSensorFailure},
				{Tag: plc[2].ID, Time: at, Value: math.Inf(1)},
			},
			States: []plant.State{{Tag: text[0].ID, Time: at + ms, Value: "rolling"}}}})
		e.put(queue.Draft{Lane: queue.Findings, Batch: plant.Batch{Gaps: []plant.Gap{{Tag: plc[0].ID, From: at - 5*ms, To: at, Reason: plant.GapOverflow}}}})
		e.empty(5 * time.Second)
		e.sample("plc-2")
		e.empty(5 * time.Second)

		all := watch.all()
		all = slices.DeleteFunc(all, func(s seen) bool { return s.Kind == sparkplug.STATE || s.Kind == sparkplug.NCMD })
		if all[0].Kind != sparkplug.NBIRTH || all[1].Kind != sparkplug.DBIRTH || all[2].Kind != sparkplug.DBIRTH { // tck-id-payloads-dbirth-order
			t.Fatalf("%v %v %v", all[0].Kind, all[1].Kind, all[2].Kind)
		}
		aliases := map[uint64]string{}
		for i, s := range all {
			if !s.HasSeq || s.Seq != uint8(i) { // tck-id-payloads-sequence-num-incrementing
				t.Errorf("message %d (%s) has seq %d", i, s.Kind, s.Seq)
			}
			if s.retained || s.Time == 0 {
				t.Errorf("message %d: retained %v, time %d", i, s.retained, s.Time)
			}
			birth := s.Kind == sparkplug.NBIRTH || s.Kind == sparkplug.DBIRTH
			for j := range s.Metrics {
				x := &s.Metrics[j]
				if !x.HasTime { // tck-id-payloads-name-birth-data-requirement
					t.Errorf("%s: no time on %q", s.Kind, x.Name)
				}
				if birth {
					if x.Name == "" || x.Type == sparkplug.Unknown {
						t.Errorf("%+v", x)
					}
					if other, twice := aliases[x.Alias]; x.HasAlias && twice { // tck-id-payloads-alias-uniqueness
						t.Errorf("alias %d is %q and %q", x.Alias, other, x.Name)
					}
					aliases[x.Alias] = x.Name
					continue
				}
				if x.Name != "" || !x.HasAlias || aliases[x.Alias] == "" || x.Type != sparkplug.Unknown { // tck-id-payloads-alias-data-cmd-requirement
					t.Errorf("%s: %+v", s.Kind, x)
				}
				if delivery := strings.HasPrefix(aliases[x.Alias], sparkplug.Reserved+"Queue/"); delivery != x.Transient {
					t.Errorf("%q transient %v", aliases[x.Alias], x.Transient)
				}
				if x.Historical {
					t.Errorf("%s: %q is called historical", s.Kind, aliases[x.Alias])
				}
				if j > 0 && x.Time < s.Metrics[j-1].Time && !x.Transient { // tck-id-operational-behavior-data-publish-dbirth-order
					t.Errorf("%s: metric %d is out of time order", s.Kind, j)
				}
			}
		}

		m.mu.Lock()
		defer m.mu.Unlock()
		check := func(path string, at int64, v float64, q plant.Quality) {
			t.Helper()
			k := sampleKey{path, at / ms}
			got, ok := m.values[k]
			if !ok || math.Float64bits(got) != math.Float64bits(v) && !(got != got && v != v) || m.quality[k] != q {
				t.Errorf("%v: %v %v %v", k, ok, got, m.quality[k])
			}
		}
		check(plc[0].Path, at+2*ms, 2, plant.Good)
		check(plc[0].Path, at, 1, plant.UncertainLastUsableValue)
		check(plc[1].Path, at+ms, math.NaN(), plant.BadSensorFailure)
		check(plc[2].Path, at, math.Inf(1), plant.Good)
		if got := m.states[sampleKey{"F3/MODE", at/ms + 1}]; got != "rolling" {
			t.Errorf("state %q", got)
		}
		if len(m.gaps) != 1 || m.gaps[0].From != at-5*ms || m.gaps[0].To != at || m.gaps[0].Reason != plant.GapOverflow || m.gaps[0].Tag != m.ids[plc[0].Path].ID {
			t.Errorf("%+v", m.gaps)
		}
	})
}

// A rebirth on request keeps the bdSeq, states the last values, and loses and
// repeats nothing. Every other command is refused.
func TestRebirth(t *testing.T) {
	eachBroker(t, func(t *testing.T, b server) {
		t.Parallel()
		m := newMemory()
		watch := newPeer(t, b.url())
		startHost(t, b.url(), m, nil, nil)
		e := newBox(t, t.TempDir(), b.url(), two(3))
		eventually(t, "births", 5*time.Second, func() bool { return e.up.Counts().Births == 1 })
		stop := load(e, 5*time.Millisecond)
		time.Sleep(300 * time.Millisecond)
		var cmd sparkplug.Payload
		cmd.SetRebirth(time.Now().UnixNano())
		cmd.Metrics = append(cmd.Metrics, sparkplug.Metric{Name: "F3/plc/0", Type: sparkplug.Double, Value: sparkplug.DoubleValue(99)})
		watch.pay(sparkplug.NCMD, "e1", "", &cmd)
		eventually(t, "rebirth", 5*time.Second, func() bool { return e.up.Counts().Births == 2 })
		time.Sleep(300 * time.Millisecond)
		stop()
		e.empty(5 * time.Second)
		complete(t, m, e)
		if c := e.up.Counts(); c.Refused != 1 || c.Again != 0 {
			t.Errorf("%+v", c)
		}
		births := watch.heard(sparkplug.NBIRTH)
		first, _ := births[0].BdSeq()
		if second, _ := births[1].BdSeq(); first != second || births[1].Seq != 0 { // tck-id-operational-behavior-data-commands-rebirth-action-3
			t.Error("a rebirth keeps the bdSeq and begins at seq 0")
		}
		values := 0
		for _, s := range watch.heard(sparkplug.DBIRTH)[2:] {
			for _, x := range s.Metrics {
				if strings.HasPrefix(x.Name, "F3/") && !x.Null {
					values++
				}
			}
		}
		if values != 6 { // tck-id-operational-behavior-data-publish-dbirth-values
			t.Errorf("%d of 6 tags have a value in the rebirth", values)
		}
	})
}

// Answers of a foreign host, of an epoch or numbers that never went out, and
// broken ones free nothing.
func TestForgedAnswers(t *testing.T) {
	eachBroker(t, func(t *testing.T, b server) {
		t.Parallel()
		m := newMemory()
		forger := newPeer(t, b.url())
		startHost(t, b.url(), m, nil, func(g *ingest.Ingest) { g.Standby = true })
		e := newBox(t, t.TempDir(), b.url(), two(3))
		eventually(t, "births", 5*time.Second, func() bool { return e.up.Counts().Births == 1 })
		for range 10 {
			e.sample("plc")
		}
		eventually(t, "all sent", 5*time.Second, func() bool { return e.up.Counts().Sent == 10 })
		flushed(t, e)
		forge := func(host string, epoch uint64, spans ...sparkplug.Span) {
			t.Helper()
			before := e.up.Counts().AcksIgnored
			var p sparkplug.Payload
			p.SetAck(time.Now().UnixNano(), sparkplug.Ack{Host: host, Epoch: epoch, Spans: spans})
			forger.pay(sparkplug.NCMD, "e1", "", &p)
			eventually(t, "the answer is ignored", 5*time.Second, func() bool { return e.up.Counts().AcksIgnored == before+1 })
			if n := e.queue.Stats().Records; n != 10 {
				t.Errorf("%s %d %v freed %d records", host, epoch, spans, 10-n)
			}
		}
		epoch := e.queue.Epoch()
		forge("evil", epoch, sparkplug.Span{First: 1, Last: 10})
		forge("plant", epoch, sparkplug.Span{First: 1, Last: 11})
		forge("plant", epoch, sparkplug.Span{First: 500, Last: 600})
		forge("plant", epoch^1, sparkplug.Span{First: 1, Last: 10})
		forge("plant", epoch, sparkplug.Span{First: 5, Last: 4})
		forge("plant", epoch)

		var p sparkplug.Payload
		p.SetAck(time.Now().UnixNano(), sparkplug.Ack{Host: "plant", Epoch: epoch, Spans: []sparkplug.Span{{First: 1, Last: 10}}})
		forger.pay(sparkplug.NCMD, "e1", "", &p) // the right words do free
		e.empty(5 * time.Second)
	})
}

// A cyclic tag that its edge says is silent is stale until its next value.
func TestSilentTag(t *testing.T) {
	eachBroker(t, func(t *testing.T, b server) {
		t.Parallel()
		s := &screen{}
		startHost(t, b.url(), newMemory(), s, nil)
		e := newBox(t, t.TempDir(), b.url(), two(3))
		eventually(t, "births", 5*time.Second, func() bool { return e.up.Counts().Births == 1 })
		e.sample("plc")
		e.sample("plc-2")
		e.empty(5 * time.Second)
		e.mu.Lock()
		e.silent = []string{e.tags["plc"][1].Path, "nobody's"}
		e.mu.Unlock()
		e.up.Changed()
		eventually(t, "one tag stale", 5*time.Second, func() bool { return s.staleCount() == 1 })
		e.mu.Lock()
		e.silent = nil
		e.mu.Unlock()
		e.sample("plc")
		eventually(t, "none stale", 5*time.Second, func() bool { return s.staleCount() == 0 })
	})
}

// A device that dies and comes back: its tags are stale meanwhile, and what is
// still queued of it gets through.
func TestDeviceDeath(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b server) {
		t.Parallel()
		m, s := newMemory(), &screen{}
		h := startHost(t, b.url(), m, s, nil)
		e := newBox(t, t.TempDir(), b.url(), two(3))
		eventually(t, "births", 5*time.Second, func() bool { return e.up.Counts().Births == 1 })
		e.sample("plc")
		e.sample("plc-2")
		e.empty(5 * time.Second)
		alive := func(yes bool) {
			e.mu.Lock()
			e.dead["plc"] = !yes
			e.mu.Unlock()
			e.up.Changed()
		}
		alive(false)
		eventually(t, "three tags stale", 5*time.Second, func() bool { return s.staleCount() == 3 })
		e.sample("plc") // found in the queue after the death
		e.sample("plc-2")
		e.empty(5 * time.Second)
		if s.staleCount() != 3 {
			t.Errorf("%d tags are stale", s.staleCount())
		}
		alive(true)
		eventually(t, "values again", 5*time.Second, func() bool { return s.staleCount() == 0 })
		if c := h.Counts(); c.Rebirths+c.Held != 0 {
			t.Errorf("the host was confused: %+v", c)
		}

		// The device is away when the node connects anew.
		alive(false)
		eventually(t, "stale", 5*time.Second, func() bool { return s.staleCount() == 3 })
		e.stop()
		eventually(t, "all stale", 5*time.Second, func() bool { return s.staleCount() == 6 })
		if st := h.Edges()[0].State; st != "down" {
			t.Errorf("the edge is %q", st)
		}
		e.open(b.url())
		e.sample("plc")
		e.sample("plc-2")
		e.empty(10 * time.Second)
		complete(t, m, e)
		if c := h.Counts(); c.Rebirths != 0 || s.staleCount() != 3 {
			t.Errorf("%+v, %d stale", c, s.staleCount())
		}
	})
}

// foreign is a node that only speaks what the specification says.
type foreign struct {
	*peer
	node string
	p    sparkplug.Payload
}

func (f *foreign) birth(bdSeq uint8, names map[string]uint64) {
	f.t.Helper()
	now := time.Now().UnixNano()
	f.p.SetNodeBirth(now, bdSeq)
	for name, alias := range names {
		f.p.Declare(now, name, alias, sparkplug.Double, sparkplug.Value{}, false)
	}
	f.pay(sparkplug.NBIRTH, f.node, "", &f.p)
}

func (f *foreign) data(seq uint8, at int64, alias uint64, v float64) {
	f.t.Helper()
	f.p.Begin(time.Now().UnixNano(), seq)
	f.p.AddSample(plant.Sample{Time: at * ms, Value: v}, alias, false)
	f.pay(sparkplug.NDATA, f.node, "", &f.p)
}

// Aliases mean something else in the next session; what came before a birth
// waits for it; a hole in seq asks for a rebirth.
func TestForeignSessions(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b server) {
		t.Parallel()
		m := newMemory()
		h := startHost(t, b.url(), m, nil, nil)
		f := &foreign{peer: newPeer(t, b.url()), node: "other"}
		eventually(t, "host online", 5*time.Second, func() bool { return len(f.heard(sparkplug.STATE)) > 0 })
		value := func(name string, at int64, want float64) {
			t.Helper()
			eventually(t, name, 5*time.Second, func() bool {
				m.mu.Lock()
				defer m.mu.Unlock()
				v, ok := m.values[sampleKey{"mill/other/" + name, at}]
				return ok && v == want
			})
		}
		f.data(7, 1000, 1, 10) // before any birth: kept, and a birth asked for
		eventually(t, "rebirth asked", 5*time.Second, func() bool { return len(f.heard(sparkplug.NCMD)) == 1 })
		f.birth(4, map[string]uint64{"A": 1, "B": 2})
		value("A", 1000, 10)
		f.data(1, 2000, 2, 20)
		value("B", 2000, 20)
		f.birth(5, map[string]uint64{"A": 2, "B": 1}) // turned round
		f.data(1, 3000, 2, 30)
		value("A", 3000, 30)
		if n := h.Counts().Answers; n != 0 {
			t.Errorf("a foreign edge got %d answers", n)
		}
		// the Will of the first session comes late and ends nothing
		f.p.SetNodeDeath(1, 4)
		f.qos(sparkplug.NDEATH, "other", "", f.p.AppendTo(nil), 1)
		f.data(2, 4000, 1, 40)
		value("B", 4000, 40)
		if c := h.Counts(); c.Rebirths != 1 {
			t.Errorf("%+v", c)
		}
		f.data(4, 5000, 1, 50) // 3 is missing: stored at once, births asked for later
		value("B", 5000, 50)
		eventually(t, "rebirth asked", 15*time.Second, func() bool { return len(f.heard(sparkplug.NCMD)) == 2 })
	})
}

// Bytes that no code of ours has written.
func TestForeignBytes(t *testing.T) {
	eachBroker(t, func(t *testing.T, b server) {
		t.Parallel()
		m, s := newMemory(), &screen{}
		startHost(t, b.url(), m, s, nil)
		p := newPeer(t, b.url())
		eventually(t, "host online", 5*time.Second, func() bool { return len(p.heard(sparkplug.STATE)) > 0 })
		for _, name := range []string{"nbirth", "dbirth", "ddata"} {
			text, err := os.ReadFile("testdata/foreign-" + name + ".hex")
			if err != nil {
				t.Fatal(err)
			}
			var digits strings.Builder
			for line := range strings.Lines(string(text)) {
				line, _, _ = strings.Cut(line, "#")
				digits.WriteString(strings.Join(strings.Fields(line), ""))
			}
			bytes, err := hex.DecodeString(digits.String())
			if err != nil {
				t.Fatal(err)
			}
			device := "press"
			if name == "nbirth" {
				device = ""
			}
			p.say(sparkplug.Kind(strings.ToUpper(name)), "third", device, bytes)
		}
		const at = 1700000000000
		want := map[sampleKey]float64{
			{"mill/third/press/Force", at}:       -40,   // Int16, sign-extended, in the birth
			{"mill/third/press/Force", at + 100}: -41,   // Int16, cut
			{"mill/third/press/Count", at + 100}: 4e9,   // UInt32 in the 64-bit field, by name
			{"mill/third/press/Ready", at + 100}: 1,     // Boolean
			{"mill/third/press/Temp", at + 100}:  21.25, // Float
		}
		eventually(t, "values", 5*time.Second, func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return len(m.values) >= len(want) && len(m.states) > 0
		})
		m.mu.Lock()
		defer m.mu.Unlock()
		for k, v := range want {
			if got, ok := m.values[k]; !ok || got != v {
				t.Errorf("%v: %v %v, want %v", k, got, ok, v)
			}
		}
		if got := m.states[sampleKey{"mill/third/press/Job", at + 100}]; got != "A-17" {
			t.Errorf("Job is %q", got)
		}
		if len(m.values) != len(want) {
			t.Errorf("%v", m.values)
		}
		if q := m.quality[sampleKey{"mill/third/press/Temp", at + 100}]; q != plant.Bad {
			t.Errorf("Temp has quality %v", q)
		}
		if u := m.ids["mill/third/press/Force"].Unit; u != "kN" {
			t.Errorf("unit %q", u)
		}
	})
}
