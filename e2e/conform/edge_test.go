package conform

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// judge hears what is wrong: a test, or what tests the tests.
type judge interface {
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
}

// check judges one assertion by the evidence.
type check func(t judge, ev *evidence)

// births is what the births of a connection have said so far.
type births struct {
	node    string // its topic's group and node, "" before the NBIRTH
	byAlias map[uint64]declared
	names   map[string]declared // of the node and all devices, the device before the name
	alive   map[string]bool     // devices
	seq     int                 // of the last message, -1 before the first
	data    bool                // a value has gone out since the NBIRTH
	died    bool                // the NDEATH has gone out
}

type declared struct {
	device, name string
	datatype     uint64
}

// take notes what the message says.
func (b *births) take(m message) {
	if m.payload.seq != nil {
		b.seq = int(*m.payload.seq)
	}
	switch m.kind {
	case "NBIRTH":
		*b = births{node: m.level[1] + "/" + m.level[3], byAlias: map[uint64]declared{}, names: map[string]declared{}, alive: map[string]bool{}, seq: b.seq}
	case "DDEATH":
		b.alive[m.device()] = false
	case "NDEATH":
		b.died = true
	case "NDATA", "DDATA":
		b.data = true
	}
	if !m.birth() {
		return
	}
	if m.kind == "DBIRTH" {
		b.alive[m.device()] = true
	}
	for _, x := range m.payload.metrics {
		if x.name == nil || x.datatype == nil {
			continue
		}
		d := declared{m.device(), *x.name, *x.datatype}
		b.names[d.device+"\x00"+d.name] = d
		if x.alias != nil {
			b.byAlias[*x.alias] = d
		}
	}
}

// means is what a metric of DATA was declared as.
func (b *births) means(x metric) (declared, bool) {
	if x.alias == nil {
		return declared{}, false
	}
	d, ok := b.byAlias[*x.alias]
	return d, ok
}

// edges judges what the edge says in messages of the kinds, in order, on each of
// its connections. There must be such messages.
func edges(f func(b *births, m message) error, kinds ...string) check {
	return func(t judge, ev *evidence) { walk(t, append(slices.Clone(ev.edge), ev.second...), f, kinds) }
}

func walk(t judge, list []session, f func(b *births, m message) error, kinds []string) {
	t.Helper()
	seen, wrong := map[string]bool{}, 0
	for _, s := range list {
		b := births{seq: -1}
		for _, m := range s.messages {
			if !m.up || !strings.HasPrefix(m.topic, "spBv1.0/") {
				continue
			}
			if slices.Contains(kinds, m.kind) {
				seen[m.kind] = true
				if err := f(&b, m); err != nil {
					if wrong++; wrong < 6 {
						t.Errorf("%v: %v", m, err)
					}
				}
			}
			b.take(m)
		}
	}
	for _, kind := range kinds {
		if !seen[kind] {
			t.Errorf("no %s on the wire", kind)
		}
	}
}

// ofKind is edges for a rule of a single message.
func ofKind(f func(m message) error, kinds ...string) check {
	return edges(func(_ *births, m message) error { return f(m) }, kinds...)
}

// ofMetric is edges for a rule of each metric.
func ofMetric(f func(b *births, m message, x metric) error, kinds ...string) check {
	return edges(func(b *births, m message) error {
		for _, x := range m.payload.metrics {
			if err := f(b, m, x); err != nil {
				return fmt.Errorf("%s: %w", label(b, x), err)
			}
		}
		return nil
	}, kinds...)
}

func label(b *births, x metric) string {
	if x.name != nil {
		return *x.name
	}
	if d, ok := b.means(x); ok {
		return d.name
	}
	return "a metric"
}

func both(list ...check) check {
	return func(t judge, ev *evidence) {
		t.Helper()
		for _, f := range list {
			f(t, ev)
		}
	}
}

// said are the kinds that have a seq.
func said() []string { return []string{"NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH"} }

// bodied are all that an edge sends.
func bodied() []string { return append(said(), "NDEATH") }

func qos(want byte) func(message) error {
	return func(m message) error {
		if m.qos != want {
			return fmt.Errorf("QoS %d", m.qos)
		}
		return nil
	}
}

func fleeting(m message) error {
	if m.retain {
		return errors.New("retained")
	}
	return nil
}

func protobuf(m message) error { return m.err }

// sent asks for the time of sending, in milliseconds UTC.
func sent(m message) error {
	if m.payload.time == nil {
		return errors.New("no time")
	}
	if d := time.UnixMilli(int64(*m.payload.time)).Sub(m.when); d < -patient || d > time.Second {
		return fmt.Errorf("its time is %v from when it was sent", d)
	}
	return nil
}

func numbered(m message) error {
	if m.payload.seq == nil || *m.payload.seq > 255 {
		return errors.New("no seq from 0 to 255")
	}
	return nil
}

func unnumbered(m message) error {
	if m.payload.seq != nil {
		return errors.New("it has a seq")
	}
	return nil
}

func next(b *births, m message) error {
	if err := numbered(m); err != nil {
		return err
	}
	if b.seq < 0 || int(*m.payload.seq) != (b.seq+1)%256 {
		return fmt.Errorf("seq %d behind %d", *m.payload.seq, b.seq)
	}
	return nil
}

// topic asks for namespace/GROUP/kind/NODE or with a device behind it.
func topic(m message) error {
	want := 4
	switch m.kind {
	case "DBIRTH", "DDATA", "DDEATH":
		want = 5
	case "NBIRTH", "NDATA", "NDEATH":
	default:
		return errors.New("no message of an edge")
	}
	if len(m.level) != want || m.level[0] != "spBv1.0" || m.level[1] != group || !strings.HasPrefix(m.level[3], "e") {
		return errors.New("not namespace/group/type/node[/device]")
	}
	for _, id := range m.level {
		if id == "" || !utf8.ValidString(id) || strings.ContainsAny(id, "+#/\x00") {
			return fmt.Errorf("id %q", id)
		}
	}
	return nil
}

// connected judges every connection of an edge that was accepted.
func connected(f func(s session) error) check {
	return func(t judge, ev *evidence) {
		t.Helper()
		n := 0
		for _, s := range append(slices.Clone(ev.edge), ev.second...) {
			if s.connect == nil || s.accepted < 0 {
				continue
			}
			n++
			if err := f(s); err != nil {
				t.Error(err)
			}
		}
		if n < 5 {
			t.Errorf("the edges connected %d times", n)
		}
	}
}

// will reads the Will of an edge.
func will(c *packets.ConnectPacket) message {
	return readMessage(publish(c.WillTopic, c.WillMessage, c.WillQos, c.WillRetain), 0, true, time.Now())
}

// withWill judges the Will of every connection.
func withWill(f func(s session, m message) error) check {
	return connected(func(s session) error {
		if !s.connect.WillFlag {
			return errors.New("no Will")
		}
		return f(s, will(s.connect))
	})
}

// sameBdSeq asks for the Will's bdSeq in the messages of the kind.
func sameBdSeq(kind string) check {
	return withWill(func(s session, w message) error {
		want, err := w.payload.bdSeq()
		if err != nil {
			return err
		}
		for _, m := range s.messages {
			if !m.up || m.kind != kind {
				continue
			}
			if got, err := m.payload.bdSeq(); err != nil || got != want {
				return fmt.Errorf("%v has bdSeq %d (%v), its Will %d", m, got, err, want)
			}
		}
		return nil
	})
}

// consecutive asks for one more with each CONNECT of an edge, 0 behind 255.
func consecutive(t judge, ev *evidence) {
	t.Helper()
	count := func(list []session, want int) {
		n := 0
		for _, s := range list {
			if s.connect == nil {
				continue
			}
			if got, err := will(s.connect).payload.bdSeq(); err != nil || int(got) != want {
				t.Errorf("CONNECT %d has bdSeq %d (%v), want %d", n, got, err, want)
			}
			n++
			want = (want + 1) % 256
		}
		if n == 0 {
			t.Error("no CONNECT")
		}
	}
	count(ev.edge, ev.first)
	count(ev.second, 0)
	if n := len(ev.edge); ev.first+n <= 256 {
		t.Errorf("%d connections do not pass 255", n)
	}
}

// described asks for name and data type of all metrics of births, and a value or
// null.
func described(_ *births, _ message, x metric) error {
	if x.name == nil || *x.name == "" || x.datatype == nil || *x.datatype == 0 {
		return errors.New("without name or data type")
	}
	if (x.value == 0) != x.null {
		return fmt.Errorf("null is %v, value in field %d", x.null, x.value)
	}
	return nil
}

// basic reports whether a code is one of the specification's data types.
func basic(code uint64) bool { return code >= 1 && code <= 34 }

func typed(_ *births, m message, x metric) error {
	if x.datatype == nil {
		if m.birth() {
			return errors.New("no data type")
		}
		return nil
	}
	if !basic(*x.datatype) {
		return fmt.Errorf("data type %d", *x.datatype)
	}
	return nil
}

// ordered asks that the metrics that are not historical stand in time order.
func ordered(_ *births, m message) error {
	var last uint64
	for i, x := range m.payload.metrics {
		if x.historical || x.time == nil {
			continue
		}
		if *x.time < last {
			return fmt.Errorf("metric %d of %d is %d ms older than one before it", i, len(m.payload.metrics), last-*x.time)
		}
		last = *x.time
	}
	return nil
}

// known asks that what is reported was born, and in a living device. What a dead
// device has left in the queue goes out under the node's name, as history.
func known(b *births, m message, x metric) error {
	d, ok := b.means(x)
	if !ok {
		return errors.New("no birth has it")
	}
	if m.device() != d.device && (m.device() != "" || b.alive[d.device] || !x.historical) {
		return fmt.Errorf("it belongs to device %q", d.device)
	}
	if m.device() != "" && !b.alive[m.device()] {
		return errors.New("the device is dead")
	}
	return nil
}

// afterBirths asks that the NBIRTH is out, and with it all DBIRTHs: what is not
// born by then is not born before the next.
func afterBirths(b *births, m message) error {
	if b.node == "" {
		return errors.New("before the NBIRTH")
	}
	if m.device() != "" && !b.alive[m.device()] {
		return errors.New("before the DBIRTH")
	}
	return nil
}

// together asks that NBIRTH and DBIRTHs of a connection's beginning, and of each
// rebirth, stand behind one another.
func together(t judge, ev *evidence) {
	t.Helper()
	n := 0
	for _, s := range ev.edge {
		after := 0 // births behind the NBIRTH
		counting := false
		for _, m := range s.messages {
			switch {
			case !m.up:
			case m.kind == "NBIRTH":
				counting, after = true, 0
				n++
			case counting && m.kind == "DBIRTH":
				after++
			case counting:
				counting = false
				if after != 4 {
					t.Errorf("%v: %d DBIRTHs of 4 stand behind the NBIRTH", m, after)
				}
			}
		}
	}
	if n < 4 {
		t.Errorf("%d NBIRTHs", n)
	}
}

// rebirthMetric judges Node Control/Rebirth in each NBIRTH.
func rebirthMetric(f func(x *metric) error) check {
	return ofKind(func(m message) error {
		x := m.payload.find("Node Control/Rebirth")
		if x == nil {
			return errors.New("no Node Control/Rebirth")
		}
		return f(x)
	}, "NBIRTH")
}

func isBoolean(x *metric) error {
	if x.datatype == nil || *x.datatype != 11 {
		return errors.New("Node Control/Rebirth is no Boolean")
	}
	return nil
}

func isFalse(x *metric) error {
	if x.value != 14 || x.number != 0 || x.null {
		return errors.New("Node Control/Rebirth is not false")
	}
	return nil
}

// requests are the rebirths that e1 was asked for: the connection and the position
// of the NCMD in its messages.
func requests(ev *evidence) (list []struct {
	s  session
	at int
}) {
	for _, s := range ev.edge {
		for i, m := range s.messages {
			if x := m.payload.find("Node Control/Rebirth"); !m.up && m.kind == "NCMD" && x != nil && x.number == 1 {
				list = append(list, struct {
					s  session
					at int
				}{s, i})
			}
		}
	}
	return list
}

// reborn judges the NBIRTH that follows each request.
func reborn(f func(before, after message) error) check {
	return func(t judge, ev *evidence) {
		t.Helper()
		list := requests(ev)
		if len(list) == 0 {
			t.Error("no rebirth was asked for")
		}
		for _, r := range list {
			var before, after *message
			for i := range r.s.messages {
				if m := &r.s.messages[i]; m.up && m.kind == "NBIRTH" {
					if i < r.at {
						before = m
					} else if after == nil {
						after = m
					}
				}
			}
			if before == nil || after == nil {
				t.Errorf("request at packet %d: no NBIRTH before or behind it", r.s.messages[r.at].at)
				continue
			}
			if err := f(*before, *after); err != nil {
				t.Error(err)
			}
		}
	}
}

// properties judges the property sets on the wire; births has those of units and
// limits, data those of qualities.
func propertySets(f func(m message, x metric) error) check {
	return func(t judge, ev *evidence) {
		t.Helper()
		seen := map[bool]int{}
		ofMetric(func(_ *births, m message, x metric) error {
			if x.properties == nil {
				return nil
			}
			seen[m.birth()]++
			return f(m, x)
		}, "NBIRTH", "DBIRTH", "NDATA", "DDATA")(t, ev)
		if seen[true] == 0 || seen[false] == 0 {
			t.Errorf("property sets in births and data: %v", seen)
		}
	}
}

// quality judges the property Quality where it stands.
func quality(f func(p property) error) check {
	return func(t judge, ev *evidence) {
		t.Helper()
		seen := map[uint64]bool{}
		propertySets(func(_ message, x metric) error {
			i := slices.Index(x.properties.keys, "Quality")
			if i < 0 || i >= len(x.properties.values) {
				return nil
			}
			seen[x.properties.values[i].number] = true
			return f(x.properties.values[i])
		})(t, ev)
		if !seen[0] || !seen[500] {
			t.Errorf("qualities on the wire: %v", seen)
		}
	}
}

// hears gives the STATE messages of the primary host that e1 heard on each
// connection, in order, with what the edge said behind each.
func hears(ev *evidence, f func(s session, i int)) {
	for _, s := range ev.edge {
		for i, m := range s.messages {
			if !m.up && m.topic == "spBv1.0/STATE/"+hostID {
				f(s, i)
			}
		}
	}
}

// waits asks that no connection says anything before it has heard its host online
// with a STATE that counts.
func waits(t judge, ev *evidence) {
	t.Helper()
	ignored := 0
	for _, s := range ev.edge {
		seen, online, newest := false, false, int64(0)
		for _, m := range s.messages {
			switch {
			case m.up && !online && m.kind != "NDEATH":
				t.Errorf("%v before the host was online", m)
				return
			case m.up || m.topic != "spBv1.0/STATE/"+hostID:
			case seen && m.state.time < newest:
				if m.state.online {
					ignored++
				}
			default:
				seen, newest, online = true, m.state.time, online || m.state.online
			}
		}
	}
	if ignored == 0 {
		t.Error("no outdated online was heard")
	}
}

// leaves asks that the edge says NDEATH and DISCONNECT when its host goes offline,
// and nothing else.
func leaves(t judge, ev *evidence) {
	t.Helper()
	n := 0
	hears(ev, func(s session, i int) {
		m := s.messages[i]
		var newest int64
		born, left := false, false
		for _, x := range s.messages[:i] {
			if !x.up && x.kind == "STATE" && x.state.online {
				newest = max(newest, x.state.time)
			}
			born = born || x.up && x.kind == "NBIRTH"
			left = left || x.up && x.kind == "NDEATH"
		}
		if m.state.online || m.state.time < newest || !born || left {
			return
		}
		n++
		var said []message
		for _, x := range s.messages[i+1:] {
			if x.up {
				said = append(said, x)
			}
		}
		if len(said) != 1 || said[0].kind != "NDEATH" || s.goodbye < said[0].at {
			t.Errorf("behind %v, offline: %v, DISCONNECT at %d", m, said, s.goodbye)
		}
	})
	if n < 2 {
		t.Errorf("the host went offline %d times", n)
	}
}

// stays asks that an offline older than the last online changes nothing.
func stays(t judge, ev *evidence) {
	t.Helper()
	n := 0
	hears(ev, func(s session, i int) {
		m := s.messages[i]
		var newest int64
		for _, x := range s.messages[:i] {
			if !x.up && x.kind == "STATE" && x.state.online {
				newest = max(newest, x.state.time)
			}
		}
		if m.state.online || m.state.time >= newest {
			return
		}
		n++
		for _, x := range s.messages[i+1:] {
			if x.up && x.kind == "DDATA" {
				return
			}
		}
		t.Errorf("no data on the connection behind %v", m)
	})
	if n == 0 {
		t.Error("no outdated offline was heard")
	}
}

// oneAtATime asks that a connection has ended before the next is made.
func oneAtATime(t judge, ev *evidence) {
	t.Helper()
	for i, s := range ev.edge[:len(ev.edge)-1] {
		if !s.ended || s.end > ev.edge[i+1].begun {
			t.Errorf("connection %d ended at packet %d, the next began at %d", i, s.end, ev.edge[i+1].begun)
		}
	}
}

// parting asks for NDEATH before every DISCONNECT.
func parting(t judge, ev *evidence) {
	t.Helper()
	n := 0
	for _, s := range ev.edge {
		if s.goodbye < 0 {
			continue
		}
		n++
		last := message{}
		for _, m := range s.messages {
			if m.up && m.at < s.goodbye {
				last = m
			}
		}
		if last.kind != "NDEATH" || last.qos != 1 || last.retain {
			t.Errorf("before DISCONNECT at packet %d: %v", s.goodbye, last)
		}
	}
	if n < 3 {
		t.Errorf("%d DISCONNECTs", n)
	}
}

// once asks that every value that was offered is live on the wire at most once, and
// nothing that was not.
func once(kind string) check {
	return func(t judge, ev *evidence) {
		t.Helper()
		sent := map[key]int{}
		walk(t, ev.edge, func(b *births, m message) error {
			for _, x := range m.payload.metrics {
				if d, ok := b.means(x); ok && !x.historical && strings.HasPrefix(d.name, "F3/") && x.value == 13 {
					k := key{d.name, *x.time}
					if sent[k]++; sent[k] > ev.offered[k] {
						return fmt.Errorf("%v: sent %d times, offered %d times", k, sent[k], ev.offered[k])
					}
				}
			}
			return nil
		}, []string{kind})
		if len(sent) == 0 {
			t.Error("no value on the wire")
		}
	}
}

// edgeChecks are the assertions about an edge node.
func edgeChecks() map[string]check {
	list := map[string]check{}
	add := func(f check, ids ...string) {
		for _, id := range ids {
			if list[id] != nil {
				panic(id + " twice")
			}
			list[id] = f
		}
	}

	// Topics and ids.
	add(ofKind(topic, bodied()...), "topic-structure", "topic-structure-namespace-a", "topic-structure-namespace-valid-device-id",
		"topic-structure-namespace-valid-edge-node-id", "topic-structure-namespace-valid-group-id",
		"intro-device-id-string", "intro-edge-node-id-string", "intro-group-id-string")
	add(refusesIDs, "intro-device-id-chars", "intro-edge-node-id-chars", "intro-group-id-chars")
	add(ofKind(topic, "DBIRTH", "DDATA", "DDEATH"), "topic-structure-namespace-device-id-associated-message-types")
	add(ofKind(topic, "NBIRTH", "NDATA", "NDEATH"), "topic-structure-namespace-device-id-non-associated-message-types")
	for _, kind := range bodied() {
		add(ofKind(topic, kind), "topics-"+strings.ToLower(kind)+"-topic")
	}
	add(ofKind(topic, "NBIRTH"), "message-flow-edge-node-birth-publish-nbirth-topic")
	add(ofKind(topic, "DBIRTH"), "message-flow-device-birth-publish-dbirth-topic")
	add(edges(func(b *births, m message) error {
		if b.node != m.level[1]+"/"+m.level[3] {
			return fmt.Errorf("the node was born as %s", b.node)
		}
		return nil
	}, "DBIRTH"), "message-flow-device-birth-publish-dbirth-match-edge-node-topic")
	add(oneOfAName, "intro-edge-node-id-uniqueness", "topic-structure-namespace-unique-edge-node-descriptor", "payloads-nbirth-edge-node-descriptor")
	add(edges(func(b *births, m message) error {
		if _, twice := b.alive[m.device()]; twice && !b.data {
			return errors.New("two devices of one name")
		}
		return nil
	}, "DBIRTH"), "topic-structure-namespace-unique-device-id")
	add(func(t judge, ev *evidence) {
		nodes := map[string]bool{}
		walk(t, append(slices.Clone(ev.edge), ev.second...), func(_ *births, m message) error {
			if m.device() == "plc" {
				nodes[m.level[3]] = true
			}
			return nil
		}, []string{"DBIRTH", "DDATA"})
		if len(nodes) != 2 {
			t.Errorf("nodes with a device plc: %v", nodes)
		}
	}, "topic-structure-namespace-duplicate-device-id-across-edge-node")
	add(edges(func(b *births, m message) error {
		lower := map[string]string{}
		for _, d := range b.names {
			name := strings.ToLower(d.name)
			if was, ok := lower[name]; ok && was != d.name {
				return fmt.Errorf("%q and %q", d.name, was)
			}
			lower[name] = d.name
		}
		return nil
	}, "DDATA"), "case-sensitivity-metric-names")
	add(edges(func(b *births, m message) error {
		for name := range b.alive {
			if name != m.device() && strings.EqualFold(name, m.device()) {
				return fmt.Errorf("device %q is there as well", name)
			}
		}
		return nil
	}, "DBIRTH"), "case-sensitivity-sparkplug-ids")

	// Connecting.
	add(connected(func(s session) error {
		if !s.connect.CleanSession {
			return errors.New("Clean Session is false")
		}
		return nil
	}), "principles-persistence-clean-session-311")
	add(connected(func(s session) error {
		for _, m := range s.messages {
			if m.up && m.at < s.accepted {
				return fmt.Errorf("%v before CONNACK", m)
			}
		}
		return nil
	}), "message-flow-edge-node-birth-publish-connect")
	add(withWill(func(session, message) error { return nil }), "message-flow-edge-node-birth-publish-will-message", "payloads-ndeath-will-message")
	add(withWill(func(_ session, m message) error { return protobuf(m) }), "message-flow-edge-node-birth-publish-will-message-payload")
	add(withWill(func(_ session, m message) error { return qos(1)(m) }), "message-flow-edge-node-birth-publish-will-message-qos", "payloads-ndeath-will-message-qos")
	add(withWill(func(_ session, m message) error { return fleeting(m) }), "message-flow-edge-node-birth-publish-will-message-will-retained", "payloads-ndeath-will-message-retain")
	add(withWill(func(_ session, m message) error {
		if m.kind != "NDEATH" {
			return fmt.Errorf("the Will's topic is %s", m.topic)
		}
		return topic(m)
	}), "message-flow-edge-node-birth-publish-will-message-topic")
	add(consecutive, "message-flow-edge-node-birth-publish-will-message-payload-bdSeq", "topics-nbirth-bdseq-increment")
	add(both(sameBdSeq("NBIRTH"), ofKind(func(m message) error { _, err := m.payload.bdSeq(); return err }, "NBIRTH")),
		"message-flow-edge-node-birth-publish-nbirth-payload-bdSeq", "payloads-nbirth-bdseq-repeat", "topics-nbirth-bdseq-matching")
	add(ofKind(func(m message) error { _, err := m.payload.bdSeq(); return err }, "NBIRTH"), "payloads-nbirth-bdseq", "topics-nbirth-bdseq-included")
	add(both(sameBdSeq("NDEATH"), ofKind(func(m message) error { _, err := m.payload.bdSeq(); return err }, "NDEATH")), "payloads-ndeath-bdseq")
	add(connected(func(s session) error {
		i := slices.IndexFunc(s.subscribed, func(x subscription) bool { return strings.HasPrefix(x.filter, "spBv1.0/"+group+"/NCMD/e") })
		if i < 0 || s.subscribed[i].qos != 1 {
			return fmt.Errorf("subscriptions %v", s.subscribed)
		}
		for _, m := range s.messages {
			if m.up && m.at < s.subscribed[i].at {
				return fmt.Errorf("%v before the subscription", m)
			}
		}
		return nil
	}), "message-flow-edge-node-ncmd-subscribe")

	// The primary host.
	add(waits, "message-flow-edge-node-birth-publish-phid-wait", "message-flow-edge-node-birth-publish-phid-wait-online",
		"message-flow-edge-node-birth-publish-phid-wait-timestamp", "operational-behavior-edge-node-birth-sequence-wait")
	add(both(waits, connected(func(s session) error { // it does not even hear of others
		for _, x := range s.subscribed {
			if strings.HasPrefix(x.filter, "spBv1.0/STATE/") && x.filter != "spBv1.0/STATE/"+hostID {
				return fmt.Errorf("it listens to %s", x.filter)
			}
		}
		return nil
	})), "message-flow-edge-node-birth-publish-phid-wait-id")
	add(leaves, "message-flow-edge-node-birth-publish-phid-offline", "operational-behavior-edge-node-termination-host-offline")
	add(stays, "operational-behavior-edge-node-termination-host-offline-timestamp")
	add(parting, "operational-behavior-edge-node-intentional-disconnect-ndeath", "operational-behavior-edge-node-intentional-disconnect-packet",
		"payloads-ndeath-will-message-publisher", "payloads-ndeath-will-message-publisher-disconnect-mqtt311")

	// Every message.
	for kind, ids := range map[string][]string{
		"NBIRTH": {"payloads-nbirth-qos", "message-flow-edge-node-birth-publish-nbirth-qos"},
		"DBIRTH": {"payloads-dbirth-qos", "message-flow-device-birth-publish-dbirth-qos"},
		"NDATA":  {"payloads-ndata-qos"}, "DDATA": {"payloads-ddata-qos"},
	} {
		add(ofKind(qos(0), kind), ids...)
	}
	for kind, ids := range map[string][]string{
		"NBIRTH": {"payloads-nbirth-retain", "message-flow-edge-node-birth-publish-nbirth-retained"},
		"DBIRTH": {"payloads-dbirth-retain", "message-flow-device-birth-publish-dbirth-retained"},
		"NDATA":  {"payloads-ndata-retain"}, "DDATA": {"payloads-ddata-retain"},
	} {
		add(ofKind(fleeting, kind), ids...)
	}
	for _, kind := range said() {
		add(both(ofKind(qos(0), kind), ofKind(fleeting, kind)), "topics-"+strings.ToLower(kind)+"-mqtt")
	}
	add(ofKind(protobuf, "NBIRTH"), "message-flow-edge-node-birth-publish-nbirth-payload")
	add(ofKind(protobuf, "DBIRTH"), "message-flow-device-birth-publish-dbirth-payload")
	for kind, ids := range map[string][]string{
		"NBIRTH": {"payloads-nbirth-timestamp", "topics-nbirth-timestamp"}, "DBIRTH": {"payloads-dbirth-timestamp", "topics-dbirth-timestamp"},
		"NDATA": {"payloads-ndata-timestamp", "topics-ndata-timestamp"}, "DDATA": {"payloads-ddata-timestamp", "topics-ddata-timestamp"},
		"DDEATH": {"payloads-ddeath-timestamp"},
	} {
		add(ofKind(sent, kind), ids...)
	}
	add(ofKind(sent, said()...), "payloads-timestamp-in-UTC")

	// seq.
	add(ofKind(numbered, "NBIRTH"), "message-flow-edge-node-birth-publish-nbirth-payload-seq", "payloads-nbirth-seq", "payloads-sequence-num-req-nbirth")
	add(ofKind(func(m message) error {
		if m.payload.seq == nil || *m.payload.seq != 0 {
			return errors.New("seq is not 0")
		}
		return nil
	}, "NBIRTH"), "topics-nbirth-seq-num")
	add(ofKind(numbered, "DBIRTH"), "payloads-dbirth-seq")
	add(ofKind(numbered, "NDATA"), "payloads-ndata-seq")
	add(ofKind(numbered, "DDATA"), "payloads-ddata-seq")
	add(ofKind(numbered, "DDEATH"), "payloads-ddeath-seq", "payloads-ddeath-seq-number")
	add(ofKind(numbered, said()...), "payloads-sequence-num-always-included")
	add(edges(next, "DBIRTH"), "message-flow-device-birth-publish-dbirth-payload-seq", "payloads-dbirth-seq-inc", "topics-dbirth-seq")
	add(edges(next, "NDATA"), "payloads-ndata-seq-inc", "topics-ndata-seq-num")
	add(edges(next, "DDATA"), "payloads-ddata-seq-inc", "topics-ddata-seq-num")
	add(edges(next, "DDEATH"), "payloads-ddeath-seq-inc", "topics-ddeath-seq-num")
	add(both(edges(next, "DBIRTH", "NDATA", "DDATA", "DDEATH"), func(t judge, ev *evidence) {
		wrapped := false
		walk(t, ev.edge, func(b *births, m message) error { wrapped = wrapped || b.seq == 255 && *m.payload.seq == 0; return nil }, []string{"DDATA"})
		if !wrapped {
			t.Error("seq never went from 255 to 0")
		}
	}), "payloads-sequence-num-incrementing")
	add(both(ofKind(unnumbered, "NDEATH"), withWill(func(_ session, m message) error { return unnumbered(m) })), "payloads-ndeath-seq", "topics-ndeath-seq")
	alone := func(m message) error {
		if _, err := m.payload.bdSeq(); err != nil || len(m.payload.metrics) != 1 {
			return fmt.Errorf("%d metrics (%w)", len(m.payload.metrics), err)
		}
		return nil
	}
	add(both(ofKind(alone, "NDEATH"), withWill(func(_ session, m message) error { return alone(m) })), "topics-ndeath-payload")

	// Order of messages.
	add(connected(func(s session) error {
		for _, m := range s.messages {
			if m.up && m.kind != "NBIRTH" && m.kind != "NDEATH" {
				return fmt.Errorf("%v is the first word", m)
			}
			if m.up {
				return nil
			}
		}
		return nil
	}), "principles-birth-certificates-order")
	add(edges(func(b *births, m message) error {
		if b.node == "" {
			return errors.New("before the NBIRTH")
		}
		return nil
	}, "DBIRTH"), "message-flow-device-birth-publish-nbirth-wait")
	add(together, "payloads-dbirth-order")
	add(both(together, edges(afterBirths, "NDATA")), "payloads-ndata-order")
	add(both(together, edges(afterBirths, "DDATA")), "payloads-ddata-order")
	add(edges(func(b *births, m message) error {
		if !b.alive[m.device()] {
			return errors.New("of a device that is not alive")
		}
		return nil
	}, "DDEATH"), "operational-behavior-device-ddeath")

	// Metrics.
	add(ofMetric(described, "NBIRTH"), "topics-nbirth-metrics")
	add(ofMetric(described, "DBIRTH"), "topics-dbirth-metrics")
	add(both(ofMetric(described, "NBIRTH"), current("")), "operational-behavior-data-publish-nbirth-values")
	add(both(ofMetric(described, "DBIRTH"), current("plc")), "operational-behavior-data-publish-dbirth-values")
	add(ofMetric(known, "NDATA"), "topics-nbirth-metric-reqs", "operational-behavior-data-publish-nbirth")
	add(ofMetric(known, "DDATA"), "topics-dbirth-metric-reqs", "operational-behavior-data-publish-dbirth")
	add(edges(ordered, "NBIRTH", "NDATA"), "operational-behavior-data-publish-nbirth-order")
	add(edges(ordered, "DBIRTH", "DDATA"), "operational-behavior-data-publish-dbirth-order")
	add(once("NDATA"), "topics-ndata-payload", "operational-behavior-data-publish-nbirth-change")
	add(once("DDATA"), "topics-ddata-payload", "operational-behavior-data-publish-dbirth-change", "principles-rbe-recommended")
	add(ofMetric(func(_ *births, m message, x metric) error {
		if x.name == nil && x.alias == nil || m.birth() && x.name == nil {
			return errors.New("no name")
		}
		return nil
	}, "NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH"), "payloads-name-requirement")
	stamped := ofMetric(func(_ *births, m message, x metric) error {
		if x.time == nil {
			return errors.New("no time")
		}
		return nil
	}, "NBIRTH", "DBIRTH", "NDATA", "DDATA")
	add(stamped, "payloads-name-birth-data-requirement")
	add(ofMetric(func(_ *births, m message, x metric) error {
		if d := time.UnixMilli(int64(*x.time)).Sub(m.when); d < -5*time.Minute || d > 2*time.Hour {
			return fmt.Errorf("%v from when it was sent", d) // the clock of one PLC is an hour ahead
		}
		return nil
	}, "NBIRTH", "DBIRTH", "NDATA", "DDATA"), "payloads-metric-timestamp-in-UTC")
	add(both(ofMetric(typed, "NBIRTH", "DBIRTH"), ofMetric(described, "NBIRTH", "DBIRTH")), "payloads-metric-datatype-req")
	add(ofMetric(typed, "NBIRTH", "DBIRTH"), "payloads-metric-datatype-value")
	add(ofKind(protobuf, bodied()...), "payloads-metric-datatype-value-type", "payloads-metric-propertyvalue-type-type") // the reader takes nothing but uint32
	add(ofMetric(func(_ *births, _ message, x metric) error {
		if x.datatype != nil {
			return errors.New("it has a data type")
		}
		return nil
	}, "NDATA", "DDATA"), "payloads-metric-datatype-not-req")
	add(ofMetric(func(b *births, m message, x metric) error {
		if _, ok := b.means(x); ok != (m.data()) && x.alias != nil && m.data() {
			return errors.New("alias without a birth")
		}
		return described(b, m, x)
	}, "NBIRTH", "DBIRTH"), "payloads-alias-birth-requirement")
	add(ofMetric(func(b *births, _ message, x metric) error {
		if _, ok := b.means(x); x.name != nil || !ok {
			return errors.New("not by alias alone, or by one that no birth has")
		}
		return nil
	}, "NDATA", "DDATA"), "payloads-alias-data-cmd-requirement")
	add(edges(func(b *births, m message) error {
		own := map[uint64]bool{}
		for _, x := range m.payload.metrics {
			if x.alias == nil {
				continue
			}
			d, taken := b.byAlias[*x.alias]
			if own[*x.alias] || taken && m.kind == "DBIRTH" && (d.device != m.device() || d.name != *x.name) {
				return fmt.Errorf("alias %d is that of %q as well", *x.alias, d.name)
			}
			own[*x.alias] = true
		}
		return nil
	}, "NBIRTH", "DBIRTH"), "payloads-alias-uniqueness")

	// Properties and qualities.
	add(propertySets(func(_ message, x metric) error {
		if len(x.properties.keys) != len(x.properties.values) || len(x.properties.keys) == 0 {
			return fmt.Errorf("%d keys, %d values", len(x.properties.keys), len(x.properties.values))
		}
		return nil
	}), "payloads-propertyset-keys-array-size", "payloads-propertyset-values-array-size")
	add(propertySets(func(m message, x metric) error {
		for i, v := range x.properties.values {
			if m.birth() && v.datatype == nil {
				return fmt.Errorf("%s has no type", x.properties.keys[i])
			}
		}
		return nil
	}), "payloads-metric-propertyvalue-type-req")
	add(propertySets(func(_ message, x metric) error {
		for i, v := range x.properties.values {
			if v.datatype != nil && !basic(*v.datatype) {
				return fmt.Errorf("%s has type %d", x.properties.keys[i], *v.datatype)
			}
		}
		return nil
	}), "payloads-metric-propertyvalue-type-value")
	add(quality(func(p property) error {
		if p.datatype == nil || *p.datatype != 3 {
			return errors.New("Quality is no Int32")
		}
		return nil
	}), "payloads-propertyset-quality-value-type")
	add(quality(func(p property) error {
		if p.value != 3 || p.number != 0 && p.number != 192 && p.number != 500 {
			return fmt.Errorf("Quality %d in field %d", p.number, p.value)
		}
		return nil
	}), "payloads-propertyset-quality-value-value")

	// Rebirth.
	add(rebirthMetric(func(*metric) error { return nil }), "operational-behavior-data-commands-rebirth-name")
	add(rebirthMetric(isBoolean), "operational-behavior-data-commands-rebirth-datatype")
	add(rebirthMetric(isFalse), "operational-behavior-data-commands-rebirth-value")
	add(rebirthMetric(func(x *metric) error { return errors.Join(isBoolean(x), isFalse(x)) }), "payloads-nbirth-rebirth-req", "topics-nbirth-rebirth-metric")
	add(rebirthMetric(func(x *metric) error {
		if x.alias != nil {
			return errors.New("Node Control/Rebirth has an alias")
		}
		return nil
	}), "operational-behavior-data-commands-rebirth-name-aliases")
	add(func(t judge, ev *evidence) {
		if ev.after == 0 {
			t.Error("data did not stop for a rebirth")
		}
	}, "operational-behavior-data-commands-rebirth-action-1")
	add(both(together, reborn(func(_, after message) error { return protobuf(after) })), "operational-behavior-data-commands-rebirth-action-2")
	add(reborn(func(before, after message) error {
		a, err1 := before.payload.bdSeq()
		b, err2 := after.payload.bdSeq()
		if err1 != nil || err2 != nil || a != b {
			return fmt.Errorf("bdSeq %d before, %d behind", a, b)
		}
		return nil
	}), "operational-behavior-data-commands-rebirth-action-3")
	return list
}

// current asks that births behind the first data have the values that were sent
// last, and births before them null.
func current(device string) check {
	return func(t judge, ev *evidence) {
		t.Helper()
		type value struct {
			null bool
			bits uint64
			time uint64
		}
		newest, compared, unknown := map[string]value{}, 0, 0
		for _, s := range ev.edge {
			b := births{seq: -1}
			for _, m := range s.messages {
				if !m.up || m.kind == "" || m.kind == "STATE" {
					continue
				}
				if m.birth() && m.device() == device {
					for _, x := range m.payload.metrics {
						if x.name == nil || !strings.HasPrefix(*x.name, "F3/") || x.datatype == nil || *x.datatype != 10 {
							continue
						}
						want, known := newest[*x.name]
						switch {
						case !known && x.null:
							unknown++
						case known && (x.null != want.null || !x.null && (x.number != want.bits || *x.time != want.time)):
							t.Errorf("%v: %s is %v %x at %d, last sent was %v %x at %d", m, *x.name, x.null, x.number, *x.time, want.null, want.bits, want.time)
						case known:
							compared++
						}
					}
				}
				b.take(m)
				if !m.data() {
					continue
				}
				for _, x := range m.payload.metrics {
					if d, ok := b.means(x); ok && d.device == device && d.datatype == 10 && strings.HasPrefix(d.name, "F3/") {
						if was, ok := newest[d.name]; !ok || *x.time >= was.time {
							newest[d.name] = value{x.null, x.number, *x.time}
						}
					}
				}
			}
		}
		if compared == 0 || unknown == 0 {
			t.Errorf("%d values compared, %d unknown ones", compared, unknown)
		}
	}
}
