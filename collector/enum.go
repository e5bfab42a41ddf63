package collector

import (
	"context"
	"errors"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// texts are the names of a variable's numbers, as an enumeration or a discrete
// item of OPC 10000-8 (5.3.3) gives them.
type texts map[int64]string

const mostTexts = 10_000

// detail is what the server says of a variable that its values do not.
type detail struct {
	names texts   // nil: its numbers have none
	span  float64 // of its EURange, 0 unknown
}

// curious reports whether the detail of a tag's variable is needed. That of a
// field of it would be another.
func curious(t *plant.Tag) bool {
	return (t.Kind == plant.Text || t.DeadbandPercent) && t.Field == ""
}

// curious gives what resolves the nodes of those of which whose detail is
// needed. It may be called aside.
func (x *items) curious(which []int) func(namespaces []string) (asked []int, ids []*ua.NodeID) {
	nodes := map[int]node{}
	for _, i := range which {
		if curious(&x.tags[i]) && x.list[i].fault == nil {
			nodes[i] = x.list[i].node
		}
	}
	return func(namespaces []string) (asked []int, ids []*ua.NodeID) {
		for i, n := range nodes {
			if id, err := n.resolve(namespaces); err == nil {
				asked, ids = append(asked, i), append(ids, id)
			}
		}
		return asked, ids
	}
}

// details reads the details of variables, an empty one where the server has none.
func (l *link) details(ctx context.Context, srv peer, nodes []*ua.NodeID) ([]detail, error) {
	if len(nodes) == 0 {
		return nil, nil
	}
	x := explore(l)
	types, err := x.readAll(ctx, ua.AttributeIDDataType, nodes)
	if err != nil {
		return nil, err
	}
	asked := make([]*ua.NodeID, len(nodes))
	var kinds []*ua.NodeID // data types that may be enumerations
	at := map[string]int{} // position in kinds
	for i, n := range nodes {
		t, ok := good[*ua.NodeID](types[i])
		if ok = ok && t != nil; ok && isText(t) {
			continue
		}
		asked[i] = n
		if ok && !isBasic(t) {
			if _, known := at[t.String()]; !known {
				at[t.String()] = len(kinds)
				kinds = append(kinds, t)
			}
		}
	}
	out, err := x.told(ctx, asked)
	if err != nil {
		return nil, err
	}
	ofTypes, err := x.told(ctx, kinds)
	if err != nil {
		return nil, err
	}
	definitions, err := x.readAll(ctx, ua.AttributeIDDataTypeDefinition, kinds)
	if err != nil {
		return nil, err
	}
	for i := range out {
		// What the variable does not say itself its data type may.
		t, ok := good[*ua.NodeID](types[i])
		if !ok || t == nil || out[i].names != nil {
			continue
		}
		if k, ok := at[t.String()]; ok {
			if out[i].names = ofTypes[k].names; out[i].names == nil {
				out[i].names = textsOf(definitions[k])
			}
		}
	}
	return out, nil
}

// isText reports whether a data type is one of texts, whose values speak for
// themselves.
func isText(t *ua.NodeID) bool {
	return t.Namespace() == 0 && (t.IntID() == id.String || t.IntID() == id.LocalizedText)
}

// isBasic reports whether a data type is built in: an enumeration is not.
func isBasic(t *ua.NodeID) bool { return t.Namespace() == 0 && t.IntID() <= id.DiagnosticInfo }

// told reads what nodes say in their properties.
func (x *explorer) told(ctx context.Context, nodes []*ua.NodeID) ([]detail, error) {
	const ranges, values, strings, off, on, kinds = 0, 1, 2, 3, 4, 5
	var ids [kinds][]*ua.NodeID
	for k := range ids {
		ids[k] = make([]*ua.NodeID, len(nodes))
	}
	names := map[string]int{"EURange": ranges, "EnumValues": values, "EnumStrings": strings, "FalseState": off, "TrueState": on}
	err := x.eachProperty(ctx, nodes, func(i int, name string, property *ua.NodeID) {
		if k, ok := names[name]; ok {
			ids[k][i] = property
		}
	})
	if err != nil {
		return nil, err
	}
	var v [kinds][]*ua.DataValue
	for k := range ids {
		if v[k], err = x.readAll(ctx, ua.AttributeIDValue, ids[k]); err != nil {
			return nil, err
		}
	}
	out := make([]detail, len(nodes))
	for i := range out {
		d := &out[i]
		if o, ok := good[*ua.ExtensionObject](v[ranges][i]); ok && o != nil {
			if r, ok := o.Value.(*ua.Range); ok && r != nil {
				d.span = spanOf(r)
			}
		}
		if d.names = textsOf(v[values][i]); d.names == nil {
			d.names = textsOf(v[strings][i])
		}
		no, ok := good[*ua.LocalizedText](v[off][i])
		yes, too := good[*ua.LocalizedText](v[on][i])
		if d.names == nil && ok && too && no != nil && yes != nil {
			d.names = texts{0: no.Text, 1: yes.Text}
		}
	}
	return out, nil
}

// mostSpan is beyond what any plant measures. Servers that are told no range offer
// all that the type of the variable holds.
const mostSpan = 1e30

// spanOf is the extent of an EURange, 0 where it says nothing: a percentage of it
// would hold every value back.
func spanOf(r *ua.Range) float64 {
	if span := r.High - r.Low; span > 0 && span < mostSpan {
		return span
	}
	return 0
}

// textsOf reads EnumStrings, EnumValues (OPC 10000-3, 5.5.2 and 8.40) or the
// definition of an enumeration (8.50). Nil: it is none of them.
func textsOf(v *ua.DataValue) texts {
	if v == nil || v.Status != ua.StatusOK || v.Value == nil {
		return nil
	}
	t := texts{}
	switch x := v.Value.Value().(type) {
	case []*ua.LocalizedText:
		for i, s := range x {
			if s != nil {
				t.add(int64(i), s, "")
			}
		}
	case []*ua.ExtensionObject:
		for _, o := range x {
			if o == nil {
				continue
			}
			if e, ok := o.Value.(*ua.EnumValueType); ok && e != nil {
				t.add(e.Value, e.DisplayName, "")
			}
		}
	case *ua.ExtensionObject:
		if x != nil {
			return definedTexts(x.Value)
		}
	}
	return t.orNil()
}

// definedTexts reads the definition of a data type, if it is an enumeration.
func definedTexts(definition any) texts {
	t := texts{}
	if d, ok := definition.(*ua.EnumDefinition); ok && d != nil {
		for _, f := range d.Fields {
			if f != nil {
				t.add(f.Value, f.DisplayName, f.Name)
			}
		}
	}
	return t.orNil()
}

func (t texts) orNil() texts {
	if len(t) == 0 {
		return nil
	}
	return t
}

// add gives a number its name, the second where the first is empty.
func (t texts) add(n int64, s *ua.LocalizedText, name string) {
	if s != nil && s.Text != "" {
		name = s.Text
	}
	if name != "" && len(t) < mostTexts {
		t[n] = name
	}
}

// name is the text of a number of v, if it has one.
func (t texts) name(v *ua.Variant) (string, bool) {
	if t == nil {
		return "", false
	}
	f, ok := number(v)
	if !ok || f != float64(int64(f)) {
		return "", false
	}
	s, ok := t[int64(f)]
	return s, ok
}

// learn reads what is to know of the tags' variables, once for each run of the
// server. A server that does not tell leaves numbers as they are.
func (e *engine) learn(ctx context.Context, l *link, srv peer) error {
	if e.learned && e.learnedOf == srv.started {
		return nil
	}
	all := make([]int, len(e.items.list))
	for i := range all {
		all[i] = i
	}
	asked, nodes := e.items.curious(all)(srv.namespaces)
	d, err := l.details(ctx, srv, nodes)
	timeout := errors.Is(err, ua.StatusBadTimeout)
	switch {
	case err == nil:
	case refusedService(err) && !sessionGone(err), timeout:
		e.log.Warn("the server does not tell the names of states and the ranges of values", "err", err)
	default:
		return err
	}
	e.learned, e.learnedOf = !timeout, srv.started
	e.know(asked, d)
	return nil
}

// know takes the details of the tags asked.
func (e *engine) know(asked []int, d []detail) {
	for k := range d {
		i := asked[k]
		e.tr.names[i], e.items.list[i].span = d[k].names, d[k].span
		if b := e.tr.bands[i]; b != nil {
			b.width = bandWidth(&e.items.tags[i], d[k].span)
		}
	}
}
