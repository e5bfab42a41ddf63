package collector

import (
	"context"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"
)

const (
	mostPerBrowse  = 500
	mostPerRead    = 500
	mostReferences = 1000 // of a node, in one answer
	bytesOfRef     = 400  // generous: node id, names, type
	mostPages      = 100_000
	mostListing    = 256 << 20 // bytes of references of a node, about
)

// explorer browses and reads many nodes, in calls as large as the server takes.
type explorer struct {
	*link
}

func explore(l *link) *explorer { return &explorer{link: l} }

// least is the smallest of bounds, of which 0 is none.
func least(first int, others ...int) int {
	for _, n := range others {
		if n > 0 && n < first {
			first = n
		}
	}
	return first
}

// browsed is what a node refers to, or why that is not known.
type browsed struct {
	refs    []*ua.ReferenceDescription
	refused string
}

// browse gives the references of a kind of each node, all pages of them.
func (x *explorer) browse(ctx context.Context, from []*ua.NodeID, kind uint32) ([]browsed, error) {
	out := make([]browsed, len(from))
	err := x.limits.browse.each(len(from), func(a, b int) error {
		some, err := x.browseOnce(ctx, from[a:b], kind)
		copy(out[a:b], some)
		return err
	}, func(i int, err error, _ bool) { out[i].refused = callText(err) })
	return out, err
}

func (x *explorer) browseOnce(ctx context.Context, from []*ua.NodeID, kind uint32) ([]browsed, error) {
	req := &ua.BrowseRequest{View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}, RequestedMaxReferencesPerNode: x.references(len(from))}
	for _, n := range from {
		req.NodesToBrowse = append(req.NodesToBrowse, &ua.BrowseDescription{
			NodeID: n, BrowseDirection: ua.BrowseDirectionForward, ReferenceTypeID: ua.NewNumericNodeID(0, kind), IncludeSubtypes: true,
			NodeClassMask: uint32(ua.NodeClassObject | ua.NodeClassVariable), ResultMask: uint32(ua.BrowseResultMaskAll)})
	}
	res, err := call[*ua.BrowseResponse](ctx, x.link, req, requestTimeout)
	if err != nil {
		return nil, fmt.Errorf("browsing: %w", err)
	}
	if len(res.Results) != len(from) {
		return nil, fmt.Errorf("browsed %d nodes, got %d results", len(from), len(res.Results))
	}
	out := make([]browsed, len(from))
	if err := x.pages(ctx, out, res.Results); err != nil {
		return nil, err
	}
	for i := range out {
		if out[i].refused != statusText(ua.StatusBadNoContinuationPoints) || len(from) == 1 {
			continue
		}
		if out[i], err = x.again(ctx, from[i], kind); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// again browses a node for which the server had no continuation point: others
// hold them, and they are free in a moment.
func (x *explorer) again(ctx context.Context, n *ua.NodeID, kind uint32) (browsed, error) {
	for wait := 20 * time.Millisecond; ; wait *= 2 {
		res, err := x.browseOnce(ctx, []*ua.NodeID{n}, kind)
		if err != nil || len(res) != 1 {
			return browsed{}, err
		}
		if res[0].refused != statusText(ua.StatusBadNoContinuationPoints) || wait > time.Second {
			return res[0], nil
		}
		select {
		case <-ctx.Done():
			return browsed{}, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// pages takes results and asks for what they do not hold yet, for all nodes in
// one call.
func (x *explorer) pages(ctx context.Context, out []browsed, results []*ua.BrowseResult) error {
	sizes := make([]int, len(out)) // about, in bytes
	which := make([]int, len(results))
	for i := range which {
		which[i] = i
	}
	for page := 0; ; page++ {
		var points [][]byte
		var rest []int
		for k, r := range results {
			o := &out[which[k]]
			if r == nil || r.StatusCode != ua.StatusOK {
				if o.refused = "no result"; r != nil {
					o.refused = statusText(r.StatusCode)
				}
				continue
			}
			if sizes[which[k]] += sizeOf(r.References); sizes[which[k]] > mostListing {
				o.refs, o.refused = nil, "its references do not end"
				continue
			}
			o.refs = append(o.refs, r.References...)
			if len(r.ContinuationPoint) > 0 && page < mostPages {
				points, rest = append(points, r.ContinuationPoint), append(rest, which[k])
			}
		}
		if len(points) == 0 {
			return nil
		}
		next, err := call[*ua.BrowseNextResponse](ctx, x.link, &ua.BrowseNextRequest{ContinuationPoints: points}, requestTimeout)
		if err != nil {
			return fmt.Errorf("browsing on: %w", err)
		}
		if len(next.Results) != len(points) {
			return fmt.Errorf("browsed on at %d nodes, got %d results", len(points), len(next.Results))
		}
		results, which = next.Results, rest
	}
}

// sizeOf is how much memory references take, about.
func sizeOf(refs []*ua.ReferenceDescription) int {
	n := 0
	for _, r := range refs {
		n += bytesOfRef
		if r != nil && r.BrowseName != nil {
			n += len(r.BrowseName.Name)
		}
		if r != nil && r.DisplayName != nil {
			n += len(r.DisplayName.Text)
		}
	}
	return n
}

// references is how many of a node are asked for in one answer about n nodes, so
// that it fits into a message.
func (x *explorer) references(n int) uint32 {
	return uint32(min(max(int(x.conn.MaxMessageSize())/bytesOfRef/n, 8), mostReferences))
}

// readMany reads in calls as large as the server takes.
func (x *explorer) readMany(ctx context.Context, nodes []*ua.ReadValueID) ([]*ua.DataValue, error) {
	v, err := x.readNodes(ctx, requestTimeout, nodes)
	if err != nil {
		return nil, fmt.Errorf("reading attributes: %w", err)
	}
	return v, nil
}

// readAll reads an attribute of many nodes; a nil id gives a nil result.
func (x *explorer) readAll(ctx context.Context, attribute ua.AttributeID, ids []*ua.NodeID) ([]*ua.DataValue, error) {
	out := make([]*ua.DataValue, len(ids))
	var ask []*ua.ReadValueID
	var where []int
	for i, n := range ids {
		if n != nil {
			ask = append(ask, &ua.ReadValueID{NodeID: n, AttributeID: attribute, DataEncoding: &ua.QualifiedName{}})
			where = append(where, i)
		}
	}
	values, err := x.readMany(ctx, ask)
	for i, v := range values {
		out[where[i]] = v
	}
	return out, err
}
