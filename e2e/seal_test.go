package e2e

import (
	"fmt"
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
	now := time.Now().UnixNano()
	const tag = "HSM/FM/F3/GBX/VIB_H"
	var data, ack sparkplug.Payload
	data.Begin(now, 3)
	data.Metrics = append(data.Metrics, sparkplug.Metric{Name: tag, HasTime: true, Time: plant.Millis(now), Value: sparkplug.DoubleValue(666)})
	ack.SetAck(now, sparkplug.Ack{Host: "historian", Epoch: 1, Spans: []sparkplug.Span{{First: 1, Last: 1 << 50}}})
	for topic, p := range map[string]*sparkplug.Payload{"spBv1.0/Works/DDATA/hsm/mill": &data, "spBv1.0/Works/NCMD/hsm": &ack} {
		if err := thief.Publish(topic, p.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, 20*time.Second, "what is forged is counted", func() bool {
		return l.api.metric("ingest_forged_total") >= 1
	})
	c := l.account()
	c.check(t)
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
