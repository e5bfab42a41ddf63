package collector

import (
	"context"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	learnSoon  = 10 * time.Second // between two questions about structures that came undescribed
	learnLater = time.Minute      // a type that changes in place, as with a download, is noticed by then
	mostOdd    = 50
)

// oddities are what came of structures and could not be read: reason to ask the
// server for its types again.
type oddities struct {
	encodings []*ua.NodeID // that no described type had when they came first
	fresh     bool         // one of them has not been asked for
	layout    bool         // bytes that are not as described
}

func (o *oddities) add(id *ua.NodeID) {
	for _, x := range o.encodings {
		if x.String() == id.String() {
			return
		}
	}
	if len(o.encodings) < mostOdd {
		o.encodings, o.fresh = append(o.encodings, id), true
	}
}

// unpacker is what a translator needs for structures.
type unpacker struct {
	plans  []*plan    // by position, of the tags whose items carry structures
	types  structures // of the present connection
	fields []found    // of the structure being read
	filled []uint64   // in which structure the tag had its field last
	opened uint64     // number of the structure
	odd    oddities
}

func newUnpacker(tags []plant.Tag) unpacker {
	return unpacker{plans: plans(tags, carriers(tags)), filled: make([]uint64, len(tags))}
}

// structure gives the fields of a structured value to their tags.
func (t *translator) structure(p *plan, v *ua.DataValue, arrived int64) {
	if v.Value == nil || v.Value.Value() == nil {
		for _, i := range p.tags {
			t.take(i, v, arrived)
		}
		return
	}
	if uint32(v.Status)&structureChanged != 0 {
		t.odd.layout = true
	}
	t.fields = t.fields[:0]
	why := ""
	switch x := v.Value.Value().(type) {
	case *ua.ExtensionObject:
		why = t.unpack(x, &p.root)
	case []*ua.ExtensionObject:
		for i, one := range x {
			if below := p.root.at(i); below != nil && why == "" {
				why = t.unpack(one, below)
			}
		}
	default:
		why = fmt.Sprintf("sends %s, the tag is a field of a structure", variantName(v.Value))
	}
	t.opened++
	for k := range t.fields {
		f := &t.fields[k]
		value, err := ua.NewVariant(f.value)
		if err != nil || t.filled[f.tag] == t.opened {
			continue
		}
		t.filled[f.tag] = t.opened
		t.names[f.tag] = f.names
		one := *v
		if one.Value = value; one.Status == ua.StatusOK {
			one.Status = f.status
		}
		t.take(f.tag, &one, arrived)
	}
	for _, i := range p.tags {
		if t.filled[i] == t.opened {
			continue
		}
		t.heard[i] = arrived
		what := ""
		if _, known := t.wrong[i]; !known {
			what = t.lacking(i, v, why)
		}
		t.unfit(i, what)
	}
}

// unpack reads one structure. The text says why nothing of it counts.
func (t *translator) unpack(x *ua.ExtensionObject, want *branch) string {
	if x == nil || x.TypeID == nil || x.TypeID.NodeID == nil || x.EncodingMask == ua.ExtensionObjectEmpty {
		return "sends an empty structure"
	}
	id := x.TypeID.NodeID
	s := t.types[id.String()]
	if s == nil {
		t.odd.add(id)
		return fmt.Sprintf("sends a structure of a type that the server has not described (encoding %s)", id)
	}
	body, err := rawBytes(x)
	if err == nil {
		n := len(t.fields)
		if t.fields, err = t.types.read(t.fields, s, body, want); err != nil {
			t.fields = t.fields[:n]
			t.odd.layout = true
		}
	}
	if err != nil {
		return "structure " + err.Error()
	}
	return ""
}

// lacking says why a value has no field for tag i.
func (t *translator) lacking(i int, v *ua.DataValue, why string) string {
	if why != "" {
		return why
	}
	if x, ok := v.Value.Value().(*ua.ExtensionObject); ok {
		if way, err := plant.ParseField(t.tags[i].Field); err == nil {
			if s := t.types[x.TypeID.NodeID.String()]; s != nil {
				if why := s.lacks(way); why != "" {
					return why
				}
			}
		}
	}
	return fmt.Sprintf("sends a structure without %s, or with something there that is no single value", t.tags[i].Field)
}

// carrying lists the tags whose items carry structures.
func (e *engine) carrying() []int {
	var list []int
	for i, p := range e.tr.plans {
		if p != nil && e.items.list[i].fault == nil {
			list = append(list, i)
		}
	}
	return list
}

// nodesOf resolves the nodes of tags, as far as the server has their namespaces.
func (e *engine) nodesOf(which []int, srv peer) (nodes []*ua.NodeID, of []int) {
	for _, i := range which {
		if n, err := e.items.list[i].node.resolve(srv.namespaces); err == nil {
			nodes, of = append(nodes, n), append(of, i)
		}
	}
	return nodes, of
}

// learnTypes asks the server for its structures before any value is read: what is
// known of an earlier connection may be of another program in the PLC.
func (e *engine) learnTypes(ctx context.Context, l *link, srv peer) error {
	nodes, of := e.nodesOf(e.carrying(), srv)
	e.tr.types, e.tr.odd, e.asked = nil, oddities{}, time.Now().Add(-learnSoon)
	if len(nodes) == 0 {
		return nil
	}
	got, err := learn(ctx, l, srv, nodes, nil)
	switch {
	case refusedService(err):
		e.log.Warn("the server does not describe its structures", "err", err)
		for k := range of {
			got.faults[k] = err
		}
	case err != nil:
		return err
	}
	e.knowTypes(got, of)
	return nil
}

// knowTypes takes over what was learned.
func (e *engine) knowTypes(got learned, of []int) {
	for id, s := range got.types {
		if was := e.tr.types[id]; was != nil && was.layout != s.layout {
			e.log.Warn("the PLC's program has changed a structure: its values are read by the new definition from now on", "structure", s.name)
		}
	}
	e.tr.types = got.types
	for k, i := range of {
		e.items.list[i].odd = got.faults[k]
	}
}

// relearn asks again when something came that is not described, and now and then.
func (p *pump) relearn(ctx context.Context, now time.Time) {
	since := now.Sub(p.asked)
	odd := p.tr.odd.fresh || p.tr.odd.layout
	if p.learning || !(odd && since >= learnSoon || since >= learnLater) {
		return
	}
	nodes, of := p.nodesOf(p.carrying(), p.peer)
	if p.asked = now; len(nodes) == 0 {
		return
	}
	p.learning, p.tr.odd.fresh, p.tr.odd.layout = true, false, false
	srv, encodings := p.peer, append([]*ua.NodeID(nil), p.tr.odd.encodings...)
	p.do(ctx, func() answer {
		got, err := learn(ctx, p.link, srv, nodes, encodings)
		return answer{kind: gotTypes, learned: got, asked: of, err: err}
	})
}

func (p *pump) relearned(a answer) error {
	p.learning = false
	if a.err != nil {
		if refusedService(a.err) {
			return nil // what is known still counts; the lengths are checked
		}
		return a.err
	}
	p.knowTypes(a.learned, a.asked)
	return nil
}
