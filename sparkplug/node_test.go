package sparkplug

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"millwright/plant"
)

// birth is a birth that declares the names with aliases from first on.
func birth(seq uint8, first uint64, names ...string) *Payload {
	p := &Payload{}
	p.Begin(1, seq)
	for i, n := range names {
		p.Declare(1, n, first+uint64(i), Double, DoubleValue(0), false)
	}
	return p
}

func nodeBirth(bdSeq uint8, first uint64, names ...string) *Payload {
	p := &Payload{}
	p.SetNodeBirth(1, bdSeq)
	for i, n := range names {
		p.Declare(1, n, first+uint64(i), Double, DoubleValue(0), false)
	}
	return p
}

func data(seq uint8) *Payload {
	p := &Payload{}
	p.Begin(1, seq)
	return p
}

func death(bdSeq uint8) *Payload {
	p := &Payload{}
	p.SetNodeDeath(1, bdSeq)
	return p
}

func (n *Node) reads(device string, p *Payload) bool {
	_, ok := n.Data(device, p, 0)
	return ok
}

func (n *Node) name(device string, alias uint64) string {
	if d := n.Resolve(device, &Metric{Alias: alias, HasAlias: true}); d != nil {
		return d.Device + ":" + d.Name
	}
	return ""
}

func TestNodeSession(t *testing.T) {
	var n Node
	if n.Born() || n.reads("", data(5)) || n.DeviceBirth("plc", birth(1, 1, "x"), 0) || n.Death(death(0)) {
		t.Fatal("something was accepted before the NBIRTH")
	}
	n.Birth(nodeBirth(7, 1, "own"))
	if !n.reads("", data(1)) || n.reads("plc", data(2)) {
		t.Fatal("node data must pass, data of an unborn device must not")
	}
	if !n.DeviceBirth("plc", birth(3, 10, "a", "b"), 0) || !n.reads("plc", data(4)) {
		t.Fatal("the device is born and not accepted")
	}
	if got := n.name("plc", 11); got != "plc:b" {
		t.Errorf("alias 11 is %q", got)
	}
	if n.Resolve("plc", &Metric{Name: "a"}) == nil || n.Resolve("", &Metric{Name: "own"}) == nil || n.Resolve("other", &Metric{Name: "a"}) != nil {
		t.Error("names are resolved wrongly")
	}

	// born again with other aliases: the old ones mean nothing any more
	n.DeviceBirth("plc", birth(5, 20, "b", "c"), 0)
	if n.name("plc", 10) != "" || n.name("plc", 20) != "plc:b" || n.name("", 1) != ":own" {
		t.Error("aliases of the earlier DBIRTH survive, or others died")
	}

	if !n.DeviceDeath("plc", data(6), 0) || n.DeviceDeath("plc", data(7), 0) || n.reads("plc", data(8)) {
		t.Error("a dead device is accepted, or died twice")
	}
	if n.Overdue(int64(time.Hour), ReorderTimeout) {
		t.Error("a hole in a run without one")
	}

	// tck-id-payloads-ndeath-bdseq: a Will of an earlier connection
	if n.Death(death(6)) || !n.Born() {
		t.Error("a late Will ended the session")
	}
	if !n.Death(death(7)) || n.Born() || n.reads("", data(9)) {
		t.Error("the Will of the session did not end it")
	}

	n.Birth(nodeBirth(8, 1, "own"))
	if n.name("plc", 20) != "" || n.reads("plc", data(1)) {
		t.Error("devices survive an NBIRTH")
	}
}

func TestNodeSequence(t *testing.T) {
	const limit = int64(ReorderTimeout)
	run := func(what string, overdue bool, seqs ...uint8) {
		t.Helper()
		var n Node
		n.Birth(nodeBirth(0, 1))
		for i, s := range seqs {
			n.Data("", data(s), int64(i))
		}
		if n.Overdue(limit-1, ReorderTimeout) {
			t.Errorf("%s: overdue too early", what)
		}
		if got := n.Overdue(limit+int64(len(seqs)), ReorderTimeout); got != overdue {
			t.Errorf("%s: overdue %v, want %v", what, got, overdue)
		}
		if n.Overdue(10*limit, ReorderTimeout) {
			t.Errorf("%s: overdue a second time", what)
		}
	}
	var round []uint8
	for i := range 600 {
		round = append(round, uint8(i+1))
	}
	run("a run over the wrap", false, round...)
	run("one missing", true, 1, 3, 4)
	run("late but there", false, 1, 3, 4, 2)
	run("two missing, one comes", true, 1, 4, 2)
	run("missing across the wrap", true, append(slices.Clone(round[:254]), 2)...)
	run("missing for a whole round", true, append([]uint8{2}, round[2:258]...)...)

	var n Node
	n.Birth(nodeBirth(0, 1))
	n.Data("", data(9), 0)
	n.Birth(nodeBirth(0, 1))
	if n.Overdue(10*limit, ReorderTimeout) {
		t.Error("a hole survives a rebirth")
	}
}

func TestNodeDeclared(t *testing.T) {
	var n Node
	n.Birth(nodeBirth(0, 1, "own"))
	n.DeviceBirth("a", birth(1, 10, "x"), 0)
	n.DeviceBirth("b", birth(2, 20, "y"), 0)
	list := func(device string, all bool) []string {
		var out []string
		n.Declared(device, all, func(d *Declared) {
			if d.Type == Double {
				out = append(out, d.Device+":"+d.Name)
			}
		})
		slices.Sort(out)
		return out
	}
	if got := list("b", false); !slices.Equal(got, []string{"b:y"}) {
		t.Error(got)
	}
	if got := list("", false); !slices.Equal(got, []string{":own"}) {
		t.Error(got)
	}
	if got := list("", true); !slices.Equal(got, []string{":own", "a:x", "b:y"}) {
		t.Error(got)
	}
	n.Lose()
	if n.Born() {
		t.Error("lost and still born")
	}
}

func TestCommands(t *testing.T) {
	var p, q Payload
	wire := func() Command {
		t.Helper()
		if err := q.Decode(p.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		if q.HasSeq { // tck-id-payloads-ncmd-seq
			t.Error("a command has a seq")
		}
		c, err := q.Command()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	p.SetAck(5*millisecond, Ack{"plant", MaxNumber, []Span{{1, 3}, {7, 7}}})
	if c := wire(); c.Rebirth || len(c.Refused) != 0 || c.Ack.Host != "plant" || c.Ack.Epoch != MaxNumber || !slices.Equal(c.Ack.Spans, []Span{{1, 3}, {7, 7}}) {
		t.Errorf("%+v", c)
	}
	p.SetRebirth(5 * millisecond)
	if c := wire(); !c.Rebirth || c.Ack != nil || len(c.Refused) != 0 {
		t.Errorf("%+v", c)
	}
	p.Metrics = append(p.Metrics, Metric{Name: "HSM/F3/SPEED", Value: DoubleValue(99)}, Metric{Alias: 4, HasAlias: true, Value: DoubleValue(1)})
	if c := wire(); !c.Rebirth || !slices.Equal(c.Refused, []string{"HSM/F3/SPEED", "alias 4"}) {
		t.Errorf("%+v", c)
	}
	p.SetRebirth(1)
	p.Metrics[0].Value = BoolValue(false)
	if c := wire(); c.Rebirth || len(c.Refused) != 0 {
		t.Errorf("false asks for a rebirth: %+v", c)
	}

	broken := func(what string, change func()) {
		t.Helper()
		p.SetAck(1, Ack{"plant", 5, []Span{{1, 3}}})
		change()
		if c, err := p.Command(); err == nil || c.Ack != nil {
			t.Errorf("%s: %+v, %v", what, c.Ack, err)
		}
	}
	broken("no host", func() { p.Metrics = p.Metrics[1:] })
	broken("no ranges", func() { p.Metrics = p.Metrics[:2] })
	broken("epoch 0", func() { p.Metrics[1].Value = UInt64Value(0) })
	broken("epoch too large", func() { p.Metrics[1].Value = UInt64Value(MaxNumber + 1) })
	broken("epoch as text", func() { p.Metrics[1].Value = TextValue("5") })
	broken("broken ranges", func() { p.Metrics[2].Value = TextValue("1-3,2") })
	broken("ranges as number", func() { p.Metrics[2].Value = UInt64Value(3) })
}

func TestBirths(t *testing.T) {
	var p, q Payload
	p.SetNodeBirth(1700000000000*millisecond, 255)
	p.DeclareQueue(1700000000000*millisecond, QueueAliases{1, 2, 3}, 99, 4)
	if err := q.Decode(p.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	if !q.HasSeq || q.Seq != 0 { // tck-id-topics-nbirth-seq-num
		t.Error("an NBIRTH starts at seq 0")
	}
	if bd, ok := q.BdSeq(); !ok || bd != 255 || q.Find(MetricBdSeq).Type != Int64 { // tck-id-payloads-nbirth-bdseq
		t.Error("bdSeq")
	}
	if m := q.Find(MetricRebirth); m.Type != Boolean || m.Null || m.Value.Bits != 0 || m.HasAlias { // tck-id-operational-behavior-data-commands-rebirth-name-aliases
		t.Errorf("%+v", m)
	}
	for i := range q.Metrics {
		m := &q.Metrics[i]
		if m.Name == "" || m.Type == Unknown || !m.HasTime || m.Null != (m.Value.Form == None) { // tck-id-topics-nbirth-metrics
			t.Errorf("%+v", m)
		}
	}
	if m := q.Find(MetricQueueRecord); !m.Null || m.Type != UInt64 || !m.Transient {
		t.Errorf("%+v", m)
	}

	p.SetNodeDeath(1, 3)
	if err := q.Decode(p.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	if bd, ok := q.BdSeq(); q.HasSeq || len(q.Metrics) != 1 || !ok || bd != 3 { // tck-id-topics-ndeath-payload, -seq
		t.Errorf("%+v", q)
	}
}

func TestTagProperties(t *testing.T) {
	tags := []plant.Tag{
		{Kind: plant.Analog, Unit: "mm/s", Description: "vibration", Asset: "HSM/F3", Low: -5, High: 20,
			Resolution: 0.01, MaxRate: 3, Cyclic: true, Sampling: 100 * time.Millisecond, Derived: true},
		{Kind: plant.Text, Asset: "HSM"},
		{Kind: plant.Discrete},
		{Kind: plant.SetPoint, Unit: "%"},
	}
	for _, want := range tags {
		var p, q Payload
		p.Declare(1, "x", 1, TypeOf(&want), Value{}, false).Properties = TagProperties(nil, &want)
		if err := q.Decode(p.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		if got := TagOf(&q.Metrics[0]); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if got := TagOf(&Metric{Type: Boolean}).Kind; got != plant.Discrete {
		t.Errorf("a foreign Boolean is %q", got)
	}
	if got := TagOf(&Metric{Type: Text}).Kind; got != plant.Text {
		t.Errorf("a foreign Text is %q", got)
	}
}

func TestSamplesOnTheWire(t *testing.T) {
	var p, q Payload
	nan := 0.0
	nan /= nan
	p.Begin(1, 1)
	p.AddSample(plant.Sample{Value: nan}, 1, false)
	p.AddSample(plant.Sample{Value: nan, Quality: plant.BadNoData}, 2, true)
	p.AddSample(plant.Sample{Value: 3, Quality: plant.StaleValue}, 3, false)
	p.AddState(plant.State{Value: "", Quality: plant.Bad}, 4, false)
	if err := q.Decode(p.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	m := q.Metrics
	if v, ok := m[0].Value.Number(Double); m[0].Null || !ok || v == v {
		t.Errorf("a good NaN is a value: %+v", m[0])
	}
	if !m[1].Null || m[1].Quality != plant.BadNoData || !m[1].Historical {
		t.Errorf("%+v", m[1])
	}
	if m[2].Quality != plant.StaleValue || m[2].Null {
		t.Errorf("%+v", m[2])
	}
	if m[3].Value.Form != Words || m[3].Quality != plant.Bad {
		t.Errorf("%+v", m[3])
	}
}

func TestGapsAndFindings(t *testing.T) {
	names := map[plant.TagID]string{1: "A/X", 2: "A/Y"}
	gaps := []plant.Gap{{Tag: 1, From: 5 * millisecond, To: 9 * millisecond, Reason: plant.GapOverflow}, {Tag: 3, Reason: "?"}, {Tag: 2, To: millisecond}}
	text, nameless := FormatGaps(gaps, func(id plant.TagID) string { return names[id] })
	list, err := ParseGaps(text)
	if err != nil || nameless != 1 || len(list) != 2 || list[0].Tag != "A/X" || list[0].Gap(1) != gaps[0] || list[1].Gap(2) != gaps[2] {
		t.Errorf("%s: %+v, %v", text, list, err)
	}
	for _, bad := range []string{"", "{}", `[{"tag":"","from":1,"to":2}]`, `[{"tag":"a","from":3,"to":2}]`, `[{"tag":"a","from":0,"to":9223372036854775807}]`} {
		if _, err := ParseGaps(bad); err == nil {
			t.Errorf("gaps %q were read", bad)
		}
	}

	f := []plant.Finding{{Asset: "A", Key: "wpca", Kind: plant.KindAnomaly, Class: plant.Advisory, Phase: plant.Raise, Time: 7, Score: 2,
		Contributions: []plant.Contribution{{Tag: "A/X", Share: 1}}}}
	text, err = FormatFindings(f)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseFindings(text)
	if err != nil || len(back) != 1 || back[0].Contributions[0] != f[0].Contributions[0] || back[0].Key != "wpca" {
		t.Errorf("%+v, %v", back, err)
	}
	for _, bad := range []string{"", "{}", `[{"key":"","phase":"raise"}]`, `[{"key":"a","phase":"explode"}]`} {
		if _, err := ParseFindings(bad); err == nil {
			t.Errorf("findings %q were read", bad)
		}
	}
	nan := 0.0
	if _, err := FormatFindings([]plant.Finding{{Score: nan / nan}}); err == nil {
		t.Error("a score that is no number was written")
	}
}

func FuzzRecordTexts(f *testing.F) {
	f.Add(`[{"tag":"A/X","from":5,"to":9,"reason":"queue-overflow"}]`)
	f.Add(`[{"key":"wpca","phase":"raise","contributions":[{"tag":"A/X","share":1}]}]`)
	f.Fuzz(func(t *testing.T, s string) {
		gaps, err := ParseGaps(s)
		for _, g := range gaps {
			if x := g.Gap(1); err == nil && x.To < x.From {
				t.Fatalf("%+v", x)
			}
		}
		if list, err := ParseFindings(s); err == nil {
			if _, err := FormatFindings(list); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// What arrives in another order than it was sent in leaves the same state.
func TestNodeOrder(t *testing.T) {
	type message struct {
		kind Kind
		seq  uint8
	}
	sent := []message{{DBIRTH, 1}, {DDATA, 2}, {DDEATH, 3}, {DBIRTH, 4}, {DDATA, 5}, {DDEATH, 6}}
	for end := range len(sent) + 1 {
		for first := range max(end, 1) {
			order := slices.Clone(sent[:end])
			if first+1 < end {
				order[first], order[first+1] = order[first+1], order[first]
			}
			var n Node
			n.Birth(nodeBirth(0, 1))
			alive := false
			for i, m := range order {
				switch m.kind {
				case DBIRTH:
					n.DeviceBirth("d", birth(m.seq, 10, "x"), 0)
				case DDEATH:
					n.DeviceDeath("d", data(m.seq), 0)
				case DDATA:
					// It waits for its birth, and a death of before says that there is one.
					var born, died uint8
					for _, o := range order[:i] {
						switch o.kind {
						case DBIRTH:
							born = max(born, o.seq)
						case DDEATH:
							died = max(died, o.seq)
						}
					}
					if want := born > died || born > 0 && m.seq < died; n.reads("d", data(m.seq)) != want {
						t.Errorf("%v: message %d is read: %v", order, m.seq, !want)
					}
				}
			}
			for _, m := range sent[:end] {
				alive = m.kind == DBIRTH || alive && m.kind != DDEATH
			}
			if n.Alive("d") != alive {
				t.Errorf("%v: alive %v", order, !alive)
			}
			if n.Overdue(1<<62, 0) {
				t.Errorf("%v: nothing is missing", order)
			}
		}
	}
}

// A message that comes twice is no hole of 255.
func TestNodeTwice(t *testing.T) {
	var n Node
	n.Birth(nodeBirth(0, 1))
	for _, s := range []uint8{1, 2, 3, 2, 3, 4, 4} {
		if at, ok := n.Data("", data(s), 0); !ok || at != 256+uint64(s) {
			t.Errorf("seq %d has place %d", s, at)
		}
	}
	if n.Overdue(1<<62, 0) {
		t.Error("something is missing")
	}
}

// A name stands once and an alias for one metric, whatever a birth says.
func TestNodeHostileBirth(t *testing.T) {
	var n Node
	p := nodeBirth(0, 1, "a", "a", "b") // aliases 1 and 2 are a
	p.Declare(1, "c", 3, Double, Value{}, false)
	n.Birth(p)
	if n.name("", 1) != ":a" || n.name("", 2) != ":a" || n.Resolve("", &Metric{Alias: 1, HasAlias: true}) != n.Resolve("", &Metric{Name: "a"}) {
		t.Error("two declarations of one name")
	}
	if n.name("", 3) != "" { // b and c
		t.Errorf("alias of two metrics means %q", n.name("", 3))
	}
	if n.Resolve("", &Metric{Name: "b"}) == nil || n.Resolve("", &Metric{Name: "c"}) == nil {
		t.Error("the names are still good")
	}

	huge := &Payload{}
	huge.Begin(1, 0)
	for i := range MaxDeclared + 1 {
		huge.Declare(1, strconv.Itoa(i), uint64(i), Double, Value{}, false)
	}
	if n.Birth(huge) || n.Born() {
		t.Error("a birth beyond all bounds was taken")
	}
}

// Any run of messages keeps the state machine's invariants.
func FuzzNode(f *testing.F) {
	f.Add([]byte{0, 0, 1, 1, 2, 2, 3, 3, 4, 0, 5, 9})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var n Node
		for i := 0; i+1 < len(steps); i += 2 {
			arg := steps[i+1]
			dev := string('a' + rune(arg%3))
			switch steps[i] % 6 {
			case 0:
				n.Birth(nodeBirth(arg, 1, "own"))
			case 1:
				n.DeviceBirth(dev, birth(arg, uint64(arg), "x", "y"), int64(i))
			case 2:
				if n.reads(dev, data(arg)) && !n.Born() {
					t.Fatal("data of an unborn node")
				}
			case 3:
				n.DeviceDeath(dev, data(arg), int64(i))
			case 4:
				n.Death(death(arg))
			case 5:
				n.Overdue(int64(arg)<<30, ReorderTimeout)
			}
			if n.count < 0 || n.count > MaxDeclared {
				t.Fatalf("%d declared", n.count)
			}
			lacking := 0
			for _, m := range n.missing {
				if m {
					lacking++
				}
			}
			if lacking != n.lacking {
				t.Fatalf("%d missing, counted %d", lacking, n.lacking)
			}
		}
	})
}
