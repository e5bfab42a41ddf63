package sparkplug

import (
	"fmt"
	"strconv"
	"strings"

	"millwright/plant"
)

// Begin makes p an empty message of an edge with its seq.
func (p *Payload) Begin(now int64, seq uint8) {
	p.Reset()
	p.Time, p.Seq, p.HasSeq = now, seq, true
}

// SetNodeDeath makes p the NDEATH of the connection with this bdSeq: the Will
// of CONNECT, and what the edge says itself before it leaves. It has no seq
// (tck-id-payloads-ndeath-seq).
func (p *Payload) SetNodeDeath(now int64, bdSeq uint8) {
	p.Reset()
	p.Time = now
	p.addBdSeq(now, bdSeq)
}

// SetNodeBirth makes p the beginning of an NBIRTH: seq 0, the bdSeq of the
// connection's Will, the rebirth control and the acknowledgement metrics that a
// historian may write. What the node sends itself is added by the caller.
func (p *Payload) SetNodeBirth(now int64, bdSeq uint8) {
	p.Begin(now, 0)
	p.addBdSeq(now, bdSeq)
	p.Metrics = append(p.Metrics,
		Metric{Name: MetricRebirth, HasTime: true, Time: now, Type: Boolean, Value: BoolValue(false)},
		Metric{Name: MetricAckHost, HasTime: true, Time: now, Type: String, Transient: true, Null: true},
		Metric{Name: MetricAckEpoch, HasTime: true, Time: now, Type: UInt64, Transient: true, Null: true},
		Metric{Name: MetricAckRecords, HasTime: true, Time: now, Type: String, Transient: true, Null: true})
}

func (p *Payload) addBdSeq(now int64, bdSeq uint8) {
	p.Metrics = append(p.Metrics, Metric{
		Name: MetricBdSeq, HasTime: true, Time: now, Type: Int64, Value: UInt64Value(uint64(bdSeq))})
}

// BdSeq reads the bdSeq of an NBIRTH or NDEATH.
func (p *Payload) BdSeq() (uint8, bool) {
	m := p.Find(MetricBdSeq)
	if m == nil || m.Null || !m.Value.whole() || m.Value.Bits > 255 {
		return 0, false
	}
	return uint8(m.Value.Bits), true
}

// Declare adds a metric of a birth: name, alias (0: none), type, value.
func (p *Payload) Declare(now int64, name string, alias uint64, t DataType, v Value, transient bool) *Metric {
	p.Metrics = append(p.Metrics, Metric{
		Name: name, Alias: alias, HasAlias: alias != 0, HasTime: true, Time: now,
		Type: t, Transient: transient, Value: v, Null: v.Form == None})
	return &p.Metrics[len(p.Metrics)-1]
}

// DeclareQueue adds the delivery metrics of a birth. A birth is no record, so
// that the record number is null there. aliases must be free in the node.
func (p *Payload) DeclareQueue(now int64, a QueueAliases, epoch, oldest uint64) {
	p.Declare(now, MetricQueueEpoch, a.Epoch, UInt64, UInt64Value(epoch), true)
	p.Declare(now, MetricQueueRecord, a.Record, UInt64, Value{}, true)
	p.Declare(now, MetricQueueOldest, a.Oldest, UInt64, UInt64Value(oldest), true)
}

// DeclareOpenings adds to an NBIRTH the epochs of which the node holds records. Its
// births name the metrics of them all. It is a text because hosts of Sparkplug 2.2
// know no arrays.
func (p *Payload) DeclareOpenings(now int64, epochs []uint64) {
	var text []byte
	for i, e := range epochs {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendUint(text, e, 10)
	}
	p.Declare(now, MetricQueueOpenings, 0, String, TextValue(string(text)), true)
}

// Openings reads the epochs of an NBIRTH; nil where it says nothing of them.
func (p *Payload) Openings() ([]uint64, error) {
	m := p.Find(MetricQueueOpenings)
	if m == nil || m.Null {
		return nil, nil
	}
	if m.Value.Form != Words {
		return nil, fmt.Errorf("%s is no text", MetricQueueOpenings)
	}
	epochs := []uint64{}
	for part := range strings.SplitSeq(m.Value.Text, ",") {
		e, err := strconv.ParseUint(part, 10, 64)
		if err != nil || e == 0 || e > MaxNumber || len(epochs) == maxOpenings {
			return nil, fmt.Errorf("%s: %.40q is not one of up to %d epochs from 1 to 2⁵³ − 1", MetricQueueOpenings, part, maxOpenings)
		}
		epochs = append(epochs, e)
	}
	return epochs, nil
}

// maxOpenings is about one in five minutes for a year without a plant.
const maxOpenings = 100_000

// QueueAliases are the aliases of one device's delivery metrics.
type QueueAliases struct{ Epoch, Record, Oldest uint64 }

// AddQueue adds the delivery metrics of a record, which stand behind its
// samples. Oldest 0 leaves that metric out.
func (p *Payload) AddQueue(created int64, a QueueAliases, epoch, number, oldest uint64, historical bool) {
	m := Metric{HasAlias: true, HasTime: true, Time: created, Historical: historical, Transient: true}
	m.Alias, m.Value = a.Epoch, UInt64Value(epoch)
	p.Metrics = append(p.Metrics, m)
	m.Alias, m.Value = a.Record, UInt64Value(number)
	p.Metrics = append(p.Metrics, m)
	if oldest != 0 {
		m.Alias, m.Value = a.Oldest, UInt64Value(oldest)
		p.Metrics = append(p.Metrics, m)
	}
}

// AddSample adds a numeric value. A value that is not a number and not good is
// null on the wire: the source had none.
func (p *Payload) AddSample(s plant.Sample, alias uint64, historical bool) {
	p.Metrics = append(p.Metrics, Metric{
		Alias: alias, HasAlias: true, HasTime: true, Time: s.Time, Historical: historical,
		Quality: s.Quality, Value: DoubleValue(s.Value),
		Null: s.Value != s.Value && !s.Quality.IsGood()})
}

// AddState adds a text value.
func (p *Payload) AddState(s plant.State, alias uint64, historical bool) {
	p.AddText(s.Value, alias, s.Time, historical)
	p.Metrics[len(p.Metrics)-1].Quality = s.Quality
}

// AddText adds a text that is no state of a tag: findings, gaps, status.
func (p *Payload) AddText(text string, alias uint64, at int64, historical bool) {
	p.Metrics = append(p.Metrics, Metric{
		Alias: alias, HasAlias: true, HasTime: true, Time: at, Historical: historical,
		Value: TextValue(text)})
}
