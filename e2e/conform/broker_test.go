package conform

import (
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"millwright/sparkplug"
)

// brokered is what the embedded broker did for its clients.
type brokered struct {
	at0, at1     []message // what a subscriber at QoS 0 and one at QoS 1 got of both
	retained     []message // what a client that came later got
	cleared      []message // and one that came after it was cleared
	certificates []message // the broker's own copies of births, for one that was there
	kept         []message // and for one that came later
	will         []message // the Will of a client that was cut
	lateWill     []message // which was retained
	died         time.Time
}

const certificates = "$sparkplug/certificates/"

// askBroker lets clients use what a broker owes them.
func askBroker(t *testing.T, url string) *brokered {
	b := &brokered{}
	c := newClient(t, url, "spBv1.0/#")
	own := newClient(t, url, certificates+"#")

	// QoS 0 and 1, publishing and subscribing.
	zero, one := newClient(t, url, "none"), newClient(t, url, "none")
	zero.listen("test/qos", 0)
	one.listen("test/qos", 1)
	c.say("test/qos", 0, false, []byte("zero"))
	c.say("test/qos", 1, false, []byte("one"))
	await(t, "both heard both", func() bool { return len(zero.all("")) >= 2 && len(one.all("")) >= 2 })
	b.at0, b.at1 = zero.all(""), one.all("")

	// Retained messages: kept, replaced, cleared.
	c.say("test/kept", 1, true, []byte("first"))
	c.say("test/kept", 1, true, []byte("second"))
	await(t, "a retained message", func() bool {
		b.retained = newClient(t, url, "test/kept").settle(t, 1)
		return len(b.retained) == 1 && string(b.retained[0].raw) == "second"
	})
	c.say("test/kept", 1, true, nil)
	await(t, "the retained message is gone", func() bool {
		b.cleared = newClient(t, url, "test/kept").settle(t, 0)
		return len(b.cleared) == 0
	})

	// Births, and what the broker keeps of them.
	f := &foreign{client: c, node: "known"}
	f.birth(3, "A")
	f.deviceBirth(1, "one", 10, "B")
	await(t, "copies of the births", func() bool { return len(own.all("")) >= 2 })
	b.certificates = own.all("")
	await(t, "kept copies of the births", func() bool {
		b.kept = newClient(t, url, certificates+"#").settle(t, 2)
		return len(b.kept) == 2
	})

	// Wills, retained ones and at QoS 1; an NDEATH as Will.
	cut := newTap(t, url)
	var death sparkplug.Payload
	death.SetNodeDeath(time.Now().Add(-time.Hour).UnixNano(), 3)
	for topic, body := range map[string][]byte{"spBv1.0/" + group + "/NDEATH/known": death.AppendTo(nil), "spBv1.0/STATE/cut": []byte(`{"online":false,"timestamp":1}`)} {
		o := mqtt.NewClientOptions().AddBroker(cut.url()).SetClientID("mortal"+fmt.Sprint(time.Now().UnixNano())).
			SetProtocolVersion(4).SetAutoReconnect(false).SetBinaryWill(topic, body, 1, topic == "spBv1.0/STATE/cut")
		dead := mqtt.NewClient(o)
		c.done("connect", dead.Connect())
		t.Cleanup(func() { dead.Disconnect(0) })
	}
	b.died = time.Now()
	cut.cut()
	await(t, "both Wills", func() bool { return len(c.all("NDEATH")) > 0 && len(c.all("STATE")) > 0 })
	b.will = append(c.all("NDEATH"), c.all("STATE")...)
	await(t, "the retained Will", func() bool {
		b.lateWill = newClient(t, url, "spBv1.0/STATE/cut").settle(t, 1)
		return len(b.lateWill) == 1
	})
	return b
}

// listen adds a filter at a QoS.
func (c *client) listen(filter string, qos byte) {
	c.t.Helper()
	c.done("subscribe", c.Subscribe(filter, qos, func(_ mqtt.Client, m mqtt.Message) { c.hear(m) }))
}

// settle returns what a client that came late got: n messages, or those that came
// before an echo of its own.
func (c *client) settle(t *testing.T, n int) []message {
	echo := "echo/" + rand.Text()
	c.listen(echo, 1)
	c.say(echo, 1, false, []byte("echo"))
	await(t, "an echo", func() bool {
		list := c.all("")
		return len(list) > n || slices.ContainsFunc(list, func(m message) bool { return m.topic == echo })
	})
	return slices.DeleteFunc(c.all(""), func(m message) bool { return m.topic == echo })
}

// brokerChecks are the assertions about a broker: of the embedded one, which is a
// Sparkplug Aware one.
func brokerChecks() map[string]check {
	on := func(f func(t judge, b *brokered)) check {
		return func(t judge, ev *evidence) { f(t, ev.aware) }
	}
	texts := func(list []message) (out []string) {
		for _, m := range list {
			out = append(out, fmt.Sprintf("%s at %d", m.raw, m.qos))
		}
		slices.Sort(out)
		return out
	}
	qos := on(func(t judge, b *brokered) {
		if got := texts(b.at0); !slices.Equal(got, []string{"one at 0", "zero at 0"}) {
			t.Errorf("a subscriber at QoS 0 got %v", got)
		}
		if got := texts(b.at1); !slices.Equal(got, []string{"one at 1", "zero at 0"}) {
			t.Errorf("a subscriber at QoS 1 got %v", got)
		}
	})
	kept := on(func(t judge, b *brokered) {
		if len(b.retained) != 1 || !b.retained[0].retain || string(b.retained[0].raw) != "second" || len(b.cleared) != 0 {
			t.Errorf("retained %v, cleared %v", b.retained, b.cleared)
		}
	})
	wills := on(func(t judge, b *brokered) {
		if len(b.will) != 2 || b.will[0].qos != 1 || b.will[1].qos != 1 || len(b.lateWill) != 1 || !b.lateWill[0].retain {
			t.Errorf("Wills %v, retained %v", b.will, b.lateWill)
		}
	})
	copies := func(kind string, f func(t judge, m message)) check {
		return on(func(t judge, b *brokered) {
			n := 0
			for _, m := range append(slices.Clone(b.certificates), b.kept...) {
				if len(m.level) > 4 && m.level[4] == kind {
					n++
					f(t, m)
				}
			}
			if n != 2 {
				t.Errorf("%d copies of %s for two clients", n, kind)
			}
		})
	}
	topicOf := func(original string) func(t judge, m message) {
		return func(t judge, m message) {
			if m.topic != certificates+original {
				t.Errorf("copy at %s", m.topic)
			}
			if _, err := readPayload(m.raw); err != nil {
				t.Error(err)
			}
		}
	}
	nbirth, dbirth := copies("NBIRTH", topicOf("spBv1.0/"+group+"/NBIRTH/known")), copies("DBIRTH", topicOf("spBv1.0/"+group+"/DBIRTH/known/one"))
	store := on(func(t judge, b *brokered) {
		if len(b.kept) != 2 || !b.kept[0].retain || !b.kept[1].retain {
			t.Errorf("kept of two births: %v", b.kept)
		}
	})
	return map[string]check{
		"conformance-mqtt-qos0":                     qos,
		"conformance-mqtt-qos1":                     qos,
		"conformance-mqtt-retained":                 kept,
		"conformance-mqtt-will-messages":            wills,
		"conformance-mqtt-aware-basic":              both(qos, kept, wills),
		"conformance-mqtt-aware-store":              store,
		"conformance-mqtt-aware-nbirth-mqtt-topic":  nbirth,
		"conformance-mqtt-aware-dbirth-mqtt-topic":  dbirth,
		"conformance-mqtt-aware-nbirth-mqtt-retain": both(nbirth, store),
		"conformance-mqtt-aware-dbirth-mqtt-retain": both(dbirth, store),
		"conformance-mqtt-aware-ndeath-timestamp": on(func(t judge, b *brokered) {
			m := b.will[0]
			if m.kind != "NDEATH" || m.payload.time == nil {
				t.Error(m)
				return
			}
			if d := time.UnixMilli(int64(*m.payload.time)).Sub(b.died); d < -time.Second || d > patient {
				t.Errorf("the NDEATH of one that died at %v has the time %v", b.died, time.UnixMilli(int64(*m.payload.time)))
			}
		}),
	}
}
