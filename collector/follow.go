package collector

import (
	"context"
	"errors"
	"fmt"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// followAll follows the browse paths from the Objects folder.
func (k *looker) followAll(ctx context.Context, ask []question, seen []sight) error {
	var which []int
	var paths [][]plant.BrowseName
	for i := range ask {
		if len(ask[i].path) > 0 {
			which, paths = append(which, i), append(paths, ask[i].path)
		}
	}
	at, err := k.follow(ctx, paths)
	if err != nil {
		return err
	}
	for j, i := range which {
		seen[i].at, seen[i].asked = at[j], true
	}
	return nil
}

// follow gives what each path leads to from the Objects folder, several nodes
// where names are not unique, none where there is no such way.
func (k *looker) follow(ctx context.Context, paths [][]plant.BrowseName) ([][]*ua.NodeID, error) {
	out := make([][]*ua.NodeID, len(paths))
	if !k.cannot {
		err := k.limits.translate.each(len(paths), func(from, to int) error {
			return k.translate(ctx, paths[from:to], out[from:to])
		}, func(int, error, bool) {})
		if k.cannot = errors.Is(err, ua.StatusBadServiceUnsupported); err != nil && !k.cannot {
			return nil, err
		}
	}
	if !k.cannot {
		return out, nil
	}
	return k.walkPaths(ctx, paths)
}

// translate asks the server to follow paths (OPC 10000-4, 5.9.4).
func (k *looker) translate(ctx context.Context, paths [][]plant.BrowseName, out [][]*ua.NodeID) error {
	req := &ua.TranslateBrowsePathsToNodeIDsRequest{}
	var which []int
	for i, p := range paths {
		if b := k.relative(p); b != nil {
			req.BrowsePaths = append(req.BrowsePaths, b)
			which = append(which, i)
		}
	}
	if len(which) == 0 {
		return nil
	}
	res, err := call[*ua.TranslateBrowsePathsToNodeIDsResponse](ctx, k.link, req, requestTimeout)
	if err != nil {
		return fmt.Errorf("following browse paths: %w", err)
	}
	if len(res.Results) != len(which) {
		return fmt.Errorf("followed %d browse paths, got %d results", len(which), len(res.Results))
	}
	for j, r := range res.Results {
		if r == nil || r.StatusCode>>30 >= 2 {
			continue
		}
		for _, t := range r.Targets {
			if t != nil && t.TargetID != nil && t.TargetID.NodeID != nil && t.RemainingPathIndex == 1<<32-1 && !t.TargetID.HasServerIndex() {
				out[which[j]] = append(out[which[j]], k.local(t.TargetID))
			}
		}
	}
	return nil
}

// relative is a path in the namespaces of this connection; nil where the server
// lacks one of them.
func (k *looker) relative(path []plant.BrowseName) *ua.BrowsePath {
	b := &ua.BrowsePath{StartingNode: ua.NewNumericNodeID(0, id.ObjectsFolder), RelativePath: &ua.RelativePath{}}
	for _, n := range path {
		ns := int(n.Index)
		if n.URI != "" {
			if ns = indexOf(k.srv.namespaces, n.URI); ns < 0 {
				return nil
			}
		}
		b.RelativePath.Elements = append(b.RelativePath.Elements, &ua.RelativePathElement{
			ReferenceTypeID: ua.NewNumericNodeID(0, id.HierarchicalReferences), IncludeSubtypes: true,
			TargetName: &ua.QualifiedName{NamespaceIndex: uint16(ns), Name: n.Name}})
	}
	return b
}

// local is a node id without the URI that some servers write beside the index.
func (k *looker) local(x *ua.ExpandedNodeID) *ua.NodeID {
	n := ua.NewNodeIDFromExpandedNodeID(x)
	if x.NamespaceURI != "" {
		if i := indexOf(k.srv.namespaces, x.NamespaceURI); i >= 0 {
			_ = n.SetNamespace(uint16(i))
		}
	}
	return n
}

// walkPaths follows paths by browsing forward, for a server that cannot. Folders
// that paths share are browsed once.
func (k *looker) walkPaths(ctx context.Context, paths [][]plant.BrowseName) ([][]*ua.NodeID, error) {
	out := make([][]*ua.NodeID, len(paths))
	for i := range out {
		out[i] = []*ua.NodeID{ua.NewNumericNodeID(0, id.ObjectsFolder)}
	}
	children := map[string][]*ua.ReferenceDescription{}
	for level := range mostLevels(paths) {
		var from []*ua.NodeID
		asked := map[string]bool{}
		for i, p := range paths {
			if level >= len(p) {
				continue
			}
			for _, n := range out[i] {
				if key := n.String(); children[key] == nil && !asked[key] {
					asked[key] = true
					from = append(from, n)
				}
			}
		}
		for len(from) > 0 {
			n := min(len(from), mostFolders)
			some, err := k.browse(ctx, from[:n], id.HierarchicalReferences)
			if err != nil {
				return nil, err
			}
			for j := range some {
				children[from[j].String()] = some[j].refs
			}
			from = from[n:]
		}
		for i, p := range paths {
			if level >= len(p) {
				continue
			}
			var next []*ua.NodeID
			for _, n := range out[i] {
				for _, r := range children[n.String()] {
					if r != nil && r.BrowseName != nil && r.NodeID != nil && r.NodeID.NodeID != nil && k.nameOf(r.BrowseName) == p[level] {
						next = append(next, k.local(r.NodeID))
					}
				}
			}
			out[i] = next
		}
	}
	return out, nil
}

func mostLevels(paths [][]plant.BrowseName) int {
	n := 0
	for _, p := range paths {
		n = max(n, len(p))
	}
	return n
}

// nameOf is a name with the URI of its namespace, which outlives its index.
func (k *looker) nameOf(q *ua.QualifiedName) plant.BrowseName {
	i := int(q.NamespaceIndex)
	if i > 0 && i < len(k.srv.namespaces) && k.srv.namespaces[i] != "" {
		return plant.BrowseName{URI: k.srv.namespaces[i], Name: q.Name}
	}
	return plant.BrowseName{Index: q.NamespaceIndex, Name: q.Name}
}
