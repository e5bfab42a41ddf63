package edge

import (
	"time"

	"millwright/plant"
)

// StateDevice is the device that the states of the PLC connections are sent
// under, for every host that reads Sparkplug.
const StateDevice = "connections"

// rateEvery is how often the rate of a connection is told as a sample.
const rateEvery = time.Minute

// states are the tags of one PLC's connection.
type states struct {
	tags       []plant.Tag // state, reason, rate
	state, why string
	rated      time.Time
	at         int64
}

// newStates drafts the tags of a connection, without handles.
func newStates(edge, plc string) states {
	asset := edge + "/" + plc
	text := func(name, about string) plant.Tag {
		return plant.Tag{Path: asset + "/" + name, Asset: asset, Kind: plant.Text, Description: about, Derived: true}
	}
	return states{tags: []plant.Tag{
		text(plant.TagState, "State of the connection"),
		text(plant.TagReason, "Reason of that state"),
		{Path: asset + "/" + plant.TagRate, Asset: asset, Kind: plant.Analog, Unit: "1/s", Description: "Values received", Derived: true},
	}}
}

// internStates gives the tags of all connections their handles.
func (a *Agent) internStates() error {
	var all []plant.Tag
	for i := range a.PLCs {
		p := &a.PLCs[i]
		p.states = newStates(a.Name, p.Name)
		all = append(all, p.states.tags...)
	}
	all = append(all, plant.Tag{
		Path: a.Name + "/" + plant.TagAudit, Asset: a.Name, Kind: plant.Text, Description: "What the edge did", Derived: true,
	})
	if err := a.intern(StateDevice, all); err != nil {
		return err
	}
	a.audit.tag = all[len(all)-1]
	for i := range a.PLCs {
		copy(a.PLCs[i].states.tags, all[3*i:])
	}
	return nil
}

// tellState queues what has changed of a connection. It is called by one
// goroutine for each PLC.
func (a *Agent) tellState(p *PLC, now plant.PLCStatus) {
	s := &p.states
	var b plant.Batch
	s.at = max(plant.Millis(time.Now().UnixNano()), s.at+int64(time.Millisecond))
	if string(now.State) != s.state {
		b.States = append(b.States, plant.State{Tag: s.tags[0].ID, Time: s.at, Value: string(now.State)})
	}
	if now.Reason != s.why || s.state == "" {
		b.States = append(b.States, plant.State{Tag: s.tags[1].ID, Time: s.at, Value: now.Reason})
	}
	if rated := time.Now(); rated.Sub(s.rated) >= rateEvery {
		b.Samples = append(b.Samples, plant.Sample{Tag: s.tags[2].ID, Time: s.at, Value: now.ValuesS})
		s.rated = rated
	}
	if b.Empty() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.put(b, nil); err != nil { // the disk is full, which the queue says itself
		return
	}
	s.state, s.why = string(now.State), now.Reason
}
