package collector

import (
	"context"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// climb finds the browse paths of the nodes whose questions ask for it, and
// follows each back down: one that does not lead to its node alone names nothing.
func (k *looker) climb(ctx context.Context, ask []question, seen []sight) error {
	type step struct {
		name   plant.BrowseName
		parent string
	}
	known := map[string]step{}
	ids := map[string]*ua.NodeID{}
	var level []*ua.NodeID
	for i := range ask {
		if ask[i].trip && ask[i].id != nil && !seen[i].gone {
			ids[ask[i].id.String()] = ask[i].id
			level = append(level, ask[i].id)
		}
	}
	objects := ua.NewNumericNodeID(0, id.ObjectsFolder).String()
	for depth := 0; len(level) > 0 && depth < upwards; depth++ {
		names, err := k.browseNames(ctx, level)
		if err != nil {
			return err
		}
		var next []*ua.NodeID
		refs, err := k.parents(ctx, level)
		if err != nil {
			return err
		}
		for j := range refs {
			key := level[j].String()
			s := step{name: names[j]}
			for _, r := range refs[j] {
				if r == nil || r.NodeID == nil || r.NodeID.NodeID == nil || r.NodeID.HasServerIndex() {
					continue
				}
				parent := k.local(r.NodeID)
				s.parent = parent.String()
				if _, done := known[s.parent]; !done && ids[s.parent] == nil && s.parent != objects {
					ids[s.parent] = parent
					next = append(next, parent)
				}
				break
			}
			known[key] = s
		}
		level = next
	}
	var which []int
	var paths [][]plant.BrowseName
	for i := range ask {
		if !ask[i].trip || ask[i].id == nil {
			continue
		}
		var path []plant.BrowseName
		key := ask[i].id.String()
		for range upwards {
			s, ok := known[key]
			if !ok || s.name.Name == "" || s.parent == "" {
				path = nil
				break
			}
			path = append([]plant.BrowseName{s.name}, path...)
			if key = s.parent; key == objects {
				break
			}
		}
		if key == objects && len(path) > 0 && len(plant.FormatBrowse(path)) < maxIdentityText/2 {
			which, paths = append(which, i), append(paths, path)
		}
	}
	at, err := k.follow(ctx, paths)
	if err != nil {
		return err
	}
	for j, i := range which {
		if len(at[j]) == 1 && at[j][0].String() == ask[i].id.String() {
			seen[i].path = paths[j]
		}
	}
	return nil
}

// parents browses nodes upwards. One that the server does not browse has none.
func (k *looker) parents(ctx context.Context, nodes []*ua.NodeID) ([][]*ua.ReferenceDescription, error) {
	const most = 10 // of a node
	out := make([][]*ua.ReferenceDescription, len(nodes))
	err := k.limits.browse.each(len(nodes), func(from, to int) error {
		req := &ua.BrowseRequest{View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}, RequestedMaxReferencesPerNode: most}
		for _, n := range nodes[from:to] {
			req.NodesToBrowse = append(req.NodesToBrowse, &ua.BrowseDescription{
				NodeID: n, BrowseDirection: ua.BrowseDirectionInverse, ReferenceTypeID: ua.NewNumericNodeID(0, id.HierarchicalReferences), IncludeSubtypes: true,
				NodeClassMask: uint32(ua.NodeClassObject | ua.NodeClassVariable)})
		}
		res, err := call[*ua.BrowseResponse](ctx, k.link, req, requestTimeout)
		if err != nil {
			return err
		}
		var points [][]byte
		for i := range min(to-from, len(res.Results)) {
			if r := res.Results[i]; r != nil {
				if out[from+i] = r.References; len(r.ContinuationPoint) > 0 {
					points = append(points, r.ContinuationPoint)
				}
			}
		}
		if len(points) > 0 { // the server keeps few
			_, err = call[*ua.BrowseNextResponse](ctx, k.link, &ua.BrowseNextRequest{ReleaseContinuationPoints: true, ContinuationPoints: points}, requestTimeout)
		}
		return err
	}, func(int, error, bool) {})
	return out, err
}

func (k *looker) browseNames(ctx context.Context, nodes []*ua.NodeID) ([]plant.BrowseName, error) {
	req := make([]*ua.ReadValueID, len(nodes))
	for i, n := range nodes {
		req[i] = attribute(n, ua.AttributeIDBrowseName)
	}
	v, err := k.readMany(ctx, req)
	if err != nil {
		return nil, err
	}
	names := make([]plant.BrowseName, len(nodes))
	for i := range v {
		if q, ok := good[*ua.QualifiedName](v[i]); ok && q != nil {
			names[i] = k.nameOf(q)
		}
	}
	return names, nil
}
