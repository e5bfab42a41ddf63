package collector

import (
	"context"
	"fmt"
	"strings"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const mostText = 500 // bytes of a description

// asked are the reads of one variable, in the order of known.
const asked = 6

// known is what a server says of a variable, nil where it says nothing.
type known struct {
	typ, rank, text, access, units, span *ua.DataValue
}

// describeVariables reads what is to know of the variables and drafts their tags.
// What is read of a part is forgotten when its tags are drafted.
func (b *browser) describeVariables(ctx context.Context) error {
	d := &drafter{browser: b, used: map[string]int{}}
	b.draft.Tags = make([]plant.Tag, 0, len(b.found))
	b.draft.variables = make(map[string]bool, len(b.found))
	size := max(1, min(mostPerRead, b.limits.read.size())/asked)
	err := inOrder(ctx, manyParts, len(b.found), size, func(ctx context.Context, from, to int) ([]known, error) {
		return b.know(ctx, b.found[from:to])
	}, func(from, to int, all []known) error {
		for i, k := range all {
			if err := d.add(ctx, from+i, k); err != nil {
				return err
			}
		}
		b.described = to
		b.progress(false)
		return nil
	})
	if err != nil {
		return err
	}
	return d.byValue(ctx)
}

// know reads the attributes of some variables, and the values of their
// properties.
func (b *browser) know(ctx context.Context, some []variable) ([]known, error) {
	out := make([]known, len(some))
	var nodes []*ua.ReadValueID
	var into []**ua.DataValue
	ask := func(n *ua.NodeID, attribute ua.AttributeID, where **ua.DataValue) {
		if n != nil {
			nodes = append(nodes, &ua.ReadValueID{NodeID: n, AttributeID: attribute, DataEncoding: &ua.QualifiedName{}})
			into = append(into, where)
		}
	}
	for i := range some {
		v, k := &some[i], &out[i]
		ask(v.id, ua.AttributeIDDataType, &k.typ)
		ask(v.id, ua.AttributeIDValueRank, &k.rank)
		ask(v.id, ua.AttributeIDDescription, &k.text)
		ask(v.id, ua.AttributeIDUserAccessLevel, &k.access)
		ask(v.units, ua.AttributeIDValue, &k.units)
		ask(v.ranges, ua.AttributeIDValue, &k.span)
	}
	values, err := b.readMany(ctx, nodes)
	for i, v := range values {
		*into[i] = v
	}
	return out, err
}

// drafter makes tags of variables.
type drafter struct {
	*browser
	used    map[string]int // paths
	unknown []waiting      // whose type says nothing
}

// waiting is a variable whose value must say what it is.
type waiting struct {
	at   int
	tag  plant.Tag
	name string // of its type
}

// add drafts the tag of a variable, or notes why it is none.
func (d *drafter) add(ctx context.Context, at int, k known) error {
	v := &d.found[at]
	t := plant.Tag{Path: d.path(v.path), Node: formatNode(v.id, d.srv.namespaces)}
	d.draft.variables[t.Node] = true
	if cut := strings.LastIndexByte(v.path, '/'); cut > 0 {
		t.Asset = v.path[:cut]
	}
	if x, ok := good[*ua.LocalizedText](k.text); ok && x != nil {
		t.Description = line(x.Text, mostText)
	}
	if x, ok := good[*ua.ExtensionObject](k.units); ok && x != nil {
		if u, ok := x.Value.(*ua.EUInformation); ok && u.DisplayName != nil {
			t.Unit = line(u.DisplayName.Text, mostText)
		}
	}
	if x, ok := good[*ua.ExtensionObject](k.span); ok && x != nil {
		if r, ok := x.Value.(*ua.Range); ok && r.Low < r.High {
			t.Low, t.High = r.Low, r.High
		}
	}
	typeID, _ := good[*ua.NodeID](k.typ)
	typ, err := d.typeOf(ctx, typeID)
	if err != nil {
		return err
	}
	if access, ok := good[uint8](k.access); ok && ua.AccessLevelType(access)&ua.AccessLevelTypeCurrentRead == 0 {
		d.leave(t, typ.name, "this user may not read it")
		return nil
	}
	if rank, ok := good[int32](k.rank); ok && rank >= 0 {
		d.leave(t, typ.name, anArray(typ.base))
		return nil
	}
	if typ.base == 0 {
		d.unknown = append(d.unknown, waiting{at, t, typ.name})
		return nil
	}
	d.take(t, typ.base, typ.name)
	return nil
}

// byValue looks at the values of variables whose type says nothing. Only theirs
// are read: a value may be large.
func (d *drafter) byValue(ctx context.Context) error {
	const atOnce = 50
	return inOrder(ctx, manyParts, len(d.unknown), min(atOnce, d.limits.read.size()), func(ctx context.Context, from, to int) ([]*ua.DataValue, error) {
		var nodes []*ua.ReadValueID
		for _, w := range d.unknown[from:to] {
			nodes = append(nodes, &ua.ReadValueID{NodeID: d.found[w.at].id, AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}})
		}
		return d.readMany(ctx, nodes)
	}, func(from, _ int, values []*ua.DataValue) error {
		for i, v := range values {
			w := d.unknown[from+i]
			if v != nil && v.Value != nil && v.Value.ArrayLength() > 0 {
				d.leave(w.tag, w.name, anArray(baseOf(v)))
				continue
			}
			d.take(w.tag, baseOf(v), w.name)
		}
		return nil
	})
}

// take adds the tag of a scalar, where its type can be one.
func (d *drafter) take(t plant.Tag, base uint32, name string) {
	kind, why := judge(base)
	if why != "" {
		d.leave(t, name, why)
		return
	}
	t.Kind = kind
	if kind == plant.Discrete && base != id.Boolean && (t.Unit != "" || t.Low != t.High) {
		t.Kind = plant.Analog // a measurement scaled to an integer
	}
	d.draft.Tags = append(d.draft.Tags, t)
}

func (d *drafter) leave(t plant.Tag, typ, why string) {
	if typ != "" {
		why = fmt.Sprintf("%s (type %s)", why, line(typ, mostText))
	}
	d.draft.Left = append(d.draft.Left, LeftOut{Path: t.Path, Node: t.Node, Why: why})
}

// path is one that no other variable has.
func (d *drafter) path(path string) string {
	for {
		d.used[path]++
		n := d.used[path]
		if n == 1 {
			return path
		}
		path = fmt.Sprintf("%s_%d", path, n)
	}
}
