package server

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/gopcua/opcua/ua"
)

const maxQueries = 100 // unfinished readings of history per session

// past is the history of a variable: the last values written, in the order in
// which they were. Their source times need not be in order.
type past struct {
	ring
	most int
}

func (p *past) keep(v entry) {
	if p.n == p.most {
		p.drop()
	}
	p.push(v)
}

// moment is where a value stands in a history: by source time and, among
// equals, by when it was written.
type moment struct {
	source int64
	serial uint64
}

func (a moment) compare(b moment) int {
	return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.serial, b.serial))
}

// query is the reading of one variable's raw values, from answer to answer
// (OPC 10000-11, 6.4.3). It holds no values, so that it costs the same whatever
// is left of it.
type query struct {
	variable int
	low, top int64 // source times, half-open
	backward bool
	left     int // values still to be given where just so many are wanted, else -1
	begun    bool
	last     moment // given last
}

const beginning, end = -1 << 63, 1<<63 - 1

// newQuery reads a time range, or as many values as are wanted from one time on.
// False: neither is asked for.
func newQuery(variable int, d *ua.ReadRawModifiedDetails) (*query, bool) {
	q := &query{variable: variable, left: -1}
	from, to := d.StartTime.UnixNano(), d.EndTime.UnixNano()
	switch {
	case d.StartTime.IsZero() && d.EndTime.IsZero(), (d.StartTime.IsZero() || d.EndTime.IsZero()) && d.NumValuesPerNode == 0:
		return nil, false
	case d.EndTime.IsZero():
		q.low, q.top, q.left = from, end, int(d.NumValuesPerNode)
	case d.StartTime.IsZero():
		q.low, q.top, q.left, q.backward = beginning, to+1, int(d.NumValuesPerNode), true
	case from == to:
		q.low, q.top = from, from+1
	case from < to:
		q.low, q.top = from, to
	default: // the start belongs to it and the end does not, here too
		q.low, q.top, q.backward = to+1, from+1, true
	}
	return q, true
}

// next gives up to n values of the variable's history, and whether there are more.
func (q *query) next(x *variable, n int) (found []*entry, more bool) {
	p := x.past
	var at []moment
	for i := range p.n {
		m := moment{p.at(i).source, x.version - uint64(p.n-1-i)}
		if m.source < q.low || m.source >= q.top || q.begun && m.compare(q.last) != q.ahead() {
			continue
		}
		at = append(at, m)
	}
	slices.SortFunc(at, func(a, b moment) int { return a.compare(b) * q.ahead() })
	if q.left >= 0 {
		at = at[:min(len(at), q.left)]
	}
	if more = len(at) > n; more {
		at = at[:n]
	}
	for _, m := range at {
		found = append(found, p.at(p.n-1-int(x.version-m.serial)))
		q.begun, q.last = true, m
	}
	if q.left >= 0 {
		q.left -= len(at)
	}
	return found, more
}

// ahead is how what comes later in this query compares with what came before.
func (q *query) ahead() int {
	if q.backward {
		return -1
	}
	return 1
}

// historyRead is OPC 10000-4, 5.11.3, for raw values.
func (s *Server) historyRead(ses *session, r *ua.HistoryReadRequest) (ua.Response, ua.StatusCode) {
	switch {
	case len(r.NodesToRead) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(r.NodesToRead) > s.limits.MaxNodesPerHistoryRead:
		return nil, ua.StatusBadTooManyOperations
	case r.TimestampsToReturn >= ua.TimestampsToReturnNeither: // what has no time is no history
		return nil, ua.StatusBadTimestampsToReturnInvalid
	}
	resp := &ua.HistoryReadResponse{}
	if r.ReleaseContinuationPoints {
		for _, want := range r.NodesToRead {
			resp.Results = append(resp.Results, ses.forgetQuery(want.ContinuationPoint))
		}
		return resp, ua.StatusOK
	}
	d, code := rawDetails(r.HistoryReadDetails)
	if code != ua.StatusOK {
		return nil, code
	}
	page := max(1, s.limits.MaxHistoryValues/len(r.NodesToRead))
	if n := int(d.NumValuesPerNode); n > 0 {
		page = min(page, n)
	}
	for _, want := range r.NodesToRead {
		q, code := s.queryOf(ses, want, d)
		if code != ua.StatusOK {
			resp.Results = append(resp.Results, historyResult(code))
			continue
		}
		resp.Results = append(resp.Results, s.pageOf(ses, q, page, r.TimestampsToReturn))
	}
	return resp, ua.StatusOK
}

func rawDetails(x *ua.ExtensionObject) (*ua.ReadRawModifiedDetails, ua.StatusCode) {
	if x == nil || x.Value == nil {
		return nil, ua.StatusBadHistoryOperationInvalid
	}
	d, ok := x.Value.(*ua.ReadRawModifiedDetails)
	switch {
	case !ok || d.IsReadModified: // events, aggregates, what was changed afterwards
		return nil, ua.StatusBadHistoryOperationUnsupported
	case d.ReturnBounds:
		return nil, ua.StatusBadBoundNotSupported
	}
	return d, ua.StatusOK
}

// queryOf begins a query or goes on with one.
func (s *Server) queryOf(ses *session, want *ua.HistoryReadValueID, d *ua.ReadRawModifiedDetails) (*query, ua.StatusCode) {
	n, code := s.readable(&ua.ReadValueID{NodeID: want.NodeID, AttributeID: ua.AttributeIDValue, IndexRange: want.IndexRange, DataEncoding: want.DataEncoding})
	switch {
	case code == ua.StatusBadAttributeIDInvalid, code == ua.StatusOK && !n.historic:
		return nil, ua.StatusBadHistoryOperationUnsupported
	case code != ua.StatusOK:
		return nil, code
	}
	if key := string(want.ContinuationPoint); key != "" {
		q := ses.queries[key]
		delete(ses.queries, key)
		if q == nil || q.variable != n.variable {
			return nil, ua.StatusBadContinuationPointInvalid
		}
		return q, ua.StatusOK
	}
	q, ok := newQuery(n.variable, d)
	if !ok {
		return nil, ua.StatusBadHistoryOperationInvalid
	}
	return q, ua.StatusOK
}

// pageOf answers with the next values of a query and keeps the rest for later.
// The engine's lock is held.
func (s *Server) pageOf(ses *session, q *query, n int, stamps ua.TimestampsToReturn) *ua.HistoryReadResult {
	found, more := q.next(&s.engine.vars[q.variable], n)
	if len(found) == 0 {
		return historyResult(ua.StatusGoodNoData)
	}
	res := &ua.HistoryReadResult{}
	if more {
		if len(ses.queries) >= maxQueries {
			return historyResult(ua.StatusBadNoContinuationPoints)
		}
		if ses.queries == nil {
			ses.queries = map[string]*query{}
		}
		ses.cursor++
		key := strconv.FormatUint(ses.cursor, 36)
		ses.queries[key] = q
		res.ContinuationPoint = []byte(key)
	}
	data := &ua.HistoryData{}
	for _, e := range found {
		dv := &ua.DataValue{ServerTimestamp: time.Unix(0, e.server).UTC()}
		s.show(dv, q.variable, e)
		mask(dv, stamps, true)
		data.DataValues = append(data.DataValues, dv)
	}
	res.HistoryData = ua.NewExtensionObject(data)
	return res
}

func historyResult(code ua.StatusCode) *ua.HistoryReadResult {
	return &ua.HistoryReadResult{StatusCode: code, HistoryData: ua.NewExtensionObject(nil)}
}

// forgetQuery releases a continuation point.
func (s *session) forgetQuery(point []byte) *ua.HistoryReadResult {
	if s.queries[string(point)] == nil {
		return historyResult(ua.StatusBadContinuationPointInvalid)
	}
	delete(s.queries, string(point))
	return historyResult(ua.StatusOK)
}
