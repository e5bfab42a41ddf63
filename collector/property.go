package collector

import (
	"context"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// eachProperty browses the properties of nodes and hands over each with its
// browse name and the position of its node. A nil node has none.
func (b *browser) eachProperty(ctx context.Context, nodes []*ua.NodeID, take func(i int, name string, property *ua.NodeID)) error {
	var from []place
	var where []int
	flush := func() error {
		if len(from) == 0 {
			return nil
		}
		refs, err := b.browse(ctx, from, id.HasProperty)
		if err != nil {
			return err
		}
		for k := range refs {
			for _, r := range refs[k] {
				if r != nil && r.BrowseName != nil && r.NodeID != nil && r.NodeID.NodeID != nil {
					take(where[k], r.BrowseName.Name, ua.NewNodeIDFromExpandedNodeID(r.NodeID))
				}
			}
		}
		from, where = from[:0], where[:0]
		return nil
	}
	for i, n := range nodes {
		if n == nil {
			continue
		}
		from, where = append(from, place{id: n}), append(where, i)
		if len(from) == limit(b.srv.perBrowse, mostPerBrowse) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
