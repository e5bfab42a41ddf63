package server

import (
	"maps"
	"slices"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// Counts is how often each service was requested since the first Start, refused
// requests included: "Publish", "Write", … A Call of nothing but
// ConditionRefresh counts under that name.
func (s *Server) Counts() map[string]uint64 {
	s.countMu.Lock()
	defer s.countMu.Unlock()
	return maps.Clone(s.counts)
}

func (s *Server) count(service string) {
	s.countMu.Lock()
	if s.counts == nil {
		s.counts = map[string]uint64{}
	}
	s.counts[service]++
	n := s.counts[service]
	s.countMu.Unlock()
	if n == 1 && slices.Contains(changing, service) {
		s.log().Warn(Changed, "service", service)
	}
}

// Changed is what the log says of the first request of each service of Changing.
const Changed = "a client asked for what could change a PLC; it was refused"

// conditionRefresh is a Call that asks for the events of open conditions again
// and changes nothing (OPC 10000-9, 5.5.7).
const conditionRefresh = "ConditionRefresh"

var changing = []string{"Write", "Call", "HistoryUpdate", "AddNodes", "AddReferences", "DeleteNodes", "DeleteReferences",
	"RegisterServer", "RegisterServer2", "unknown"}

// Changing picks from counts the requests by which a client could change what a
// PLC does or what its address space holds. A service that nobody knows is one
// of them.
func Changing(counts map[string]uint64) map[string]uint64 {
	found := map[string]uint64{}
	for _, service := range changing {
		if n := counts[service]; n > 0 {
			found[service] = n
		}
	}
	return found
}

// callName names a Call request by what it calls. Only the two ids of a single
// call are decoded, the arguments are not.
func callName(body []byte) (name string) {
	defer func() {
		if recover() != nil { // the codec is not written for hostile bytes
			name = "Call"
		}
	}()
	var typeID ua.ExpandedNodeID
	n, err := typeID.Decode(body)
	if err != nil {
		return "Call"
	}
	var calls struct {
		Header *ua.RequestHeader
		Count  int32
		Object *ua.NodeID
		Method *ua.NodeID
	}
	if _, err := ua.Decode(body[n:], &calls); err != nil || calls.Count != 1 {
		return "Call"
	}
	refresh := keyOf(calls.Object) == nodeKey{num: id.ConditionType} && keyOf(calls.Method) == nodeKey{num: id.ConditionType_ConditionRefresh}
	if !refresh {
		return "Call"
	}
	return conditionRefresh
}
