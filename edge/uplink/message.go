package uplink

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"millwright/edge/queue"
	"millwright/plant"
	"millwright/sparkplug"
)

// A record is live at its first send only, and only while it is fresher than
// this and than the births, which have stated the current values.
const liveFor = 2 * time.Second

// errUndeclared says that no birth names a tag of the record, or its opening.
var errUndeclared = errors.New("a tag of the record, or its epoch, is not in the births")

// place is a value of a record, for ordering by time: index i of the samples,
// or of the states where text is true.
type place struct {
	at   int64
	i    int32
	text bool
}

// encode makes the message of a record, to be sent now. It returns the topic.
func (s *session) encode(r *queue.Record, historical bool) (topic string, err error) {
	if !s.names(r.Epoch) {
		return "", errUndeclared
	}
	for i := range r.Batch.Samples {
		if !s.isDeclared(r.Batch.Samples[i].Tag) {
			return "", errUndeclared
		}
	}
	for i := range r.Batch.States {
		if !s.isDeclared(r.Batch.States[i].Tag) {
			return "", errUndeclared
		}
	}
	for i := range r.Batch.Waveforms {
		if !s.isDeclared(r.Batch.Waveforms[i].Tag) {
			return "", errUndeclared
		}
	}
	// What belongs to a device that is gone goes out under the node's name: a
	// host takes no DDATA of a dead device, and knows the aliases node-wide.
	to := &s.own
	if d := s.devices[r.Device]; d != nil && d.alive && len(r.Batch.Findings)+len(r.Batch.Gaps) == 0 {
		to = d
	}
	p := &s.payload
	p.Begin(time.Now().UnixNano(), 0) // seq follows when nothing can fail any more
	s.addValues(&r.Batch, historical)
	s.waves = s.waves[:0]
	for i := range r.Batch.Waveforms {
		w := &r.Batch.Waveforms[i]
		s.waves = p.AddWaveform(w, aliasOf(w.Tag), historical, s.waves)
	}
	if len(r.Batch.Findings) > 0 {
		text, err := sparkplug.FormatFindings(r.Batch.Findings)
		if err != nil {
			return "", err
		}
		p.AddText(text, aliasFinding, s.behind(r.Created), historical)
	}
	if len(r.Batch.Gaps) > 0 {
		text, nameless := sparkplug.FormatGaps(r.Batch.Gaps, s.path)
		if nameless > 0 {
			return "", errUndeclared
		}
		p.AddText(text, aliasGaps, s.behind(r.Created), historical)
	}
	oldest := s.u.Queue.Oldest(r.Epoch)
	if oldest == s.oldest[r.Epoch] {
		oldest = 0
	} else {
		s.oldest[r.Epoch] = oldest
	}
	p.AddQueue(s.behind(r.Created), to.queue, r.Epoch, r.Number, oldest, historical)
	p.Seq = s.nextSeq()
	return to.topic, nil
}

// behind is the time of a metric that stands last in the payload: that of the
// record, or of a value whose source's clock is ahead of it
// (tck-id-operational-behavior-data-publish-dbirth-order).
func (s *session) behind(created int64) int64 {
	for i := range s.payload.Metrics {
		created = max(created, s.payload.Metrics[i].Time)
	}
	return created
}

func (s *session) isDeclared(id plant.TagID) bool {
	return int(id) < len(s.declared) && s.declared[id]
}

// names reports whether the births name an epoch.
func (s *session) names(epoch uint64) bool { return slices.Contains(s.openings, epoch) }

// path is the name of a tag in a gap. Gaps name tags by path, so that no birth
// is needed to read them.
func (s *session) path(id plant.TagID) string {
	if p, ok := s.paths[id]; ok {
		return p
	}
	for id, t := range s.tagTable() {
		s.paths[id] = t.Path
	}
	return s.paths[id]
}

// addValues adds samples and states, live ones in time order
// (tck-id-operational-behavior-data-publish-dbirth-order).
func (s *session) addValues(b *plant.Batch, historical bool) {
	p := &s.payload
	if !historical {
		if s.order = appendPlaces(s.order[:0], b); !slices.IsSortedFunc(s.order, comparePlaces) {
			slices.SortFunc(s.order, comparePlaces)
			for _, x := range s.order {
				if x.text {
					p.AddState(b.States[x.i], aliasOf(b.States[x.i].Tag), false)
				} else {
					p.AddSample(b.Samples[x.i], aliasOf(b.Samples[x.i].Tag), false)
				}
			}
			return
		}
	}
	for _, x := range b.Samples {
		p.AddSample(x, aliasOf(x.Tag), historical)
	}
	for _, x := range b.States {
		p.AddState(x, aliasOf(x.Tag), historical)
	}
}

func appendPlaces(dst []place, b *plant.Batch) []place {
	for i := range b.Samples {
		dst = append(dst, place{at: b.Samples[i].Time, i: int32(i)})
	}
	for i := range b.States {
		dst = append(dst, place{at: b.States[i].Time, i: int32(i), text: true})
	}
	return dst
}

func comparePlaces(a, b place) int {
	switch {
	case a.at < b.at:
		return -1
	case a.at > b.at:
		return 1
	case a.text != b.text:
		if b.text {
			return -1
		}
		return 1
	}
	return int(a.i - b.i)
}

// send encodes the payload and publishes it.
func (s *session) send(topic string) error {
	s.buf = s.u.sealer.AppendTo(s.buf[:0], &s.payload, topic, s.sealed, s.sealed != 0)
	s.budget.spend(len(topic) + len(s.buf))
	return s.link.Publish(topic, s.buf)
}

// nextSeq counts every message of the node but NDEATH; 0 follows 255.
func (s *session) nextSeq() uint8 {
	s.seq++
	return s.seq
}

// status is what the edge says of itself, as JSON.
func (s *session) status() sparkplug.Value {
	if s.u.Status == nil {
		return sparkplug.Value{}
	}
	st := s.u.Status()
	st.Sent = s.u.counts.sent.Load()
	st.Version = s.u.Version
	st.Broker = s.u.Connection()
	b, err := json.Marshal(st)
	if err != nil {
		s.u.Log.Error("status not sent", "err", err)
		return sparkplug.Value{}
	}
	return sparkplug.TextValue(string(b))
}

// sendStatus publishes the status. It is no record: the next one replaces it.
func (s *session) sendStatus(now time.Time) error {
	s.statusAt = now
	v := s.status()
	if v.Form == sparkplug.None {
		return nil
	}
	s.payload.Begin(now.UnixNano(), s.nextSeq())
	s.payload.AddText(v.Text, aliasStatus, now.UnixNano(), false)
	s.payload.AddText(s.accounts().Text, aliasAccounts, now.UnixNano(), false)
	return s.send(s.own.topic)
}

// accounts is what the queue has to say of its records: see sparkplug.Account.
func (s *session) accounts() sparkplug.Value {
	return sparkplug.TextValue(sparkplug.FormatAccounts(s.u.Queue.Accounts()))
}
