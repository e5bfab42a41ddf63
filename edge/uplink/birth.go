package uplink

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
)

// Aliases. Tags take the odd numbers, by their durable handle, so that a tag
// keeps its alias over rebirths and restarts; what is not a tag takes the even
// ones.
const (
	aliasVersion = 2 * (iota + 1)
	aliasEpoch
	aliasRecord
	aliasOldest
	aliasFinding
	aliasGaps
	aliasAssets
	aliasStatus
	aliasAccounts
	aliasDevices // first of the devices, three each
)

func aliasOf(tag plant.TagID) uint64 { return 2*uint64(tag) + 1 }

// announced is a device of the standing births.
type announced struct {
	tags  []plant.TagID
	alive bool
	topic string // DDATA
	queue sparkplug.QueueAliases
}

// births sends the NBIRTH and all DBIRTHs, with nothing in between
// (tck-id-payloads-dbirth-order).
func (s *session) births() error {
	u := s.u
	now := u.moment()
	s.sealed = 0
	tags := s.tagTable()
	devices := u.Devices()
	var own []plant.TagID
	for _, d := range devices {
		if d.Name == "" {
			own = append(own, d.Tags...)
		}
	}
	s.own = announced{tags: slices.Clone(own), alive: true, topic: u.topic(sparkplug.NDATA, ""),
		queue: sparkplug.QueueAliases{Epoch: aliasEpoch, Record: aliasRecord, Oldest: aliasOldest}}
	s.devices = map[string]*announced{}
	s.declared = s.declared[:0]
	s.oldest = map[uint64]uint64{}

	p := &s.payload
	p.SetNodeBirth(now, s.bdSeq)
	s.seq = 0
	p.Declare(now, sparkplug.MetricQueueVersion, aliasVersion, sparkplug.UInt32, sparkplug.UInt32Value(sparkplug.QueueVersion), true)
	s.declareQueue(now, s.own.queue)
	s.openings = u.Queue.Openings()
	p.DeclareOpenings(now, s.openings)
	p.Declare(now, sparkplug.MetricFinding, aliasFinding, sparkplug.String, sparkplug.Value{}, true)
	p.Declare(now, sparkplug.MetricGaps, aliasGaps, sparkplug.String, sparkplug.Value{}, true)
	assets, err := json.Marshal(u.Assets)
	if err != nil {
		return fmt.Errorf("assets: %w", err)
	}
	p.Declare(now, sparkplug.MetricAssets, aliasAssets, sparkplug.String, sparkplug.TextValue(string(assets)), true)
	p.Declare(now, sparkplug.MetricStatus, aliasStatus, sparkplug.String, s.status(), true)
	p.Declare(now, sparkplug.MetricAccounts, aliasAccounts, sparkplug.String, s.accounts(), true)
	if how := u.sealer.Name(); how != "" {
		p.Declare(now, sparkplug.MetricSeal, 0, sparkplug.String, sparkplug.TextValue(how), true)
	}
	s.declareTags(now, own, tags, true)
	if err := s.send(u.topic(sparkplug.NBIRTH, "")); err != nil {
		return err
	}
	s.sealed = uint64(now / int64(time.Millisecond))
	for _, d := range devices {
		if d.Name == "" {
			continue
		}
		if err := s.deviceBirth(d, tags); err != nil {
			return err
		}
	}
	for _, d := range devices { // behind all births, which stand together
		if d.Name == "" || d.Alive {
			continue
		}
		if err := s.deviceDeath(d.Name); err != nil {
			return err
		}
	}
	s.release()
	s.birth, s.rebirth, s.statusAt = now, false, time.Now()
	u.counts.births.Add(1)
	return nil
}

// release lets go of the memory of births: they are large, and rare.
func (s *session) release() {
	s.payload, s.buf = sparkplug.Payload{}, nil
}

// moment is the time of a birth, ns UTC. No two of a process are the same,
// and none is earlier than the one before whatever the clock does: by it a host tells
// what a broker has kept for later.
func (u *Uplink) moment() int64 {
	u.born = max(time.Now().UnixNano(), u.born+int64(time.Millisecond))
	return u.born
}

// tagTable is every tag that may be sent, by handle.
func (s *session) tagTable() map[plant.TagID]*plant.Tag {
	list := s.u.Queue.Tags()
	m := make(map[plant.TagID]*plant.Tag, len(list))
	for _, t := range list {
		m[t.ID] = t
	}
	return m
}

// deviceBirth announces a device. One that is not alive is announced without
// values, and its death must follow: the host then knows its tags and that they
// are stale, and can read what the queue still holds of them.
func (s *session) deviceBirth(d Device, tags map[plant.TagID]*plant.Tag) error {
	if err := sparkplug.CheckID(d.Name); err != nil {
		return fmt.Errorf("device: %w", err)
	}
	a := s.devices[d.Name]
	if a == nil {
		base := uint64(aliasDevices + 6*len(s.devices))
		a = &announced{topic: s.u.topic(sparkplug.DDATA, d.Name),
			queue: sparkplug.QueueAliases{Epoch: base, Record: base + 2, Oldest: base + 4}}
		s.devices[d.Name] = a
	}
	a.tags, a.alive = slices.Clone(d.Tags), d.Alive
	now := s.u.moment()
	s.payload.Begin(now, s.nextSeq())
	s.declareQueue(now, a.queue)
	s.declareTags(now, d.Tags, tags, d.Alive)
	return s.send(s.u.topic(sparkplug.DBIRTH, d.Name))
}

func (s *session) deviceDeath(name string) error {
	s.payload.Begin(time.Now().UnixNano(), s.nextSeq())
	// Not sealed: a broker that knows Sparkplug writes a time of its own into deaths.
	s.buf = s.payload.AppendTo(s.buf[:0])
	return s.link.Publish(s.u.topic(sparkplug.DDEATH, name), s.buf)
}

// declareQueue adds the delivery metrics of a birth.
func (s *session) declareQueue(now int64, a sparkplug.QueueAliases) {
	epoch := s.u.Queue.Epoch()
	oldest := s.u.Queue.Oldest(epoch)
	s.payload.DeclareQueue(now, a, epoch, oldest)
	s.oldest[epoch] = oldest
}

// declareTags adds the tags of a birth with their last known values, at those
// values' own times; all metrics of a birth stand in time order
// (tck-id-operational-behavior-data-publish-dbirth-order).
func (s *session) declareTags(now int64, ids []plant.TagID, tags map[plant.TagID]*plant.Tag, values bool) {
	p := &s.payload
	for _, id := range ids {
		t := tags[id]
		if t == nil {
			s.u.Log.Error("a device has a tag that the queue does not know", "tag", id)
			continue
		}
		var l last
		if values {
			l = s.u.hand.lastOf(id)
		}
		at, kind, value := now, sparkplug.TypeOf(t), sparkplug.Value{}
		switch {
		case !l.set:
		case l.isText:
			at, kind, value = l.time, sparkplug.String, sparkplug.TextValue(l.text)
		case l.number == l.number || l.quality.IsGood():
			at, kind, value = l.time, sparkplug.Double, sparkplug.DoubleValue(l.number)
		}
		m := p.Declare(at, t.Path, aliasOf(id), kind, value, false)
		m.Quality = l.quality
		m.Properties = sparkplug.TagProperties(nil, t)
		s.declare(id)
	}
	slices.SortStableFunc(p.Metrics, func(a, b sparkplug.Metric) int {
		switch {
		case a.Time < b.Time:
			return -1
		case a.Time > b.Time:
			return 1
		}
		return 0
	})
}

// declare notes that the births name the tag.
func (s *session) declare(id plant.TagID) {
	for int(id) >= len(s.declared) {
		s.declared = append(s.declared, make([]bool, int(id)+1-len(s.declared))...)
	}
	s.declared[id] = true
}

// syncDevices tells the plant what has changed: devices that came, went, died,
// came to life or have other tags.
func (s *session) syncDevices() error {
	var tags map[plant.TagID]*plant.Tag
	now := map[string]bool{}
	for _, d := range s.u.Devices() {
		if d.Name == "" {
			if !slices.Equal(d.Tags, s.own.tags) {
				return s.births()
			}
			continue
		}
		now[d.Name] = true
		a := s.devices[d.Name]
		if a != nil && a.alive && !d.Alive && slices.Equal(a.tags, d.Tags) {
			a.alive = false
			if err := s.deviceDeath(d.Name); err != nil {
				return err
			}
			continue
		}
		if a != nil && a.alive == d.Alive && slices.Equal(a.tags, d.Tags) {
			continue
		}
		if tags == nil {
			tags = s.tagTable()
		}
		if err := s.deviceBirth(d, tags); err != nil {
			return err
		}
		if d.Alive {
			continue
		}
		if err := s.deviceDeath(d.Name); err != nil {
			return err
		}
	}
	if tags != nil {
		s.release()
	}
	for name, a := range s.devices {
		if now[name] || !a.alive {
			continue
		}
		a.alive = false
		if err := s.deviceDeath(name); err != nil {
			return err
		}
	}
	return nil
}
