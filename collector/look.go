package collector

import (
	"context"
	"strings"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// question is what is to be found out about the node of a tag.
type question struct {
	tag  int        // position
	id   *ua.NodeID // as it is monitored; nil: the server did not know it
	path []plant.BrowseName
	trip bool // the browse path is to be found, from the node upwards
	now  bool // its value is wanted
	more bool // its detail is wanted
}

// sight is what was seen of a node.
type sight struct {
	is    imprint
	at    []*ua.NodeID       // what the browse path leads to; only with asked
	asked bool               // the server has followed the path
	gone  bool               // the server does not know the node
	path  []plant.BrowseName // found, from the node upwards; nil: none
	value *ua.DataValue      // where it is wanted

	description string
	detail      detail // where it is wanted
}

// leads reports whether the path leads to the node n, alone or among others.
func (s *sight) leads(n *ua.NodeID) bool {
	for _, t := range s.at {
		if t.String() == n.String() {
			return true
		}
	}
	return false
}

// looker asks a server about nodes: a request after the other, each within the
// server's limits.
type looker struct {
	*explorer
	srv    peer
	cannot bool // the server follows no paths for us, so we do
}

const upwards = 30 // levels that are climbed

func newLooker(l *link, srv peer) *looker {
	return &looker{explorer: explore(l), srv: srv}
}

// look answers the questions, in order. The error is one of the connection or of
// a service as a whole; what the server refuses of a single node is in its sight.
func (k *looker) look(ctx context.Context, ask []question) ([]sight, error) {
	seen := make([]sight, len(ask))
	if err := k.followAll(ctx, ask, seen); err != nil {
		return nil, err
	}
	if err := k.see(ctx, ask, seen); err != nil {
		return nil, err
	}
	for i := range ask {
		if ask[i].id != nil && seen[i].asked && !seen[i].leads(ask[i].id) {
			ask[i].trip = true // for people: where it is instead
		}
	}
	return seen, k.climb(ctx, ask, seen)
}

func attribute(n *ua.NodeID, a ua.AttributeID) *ua.ReadValueID {
	return &ua.ReadValueID{NodeID: n, AttributeID: a, DataEncoding: &ua.QualifiedName{}}
}

// property is where a value belongs that was read of a node.
type property struct {
	node int // position among the questions
	name string
}

var nodeAttributes = [...]struct {
	name string
	id   ua.AttributeID
}{{"DataType", ua.AttributeIDDataType}, {"ValueRank", ua.AttributeIDValueRank}, {"Description", ua.AttributeIDDescription}}

// see reads what the nodes are: their attributes and properties.
func (k *looker) see(ctx context.Context, ask []question, seen []sight) error {
	var nodes []*ua.NodeID
	var which []int
	for i := range ask {
		if ask[i].id != nil {
			nodes, which = append(nodes, ask[i].id), append(which, i)
		}
	}
	var ids []*ua.ReadValueID
	var what []property
	for j, i := range which {
		for _, a := range nodeAttributes {
			ids, what = append(ids, attribute(nodes[j], a.id)), append(what, property{i, a.name})
		}
	}
	more, names, err := k.propertyNodes(ctx, nodes)
	if err != nil {
		return err
	}
	for j := range more {
		names[j].node = which[names[j].node]
	}
	ids, what = append(ids, more...), append(what, names...)
	values, err := k.readMany(ctx, ids)
	if err != nil {
		return err
	}
	for j, v := range values {
		seen[what[j].node].take(k, what[j].name, v)
	}
	if err := k.values(ctx, ask, seen); err != nil {
		return err
	}
	return k.detail(ctx, ask, seen)
}

// values reads the values that are wanted, with their times.
func (k *looker) values(ctx context.Context, ask []question, seen []sight) error {
	req := &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnBoth}
	var which []int
	for i := range ask {
		if ask[i].now && ask[i].id != nil {
			req.NodesToRead, which = append(req.NodesToRead, attribute(ask[i].id, ua.AttributeIDValue)), append(which, i)
		}
	}
	all := req.NodesToRead
	return k.limits.read.each(len(all), func(from, to int) error {
		req.NodesToRead = all[from:to]
		res, err := call[*ua.ReadResponse](ctx, k.link, req, requestTimeout)
		if err != nil {
			return err
		}
		for j := range min(to-from, len(res.Results)) {
			seen[which[from+j]].value = res.Results[j]
		}
		return nil
	}, func(int, error, bool) {})
}

// detail reads what only some tags need.
func (k *looker) detail(ctx context.Context, ask []question, seen []sight) error {
	var nodes []*ua.NodeID
	var which []int
	for i := range ask {
		if ask[i].more && ask[i].id != nil {
			nodes, which = append(nodes, ask[i].id), append(which, i)
		}
	}
	d, err := k.details(ctx, k.srv, nodes)
	if err != nil {
		return err
	}
	for j, i := range which {
		seen[i].detail = d[j]
	}
	return nil
}

// propertyNodes lists the properties that matter, as values to read.
func (k *looker) propertyNodes(ctx context.Context, nodes []*ua.NodeID) (ids []*ua.ReadValueID, what []property, err error) {
	err = k.eachProperty(ctx, nodes, func(i int, name string, n *ua.NodeID) {
		if name == "EngineeringUnits" || name == "EURange" {
			ids, what = append(ids, attribute(n, ua.AttributeIDValue)), append(what, property{i, name})
		}
	})
	return ids, what, err
}

// take notes one attribute or property.
func (s *sight) take(k *looker, name string, v *ua.DataValue) {
	switch name {
	case "DataType":
		if t, ok := good[*ua.NodeID](v); ok && t != nil {
			s.is.dataType = formatNode(t, k.srv.namespaces)
			s.is.hasType = len(s.is.dataType) <= maxIdentityText
		}
		s.gone = v != nil && (v.Status == ua.StatusBadNodeIDUnknown || v.Status == ua.StatusBadNodeIDInvalid)
	case "ValueRank":
		s.is.rank, s.is.hasRank = good[int32](v)
	case "Description":
		if d, ok := good[*ua.LocalizedText](v); ok && d != nil {
			s.description = clip(d.Text)
		}
	case "EngineeringUnits":
		s.is.unit, s.is.hasUnit = unitOf(v)
	case "EURange":
		s.is.low, s.is.high, s.is.hasRange = rangeOf(v)
	}
}

// clip bounds a text that is for people.
func clip(s string) string {
	const most = 500
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}
