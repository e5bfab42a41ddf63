package collector

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// structure is a structured data type as the server describes it
// (OPC 10000-3, 8.48).
type structure struct {
	name   string
	kind   ua.StructureType
	fields []member
	layout uint64 // changes with whatever changes the encoding or the names
	broken bool   // one of its fields is not known, so no value can be read
	why    error  // then
}

// member is a field of a structure.
type member struct {
	name     string
	kind     ua.TypeID  // built-in type of an element
	of       *structure // encoded in place of kind
	rank     int32      // dimensions, 0 or less: a single value
	optional bool       // has a bit in the encoding mask
	names    texts      // of the numbers of an enumeration
}

// structures are the structures of a server by the ids of their binary encodings, as
// the connection knows them: another server, or the same one after a restart, may
// use the ids for others.
type structures map[string]*structure

// rawBody keeps the bytes of a structure in the codec, which otherwise throws away
// what it has no Go type for. The codec looks types up by encoding id alone, for
// all servers at once, so this one type stands for every id and says nothing of the
// structure: that is for the types of the connection.
type rawBody struct {
	bytes []byte
}

// Decode takes all there is: the codec hands over the body and nothing more.
func (r *rawBody) Decode(b []byte) (int, error) {
	r.bytes = bytes.Clone(b)
	return len(b), nil
}

// keepRaw makes the codec keep the bytes of structures with an encoding id. Those
// of OPC UA itself have Go types there, and keep them.
func keepRaw(encoding *ua.NodeID) error {
	// The codec does not tell what it knows, but shows it.
	probe := ua.ExtensionObject{TypeID: &ua.ExpandedNodeID{NodeID: encoding}, EncodingMask: ua.ExtensionObjectBinary, Value: byte(0)}
	b, err := probe.Encode()
	if err != nil {
		return fmt.Errorf("encoding id %s: %w", encoding, err)
	}
	var seen ua.ExtensionObject
	if _, err := seen.Decode(b); err == nil && seen.Value == nil {
		ua.RegisterExtensionObject(encoding, new(rawBody)) // the same type twice is none too many
	}
	return nil
}

// rawBytes is the encoded body of a structure.
func rawBytes(x *ua.ExtensionObject) ([]byte, error) {
	switch v := x.Value.(type) {
	case nil:
		return nil, nil
	case *rawBody:
		return v.bytes, nil
	case *ua.XMLElement:
		return nil, fmt.Errorf("sends XML, allowed is OPC UA binary")
	}
	return ua.Encode(x.Value)
}

// branch is a part of the ways to the fields that tags want: what is wanted of one
// value and of what lies in it.
type branch struct {
	tags  []int // positions of the tags that want the value itself
	names map[string]*branch
	index map[int]*branch
}

func (b *branch) grow(way []plant.FieldStep, tag int) {
	for _, s := range way {
		var next *branch
		if s.Name != "" {
			if next = b.names[s.Name]; next == nil {
				if b.names == nil {
					b.names = map[string]*branch{}
				}
				next = new(branch)
				b.names[s.Name] = next
			}
		} else if next = b.index[s.Index]; next == nil {
			if b.index == nil {
				b.index = map[int]*branch{}
			}
			next = new(branch)
			b.index[s.Index] = next
		}
		b = next
	}
	b.tags = append(b.tags, tag)
}

// name and at give the branch below b, nil where nothing is wanted there.
func (b *branch) name(s string) *branch {
	if b == nil {
		return nil
	}
	return b.names[s]
}

func (b *branch) at(i int) *branch {
	if b == nil {
		return nil
	}
	return b.index[i]
}

// plan says which fields of the structure of one monitored item are whose.
type plan struct {
	tags []int // positions; the item bears the id of the first
	root branch
}

// carriers gives for each tag the position of the tag whose monitored item carries
// its values: its own, except for fields of the same structure, which the server
// then samples, queues and sends once. It depends on the list of tags alone, so a
// subscription of an earlier process is understood.
func carriers(tags []plant.Tag) []int {
	type item struct {
		node  string
		asked string
	}
	lead := make([]int, len(tags))
	first := map[item]int{}
	for i := range tags {
		t := &tags[i]
		lead[i] = i
		if t.Field == "" {
			continue
		}
		k := item{t.Node, fmt.Sprint(t.Sampling, t.Queue, t.Trigger, t.Discard)}
		if j, ok := first[k]; ok {
			lead[i] = j
		} else {
			first[k] = i
		}
	}
	return lead
}

// plans gives the plan of each tag whose item carries structures, nil for others.
// A way that cannot be read leads nowhere; the configuration has refused it.
func plans(tags []plant.Tag, lead []int) []*plan {
	list := make([]*plan, len(tags))
	for i, j := range lead {
		if tags[i].Field == "" {
			continue
		}
		if list[j] == nil {
			list[j] = new(plan)
		}
		p := list[j]
		p.tags = append(p.tags, i)
		if way, err := plant.ParseField(tags[i].Field); err == nil {
			p.root.grow(way, i)
		}
	}
	return list
}

// lacks says why a value of s cannot have what lies on the way, "" if it can.
func (s *structure) lacks(way []plant.FieldStep) string {
	for i, step := range way {
		if step.Name == "" {
			continue // how long a list is, its value shows
		}
		f := s.field(step.Name)
		if f == nil {
			names := make([]string, len(s.fields))
			for i := range s.fields {
				names[i] = s.fields[i].name
			}
			return fmt.Sprintf("structure %s has no field %s, it has %s", s.name, step.Name, strings.Join(names, ", "))
		}
		if f.of == nil || i == len(way)-1 {
			return ""
		}
		s = f.of
	}
	return ""
}

func (s *structure) field(name string) *member {
	for i := range s.fields {
		if s.fields[i].name == name {
			return &s.fields[i]
		}
	}
	return nil
}
