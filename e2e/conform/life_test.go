package conform

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"millwright/edge/queue"
	"millwright/plant"
	"millwright/sparkplug"
)

// evidence is what one broker's runs have left to be judged.
type evidence struct {
	edge    []session   // of mill/e1, through its whole life
	host    []session   // of its primary host
	late    []message   // what a client hears that comes when all is well
	gone    []message   // what a client hears that comes when the host has left
	after   int         // records of a burst that went out after the rebirth that interrupted it
	second  []session   // of mill/e2, which begins at nothing
	first   int         // bdSeq with which e1's count was to go on
	offered map[key]int // values of e1, live or not

	strangers stranger
	twins     twins
	several   several
	aware     *brokered // of the embedded broker
}

// key is a value of a tag on the wire.
type key struct {
	name string
	time uint64 // ms
}

func publish(topic string, body []byte, qos byte, retain bool) *packets.PublishPacket {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload, p.Qos, p.Retain = topic, body, qos, retain
	return p
}

// rebirth is the body of an NCMD that asks for a rebirth.
func rebirth() []byte {
	var p sparkplug.Payload
	p.SetRebirth(time.Now().UnixNano())
	return p.AppendTo(nil)
}

func heard(s session, kind string, up bool) (n int) {
	for _, m := range s.messages {
		if m.kind == kind && m.up == up {
			n++
		}
	}
	return n
}

// tagsOf is what the edges of these tests have.
func tagsOf(node string) map[string][]plant.Tag {
	tag := func(device, name string, kind plant.Kind) plant.Tag {
		return plant.Tag{Path: fmt.Sprintf("F3/%s%s/%s", node, device, name), Asset: "F3", Unit: "mm/s", Kind: kind, Low: -1, High: 20, Description: "Schwingung, Lager 2 – außen"}
	}
	return map[string][]plant.Tag{
		"":      {tag("", "heart", plant.Analog)},
		"plc":   {tag("plc", "speed", plant.Analog), tag("plc", "load", plant.Analog), tag("plc", "temp", plant.Analog), tag("plc", "mode", plant.Text), tag("plc", "wave", plant.Burst)},
		"plc-2": {tag("plc-2", "gap", plant.Analog), tag("plc-2", "on", plant.Discrete)},
		"plc-3": {tag("plc-3", "dead", plant.Analog)},
		"plc-4": {tag("plc-4", "last", plant.Analog)},
	}
}

// live takes one edge and its host through everything that may happen to them, and
// notes what was on their wires.
func live(t *testing.T, url string, ev *evidence) {
	ev.first, ev.offered = 254, map[key]int{}
	by := newClient(t, url, "spBv1.0/#")
	wire, hostWire, secondWire := newTap(t, url), newTap(t, url), newTap(t, url)

	// The host is said to be offline, another one online, and then the own one
	// online, but before it went offline. None of it lets the edge be born.
	before := time.Now().Add(-time.Minute).UnixMilli()
	by.sayState("other", true, before+1)
	by.sayState(hostID, false, before)
	e := startEdge(t, wire.url(), "e1", ev.first-1, tagsOf("e1"), nil)
	e.alive("plc-3", false)
	speed, load, temp, mode, wave := e.tags["plc"][0], e.tags["plc"][1], e.tags["plc"][2], e.tags["plc"][3], e.tags["plc"][4]
	heart, gap, last := e.tags[""][0], e.tags["plc-2"][0], e.tags["plc-4"][0]
	// sample notes a value that is to be on the wire.
	sample := func(tag plant.Tag, at int64, v float64, q plant.Quality) plant.Sample {
		ev.offered[key{tag.Path, uint64(at / ms)}]++
		return plant.Sample{Tag: tag.ID, Time: at, Value: v, Quality: q}
	}
	e.put(draft("plc", sample(speed, now(), 1, plant.Good))) // from before its birth
	await(t, "the edge hears that its host is offline", func() bool { return heard(wire.last(), "STATE", false) > 0 })
	await(t, "the edge hears that its host was online", func() bool {
		by.sayState(hostID, true, before-1)
		return heard(wire.last(), "STATE", false) > 1
	})
	asked := len(wire.last().subscribed)
	await(t, "the edge asks for STATE once more and again", func() bool { return len(wire.last().subscribed) > asked+1 })

	dir := t.TempDir()
	h := startHost(t, dir, hostWire.url(), nil)
	e.born(1)
	e.settled()
	second := startEdge(t, secondWire.url(), "e2", -1, tagsOf("e2"), nil) // with devices of the same names
	second.born(1)
	await(t, "a late client hears that the host is there", func() bool {
		ev.late = newClient(t, url, "spBv1.0/STATE/"+hostID).settle(t, 1)
		return len(ev.late) > 0
	})

	// Values out of order, of every quality, without a value, from a clock that is
	// ahead; texts, a waveform, findings, gaps, the node's own.
	at := now()
	e.put(queue.Draft{Lane: queue.Telemetry, Device: "plc", Batch: plant.Batch{
		Samples: []plant.Sample{
			sample(speed, at+2*ms, 2, plant.Good), sample(speed, at, 1.5, plant.UncertainLastUsableValue),
			sample(load, at+ms, math.NaN(), plant.BadSensorFailure), sample(load, at+2*ms, 7, plant.StaleValue),
			sample(temp, at+3_600_000*ms, math.Inf(1), plant.Good)},
		States: []plant.State{{Tag: mode.ID, Time: at + ms, Value: "rolling"}, {Tag: mode.ID, Time: at + 3*ms, Value: "Wickeln, heiß"}}}})
	e.put(queue.Draft{Lane: queue.Waveforms, Device: "plc", Batch: plant.Batch{
		Waveforms: []plant.Waveform{{Tag: wave.ID, Time: at, Rate: 10_000, Values: []float32{0, 1, -1}}}}})
	e.put(queue.Draft{Lane: queue.Findings, Batch: plant.Batch{
		Findings: []plant.Finding{{Asset: "F3", Key: "k", Kind: plant.KindAnomaly, Class: plant.Advisory, Phase: plant.Raise, Time: at}},
		Gaps:     []plant.Gap{{Tag: speed.ID, From: at - 5*ms, To: at, Reason: plant.GapOverflow}}}})
	e.put(draft("", sample(heart, at, 60, plant.Good)), draft("plc-2", sample(gap, at, 1, plant.Good), sample(e.tags["plc-2"][1], at, 1, plant.Good)),
		draft("plc-4", sample(last, at, 1, plant.Good)))
	second.put(draft("plc", plant.Sample{Tag: second.tags["plc"][0].ID, Time: at, Value: 1}))
	e.settled()
	second.settled()
	second.stop()
	ev.second = secondWire.sessions()

	// An offline of before is believed by nobody, and the host contradicts it.
	answered := len(by.all("STATE"))
	by.sayState(hostID, false, before)
	await(t, "the host says that it is online", func() bool { return len(by.all("STATE")) > answered+1 })
	await(t, "the edge hears it", func() bool { return heard(wire.last(), "STATE", false) >= 3 })
	e.put(draft("plc", sample(speed, now(), 3, plant.Good)))
	e.settled()

	// A rebirth is asked for in the middle of a burst.
	for births := e.up.Counts().Births; ev.after == 0; births = e.up.Counts().Births {
		at, drafts := now(), []queue.Draft(nil)
		for i := range 600 {
			drafts = append(drafts, draft("plc-2", sample(gap, at+int64(i)*ms, float64(i), plant.Good)))
		}
		e.put(drafts...)
		wire.inject(publish("spBv1.0/"+group+"/NCMD/e1", rebirth(), 0, false))
		e.born(births + 1)
		e.settled()
		ev.after = dataAfterLastBirth(wire.last())
		await(t, "the clock passes the burst", func() bool { return now() > at+600*ms })
	}

	// A tag is new, a device goes and comes.
	fresh := []plant.Tag{{Path: "F3/e1plc-2/new", Kind: plant.Analog}}
	if err := e.queue.Intern("plc-2", fresh); err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	e.tags["plc-2"] = append(e.tags["plc-2"], fresh...)
	e.mu.Unlock()
	e.put(draft("plc-2", sample(fresh[0], now(), 1, plant.Good)))
	e.settled()
	e.alive("plc-4", false)
	await(t, "the device's death", func() bool { return heard(wire.last(), "DDEATH", true) > 0 })
	e.put(draft("plc-4", sample(last, now(), 2, plant.Good))) // queued when it died
	e.settled()
	e.alive("plc-4", true)
	await(t, "the device's birth", func() bool {
		m := wire.last().messages
		for i := len(m) - 1; i >= 0; i-- {
			if m[i].up && m[i].kind == "DBIRTH" && m[i].device() == "plc-4" {
				return true
			}
			if m[i].up && m[i].kind == "DDEATH" && m[i].device() == "plc-4" {
				return false
			}
		}
		return false
	})
	e.put(draft("plc-4", sample(last, now(), 3, plant.Good)))
	e.settled()

	// The edge's cable is torn, then the host's: the broker speaks their Wills.
	births := e.up.Counts().Births
	wire.cut()
	e.born(births + 1)
	e.put(draft("plc", sample(speed, now(), 4, plant.Good)))
	e.settled()
	births = e.up.Counts().Births
	hostWire.cut()
	e.born(births + 1)
	e.put(draft("plc", sample(speed, now(), 5, plant.Good)))
	e.settled()

	// Somebody says, with a time that is newer, that the host is offline: nobody
	// would believe it that it is online before it has connected anew.
	births = e.up.Counts().Births
	connected := len(hostWire.sessions())
	by.sayState(hostID, false, time.Now().UnixMilli()+1)
	await(t, "the host connects anew", func() bool { return len(hostWire.sessions()) > connected })
	e.born(births + 1)
	e.put(draft("plc", sample(speed, now(), 6, plant.Good)))
	e.settled()

	// The host leaves, so that the edge does; then the edge leaves by itself.
	births = e.up.Counts().Births
	leaving := len(wire.sessions()) - 1
	h.stop()
	await(t, "the edge leaves this broker", func() bool { return wire.sessions()[leaving].goodbye >= 0 })
	await(t, "a late client hears that the host is gone", func() bool {
		ev.gone = newClient(t, url, "spBv1.0/STATE/"+hostID).settle(t, 1)
		return len(ev.gone) > 0
	})
	h = startHost(t, dir, hostWire.url(), nil)
	e.born(births + 1)
	e.put(draft("plc", sample(speed, now(), 7, plant.Good)))
	e.settled()
	e.stop()
	h.stop()
	ev.edge, ev.host = wire.sessions(), hostWire.sessions()
}

// dataAfterLastBirth counts the records that went out behind the last NBIRTH.
func dataAfterLastBirth(s session) (n int) {
	for _, m := range s.messages {
		switch {
		case !m.up:
		case m.kind == "NBIRTH":
			n = 0
		case m.kind == "DDATA":
			n++
		}
	}
	return n
}
