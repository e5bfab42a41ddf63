package collector

import (
	"context"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// eachProperty browses the properties of nodes and hands over each with its
// browse name and the position of its node. A nil node has none.
func (x *explorer) eachProperty(ctx context.Context, nodes []*ua.NodeID, take func(i int, name string, property *ua.NodeID)) error {
	var from []*ua.NodeID
	var where []int
	for i, n := range nodes {
		if n != nil {
			from, where = append(from, n), append(where, i)
		}
	}
	for len(from) > 0 {
		n := min(len(from), min(mostPerBrowse, x.limits.browse.size()))
		some, err := x.browse(ctx, from[:n], id.HasProperty)
		if err != nil {
			return err
		}
		for k := range some {
			for _, r := range some[k].refs {
				if r != nil && r.BrowseName != nil && r.NodeID != nil && r.NodeID.NodeID != nil {
					take(where[k], r.BrowseName.Name, ua.NewNodeIDFromExpandedNodeID(r.NodeID))
				}
			}
		}
		from, where = from[n:], where[n:]
	}
	return nil
}
