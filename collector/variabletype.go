package collector

import (
	"context"
	"fmt"
	"strings"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// variableType is a type of variables, by the type of OPC UA itself that it is
// derived from (OPC 10000-3, 8).
type variableType struct {
	base uint32 // id in namespace 0, 0 unknown
	name string // for people; of a structure with its fields
}

const (
	mostSupertypes = 20
	mostShownNames = 20
)

// typeOf finds out what a data type is, along its supertypes.
func (b *browser) typeOf(ctx context.Context, n *ua.NodeID) (*variableType, error) {
	if n == nil {
		return &variableType{}, nil
	}
	key := n.String()
	if t := b.types[key]; t != nil {
		return t, nil
	}
	t := &variableType{}
	said, err := b.readMany(ctx, []*ua.ReadValueID{
		{NodeID: n, AttributeID: ua.AttributeIDBrowseName, DataEncoding: &ua.QualifiedName{}},
		{NodeID: n, AttributeID: ua.AttributeIDDataTypeDefinition, DataEncoding: &ua.QualifiedName{}},
	})
	if err != nil {
		return nil, fmt.Errorf("a data type: %w", err)
	}
	if q, ok := good[*ua.QualifiedName](said[0]); ok && q != nil {
		t.name = q.Name
	}
	if fields := memberNames(said[1]); len(fields) > 0 {
		t.name += " of " + strings.Join(fields, ", ")
	}
	for range mostSupertypes {
		if n.Namespace() == 0 && basic(n.IntID()) {
			t.base = n.IntID()
			break
		}
		up, err := b.supertype(ctx, n)
		if err != nil {
			return nil, err
		}
		if up == nil {
			break
		}
		n = up
	}
	b.types[key] = t
	return t, nil
}

// memberNames are the names of a structure's fields, or of the first of them.
func memberNames(v *ua.DataValue) (names []string) {
	x, ok := good[*ua.ExtensionObject](v)
	if !ok || x == nil {
		return nil
	}
	s, ok := x.Value.(*ua.StructureDefinition)
	if !ok || s == nil {
		return nil
	}
	for i, f := range s.Fields {
		if i == mostShownNames {
			return append(names, "…")
		}
		if f != nil {
			names = append(names, f.Name)
		}
	}
	return names
}

// supertype is nil where the server names none.
func (b *browser) supertype(ctx context.Context, n *ua.NodeID) (*ua.NodeID, error) {
	res, err := call[*ua.BrowseResponse](ctx, b.link, &ua.BrowseRequest{View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)},
		RequestedMaxReferencesPerNode: 1, NodesToBrowse: []*ua.BrowseDescription{{NodeID: n, BrowseDirection: ua.BrowseDirectionInverse,
			ReferenceTypeID: ua.NewNumericNodeID(0, id.HasSubtype), IncludeSubtypes: true, ResultMask: uint32(ua.BrowseResultMaskAll)}}}, requestTimeout)
	if err != nil {
		return nil, fmt.Errorf("browsing data types: %w", err)
	}
	if len(res.Results) != 1 || res.Results[0] == nil || len(res.Results[0].References) == 0 {
		return nil, nil
	}
	r := res.Results[0].References[0]
	if r == nil || r.NodeID == nil || r.NodeID.NodeID == nil {
		return nil, nil
	}
	return ua.NewNodeIDFromExpandedNodeID(r.NodeID), nil
}

// basic are the types that judge knows.
func basic(t uint32) bool {
	_, why := judge(t)
	return why != unknownType
}

const unknownType = "a type that nothing is known of"

// judge says what kind of tag a scalar of a basic type is, or why it is none.
func judge(base uint32) (kind plant.Kind, why string) {
	switch base {
	case id.Boolean, id.SByte, id.Byte, id.Int16, id.UInt16, id.Int32, id.UInt32, id.Int64, id.UInt64, id.Integer, id.UInteger:
		return plant.Discrete, ""
	case id.Float, id.Double, id.Number:
		return plant.Analog, ""
	case id.String, id.LocalizedText, id.Enumeration: // the names of its numbers
		return plant.Text, ""
	case id.Decimal:
		return "", "a decimal number of any length is not read"
	case id.DateTime:
		return "", "a time is not read"
	case id.ByteString, id.XMLElement, id.GUID:
		return "", "bytes are not read"
	case id.NodeID, id.ExpandedNodeID, id.QualifiedName, id.StatusCode, id.DataValue, id.DiagnosticInfo:
		return "", "a value of OPC UA's own kind is not read"
	case id.Structure:
		return "", "a structure: name one of its fields in the column field"
	}
	return "", unknownType
}

// anArray says how to read an array of a basic type.
func anArray(base uint32) string {
	const element = "name an element in the column field, such as [0]"
	if kind, _ := judge(base); kind == plant.Analog || kind == plant.Discrete && base != id.Boolean {
		return "an array of numbers: a burst of a sensor has kind waveform and its rate; or " + element
	}
	return "an array: " + element
}

// baseOf judges a value where the type says nothing.
func baseOf(v *ua.DataValue) uint32 {
	if v == nil || v.Value == nil || v.Status != ua.StatusOK {
		return 0
	}
	t := uint32(v.Value.Type()) // the ids of built-in types are those of their data types
	if t == uint32(ua.TypeIDExtensionObject) {
		return id.Structure
	}
	return t
}
