package e2e

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
	"millwright/sparkplug/dial"
)

// TestSealed lets a works compress and sign all that goes over its broker, and
// somebody who has taken the broker speak for the edge and for the historian: nothing
// of it is taken, and nothing is lost.
func TestSealed(t *testing.T) {
	l := newLine(t)
	l.seal()
	l.busy()

	thief, err := dial.Client{Broker: fmt.Sprintf("tcp://127.0.0.1:%d", l.mqtt), ID: "thief",
		WillTopic: "spBv1.0/Works/NDEATH/thief", Will: []byte{0}}.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer thief.Close()
	// What the historian says is signed, but can be read: so the thief knows the epoch,
	// and how far the records are.
	var heard atomic.Pointer[sparkplug.Ack]
	if err := thief.Subscribe(t.Context(), "spBv1.0/Works/NCMD/hsm", func(_ string, b []byte) {
		var p sparkplug.Payload
		if p.Decode(b) == nil {
			if c, err := p.Command(); err == nil && c.Ack != nil {
				heard.Store(c.Ack)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "acknowledgements are overheard", func() bool { return heard.Load() != nil })
	l.plantWire.hush(true) // what the edge sends now it must keep
	time.Sleep(3 * time.Second)
	now, known := time.Now().UnixNano(), heard.Load()
	published := known.Spans[len(known.Spans)-1].Last + 3 // by now
	const tag = "HSM/FM/F3/GBX/VIB_H"
	var data, ack sparkplug.Payload
	data.Begin(now, 3)
	data.Metrics = append(data.Metrics, sparkplug.Metric{Name: tag, HasTime: true, Time: plant.Millis(now), Value: sparkplug.DoubleValue(666)})
	ack.SetAck(now, sparkplug.Ack{Host: "historian", Epoch: known.Epoch, Spans: []sparkplug.Span{{First: 1, Last: published}}})
	say := func(topic string, p *sparkplug.Payload) {
		t.Helper()
		if err := thief.Publish(topic, p.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
	}
	say("spBv1.0/Works/NCMD/hsm", &ack)
	time.Sleep(time.Second)
	l.plantWire.hush(false)
	l.plantWire.cut()
	l.waitLive(60 * time.Second)
	eventually(t, 20*time.Second, "what is forged is counted", func() bool {
		say("spBv1.0/Works/DDATA/hsm/mill", &data) // before the births it only makes the host ask for them
		return l.api.metric("ingest_forged_total") >= 1
	})
	c := l.account()
	c.check(t)
	if c.declared != 0 {
		t.Errorf("the edge gave up %d values on the word of a thief", c.declared)
	}
	t.Logf("%v, %d bytes to the broker", c, l.edgeWire.bytes())
}

// seal lets edge and historian know each other's keys.
func (l *line) seal() {
	l.t.Helper()
	l.configure()
	edge := l.run("broker", "key", "-c", l.dir+"/edge.toml")
	host := l.run("broker", "key", "-c", l.dir+"/plant.toml")
	l.edgeKeys += "compress = true\nsign = true\n" + host
	l.store += "\nsign = true\n"
	l.extra += "\n" + edge
}
