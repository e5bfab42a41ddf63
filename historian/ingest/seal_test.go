package ingest

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
)

// sealedEdge says what a signing edge says.
type sealedEdge struct {
	sealer sparkplug.Sealer
	p      sparkplug.Payload
	epoch  uint64
	at     int64 // of the last birth
	number uint64
	seq    uint8
}

func newSealedEdge(seed byte, epoch uint64) *sealedEdge {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return &sealedEdge{sealer: sparkplug.Sealer{Compress: true, Key: key}, epoch: epoch, at: time.Now().UnixNano()}
}

func (e *sealedEdge) public() ed25519.PublicKey {
	k, _ := e.sealer.Key.Public().(ed25519.PublicKey)
	return k
}

const (
	nbirth = "spBv1.0/mill/NBIRTH/f3"
	ndata  = "spBv1.0/mill/NDATA/f3"
)

func (e *sealedEdge) say(topic string, session int64, pack bool) *message {
	b := e.sealer.AppendTo(nil, &e.p, topic, uint64(session/int64(time.Millisecond)), pack)
	return &message{topic: topic, payload: b, arrived: time.Now().UnixNano(), from: name{group: "mill", node: "f3"}}
}

func (e *sealedEdge) birth() *message {
	e.at += int64(time.Millisecond)
	e.seq = 0
	p := &e.p
	p.SetNodeBirth(e.at, 1)
	p.Declare(e.at, sparkplug.MetricQueueVersion, 2, sparkplug.UInt32, sparkplug.UInt32Value(sparkplug.QueueVersion), true)
	p.DeclareQueue(e.at, sparkplug.QueueAliases{Epoch: 4, Record: 6, Oldest: 8}, e.epoch, 1)
	p.Declare(e.at, "HSM/V", 1, sparkplug.Double, sparkplug.Value{}, false)
	return e.say(nbirth, 0, false)
}

func (e *sealedEdge) record(v float64) *message {
	e.seq++
	e.number++
	e.p.Begin(time.Now().UnixNano(), e.seq)
	e.p.AddSample(plant.Sample{Time: plant.Millis(time.Now().UnixNano()) + int64(e.number)*int64(time.Millisecond), Value: v}, 1, false)
	e.p.AddQueue(e.at, sparkplug.QueueAliases{Epoch: 4, Record: 6, Oldest: 8}, e.epoch, e.number, 1, false)
	return e.say(ndata, e.at, true)
}

// TestSealedEdge: of an edge whose key is known nothing else is taken, whatever a
// broker makes up, keeps back or moves.
func TestSealedEdge(t *testing.T) {
	edge, thief := newSealedEdge(1, 7), newSealedEdge(2, 9)
	g := newIngest(&shelf{})
	g.Keys = map[string][]ed25519.PublicKey{"mill/f3": {edge.public()}}
	d := newDecoder(g)
	samples := func() uint64 { return g.Counts().Samples }
	taken := func(what string, m *message, values uint64, forged uint64) {
		t.Helper()
		before, refused := samples(), g.Counts().Forged
		d.take(m)
		if samples()-before != values || g.Counts().Forged-refused != forged {
			t.Errorf("%s: %d values taken, %d refused; want %d, %d", what, samples()-before, g.Counts().Forged-refused, values, forged)
		}
	}
	early := edge.record(0)
	taken("before its births", early, 0, 0) // it will be sent again
	born := edge.birth()
	taken("birth", born, 0, 0)
	first := edge.record(1)
	taken("a record", first, 1, 0)
	taken("the same again", first, 0, 0) // known by its number
	taken("of the connection before", early, 0, 1)
	taken("birth kept back", born, 0, 1)
	taken("birth of a thief", thief.birth(), 0, 1)
	thief.at = edge.at
	taken("record of a thief", thief.record(666), 0, 1)
	thief.sealer.Key = nil
	taken("not signed", thief.record(666), 0, 1)
	taken("the edge goes on", edge.record(2), 1, 0)

	again := edge.birth()
	taken("rebirth", again, 0, 0)
	taken("after it", edge.record(3), 1, 0)
	restarted := newSealedEdge(1, 8)
	restarted.at = edge.at
	taken("restart", restarted.birth(), 0, 0)
	taken("its record", restarted.record(4), 1, 0)
	edge.at += 5 * int64(time.Millisecond)
	taken("birth of an epoch that was left", edge.birth(), 0, 1)
	taken("its record", edge.record(5), 0, 1)
	taken("the edge goes on", restarted.record(6), 1, 0)
}
