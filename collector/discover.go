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
