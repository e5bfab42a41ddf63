package server

import (
	"fmt"
	"strings"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// nodeKey is a NodeId as a map key: the encodings of one numeric id are equal.
type nodeKey struct {
	ns   uint16
	num  uint32
	text string // with a leading letter for the kind; empty for numeric ids
}

func keyOf(n *ua.NodeID) nodeKey {
	switch n.Type() {
	case ua.NodeIDTypeString:
		return nodeKey{ns: n.Namespace(), text: "s" + n.StringID()}
	case ua.NodeIDTypeGUID:
		return nodeKey{ns: n.Namespace(), text: "g" + n.StringID()}
	case ua.NodeIDTypeByteString:
		return nodeKey{ns: n.Namespace(), text: "b" + n.StringID()}
	}
	return nodeKey{ns: n.Namespace(), num: n.IntID()}
}

// node is one node of the address space. After Start only its references change
// (Remove, Restore).
type node struct {
	id          *ua.NodeID
	class       ua.NodeClass
	name        string // browse name in namespace ns
	ns          uint16
	description string
	refs        []reference
	abstract    bool
	symmetric   bool
	inverse     string // inverse name of a reference type

	// Variables and variable types.
	dataType uint32 // id in namespace 0
	rank     int32  // ValueRank
	length   uint32 // of an array, 0 any
	variable int    // index of the server's variable, or -1
	value    func(now time.Time) any
	dynamic  bool // value changes by itself
	historic bool // has a history that can be read
}

type reference struct {
	kind    uint32 // reference type, id in namespace 0
	to      *node
	forward bool
}

const scalar, list = -1, 1 // ValueRank

// space is the address space.
type space struct {
	nodes map[nodeKey]*node
	own   uint16 // index of Namespace
}

func newSpace(s *Server, e *engine) *space {
	sp := &space{nodes: make(map[nodeKey]*node, 200+3*len(s.Variables)), own: uint16(1 + len(s.Namespaces))}
	sp.addStandard(s)
	for i := range s.Variables {
		sp.place(&s.Variables[i], i)
	}
	return sp
}

// place adds a variable with the folders of its path.
func (sp *space) place(v *Variable, index int) {
	objects := sp.standard(id.ObjectsFolder)
	dir, name := objects, v.Path
	if cut := strings.LastIndexByte(v.Path, '/'); cut >= 0 && cut < len(v.Path)-1 {
		dir, name = sp.folder(objects, v.Path[:cut]), v.Path[cut+1:]
	}
	sp.addVariable(dir, v, index, name)
}

func (sp *space) variable(path string) *node { return sp.get(ua.NewStringNodeID(sp.own, path)) }

func (sp *space) get(n *ua.NodeID) *node { return sp.nodes[keyOf(n)] }

func (sp *space) standard(num uint32) *node { return sp.nodes[nodeKey{num: num}] }

func (sp *space) add(n *node) *node {
	sp.nodes[keyOf(n.id)] = n
	return n
}

// link puts a reference and its inverse in place.
func link(kind uint32, from, to *node) {
	from.refs = append(from.refs, reference{kind, to, true})
	to.refs = append(to.refs, reference{kind, from, false})
}

// folder returns the folder of a path. Its id ends in a slash, so that a folder
// and a variable may have the same path.
func (sp *space) folder(objects *node, path string) *node {
	nid := ua.NewStringNodeID(sp.own, path+"/")
	if n := sp.nodes[keyOf(nid)]; n != nil {
		return n
	}
	parent, name := objects, path
	if cut := strings.LastIndexByte(path, '/'); cut >= 0 {
		parent, name = sp.folder(objects, path[:cut]), path[cut+1:]
	}
	n := sp.add(&node{id: nid, class: ua.NodeClassObject, ns: sp.own, name: name, variable: -1})
	link(id.Organizes, parent, n)
	link(id.HasTypeDefinition, n, sp.standard(id.FolderType))
	return n
}

func (sp *space) addVariable(dir *node, v *Variable, index int, name string) {
	n := sp.add(&node{
		id: ua.NewStringNodeID(sp.own, v.Path), class: ua.NodeClassVariable, ns: sp.own, name: name,
		description: v.Description, dataType: typeID(v.dataType()), rank: scalar, variable: index, historic: v.History > 0,
	})
	if v.dataType() == Floats {
		n.rank, n.length = list, uint32(v.Length)
	}
	link(id.Organizes, dir, n)
	kind := uint32(id.BaseDataVariableType)
	switch {
	case v.hasRange():
		kind = id.AnalogItemType
	case v.Unit != "":
		kind = id.BaseAnalogType
	}
	link(id.HasTypeDefinition, n, sp.standard(kind))
	if v.hasRange() {
		r := ua.NewExtensionObject(&ua.Range{Low: v.Low, High: v.High})
		sp.property(n, 0, "EURange", id.Range, r)
	}
	if v.Unit != "" {
		sp.property(n, 0, "EngineeringUnits", id.EUInformation, ua.NewExtensionObject(unitInformation(v.Unit)))
	}
	if v.Resolution > 0 {
		sp.property(n, sp.own, "Resolution", id.Double, v.Resolution)
	}
}

func (sp *space) property(of *node, ns uint16, name string, dataType uint32, value any) {
	p := sp.add(&node{
		id: ua.NewStringNodeID(sp.own, of.id.StringID()+"#"+name), class: ua.NodeClassVariable, ns: ns, name: name,
		dataType: dataType, rank: scalar, variable: -1, value: func(time.Time) any { return value },
	})
	link(id.HasProperty, of, p)
	link(id.HasTypeDefinition, p, sp.standard(id.PropertyType))
}

func typeID(t DataType) uint32 {
	switch t {
	case Boolean:
		return id.Boolean
	case Int32:
		return id.Int32
	case String:
		return id.String
	case Floats:
		return id.Float
	}
	return id.Double
}

// isKind reports whether a reference type is want or one of its subtypes.
func (sp *space) isKind(kind, want uint32, subtypes bool) bool {
	if kind == want {
		return true
	}
	if !subtypes {
		return false
	}
	for n := sp.standard(kind); n != nil; {
		var super *node
		for _, r := range n.refs {
			if r.kind == id.HasSubtype && !r.forward {
				super = r.to
			}
		}
		if super == nil {
			return false
		}
		if super.id.IntID() == want {
			return true
		}
		n = super
	}
	return false
}

func (n *node) typeDefinition() *ua.NodeID {
	for _, r := range n.refs {
		if r.kind == id.HasTypeDefinition && r.forward {
			return r.to.id
		}
	}
	return ua.NewTwoByteNodeID(0)
}

func expanded(n *ua.NodeID) *ua.ExpandedNodeID { return &ua.ExpandedNodeID{NodeID: n} }

func mustVariant(v any) *ua.Variant {
	x, err := ua.NewVariant(v)
	if err != nil {
		panic(fmt.Sprintf("server: %T is no OPC UA value: %v", v, err)) // all callers pass built-in types
	}
	return x
}
