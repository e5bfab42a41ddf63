package collector

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	mostNodes     = 200_000 // visited by one discovery
	mostDepth     = 30
	mostPerBrowse = 100
	mostPerRead   = 500
)

// ErrTooManyNodes comes together with the tags found so far.
var ErrTooManyNodes = errors.New("the server has more nodes than a discovery visits: give a root below Objects")

// Discover browses a server below root, a node id as in a tag list (the Objects
// folder where empty), and drafts a tag for each scalar variable of numbers or
// text. Paths are browse paths below the root, the asset is the path above the
// variable; unit and range come from EngineeringUnits and EURange. The tags
// have no ID. What OPC UA itself defines (namespace 0) is left out.
func Discover(ctx context.Context, url string, sec Security, root string) ([]plant.Tag, error) {
	l, srv, err := dialOnce(ctx, url, sec)
	if err != nil {
		return nil, err
	}
	defer l.leave(ctx)
	start := ua.NewNumericNodeID(0, id.ObjectsFolder)
	if root != "" {
		n, err := parseNode(root)
		if err != nil {
			return nil, err
		}
		if start, err = n.resolve(srv.namespaces); err != nil {
			return nil, fmt.Errorf("node %q: %w", root, err)
		}
	}
	b := &browser{link: l, srv: srv, seen: map[string]bool{start.String(): true}}
	full := b.walk(ctx, start)
	if full != nil && !errors.Is(full, ErrTooManyNodes) {
		return nil, full
	}
	tags, err := b.tags(ctx)
	if err != nil {
		return nil, err
	}
	return tags, full
}

// dialOnce opens a session for a single purpose.
func dialOnce(ctx context.Context, url string, sec Security) (*link, peer, error) {
	p, err := sec.open()
	if err != nil {
		return nil, peer{}, err
	}
	e := &engine{src: &Source{URL: url, Name: "discovery"}, sec: p}
	l, _, err := e.reach(ctx)
	if err != nil {
		return nil, peer{}, err
	}
	srv, err := l.describe(ctx)
	if err != nil {
		l.leave(ctx)
		return nil, peer{}, err
	}
	return l, srv, nil
}

// browser walks an address space. References make a graph, not a tree: each
// node is visited once, along the shortest way.
type browser struct {
	*link
	srv   peer
	seen  map[string]bool
	found []variable
}

// place is a node with its browse path below the root.
type place struct {
	id    *ua.NodeID
	path  string
	depth int
}

// variable is a place with what was read of it.
type variable struct {
	place
	units, ranges *ua.NodeID // property nodes
}

func (b *browser) walk(ctx context.Context, root *ua.NodeID) error {
	level := []place{{id: root}}
	for len(level) > 0 {
		n := min(len(level), limit(b.srv.perBrowse, mostPerBrowse))
		refs, err := b.browse(ctx, level[:n], id.HierarchicalReferences)
		if err != nil {
			return err
		}
		for i, from := range level[:n] {
			for _, r := range refs[i] {
				next, ok := b.visit(from, r)
				if !ok {
					continue
				}
				if len(b.seen) > mostNodes {
					return ErrTooManyNodes
				}
				if next.depth < mostDepth {
					level = append(level, next)
				}
			}
		}
		level = level[n:]
	}
	return nil
}

// visit decides about a node found below from.
func (b *browser) visit(from place, r *ua.ReferenceDescription) (place, bool) {
	if r == nil || r.NodeID == nil || r.NodeID.NodeID == nil || r.BrowseName == nil || r.NodeID.HasServerIndex() {
		return place{}, false
	}
	if r.ReferenceTypeID != nil && r.ReferenceTypeID.Namespace() == 0 && r.ReferenceTypeID.IntID() == id.HasProperty {
		return place{}, false
	}
	n := ua.NewNodeIDFromExpandedNodeID(r.NodeID)
	if n.Namespace() == 0 || b.seen[n.String()] {
		return place{}, false
	}
	b.seen[n.String()] = true
	to := place{id: n, path: join(from.path, r.BrowseName.Name), depth: from.depth + 1}
	if r.NodeClass == ua.NodeClassVariable {
		b.found = append(b.found, variable{place: to})
	}
	return to, true
}

// join makes a path of browse names, which may themselves hold any text.
func join(path, name string) string {
	name = strings.NewReplacer("/", "_", ",", "_", "\n", "_", "\r", "_").Replace(strings.TrimSpace(name))
	if path == "" {
		return name
	}
	return path + "/" + name
}

// browse gives the references of each place, all pages of them.
func (b *browser) browse(ctx context.Context, from []place, kind uint32) ([][]*ua.ReferenceDescription, error) {
	req := &ua.BrowseRequest{View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}, RequestedMaxReferencesPerNode: 1000}
	for _, p := range from {
		req.NodesToBrowse = append(req.NodesToBrowse, &ua.BrowseDescription{
			NodeID: p.id, BrowseDirection: ua.BrowseDirectionForward, ReferenceTypeID: ua.NewNumericNodeID(0, kind), IncludeSubtypes: true,
			NodeClassMask: uint32(ua.NodeClassObject | ua.NodeClassVariable), ResultMask: uint32(ua.BrowseResultMaskAll)})
	}
	res, err := call[*ua.BrowseResponse](ctx, b.link, req, requestTimeout)
	if err != nil {
		return nil, fmt.Errorf("browsing: %w", err)
	}
	if len(res.Results) != len(from) {
		return nil, fmt.Errorf("browsed %d nodes, got %d results", len(from), len(res.Results))
	}
	refs := make([][]*ua.ReferenceDescription, len(from))
	for i, r := range res.Results {
		for pages := 0; r != nil; pages++ {
			refs[i] = append(refs[i], r.References...)
			if len(r.ContinuationPoint) == 0 || pages > mostNodes/1000 {
				break
			}
			next, err := call[*ua.BrowseNextResponse](ctx, b.link, &ua.BrowseNextRequest{ContinuationPoints: [][]byte{r.ContinuationPoint}}, requestTimeout)
			if err != nil {
				return nil, fmt.Errorf("browsing on: %w", err)
			}
			if len(next.Results) != 1 {
				break
			}
			r = next.Results[0]
		}
	}
	return refs, nil
}

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
	for at := 0; at < len(b.found); {
		n := min(len(b.found)-at, limit(b.srv.perBrowse, mostPerBrowse))
		from := make([]place, n)
		for i := range from {
			from[i] = b.found[at+i].place
		}
		refs, err := b.browse(ctx, from, id.HasProperty)
		if err != nil {
			return err
		}
		for i := range refs {
			for _, r := range refs[i] {
				if r == nil || r.BrowseName == nil || r.NodeID == nil || r.NodeID.NodeID == nil {
					continue
				}
				switch r.BrowseName.Name {
				case "EngineeringUnits":
					b.found[at+i].units = ua.NewNodeIDFromExpandedNodeID(r.NodeID)
				case "EURange":
					b.found[at+i].ranges = ua.NewNodeIDFromExpandedNodeID(r.NodeID)
				}
			}
		}
		at += n
	}
	return nil
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
