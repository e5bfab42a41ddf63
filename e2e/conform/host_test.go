package conform

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/historian/ingest"
	"millwright/plant"
	"millwright/sparkplug"
)

// stranger is what edges of other makers saw of the host.
type stranger struct {
	host     []session
	asked    map[string][]time.Time // rebirths, by node
	hole     time.Time              // when node "hole" showed a gap in its seq
	lateness map[string]int         // rebirths asked of "late" when "hole" was asked
	timeout  time.Duration          // Reorder Timeout that the host was given: not the one that it has by itself
	dead     deaths
}

// deaths is what the host showed when devices and nodes died: stale tags and all.
type deaths struct {
	device, node, rest [2]int // after the DDEATH: of the device, of the node's other tags; after the NDEATH: all
	state              string
	since              int64 // ns
	from, to           int64 // between these the NDEATH arrived
}

// foreign speaks for an edge that is not ours.
type foreign struct {
	*client
	node string
	p    sparkplug.Payload
}

func (f *foreign) pay(kind sparkplug.Kind, device string, qos byte) {
	f.t.Helper()
	f.say(sparkplug.Topic{Kind: kind, Group: group, Node: f.node, Device: device}.String(), qos, false, f.p.AppendTo(nil))
}

// birth is the NBIRTH of a new connection.
func (f *foreign) birth(bdSeq uint8, names ...string) {
	f.t.Helper()
	f.p.SetNodeBirth(time.Now().UnixNano(), bdSeq)
	f.declare(1, names)
	f.pay(sparkplug.NBIRTH, "", 0)
}

func (f *foreign) deviceBirth(seq uint8, device string, alias uint64, names ...string) {
	f.t.Helper()
	f.p.Begin(time.Now().UnixNano(), seq)
	f.declare(alias, names)
	f.pay(sparkplug.DBIRTH, device, 0)
}

func (f *foreign) declare(alias uint64, names []string) {
	for i, name := range names {
		f.p.Declare(now(), name, alias+uint64(i), sparkplug.Double, sparkplug.DoubleValue(1), false)
	}
}

func (f *foreign) data(seq uint8, device string, alias uint64) {
	f.t.Helper()
	f.p.Begin(time.Now().UnixNano(), seq)
	f.p.AddSample(plant.Sample{Time: now(), Value: float64(seq)}, alias, false)
	kind := sparkplug.NDATA
	if device != "" {
		kind = sparkplug.DDATA
	}
	f.pay(kind, device, 0)
}

func (f *foreign) die(bdSeq uint8) {
	f.t.Helper()
	f.p.SetNodeDeath(time.Now().UnixNano(), bdSeq)
	f.pay(sparkplug.NDEATH, "", 1)
}

// meet lets edges that are not ours talk to the host: with holes in their seq, with
// messages out of order, with births missing, with deaths.
func meet(t *testing.T, url string) stranger {
	wire := newTap(t, url)
	by := newClient(t, url, "spBv1.0/#")
	s := stranger{asked: map[string][]time.Time{}, lateness: map[string]int{}, timeout: 2 * sparkplug.ReorderTimeout}
	h := startHost(t, t.TempDir(), wire.url(), func(g *ingest.Ingest) { g.Reorder = s.timeout })
	await(t, "the host is online", func() bool { return len(by.all("STATE")) > 0 })
	is := func(node string) *foreign { return &foreign{client: by, node: node} }
	asked := func(node string) []time.Time {
		var list []time.Time
		for _, m := range by.all("NCMD") {
			if x := m.payload.find("Node Control/Rebirth"); m.level[3] == node && x != nil {
				list = append(list, m.when)
			}
		}
		return list
	}

	late, hole, blind, dying := is("late"), is("hole"), is("blind"), is("dying")
	late.birth(0, "A")
	hole.birth(0, "A")
	late.data(2, "", 1)
	late.data(1, "", 1) // the missing one, in time
	late.data(3, "", 1)
	s.hole = time.Now()
	hole.data(1, "", 1)
	hole.data(3, "", 1)
	blind.data(7, "plc", 9)
	dying.birth(5, "A", "B")
	dying.deviceBirth(1, "one", 10, "C", "D")
	dying.deviceBirth(2, "two", 20, "E")
	dying.data(3, "one", 10)
	shown := func(prefix string) [2]int {
		stale, of := h.stale(group + "/dying/" + prefix)
		return [2]int{stale, of}
	}
	await(t, "the tags are known", func() bool { return shown("") == [2]int{0, 5} })
	dying.p.Begin(time.Now().UnixNano(), 4)
	dying.pay(sparkplug.DDEATH, "one", 0)
	await(t, "tags of the device are stale", func() bool { return shown("one/")[0] > 0 })
	s.dead.device, s.dead.node = shown("one/"), shown("")
	s.dead.from = time.Now().UnixNano()
	dying.die(4) // of an earlier connection: nobody dies of it
	dying.die(5)
	await(t, "tags of the node are stale", func() bool { return shown("")[0] > 2 })
	s.dead.rest = shown("")
	status := func() plant.EdgeStatus {
		for _, x := range h.Edges() {
			if x.Name == "dying" {
				return x
			}
		}
		return plant.EdgeStatus{}
	}
	await(t, "the node is down", func() bool { return status().State == "down" })
	s.dead.state, s.dead.since, s.dead.to = status().State, status().Since, time.Now().UnixNano()

	await(t, "the edge with a hole is asked for its births", func() bool { return len(asked("hole")) > 0 })
	s.lateness["late"] = len(asked("late"))
	await(t, "the edge without births is asked for them", func() bool { return len(asked("blind")) > 0 })
	for _, node := range []string{"late", "hole", "blind", "dying"} {
		s.asked[node] = asked(node)
	}
	h.stop()
	s.host = wire.sessions()
	return s
}

// hosts judges every connection of the host that was accepted.
func hosts(f func(s session) error) check {
	return func(t judge, ev *evidence) {
		t.Helper()
		n := 0
		for _, s := range append(slices.Clone(ev.host), ev.strangers.host...) {
			if s.connect == nil || s.accepted < 0 {
				continue
			}
			n++
			if err := f(s); err != nil {
				t.Errorf("connection %d: %v", n, err)
			}
		}
		if n < 4 {
			t.Errorf("the host connected %d times", n)
		}
	}
}

// hostWill judges the Will of the host.
func hostWill(f func(s session, m message) error) check {
	return hosts(func(s session) error {
		if !s.connect.WillFlag {
			return errors.New("no Will")
		}
		return f(s, will(s.connect))
	})
}

// own is what the host says of itself.
func own(s session, online bool) (list []message) {
	for _, m := range s.messages {
		if m.up && m.kind == "STATE" && m.state.online == online {
			list = append(list, m)
		}
	}
	return list
}

// hostBirth judges each STATE by which the host comes.
func hostBirth(f func(s session, m message) error) check {
	return hosts(func(s session) error {
		list := own(s, true)
		if len(list) == 0 {
			return errors.New("no STATE birth")
		}
		for _, m := range list {
			if err := f(s, m); err != nil {
				return fmt.Errorf("%v: %w", m, err)
			}
		}
		return nil
	})
}

// hostDeath judges each STATE by which the host goes.
func hostDeath(f func(s session, m message) error) check {
	return func(t judge, ev *evidence) {
		t.Helper()
		n := 0
		hosts(func(s session) error {
			for _, m := range own(s, false) {
				n++
				if err := f(s, m); err != nil {
					return fmt.Errorf("%v: %w", m, err)
				}
			}
			return nil
		})(t, ev)
		if n < 3 {
			t.Errorf("the host said %d times that it goes", n)
		}
	}
}

func single(f func(m message) error) func(session, message) error {
	return func(_ session, m message) error { return f(m) }
}

func retained(m message) error {
	if !m.retain {
		return errors.New("not retained")
	}
	return nil
}

func stateTopic(m message) error {
	if m.topic != "spBv1.0/STATE/"+hostID {
		return errors.New("not the host's STATE")
	}
	return nil
}

// stateBody asks for the JSON of a STATE with a time of the connection.
func stateBody(online bool) func(m message) error {
	return func(m message) error {
		if m.err != nil {
			return m.err
		}
		if m.state.online != online {
			return fmt.Errorf("online is %v", m.state.online)
		}
		if d := time.Since(time.UnixMilli(m.state.time)); d < -time.Second || d > 10*time.Minute {
			return fmt.Errorf("its time is %v ago", d)
		}
		return nil
	}
}

// asWill asks for the time of this connection's Will.
func asWill(s session, m message) error {
	if w := will(s.connect); m.state.time != w.state.time || m.state.time == 0 {
		return fmt.Errorf("its time is %d, that of the Will %d", m.state.time, w.state.time)
	}
	return nil
}

// asNow asks for the time of sending.
func asNow(_ session, m message) error {
	if d := m.when.Sub(time.UnixMilli(m.state.time)); d < -time.Second || d > 5*time.Second {
		return fmt.Errorf("its time is %v before it was sent", d)
	}
	return nil
}

// connecting asks that the Will's time is that of its CONNECT: not of an earlier one.
func connecting(t judge, ev *evidence) {
	t.Helper()
	var last int64
	if len(ev.host) == 0 {
		t.Error("no connection")
	}
	for i, s := range ev.host {
		if s.connect == nil {
			continue
		}
		w := will(s.connect)
		if err := stateBody(false)(w); err != nil {
			t.Error(err)
		}
		if w.state.time <= last {
			t.Errorf("CONNECT %d: time %d, the one before had %d", i, w.state.time, last)
		}
		last = w.state.time
	}
}

// subscribedFirst asks for STATE and namespace before the first word, at QoS 1.
func subscribedFirst(s session) error {
	for _, want := range []string{"spBv1.0/STATE/" + hostID, "spBv1.0/#"} {
		i := slices.IndexFunc(s.subscribed, func(x subscription) bool { return x.filter == want })
		if i < 0 {
			return fmt.Errorf("no subscription of %s", want)
		}
		if x := s.subscribed[i]; x.qos != 1 || x.at < s.accepted {
			return fmt.Errorf("%s at QoS %d, packet %d behind CONNACK %d", want, x.qos, x.at, s.accepted)
		}
		for _, m := range s.messages {
			if m.up && m.at < s.subscribed[i].at {
				return fmt.Errorf("%v before the subscription of %s", m, want)
			}
		}
	}
	return nil
}

// birthFirst asks that the STATE birth is the first word.
func birthFirst(s session) error {
	for _, m := range s.messages {
		if m.up {
			if m.kind != "STATE" || !m.state.online {
				return fmt.Errorf("%v is the first word", m)
			}
			return nil
		}
	}
	return errors.New("no word")
}

// contradicts asks that the host answers its own offline at once, unless that is
// younger than its connection.
func contradicts(t judge, ev *evidence) {
	t.Helper()
	n := 0
	for _, s := range ev.host {
		for i, m := range s.messages {
			if m.up || m.kind != "STATE" || m.topic != "spBv1.0/STATE/"+hostID || m.state.online || m.state.time > will(s.connect).state.time {
				continue
			}
			answered := slices.ContainsFunc(s.messages[i+1:], func(x message) bool {
				return x.up && x.kind == "STATE" && x.state.online && asWill(s, x) == nil
			})
			if n++; !answered {
				t.Errorf("%v: no answer", m)
			}
		}
	}
	if n == 0 {
		t.Error("the host was never called offline")
	}
}

// partingWord asks that before DISCONNECT the host says that it goes, and that it
// does not close a connection without one.
func partingWord(t judge, ev *evidence) {
	t.Helper()
	n := 0
	hosts(func(s session) error {
		if s.goodbye < 0 {
			return nil
		}
		n++
		var last message
		for _, m := range s.messages {
			if m.up && m.at < s.goodbye {
				last = m
			}
		}
		if last.kind != "STATE" || last.state.online {
			return fmt.Errorf("%v is the last word before DISCONNECT", last)
		}
		return asNow(s, last)
	})(t, ev)
	if n < 3 {
		t.Errorf("%d DISCONNECTs", n)
	}
}

// leftProperly asks that only the torn connection ended without DISCONNECT.
func leftProperly(t judge, ev *evidence) {
	t.Helper()
	var torn []string
	for i, s := range ev.host {
		if s.accepted >= 0 && s.goodbye < 0 {
			torn = append(torn, fmt.Sprintf("%d after %d messages in %v", i, len(s.messages), s.stopped.Sub(s.started)))
		}
	}
	if len(torn) != 1 {
		t.Errorf("connections that ended without DISCONNECT: %v; one was torn", torn)
	}
}

// commands judges the NCMDs of the host. There must be some of both kinds.
func commands(f func(m message) error) check {
	return func(t judge, ev *evidence) {
		t.Helper()
		asked, answered := 0, 0
		for _, s := range append(slices.Clone(ev.host), ev.strangers.host...) {
			for _, m := range s.messages {
				if !m.up || m.kind == "STATE" {
					continue
				}
				if m.payload.find("Node Control/Rebirth") != nil {
					asked++
				} else {
					answered++
				}
				if err := f(m); err != nil {
					t.Errorf("%v: %v", m, err)
				}
			}
		}
		if asked == 0 || answered == 0 {
			t.Errorf("%d rebirths and %d answers on the wire", asked, answered)
		}
	}
}

// asks judges the requests for a rebirth.
func asks(f func(x *metric) error) check {
	return func(t judge, ev *evidence) {
		t.Helper()
		n := 0
		for _, s := range ev.strangers.host {
			for _, m := range s.messages {
				if x := m.payload.find("Node Control/Rebirth"); m.up && x != nil {
					n++
					if err := f(x); err != nil {
						t.Errorf("%v: %v", m, err)
					}
				}
			}
		}
		if n == 0 {
			t.Error("no rebirth was asked for")
		}
	}
}

func commandTopic(m message) error {
	if m.kind != "NCMD" || len(m.level) != 4 || m.level[0] != "spBv1.0" || m.level[1] != group || m.level[3] == "" {
		return errors.New("not spBv1.0/GROUP/NCMD/NODE")
	}
	return nil
}

// hostChecks are the assertions about a host application.
func hostChecks() map[string]check {
	list := map[string]check{}
	add := func(f check, ids ...string) {
		for _, id := range ids {
			if list[id] != nil {
				panic(id + " twice")
			}
			list[id] = f
		}
	}
	birth, death, last := hostBirth, hostDeath, hostWill

	// Coming.
	add(hosts(func(s session) error {
		if !s.connect.CleanSession {
			return errors.New("Clean Session is false")
		}
		return nil
	}), "message-flow-phid-sparkplug-clean-session-311")
	add(hosts(subscribedFirst), "host-topic-phid-birth-sub-required", "message-flow-phid-sparkplug-subscription", "message-flow-phid-sparkplug-state-publish", "payloads-state-subscribe")
	add(hosts(birthFirst), "host-topic-phid-birth-message", "host-topic-phid-birth-required", "operational-behavior-host-application-connect-birth",
		"operational-behavior-primary-application-state-with-multiple-servers-state")
	add(birth(single(stateTopic)), "host-topic-phid-birth-topic", "operational-behavior-host-application-connect-birth-topic")
	add(birth(single(qos(1))), "host-topic-phid-birth-qos", "operational-behavior-host-application-connect-birth-qos")
	add(birth(single(retained)), "host-topic-phid-birth-retain", "operational-behavior-host-application-connect-birth-retained")
	add(birth(single(stateBody(true))), "host-topic-phid-birth-payload")
	add(birth(asWill), "host-topic-phid-birth-payload-timestamp", "message-flow-phid-sparkplug-state-publish-payload-timestamp")
	whole := birth(func(s session, m message) error { return errors.Join(stateBody(true)(m), asWill(s, m)) })
	add(whole, "message-flow-phid-sparkplug-state-publish-payload", "operational-behavior-host-application-connect-birth-payload", "payloads-state-birth-payload")
	add(both(hosts(subscribedFirst), birth(func(_ session, m message) error {
		return errors.Join(stateTopic(m), qos(1)(m), retained(m))
	})), "payloads-state-birth")
	add(both(hosts(birthFirst), connected(func(s session) error {
		if !slices.ContainsFunc(s.subscribed, func(x subscription) bool { return x.filter == "spBv1.0/STATE/"+hostID && x.qos == 1 }) {
			return fmt.Errorf("no subscription of STATE among %v", s.subscribed)
		}
		return nil
	})), "operational-behavior-primary-application-state-with-multiple-servers-state-subs")
	add(contradicts, "message-flow-hid-sparkplug-state-message-delivered")

	// Going.
	add(last(func(session, message) error { return nil }), "host-topic-phid-death-required", "operational-behavior-host-application-connect-will")
	add(last(single(stateTopic)), "operational-behavior-host-application-connect-will-topic", "payloads-state-will-message")
	add(last(single(qos(1))), "operational-behavior-host-application-connect-will-qos", "payloads-state-will-message-qos")
	add(last(single(retained)), "operational-behavior-host-application-connect-will-retained", "payloads-state-will-message-retain")
	add(last(single(stateBody(false))), "payloads-state-will-message-payload", "operational-behavior-host-application-death-payload")
	add(connecting, "operational-behavior-host-application-connect-will-payload", "host-topic-phid-death-payload-timestamp-connect")
	add(both(last(single(stateTopic)), death(single(stateTopic))), "host-topic-phid-death-topic", "operational-behavior-host-application-death-topic")
	add(both(last(single(qos(1))), death(single(qos(1)))), "host-topic-phid-death-qos", "operational-behavior-host-application-death-qos")
	add(both(last(single(retained)), death(single(retained))), "host-topic-phid-death-retain", "operational-behavior-host-application-death-retained")
	add(both(last(single(stateBody(false))), death(single(stateBody(false)))), "host-topic-phid-death-payload")
	add(death(asNow), "host-topic-phid-death-payload-timestamp-disconnect-clean")
	add(leftProperly, "host-topic-phid-death-payload-timestamp-disconnect-with-no-disconnect-packet")
	add(partingWord, "operational-behavior-host-application-termination", "operational-behavior-host-application-disconnect-intentional")

	// Being there.
	presence := func(t judge, ev *evidence) {
		t.Helper()
		of := func(list []message) (s state, ok bool) {
			for _, m := range list {
				if m.topic == "spBv1.0/STATE/"+hostID {
					return m.state, m.retain
				}
			}
			return s, false
		}
		if s, ok := of(ev.late); !ok || !s.online {
			t.Errorf("who came while the host was there heard %v", ev.late)
		}
		if s, ok := of(ev.gone); !ok || s.online {
			t.Errorf("who came when the host had left heard %v", ev.gone)
		}
	}
	add(presence, "components-ph-state", "intro-sparkplug-host-state", "conformance-primary-host")
	add(oneHostOfAName, "operational-behavior-host-application-host-id")

	// Commands.
	add(commands(func(m message) error { return errors.Join(m.err, commandTopic(m)) }), "topics-ncmd-topic", "operational-behavior-data-commands-ncmd-verb")
	add(asks(func(*metric) error { return nil }), "operational-behavior-data-commands-ncmd-rebirth-name")
	add(both(asks(func(*metric) error { return nil }), commands(commandTopic)), "operational-behavior-data-commands-ncmd-rebirth-verb")
	add(asks(func(x *metric) error {
		if x.value != 14 || x.number != 1 || x.null {
			return fmt.Errorf("field %d is %d", x.value, x.number)
		}
		return nil
	}), "operational-behavior-data-commands-ncmd-rebirth-value")
	add(commands(qos(0)), "payloads-ncmd-qos")
	add(commands(fleeting), "payloads-ncmd-retain")
	add(commands(func(m message) error { return errors.Join(qos(0)(m), fleeting(m)) }), "topics-ncmd-mqtt")
	add(commands(unnumbered), "payloads-ncmd-seq")
	add(commands(sent), "payloads-ncmd-timestamp", "topics-ncmd-timestamp")
	add(commands(func(m message) error {
		if len(m.payload.metrics) == 0 {
			return errors.New("nothing to be written")
		}
		for _, x := range m.payload.metrics {
			if x.name == nil || x.value == 0 && !x.null {
				return fmt.Errorf("%+v", x)
			}
		}
		return nil
	}), "topics-ncmd-payload")
	add(commanded(func(metric, metric) error { return nil }), "operational-behavior-data-commands-ncmd-metric-name")
	add(commanded(func(born, x metric) error {
		want := map[uint64]int{8: 11, 11: 14, 12: 15}[*born.datatype] // UInt64, Boolean, String
		if int(x.value) != want || x.datatype != nil && *x.datatype != *born.datatype {
			return fmt.Errorf("field %d for data type %d", x.value, *born.datatype)
		}
		return nil
	}), "operational-behavior-data-commands-ncmd-metric-value")

	// Order.
	add(func(t judge, ev *evidence) {
		s := ev.strangers
		if len(s.asked["hole"]) == 0 || s.asked["hole"][0].Sub(s.hole) < s.timeout {
			t.Errorf("asked at %v, hole at %v, timeout %v", s.asked["hole"], s.hole, s.timeout)
		}
	}, "operational-behavior-host-reordering-start", "operational-behavior-host-reordering-rebirth", "operational-behavior-host-reordering-param")
	add(func(t judge, ev *evidence) {
		if n, ok := ev.strangers.lateness["late"]; n != 0 || !ok {
			t.Errorf("%d rebirths asked of an edge whose message was late (known: %v)", n, ok)
		}
	}, "operational-behavior-host-reordering-success")

	// Deaths.
	ddeath := func(t judge, ev *evidence) {
		if d := ev.strangers.dead; d.device != [2]int{2, 2} || d.node != [2]int{2, 5} {
			t.Errorf("after a DDEATH %v of the device's tags are stale, %v of the node's", d.device, d.node)
		}
	}
	add(ddeath, "operational-behavior-edge-node-termination-host-action-ddeath-devices-offline", "operational-behavior-edge-node-termination-host-action-ddeath-devices-tags-stale")
	ndeath := func(t judge, ev *evidence) {
		if d := ev.strangers.dead; d.rest != [2]int{5, 5} {
			t.Errorf("after an NDEATH %v of the tags are stale", d.rest)
		}
	}
	add(ndeath, "operational-behavior-edge-node-termination-host-action-ndeath-node-tags-stale", "operational-behavior-edge-node-termination-host-action-ndeath-devices-tags-stale",
		"operational-behavior-edge-node-termination-host-action-ndeath-devices-offline")
	add(func(t judge, ev *evidence) {
		if d := ev.strangers.dead; d.state != "down" || d.since < d.from-ms || d.since > d.to {
			t.Errorf("the node is %s since %d, its NDEATH came between %d and %d", d.state, d.since, d.from, d.to)
		}
	}, "operational-behavior-edge-node-termination-host-action-ndeath-node-offline")
	return list
}

// commanded judges each metric of a command beside the one that the node's NBIRTH
// declared.
func commanded(f func(born, x metric) error) check {
	return func(t judge, ev *evidence) {
		t.Helper()
		n := 0
		for _, s := range append(slices.Clone(ev.host), ev.strangers.host...) {
			nodes := map[string]payload{}
			for _, m := range s.messages {
				if !m.up && m.kind == "NBIRTH" {
					nodes[m.level[3]] = m.payload
				}
				born, ok := nodes[strings.TrimSpace(m.level[len(m.level)-1])]
				if !m.up || m.kind != "NCMD" || !ok { // a rebirth may be asked for before any birth
					continue
				}
				for _, x := range m.payload.metrics {
					d := born.find(*x.name)
					if d == nil {
						t.Errorf("%v: %s is not in the NBIRTH", m, *x.name)
						continue
					}
					n++
					if err := f(*d, x); err != nil {
						t.Errorf("%v: %s: %v", m, *x.name, err)
					}
				}
			}
		}
		if n == 0 {
			t.Error("no command")
		}
	}
}
