package server

import (
	"strconv"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

const maxCursors = 50 // unfinished browses per session

// browseCursor is an unfinished browse.
type browseCursor struct {
	node  *node
	want  *ua.BrowseDescription
	limit int
	next  int // index of the next reference
}

// browse is OPC 10000-4, 5.9.2.
func (s *Server) browse(ses *session, r *ua.BrowseRequest) (ua.Response, ua.StatusCode) {
	switch {
	case len(r.NodesToBrowse) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(r.NodesToBrowse) > s.limits.MaxNodesPerBrowse:
		return nil, ua.StatusBadTooManyOperations
	case r.View != nil && r.View.ViewID != nil && (keyOf(r.View.ViewID) != nodeKey{}):
		return nil, ua.StatusBadViewIDUnknown
	}
	limit := s.limits.MaxReferences
	if n := int(r.RequestedMaxReferencesPerNode); n > 0 {
		limit = min(limit, n)
	}
	resp := &ua.BrowseResponse{}
	for _, want := range r.NodesToBrowse {
		n := s.space.get(want.NodeID)
		code := ua.StatusOK
		switch {
		case n == nil:
			code = ua.StatusBadNodeIDUnknown
		case want.BrowseDirection > ua.BrowseDirectionBoth:
			code = ua.StatusBadBrowseDirectionInvalid
		case !s.isReferenceType(want.ReferenceTypeID):
			code = ua.StatusBadReferenceTypeIDInvalid
		}
		if code != ua.StatusOK {
			resp.Results = append(resp.Results, &ua.BrowseResult{StatusCode: code})
			continue
		}
		resp.Results = append(resp.Results, s.browseFrom(ses, &browseCursor{node: n, want: want, limit: limit}))
	}
	return resp, ua.StatusOK
}

func (s *Server) isReferenceType(n *ua.NodeID) bool {
	k := keyOf(n)
	if (k == nodeKey{}) {
		return true // all references
	}
	t := s.space.nodes[k]
	return t != nil && t.class == ua.NodeClassReferenceType
}

// browseFrom returns the next references of a browse and keeps the rest for
// BrowseNext.
func (s *Server) browseFrom(ses *session, c *browseCursor) *ua.BrowseResult {
	res := &ua.BrowseResult{}
	for ; c.next < len(c.node.refs); c.next++ {
		r := &c.node.refs[c.next]
		if !s.space.wanted(r, c.want) {
			continue
		}
		if len(res.References) == c.limit {
			if len(ses.cursors) >= maxCursors {
				return &ua.BrowseResult{StatusCode: ua.StatusBadNoContinuationPoints}
			}
			ses.cursor++
			key := strconv.FormatUint(ses.cursor, 36)
			ses.cursors[key] = c
			res.ContinuationPoint = []byte(key)
			return res
		}
		res.References = append(res.References, describe(r, c.want.ResultMask))
	}
	return res
}

func (sp *space) wanted(r *reference, want *ua.BrowseDescription) bool {
	switch want.BrowseDirection {
	case ua.BrowseDirectionForward:
		if !r.forward {
			return false
		}
	case ua.BrowseDirectionInverse:
		if r.forward {
			return false
		}
	}
	if want.NodeClassMask != 0 && want.NodeClassMask&uint32(r.to.class) == 0 {
		return false
	}
	kind := want.ReferenceTypeID.IntID()
	return kind == 0 || sp.isKind(r.kind, kind, want.IncludeSubtypes)
}

// describe fills in what the result mask asks for.
func describe(r *reference, mask uint32) *ua.ReferenceDescription {
	null := ua.NewTwoByteNodeID(0)
	d := &ua.ReferenceDescription{
		ReferenceTypeID: null, NodeID: expanded(r.to.id), BrowseName: &ua.QualifiedName{},
		DisplayName: text(""), TypeDefinition: expanded(null),
	}
	has := func(bit ua.BrowseResultMask) bool { return mask&uint32(bit) != 0 }
	if has(ua.BrowseResultMaskReferenceTypeID) {
		d.ReferenceTypeID = numeric(r.kind)
	}
	if has(ua.BrowseResultMaskIsForward) {
		d.IsForward = r.forward
	}
	if has(ua.BrowseResultMaskNodeClass) {
		d.NodeClass = r.to.class
	}
	if has(ua.BrowseResultMaskBrowseName) {
		d.BrowseName = &ua.QualifiedName{NamespaceIndex: r.to.ns, Name: r.to.name}
	}
	if has(ua.BrowseResultMaskDisplayName) {
		d.DisplayName = text(r.to.name)
	}
	if has(ua.BrowseResultMaskTypeDefinition) {
		d.TypeDefinition = expanded(r.to.typeDefinition())
	}
	return d
}

// browseNext is OPC 10000-4, 5.9.3.
func (s *Server) browseNext(ses *session, r *ua.BrowseNextRequest) (ua.Response, ua.StatusCode) {
	switch {
	case len(r.ContinuationPoints) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(r.ContinuationPoints) > s.limits.MaxNodesPerBrowse:
		return nil, ua.StatusBadTooManyOperations
	}
	resp := &ua.BrowseNextResponse{}
	for _, p := range r.ContinuationPoints {
		c := ses.cursors[string(p)]
		delete(ses.cursors, string(p))
		switch {
		case c == nil:
			resp.Results = append(resp.Results, &ua.BrowseResult{StatusCode: ua.StatusBadContinuationPointInvalid})
		case r.ReleaseContinuationPoints:
			resp.Results = append(resp.Results, &ua.BrowseResult{})
		default:
			resp.Results = append(resp.Results, s.browseFrom(ses, c))
		}
	}
	return resp, ua.StatusOK
}

// translate is OPC 10000-4, 5.9.4.
func (s *Server) translate(r *ua.TranslateBrowsePathsToNodeIDsRequest) (ua.Response, ua.StatusCode) {
	switch {
	case len(r.BrowsePaths) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(r.BrowsePaths) > s.limits.MaxNodesPerBrowse:
		return nil, ua.StatusBadTooManyOperations
	}
	resp := &ua.TranslateBrowsePathsToNodeIDsResponse{}
	for _, p := range r.BrowsePaths {
		resp.Results = append(resp.Results, s.follow(p))
	}
	return resp, ua.StatusOK
}

const (
	maxPathElements = 64
	maxPathNodes    = 1000
	wholePath       = 0xffffffff // RemainingPathIndex of a path that was followed to its end
)

func (s *Server) follow(p *ua.BrowsePath) *ua.BrowsePathResult {
	start := s.space.get(p.StartingNode)
	switch {
	case start == nil:
		return &ua.BrowsePathResult{StatusCode: ua.StatusBadNodeIDUnknown}
	case len(p.RelativePath.Elements) == 0:
		return &ua.BrowsePathResult{StatusCode: ua.StatusBadNothingToDo}
	case len(p.RelativePath.Elements) > maxPathElements:
		return &ua.BrowsePathResult{StatusCode: ua.StatusBadQueryTooComplex}
	}
	at := []*node{start}
	for _, e := range p.RelativePath.Elements {
		if e.TargetName == nil || e.TargetName.Name == "" {
			return &ua.BrowsePathResult{StatusCode: ua.StatusBadBrowseNameInvalid}
		}
		var next []*node
		for _, n := range at {
			next = s.space.step(next, n, e)
		}
		if at = next; len(at) > maxPathNodes {
			return &ua.BrowsePathResult{StatusCode: ua.StatusBadQueryTooComplex}
		}
	}
	if len(at) == 0 {
		return &ua.BrowsePathResult{StatusCode: ua.StatusBadNoMatch}
	}
	res := &ua.BrowsePathResult{}
	for _, n := range at {
		res.Targets = append(res.Targets, &ua.BrowsePathTarget{TargetID: expanded(n.id), RemainingPathIndex: wholePath})
	}
	return res
}

func (sp *space) step(dst []*node, n *node, e *ua.RelativePathElement) []*node {
	kind, subtypes := e.ReferenceTypeID.IntID(), e.IncludeSubtypes
	if kind == 0 {
		kind, subtypes = id.References, true
	}
	for i := range n.refs {
		r := &n.refs[i]
		if r.forward == e.IsInverse || r.to.name != e.TargetName.Name || r.to.ns != e.TargetName.NamespaceIndex {
			continue
		}
		if sp.isKind(r.kind, kind, subtypes) {
			dst = append(dst, r.to)
		}
	}
	return dst
}
