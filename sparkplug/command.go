package sparkplug

import (
	"errors"
	"fmt"
)

// Ack is a historian's word that it has records of one epoch on disk.
type Ack struct {
	Host  string
	Epoch uint64
	Spans []Span
}

// Command is what a node is asked by NCMD. Everything that is not one of the
// two is refused: nothing on this path can write to a PLC.
type Command struct {
	Rebirth bool
	Ack     *Ack
	Refused []string // names or aliases of the metrics that are neither
}

// SetAck makes p the NCMD with the acknowledgement. Commands have no seq
// (tck-id-payloads-ncmd-seq); the metrics are named, not aliased, so that a
// historian that has seen no birth can write them. a.Spans must fit one text.
func (p *Payload) SetAck(now int64, a Ack) {
	p.Reset()
	p.Time = now
	p.Metrics = append(p.Metrics,
		Metric{Name: MetricAckHost, Type: String, Value: TextValue(a.Host)},
		Metric{Name: MetricAckEpoch, Type: UInt64, Value: UInt64Value(a.Epoch)},
		Metric{Name: MetricAckRecords, Type: String, Value: TextValue(FormatSpans(a.Spans))})
}

// SetRebirth makes p the NCMD that asks a node for its births.
func (p *Payload) SetRebirth(now int64) {
	p.Reset()
	p.Time = now
	p.Metrics = append(p.Metrics, Metric{Name: MetricRebirth, Type: Boolean, Value: BoolValue(true)})
}

var errAck = errors.New("acknowledgement")

// Command reads an NCMD. A broken acknowledgement is an error and leaves
// nothing of itself behind; a rebirth request beside it still counts.
func (p *Payload) Command() (Command, error) {
	var c Command
	var a Ack
	var host, epoch, records *Metric
	for i := range p.Metrics {
		m := &p.Metrics[i]
		switch m.Name {
		case MetricRebirth:
			if m.Value.Form == Truth {
				c.Rebirth = c.Rebirth || m.Value.Bits == 1
				continue
			}
		case MetricAckHost:
			host = m
			continue
		case MetricAckEpoch:
			epoch = m
			continue
		case MetricAckRecords:
			records = m
			continue
		}
		name := m.Name
		if name == "" {
			name = fmt.Sprintf("alias %d", m.Alias)
		}
		c.Refused = append(c.Refused, name)
	}
	if host == nil && epoch == nil && records == nil {
		return c, nil
	}
	if host == nil || epoch == nil || records == nil ||
		host.Value.Form != Words || !epoch.Value.whole() || records.Value.Form != Words {
		return c, fmt.Errorf("%w: not complete", errAck)
	}
	a.Host, a.Epoch = host.Value.Text, epoch.Value.Bits
	if a.Epoch == 0 || a.Epoch > MaxNumber {
		return c, fmt.Errorf("%w: epoch %d", errAck, a.Epoch)
	}
	var err error
	if a.Spans, err = ParseSpans(records.Value.Text); err != nil {
		return c, fmt.Errorf("%w: %w", errAck, err)
	}
	c.Ack = &a
	return c, nil
}
