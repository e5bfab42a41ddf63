package conform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"google.golang.org/protobuf/encoding/protowire"
)

// message is a PUBLISH, read from its bytes by nothing of the product's own.
type message struct {
	at     int // position in the log
	when   time.Time
	up     bool
	topic  string
	level  []string
	kind   string // "NBIRTH" ... "STATE"; empty: none of Sparkplug
	qos    byte
	retain bool
	raw    []byte

	payload payload
	state   state
	err     error // what is wrong with the body
}

func (m message) String() string { return fmt.Sprintf("%s (packet %d)", m.topic, m.at) }

func readMessage(p *packets.PublishPacket, at int, up bool, when time.Time) message {
	m := message{at: at, when: when, up: up, topic: p.TopicName, level: strings.Split(p.TopicName, "/"), qos: p.Qos, retain: p.Retain, raw: p.Payload}
	switch {
	case m.level[0] != "spBv1.0" || len(m.level) < 3:
	case m.level[1] == "STATE":
		m.kind = "STATE"
		m.state, m.err = readState(m.raw)
	default:
		m.kind = m.level[2]
		m.payload, m.err = readPayload(m.raw)
	}
	return m
}

// data reports whether the message carries values that may change.
func (m message) data() bool { return m.kind == "NDATA" || m.kind == "DDATA" }

// birth reports whether it is a birth of the node or of a device.
func (m message) birth() bool { return m.kind == "NBIRTH" || m.kind == "DBIRTH" }

// device is the device of the topic, "" for the node itself.
func (m message) device() string {
	if len(m.level) < 5 {
		return ""
	}
	return m.level[4]
}

// state is the body of a STATE message.
type state struct {
	online bool
	time   int64
}

func readState(b []byte) (s state, err error) {
	if !utf8.Valid(b) {
		return s, errors.New("STATE is not UTF-8")
	}
	var x map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&x); err != nil {
		return s, fmt.Errorf("STATE: %w", err)
	}
	online, ok1 := x["online"].(bool)
	number, ok2 := x["timestamp"].(json.Number)
	if !ok1 || !ok2 || len(x) != 2 {
		return s, fmt.Errorf("STATE: %s", b)
	}
	s.online = online
	s.time, err = number.Int64()
	return s, err
}

// The messages of the payload schema, with the field numbers of
// specification 6.4. Presence matters, so that fields are pointers.
type payload struct {
	time, seq *uint64
	metrics   []metric
}

type metric struct {
	name                        *string
	alias, time, datatype       *uint64
	historical, transient, null bool
	properties                  *properties
	value                       protowire.Number // field of the value, 0: none
	number                      uint64           // value of a number
	bytes                       []byte           // value of what has a length
}

type properties struct {
	keys   []string
	values []property
}

type property struct {
	datatype *uint64
	null     bool
	value    protowire.Number
	number   uint64
}

// field is one protobuf field.
type field struct {
	number protowire.Number
	wire   protowire.Type
	num    uint64
	bytes  []byte
}

func readFields(b []byte) (list []field, err error) {
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		b = b[n:]
		f := field{number: number, wire: wire}
		switch wire {
		case protowire.VarintType:
			f.num, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			f.num = uint64(v)
		case protowire.Fixed64Type:
			f.num, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default:
			return nil, fmt.Errorf("field %d has wire type %d", number, wire)
		}
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		b = b[n:]
		list = append(list, f)
	}
	return list, nil
}

// as checks the wire type.
func (f field) as(wire protowire.Type) error {
	if f.wire != wire {
		return fmt.Errorf("field %d has wire type %d, not %d", f.number, f.wire, wire)
	}
	return nil
}

// small checks that the field is a uint32.
func (f field) small() error {
	if f.num > math.MaxUint32 {
		return fmt.Errorf("field %d is %d, no uint32", f.number, f.num)
	}
	return f.as(protowire.VarintType)
}

func (f field) text() (*string, error) {
	if !utf8.Valid(f.bytes) {
		return nil, fmt.Errorf("field %d is not UTF-8", f.number)
	}
	s := string(f.bytes)
	return &s, f.as(protowire.BytesType)
}

func readPayload(b []byte) (p payload, err error) {
	list, err := readFields(b)
	if err != nil {
		return p, err
	}
	for _, f := range list {
		switch f.number {
		case 1:
			p.time, err = &f.num, f.as(protowire.VarintType)
		case 2:
			if err = f.as(protowire.BytesType); err == nil {
				var m metric
				m, err = readMetric(f.bytes)
				p.metrics = append(p.metrics, m)
			}
		case 3:
			p.seq, err = &f.num, f.as(protowire.VarintType)
		case 4, 5: // uuid, body
			err = f.as(protowire.BytesType)
		default:
			err = fmt.Errorf("payload: field %d", f.number)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// The wire type of each value field.
func wireOfMetricValue(n protowire.Number) protowire.Type {
	switch n {
	case 10, 11, 14:
		return protowire.VarintType
	case 12:
		return protowire.Fixed32Type
	case 13:
		return protowire.Fixed64Type
	}
	return protowire.BytesType
}

func readMetric(b []byte) (m metric, err error) {
	list, err := readFields(b)
	if err != nil {
		return m, err
	}
	for _, f := range list {
		switch f.number {
		case 1:
			m.name, err = f.text()
		case 2:
			m.alias, err = &f.num, f.as(protowire.VarintType)
		case 3:
			m.time, err = &f.num, f.as(protowire.VarintType)
		case 4:
			m.datatype, err = &f.num, f.small()
		case 5:
			m.historical, err = f.num != 0, f.as(protowire.VarintType)
		case 6:
			m.transient, err = f.num != 0, f.as(protowire.VarintType)
		case 7:
			m.null, err = f.num != 0, f.as(protowire.VarintType)
		case 8: // metadata
			err = f.as(protowire.BytesType)
		case 9:
			m.properties, err = readProperties(f.bytes)
		case 10, 11, 12, 13, 14, 15, 16, 17, 18:
			if m.value != 0 {
				err = fmt.Errorf("metric: two values, fields %d and %d", m.value, f.number)
			} else {
				err = f.as(wireOfMetricValue(f.number))
			}
			m.value, m.number, m.bytes = f.number, f.num, f.bytes
		default:
			err = fmt.Errorf("metric: field %d", f.number)
		}
		if err != nil {
			return m, err
		}
	}
	return m, nil
}

func readProperties(b []byte) (*properties, error) {
	p := &properties{}
	list, err := readFields(b)
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		switch f.number {
		case 1:
			key, err := f.text()
			if err != nil {
				return nil, err
			}
			p.keys = append(p.keys, *key)
		case 2:
			if err := f.as(protowire.BytesType); err != nil {
				return nil, err
			}
			v, err := readProperty(f.bytes)
			if err != nil {
				return nil, err
			}
			p.values = append(p.values, v)
		default:
			return nil, fmt.Errorf("property set: field %d", f.number)
		}
	}
	return p, nil
}

func readProperty(b []byte) (p property, err error) {
	list, err := readFields(b)
	if err != nil {
		return p, err
	}
	for _, f := range list {
		switch f.number {
		case 1:
			p.datatype, err = &f.num, f.small()
		case 2:
			p.null, err = f.num != 0, f.as(protowire.VarintType)
		case 3, 4, 5, 6, 7, 8, 9, 10:
			p.value, p.number = f.number, f.num
		default:
			err = fmt.Errorf("property: field %d", f.number)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// find is the metric of that name.
func (p payload) find(name string) *metric {
	for i := range p.metrics {
		if m := &p.metrics[i]; m.name != nil && *m.name == name {
			return m
		}
	}
	return nil
}

// bdSeq is the connection number of a birth or death: an Int64.
func (p payload) bdSeq() (uint64, error) {
	m := p.find("bdSeq")
	if m == nil {
		return 0, errors.New("no bdSeq")
	}
	if m.datatype == nil || *m.datatype != 4 || m.value != 11 || m.null || m.number > 255 {
		return 0, fmt.Errorf("bdSeq is %+v", *m)
	}
	return m.number, nil
}
