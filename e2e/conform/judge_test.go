package conform

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// verdict counts what a check finds wrong.
type verdict struct{ faults int }

func (v *verdict) Helper()               {}
func (v *verdict) Error(...any)          { v.faults++ }
func (v *verdict) Errorf(string, ...any) { v.faults++ }

// fails reports whether a check finds something wrong. Evidence that makes it panic
// would not pass either.
func fails(f check, ev *evidence) (failed bool) {
	defer func() { failed = recover() != nil || failed }()
	var v verdict
	f(&v, ev)
	return v.faults > 0
}

// spoil is a copy of the evidence in which every session was changed by f.
func (ev *evidence) spoil(f func(s *session)) *evidence {
	bad := *ev
	each := func(list []session) []session {
		out := slices.Clone(list)
		for i := range out {
			s := &out[i]
			s.messages, s.subscribed = slices.Clone(s.messages), slices.Clone(s.subscribed)
			for j := range s.messages {
				s.messages[j].payload.metrics = slices.Clone(s.messages[j].payload.metrics)
			}
			if s.connect != nil {
				c := *s.connect
				s.connect = &c
			}
			f(s)
		}
		return out
	}
	bad.edge, bad.second, bad.host, bad.strangers.host = each(ev.edge), each(ev.second), each(ev.host), each(ev.strangers.host)
	bad.twins.edge, bad.twins.host = each(ev.twins.edge), each(ev.twins.host)
	for i := range bad.several.edge {
		bad.several.edge[i], bad.several.host[i] = each(ev.several.edge[i]), each(ev.several.host[i])
	}
	return &bad
}

// spoilMessages changes what clients said.
func (ev *evidence) spoilMessages(f func(m *message)) *evidence {
	return ev.spoil(func(s *session) {
		for i := range s.messages {
			if s.messages[i].up {
				f(&s.messages[i])
			}
		}
	})
}

func (ev *evidence) spoilMetrics(f func(m *message, x *metric)) *evidence {
	return ev.spoilMessages(func(m *message) {
		for i := range m.payload.metrics {
			f(m, &m.payload.metrics[i])
		}
	})
}

func (ev *evidence) spoilConnect(f func(c *packets.ConnectPacket)) *evidence {
	return ev.spoil(func(s *session) {
		if s.connect != nil {
			f(s.connect)
		}
	})
}

// without leaves out messages of a kind, with the way they went.
func (ev *evidence) without(kind string, up bool) *evidence {
	return ev.spoil(func(s *session) {
		s.messages = slices.DeleteFunc(s.messages, func(m message) bool { return m.kind == kind && m.up == up })
	})
}

// judged tests the tests: no check passes without evidence and, which takes long and
// is for MILLWRIGHT_SPARKPLUG_SOAK, there is none that does not fail on evidence
// spoilt in one of many ways.
func judged(t *testing.T, ev *evidence) {
	for id, f := range checks() {
		if !fails(f, &evidence{}) {
			t.Errorf("%s passes without evidence", id)
		}
	}
	if !soak() {
		return
	}
	number := func(n uint64) *uint64 { return &n }
	text := func(s string) *string { return &s }
	spoilt := []*evidence{
		ev.spoilMessages(func(m *message) { m.qos = 2 }),
		ev.spoilMessages(func(m *message) { m.retain = !m.retain }),
		ev.spoilMessages(func(m *message) { m.err = errors.New("spoilt") }),
		ev.spoilMessages(func(m *message) { m.topic, m.level = "spAv1.0/x", []string{"spAv1.0", "a+", m.kind, "", "b#"} }),
		ev.spoilMessages(func(m *message) { m.level = append(slices.Clone(m.level), "more") }),
		ev.spoilMessages(func(m *message) {
			m.topic, m.level = strings.Replace(m.topic, "e1", "E1", 1), slices.Clone(m.level)
			if m.kind == "DBIRTH" {
				m.level[3] = "other"
			}
		}),
		ev.spoilMessages(func(m *message) { m.payload.time = nil }),
		ev.spoilMessages(func(m *message) {
			if m.payload.seq == nil {
				m.payload.seq = number(7)
			} else {
				m.payload.seq = nil
			}
		}),
		ev.spoilMessages(func(m *message) { m.payload.seq = number(300) }),
		ev.spoilMessages(func(m *message) { m.payload.seq = number(5) }),
		ev.spoilMessages(func(m *message) { slices.Reverse(m.payload.metrics) }),
		ev.spoilMessages(func(m *message) { m.payload.metrics = nil }),
		ev.spoilMessages(func(m *message) {
			m.payload.metrics = append(m.payload.metrics, metric{name: text("more"), value: 10})
		}),
		ev.spoilMessages(func(m *message) { m.state.online = !m.state.online }),
		ev.spoilMessages(func(m *message) { m.state.time = 1 }),
		ev.spoilMetrics(func(_ *message, x *metric) { x.name = nil }),
		ev.spoilMetrics(func(_ *message, x *metric) {
			if x.name != nil {
				x.name = text(*x.name + "!")
			}
		}),
		ev.spoilMetrics(func(_ *message, x *metric) {
			if x.name != nil && *x.name != "bdSeq" && x.value == 13 {
				x.name = text(strings.ToUpper(*x.name))
			}
		}),
		ev.spoilMetrics(func(_ *message, x *metric) { x.alias = nil }),
		ev.spoilMetrics(func(_ *message, x *metric) { x.alias = number(1) }),
		ev.spoilMetrics(func(m *message, x *metric) {
			if m.data() {
				x.alias = number(99_999)
			}
		}),
		ev.spoilMetrics(func(_ *message, x *metric) { x.time = nil }),
		ev.spoilMetrics(func(_ *message, x *metric) { x.time = number(1) }),
		ev.spoilMetrics(func(_ *message, x *metric) { x.datatype = nil }),
		ev.spoilMetrics(func(_ *message, x *metric) { x.datatype = number(99) }),
		ev.spoilMetrics(func(_ *message, x *metric) { x.value, x.number, x.null = 0, 0, false }),
		ev.spoilMetrics(func(_ *message, x *metric) { x.number++ }),
		ev.spoilMetrics(func(_ *message, x *metric) {
			if x.properties != nil {
				x.properties = &properties{keys: append(slices.Clone(x.properties.keys), "more"), values: x.properties.values}
			}
		}),
		ev.spoilMetrics(func(_ *message, x *metric) {
			if x.properties != nil {
				p := &properties{keys: x.properties.keys}
				for range x.properties.values {
					p.values = append(p.values, property{datatype: number(99), value: 9, number: 7})
				}
				x.properties = p
			}
		}),
		ev.spoilMetrics(func(_ *message, x *metric) {
			if x.properties != nil {
				x.properties = &properties{keys: x.properties.keys, values: make([]property, len(x.properties.values))}
			}
		}),
		ev.spoilConnect(func(c *packets.ConnectPacket) { c.CleanSession = false }),
		ev.spoilConnect(func(c *packets.ConnectPacket) { c.WillFlag = false }),
		ev.spoilConnect(func(c *packets.ConnectPacket) { c.WillQos, c.WillRetain = 0, !c.WillRetain }),
		ev.spoilConnect(func(c *packets.ConnectPacket) { c.WillTopic = "spBv1.0/x/DDEATH/y" }),
		ev.spoilConnect(func(c *packets.ConnectPacket) { c.WillMessage = []byte("?") }),
		ev.spoil(func(s *session) { s.subscribed = nil }),
		ev.spoil(func(s *session) {
			for i := range s.subscribed {
				s.subscribed[i].qos = 0
			}
		}),
		ev.spoil(func(s *session) {
			s.subscribed = append(s.subscribed, subscription{s.accepted, "spBv1.0/STATE/other", 1})
		}),
		ev.spoil(func(s *session) { s.goodbye = -1 }),
		ev.spoil(func(s *session) { s.accepted = 1 << 30 }),
		ev.spoil(func(s *session) { s.end = 1 << 30 }),
		ev.spoil(func(s *session) {
			s.messages = slices.DeleteFunc(s.messages, func(m message) bool { return m.birth() })
		}),
		ev.without("NDEATH", true), ev.without("DDEATH", true), ev.without("STATE", true), ev.without("STATE", false), ev.without("DBIRTH", true), ev.without("NCMD", false),
		{edge: ev.edge, second: ev.second, host: ev.host, offered: map[key]int{}, first: ev.first, twins: twins{taken: []string{"x"}, ids: make([]string, 4), edge: make([]session, 1), host: make([]session, 1)}, aware: &brokered{}},
	}
	for id, f := range checks() {
		if !slices.ContainsFunc(spoilt, func(bad *evidence) bool { return fails(f, bad) }) {
			t.Errorf("%s passes with all evidence that is spoilt", id)
		}
	}
}

// soak reports whether the long tests are asked for.
func soak() bool { return os.Getenv("MILLWRIGHT_SPARKPLUG_SOAK") != "" }
