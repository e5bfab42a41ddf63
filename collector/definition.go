package collector

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

const (
	mostTypes    = 2000 // data types that are looked at for one server
	mostFields   = 5000 // of a structure
	mostSupers   = 30
	firstBuiltIn = 1
	lastBuiltIn  = 25
)

// dictionary reads the data types of a server: the DataTypeDefinition of each, what
// it is derived from and how its values are encoded, a level of types after the
// other. Type dictionaries of servers before OPC UA 1.04 are not read.
type dictionary struct {
	*link
	srv   peer
	nodes map[string]*dataType
	built map[string]*structure
	types structures
}

// dataType is what the server says of one.
type dataType struct {
	id         *ua.NodeID
	name       string
	definition any // *ua.StructureDefinition, *ua.EnumDefinition or nil
	super      *ua.NodeID
	encodings  []*ua.NodeID
}

// learned is what came of asking a server for the structures of some variables.
type learned struct {
	types  structures
	faults []error // by variable: nil where its structure is known or shows only with a value
}

// learn reads the types of the values of variables, and those whose values were
// seen with an encoding id. The error is one of the connection.
func learn(ctx context.Context, l *link, srv peer, variables, encodings []*ua.NodeID) (learned, error) {
	d := &dictionary{link: l, srv: srv, nodes: map[string]*dataType{}, built: map[string]*structure{}, types: structures{}}
	out := learned{types: d.types, faults: make([]error, len(variables))}
	values, err := d.read(ctx, requestTimeout, ua.AttributeIDDataType, variables...)
	if err != nil {
		return out, err
	}
	var level []*ua.NodeID
	of := make([]*ua.NodeID, len(variables))
	for i, v := range values {
		n, ok := good[*ua.NodeID](v)
		if !ok {
			out.faults[i] = fmt.Errorf("its data type cannot be read: %s", valueStatus(v))
			continue
		}
		of[i] = n
		level = append(level, n)
	}
	owners, err := d.owners(ctx, encodings)
	if err != nil {
		return out, err
	}
	if err := d.collect(ctx, append(level, owners...)); err != nil {
		return out, err
	}
	for i, n := range of {
		if n == nil || isBuiltIn(n) {
			continue // a value shows what it is
		}
		if _, err := d.build(n); err != nil {
			out.faults[i] = err
		}
	}
	for _, n := range owners {
		_, _ = d.build(n) // what it lacks, its values will show
	}
	return out, nil
}

func valueStatus(v *ua.DataValue) string {
	if v == nil || v.Status == ua.StatusOK {
		return "no value"
	}
	return statusText(v.Status)
}

// isBuiltIn reports whether n is a built-in type or one of the abstract ones above
// them (OPC 10000-6, 5.1.2).
func isBuiltIn(n *ua.NodeID) bool {
	_, ok := builtIn(n)
	return ok
}

// builtIn gives how a value of a type of OPC UA itself is encoded.
func builtIn(n *ua.NodeID) (ua.TypeID, bool) {
	if n.Namespace() != 0 || n.Type() > ua.NodeIDTypeNumeric {
		return 0, false
	}
	switch i := n.IntID(); {
	case i >= firstBuiltIn && i <= lastBuiltIn:
		return ua.TypeID(i), true
	case i == id.Number, i == id.Integer, i == id.UInteger:
		return ua.TypeIDVariant, true
	case i == id.Enumeration:
		return ua.TypeIDInt32, true
	}
	return 0, false
}

// owners gives the data types of encodings.
func (d *dictionary) owners(ctx context.Context, encodings []*ua.NodeID) ([]*ua.NodeID, error) {
	var ask []*ua.BrowseDescription
	for _, n := range encodings {
		ask = append(ask, &ua.BrowseDescription{NodeID: n, BrowseDirection: ua.BrowseDirectionInverse,
			ReferenceTypeID: ua.NewNumericNodeID(0, id.HasEncoding), ResultMask: uint32(ua.BrowseResultMaskNone)})
	}
	refs, err := d.references(ctx, ask)
	if err != nil {
		return nil, err
	}
	var list []*ua.NodeID
	for _, r := range refs {
		list = append(list, targets(r)...)
	}
	return list, nil
}

// collect reads the types of a level and of those that they consist of.
func (d *dictionary) collect(ctx context.Context, level []*ua.NodeID) error {
	for {
		level = d.unknown(level)
		if len(level) == 0 {
			return nil
		}
		if len(d.nodes)+len(level) > mostTypes {
			return nil // what is missing is a fault of the types that need it
		}
		next, err := d.readLevel(ctx, level)
		if err != nil {
			return err
		}
		level = next
	}
}

// unknown keeps each type once that is still to be read.
func (d *dictionary) unknown(level []*ua.NodeID) []*ua.NodeID {
	seen := map[string]bool{}
	var list []*ua.NodeID
	for _, n := range level {
		key := n.String()
		if seen[key] || d.nodes[key] != nil || isBuiltIn(n) || isNull(n) {
			continue
		}
		seen[key] = true
		list = append(list, n)
	}
	return list
}

func isNull(n *ua.NodeID) bool {
	return n == nil || n.Namespace() == 0 && n.Type() <= ua.NodeIDTypeNumeric && n.IntID() == 0
}

func (d *dictionary) readLevel(ctx context.Context, level []*ua.NodeID) ([]*ua.NodeID, error) {
	var wanted []*ua.ReadValueID
	for _, n := range level {
		for _, a := range []ua.AttributeID{ua.AttributeIDDataTypeDefinition, ua.AttributeIDBrowseName} {
			wanted = append(wanted, &ua.ReadValueID{NodeID: n, AttributeID: a, DataEncoding: &ua.QualifiedName{}})
		}
	}
	values, err := d.readNodes(ctx, requestTimeout, wanted)
	if err != nil {
		return nil, err
	}
	var ask []*ua.BrowseDescription
	for _, n := range level {
		ask = append(ask,
			&ua.BrowseDescription{NodeID: n, BrowseDirection: ua.BrowseDirectionInverse, ReferenceTypeID: ua.NewNumericNodeID(0, id.HasSubtype), ResultMask: uint32(ua.BrowseResultMaskNone)},
			&ua.BrowseDescription{NodeID: n, BrowseDirection: ua.BrowseDirectionForward, ReferenceTypeID: ua.NewNumericNodeID(0, id.HasEncoding), ResultMask: uint32(ua.BrowseResultMaskBrowseName)})
	}
	refs, err := d.references(ctx, ask)
	if err != nil {
		return nil, err
	}
	var next []*ua.NodeID
	for i, n := range level {
		t := &dataType{id: n, name: n.String()}
		d.nodes[n.String()] = t
		if q, ok := good[*ua.QualifiedName](values[2*i+1]); ok && q.Name != "" {
			t.name = q.Name
		}
		if up := targets(refs[2*i]); len(up) > 0 {
			t.super = up[0]
			next = append(next, up[0])
		}
		t.encodings = targets(slices.DeleteFunc(refs[2*i+1], func(r *ua.ReferenceDescription) bool {
			return r == nil || r.BrowseName == nil || r.BrowseName.Name != "Default Binary"
		}))
		if x, ok := good[*ua.ExtensionObject](values[2*i]); ok && x != nil {
			t.definition = x.Value
		}
		if s, ok := t.definition.(*ua.StructureDefinition); ok {
			if !isNull(s.DefaultEncodingID) {
				t.encodings = append(t.encodings, s.DefaultEncodingID)
			}
			for _, f := range s.Fields {
				if f != nil && f.DataType != nil {
					next = append(next, f.DataType)
				}
			}
		}
	}
	return next, nil
}

// targets are the nodes that references of this server lead to.
func targets(refs []*ua.ReferenceDescription) []*ua.NodeID {
	var list []*ua.NodeID
	for _, r := range refs {
		if r != nil && r.NodeID != nil && r.NodeID.NodeID != nil && !r.NodeID.HasServerIndex() {
			list = append(list, ua.NewNodeIDFromExpandedNodeID(r.NodeID))
		}
	}
	return list
}

// build makes the structure of a data type from what was read, and lets the codec
// keep the bytes of its values.
func (d *dictionary) build(n *ua.NodeID) (*structure, error) {
	key := n.String()
	if s := d.built[key]; s != nil {
		if s.broken {
			return nil, s.why
		}
		return s, nil
	}
	t := d.nodes[key]
	if t == nil {
		return nil, fmt.Errorf("the server has more data types than are looked at (%d)", mostTypes)
	}
	def, ok := t.definition.(*ua.StructureDefinition)
	if !ok {
		return nil, d.undescribed(t)
	}
	if len(def.Fields) > mostFields {
		return nil, fmt.Errorf("structure %s has %d fields, allowed are %d", t.name, len(def.Fields), mostFields)
	}
	s := &structure{name: t.name, kind: def.StructureType}
	d.built[key] = s // before its fields, which may hold it
	layout := fnv.New64a()
	fmt.Fprintf(layout, "%d", s.kind)
	for _, f := range def.Fields {
		m, err := d.member(def, f)
		if err != nil {
			// It stays: types that need it in many places are not tried once for each.
			s.broken, s.why = true, fmt.Errorf("structure %s: %w", t.name, err)
			return nil, s.why
		}
		s.fields = append(s.fields, m)
		fmt.Fprintf(layout, "|%q %s %d %d %t", m.name, f.DataType, m.kind, m.rank, m.optional)
		if m.of != nil {
			fmt.Fprintf(layout, " %x", m.of.layout)
		}
	}
	s.layout = layout.Sum64()
	for _, e := range t.encodings {
		if err := keepRaw(e); err != nil {
			return nil, err
		}
		d.types[e.String()] = s
	}
	return s, nil
}

// undescribed says why the fields of a type cannot be read.
func (d *dictionary) undescribed(t *dataType) error {
	if kind, ok := d.simple(t.id); ok && kind != ua.TypeIDExtensionObject {
		return fmt.Errorf("its data type %s is no structure: leave the column field empty", t.name)
	}
	return fmt.Errorf("the server does not describe its structure %s (it has no DataTypeDefinition, which OPC UA 1.04 brought): "+
		"let the PLC offer the fields as variables of their own", t.name)
}

// simple follows the supertypes of n to the built-in type that it is encoded as.
func (d *dictionary) simple(n *ua.NodeID) (ua.TypeID, bool) {
	for range mostSupers {
		if isNull(n) {
			return 0, false
		}
		if kind, ok := builtIn(n); ok {
			return kind, true
		}
		t := d.nodes[n.String()]
		if t == nil {
			return 0, false
		}
		n = t.super
	}
	return 0, false
}

func (d *dictionary) member(def *ua.StructureDefinition, f *ua.StructureField) (member, error) {
	if f == nil || isNull(f.DataType) {
		return member{}, errors.New("a field has no data type")
	}
	m := member{name: f.Name, rank: f.ValueRank, optional: f.IsOptional && def.StructureType == ua.StructureTypeStructureWithOptionalFields}
	kind, ok := d.simple(f.DataType)
	if !ok {
		return m, fmt.Errorf("the server does not say what field %s is (data type %s)", f.Name, f.DataType)
	}
	m.kind = kind
	if t := d.nodes[f.DataType.String()]; t != nil {
		m.names = definedTexts(t.definition)
	}
	subtypes := f.IsOptional && (def.StructureType == ua.StructureTypeStructureWithSubtypedValues || def.StructureType == ua.StructureTypeUnionWithSubtypedValues)
	switch {
	case kind == ua.TypeIDExtensionObject && !isBuiltIn(f.DataType):
		// With subtypes allowed, its type goes with it (OPC 10000-6, 5.1.7).
		s, err := d.build(f.DataType)
		if err != nil && !subtypes {
			return m, fmt.Errorf("field %s: %w", f.Name, err)
		}
		if !subtypes {
			m.of = s
		}
	case subtypes:
		m.kind = ua.TypeIDVariant
	}
	return m, nil
}

// references browses; where the server refuses one node, it has none.
func (d *dictionary) references(ctx context.Context, ask []*ua.BrowseDescription) ([][]*ua.ReferenceDescription, error) {
	all := make([][]*ua.ReferenceDescription, len(ask))
	err := d.link.limits.browse.each(len(ask), func(from, to int) error {
		res, err := call[*ua.BrowseResponse](ctx, d.link, &ua.BrowseRequest{View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}, NodesToBrowse: ask[from:to]}, requestTimeout)
		if err != nil {
			return err
		}
		if len(res.Results) != to-from {
			return fmt.Errorf("browsed %d data types, got %d results", to-from, len(res.Results))
		}
		for i, r := range res.Results {
			if all[from+i], err = d.pages(ctx, r); err != nil {
				return err
			}
		}
		return nil
	}, func(int, error, bool) {})
	if err != nil {
		return nil, fmt.Errorf("browsing the data types of structures: %w", err)
	}
	return all, nil
}

// pages gives all references of a result, also those that it does not hold yet.
func (d *dictionary) pages(ctx context.Context, r *ua.BrowseResult) (refs []*ua.ReferenceDescription, err error) {
	for pages := 0; r != nil; pages++ {
		refs = append(refs, r.References...)
		if len(r.ContinuationPoint) == 0 || pages >= mostSupers {
			break
		}
		next, err := call[*ua.BrowseNextResponse](ctx, d.link, &ua.BrowseNextRequest{ContinuationPoints: [][]byte{r.ContinuationPoint}}, requestTimeout)
		if err != nil || len(next.Results) != 1 {
			return nil, errors.Join(err, errors.New("no next page"))
		}
		r = next.Results[0]
	}
	return refs, nil
}
