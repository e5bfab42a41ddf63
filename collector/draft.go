package collector

import (
	"context"
	"fmt"
	"strings"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// tags reads what is to know of the variables and drafts their tags.
func (b *browser) tags(ctx context.Context) ([]plant.Tag, error) {
	if err := b.properties(ctx); err != nil {
		return nil, err
	}
	ids := make([]*ua.NodeID, len(b.found))
	units, ranges := make([]*ua.NodeID, len(b.found)), make([]*ua.NodeID, len(b.found))
	for i, v := range b.found {
		ids[i], units[i], ranges[i] = v.id, v.units, v.ranges
	}
	values, err := b.readAll(ctx, ua.AttributeIDValue, ids)
	if err != nil {
		return nil, err
	}
	types, err := b.readAll(ctx, ua.AttributeIDDataType, ids)
	if err != nil {
		return nil, err
	}
	ranks, err := b.readAll(ctx, ua.AttributeIDValueRank, ids)
	if err != nil {
		return nil, err
	}
	texts, err := b.readAll(ctx, ua.AttributeIDDescription, ids)
	if err != nil {
		return nil, err
	}
	unit, err := b.readAll(ctx, ua.AttributeIDValue, units)
	if err != nil {
		return nil, err
	}
	span, err := b.readAll(ctx, ua.AttributeIDValue, ranges)
	if err != nil {
		return nil, err
	}
	var tags []plant.Tag
	used := map[string]int{}
	for i, v := range b.found {
		if rank, ok := good[int32](ranks[i]); ok && rank >= 0 {
			continue // an array
		}
		kind, ok := kindOf(values[i], types[i])
		if !ok {
			continue
		}
		t := plant.Tag{Path: v.path, Node: formatNode(v.id, b.srv.namespaces), Kind: kind}
		if used[t.Path]++; used[t.Path] > 1 {
			t.Path = fmt.Sprintf("%s#%d", t.Path, used[v.path])
		}
		if cut := strings.LastIndexByte(v.path, '/'); cut > 0 {
			t.Asset = v.path[:cut]
		}
		if d, ok := good[*ua.LocalizedText](texts[i]); ok && d != nil {
			t.Description = d.Text
		}
		if x, ok := good[*ua.ExtensionObject](unit[i]); ok && x != nil {
			if u, ok := x.Value.(*ua.EUInformation); ok && u.DisplayName != nil {
				t.Unit = u.DisplayName.Text
			}
		}
		if x, ok := good[*ua.ExtensionObject](span[i]); ok && x != nil {
			if r, ok := x.Value.(*ua.Range); ok && r.Low < r.High {
				t.Low, t.High = r.Low, r.High
			}
		}
		if t.Kind == plant.Discrete && (t.Unit != "" || t.Low != t.High) && !isBool(values[i]) {
			t.Kind = plant.Analog // a measurement scaled to an integer
		}
		tags = append(tags, t)
	}
	return tags, nil
}

// properties finds the nodes of EngineeringUnits and EURange.
func (b *browser) properties(ctx context.Context) error {
	nodes := make([]*ua.NodeID, len(b.found))
	for i := range nodes {
		nodes[i] = b.found[i].id
	}
	return b.eachProperty(ctx, nodes, func(i int, name string, property *ua.NodeID) {
		switch name {
		case "EngineeringUnits":
			b.found[i].units = property
		case "EURange":
			b.found[i].ranges = property
		}
	})
}

// readAll reads an attribute of many nodes; a nil id gives a nil result.
func (b *browser) readAll(ctx context.Context, attribute ua.AttributeID, ids []*ua.NodeID) ([]*ua.DataValue, error) {
	out := make([]*ua.DataValue, len(ids))
	var ask []*ua.NodeID
	var where []int
	flush := func() error {
		if len(ask) == 0 {
			return nil
		}
		v, err := b.read(ctx, requestTimeout, attribute, ask...)
		if err != nil {
			return fmt.Errorf("reading attributes: %w", err)
		}
		for i := range v {
			out[where[i]] = v[i]
		}
		ask, where = ask[:0], where[:0]
		return nil
	}
	for i, n := range ids {
		if n == nil {
			continue
		}
		ask, where = append(ask, n), append(where, i)
		if len(ask) == limit(b.srv.perRead, mostPerRead) {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	return out, flush()
}

// kindOf judges a variable by its data type, else by its present value.
func kindOf(value, dataType *ua.DataValue) (plant.Kind, bool) {
	if t, ok := good[*ua.NodeID](dataType); ok && t != nil && t.Namespace() == 0 {
		switch t.IntID() {
		case id.Boolean, id.SByte, id.Byte, id.Int16, id.UInt16, id.Int32, id.UInt32, id.Int64, id.UInt64, id.Integer, id.UInteger:
			return plant.Discrete, true
		case id.Float, id.Double, id.Number:
			return plant.Analog, true
		case id.String, id.LocalizedText:
			return plant.Text, true
		}
	}
	if value == nil || value.Value == nil || value.Value.Value() == nil {
		return "", false
	}
	switch value.Value.Value().(type) {
	case float32, float64:
		return plant.Analog, true
	case string, *ua.LocalizedText:
		return plant.Text, true
	}
	_, ok := number(value.Value)
	return plant.Discrete, ok
}

func isBool(v *ua.DataValue) bool {
	_, ok := good[bool](v)
	return ok
}

// limit is the server's limit, or ours where it has none or a larger one.
func limit(theirs uint32, ours int) int {
	if theirs == 0 || theirs > uint32(ours) {
		return ours
	}
	return int(theirs)
}
